/* A picture as a body, bare or as the first part of a multipart form: kept until it is whole, then
 * decoded and prepared for the network. */
#include "ingest/form.h"

#include <stdlib.h>

#include "buffer.h"

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

static bool prepare(struct ingest *ingest, const struct image *image)
{
    const struct image_recipe *recipe = &ingest->spec.recipe;
    struct tensor *tensor = &ingest->result.tensor;
    const size_t count = recipe->channels * recipe->height * recipe->width;
    size_t capacity = 0;
    if (!ingest_reserve(ingest, &capacity, count)) return false;
    if (!image_tensor(image, recipe, tensor->data)) return ingest_fail_memory(ingest);
    *tensor = (struct tensor){
        tensor->data, count, 4, {1, recipe->channels, recipe->height, recipe->width}};
    return true;
}

static bool finish(struct ingest *ingest)
{
    const struct buffer *file = ingest->state;
    const char *bytes = file->size ? file->bytes : "";
    size_t size = file->size;
    char error[IMAGE_ERROR_SIZE];
    struct image image;
    if (*ingest->spec.boundary) {
        const char *problem = multipart_first(bytes, size, ingest->spec.boundary, &bytes, &size);
        if (problem) return ingest_fail(ingest, "body: %s", problem);
    }
    if (!image_decode(&image, bytes, size, ingest->spec.max_pixels, error)) {
        ingest_fail(ingest, "%s", error);
        ingest->error.status = 422;
        return false;
    }
    const bool good = prepare(ingest, &image);
    image_free(&image);
    return good;
}

static void release(struct ingest *ingest)
{
    if (ingest->state) buffer_free(ingest->state);
    free(ingest->state);
}

const struct ingest_form_ops ingest_image = {begin, feed, finish, release};
