#include "golden/golden_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden/derive.h"

#define MAX_RANK 4

static bool fail(rn_error *err, const char *what)
{
    snprintf(err->text, sizeof err->text, "%s", what);
    return false;
}

/* ---- derived weights as a safetensors file --------------------------------------------------- */

typedef struct {
    const char *name;
    size_t rank, shape[MAX_RANK], elements;
} tensor;

static bool read_tensor(tensor *t, const rn_json *shape)
{
    t->rank = rn_json_count(shape);
    t->elements = 1;
    if (t->rank > MAX_RANK) return false;
    for (size_t i = 0; i < t->rank; i++) {
        if (!rn_json_size(rn_json_at(shape, i), &t->shape[i])) return false;
        t->elements *= t->shape[i];
    }
    return true;
}

static void write_entry(FILE *file, const tensor *t, size_t begin, bool first)
{
    fprintf(file, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[", first ? "" : ",", t->name);
    for (size_t i = 0; i < t->rank; i++) fprintf(file, i ? ",%zu" : "%zu", t->shape[i]);
    fprintf(file, "],\"data_offsets\":[%zu,%zu]}", begin * 4, (begin + t->elements) * 4);
}

/* The header alone, a multiple of 8 bytes so that the numbers behind it are aligned. */
static char *write_header(const rn_json *tensors, size_t *size, size_t *elements)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, size);
    tensor t;
    const rn_json *shape;
    *elements = 0;
    fputc('{', file);
    for (void *at = NULL; (at = rn_json_next(tensors, at, &t.name, &shape));) {
        if (!read_tensor(&t, shape)) break;
        write_entry(file, &t, *elements, *elements == 0);
        *elements += t.elements;
    }
    fputc('}', file);
    while (ftell(file) % 8) fputc(' ', file);
    fclose(file);
    return text;
}

static void *derive_file(const rn_json *tensors, double gain, size_t *size)
{
    size_t header, elements;
    char *text = write_header(tensors, &header, &elements);
    *size = 8 + header + elements * sizeof(float);
    uint8_t *bytes = malloc(*size);
    const uint64_t length = header; /* little-endian, as the machines that run this */
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, text, header);
    float *out = (float *)(void *)(bytes + 8 + header);
    tensor t;
    const rn_json *shape;
    for (void *at = NULL; (at = rn_json_next(tensors, at, &t.name, &shape));) {
        if (!read_tensor(&t, shape)) break;
        derive_tensor(t.name, t.shape, t.rank, gain, out);
        out += t.elements;
    }
    free(text);
    return bytes;
}

/* ---- opening --------------------------------------------------------------------------------- */

static char *read_text(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    if (!file) return NULL;
    if (fseek(file, 0, SEEK_END) == 0 && ftell(file) >= 0) {
        *size = (size_t)ftell(file);
        rewind(file);
        text = malloc(*size + 1);
        *size = fread(text, 1, *size, file);
    }
    fclose(file);
    return text;
}

/* The text of the case's own "config", found in the file: the parser has no writer. */
static const char *config_text(const char *text, size_t *size)
{
    static const char key[] = "\"config\":";
    const char *begin = strstr(text, key), *at;
    if (!begin) return NULL;
    begin += sizeof key - 1;
    size_t depth = 0;
    for (at = begin; *at; at++) {
        if (*at == '{') depth++;
        if (*at == '}' && --depth == 0) break;
    }
    *size = (size_t)(at + 1 - begin);
    return begin;
}

static bool load_model(golden_case *c, const char *text, const size_t input[3], rn_error *err)
{
    double gain = 1;
    size_t size;
    rn_model_options opt = {.input_height = input[1], .input_width = input[2]};
    const char *stored = rn_json_string(rn_json_get(c->json, "model"));
    rn_json_number(rn_json_get(c->json, "gain"), &gain);
    if (stored) {
        char path[1024];
        const char *slash = strrchr(c->path, '/');
        snprintf(path, sizeof path, "%.*s%s", slash ? (int)(slash + 1 - c->path) : 0, c->path,
                 stored);
        return rn_model_load(&c->model, path, &opt, err) == RN_OK;
    }
    opt.config = config_text(text, &opt.config_size);
    c->weights = derive_file(rn_json_get(c->json, "tensors"), gain, &size);
    return rn_model_load_memory(&c->model, c->weights, size, &opt, err) == RN_OK;
}

/* What PyTorch refuses has to be refused here, as a network that can't be served. */
static bool expect_refusal(golden_case *c, bool loaded, rn_error *err)
{
    if (loaded) return fail(err, "loaded, but PyTorch refuses it");
    c->refused = err->status == RN_ERR_FORMAT;
    return c->refused;
}

/* The answer's shape must be PyTorch's: "output" is N, then the model's output. */
static bool check_shapes(golden_case *c, const size_t input[3], rn_error *err)
{
    const rn_model_info *info = rn_model_info_of(c->model);
    const rn_json *output = rn_json_get(c->json, "output");
    if (memcmp(info->input, input, sizeof info->input) != 0)
        return fail(err, "another input shape");
    if (rn_json_count(output) != info->output_rank + 1 ||
        !rn_json_size(rn_json_at(output, 0), &c->batch))
        return fail(err, "another output rank");
    for (size_t i = 0; i < info->output_rank; i++) {
        size_t expected;
        if (!rn_json_size(rn_json_at(output, i + 1), &expected) || expected != info->output[i])
            return fail(err, "another output shape");
    }
    return true;
}

static bool read_expected(golden_case *c, rn_error *err)
{
    const rn_model_info *info = rn_model_info_of(c->model);
    const rn_json *expected = rn_json_get(c->json, "expected");
    const size_t count = c->batch * info->output_size;
    if (count == 0 || rn_json_count(expected) != count)
        return fail(err, "\"expected\" has not the numbers of \"output\"");
    c->expected = malloc(count * sizeof(float));
    c->images = malloc(c->batch * info->input_size * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        double number = 0;
        if (!rn_json_number(rn_json_at(expected, i), &number)) return fail(err, "no number");
        c->expected[i] = (float)number;
    }
    derive_images(c->batch * info->input_size, c->images);
    return true;
}

bool golden_open(golden_case *c, const char *path, rn_error *err)
{
    size_t size, input[3] = {0};
    *c = (golden_case){.path = path};
    char *text = read_text(path, &size);
    if (!text) return fail(err, "can't be read");
    text[size] = '\0';
    bool ok = rn_json_parse(&c->document, text, size, "case", err) == RN_OK;
    c->json = rn_json_root(c->document);
    for (size_t i = 0; ok && i < 3; i++)
        ok = rn_json_size(rn_json_at(rn_json_get(c->json, "input"), i), &input[i]) ||
             fail(err, "\"input\" is no shape");
    const bool loaded = ok && load_model(c, text, input, err);
    free(text);
    if (ok && rn_json_get(c->json, "refused")) return expect_refusal(c, loaded, err);
    return loaded && check_shapes(c, input, err) && read_expected(c, err);
}

/* ---- comparing ------------------------------------------------------------------------------- */

static double largest_difference(const float *have, const float *want, size_t count, double scale)
{
    double worst = 0;
    for (size_t i = 0; i < count; i++) {
        const double difference = fabs((double)have[i] - (double)want[i]);
        if (!(difference <= worst)) worst = isnan(difference) ? HUGE_VAL : difference;
    }
    return worst / scale;
}

bool golden_compare(const golden_case *c, size_t n, size_t threads, double *worst, rn_error *err)
{
    const size_t count = rn_model_info_of(c->model)->output_size;
    double scale = 0;
    for (size_t i = 0; i < c->batch * count; i++) scale = fmax(scale, fabs((double)c->expected[i]));
    if (!(scale > 0) || !isfinite(scale)) return fail(err, "the expected answer says nothing");

    const rn_session_options opt = {.threads = threads};
    rn_session *session;
    float *outputs = calloc(n * count, sizeof *outputs);
    bool ok = rn_session_new(&session, c->model, &opt, err) == RN_OK;
    if (ok) {
        ok = rn_session_run(session, c->images, n, outputs, err) == RN_OK;
        rn_session_free(session);
    }
    if (ok) *worst = largest_difference(outputs, c->expected, n * count, scale);
    free(outputs);
    return ok;
}

void golden_close(golden_case *c)
{
    rn_model_release(c->model);
    rn_json_free(c->document);
    free(c->weights);
    free(c->images);
    free(c->expected);
}
