/* A picture as a body: decoded and prepared for the network. */
#include "ingest/form.h"

#include <string.h>

static const unsigned status_of[] = {[IMAGE_DAMAGED] = 422,
                                     [IMAGE_UNSERVED] = 415,
                                     [IMAGE_TOO_LARGE] = 413,
                                     [IMAGE_CANCELLED] = 500}; /* which nobody reads */

bool ingest_read_image(const struct whole_body *body, float *chw, struct ingest_error *error)
{
    const struct ingest_spec *spec = body->spec;
    const struct image_file file = {body->bytes, body->size, spec->max_pixels, spec->max_bytes,
                                    spec->cancelled};
    struct image_error wrong;
    if (image_read(&file, &spec->recipe, chw, &wrong)) return true;
    if (wrong.problem == IMAGE_NO_MEMORY) return ingest_error_memory(error);
    return ingest_error_set(error, status_of[wrong.problem], "%s", wrong.text);
}

/* The dimensions of `count` samples. */
static void set_shape(struct tensor *tensor, size_t count, const struct image_recipe *recipe)
{
    const size_t dim[] = {count, recipe->channels, recipe->height, recipe->width};
    tensor->rank = sizeof dim / sizeof *dim;
    memcpy(tensor->dim, dim, sizeof dim);
}

static bool read_floats(const struct whole_body *body, struct tensor *tensor,
                        struct ingest_error *error)
{
    struct ingest_spec spec = *body->spec;
    spec.form = INGEST_RAW;
    spec.body_size = body->size;
    struct ingest *raw = ingest_new(&spec);
    if (!raw) return ingest_error_memory(error);
    const bool good = ingest_feed(raw, body->bytes, body->size) && ingest_finish(raw);
    if (good) {
        *tensor = raw->result.tensor;
        raw->result.tensor.data = NULL;
        set_shape(tensor, tensor->dim[0], &spec.recipe);
    } else {
        *error = raw->error;
    }
    ingest_free(raw);
    return good;
}

static bool are_floats(const struct whole_body *body)
{
    return body->spec->or_floats && (image_kind_of(body->bytes, body->size) == IMAGE_NONE ||
                                     body->size % (body->spec->sample_size * sizeof(float)) == 0);
}

static bool read(const struct whole_body *body, struct tensor *tensor, struct ingest_error *error)
{
    const struct image_recipe *recipe = &body->spec->recipe;
    const size_t count = recipe->channels * recipe->height * recipe->width;
    size_t capacity = 0;
    if (are_floats(body)) return read_floats(body, tensor, error);
    if (!tensor_reserve(tensor, &capacity, count)) return ingest_error_memory(error);
    if (!ingest_read_image(body, tensor->data, error)) return false;
    tensor->count = count;
    set_shape(tensor, 1, recipe);
    return true;
}

static bool begin(struct ingest *ingest)
{
    ingest_set_layout(ingest, LAYOUT_BATCH, "body");
    return ingest_whole_begin(ingest, read);
}

const struct ingest_form_ops ingest_image = {.begin = begin,
                                             .feed = ingest_whole_feed,
                                             .finish = ingest_whole_finish,
                                             .release = ingest_whole_release};
