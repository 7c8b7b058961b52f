/* Named tensors: what every weights format becomes before the architecture is inferred.
 *
 * The set owns the file's mapping and every converted copy. Built by one thread; after that
 * read-only but for the `used` marks. */
#ifndef RN_FORMATS_TENSORS_H
#define RN_FORMATS_TENSORS_H

#include "base/file.h"
#include "graph/constant.h"
#include "resnet.h"

#define RN_MAX_RANK 8

typedef enum { RN_F32, RN_F16, RN_BF16, RN_F64, RN_I64, RN_DTYPES } rn_dtype;

typedef struct {
    char *name; /* as the file has it; owned by the set */
    rn_dtype dtype;
    size_t rank;
    size_t shape[RN_MAX_RANK];
    size_t stride[RN_MAX_RANK]; /* in elements; row-major unless a format says otherwise */
    const uint8_t *data;        /* little-endian elements, of any alignment */
    bool used;                  /* the network has taken it: rn_tensors_check_used() */
    float *floats;              /* the converted copy, or NULL; owned by the set */
} rn_tensor;

/* A file beside the weights file that holds a part of its tensors. */
typedef struct {
    char *name; /* as the weights file calls it */
    rn_file file;
} rn_side_file;

typedef struct {
    rn_file file; /* unmapped by rn_tensors_release(), as are the side files */
    rn_side_file *side;
    size_t sides, side_capacity;
    rn_tensor *tensor;
    size_t count, capacity;
    const char *format; /* "safetensors", ... : a constant */
    const char *part;   /* of a checkpoint: the key that the tensors stood under; else NULL */
    /* What a format parsed the file into when tensors point into it, else NULL. Owned. */
    void *document;
    void (*document_free)(void *document);
} rn_tensors;

size_t rn_dtype_bytes(rn_dtype dtype);
const char *rn_dtype_name(rn_dtype dtype); /* "F32" */

/* Sets the strides of a row-major tensor from its rank and shape. */
void rn_tensor_row_major(rn_tensor *tensor);

/* Appends a copy of *tensor (dtype, rank, shape, stride and data are read) under that name, which
 * is copied. `bytes` is what lies at data: every element must lie inside, and elements may not be
 * more than those bytes hold, so that conversion takes no more memory than a file is large. */
rn_status rn_tensors_add(rn_tensors *set, const char *name, size_t name_size,
                         const rn_tensor *tensor, size_t bytes, rn_error *err);

/* The file of that name beneath `folder`, mapped once; NULL with *err filled when the name would
 * leave the folder, when it can't be mapped, or when there is no folder (folder NULL). The pointer
 * holds until the next call. */
const rn_file *rn_tensors_side_file(rn_tensors *set, const char *folder, const char *name,
                                    rn_error *err);

/* Bytes of all files of the set. */
size_t rn_tensors_bytes(const rn_tensors *set);

/* Sorts by name; rn_tensors_find() needs it. Refuses a name that stands twice. */
rn_status rn_tensors_sort(rn_tensors *set, rn_error *err);

/* NULL when there is none of that name. */
rn_tensor *rn_tensors_find(const rn_tensors *set, const char *name);

size_t rn_tensor_elements(const rn_tensor *tensor);

/* The elements as float32 in row-major order: in place where the file allows it (F32, aligned,
 * contiguous), otherwise converted once into memory of the set. Marks the tensor as used. */
const float *rn_tensor_floats(rn_tensor *tensor, rn_error *err);

/* The same for a graph node. False with *err filled. */
bool rn_tensor_constant(rn_tensor *tensor, rn_constant *out, rn_error *err);

/* The same as a copy that the caller may change: everybody sees it from then on. */
float *rn_tensor_own(rn_tensor *tensor, rn_error *err);

/* Makes the converted copy now if rn_tensor_floats() will need one and there is memory. Threads may
 * do so for different tensors at once. */
void rn_tensor_prepare(rn_tensor *tensor);

/* RN_ERR_FORMAT naming the first tensor that no layer took. Integer tensors of rank 0
 * (num_batches_tracked) don't count. */
rn_status rn_tensors_check_used(const rn_tensors *set, rn_error *err);

/* "64x3x7x7" (or "scalar") into text, cut to size. Returns text. */
char *rn_shape_text(const size_t *shape, size_t rank, char *text, size_t size);

void rn_tensors_release(rn_tensors *set);

#endif
