/* jansson behind the names of envelope.h. Numbers are read as doubles. */
#include "ingest/envelope.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "ingest/envelope_arena.h"

struct envelope {
    json_t *root;
    struct envelope_arena *arena; /* of all of it */
};

/* A struct value is a json_t under another name. */
static const json_t *json_of(const struct value *value)
{
    return (const json_t *)value;
}

rn_status envelope_read(struct envelope **out, const char *text, size_t size, char *error,
                        size_t error_size)
{
    json_error_t failure;
    struct envelope *envelope = malloc(sizeof *envelope);
    struct envelope_arena *arena = envelope ? envelope_arena_new(text, size) : NULL;
    json_t *root = NULL;
    if (arena) {
        envelope_arena_use(arena);
        root = json_loadb(text, size,
                          JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL,
                          &failure);
        envelope_arena_use(NULL);
        if (!root) snprintf(error, error_size, "%.180s", failure.text);
    }
    if (root) {
        *envelope = (struct envelope){root, arena};
        *out = envelope;
        return RN_OK;
    }
    free(envelope);
    envelope_arena_free(arena);
    return arena ? RN_ERR_FORMAT : RN_ERR_MEMORY;
}

void envelope_free(struct envelope *envelope)
{
    if (!envelope) return;
    envelope_arena_use(envelope->arena);
    json_decref(envelope->root);
    envelope_arena_use(NULL);
    envelope_arena_free(envelope->arena);
    free(envelope);
}

const struct value *envelope_root(const struct envelope *envelope)
{
    return envelope ? (const struct value *)envelope->root : NULL;
}

enum value_type value_type(const struct value *value)
{
    if (!value) return VALUE_NULL;
    switch (json_typeof(json_of(value))) {
    case JSON_OBJECT: return VALUE_OBJECT;
    case JSON_ARRAY: return VALUE_ARRAY;
    case JSON_STRING: return VALUE_STRING;
    case JSON_INTEGER:
    case JSON_REAL: return VALUE_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE: return VALUE_BOOL;
    case JSON_NULL: return VALUE_NULL;
    }
    return VALUE_NULL;
}

const struct value *value_member(const struct value *object, const char *key)
{
    return (const struct value *)json_object_get(json_of(object), key);
}

const struct value *value_element(const struct value *array, size_t index)
{
    return (const struct value *)json_array_get(json_of(array), index);
}

size_t value_size(const struct value *value)
{
    return json_is_object(json_of(value)) ? json_object_size(json_of(value))
                                          : json_array_size(json_of(value));
}

const char *value_next_key(const struct value *value, const char *key)
{
    json_t *object = (json_t *)(uintptr_t)value; // iterators are not const, but change nothing
    void *place = key ? json_object_iter_next(object, json_object_key_to_iter(key))
                      : json_object_iter(object);
    return place ? json_object_iter_key(place) : NULL;
}

double value_number(const struct value *number)
{
    return json_number_value(json_of(number));
}

const char *value_string(const struct value *string, size_t *size)
{
    *size = json_string_length(json_of(string));
    return json_string_value(json_of(string));
}

bool value_is_true(const struct value *value)
{
    return json_is_true(json_of(value));
}
