/* What a form of the body provides to ingest.c: inside server/ingest/ only. */
#ifndef SERVER_INGEST_FORM_H
#define SERVER_INGEST_FORM_H

#include "ingest.h"

struct inflater;

struct ingest {
    struct inflater *inflater; /* NULL: the body is not compressed */
    const struct ingest_form_ops *ops;
    struct ingest_spec spec;
    struct ingest_error error;
    struct ingest_result result;
    void *state; /* the form's own */
};

struct ingest_form_ops {
    bool (*begin)(struct ingest *ingest);
    bool (*feed)(struct ingest *ingest, const void *bytes, size_t size);
    bool (*finish)(struct ingest *ingest);
    void (*release)(struct ingest *ingest);
};

extern const struct ingest_form_ops ingest_infer_json, ingest_v2, ingest_v1, ingest_binary,
    ingest_npy, ingest_image;

/* Both fill the error and return false. */
bool ingest_fail(struct ingest *ingest, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool ingest_fail_memory(struct ingest *ingest);

/* Room for `count` floats in the result's tensor, what is there kept; false: no memory. */
bool ingest_reserve(struct ingest *ingest, size_t *capacity, size_t count);

/* "[16, 3, 224, 224]" */
void ingest_shape_text(const struct tensor *tensor, char text[], size_t size);

#endif
