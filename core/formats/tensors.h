/* Named tensors: what every weights format becomes before the architecture is inferred.
 *
 * Most tensors stay in their file until the plan needs their numbers. The set owns the open files
 * and every copy. Built by one thread, which also sets the `used` marks; after that any thread may
 * read numbers. */
#ifndef RN_FORMATS_TENSORS_H
#define RN_FORMATS_TENSORS_H

#include "base/file.h"
#include "base/type.h"
#include "graph/constant.h"
#include "resnet.h"

#define RN_DTYPES RN_TYPES /* all of rn_type may stand in a weights file; weights are floats */

typedef rn_type rn_dtype;

typedef struct rn_tensor rn_tensor;
struct rn_tensor {
    rn_stored stored; /* first: rn_tensor_constant() hands its address out */
    char *name;       /* as the file has it; owned by the set */
    rn_dtype dtype;
    size_t rank;
    size_t shape[RN_MAX_RANK];
    size_t stride[RN_MAX_RANK]; /* in elements; row-major unless a format says otherwise */
    rn_file file;               /* where the elements are, little-endian, of any alignment: */
    size_t offset;              /* the byte where they begin; unless they are in memory: */
    const uint8_t *data;        /* there */
    /* What the network does to the numbers before it uses them, in place; NULL: nothing. */
    void (*transform)(const rn_tensor *tensor, float *floats);
    bool used;     /* the network has taken it: rn_tensors_check_used() */
    float *floats; /* a converted copy, or NULL; owned by the set */
};

/* A file beside the weights file that holds a part of its tensors. */
typedef struct {
    char *name; /* as the weights file calls it */
    rn_file file;
} rn_side_file;

typedef struct {
    rn_file file; /* closed by rn_tensors_release(), as are the side files */
    rn_side_file *side;
    size_t sides, side_capacity;
    rn_tensor *tensor;
    size_t count, capacity;
    const char *format; /* "safetensors", ... : a constant */
    /* What a format parsed the file into when tensors point into it, else NULL. Owned. */
    void *document;
    void (*document_free)(void *document);
} rn_tensors;

size_t rn_dtype_bytes(rn_dtype dtype);
const char *rn_dtype_name(rn_dtype dtype); /* "F32" */

/* Sets the strides of a row-major tensor from its rank and shape. */
void rn_tensor_row_major(rn_tensor *tensor);

/* Sets where the elements are: from that byte of the file on, which the caller has checked. */
void rn_tensor_place(rn_tensor *tensor, const rn_file *file, size_t offset);

/* Appends a copy of *tensor (dtype, rank, shape, stride and place are read) under that name, which
 * is copied. `bytes` is what lies at its place: every element must lie inside, and elements may not
 * be more than those bytes hold, so that conversion takes no more memory than a file is large. */
rn_status rn_tensors_add(rn_tensors *set, const char *name, size_t name_size,
                         const rn_tensor *tensor, size_t bytes, rn_error *err);

/* The file of that name beneath `folder`, opened once; NULL with *err filled when the name would
 * leave the folder, when it can't be opened, or when there is no folder (folder NULL). The pointer
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

/* The elements as float32 in row-major order: in place where memory allows it (F32, aligned,
 * contiguous), otherwise read and converted once into memory of the set, for as long as that lives:
 * for numbers that decide what the graph is. Marks the tensor as used. */
const float *rn_tensor_floats(rn_tensor *tensor, rn_error *err);

/* The same for a graph node, without reading it: the plan does when it packs the weights. The set
 * must be complete and sorted, since the constant refers to the tensor. False with *err filled. */
bool rn_tensor_constant(rn_tensor *tensor, rn_constant *out, rn_error *err);

/* RN_ERR_FORMAT naming the first tensor of floats that no layer took. Integers and booleans
 * (num_batches_tracked, masks) are never weights and don't count. */
rn_status rn_tensors_check_used(const rn_tensors *set, rn_error *err);

/* "64x3x7x7" (or "scalar") into text, cut to size. Returns text. */
char *rn_shape_text(const size_t *shape, size_t rank, char *text, size_t size);

void rn_tensors_release(rn_tensors *set);

#endif
