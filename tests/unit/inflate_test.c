/* Compressed bodies: any split gives what zlib packed; damage, bombs and other codings are refused.
 */
#include "ingest/inflate.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "check_main.h"

enum { SIZE = 300000 };

static unsigned char plain[SIZE], packed[SIZE + 1000], got[SIZE + 1];

/* Behind the first `at` bytes of `packed`; how many there are then. */
static size_t pack_at(size_t at, enum coding coding, const void *bytes, size_t size)
{
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)bytes,
                       .avail_in = (uInt)size,
                       .next_out = packed + at,
                       .avail_out = (uInt)(sizeof packed - at)};
    ck_assert_int_eq(deflateInit2(&stream, 6, Z_DEFLATED,
                                  coding == CODING_GZIP ? MAX_WBITS + 16 : MAX_WBITS, 8,
                                  Z_DEFAULT_STRATEGY),
                     Z_OK);
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return sizeof packed - stream.avail_out;
}

static size_t pack(enum coding coding, const void *bytes, size_t size)
{
    return pack_at(0, coding, bytes, size);
}

static void fill(void)
{
    unsigned seed = 1;
    for (size_t i = 0; i < SIZE; i++) {
        seed = seed * 1103515245 + 12345;
        plain[i] = (unsigned char)('0' + (seed >> 16) % 10);
    }
}

static bool collect(void *context, const void *bytes, size_t size)
{
    size_t *count = context;
    ck_assert_uint_le(*count + size, SIZE);
    memcpy(got + *count, bytes, size);
    *count += size;
    return true;
}

static enum inflater_status unpack(enum coding coding, size_t size, size_t piece, size_t limit,
                                   size_t *count, bool *complete)
{
    struct inflater *inflater = inflater_new(coding, limit);
    enum inflater_status status = INFLATER_OK;
    ck_assert_ptr_nonnull(inflater);
    *count = 0;
    for (size_t at = 0; at < size && status == INFLATER_OK; at += piece)
        status = inflater_feed(inflater, packed + at, piece < size - at ? piece : size - at,
                               collect, count);
    *complete = inflater_complete(inflater);
    if (status == INFLATER_OK) ck_assert_uint_eq(inflater_size(inflater), *count);
    inflater_free(inflater);
    return status;
}

START_TEST(any_split_gives_the_same)
{
    size_t count;
    bool complete;
    fill();
    for (int coding = CODING_GZIP; coding <= CODING_DEFLATE; coding++) {
        const size_t sizes[] = {0, 1, 5000, SIZE};
        for (size_t i = 0; i < 4; i++) {
            const size_t size = pack(coding, plain, sizes[i]);
            for (size_t piece = 1; piece < 2 * size; piece = piece * 3 + 1) {
                ck_assert_int_eq(unpack(coding, size, piece, SIZE, &count, &complete), INFLATER_OK);
                ck_assert(complete);
                ck_assert_uint_eq(count, sizes[i]);
                ck_assert_mem_eq(got, plain, count);
            }
        }
    }
}
END_TEST

/* One behind the other, as pigz and bgzip write them. */
START_TEST(a_gzip_file_has_members)
{
    size_t count, size = 0;
    bool complete;
    fill();
    size = pack_at(size, CODING_GZIP, plain, 3000);
    size = pack_at(size, CODING_GZIP, plain, 0);
    size = pack_at(size, CODING_GZIP, plain + 3000, 2000);
    for (size_t piece = 1; piece < 2 * size; piece = piece * 3 / 2 + 1) {
        ck_assert_int_eq(unpack(CODING_GZIP, size, piece, SIZE, &count, &complete), INFLATER_OK);
        ck_assert(complete);
        ck_assert_uint_eq(count, 5000);
        ck_assert_mem_eq(got, plain, count);
        ck_assert_int_eq(unpack(CODING_GZIP, size, piece, 4999, &count, &complete),
                         INFLATER_TOO_LONG);
        ck_assert_int_eq(unpack(CODING_GZIP, size - 1, piece, SIZE, &count, &complete),
                         INFLATER_OK);
        ck_assert(!complete);
    }
    size = pack(CODING_DEFLATE, plain, 3000);
    size = pack_at(size, CODING_DEFLATE, plain, 3000);
    ck_assert_int_eq(unpack(CODING_DEFLATE, size, SIZE, SIZE, &count, &complete), INFLATER_WRONG);
}
END_TEST

START_TEST(a_cut_stream_is_not_complete)
{
    size_t count;
    bool complete;
    fill();
    const size_t size = pack(CODING_GZIP, plain, 5000);
    for (size_t cut = 1; cut < size; cut += 7) {
        ck_assert_int_eq(unpack(CODING_GZIP, size - cut, 100, SIZE, &count, &complete),
                         INFLATER_OK);
        ck_assert(!complete);
    }
}
END_TEST

START_TEST(damage_is_noticed)
{
    size_t count;
    bool complete;
    fill();
    const size_t size = pack(CODING_GZIP, plain, 5000);
    packed[size - 6] ^= 1; // its checksum
    ck_assert_int_eq(unpack(CODING_GZIP, size, 100, SIZE, &count, &complete), INFLATER_WRONG);
    pack(CODING_GZIP, plain, 5000);
    ck_assert_int_eq(unpack(CODING_DEFLATE, size, 100, SIZE, &count, &complete), INFLATER_WRONG);
    packed[size] = packed[size + 1] = 'x'; // no other member behind the end
    ck_assert_int_eq(unpack(CODING_GZIP, size + 2, 100, SIZE, &count, &complete), INFLATER_WRONG);
    ck_assert_int_eq(unpack(CODING_GZIP, size + 2, SIZE, SIZE, &count, &complete), INFLATER_WRONG);
    ck_assert_int_eq(unpack(CODING_GZIP, size + 1, SIZE, SIZE, &count, &complete), INFLATER_OK);
    ck_assert(!complete); // it might have been one
    memcpy(packed, "{\"input\":[1]}", 13);
    ck_assert_int_eq(unpack(CODING_GZIP, 13, 13, SIZE, &count, &complete), INFLATER_WRONG);
}
END_TEST

static bool count_only(void *context, const void *bytes, size_t size)
{
    (void)bytes;
    *(size_t *)context += size;
    return true;
}

START_TEST(bombs_do_not_go_off)
{
    size_t count;
    bool complete;
    fill();
    size_t size = pack(CODING_GZIP, plain, 5000);
    for (size_t piece = 1; piece < 2 * size; piece = piece * 3 + 1) { // all in front of the limit
        ck_assert_int_eq(unpack(CODING_GZIP, size, piece, 4999, &count, &complete),
                         INFLATER_TOO_LONG);
        ck_assert_uint_eq(count, 4999);
    }
    ck_assert_int_eq(unpack(CODING_GZIP, size, 100, 5000, &count, &complete), INFLATER_OK);
    unsigned char *zeros = calloc(1, 50 << 20);
    ck_assert_ptr_nonnull(zeros);
    size = pack(CODING_DEFLATE, zeros, 50 << 20);
    struct inflater *inflater = inflater_new(CODING_DEFLATE, SIZE_MAX);
    count = 0;
    ck_assert_int_eq(inflater_feed(inflater, packed, size, count_only, &count), INFLATER_TOO_LONG);
    ck_assert_uint_lt(count, 12 << 20);
    inflater_free(inflater);
    free(zeros);
}
END_TEST

static bool refuse(void *context, const void *bytes, size_t size)
{
    (void)context, (void)bytes, (void)size;
    return false;
}

START_TEST(the_taker_can_stop_it)
{
    fill();
    const size_t size = pack(CODING_GZIP, plain, 5000);
    struct inflater *inflater = inflater_new(CODING_GZIP, SIZE);
    ck_assert_int_eq(inflater_feed(inflater, packed, size, refuse, NULL), INFLATER_STOPPED);
    inflater_free(inflater);
}
END_TEST

START_TEST(codings_have_names)
{
    enum coding coding;
    ck_assert(coding_of(NULL, &coding) && coding == CODING_NONE);
    ck_assert(coding_of("identity", &coding) && coding == CODING_NONE);
    ck_assert(coding_of("GZip", &coding) && coding == CODING_GZIP);
    ck_assert(coding_of("deflate", &coding) && coding == CODING_DEFLATE);
    ck_assert(coding_of("gzip \t", &coding) && coding == CODING_GZIP);
    ck_assert(!coding_of("gzip x", &coding) && !coding_of("gzi", &coding));
    ck_assert(!coding_of("br", &coding));
    ck_assert(!coding_of("gzip, gzip", &coding));
    ck_assert(!coding_of("", &coding));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("inflate");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, any_split_gives_the_same);
    tcase_add_test(tests, a_gzip_file_has_members);
    tcase_add_test(tests, a_cut_stream_is_not_complete);
    tcase_add_test(tests, damage_is_noticed);
    tcase_add_test(tests, bombs_do_not_go_off);
    tcase_add_test(tests, the_taker_can_stop_it);
    tcase_add_test(tests, codings_have_names);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
