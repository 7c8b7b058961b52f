/* The plain JSON forms of POST /infer, read as a whole: the only jansson of the server.
 *
 * The grammar is jansson's, made strict: no duplicate keys, no bytes behind the value, depth
 * counted before anything recurses. Numbers are read as IEEE doubles and rounded to float32. */
#include "form.h"

#include <float.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"

struct envelope {
    struct buffer text;
    json_t *root;
    size_t capacity; /* floats */
};

/* A place in nested arrays: "input[0][2]". */
struct place {
    const char *key;
    size_t depth, index[INGEST_MAX_RANK + 1];
};

static void place_text(const struct place *place, char text[], size_t size)
{
    size_t used = (size_t)snprintf(text, size, "%s", place->key);
    for (size_t i = 0; i < place->depth && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "[%zu]", place->index[i]);
}

static bool envelope_begin(struct ingest *ingest)
{
    struct envelope *envelope = calloc(1, sizeof *envelope);
    ingest->state = envelope;
    return envelope && buffer_reserve(&envelope->text, ingest->spec.body_size);
}

static bool envelope_feed(struct ingest *ingest, const void *bytes, size_t size)
{
    struct envelope *envelope = ingest->state;
    buffer_append(&envelope->text, bytes, size);
    return !envelope->text.failed || ingest_fail_memory(ingest);
}

/* jansson recurses once a level: count the levels before it does. */
static bool check_depth(struct ingest *ingest, const struct buffer *text)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text->size; i++) {
        const char c = text->bytes[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{') && ++depth > INGEST_MAX_DEPTH)
            return ingest_fail(ingest, "body, byte %zu: nested deeper than %d", i,
                               INGEST_MAX_DEPTH);
        else if (!quoted && (c == ']' || c == '}') && depth)
            depth--;
    }
    return true;
}

static bool parse(struct ingest *ingest, struct envelope *envelope)
{
    json_error_t error;
    if (!check_depth(ingest, &envelope->text)) return false;
    if (memchr(envelope->text.bytes ? envelope->text.bytes : "", 0, envelope->text.size))
        return ingest_fail(ingest, "body: a NUL byte");
    envelope->root =
        json_loadb(envelope->text.bytes ? envelope->text.bytes : "", envelope->text.size,
                   JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
    if (!envelope->root)
        return ingest_fail(ingest, "body, byte %d: %.180s", error.position, error.text);
    if (!json_is_object(envelope->root)) return ingest_fail(ingest, "body: not a JSON object");
    return true;
}

static bool add_number(struct ingest *ingest, double number, const struct place *place)
{
    struct tensor *tensor = &ingest->result.tensor;
    const float value = (float)number;
    if (isfinite(value)) {
        tensor->data[tensor->count++] = value;
        return true;
    }
    char where[160];
    place_text(place, where, sizeof where);
    return ingest_fail(ingest, "%s: %g is beyond float32", where, number);
}

/* The nesting of the first elements is the shape that the others are held to. */
static bool measure(struct ingest *ingest, const json_t *value, struct place *place)
{
    struct tensor *tensor = &ingest->result.tensor;
    char where[160];
    size_t count = 1;
    while (json_is_array(value)) {
        place_text(place, where, sizeof where);
        if (tensor->rank == INGEST_MAX_RANK)
            return ingest_fail(ingest, "%s: more than %d dimensions", where, INGEST_MAX_RANK);
        const size_t size = json_array_size(value);
        if (!size) return ingest_fail(ingest, "%s: an empty array", where);
        tensor->dim[tensor->rank++] = size;
        if (__builtin_mul_overflow(count, size, &count)) return ingest_fail_memory(ingest);
        place->index[place->depth++] = 0;
        value = json_array_get(value, 0);
    }
    place->depth = 0;
    /* Each number and its comma take two bytes: more of them than that can't be there. */
    const struct envelope *envelope = ingest->state;
    if (count > envelope->text.size / 2)
        return ingest_fail(ingest, "%s: the arrays are not all of one shape", place->key);
    return ingest_reserve(ingest, &((struct envelope *)ingest->state)->capacity, count);
}

static bool walk(struct ingest *ingest, const json_t *value, struct place *place)
{
    const struct tensor *tensor = &ingest->result.tensor;
    const size_t depth = place->depth;
    char where[160];
    if (depth == tensor->rank && json_is_number(value))
        return add_number(ingest, json_number_value(value), place);
    place_text(place, where, sizeof where);
    if (depth == tensor->rank || !json_is_array(value))
        return ingest_fail(ingest, "%s: %s", where,
                           depth == tensor->rank ? "not a number" : "not an array");
    const size_t size = json_array_size(value), want = tensor->dim[depth];
    if (size != want)
        return ingest_fail(ingest, "%s: %zu %s, %zu needed", where, size,
                           depth + 1 == tensor->rank ? "numbers" : "elements", want);
    place->depth++;
    for (size_t i = 0; i < size; i++) {
        place->index[depth] = i;
        if (!walk(ingest, json_array_get(value, i), place)) return false;
    }
    place->depth--;
    return true;
}

static bool read_input(struct ingest *ingest, const json_t *value)
{
    struct place place = {.key = "input"};
    if (!json_is_array(value)) return ingest_fail(ingest, "input: not an array");
    return measure(ingest, value, &place) && walk(ingest, value, &place);
}

/* A whole number from `least` to `most`. */
static bool read_whole(struct ingest *ingest, const json_t *value, const char *place, double least,
                       double most, uint64_t *out)
{
    const double number = json_number_value(value);
    if (!json_is_number(value) || number != floor(number) || number < least || number > most)
        return ingest_fail(ingest, "%s: not a whole number from %.0f to %.0f", place, least, most);
    *out = (uint64_t)number;
    return true;
}

/* "shape" replaces what the nesting of a flat array says. */
static bool read_shape(struct ingest *ingest, const json_t *value)
{
    struct tensor *tensor = &ingest->result.tensor;
    size_t product = 1;
    if (!value) return true;
    if (!json_is_array(value)) return ingest_fail(ingest, "shape: not an array");
    tensor->rank = json_array_size(value);
    if (tensor->rank < 1 || tensor->rank > INGEST_MAX_RANK) {
        const size_t rank = tensor->rank;
        tensor->rank = 0;
        return ingest_fail(ingest, "shape: %zu dimensions, 1 to %d needed", rank, INGEST_MAX_RANK);
    }
    for (size_t i = 0; i < tensor->rank; i++) {
        char place[32];
        uint64_t dim;
        snprintf(place, sizeof place, "shape[%zu]", i);
        if (!read_whole(ingest, json_array_get(value, i), place, 1, 2147483647.0, &dim))
            return false;
        tensor->dim[i] = (size_t)dim;
        if (__builtin_mul_overflow(product, tensor->dim[i], &product))
            return ingest_fail(ingest, "shape: the product of the dimensions is too large");
    }
    char text[120];
    ingest_shape_text(tensor, text, sizeof text);
    if (product == tensor->count) return true;
    return ingest_fail(ingest, "input: %zu numbers, shape %s needs %zu", tensor->count, text,
                       product);
}

static bool read_string(struct ingest *ingest, const json_t *root, const char *key, char text[],
                        size_t size)
{
    const json_t *value = json_object_get(root, key);
    if (!value) return true;
    if (!json_is_string(value)) return ingest_fail(ingest, "%s: not a string", key);
    if (json_string_length(value) >= size)
        return ingest_fail(ingest, "%s: longer than %zu bytes", key, size - 1);
    for (const char *c = json_string_value(value); *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return ingest_fail(ingest, "%s: a control character", key);
    memcpy(text, json_string_value(value), json_string_length(value) + 1);
    return true;
}

static bool read_parameters(struct ingest *ingest, const json_t *root)
{
    struct ingest_result *result = &ingest->result;
    const json_t *top_k = json_object_get(root, "top_k");
    const json_t *timeout = json_object_get(root, "timeout_ms");
    uint64_t value = 0;
    if (top_k && !read_whole(ingest, top_k, "top_k", 0, INGEST_MAX_TOP_K, &value)) return false;
    result->has_top_k = top_k != NULL;
    result->top_k = (size_t)value;
    if (timeout &&
        !read_whole(ingest, timeout, "timeout_ms", 1, INGEST_MAX_TIMEOUT_MS, &result->timeout_ms))
        return false;
    result->has_timeout = timeout != NULL;
    return read_string(ingest, root, "model", result->model, sizeof result->model) &&
           read_string(ingest, root, "id", result->id, sizeof result->id);
}

static bool check_keys(struct ingest *ingest, json_t *root)
{
    static const char *const known[] = {"input", "shape", "model", "top_k", "timeout_ms", "id"};
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        size_t i = 0;
        while (i < sizeof known / sizeof *known && strcmp(known[i], key)) i++;
        if (i == sizeof known / sizeof *known)
            return ingest_fail(ingest,
                               "%.60s: no such key here; known are input, shape, model, top_k, "
                               "timeout_ms and id",
                               key);
    }
    return true;
}

static bool envelope_finish(struct ingest *ingest)
{
    struct envelope *envelope = ingest->state;
    if (!parse(ingest, envelope) || !check_keys(ingest, envelope->root)) return false;
    const json_t *input = json_object_get(envelope->root, "input");
    if (!input) return ingest_fail(ingest, "body: no \"input\"");
    return read_parameters(ingest, envelope->root) && read_input(ingest, input) &&
           read_shape(ingest, json_object_get(envelope->root, "shape"));
}

static void envelope_release(struct ingest *ingest)
{
    struct envelope *envelope = ingest->state;
    if (!envelope) return;
    buffer_free(&envelope->text);
    json_decref(envelope->root);
    free(envelope);
}

const struct ingest_form_ops ingest_envelope = {envelope_begin, envelope_feed, envelope_finish,
                                                envelope_release};
