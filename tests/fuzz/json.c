/* Any bytes as the JSON body of POST /infer, whole and in pieces: both give the same floats, shape
 * and parameters, or the same error. The first bytes say how long the pieces are. */
#include <stdlib.h>
#include <string.h>

#include "ingest/ingest.h"

enum { SIZES = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct ingest *start(size_t size)
{
    const struct ingest_spec spec = {
        .form = INGEST_JSON, .body_size = size, .sample_size = 4, .max_floats = 5000};
    struct ingest *ingest = ingest_new(&spec);
    if (!ingest) abort();
    return ingest;
}

/* Feeds a piece in memory of exactly its size. */
static bool feed(struct ingest *ingest, const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) abort();
    memcpy(copy, bytes, size);
    const bool good = ingest_feed(ingest, copy, size);
    free(copy);
    return good;
}

static void compare(const struct ingest_result *a, const struct ingest_result *b)
{
    if (a->tensor.rank != b->tensor.rank || a->tensor.count != b->tensor.count ||
        memcmp(a->tensor.dim, b->tensor.dim, a->tensor.rank * sizeof *a->tensor.dim) != 0 ||
        memcmp(a->tensor.data, b->tensor.data, a->tensor.count * sizeof(float)) != 0 ||
        strcmp(a->id, b->id) != 0 || strcmp(a->model, b->model) != 0 || a->top_k != b->top_k ||
        a->timeout_ms != b->timeout_ms)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < SIZES) return 0;
    const uint8_t *text = bytes + SIZES;
    size -= SIZES;
    struct ingest *whole = start(size), *pieces = start(size);
    feed(whole, text, size);
    for (size_t at = 0, i = 0; at < size; i++) {
        const size_t want = bytes[i % SIZES] + (i % SIZES == 0);
        const size_t piece = want < size - at ? want : size - at;
        if (!feed(pieces, text + at, piece)) break;
        at += piece;
    }
    const struct ingest_result *a = ingest_finish(whole), *b = ingest_finish(pieces);
    if (!a != !b || strcmp(ingest_error(whole)->text, ingest_error(pieces)->text) != 0) abort();
    if (a) compare(a, b);
    ingest_free(whole);
    ingest_free(pieces);
    return 0;
}
