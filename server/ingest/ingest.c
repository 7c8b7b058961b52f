/* The forms of a body behind one interface; see ingest.h. */
#include "ingest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "form.h"

static const struct ingest_form_ops *const form[] = {
    [INGEST_JSON] = &ingest_infer_json,
    [INGEST_RAW] = &ingest_binary,
};

enum { ALIGN = 64 };

struct ingest *ingest_new(const struct ingest_spec *spec)
{
    struct ingest *ingest = calloc(1, sizeof *ingest);
    if (!ingest) return NULL;
    ingest->spec = *spec;
    ingest->ops = form[spec->form];
    if (ingest->ops->begin(ingest)) return ingest;
    ingest_free(ingest);
    return NULL;
}

bool ingest_feed(struct ingest *ingest, const void *bytes, size_t size)
{
    return !ingest->error.status && ingest->ops->feed(ingest, bytes, size);
}

const struct ingest_result *ingest_finish(struct ingest *ingest)
{
    return !ingest->error.status && ingest->ops->finish(ingest) ? &ingest->result : NULL;
}

const struct ingest_error *ingest_error(const struct ingest *ingest)
{
    return &ingest->error;
}

void ingest_free(struct ingest *ingest)
{
    if (!ingest) return;
    ingest->ops->release(ingest);
    free(ingest->result.tensor.data);
    free(ingest);
}

bool ingest_fail(struct ingest *ingest, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    ingest->error.status = 400;
    vsnprintf(ingest->error.text, sizeof ingest->error.text, format, arguments);
    va_end(arguments);
    return false;
}

bool ingest_fail_memory(struct ingest *ingest)
{
    ingest->error = (struct ingest_error){500, "no memory for this body"};
    return false;
}

bool ingest_reserve(struct ingest *ingest, size_t *capacity, size_t count)
{
    struct tensor *tensor = &ingest->result.tensor;
    if (count <= *capacity) return true;
    size_t room = *capacity + *capacity / 2, bytes;
    if (room < count) room = count;
    if (__builtin_mul_overflow(room, sizeof(float), &bytes) || bytes > SIZE_MAX - ALIGN)
        return ingest_fail_memory(ingest);
    float *data = aligned_alloc(ALIGN, (bytes + ALIGN - 1) / ALIGN * ALIGN);
    if (!data) return ingest_fail_memory(ingest);
    if (tensor->count) memcpy(data, tensor->data, tensor->count * sizeof(float));
    free(tensor->data);
    tensor->data = data;
    *capacity = room;
    return true;
}

void ingest_shape_text(const struct tensor *tensor, char text[], size_t size)
{
    size_t used = (size_t)snprintf(text, size, "[");
    for (size_t i = 0; i < tensor->rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, i ? ",%zu" : "%zu", tensor->dim[i]);
    if (used < size) snprintf(text + used, size - used, "]");
}
