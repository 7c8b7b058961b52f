/* A .npy file as a body. */
#include "ingest/form.h"

#include <math.h>

#include "ingest/npy.h"

static bool read(const struct whole_body *body, struct tensor *tensor, struct ingest_error *error)
{
    struct npy npy;
    size_t capacity = 0;
    const size_t most = body->spec->max_floats;
    const char *problem = npy_read(&npy, body->bytes, body->size);
    if (problem) return ingest_error_set(error, 400, "body: %s", problem);
    if (npy.count > most) return ingest_error_too_many(error, most);
    if (!tensor_reserve(tensor, &capacity, npy.count + 1)) return ingest_error_memory(error);
    npy_floats(&npy, tensor->data);
    tensor->count = npy.count;
    tensor->rank = npy.rank;
    for (size_t i = 0; i < npy.rank; i++) tensor->dim[i] = npy.shape[i];
    for (size_t i = 0; i < npy.count; i++)
        if (!isfinite(tensor->data[i]))
            return ingest_error_set(error, 400, "body: element %zu is not a finite float32", i);
    return true;
}

static bool begin(struct ingest *ingest)
{
    ingest_set_layout(ingest, LAYOUT_ARRAY, "body");
    return ingest_whole_begin(ingest, read);
}

const struct ingest_form_ops ingest_npy = {.begin = begin,
                                           .feed = ingest_whole_feed,
                                           .finish = ingest_whole_finish,
                                           .release = ingest_whole_release};
