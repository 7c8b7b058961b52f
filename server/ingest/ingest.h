/* A request's body to a tensor: bytes in, floats out.
 *
 * The body is fed as it arrives, in pieces of any size. The first mistake ends it: later pieces are
 * ignored, and the error says where in the body it is. One thread at a time. */
#ifndef SERVER_INGEST_H
#define SERVER_INGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ingest/inflate.h"

enum ingest_form {
    INGEST_JSON, /* {"input": nested} or {"input": flat, "shape": [...]} and parameters */
    INGEST_RAW,  /* little-endian float32, whole samples */
};

enum {
    INGEST_MAX_RANK = 8,
    INGEST_NAME_SIZE = 65,
    INGEST_ID_SIZE = 129,
};

struct ingest_spec {
    enum ingest_form form;
    enum coding coding; /* of the bytes that are fed */
    size_t max_size;    /* bytes of the body once it is unpacked; matters with a coding only */
    size_t body_size;   /* bytes to come, as far as known: room is made for them; 0: not known */
    size_t sample_size; /* floats of one sample */
    size_t max_floats;  /* the first one beyond ends the body with 413 */
};

struct ingest_error {
    unsigned status; /* an HTTP status: 400, 413, or 500 when memory is short */
    char text[240];
};

/* Floats in row-major order, in memory aligned to 64 bytes. */
struct tensor {
    float *data;
    size_t count, rank, dim[INGEST_MAX_RANK]; /* INGEST_RAW: rank 2, [samples, sample_size] */
};

struct ingest_result {
    struct tensor tensor;         /* belongs to the ingest */
    char model[INGEST_NAME_SIZE]; /* "": not named */
    char id[INGEST_ID_SIZE];      /* "": none */
    bool has_top_k, has_timeout;
    size_t top_k;
    uint64_t timeout_ms;
};

struct ingest;

/* NULL: no memory. */
struct ingest *ingest_new(const struct ingest_spec *spec);
/* False once there is an error. */
bool ingest_feed(struct ingest *ingest, const void *bytes, size_t size);
/* After the last piece. The result points into the ingest; NULL: see ingest_error(). */
const struct ingest_result *ingest_finish(struct ingest *ingest);
const struct ingest_error *ingest_error(const struct ingest *ingest);
void ingest_free(struct ingest *ingest);

/* The checks that parameters share wherever they stand: JSON or query. */
enum { INGEST_MAX_TOP_K = 1000000, INGEST_MAX_TIMEOUT_MS = 86400000 };

#endif
