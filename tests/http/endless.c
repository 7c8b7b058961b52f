/* Requests without end; see endless.h. */
#include "http/endless.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "check_main.h"

/* ---- the network ----------------------------------------------------------------------------- */

/* Convolutions of 1x1, CHANNELS to CHANNELS, behind one of 3x3: their weights are zeros, few bytes
 * and many products. */
enum { LAYERS = 1000, CHANNELS = 64, CLASSES = 10, LINEAR = LAYERS + 2, SIZE = sizeof(float) };

static char folder[40], weights[80], config[80];

const char *endless_model(void)
{
    return folder;
}

static void write_config(void)
{
    FILE *file = fopen(config, "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "{\"model_type\":\"layers\",\"input\":{\"shape\":[1,8,8]},\"layers\":[");
    for (int i = 0; i < LAYERS; i++)
        fprintf(file, "{\"type\":\"Conv2d\",\"padding\":%d,\"bias\":false},", i ? 0 : 1);
    fprintf(file, "{\"type\":\"AdaptiveAvgPool2d\"},{\"type\":\"Flatten\"},{\"type\":\"Linear\","
                  "\"bias\":false}]}");
    ck_assert_int_eq(fclose(file), 0);
}

/* The header alone: the file ends in a hole, which is zeros. */
static void write_weights(void)
{
    enum { ROOM = LAYERS * 120 };
    char *header = malloc(ROOM);
    size_t size = 0, end = 0;
    ck_assert_ptr_nonnull(header);
    header[size++] = '{';
    for (size_t i = 0; i <= LINEAR; i++) {
        const char *const dims = i == 0 ? "64,1,3,3" : i == LINEAR ? "10,64" : "64,64,1,1";
        const size_t count = i == 0        ? CHANNELS * 9
                             : i == LINEAR ? CLASSES * CHANNELS
                                           : CHANNELS * CHANNELS;
        if (i >= LAYERS && i < LINEAR) continue;
        size += (size_t)snprintf(header + size, ROOM - size,
                                 "%s\"%zu.weight\":{\"dtype\":\"F32\",\"shape\":[%s],"
                                 "\"data_offsets\":[%zu,%zu]}",
                                 i ? "," : "", i, dims, end, end + count * SIZE);
        end += count * SIZE;
    }
    header[size++] = '}';
    while (size % 8) header[size++] = ' ';
    const uint64_t length = size; /* little-endian, as the machines of these tests */
    FILE *file = fopen(weights, "wb");
    ck_assert_ptr_nonnull(file);
    fwrite(&length, sizeof length, 1, file);
    fwrite(header, 1, size, file);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(truncate(weights, (off_t)(sizeof length + size + end)), 0);
    free(header);
}

void endless_model_make(void)
{
    snprintf(folder, sizeof folder, "/tmp/resnetd-endless-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(weights, sizeof weights, "%s/model.safetensors", folder);
    snprintf(config, sizeof config, "%s/config.json", folder);
    write_config();
    write_weights();
}

void endless_model_drop(void)
{
    unlink(weights);
    unlink(config);
    rmdir(folder);
}

/* ---- the picture ----------------------------------------------------------------------------- */

enum { STEP = 1 << 20 }; /* zeros that are compressed at once */

static void append(struct endless_picture *to, const void *bytes, size_t size)
{
    if (size) memcpy(to->bytes + to->size, bytes, size);
    to->size += size;
}

static void put32(uint8_t to[4], size_t value)
{
    for (int i = 0; i < 4; i++) to[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void append_chunk(struct endless_picture *to, const char type[4], const void *data,
                         size_t size)
{
    uint8_t number[4];
    put32(number, size);
    append(to, number, 4);
    const size_t at = to->size;
    append(to, type, 4);
    append(to, data, size);
    put32(number, crc32(0, to->bytes + at, (uInt)size + 4));
    append(to, number, 4);
}

/* So many zeros, compressed so that the bytes may stand behind one another; to be freed. */
static struct endless_picture deflate_zeros(size_t count)
{
    z_stream z = {0};
    uint8_t *zeros = calloc(1, count + 1);
    struct endless_picture packed = {.bytes = malloc(count / 100 + 1000)};
    ck_assert(zeros && packed.bytes);
    ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = zeros;
    z.avail_in = (uInt)count;
    z.next_out = packed.bytes;
    z.avail_out = (uInt)(count / 100 + 1000);
    ck_assert_int_eq(deflate(&z, Z_FULL_FLUSH), Z_OK);
    packed.size = z.total_out;
    deflateEnd(&z);
    free(zeros);
    return packed;
}

/* zlib's format of so many zeros; to be freed. Its checksum: 1 below, their number above. */
static struct endless_picture many_zeros(size_t count)
{
    struct endless_picture step = deflate_zeros(STEP), rest = deflate_zeros(count % STEP);
    struct endless_picture all = {.bytes = malloc(count / STEP * step.size + rest.size + 16)};
    uint8_t sum[4];
    ck_assert_ptr_nonnull(all.bytes);
    append(&all, "\x78\x01", 2);
    for (size_t i = 0; i < count / STEP; i++) append(&all, step.bytes, step.size);
    append(&all, rest.bytes, rest.size);
    append(&all, "\x03\0", 2); /* the last block, an empty one */
    put32(sum, count % 65521 << 16 | 1);
    append(&all, sum, 4);
    free(step.bytes);
    free(rest.bytes);
    return all;
}

struct endless_picture endless_picture_make(size_t side)
{
    uint8_t header[13] = {[8] = 16, [9] = 6}; /* 16 bits, RGB and alpha */
    struct endless_picture rows = many_zeros(side * (1 + 8 * side));
    struct endless_picture png = {.bytes = malloc(rows.size + 100)};
    ck_assert_ptr_nonnull(png.bytes);
    append(&png, "\x89PNG\r\n\x1a\n", 8);
    put32(header, side);
    put32(header + 4, side);
    append_chunk(&png, "IHDR", header, sizeof header);
    append_chunk(&png, "IDAT", rows.bytes, rows.size);
    append_chunk(&png, "IEND", NULL, 0);
    free(rows.bytes);
    return png;
}
