/* Requests of each form; see soak_forms.h. */
#include "bench/soak_forms.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "http/fixture.h"

#include "check_main.h"

enum { MANY = 20, HEAD = 1024 }; /* MANY: more than go into one batch */

#define JSON   "Content-Type: application/json\r\n"
#define RAW    "Content-Type: application/octet-stream\r\n"
#define NPY    "Content-Type: application/x-npy\r\n"
#define FORM   "Content-Type: multipart/form-data; boundary=XbX\r\n"
#define FLOATS "Accept: application/octet-stream\r\n"

struct bytes {
    char *at;
    size_t size, room;
};

static float image[SOAK_PIXELS];
static struct soak_form *form;
static size_t forms;

const float *soak_image(void)
{
    return image;
}

static void append(struct bytes *to, const void *bytes, size_t size)
{
    if (to->size + size > to->room) {
        to->room = 2 * (to->size + size);
        to->at = realloc(to->at, to->room);
        ck_assert_ptr_nonnull(to->at);
    }
    if (size) memcpy(to->at + to->size, bytes, size);
    to->size += size;
}

__attribute__((format(printf, 2, 3))) static void print(struct bytes *to, const char *format, ...)
{
    char text[HEAD];
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ck_assert(size >= 0 && (size_t)size < sizeof text);
    append(to, text, (size_t)size);
}

/* The request with that body, which is consumed. framing: of the body, "" for its length */
static struct soak_form *add_framed(const char *name, const char *target, const char *headers,
                                    const char *framing, struct bytes *body)
{
    struct bytes all = {0};
    ck_assert_uint_lt(forms, SOAK_FORMS_MAX);
    print(&all, "POST %s HTTP/1.1\r\nHost: soak\r\n%s", target, headers);
    if (*framing)
        print(&all, "%s\r\n", framing);
    else
        print(&all, "Content-Length: %zu\r\n\r\n", body->size);
    form[forms] = (struct soak_form){.name = name, .head = all.size};
    append(&all, body->at, body->size);
    form[forms].bytes = all.at;
    form[forms].size = all.size;
    free(body->at);
    *body = (struct bytes){0};
    return &form[forms++];
}

static struct soak_form *add(const char *name, const char *target, const char *headers,
                             struct bytes *body)
{
    return add_framed(name, target, headers, "", body);
}

/* ---- bodies ---------------------------------------------------------------------------------- */

static void append_row(struct bytes *to, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++)
        print(to, "%s%.9g", i > first ? "," : "", (double)image[i]);
}

/* [[[row],[row],...]]: the sample as C,H,W */
static void append_nested(struct bytes *to)
{
    append(to, "[[", 2);
    for (size_t y = 0; y < SOAK_SIDE; y++) {
        append(to, y ? ",[" : "[", y ? 2 : 1);
        append_row(to, y * SOAK_SIDE, SOAK_SIDE);
        append(to, "]", 1);
    }
    append(to, "]]", 2);
}

static struct bytes nested(const char *before, const char *behind)
{
    struct bytes body = {0};
    print(&body, "%s", before);
    append_nested(&body);
    print(&body, "%s", behind);
    return body;
}

static struct bytes flat(size_t samples)
{
    struct bytes body = {0};
    print(&body, "{\"shape\":[%zu,1,%d,%d],\"input\":[", samples, SOAK_SIDE, SOAK_SIDE);
    for (size_t i = 0; i < samples; i++) {
        if (i) append(&body, ",", 1);
        append_row(&body, 0, SOAK_PIXELS);
    }
    append(&body, "]}", 2);
    return body;
}

static struct bytes raw(size_t samples)
{
    struct bytes body = {0};
    for (size_t i = 0; i < samples; i++) append(&body, image, sizeof image);
    return body;
}

static struct bytes npy(void)
{
    struct bytes body = {0};
    char header[118];
    const int length =
        snprintf(header, sizeof header,
                 "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, %d, %d), }", SOAK_SIDE,
                 SOAK_SIDE);
    memset(header + length, ' ', sizeof header - (size_t)length);
    header[sizeof header - 1] = '\n';
    append(&body, "\x93NUMPY\x01\0\x76\0", 10);
    append(&body, header, sizeof header);
    append(&body, image, sizeof image);
    return body;
}

static struct bytes file(const char *path)
{
    struct bytes body = {0};
    body.at = read_file(path, &body.size);
    return body;
}

static struct bytes multipart(const char *path)
{
    struct bytes body = {0}, picture = file(path);
    print(&body,
          "--XbX\r\nContent-Disposition: form-data; name=\"data\"; filename=\"a.jpg\"\r\n\r\n");
    append(&body, picture.at, picture.size);
    print(&body, "\r\n--XbX--\r\n");
    free(picture.at);
    return body;
}

/* Consumes the body. */
static struct bytes gzip(struct bytes body)
{
    z_stream z = {0};
    struct bytes packed = {.room = body.size + 1000};
    ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    packed.at = malloc(packed.room);
    ck_assert_ptr_nonnull(packed.at);
    z.next_in = (Bytef *)body.at;
    z.avail_in = (uInt)body.size;
    z.next_out = (Bytef *)packed.at;
    z.avail_out = (uInt)packed.room;
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    packed.size = packed.room - z.avail_out;
    deflateEnd(&z);
    free(body.at);
    return packed;
}

/* Consumes the body. */
static struct bytes chunked(struct bytes body)
{
    struct bytes chunks = {0};
    for (size_t at = 0, size = 1; at < body.size; at += size, size = size * 2 + 1) {
        if (size > body.size - at) size = body.size - at;
        print(&chunks, "%zx\r\n", size);
        append(&chunks, body.at + at, size);
        append(&chunks, "\r\n", 2);
    }
    append(&chunks, "0\r\n\r\n", 5);
    free(body.at);
    return chunks;
}

/* ---- requests -------------------------------------------------------------------------------- */

static void add_tensors(void)
{
    struct bytes body = nested("{\"input\":[", "]}");
    add("JSON nested", "/infer?model=m", JSON FLOATS, &body)->samples = 1;
    body = flat(2);
    add("JSON flat", "/infer?model=m", JSON FLOATS, &body)->samples = 2;
    body = chunked(flat(1));
    add_framed("JSON in chunks", "/infer?model=m", JSON FLOATS, "Transfer-Encoding: chunked\r\n",
               &body)
        ->samples = 1;
    body = gzip(flat(MANY));
    add("gzip", "/infer?model=m&top_k=10",
        JSON "Content-Encoding: gzip\r\nAccept-Encoding: gzip\r\n", &body);
    body = raw(1);
    add("raw", "/infer?model=m", RAW FLOATS, &body)->samples = 1;
    body = raw(MANY);
    add("raw, split", "/infer?model=m", RAW FLOATS, &body)->samples = MANY;
    body = raw(1);
    struct soak_form *late =
        add("raw, a deadline", "/infer?model=m&timeout_ms=100", RAW FLOATS, &body);
    late->samples = 1;
    late->deadline = true;
    body = raw(1);
    add("raw, priority", "/infer?model=m&priority=1", RAW FLOATS, &body)->samples = 1;
    body = raw(1);
    add("raw, n", "/infer?model=n", RAW FLOATS, &body);
    body = npy();
    add("npy", "/infer?model=m", NPY FLOATS, &body)->samples = 1;
}

static void add_protocols(void)
{
    char json[HEAD], headers[HEAD];
    snprintf(json, sizeof json,
             "{\"id\":\"7\",\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[1,1,"
             "%d,%d],\"data\":",
             SOAK_SIDE, SOAK_SIDE);
    struct bytes body = nested(json, "}]}");
    add("V2 JSON", "/v2/models/m/infer", JSON, &body);
    const int length = snprintf(
        json, sizeof json,
        "{\"parameters\":{\"binary_data_output\":true},\"inputs\":[{\"name\":\"input\","
        "\"datatype\":\"FP32\",\"shape\":[1,1,%d,%d],\"parameters\":{\"binary_data_size\":%zu}}]}",
        SOAK_SIDE, SOAK_SIDE, sizeof image);
    snprintf(headers, sizeof headers, "Inference-Header-Content-Length: %d\r\n", length);
    append(&body, json, (size_t)length);
    append(&body, image, sizeof image);
    add("V2 binary", "/v2/models/m/infer", headers, &body);
    body = nested("{\"instances\":[", "]}");
    add("V1", "/v1/models/m:predict", JSON, &body);
}

static void add_pictures(void)
{
    struct bytes body = file("tests/golden/images/color-420.jpg");
    add("JPEG", "/infer?model=m", FLOATS, &body);
    body = file("tests/golden/images/color.png");
    add("PNG", "/infer?model=m", FLOATS, &body);
    body = multipart("tests/golden/images/color-444.jpg");
    add("multipart", "/infer?model=m", FORM FLOATS, &body);
    body = file("tests/golden/images/alpha.png");
    add("TorchServe", "/predictions/n", "", &body);
}

size_t soak_forms_make(struct soak_form made[SOAK_FORMS_MAX])
{
    form = made;
    forms = 0;
    for (size_t i = 0; i < SOAK_PIXELS; i++) image[i] = (float)(i % 251) / 64 - 2;
    add_tensors();
    add_protocols();
    add_pictures();
    return forms;
}

void soak_forms_free(struct soak_form *made, size_t count)
{
    for (size_t i = 0; i < count; i++) free(made[i].bytes);
}
