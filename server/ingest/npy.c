#include "ingest/npy.h"

#include <string.h>

static const struct {
    const char *descr;
    size_t bytes;
} types[] = {[NPY_F4] = {"<f4", 4}, [NPY_F8] = {"<f8", 8}, [NPY_U1] = {"|u1", 1}};

/* The header's text: a Python dict of three known keys, read token by token. */
struct text {
    const char *at, *end;
};

static void skip_space(struct text *text)
{
    while (text->at < text->end && (*text->at == ' ' || *text->at == '\n')) text->at++;
}

/* Takes `word` if it comes next, with the spaces in front of it. */
static bool take(struct text *text, const char *word)
{
    const size_t length = strlen(word);
    skip_space(text);
    if ((size_t)(text->end - text->at) < length || memcmp(text->at, word, length)) return false;
    text->at += length;
    return true;
}

static bool take_size(struct text *text, size_t *out)
{
    bool digits = false;
    *out = 0;
    skip_space(text);
    for (; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++) {
        if (__builtin_mul_overflow(*out, (size_t)10, out) ||
            __builtin_add_overflow(*out, (size_t)(*text->at - '0'), out))
            return false;
        digits = true;
    }
    return digits;
}

static const char *take_descr(struct text *text, struct npy *npy)
{
    const bool quote = take(text, "'");
    for (size_t i = 0; quote && i < sizeof types / sizeof *types; i++) {
        if (!take(text, types[i].descr)) continue;
        npy->type = (enum npy_type)i;
        return take(text, "'") ? NULL : "descr is no type that is known";
    }
    return "descr must be '<f4', '<f8' or '|u1'";
}

static const char *take_shape(struct text *text, struct npy *npy)
{
    if (!take(text, "(")) return "shape must be a tuple";
    npy->count = 1;
    for (npy->rank = 0; !take(text, ")"); npy->rank++) {
        if (npy->rank == NPY_MAX_RANK) return "shape has more than 8 dimensions";
        size_t *size = &npy->shape[npy->rank];
        if (!take_size(text, size)) return "shape must hold whole numbers";
        if (__builtin_mul_overflow(npy->count, *size, &npy->count)) return "shape is too large";
        if (!take(text, ",") && !(text->at < text->end && *text->at == ')'))
            return "shape must hold whole numbers";
    }
    return NULL;
}

static const char *take_dict(struct text *text, struct npy *npy)
{
    unsigned seen = 0; /* a bit for each key */
    if (!take(text, "{")) return "the header is no dict";
    while (!take(text, "}")) {
        const char *wrong = NULL;
        if (take(text, "'descr':")) {
            seen |= 1;
            wrong = take_descr(text, npy);
        } else if (take(text, "'fortran_order':")) {
            seen |= 2;
            wrong = take(text, "False") ? NULL : "only C order (fortran_order False) is read";
        } else if (take(text, "'shape':")) {
            seen |= 4;
            wrong = take_shape(text, npy);
        } else {
            wrong = "the header has an unknown key";
        }
        if (wrong) return wrong;
        take(text, ",");
    }
    return seen == 7 ? NULL : "the header needs descr, fortran_order and shape";
}

bool npy_probe(const void *bytes, size_t size)
{
    return size >= sizeof NPY_MAGIC - 1 && !memcmp(bytes, NPY_MAGIC, sizeof NPY_MAGIC - 1);
}

const char *npy_read(struct npy *npy, const void *bytes, size_t size)
{
    const uint8_t *b = bytes;
    *npy = (struct npy){0};
    if (!npy_probe(bytes, size) || size < 12) return "not a .npy file";
    if (b[6] < 1 || b[6] > 3) return "unknown .npy version";
    const size_t fixed = b[6] == 1 ? 10 : 12;
    size_t length = (size_t)b[8] | (size_t)b[9] << 8;
    if (b[6] > 1) length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    if (length > size - fixed) return "the header is cut off";

    struct text text = {(const char *)b + fixed, (const char *)b + fixed + length};
    const char *wrong = take_dict(&text, npy);
    if (wrong) return wrong;
    size_t needed;
    if (__builtin_mul_overflow(npy->count, types[npy->type].bytes, &needed) ||
        needed != size - fixed - length)
        return "shape and size of the data don't agree";
    npy->data = b + fixed + length;
    return NULL;
}

void npy_floats(const struct npy *npy, float *out)
{
    if (npy->type == NPY_F4) {
        memcpy(out, npy->data, npy->count * sizeof *out);
        return;
    }
    for (size_t i = 0; i < npy->count; i++) {
        double wide = npy->data[i * types[npy->type].bytes];
        if (npy->type == NPY_F8) memcpy(&wide, npy->data + i * sizeof wide, sizeof wide);
        out[i] = (float)wide;
    }
}
