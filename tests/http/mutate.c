/* Hostile requests; see mutate.h. */
#include "mutate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "http/fixture.h"

#include "check_main.h"

enum { FORMS = 64, TEXT = 8192 };

#define JSON   "Content-Type: application/json\r\n"
#define RAW    "Content-Type: application/octet-stream\r\n"
#define NPY    "Content-Type: application/x-npy\r\n"
#define FORM   "Content-Type: multipart/form-data; boundary=XbX\r\n"
#define GZIP   "Content-Encoding: gzip\r\n"
#define BINARY "Accept: application/octet-stream\r\n"
#define V2     "/v2/models/tiny/infer"

struct form {
    const char *name, *method, *target;
    char headers[160];
    bool same;
    uint8_t *body;
    size_t size;
};

static struct form form[FORMS];
static size_t forms;
static float image[MUTATE_PIXELS];
static char numbers[TEXT], nested[TEXT]; /* the image in JSON */

size_t mutate_forms(void)
{
    return forms;
}

const char *mutate_name(size_t index)
{
    return form[index].name;
}

const float *mutate_image(void)
{
    return image;
}

size_t roll(struct dice *dice, size_t sides)
{
    dice->state += 0x9e3779b97f4a7c15;
    uint64_t x = dice->state;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return (size_t)((x ^ (x >> 31)) % sides);
}

/* ---- templates ------------------------------------------------------------------------------- */

static struct form *add(const char *name, const char *method, const char *target,
                        const char *headers, const void *body, size_t size)
{
    ck_assert_uint_lt(forms, FORMS);
    struct form *f = &form[forms++];
    *f = (struct form){.name = name, .method = method, .target = target, .same = true};
    snprintf(f->headers, sizeof f->headers, "%s", headers);
    f->size = size;
    f->body = malloc(size + 1);
    ck_assert_ptr_nonnull(f->body);
    if (size) memcpy(f->body, body, size);
    return f;
}

__attribute__((format(printf, 3, 4))) static void add_json(const char *name, const char *target,
                                                           const char *format, ...)
{
    char text[3 * TEXT];
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    add(name, "POST", target, JSON, text, (size_t)size);
}

static void add_all_json(void)
{
    add_json("nested", "/infer?top_k=3", "{\"input\":[%s],\"id\":\"a7\"}", nested);
    add_json("flat", "/infer?model=tiny",
             "{\"shape\":[2,1,8,8],\"input\":[%s,%s],\"top_k\":2,\"timeout_ms\":60000}", numbers,
             numbers);
    add_json("V2", V2,
             "{\"id\":\"b\",\"parameters\":{\"priority\":1},\"inputs\":[{\"name\":\"input\","
             "\"datatype\":\"FP32\",\"shape\":[1,1,8,8],\"data\":[%s]}],"
             "\"outputs\":[{\"name\":\"output\",\"parameters\":{\"classification\":3}}]}",
             numbers);
    add_json("V2, version", "/v2/models/tiny/versions/1/infer",
             "{\"inputs\":[{\"data\":[%s],\"shape\":[1,1,8,8],\"datatype\":\"FP64\","
             "\"name\":\"input\"}]}",
             nested);
    add_json("V2 by /infer", "/infer",
             "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[1,1,8,8],"
             "\"data\":[%s]}]}",
             numbers);
    add_json("V2, UINT8", V2,
             "{\"inputs\":[{\"name\":\"input\",\"shape\":[1,1,8,8],\"data\":[255%s],\"datatype\":"
             "\"UINT8\"}]}",
             ",0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30"
             ",31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58"
             ",59,60,61,62");
    add_json("V1 rows", "/v1/models/tiny:predict", "{\"instances\":[[%s]]}", nested);
    add_json("V1 columns", "/v1/models/tiny/versions/1:predict", "{\"inputs\":[[%s]]}", nested);
}

static void add_v2_binary(void)
{
    char text[TEXT], headers[100];
    const size_t length = (size_t)snprintf(
        text, sizeof text,
        "{\"parameters\":{\"binary_data_output\":true},\"inputs\":[{\"name\":\"input\","
        "\"datatype\":\"FP32\",\"shape\":[1,1,8,8],\"parameters\":{\"binary_data_size\":%zu}}]}",
        sizeof image);
    memcpy(text + length, image, sizeof image);
    snprintf(headers, sizeof headers, "Inference-Header-Content-Length: %zu\r\n", length);
    add("V2 binary", "POST", V2, headers, text, length + sizeof image);
    add("V2 raw", "POST", V2, "Inference-Header-Content-Length: 0\r\n", image, sizeof image);
}

static void add_npy(const char *name, const char *type, const void *data, size_t size)
{
    char file[TEXT] = "\x93NUMPY\x01";
    const int length = snprintf(
        file + 10, 119, "{'descr': '%s', 'fortran_order': False, 'shape': (1, 1, 8, 8), }", type);
    memset(file + 10 + length, ' ', (size_t)(117 - length));
    file[127] = '\n';
    file[8] = 118;
    memcpy(file + 128, data, size);
    add(name, "POST", "/infer", NPY "Accept: application/x-npy\r\n", file, 128 + size);
}

static void add_all_npy(void)
{
    double doubles[MUTATE_PIXELS];
    uint8_t bytes[MUTATE_PIXELS];
    for (size_t i = 0; i < MUTATE_PIXELS; i++) {
        doubles[i] = (double)image[i];
        bytes[i] = (uint8_t)i;
    }
    add_npy("npy, f4", "<f4", image, sizeof image);
    add_npy("npy, f8", "<f8", doubles, sizeof doubles);
    add_npy("npy, u1", "|u1", bytes, sizeof bytes);
}

static void add_pictures(void)
{
    static const char *const files[] = {"color-420.jpg", "progressive.jpg", "grey.jpg",
                                        "cmyk.jpg",      "palette.png",     "interlaced.png",
                                        "grey-2bit.png", "alpha-16bit.png"};
    static const char before[] = "--XbX\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n";
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        uint8_t bytes[MUTATE_MOST];
        char path[100];
        snprintf(path, sizeof path, "tests/golden/images/%s", files[i]);
        size_t size;
        char *file = read_file(path, &size);
        ck_assert_uint_le(size, sizeof bytes - 200);
        memcpy(bytes, file, size);
        free(file);
        add(files[i], "PUT", "/infer", "", bytes, size);
        if (i % 2) continue;
        memmove(bytes + sizeof before - 1, bytes, size);
        memcpy(bytes, before, sizeof before - 1);
        size += sizeof before - 1;
        memcpy(bytes + size, "\r\n--XbX--\r\n", 11);
        add("multipart", "POST", "/predictions/tiny/1", FORM, bytes, size + 11);
    }
}

/* Two pictures and all fields. */
static void add_form(void)
{
    static const char fields[] =
        "--XbX\r\nContent-Disposition: form-data; name=\"top_k\"\r\n\r\n3\r\n"
        "--XbX\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ntiny\r\n"
        "--XbX\r\nContent-Disposition: form-data; name=\"timeout_ms\"\r\n\r\n60000\r\n"
        "--XbX\r\nContent-Disposition: form-data; name=\"priority\"\r\n\r\n1\r\n"
        "--XbX\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\na7\r\n";
    static const char head[] = "--XbX\r\nContent-Disposition: form-data; name=\"data\"; "
                               "filename=\"a\"\r\nContent-Type: image/png\r\n\r\n";
    uint8_t bytes[MUTATE_MOST];
    size_t size, used = sizeof fields - 1;
    char *file = read_file("tests/golden/images/grey-2bit.png", &size);
    ck_assert_uint_le(2 * size + 1000, sizeof bytes);
    memcpy(bytes, fields, used);
    for (size_t i = 0; i < 2; i++) {
        memcpy(bytes + used, head, sizeof head - 1);
        used += sizeof head - 1;
        memcpy(bytes + used, file, size);
        used += size;
        memcpy(bytes + used, "\r\n", 2);
        used += 2;
    }
    free(file);
    memcpy(bytes + used, "--XbX--\r\n", 9);
    add("form", "POST", "/infer", FORM, bytes, used + 9);
}

/* windowBits: 15 zlib's, 31 gzip's */
static size_t deflate_body(const void *bytes, size_t size, int bits, uint8_t *out, size_t room)
{
    z_stream z = {0};
    ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (z_const Bytef *)(uintptr_t)bytes;
    z.avail_in = (uInt)size;
    z.next_out = out;
    z.avail_out = (uInt)room;
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return room - z.avail_out;
}

/* Each of the first `count` templates again, compressed. */
static void add_compressed(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t packed[MUTATE_MOST];
        char headers[200];
        const bool gzip = i % 2 == 0;
        const size_t size =
            deflate_body(form[i].body, form[i].size, gzip ? 31 : 15, packed, sizeof packed);
        snprintf(headers, sizeof headers, "%sContent-Encoding: %s\r\nAccept-Encoding: gzip\r\n",
                 form[i].headers, gzip ? "gzip" : "deflate");
        add("compressed", "POST", form[i].target, headers, packed, size);
    }
}

static void add_others(void)
{
    add_json("index", "/v2/repository/index", "{\"ready\":true}");
    add_json("load", "/v2/repository/models/spare/load",
             "{\"parameters\":{\"unload_dependents\":false}}");
    static const char *const targets[] = {
        "/",     "/livez", "/metrics",         "/openapi.json",          "/v2/models/tiny",
        "/ping", "/v2",    "/v2/models/stats", "/v2/models/tiny/config", "/v1/models/tiny",
    };
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct form *f = add("GET", "GET", targets[i], "", "", 0);
        f->same = !strstr(targets[i], "metrics") && !strstr(targets[i], "stats");
    }
}

void mutate_init(void)
{
    size_t flat = 0, deep = (size_t)snprintf(nested, TEXT, "[");
    for (size_t i = 0; i < MUTATE_PIXELS; i++) {
        const char *const comma = i % MUTATE_SIDE ? "," : i ? "],[" : "[";
        image[i] = (float)(i * 37 % 64) / 32 - 1;
        flat +=
            (size_t)snprintf(numbers + flat, TEXT - flat, "%s%.9g", i ? "," : "", (double)image[i]);
        deep += (size_t)snprintf(nested + deep, TEXT - deep, "%s%.9g", comma, (double)image[i]);
    }
    snprintf(nested + deep, TEXT - deep, "]]");
    add("raw", "POST", "/infer", RAW BINARY, image, sizeof image);
    add_all_json();
    add_v2_binary();
    add_all_npy();
    add_compressed(forms);
    add_pictures();
    add_form();
    add_others();
}

void mutate_free(void)
{
    while (forms) free(form[--forms].body);
}

void mutate_valid(struct hostile *request, size_t index)
{
    const struct form *f = &form[index];
    request->form = index;
    request->valid = true;
    request->same = f->same;
    request->chunked = false;
    snprintf(request->method, sizeof request->method, "%s", f->method);
    snprintf(request->target, sizeof request->target, "%s", f->target);
    snprintf(request->headers, sizeof request->headers, "%s", f->headers);
    request->size = f->size;
    if (f->size) memcpy(request->body, f->body, f->size);
}

/* ---- mutations ------------------------------------------------------------------------------- */

static const char *const tokens[] = {
    "1e999",
    "NaN",
    "-0",
    "1e-400",
    "0x1",
    "\\u0000",
    "\\ud800",
    "\xff",
    "[[[[[[[[",
    "]]]]",
    "{\"a\":",
    "}",
    ",",
    ",,",
    "\"",
    "null",
    "true",
    "[]",
    "{}",
    "18446744073709551616",
    "-1",
    "2147483648",
    "1.7976931348623157e308",
    "0.1e",
    "\"shape\":[0]",
    "\"shape\":[16,1152921504606846978],",
    "\"input\":[1],",
    "\"timeout_ms\":1,",
    "\"top_k\":0,",
    "\"datatype\":\"BYTES\",",
    "\"data\":[[1],2],",
    "\"binary_data_size\":9999999999",
    "--XbX",
    "\r\n\r\n",
    "IDAT",
    "\xff\xda",
    "\xff\xc4\x00\x02",
    "\x1f\x8b\x08",
    "/*",
    "\xef\xbb\xbf",
};

/* Puts bytes in the place of `old` others. */
static void put(struct hostile *r, size_t at, size_t old, const void *bytes, size_t size)
{
    if (r->size - old + size > MUTATE_MOST) return;
    memmove(r->body + at + size, r->body + at + old, r->size - at - old);
    if (size) memmove(r->body + at, bytes, size);
    r->size += size - old;
}

static void change_bytes(struct hostile *r, struct dice *dice)
{
    uint8_t bytes[64];
    const size_t at = roll(dice, r->size + 1), left = r->size - at;
    const size_t some = roll(dice, left < 64 ? left + 1 : 64);
    const char *token = tokens[roll(dice, sizeof tokens / sizeof *tokens)];
    const struct form *other = &form[roll(dice, forms)];
    switch (roll(dice, 8)) {
    case 0:
        if (left) r->body[at] ^= (uint8_t)(1u << roll(dice, 8));
        break;
    case 1:
        if (left) r->body[at] = (uint8_t)roll(dice, 256);
        break;
    case 2: put(r, at, some, NULL, 0); break;
    case 3:
        memcpy(bytes, r->body + at, some);
        put(r, roll(dice, r->size + 1), 0, bytes, some);
        break;
    case 4:
        for (size_t i = 0; i < some; i++) bytes[i] = (uint8_t)roll(dice, 256);
        put(r, at, roll(dice, 2) ? some : 0, bytes, some);
        break;
    case 5: r->size = at; break;
    case 6: put(r, at, 0, token, strlen(token)); break;
    default:
        if (other->size) {
            const size_t from = roll(dice, other->size);
            put(r, at, roll(dice, 2) ? left : 0, other->body + from,
                roll(dice, other->size - from));
        }
    }
}

/* Another form of body than the one it is, and the like: never what says where the body ends. */
static void change_headers(struct hostile *r, struct dice *dice)
{
    static const char *const headers[] = {
        JSON,
        RAW,
        NPY,
        FORM,
        GZIP,
        "Content-Encoding: deflate\r\n",
        "Content-Encoding: br\r\n",
        "Content-Encoding: gzip, gzip\r\n",
        "Content-Type: image/png\r\n",
        "Content-Type: image/gif\r\n",
        "Content-Type: multipart/form-data; boundary=\"\"\r\n",
        "Content-Type: application/json; charset=utf-16\r\n",
        "Inference-Header-Content-Length: 1\r\n",
        "Inference-Header-Content-Length: 99999999999999999999\r\n",
        "Inference-Header-Content-Length: -1\r\n",
        "Inference-Header-Content-Length: 20\r\n",
        "Accept: application/x-npy\r\n",
        "Accept: text/html;q=0.1, */*;q=0\r\n",
        "Accept: ,;=,\r\n",
        "Accept-Encoding: deflate;q=0.5, gzip;q=0\r\n",
        "Accept-Encoding: gzip\r\n",
        "X-Request-Id: \"\r\n",
        "Expect: 100-continue\r\n",
        "Cookie: a=b; c\r\n",
    };
    const char *header = headers[roll(dice, sizeof headers / sizeof *headers)];
    const size_t used = roll(dice, 3) ? 0 : strlen(r->headers);
    snprintf(r->headers + used, sizeof r->headers - used, "%s", header);
}

static void change_target(struct hostile *r, struct dice *dice)
{
    static const char *const queries[] = {
        "top_k=0",
        "top_k=1000000",
        "top_k=1e3",
        "model=",
        "model=..",
        "model=spare",
        "timeout_ms=1",
        "timeout_ms=0",
        "timeout_ms=-1",
        "priority=1",
        "priority=abc",
        "%00",
        "%zz",
        "a=%c3%28",
        "top_k=3&top_k=4",
        "x",
        "=",
        "&&&",
        "model=%74%69ny",
        "timeout_ms=99999999999",
    };
    static const char *const methods[] = {"GET", "PUT", "POST", "TRACE", "DELETE", "PATCH", "get"};
    const size_t length = strlen(r->target), room = sizeof r->target - length;
    const char *query = queries[roll(dice, sizeof queries / sizeof *queries)];
    switch (roll(dice, 4)) {
    case 0: snprintf(r->target, sizeof r->target, "%s", form[roll(dice, forms)].target); break;
    case 1:
        snprintf(r->method, sizeof r->method, "%s",
                 methods[roll(dice, sizeof methods / sizeof *methods)]);
        break;
    case 2: {
        char *at = &r->target[1 + roll(dice, length)];
        if (*at) *at = (char)('!' + roll(dice, 94));
        break;
    }
    default: snprintf(r->target + length, room, "%c%s", strchr(r->target, '?') ? '&' : '?', query);
    }
}

/* Bytes that go through a compressed body's coding. */
static void pack(struct hostile *r, struct dice *dice)
{
    uint8_t packed[2 * MUTATE_MOST];
    const bool gzip = roll(dice, 2);
    const size_t size = deflate_body(r->body, r->size, gzip ? 31 : 15, packed, sizeof packed);
    const size_t used = strlen(r->headers);
    if (size > MUTATE_MOST || strstr(r->headers, "Content-Encoding")) return;
    memcpy(r->body, packed, size);
    r->size = size;
    snprintf(r->headers + used, sizeof r->headers - used, "Content-Encoding: %s\r\n",
             gzip ? "gzip" : "deflate");
}

void mutate(struct hostile *r, struct dice *dice)
{
    mutate_valid(r, roll(dice, forms));
    r->chunked = roll(dice, 4) == 0;
    if (roll(dice, 16) == 0) return;
    r->valid = false;
    for (size_t i = roll(dice, 4); i < 4; i++) {
        const size_t what = roll(dice, 12);
        if (what == 0)
            change_headers(r, dice);
        else if (what == 1)
            change_target(r, dice);
        else
            change_bytes(r, dice);
    }
    if (roll(dice, 8) == 0) pack(r, dice);
    r->same = r->same && !strstr(r->target, "timeout_ms") && !strstr(r->target, "stats") &&
              !strstr(r->target, "metrics");
}
