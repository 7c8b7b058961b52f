#include "base/json.h"

#include <jansson.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json_arena.h"
#include "base/mem.h"

struct rn_json_document {
    json_t *root;
    rn_json_arena *arena; /* of all of it */
};

/* rn_json is jansson's json_t under a name that keeps jansson's header in this file. */
static const json_t *unwrap(const rn_json *value)
{
    return (const json_t *)value;
}
static const rn_json *wrap(const json_t *value)
{
    return (const rn_json *)value;
}

static void drop(json_t *root, rn_json_arena *arena)
{
    rn_json_arena_use(arena);
    json_decref(root);
    rn_json_arena_use(NULL);
    rn_json_arena_free(arena);
}

rn_status rn_json_parse(rn_json_document **out, const char *text, size_t size, const char *what,
                        rn_error *err)
{
    json_error_t fault;
    rn_json_document *document = rn_alloc(1, sizeof *document, err);
    rn_json_arena *arena = document ? rn_json_arena_new(text, size, err) : NULL;
    if (!arena) {
        rn_free(document);
        return RN_ERR_MEMORY;
    }
    rn_json_arena_use(arena);
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &fault);
    rn_json_arena_use(NULL);
    if (!root) {
        rn_json_arena_free(arena);
        rn_free(document);
        return rn_fail(err, RN_ERR_FORMAT, "%s: line %d, column %d: %s", what, fault.line,
                       fault.column, fault.text);
    }
    *document = (rn_json_document){root, arena};
    *out = document;
    return RN_OK;
}

void rn_json_free(rn_json_document *document)
{
    if (!document) return;
    drop(document->root, document->arena);
    rn_free(document);
}

const rn_json *rn_json_root(const rn_json_document *document)
{
    return document ? wrap(document->root) : NULL;
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
