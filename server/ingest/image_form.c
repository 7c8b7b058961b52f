/* A picture as a body, bare or as the part `data` of a multipart form: decoded and prepared for the
 * network. */
#include "ingest/form.h"

static const unsigned status_of[] = {[IMAGE_DAMAGED] = 422,
                                     [IMAGE_TOO_LARGE] = 413,
                                     [IMAGE_NO_MEMORY] = 500,
                                     [IMAGE_CANCELLED] = 500}; /* which nobody reads */

static bool read(const struct whole_body *body, struct tensor *tensor, struct ingest_error *error)
{
    const struct ingest_spec *spec = body->spec;
    const char *file = body->bytes;
    size_t size = body->size;
    if (*spec->boundary) {
        const struct multipart form = {file, size, spec->boundary};
        const char *problem = multipart_find(&form, "data", &file, &size);
        if (problem) return ingest_error_set(error, 400, "body: %s", problem);
    }
    const struct image_recipe *recipe = &spec->recipe;
    const struct image_file source = {file, size, spec->max_pixels, spec->cancelled};
    const size_t count = recipe->channels * recipe->height * recipe->width;
    struct image_error wrong;
    size_t capacity = 0;
    if (!tensor_reserve(tensor, &capacity, count)) return ingest_error_memory(error);
    if (!image_read(&source, recipe, tensor->data, &wrong))
        return ingest_error_set(error, status_of[wrong.problem], "%s", wrong.text);
    *tensor = (struct tensor){
        tensor->data, count, 4, {1, recipe->channels, recipe->height, recipe->width}};
    return true;
}

static bool begin(struct ingest *ingest)
{
    ingest_set_layout(ingest, LAYOUT_BATCH, "body");
    return ingest_whole_begin(ingest, read);
}

const struct ingest_form_ops ingest_image = {begin, ingest_whole_feed, ingest_whole_finish,
                                             ingest_whole_release};
