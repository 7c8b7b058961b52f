/* A .npy file as a body: kept until it is whole, then read. */
#include "ingest/form.h"

#include <math.h>
#include <stdlib.h>

#include "buffer.h"
#include "ingest/npy.h"

static bool begin(struct ingest *ingest)
{
    struct buffer *file = calloc(1, sizeof *file);
    ingest->state = file;
    return file && buffer_reserve(file, ingest->spec.body_size);
}

static bool feed(struct ingest *ingest, const void *bytes, size_t size)
{
    struct buffer *file = ingest->state;
    buffer_append(file, bytes, size);
    return !file->failed || ingest_fail_memory(ingest);
}

static bool finish(struct ingest *ingest)
{
    const struct buffer *file = ingest->state;
    struct tensor *tensor = &ingest->result.tensor;
    struct npy npy;
    size_t capacity = 0;
    const char *problem = npy_read(&npy, file->size ? file->bytes : "", file->size);
    if (problem) return ingest_fail(ingest, "body: %s", problem);
    if (npy.count > ingest->spec.max_floats) {
        ingest_fail(ingest, "body: more than %zu numbers", ingest->spec.max_floats);
        ingest->error.status = 413;
        return false;
    }
    if (!ingest_reserve(ingest, &capacity, npy.count + 1)) return false;
    npy_floats(&npy, tensor->data);
    tensor->count = npy.count;
    tensor->rank = npy.rank;
    for (size_t i = 0; i < npy.rank; i++) tensor->dim[i] = npy.shape[i];
    for (size_t i = 0; i < npy.count; i++)
        if (!isfinite(tensor->data[i]))
            return ingest_fail(ingest, "body: element %zu is not a finite float32", i);
    return true;
}

static void release(struct ingest *ingest)
{
    if (ingest->state) buffer_free(ingest->state);
    free(ingest->state);
}

const struct ingest_form_ops ingest_npy = {begin, feed, finish, release};
