/* A request's body to a tensor: bytes in, floats out.
 *
 * The body is fed as it arrives, in pieces of any size. The first mistake ends it: later pieces are
 * ignored, and the error says where in the body it is. One thread at a time, not always the same.
 */
#ifndef SERVER_INGEST_H
#define SERVER_INGEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ingest/image.h"
#include "ingest/inflate.h"
#include "ingest/multipart.h"

enum ingest_form {
    INGEST_JSON, /* of POST /infer: {"input": nested}, or flat with "shape", and parameters; or what
                    INGEST_V2 takes; or {"instances": ...} */
    INGEST_V2,   /* Open Inference Protocol, JSON and its binary tensor extension */
    INGEST_V1,   /* TF Serving: {"instances": ...} or {"inputs": ...} */
    INGEST_NPY,  /* a .npy file */
    INGEST_IMAGE,     /* a JPEG or PNG file */
    INGEST_MULTIPART, /* a multipart form: pictures or one tensor, and parameters */
    INGEST_RAW,       /* little-endian float32, whole samples */
};

enum {
    INGEST_MAX_RANK = 8,
    INGEST_NAME_SIZE = 65,
    INGEST_ID_SIZE = 129,
    INGEST_PLACE_SIZE = 120,
};

struct ingest_spec {
    enum ingest_form form;
    enum coding coding; /* of the bytes that are fed */
    size_t max_size;    /* bytes of the body once it is unpacked; matters with a coding only */
    size_t body_size;   /* bytes to come, as far as known: room is made for them; 0: not known */
    size_t json_size;   /* INGEST_V2: bytes of the JSON in front of the tensors; SIZE_MAX: all */
    size_t sample_size; /* floats of one sample */
    struct image_recipe recipe; /* INGEST_IMAGE, INGEST_MULTIPART, as the following */
    bool or_floats; /* INGEST_IMAGE: what is none, or of the size of whole samples, is INGEST_RAW */
    size_t max_pixels, max_bytes;           /* as in struct image_file */
    const atomic_bool *cancelled;           /* asked while a picture is decoded; NULL: never true */
    char boundary[MULTIPART_BOUNDARY_SIZE]; /* INGEST_MULTIPART */
    size_t max_floats;                      /* the first one beyond ends the body with 413 */
};

struct ingest_error {
    unsigned status; /* an HTTP status: 400, 413, 415, 422; failure_http(RN_ERR_MEMORY) */
    char text[240];
};

/* Floats in row-major order, in memory aligned to 64 bytes. */
struct tensor {
    float *data;
    size_t count, rank,
        dim[INGEST_MAX_RANK]; /* where nothing says them: rank 2, [samples, sample_size] */
};

/* What the dimensions of a tensor are, by the form that it came in. A model that takes C,H,W takes
 * no others: other dimensions are never another reading of the same numbers. */
enum ingest_layout {
    LAYOUT_BATCH, /* N,C,H,W */
    LAYOUT_ROWS,  /* the same as N rows: a message tells the shape of a row */
    LAYOUT_INPUT, /* N,C,H,W, or C,H,W of one sample; flat numbers could have had a shape */
    LAYOUT_ARRAY, /* as the last one, but that there is nothing beside the array */
    LAYOUT_FLAT,  /* N,C*H*W: the form has no dimensions of its own */
};

/* Which request it was: answers have its form. */
enum ingest_protocol { PROTOCOL_INFER, PROTOCOL_V2, PROTOCOL_V1_ROWS, PROTOCOL_V1_COLUMNS };

enum { INGEST_MAX_OUTPUTS = 4 };

/* What a request of the Open Inference Protocol says beside its tensor. */
struct ingest_v2 {
    char input[INGEST_NAME_SIZE]; /* the input's name; "": all of the body was its data */
    bool binary_output;           /* for outputs that don't say so themselves */
    size_t outputs;               /* asked for; 0: all */
    struct {
        char name[INGEST_NAME_SIZE];
        bool has_binary, binary;
        size_t classes; /* the classification extension's count; 0: the tensor */
    } output[INGEST_MAX_OUTPUTS];
};

struct ingest_result {
    enum ingest_protocol protocol;
    struct ingest_v2 v2;           /* PROTOCOL_V2 */
    struct tensor tensor;          /* belongs to the ingest */
    enum ingest_layout layout;     /* of the tensor */
    char place[INGEST_PLACE_SIZE]; /* of it in the body, for messages: "inputs[0]" */
    char model[INGEST_NAME_SIZE];  /* "": not named */
    char id[INGEST_ID_SIZE];       /* "": none */
    bool has_top_k, has_timeout, has_priority;
    size_t top_k;
    uint64_t timeout_us; /* V2 counts so, the others in ms */
    uint64_t priority;   /* 0: the default; 1: the highest */
};

struct ingest;

/* NULL: no memory. */
struct ingest *ingest_new(const struct ingest_spec *spec);
/* False once there is an error. */
bool ingest_feed(struct ingest *ingest, const void *bytes, size_t size);
/* Bytes of the body so far, unpacked. */
size_t ingest_size(const struct ingest *ingest);
/* What a file or a part is that nothing else tells about. JSON stands between braces; float32 data
 * that begins and ends with those bytes is very unlikely. */
enum ingest_form ingest_form_of(const char *bytes, size_t size);
/* After the last piece: what of the body counts before it is decoded, the parameters of a multipart
 * form. They may name another model, whose pictures and floats ingest_finish() is then to make.
 * NULL: see ingest_error(). */
const struct ingest_result *ingest_parameters(struct ingest *ingest);
void ingest_set_model(struct ingest *ingest, size_t sample_size, const struct image_recipe *recipe);
/* Bytes of the pictures that ingest_finish() will decode: milliseconds of work, which belong on a
 * thread that does not read from clients. 0: there is none. */
size_t ingest_to_decode(const struct ingest *ingest);
/* After the last piece; on any thread. The result points into the ingest; NULL: see ingest_error().
 */
const struct ingest_result *ingest_finish(struct ingest *ingest);
const struct ingest_error *ingest_error(const struct ingest *ingest);
void ingest_free(struct ingest *ingest);

/* The checks that parameters share wherever they stand: JSON or query. */
enum {
    INGEST_MAX_TOP_K = 1000000,
    INGEST_MAX_TIMEOUT_MS = 86400000,
    INGEST_MAX_PRIORITY = 1000000
};

#endif
