/* The forms of a body behind one interface; see ingest.h. */
#include "ingest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "form.h"
#include "floats.h"
#include "ingest/json_tensor.h"
#include "ingest/npy.h"

static const struct ingest_form_ops *const form[] = {
    [INGEST_JSON] = &ingest_infer_json,
    [INGEST_V2] = &ingest_v2,
    [INGEST_V1] = &ingest_v1,
    [INGEST_RAW] = &ingest_binary,
    [INGEST_NPY] = &ingest_npy,
    [INGEST_IMAGE] = &ingest_image,
    [INGEST_MULTIPART] = &ingest_multipart,
};

static bool looks_like_json(const char *bytes, size_t size)
{
    static const char space[] = " \t\r\n";
    while (size && strchr(space, bytes[size - 1])) size--;
    while (size && strchr(space, *bytes)) bytes++, size--;
    return size > 1 && *bytes == '{' && bytes[size - 1] == '}';
}

enum ingest_form ingest_form_of(const char *bytes, size_t size)
{
    if (npy_probe(bytes, size)) return INGEST_NPY;
    if (image_kind_of(bytes, size) != IMAGE_NONE || image_unserved(bytes, size))
        return INGEST_IMAGE; // which says what it is
    return looks_like_json(bytes, size) ? INGEST_JSON : INGEST_RAW;
}

struct ingest *ingest_new(const struct ingest_spec *spec)
{
    struct ingest *ingest = calloc(1, sizeof *ingest);
    if (!ingest) return NULL;
    ingest->spec = *spec;
    ingest->ops = form[spec->form];
    if (spec->coding != CODING_NONE) {
        ingest->spec.body_size = 0; // what comes out is not known
        ingest->inflater = inflater_new(spec->coding, spec->max_size);
    }
    if ((ingest->inflater || spec->coding == CODING_NONE) && ingest->ops->begin(ingest))
        return ingest;
    ingest_free(ingest);
    return NULL;
}

static bool take_unpacked(void *context, const void *bytes, size_t size)
{
    struct ingest *ingest = context;
    ingest->size += size;
    return ingest->ops->feed(ingest, bytes, size);
}

static bool feed_packed(struct ingest *ingest, const void *bytes, size_t size)
{
    switch (inflater_feed(ingest->inflater, bytes, size, take_unpacked, ingest)) {
    case INFLATER_OK: return true;
    case INFLATER_STOPPED: return false;
    case INFLATER_NO_MEMORY: return ingest_fail_memory(ingest);
    case INFLATER_WRONG: return ingest_fail(ingest, "body: not what its Content-Encoding says");
    case INFLATER_TOO_LONG: break;
    }
    if (inflater_size(ingest->inflater) > ingest->spec.max_size)
        return ingest_error_set(&ingest->error, 413,
                                "body: unpacked longer than --max-body-bytes allows: %zu",
                                ingest->spec.max_size);
    return ingest_error_set(&ingest->error, 413, "body: unpacked more than %d times what was sent",
                            INFLATE_MAX_RATIO);
}

bool ingest_feed(struct ingest *ingest, const void *bytes, size_t size)
{
    if (ingest->error.status) return false;
    return ingest->inflater ? feed_packed(ingest, bytes, size) : take_unpacked(ingest, bytes, size);
}

size_t ingest_size(const struct ingest *ingest)
{
    return ingest->size;
}

size_t ingest_to_decode(const struct ingest *ingest)
{
    const bool decodes = ingest->ops == &ingest_image || ingest->ops == &ingest_multipart;
    return !ingest->error.status && decodes ? ingest->size : 0;
}

static bool end_body(struct ingest *ingest)
{
    if (ingest->error.status) return false;
    if (ingest->ended) return true;
    if (ingest->inflater && !inflater_complete(ingest->inflater))
        return ingest_fail(ingest, "body: the compressed data ends too early");
    ingest->ended = true;
    return !ingest->ops->end || ingest->ops->end(ingest);
}

const struct ingest_result *ingest_parameters(struct ingest *ingest)
{
    return end_body(ingest) ? &ingest->result : NULL;
}

void ingest_set_model(struct ingest *ingest, size_t sample_size, const struct image_recipe *recipe)
{
    ingest->spec.sample_size = sample_size;
    ingest->spec.recipe = *recipe;
}

const struct ingest_result *ingest_finish(struct ingest *ingest)
{
    return end_body(ingest) && ingest->ops->finish(ingest) ? &ingest->result : NULL;
}

const struct ingest_error *ingest_error(const struct ingest *ingest)
{
    return &ingest->error;
}

void ingest_free(struct ingest *ingest)
{
    if (!ingest) return;
    ingest->ops->release(ingest);
    inflater_free(ingest->inflater);
    floats_delete(ingest->result.tensor.data);
    free(ingest);
}

__attribute__((format(printf, 3, 0))) static bool set_error(struct ingest_error *error,
                                                            unsigned status, const char *format,
                                                            va_list arguments)
{
    error->status = status;
    vsnprintf(error->text, sizeof error->text, format, arguments);
    return false;
}

bool ingest_error_set(struct ingest_error *error, unsigned status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set_error(error, status, format, arguments);
    va_end(arguments);
    return false;
}

bool ingest_fail(struct ingest *ingest, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set_error(&ingest->error, 400, format, arguments);
    va_end(arguments);
    return false;
}

bool ingest_error_memory(struct ingest_error *error)
{
    return ingest_error_set(error, failure_http(RN_ERR_MEMORY), "no memory for this body");
}

bool ingest_error_too_many(struct ingest_error *error, size_t most)
{
    return ingest_error_set(error, 413, "body: " TOO_MANY_NUMBERS, most);
}

bool ingest_fail_memory(struct ingest *ingest)
{
    return ingest_error_memory(&ingest->error);
}

void ingest_set_layout(struct ingest *ingest, enum ingest_layout layout, const char *place)
{
    ingest->result.layout = layout;
    snprintf(ingest->result.place, sizeof ingest->result.place, "%s", place);
}

bool tensor_reserve(struct tensor *tensor, size_t *capacity, size_t count)
{
    struct floats floats = {tensor->data, tensor->count, *capacity};
    if (!floats_reserve(&floats, count, SIZE_MAX)) return false;
    tensor->data = floats.data;
    *capacity = floats.capacity;
    return true;
}

bool ingest_reserve(struct ingest *ingest, size_t *capacity, size_t count)
{
    return tensor_reserve(&ingest->result.tensor, capacity, count) || ingest_fail_memory(ingest);
}

void ingest_shape_text(const struct tensor *tensor, char text[], size_t size)
{
    size_t used = (size_t)snprintf(text, size, "[");
    for (size_t i = 0; i < tensor->rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, i ? ",%zu" : "%zu", tensor->dim[i]);
    if (used < size) snprintf(text + used, size - used, "]");
}
