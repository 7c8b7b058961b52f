/* Raw little-endian float32: whole samples, nothing else. */
#include "form.h"

#include <stdlib.h>
#include <string.h>

#include "floats.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "floats are copied as they arrive");

struct binary {
    size_t capacity;       /* floats */
    unsigned char rest[4]; /* the beginning of a float whose end has not arrived */
    size_t rests;
    size_t finite; /* floats, from the first on: looked at while they are in the cache */
};

static bool binary_begin(struct ingest *ingest)
{
    struct binary *binary = calloc(1, sizeof *binary);
    ingest->state = binary;
    return binary && ingest_reserve(ingest, &binary->capacity, ingest->spec.body_size / 4 + 1);
}

static bool binary_feed(struct ingest *ingest, const void *bytes, size_t size)
{
    struct binary *binary = ingest->state;
    struct tensor *tensor = &ingest->result.tensor;
    const size_t whole = (binary->rests + size) / sizeof(float);
    if (!ingest_reserve(ingest, &binary->capacity, tensor->count + whole + 1)) return false;
    unsigned char *to = (unsigned char *)(tensor->data + tensor->count);
    memcpy(to, binary->rest, binary->rests);
    memcpy(to + binary->rests, bytes, size);
    binary->rests = (binary->rests + size) % sizeof(float);
    tensor->count += whole;
    binary->finite +=
        floats_not_finite(tensor->data + binary->finite, tensor->count - binary->finite);
    memcpy(binary->rest, tensor->data + tensor->count, binary->rests);
    return true;
}

static bool binary_finish(struct ingest *ingest)
{
    const struct binary *binary = ingest->state;
    struct tensor *tensor = &ingest->result.tensor;
    const size_t sample = ingest->spec.sample_size;
    const size_t bytes = tensor->count * sizeof(float) + binary->rests;
    if (binary->rests || tensor->count % sample || !tensor->count)
        return ingest_fail(ingest,
                           "body: %zu bytes, want whole samples of %zu bytes (%zu float32 each)",
                           bytes, sample * sizeof(float), sample);
    if (binary->finite < tensor->count)
        return ingest_fail(ingest, "body: float %zu (byte %zu) is not a finite number",
                           binary->finite, binary->finite * sizeof(float));
    ingest_set_layout(ingest, LAYOUT_FLAT, "body");
    tensor->rank = 2;
    tensor->dim[0] = tensor->count / sample;
    tensor->dim[1] = sample;
    return true;
}

static void binary_release(struct ingest *ingest)
{
    free(ingest->state);
}

const struct ingest_form_ops ingest_binary = {
    .begin = binary_begin, .feed = binary_feed, .finish = binary_finish, .release = binary_release};
