/* What the targets of request bodies share: a body whole and in pieces gives the same floats, shape
 * and parameters, or the same error. The first bytes of the input say how long the pieces are. */
#ifndef TESTS_FUZZ_INGEST_TARGET_H
#define TESTS_FUZZ_INGEST_TARGET_H

#include <stdlib.h>
#include <string.h>

#include "ingest/ingest.h"

enum { PIECE_SIZES = 4 };

static inline struct ingest *start_ingest(const struct ingest_spec *spec)
{
    struct ingest *ingest = ingest_new(spec);
    if (!ingest) abort();
    return ingest;
}

/* Feeds a piece in memory of exactly its size. */
static inline bool feed_piece(struct ingest *ingest, const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) abort();
    memcpy(copy, bytes, size);
    const bool good = ingest_feed(ingest, copy, size);
    free(copy);
    return good;
}

static inline void compare_results(const struct ingest_result *a, const struct ingest_result *b)
{
    const struct tensor *x = &a->tensor, *y = &b->tensor;
    if (x->rank != y->rank || x->count != y->count || x->rank > INGEST_MAX_RANK ||
        memcmp(x->dim, y->dim, x->rank * sizeof *x->dim) != 0 ||
        (x->count && memcmp(x->data, y->data, x->count * sizeof(float)) != 0) ||
        strcmp(a->id, b->id) != 0 || strcmp(a->model, b->model) != 0 || a->top_k != b->top_k ||
        a->timeout_us != b->timeout_us || a->protocol != b->protocol ||
        memcmp(&a->v2, &b->v2, sizeof a->v2) != 0)
        abort();
}

/* bytes: the sizes of pieces, then the body. */
static inline int compare_whole_and_pieces(const struct ingest_spec *spec, const uint8_t *bytes,
                                           size_t size)
{
    if (size < PIECE_SIZES) return 0;
    const uint8_t *body = bytes + PIECE_SIZES;
    size -= PIECE_SIZES;
    struct ingest *whole = start_ingest(spec), *pieces = start_ingest(spec);
    feed_piece(whole, body, size);
    for (size_t at = 0, i = 0; at < size; i++) {
        const size_t want = bytes[i % PIECE_SIZES] + (i % PIECE_SIZES == 0);
        const size_t piece = want < size - at ? want : size - at;
        if (!feed_piece(pieces, body + at, piece)) break;
        at += piece;
    }
    const struct ingest_result *a = ingest_finish(whole), *b = ingest_finish(pieces);
    const struct ingest_error *error = ingest_error(whole);
    if (!a != !b || strcmp(error->text, ingest_error(pieces)->text) != 0) abort();
    if (!a != (error->status != 0)) abort();
    if (a) compare_results(a, b);
    ingest_free(whole);
    ingest_free(pieces);
    return 0;
}

#endif
