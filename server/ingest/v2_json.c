/* Requests of the Open Inference Protocol: the JSON, and the tensor that may follow it as bytes. */
#include "ingest/json_form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/datatype.h"

/* What need not be there; some clients write null for it. */
static const struct value *optional(const struct value *object, const char *key)
{
    const struct value *value = value_member(object, key);
    return value_type(value) == VALUE_NULL ? NULL : value;
}

/* Sequences and what starts with "triton_" ask for things that are not here. */
static bool check_parameters(struct ingest *ingest, const struct value *parameters)
{
    static const char *const reserved[] = {"sequence_id", "sequence_start", "sequence_end",
                                           "headers"};
    if (parameters && value_type(parameters) != VALUE_OBJECT)
        return ingest_fail(ingest, "parameters: not an object");
    for (const char *key = NULL; (key = value_next_key(parameters, key)) != NULL;) {
        bool bad = strncmp(key, "triton_", 7) == 0;
        for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
            bad |= strcmp(key, reserved[i]) == 0;
        if (bad) return ingest_fail(ingest, "parameters.%.60s: not understood here", key);
    }
    return true;
}

static bool read_bool(struct ingest *ingest, const struct value *value, const char *place,
                      bool *out)
{
    if (!value) return true;
    *out = value_is_true(value);
    return value_type(value) == VALUE_BOOL || ingest_fail(ingest, "%s: not true or false", place);
}

static bool read_parameters(struct ingest *ingest, const struct value *parameters)
{
    struct ingest_result *result = &ingest->result;
    const struct value *priority = value_member(parameters, "priority");
    const struct value *timeout = value_member(parameters, "timeout");
    uint64_t us = 0;
    if (!check_parameters(ingest, parameters)) return false;
    if (priority && !json_form_whole(ingest, priority, "parameters.priority", 0,
                                     INGEST_MAX_PRIORITY, &result->priority))
        return false;
    result->has_priority = priority != NULL;
    if (timeout && !json_form_whole(ingest, timeout, "parameters.timeout", 0,
                                    INGEST_MAX_TIMEOUT_MS * 1000.0, &us))
        return false;
    result->has_timeout = us > 0; // 0 is the protocol's "none"
    result->timeout_us = us;
    return read_bool(ingest, value_member(parameters, "binary_data_output"),
                     "parameters.binary_data_output", &result->v2.binary_output);
}

/* Those of an input or output. Memory of the client's machine is not read or written; silence would
 * leave it waiting. */
static bool find_parameters(struct ingest *ingest, const struct value *owner, const char *place,
                            const struct value **parameters)
{
    *parameters = optional(owner, "parameters");
    if (*parameters && value_type(*parameters) != VALUE_OBJECT)
        return ingest_fail(ingest, "%s.parameters: not an object", place);
    return !value_member(*parameters, "shared_memory_region") ||
           ingest_fail(ingest, "%s.parameters.shared_memory_region: not understood here", place);
}

static bool read_output(struct ingest *ingest, const struct value *value, size_t index)
{
    struct ingest_v2 *v2 = &ingest->result.v2;
    const struct value *parameters;
    char place[80];
    uint64_t count = 0;
    snprintf(place, sizeof place, "outputs[%zu].name", index);
    if (value_type(value_member(value, "name")) != VALUE_STRING)
        return ingest_fail(ingest, "%s: not a string", place);
    if (!json_form_string(ingest, value_member(value, "name"), place, v2->output[index].name,
                          INGEST_NAME_SIZE))
        return false;
    for (size_t i = 0; i < index; i++)
        if (strcmp(v2->output[i].name, v2->output[index].name) == 0)
            return ingest_fail(ingest, "%s: asked for twice", place);
    snprintf(place, sizeof place, "outputs[%zu]", index);
    if (!find_parameters(ingest, value, place, &parameters)) return false;
    const struct value *binary = value_member(parameters, "binary_data");
    const struct value *classes = value_member(parameters, "classification");
    snprintf(place, sizeof place, "outputs[%zu].parameters.binary_data", index);
    v2->output[index].has_binary = binary != NULL;
    if (!read_bool(ingest, binary, place, &v2->output[index].binary)) return false;
    snprintf(place, sizeof place, "outputs[%zu].parameters.classification", index);
    if (classes && !json_form_whole(ingest, classes, place, 1, INGEST_MAX_TOP_K, &count))
        return false;
    v2->output[index].classes = (size_t)count;
    return true;
}

static bool read_outputs(struct ingest *ingest, const struct value *outputs)
{
    const size_t count = value_size(outputs);
    if (!outputs) return true;
    if (value_type(outputs) != VALUE_ARRAY) return ingest_fail(ingest, "outputs: not an array");
    if (count > INGEST_MAX_OUTPUTS)
        return ingest_fail(ingest, "outputs: %zu, at most %d can be asked for", count,
                           INGEST_MAX_OUTPUTS);
    ingest->result.v2.outputs = count;
    for (size_t i = 0; i < count; i++)
        if (!read_output(ingest, value_element(outputs, i), i)) return false;
    return true;
}

/* true and false, nested or flat: the reader of number arrays left them in the envelope. */
static bool take_booleans(struct ingest *ingest, const struct value *array, const char *place,
                          size_t *capacity)
{
    struct tensor *tensor = &ingest->result.tensor;
    for (size_t i = 0; i < value_size(array); i++) {
        const struct value *element = value_element(array, i);
        char inner[120];
        if (value_type(element) == VALUE_BOOL) {
            if (!ingest_reserve(ingest, capacity, tensor->count + 1)) return false;
            tensor->data[tensor->count++] = value_is_true(element);
            continue;
        }
        snprintf(inner, sizeof inner, "%.90s[%zu]", place, i);
        if (value_type(element) != VALUE_ARRAY)
            return ingest_fail(ingest, "%s: neither true nor false", inner);
        if (!take_booleans(ingest, element, inner, capacity)) return false;
    }
    return true;
}

/* In the JSON: numbers, whatever their type, or what BOOL has. */
static bool take_data(struct ingest *ingest, const struct value *data, enum datatype datatype)
{
    struct json_array array;
    size_t capacity = 0;
    if (!datatype_in_json(datatype))
        return ingest_fail(ingest, "inputs[0].data: %s can't be written as JSON",
                           datatype_name(datatype));
    if (datatype == DATATYPE_BOOL && value_type(data) == VALUE_ARRAY)
        return take_booleans(ingest, data, "inputs[0].data", &capacity);
    if (!json_form_array(ingest, data, "inputs[0].data", &array) ||
        !json_form_check_type(ingest, data, "inputs[0].data", datatype))
        return false;
    json_form_take(ingest);
    return true;
}

/* The data of the input: in the JSON, or the size of what follows it. */
static bool read_data(struct ingest *ingest, const struct value *input, enum datatype datatype,
                      size_t *binary)
{
    struct tensor *tensor = &ingest->result.tensor;
    const struct value *data = value_member(input, "data"), *parameters;
    uint64_t bytes;
    *binary = 0;
    if (!find_parameters(ingest, input, "inputs[0]", &parameters)) return false;
    const struct value *size = value_member(parameters, "binary_data_size");
    if (!size)
        return take_data(ingest, data, datatype) &&
               json_form_check_count(ingest, "inputs[0].data", tensor);
    if (data) return ingest_fail(ingest, "inputs[0]: both data and binary_data_size");
    if (!json_form_whole(ingest, size, "inputs[0].parameters.binary_data_size", 1, 0x1p53, &bytes))
        return false;
    if (bytes % datatype_size(datatype))
        return ingest_fail(ingest, "inputs[0]: %llu bytes are not whole elements of %s",
                           (unsigned long long)bytes, datatype_name(datatype));
    tensor->count = (size_t)bytes / datatype_size(datatype);
    *binary = (size_t)bytes;
    return json_form_check_count(ingest, "inputs[0]", tensor);
}

static bool read_datatype(struct ingest *ingest, const struct value *input, enum datatype *datatype)
{
    char name[16] = "";
    if (!json_form_string(ingest, value_member(input, "datatype"), "inputs[0].datatype", name,
                          sizeof name))
        return false;
    return datatype_of(name, datatype) ||
           ingest_fail(ingest, "inputs[0].datatype: '%s' is not a type of numbers", name);
}

static bool read_request(struct ingest *ingest, const struct value *root, enum datatype *datatype,
                         size_t *binary)
{
    const struct value *inputs = value_member(root, "inputs");
    const struct value *input = value_element(inputs, 0);
    struct ingest_result *result = &ingest->result;
    result->protocol = PROTOCOL_V2;
    ingest_set_layout(ingest, LAYOUT_BATCH, "inputs[0]");
    if (value_type(inputs) != VALUE_ARRAY) return ingest_fail(ingest, "inputs: not an array");
    if (value_size(inputs) != 1)
        return ingest_fail(ingest, "inputs: %zu, the model has one", value_size(inputs));
    if (value_type(input) != VALUE_OBJECT) return ingest_fail(ingest, "inputs[0]: not an object");
    if (value_type(value_member(input, "name")) != VALUE_STRING)
        return ingest_fail(ingest, "inputs[0].name: not a string");
    return json_form_string(ingest, optional(root, "id"), "id", result->id, sizeof result->id) &&
           read_parameters(ingest, optional(root, "parameters")) &&
           read_outputs(ingest, optional(root, "outputs")) &&
           json_form_string(ingest, value_member(input, "name"), "inputs[0].name", result->v2.input,
                            sizeof result->v2.input) &&
           read_datatype(ingest, input, datatype) &&
           json_form_shape(ingest, value_member(input, "shape"), "inputs[0].shape",
                           &result->tensor) &&
           read_data(ingest, input, *datatype, binary);
}

bool v2_json_read(struct ingest *ingest, const struct value *root, size_t *binary)
{
    enum datatype datatype;
    return read_request(ingest, root, &datatype, binary);
}

/* ---- JSON and bytes behind it ---------------------------------------------------------------- */

/* The form's own state. */
struct v2 {
    size_t json_left; /* bytes of the JSON to come */
    size_t binary;    /* bytes of the tensor, SIZE_MAX: whole samples */
    size_t taken;     /* of those */
    struct elements elements;
    struct floats floats;
    bool read; /* the JSON is complete */
};

static struct v2 *own_of(struct ingest *ingest)
{
    return ((struct json_form *)ingest->state)->own;
}

static bool begin(struct ingest *ingest)
{
    static const char *const places[] = {V2_PLACES, NULL};
    if (!json_form_begin(ingest, places)) return false;
    struct json_form *form = ingest->state;
    struct v2 *v2 = calloc(1, sizeof *v2);
    form->own = v2;
    if (!v2) return false;
    v2->json_left = ingest->spec.json_size;
    if (v2->json_left > 0) return true;
    // no JSON at all: the body is the data of the one input
    v2->read = true;
    v2->binary = SIZE_MAX;
    v2->elements.datatype = DATATYPE_FP32;
    ingest->result.protocol = PROTOCOL_V2;
    ingest->result.v2.binary_output = true;
    return true;
}

static bool end_json(struct ingest *ingest, struct v2 *v2)
{
    v2->read = true;
    if (!json_form_end(ingest)) return false;
    const struct value *root = ((struct json_form *)ingest->state)->root;
    return read_request(ingest, root, &v2->elements.datatype, &v2->binary);
}

static bool take_binary(struct ingest *ingest, struct v2 *v2, const void *bytes, size_t size)
{
    const size_t each = datatype_size(v2->elements.datatype), most = ingest->spec.max_floats;
    if (size == 0) return true;
    if (size > v2->binary - v2->taken)
        return ingest_fail(ingest, "body: more than the %zu bytes of tensors that the JSON names",
                           v2->binary);
    v2->taken += size;
    if (v2->taken / each > most) return ingest_error_too_many(&ingest->error, most);
    // all of it, where the length of the body promises as much
    size_t room = v2->binary < ingest->spec.body_size ? v2->binary : ingest->spec.body_size;
    if (room < v2->taken) room = v2->taken;
    if (!floats_reserve(&v2->floats, room / each + 1, most + 1)) return ingest_fail_memory(ingest);
    elements_feed(&v2->elements, bytes, size, &v2->floats);
    return true;
}

static bool feed(struct ingest *ingest, const void *bytes, size_t size)
{
    struct v2 *v2 = own_of(ingest);
    const size_t json = size < v2->json_left ? size : v2->json_left;
    if (json > 0 && !json_form_feed(ingest, bytes, json)) return false;
    if (v2->json_left != SIZE_MAX) v2->json_left -= json;
    if (v2->json_left > 0) return true;
    if (!v2->read && !end_json(ingest, v2)) return false;
    return take_binary(ingest, v2, (const char *)bytes + json, size - json);
}

/* What its bytes can say that is no value of their type. */
static bool check_values(struct ingest *ingest, const struct v2 *v2)
{
    const float *value = v2->floats.data;
    const size_t count = v2->floats.count, finite = floats_not_finite(value, count);
    const char *type = datatype_name(v2->elements.datatype);
    if (finite < count)
        return ingest_fail(ingest, "inputs[0]: element %zu of %s is not a finite float32", finite,
                           type);
    for (size_t i = 0; v2->elements.datatype == DATATYPE_BOOL && i < count; i++)
        if (value[i] > 1)
            return ingest_fail(ingest,
                               "inputs[0]: element %zu of BOOL is the byte %.0f, not 0 or 1", i,
                               (double)value[i]);
    return true;
}

/* The tensor that came as bytes becomes the result's. */
static bool end_binary(struct ingest *ingest, struct v2 *v2)
{
    struct tensor *tensor = &ingest->result.tensor;
    const size_t sample = ingest->spec.sample_size;
    if (v2->binary != SIZE_MAX && v2->taken < v2->binary)
        return ingest_fail(ingest, "body: %zu bytes behind the JSON, inputs[0] needs %zu",
                           v2->taken, v2->binary);
    if (v2->elements.rests || !v2->floats.count ||
        (v2->binary == SIZE_MAX && v2->floats.count % sample))
        return ingest_fail(ingest, "body: %zu bytes, want whole samples of %zu bytes", v2->taken,
                           sample * sizeof(float));
    if (!check_values(ingest, v2)) return false;
    tensor->data = v2->floats.data;
    tensor->count = v2->floats.count;
    v2->floats = (struct floats){0};
    if (v2->binary != SIZE_MAX) return true;
    ingest_set_layout(ingest, LAYOUT_FLAT, "body");
    tensor->rank = 2;
    tensor->dim[0] = tensor->count / sample;
    tensor->dim[1] = sample;
    return true;
}

static bool finish(struct ingest *ingest)
{
    struct v2 *v2 = own_of(ingest);
    if (v2->json_left > 0 && v2->json_left != SIZE_MAX)
        return ingest_fail(ingest,
                           "body: ends %zu bytes before the JSON, whose size is in "
                           "Inference-Header-Content-Length, does",
                           v2->json_left);
    if (!v2->read && !end_json(ingest, v2)) return false;
    return v2->binary == 0 || end_binary(ingest, v2);
}

static void release(struct ingest *ingest)
{
    struct json_form *form = ingest->state;
    if (form && form->own) floats_free(&own_of(ingest)->floats);
    json_form_release(ingest);
}

const struct ingest_form_ops ingest_v2 = {
    .begin = begin, .feed = feed, .finish = finish, .release = release};
