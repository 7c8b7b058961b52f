#include "base/json.h"

#include <jansson.h>
#include <stdint.h>

#include "base/error.h"

/* rn_json is jansson's json_t under a name that keeps jansson's header in this file. */
static const json_t *unwrap(const rn_json *value)
{
    return (const json_t *)value;
}
static const rn_json *wrap(const json_t *value)
{
    return (const rn_json *)value;
}

rn_status rn_json_parse(rn_json **out, const char *text, size_t size, const char *what,
                        rn_error *err)
{
    json_error_t fault;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &fault);
    if (!root && json_error_code(&fault) == json_error_out_of_memory)
        return rn_fail(err, RN_ERR_MEMORY, "%s: out of memory: %zu bytes of JSON", what, size);
    if (!root)
        return rn_fail(err, RN_ERR_FORMAT, "%s: line %d, column %d: %s", what, fault.line,
                       fault.column, fault.text);
    *out = (rn_json *)root;
    return RN_OK;
}

void rn_json_free(rn_json *document)
{
    json_decref((json_t *)document);
}

bool rn_json_is_object(const rn_json *value)
{
    return json_is_object(unwrap(value));
}
bool rn_json_is_array(const rn_json *value)
{
    return json_is_array(unwrap(value));
}
bool rn_json_is_null(const rn_json *value)
{
    return !value || json_is_null(unwrap(value));
}

const rn_json *rn_json_get(const rn_json *object, const char *key)
{
    return wrap(json_object_get(unwrap(object), key));
}

const rn_json *rn_json_at(const rn_json *array, size_t index)
{
    return wrap(json_array_get(unwrap(array), index));
}

size_t rn_json_count(const rn_json *value)
{
    return json_is_array(unwrap(value)) ? json_array_size(unwrap(value))
                                        : json_object_size(unwrap(value));
}

void *rn_json_next(const rn_json *object, void *iterator, const char **key, const rn_json **value)
{
    json_t *o = (json_t *)(uintptr_t)object;
    if (!json_is_object(o)) return NULL;
    iterator = iterator ? json_object_iter_next(o, iterator) : json_object_iter(o);
    if (!iterator) return NULL;
    *key = json_object_iter_key(iterator);
    *value = wrap(json_object_iter_value(iterator));
    return iterator;
}

const char *rn_json_string(const rn_json *value)
{
    return json_string_value(unwrap(value));
}

bool rn_json_size(const rn_json *value, size_t *out)
{
    if (!json_is_integer(unwrap(value))) return false;
    const json_int_t number = json_integer_value(unwrap(value));
    if (number < 0 || (uint64_t)number > SIZE_MAX) return false;
    *out = (size_t)number;
    return true;
}

bool rn_json_number(const rn_json *value, double *out)
{
    if (!json_is_number(unwrap(value))) return false;
    *out = json_number_value(unwrap(value));
    return true;
}

bool rn_json_bool(const rn_json *value, bool *out)
{
    if (!json_is_boolean(unwrap(value))) return false;
    *out = json_is_true(unwrap(value));
    return true;
}
