/* What a form of the body provides to ingest.c: inside server/ingest/ only. */
#ifndef SERVER_INGEST_FORM_H
#define SERVER_INGEST_FORM_H

#include "ingest.h"

struct inflater;

struct ingest {
    struct inflater *inflater; /* NULL: the body is not compressed */
    const struct ingest_form_ops *ops;
    struct ingest_spec spec;
    size_t size; /* of the body so far, unpacked */
    bool ended;  /* the body is whole */
    struct ingest_error error;
    struct ingest_result result;
    void *state; /* the form's own */
};

struct ingest_form_ops {
    bool (*begin)(struct ingest *ingest);
    bool (*feed)(struct ingest *ingest, const void *bytes, size_t size);
    bool (*end)(struct ingest *ingest); /* NULL: nothing is known before `finish` */
    bool (*finish)(struct ingest *ingest);
    void (*release)(struct ingest *ingest);
};

/* A form that says nothing until it is whole: the bytes are collected, then `read` makes the tensor
 * of them. It knows nothing but its arguments: any thread. */
struct whole_body {
    const char *bytes;
    size_t size;
    const struct ingest_spec *spec;
};
typedef bool (*ingest_read)(const struct whole_body *body, struct tensor *tensor,
                            struct ingest_error *error);

/* One picture to channels x height x width floats, as the spec's recipe says. */
bool ingest_read_image(const struct whole_body *body, float *chw, struct ingest_error *error);

/* The operations of such a form. */
bool ingest_whole_begin(struct ingest *ingest, ingest_read read);
bool ingest_whole_feed(struct ingest *ingest, const void *bytes, size_t size);
bool ingest_whole_finish(struct ingest *ingest);
void ingest_whole_release(struct ingest *ingest);

extern const struct ingest_form_ops ingest_infer_json, ingest_v2, ingest_v1, ingest_binary,
    ingest_npy, ingest_image, ingest_multipart;

/* They fill the error and return false. */
bool ingest_fail(struct ingest *ingest, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool ingest_fail_memory(struct ingest *ingest);
bool ingest_error_set(struct ingest_error *error, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool ingest_error_memory(struct ingest_error *error);
/* The body has more numbers than spec.max_floats, which is `most`. */
bool ingest_error_too_many(struct ingest_error *error, size_t most);

/* Says what the dimensions of the result's tensor are, and where in the body it stood. */
void ingest_set_layout(struct ingest *ingest, enum ingest_layout layout, const char *place);

/* Room for `count` floats in the result's tensor, what is there kept; false: no memory. */
bool ingest_reserve(struct ingest *ingest, size_t *capacity, size_t count);
/* The same for a tensor alone. */
bool tensor_reserve(struct tensor *tensor, size_t *capacity, size_t count);

/* "[16,3,224,224]" */
void ingest_shape_text(const struct tensor *tensor, char text[], size_t size);

#endif
