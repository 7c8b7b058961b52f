/* The parts of the JSON forms: the streaming reader in front, checked values of the envelope. */
#include "ingest/json_form.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/datatype.h"

#define MAX_TEXT   ((size_t)1 << 20) /* of the envelope */
#define MAX_ARRAYS 65536
#define MAX_DIM    2147483647.0

bool json_form_begin(struct ingest *ingest, const char *const *places)
{
    static const char *const boolean_places[] = {V2_PLACES, NULL};
    struct json_form *form = calloc(1, sizeof *form);
    ingest->state = form;
    if (!form) return false;
    const struct json_spec spec = {.places = places,
                                   .boolean_places = boolean_places,
                                   .ranges = datatype_range,
                                   .range_count = DATATYPE_RANGES,
                                   .max_numbers = ingest->spec.max_floats,
                                   .max_arrays = MAX_ARRAYS,
                                   .max_text = MAX_TEXT,
                                   .room = ingest->spec.sample_size};
    form->json = json_tensor_new(&spec);
    return form->json != NULL;
}

static bool fail_json(struct ingest *ingest)
{
    const struct json_form *form = ingest->state;
    const struct json_error *error = json_tensor_error(form->json);
    if (error->problem == JSON_NO_MEMORY) return ingest_fail_memory(ingest);
    ingest_fail(ingest, "%s", error->text);
    if (error->problem == JSON_TOO_LONG) ingest->error.status = 413;
    return false;
}

bool json_form_feed(struct ingest *ingest, const void *bytes, size_t size)
{
    struct json_form *form = ingest->state;
    return json_tensor_feed(form->json, bytes, size) || fail_json(ingest);
}

bool json_form_end(struct ingest *ingest)
{
    struct json_form *form = ingest->state;
    char error[200];
    if (!json_tensor_finish(form->json, &form->parsed)) return fail_json(ingest);
    const rn_status status = envelope_read(&form->envelope, form->parsed.text,
                                           form->parsed.text_size, error, sizeof error);
    if (status == RN_ERR_MEMORY) return ingest_fail_memory(ingest);
    if (status != RN_OK) return ingest_fail(ingest, "body: %s", error);
    form->root = envelope_root(form->envelope);
    return value_type(form->root) == VALUE_OBJECT || ingest_fail(ingest, "body: not a JSON object");
}

void json_form_release(struct ingest *ingest)
{
    struct json_form *form = ingest->state;
    if (!form) return;
    envelope_free(form->envelope);
    json_tensor_free(form->json);
    free(form->own);
    free(form);
}

/* "a, b and c" */
static void list_keys(const char *const *keys, char text[], size_t size)
{
    size_t used = 0;
    for (size_t i = 0; keys[i] && used < size; i++) {
        const char *comma = i == 0 ? "" : keys[i + 1] ? ", " : " and ";
        used += (size_t)snprintf(text + used, size - used, "%s%s", comma, keys[i]);
    }
}

bool json_form_known(struct ingest *ingest, const struct value *object, const char *const *keys)
{
    for (const char *key = NULL; (key = value_next_key(object, key)) != NULL;) {
        char list[120] = "";
        size_t i = 0;
        while (keys[i] && strcmp(keys[i], key) != 0) i++;
        if (keys[i] || value_type(value_member(object, key)) == VALUE_NULL) continue;
        list_keys(keys, list, sizeof list);
        return ingest_fail(ingest, "%.60s: no such key here; known are %s", key, list);
    }
    return true;
}

/* One of the parameters that are whole numbers, where it is there. */
static bool read_number(struct ingest *ingest, const struct value *root, const char *key,
                        const double range[2], bool *has, uint64_t *number)
{
    const struct value *value = value_member(root, key);
    if (value_type(value) == VALUE_NULL) return true;
    *has = true;
    return json_form_whole(ingest, value, key, range[0], range[1], number);
}

static const struct value *text_of(const struct value *root, const char *key)
{
    const struct value *value = value_member(root, key);
    return value_type(value) == VALUE_NULL ? NULL : value;
}

bool json_form_parameters(struct ingest *ingest, const struct value *root)
{
    static const double top_k_range[] = {0, INGEST_MAX_TOP_K},
                        timeout_range[] = {1, INGEST_MAX_TIMEOUT_MS},
                        priority_range[] = {0, INGEST_MAX_PRIORITY};
    struct ingest_result *result = &ingest->result;
    uint64_t top_k = 0, timeout_ms = 0;
    if (!read_number(ingest, root, "top_k", top_k_range, &result->has_top_k, &top_k) ||
        !read_number(ingest, root, "timeout_ms", timeout_range, &result->has_timeout,
                     &timeout_ms) ||
        !read_number(ingest, root, "priority", priority_range, &result->has_priority,
                     &result->priority))
        return false;
    result->top_k = (size_t)top_k;
    result->timeout_us = timeout_ms * 1000;
    return json_form_string(ingest, text_of(root, "model"), "model", result->model,
                            sizeof result->model) &&
           json_form_string(ingest, text_of(root, "id"), "id", result->id, sizeof result->id);
}

bool json_form_whole(struct ingest *ingest, const struct value *value, const char *place,
                     double least, double most, uint64_t *out)
{
    const double number = value_number(value);
    if (value_type(value) != VALUE_NUMBER || number != floor(number) || number < least ||
        number > most)
        return ingest_fail(ingest, "%s: not a whole number from %.0f to %.0f", place, least, most);
    *out = (uint64_t)number;
    return true;
}

bool json_form_string(struct ingest *ingest, const struct value *value, const char *place,
                      char text[], size_t size)
{
    size_t length;
    const char *string = value_string(value, &length);
    if (!value) return true;
    if (!string) return ingest_fail(ingest, "%s: not a string", place);
    if (length >= size) return ingest_fail(ingest, "%s: longer than %zu bytes", place, size - 1);
    for (const char *c = string; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return ingest_fail(ingest, "%s: a control character", place);
    memcpy(text, string, length + 1);
    return true;
}

bool json_form_shape(struct ingest *ingest, const struct value *value, const char *place,
                     struct tensor *tensor)
{
    const size_t rank = value_size(value);
    size_t product = 1;
    if (value_type(value) != VALUE_ARRAY) return ingest_fail(ingest, "%s: not an array", place);
    if (rank < 1 || rank > INGEST_MAX_RANK)
        return ingest_fail(ingest, "%s: %zu dimensions, 1 to %d needed", place, rank,
                           INGEST_MAX_RANK);
    for (size_t i = 0; i < rank; i++) {
        char element[80];
        uint64_t dim = 0;
        snprintf(element, sizeof element, "%s[%zu]", place, i);
        if (!json_form_whole(ingest, value_element(value, i), element, 1, MAX_DIM, &dim))
            return false;
        tensor->dim[i] = (size_t)dim;
        if (__builtin_mul_overflow(product, tensor->dim[i], &product))
            return ingest_fail(ingest, "%s: the product of the dimensions is too large", place);
    }
    tensor->rank = rank;
    return true;
}

static const char *name_of(const struct value *value)
{
    switch (value_type(value)) {
    case VALUE_BOOL: return value_is_true(value) ? "true" : "false";
    case VALUE_STRING: return "a string";
    case VALUE_OBJECT: return "an object";
    case VALUE_NULL: return "null";
    default: return "a value";
    }
}

/* Names the first of the array's elements that is none. */
static bool fail_no_number(struct ingest *ingest, const struct value *array, const char *place)
{
    char text[200];
    size_t used = (size_t)snprintf(text, sizeof text, "%.80s", place), i;
    const struct value *value = array;
    while (value_type(value) == VALUE_ARRAY && used < sizeof text) {
        const struct value *element = NULL;
        for (i = 0; value_type(element = value_element(value, i)) == VALUE_NUMBER;) i++;
        used += (size_t)snprintf(text + used, sizeof text - used, "[%zu]", i);
        value = element;
    }
    return ingest_fail(ingest, "%s: %s is no number", text, name_of(value));
}

bool json_form_array(struct ingest *ingest, const struct value *value, const char *place,
                     struct json_array *array)
{
    const struct json_form *form = ingest->state;
    if (value_type(value) == VALUE_ARRAY) return fail_no_number(ingest, value, place);
    if (value_type(value) != VALUE_NUMBER)
        return ingest_fail(ingest, value ? "%s: not an array of numbers" : "%s: is missing", place);
    const size_t index = (size_t)value_number(value);
    if (index >= form->parsed.array_count) return ingest_fail(ingest, "%s: not an array", place);
    *array = form->parsed.arrays[index];
    return true;
}

/* "data[0][2]": where an array's element stands. */
static void element_text(const struct json_array *array, size_t element, char text[], size_t size)
{
    size_t used = strlen(text), each = array->count;
    for (size_t i = 0; i < array->rank && used < size; i++) {
        each /= array->dim[i];
        used += (size_t)snprintf(text + used, size - used, "[%zu]", element / each);
        element %= each;
    }
}

bool json_form_check_type(struct ingest *ingest, const struct value *value, const char *place,
                          enum datatype datatype)
{
    const struct json_form *form = ingest->state;
    const size_t index = (size_t)value_number(value);
    if ((int)datatype >= (int)DATATYPE_RANGES) return true;
    const size_t outside = form->parsed.outside[index].index[datatype];
    if (outside == SIZE_MAX) return true;
    const struct json_range *range = &datatype_range[datatype];
    char text[200];
    snprintf(text, sizeof text, "%.80s", place);
    element_text(&form->parsed.arrays[index], outside, text, sizeof text);
    return ingest_fail(ingest, "%s: not a whole number from %lld to %llu, as %s needs", text,
                       (long long)range->least, (unsigned long long)range->most,
                       datatype_name(datatype));
}

void json_form_take(struct ingest *ingest)
{
    struct json_form *form = ingest->state;
    ingest->result.tensor.count = form->parsed.float_count;
    ingest->result.tensor.data = json_tensor_take(form->json);
}

bool json_form_check_count(struct ingest *ingest, const char *place, const struct tensor *tensor)
{
    char text[120];
    size_t product = 1; // the shape was checked: no overflow
    for (size_t i = 0; i < tensor->rank; i++) product *= tensor->dim[i];
    if (product == tensor->count) return true;
    ingest_shape_text(tensor, text, sizeof text);
    return ingest_fail(ingest, "%s: %zu numbers, shape %s needs %zu", place, tensor->count, text,
                       product);
}
