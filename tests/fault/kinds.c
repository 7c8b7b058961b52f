/* One request of each kind; see kinds.h. */
#include "fault/kinds.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define FASHION  "/v2/models/fashion-resnet"
#define PICTURES "tests/golden/images/"
#define FORMATS  "tests/golden/formats/"
#define CONTROL  "/v2/repository/models/"

#define JSON     "Content-Type: application/json\r\n"
#define RAW      "Content-Type: application/octet-stream\r\n"
#define NPY      "Content-Type: application/x-npy\r\n"
#define FORM     "Content-Type: multipart/form-data; boundary=XbX\r\n"
#define TAKE_RAW "Accept: application/octet-stream\r\n"
#define TAKE_NPY "Accept: application/x-npy\r\n"
#define ZIPPED   "Content-Encoding: gzip\r\n"
#define TAKE_ZIP "Accept-Encoding: gzip\r\n"

enum { PIXELS = 784, FLOATS = PIXELS * sizeof(float), NUMBERS = 12 * PIXELS, ROOM = 65536 };

const char *const kind_options[] = {"--http-threads",
                                    "1",
                                    "--model-control",
                                    "explicit",
                                    "--nv-metrics",
                                    "on",
                                    "--log-level",
                                    "info",
                                    "--input-size",
                                    "64",
                                    "--model",
                                    "fashion-resnet",
                                    "--model",
                                    "fashion-reslayer",
                                    "--model",
                                    "tensors=" FORMATS "net.safetensors",
                                    "--model",
                                    "zip=" FORMATS "net.pth",
                                    "--model",
                                    "legacy=" FORMATS "net-legacy.pth",
                                    "--model",
                                    "onnx=" FORMATS "net.onnx",
                                    "--model",
                                    "external=" FORMATS "net-external",
                                    "--model",
                                    "shards=" FORMATS "net-shards",
                                    NULL};

struct kind kind_list[] = {
    {.name = "raw", "POST", "/infer?top_k=3", RAW, .size = FLOATS},
    {.name = "raw in and out", "POST", "/infer", RAW TAKE_RAW, .size = FLOATS},
    {.name = "nested JSON", "POST", "/infer", JSON, .file = "deploy/models/fashion-example.json"},
    {.name = "flat JSON", "POST", "/infer", JSON},
    {.name = "JSON in gzip", "POST", "/infer", JSON ZIPPED},
    {.name = "answer in gzip", "POST", "/infer?top_k=10", RAW TAKE_ZIP, .size = 2 * FLOATS},
    {.name = "npy", "POST", "/infer", NPY TAKE_NPY},
    {.name = "JPEG", "POST", "/infer", "", .file = PICTURES "color-444.jpg"},
    {.name = "progressive JPEG", "PUT", "/infer?top_k=2", "", .file = PICTURES "progressive.jpg"},
    {.name = "turned JPEG", "POST", "/infer", "", .file = PICTURES "turned-6.jpg"},
    {.name = "CMYK JPEG", "POST", "/infer", "", .file = PICTURES "cmyk.jpg"},
    {.name = "PNG", "POST", "/infer", "", .file = PICTURES "color.png"},
    {.name = "palette PNG", "POST", "/infer", "", .file = PICTURES "palette-2bit.png"},
    {.name = "interlaced PNG", "POST", "/infer", "", .file = PICTURES "interlaced.png"},
    {.name = "multipart form", "POST", "/infer", FORM},
    {.name = "TorchServe", "POST", "/predictions/fashion-resnet", "", .file = PICTURES "grey.png"},
    {.name = "V2 JSON", "POST", FASHION "/infer", JSON},
    {.name = "V2 JSON, long strings", "POST", FASHION "/infer", JSON},
    {.name = "V2 binary", "POST", FASHION "/infer", RAW},
    {.name = "V2 classification", "POST", FASHION "/infer", JSON},
    {.name = "V2 classification, binary", "POST", FASHION "/infer", RAW},
    {.name = "V1 instances", "POST", "/v1/models/fashion-resnet:predict", JSON},
    {.name = "V1 inputs", "POST", "/v1/models/fashion-resnet:predict", JSON},
    {.name = "bad JSON", "POST", "/infer", JSON},
    {.name = "a wrong shape", "POST", FASHION "/infer", JSON},
    {.name = "a damaged PNG", "POST", "/infer", "Content-Type: image/png\r\n"},
    {.name = "no such path", "GET", "/nope%20x?a=b&c=%41", ""},
    {.name = "a new connection", "GET", "/livez", "", .fresh = true},
    {.name = "a new connection, raw", "POST", "/infer", RAW, .size = FLOATS, .fresh = true},
    {.name = "live", "GET", "/v2/health/live", ""},
    {.name = "ready", "GET", "/readyz", ""},
    {.name = "metrics", "GET", "/metrics", "", .same = SAME_BEGINNING},
    {.name = "statistics", "GET", FASHION "/stats", "", .same = SAME_BUT_NUMBERS},
    {.name = "all statistics", "GET", "/v2/models/stats", "", .same = SAME_BUT_NUMBERS},
    {.name = "models", "GET", "/v2/models", ""},
    {.name = "model", "GET", FASHION, ""},
    {.name = "server", "GET", "/v2", ""},
    {.name = "config", "GET", FASHION "/config", ""},
    {.name = "example", "GET", FASHION "/example", ""},
    {.name = "OpenAPI", "GET", "/openapi.json", ""},
    {.name = "OpenAPI in gzip", "GET", "/openapi.json", TAKE_ZIP},
    {.name = "page", "GET", "/", ""},
    {.name = "V1 status", "GET", "/v1/models/fashion-resnet", ""},
    {.name = "ping", "GET", "/ping", ""},
    {.name = "index", "POST", "/v2/repository/index", JSON},
    {.name = "load, built in", "POST", CONTROL "fashion-resnet/load", JSON, .changes = true},
    {.name = "load, safetensors", "POST", CONTROL "tensors/load", JSON, .changes = true},
    {.name = "load, zipped pickle", "POST", CONTROL "zip/load", JSON, .changes = true},
    {.name = "load, legacy pickle", "POST", CONTROL "legacy/load", JSON, .changes = true},
    {.name = "load, ONNX", "POST", CONTROL "onnx/load", JSON, .changes = true},
    {.name = "load, ONNX and data", "POST", CONTROL "external/load", JSON, .changes = true},
    {.name = "load, shards", "POST", CONTROL "shards/load", JSON, .changes = true},
    {.name = "unload",
     "POST",
     CONTROL "fashion-reslayer/unload",
     JSON,
     .changes = true,
     .before = CONTROL "fashion-reslayer/load"},
    {.name = "load again",
     "POST",
     CONTROL "fashion-reslayer/load",
     JSON,
     .changes = true,
     .before = CONTROL "fashion-reslayer/unload"},
    {.name = KIND_RELOAD, "HUP", "", "", .changes = true},
};
const size_t kind_count = sizeof kind_list / sizeof *kind_list;

/* ---- bodies ---------------------------------------------------------------------------------- */

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "fault: %s\n", what);
    exit(EXIT_FAILURE);
}

static void *room(size_t size)
{
    void *memory = calloc(1, size);
    if (!memory) die("no memory");
    return memory;
}

static struct kind *kind_named(const char *name)
{
    for (size_t i = 0; i < kind_count; i++)
        if (!strcmp(kind_list[i].name, name)) return &kind_list[i];
    die(name);
}

/* Appends to the body of the kind. */
static void add(const char *name, const void *bytes, size_t size)
{
    struct kind *kind = kind_named(name);
    if (!kind->body) kind->body = room(ROOM);
    if (size > ROOM - kind->size) die("a body is too long");
    memcpy(kind->body + kind->size, bytes, size);
    kind->size += size;
}

static void add_text(const char *name, const char *text)
{
    add(name, text, strlen(text));
}

static void add_file(const char *name, const char *path)
{
    char bytes[ROOM];
    FILE *file = fopen(path, "rb");
    if (!file) die(path);
    add(name, bytes, fread(bytes, 1, sizeof bytes, file));
    fclose(file);
}

static float pixel(size_t i)
{
    return (float)(i % 23) / 22;
}

static void make_json(const char *numbers)
{
    char long_text[600];
    memset(long_text, 'x', sizeof long_text);
    long_text[sizeof long_text - 1] = '\0';
    add_text("flat JSON", "{\"input\":[");
    add_text("flat JSON", numbers);
    add_text("flat JSON", "],\"shape\":[1,1,28,28],\"top_k\":4}");
    static const char *const v2[] = {"V2 JSON", "V2 JSON, long strings", "V2 classification"};
    for (size_t i = 0; i < 3; i++) {
        add_text(v2[i], "{\"id\":\"a7\",\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\","
                        "\"shape\":[1,1,28,28],\"data\":[");
        add_text(v2[i], numbers);
        add_text(v2[i], "]}],\"outputs\":[{\"name\":\"output\"");
    }
    add_text("V2 JSON", "}]}");
    add_text("V2 JSON, long strings",
             ",\"parameters\":{\"classification\":3,\"binary_data\":false}}],"
             "\"parameters\":{\"binary_data_output\":false},\"");
    add_text("V2 JSON, long strings", long_text); /* a key that nobody knows */
    add_text("V2 JSON, long strings", "\":\"");
    add_text("V2 JSON, long strings", long_text);
    add_text("V2 JSON, long strings", "\"}");
    add_text("V2 classification", ",\"parameters\":{\"classification\":3}}]}");
    add_text("V1 inputs", "{\"inputs\":[[[");
    add_text("V1 instances", "{\"instances\":[[[");
    static const char *const v1[] = {"V1 instances", "V1 inputs"};
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < PIXELS; i++) {
            char number[32];
            snprintf(number, sizeof number,
                     i % 28 ? ",%.9g"
                     : i    ? "],[%.9g"
                            : "[%.9g",
                     (double)pixel(i));
            add_text(v1[k], number);
        }
    add_text("V1 instances", "]]]]}");
    add_text("V1 inputs", "]]]]}");
    add_text("bad JSON", "{\"input\":[1,");
    add_text("a wrong shape", "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\","
                              "\"shape\":[1,2],\"data\":[1,2]}]}");
    add_text("index", "{\"ready\":true}");
}

static void make_binary(const float *image)
{
    static char head[1024];
    static const char *const v2[] = {"V2 binary", "V2 classification, binary"};
    static char headers[2][100];
    static const char *const output[] = {
        "\"parameters\":{\"binary_data\":true}",
        "\"parameters\":{\"binary_data\":true,\"classification\":2}"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(head, sizeof head,
                 "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":[1,1,28,28],"
                 "\"parameters\":{\"binary_data_size\":%zu}}],"
                 "\"outputs\":[{\"name\":\"output\",%s}]}",
                 (size_t)FLOATS, output[i]);
        snprintf(headers[i], sizeof headers[i], RAW "Inference-Header-Content-Length: %zu\r\n",
                 strlen(head));
        kind_named(v2[i])->headers = headers[i];
        add_text(v2[i], head);
        add(v2[i], image, FLOATS);
    }
    char npy[128] = "\x93NUMPY\x01\0v\0"
                    "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 28, 28), }";
    memset(npy + 10 + strlen(npy + 10), ' ', sizeof npy - 10 - strlen(npy + 10));
    npy[sizeof npy - 1] = '\n';
    add("npy", npy, sizeof npy);
    add("npy", image, FLOATS);
}

static void make_gzip(const char *name, const char *numbers)
{
    static char plain[NUMBERS + 100], packed[NUMBERS + 100];
    const int length =
        snprintf(plain, sizeof plain, "{\"input\":[%s],\"shape\":[1,1,28,28]}", numbers);
    z_stream stream = {.next_in = (Bytef *)plain,
                       .avail_in = (uInt)length,
                       .next_out = (Bytef *)packed,
                       .avail_out = sizeof packed};
    if (deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
        deflate(&stream, Z_FINISH) != Z_STREAM_END)
        die("zlib");
    add(name, packed, stream.total_out);
    deflateEnd(&stream);
}

static void make_pictures(void)
{
    add_text("multipart form",
             "--XbX\r\nContent-Disposition: form-data; name=\"data\"; filename=\"a.jpg\"\r\n\r\n");
    add_file("multipart form", PICTURES "color-422.jpg");
    add_text("multipart form", "\r\n--XbX--\r\n");
    add_file("a damaged PNG", PICTURES "color.png");
    struct kind *damaged = kind_named("a damaged PNG");
    damaged->body[damaged->size / 2] ^= 0x55;
}

void kinds_make(void)
{
    static char numbers[NUMBERS];
    float image[2 * PIXELS];
    size_t used = 0;
    for (size_t i = 0; i < 2 * PIXELS; i++) image[i] = pixel(i % PIXELS);
    for (size_t i = 0; i < PIXELS; i++)
        used += (size_t)snprintf(numbers + used, sizeof numbers - used, i ? ",%.9g" : "%.9g",
                                 (double)pixel(i));
    for (size_t i = 0; i < kind_count; i++) {
        struct kind *kind = &kind_list[i];
        const size_t size = kind->size;
        kind->size = 0;
        if (size) add(kind->name, image, size);
        if (kind->file) add_file(kind->name, kind->file);
    }
    make_json(numbers);
    make_binary(image);
    make_gzip("JSON in gzip", numbers);
    make_pictures();
}

/* ---- answers --------------------------------------------------------------------------------- */

struct response kind_ask(const struct kind *kind, int fd)
{
    client_send_request(fd, kind->method, kind->target, kind->headers, kind->body ? kind->body : "",
                        kind->size);
    return client_receive(fd);
}

static bool same_header(const struct response *a, const struct response *b, const char *name)
{
    char left[200] = "", right[200] = "";
    response_header(a, name, left, sizeof left);
    response_header(b, name, right, sizeof right);
    return !strcmp(left, right);
}

/* Skips a number: "-1.5e+03". */
static const char *skip_number(const char *at)
{
    while (isdigit((unsigned char)*at) || (*at && strchr("+-.e", *at))) at++;
    return at;
}

static bool same_but_numbers(const char *a, const char *b)
{
    while (*a && *b) {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            a = skip_number(a);
            b = skip_number(b);
        } else if (*a++ != *b++) {
            return false;
        }
    }
    return *a == *b;
}

static bool same_body(const struct kind *kind, const struct response *a, const struct response *b)
{
    switch (kind->same) {
    case SAME_BYTES: return a->size == b->size && !memcmp(a->body, b->body, a->size);
    case SAME_BUT_NUMBERS: return same_but_numbers(a->body, b->body);
    case SAME_BEGINNING:
        return a->size > 1000 && a->body[a->size - 1] == '\n' &&
               !strncmp(a->body, b->body, strcspn(b->body, "\n"));
    }
    return false;
}

bool kind_same(const struct kind *kind, const struct response *answer, const struct response *right,
               const struct response *plain)
{
    const bool packed = same_header(answer, right, "Content-Encoding");
    const struct response *want = packed ? right : plain;
    static const char *const headers[] = {"Content-Type",   "Content-Encoding",
                                          "X-Model-Digest", "Inference-Header-Content-Length",
                                          "Vary",           "Allow"};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (!same_header(answer, want, headers[i])) return false;
    char id[100];
    return answer->status == want->status && same_body(kind, answer, want) &&
           response_header(answer, "X-Request-Id", id, sizeof id);
}
