/* A picture as a body, bare or as the first part of a multipart form: decoded and prepared for the
 * network. */
#include "ingest/form.h"

static bool prepare(const struct image *image, const struct image_recipe *recipe,
                    struct tensor *tensor, struct ingest_error *error)
{
    const size_t count = recipe->channels * recipe->height * recipe->width;
    size_t capacity = 0;
    if (!tensor_reserve(tensor, &capacity, count) || !image_tensor(image, recipe, tensor->data))
        return ingest_error_memory(error);
    *tensor = (struct tensor){
        tensor->data, count, 4, {1, recipe->channels, recipe->height, recipe->width}};
    return true;
}

static const unsigned status_of[] = {[IMAGE_DAMAGED] = 422,
                                     [IMAGE_TOO_LARGE] = 413,
                                     [IMAGE_NO_MEMORY] = 500,
                                     [IMAGE_CANCELLED] = 500}; /* which nobody reads */

static bool read(const struct whole_body *body, struct tensor *tensor, struct ingest_error *error)
{
    const struct ingest_spec *spec = body->spec;
    const char *file = body->bytes;
    size_t size = body->size;
    struct image_error wrong;
    struct image image;
    if (*spec->boundary) {
        const char *problem = multipart_first(file, size, spec->boundary, &file, &size);
        if (problem) return ingest_error_set(error, 400, "body: %s", problem);
    }
    const struct image_file source = {file, size, spec->max_pixels, spec->cancelled};
    if (!image_decode(&image, &source, &wrong))
        return ingest_error_set(error, status_of[wrong.problem], "%s", wrong.text);
    const bool good = prepare(&image, &spec->recipe, tensor, error);
    image_free(&image);
    return good;
}

static bool begin(struct ingest *ingest)
{
    return ingest_whole_begin(ingest, read);
}

const struct ingest_form_ops ingest_image = {begin, ingest_whole_feed, ingest_whole_finish,
                                             ingest_whole_release};
