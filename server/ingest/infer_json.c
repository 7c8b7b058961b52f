/* POST /infer: {"input": nested} or {"input": flat, "shape": [...]}, and parameters. A request of
 * another protocol is known by its keys. */
#include "ingest/json_form.h"

#include <string.h>

static const char *const known[] = {"input",      "shape",    "model", "top_k",
                                    "timeout_ms", "priority", "id",    NULL};

static bool check_keys(struct ingest *ingest, const struct value *root)
{
    for (const char *key = NULL; (key = value_next_key(root, key)) != NULL;) {
        size_t i = 0;
        while (known[i] && strcmp(known[i], key) != 0) i++;
        if (!known[i])
            return ingest_fail(ingest,
                               "%.60s: no such key here; known are input, shape, model, top_k, "
                               "timeout_ms, priority and id",
                               key);
    }
    return true;
}

static bool read_parameters(struct ingest *ingest, const struct value *root)
{
    struct ingest_result *result = &ingest->result;
    const struct value *top_k = value_member(root, "top_k");
    const struct value *timeout = value_member(root, "timeout_ms");
    const struct value *priority = value_member(root, "priority");
    uint64_t value = 0;
    if (top_k && !json_form_whole(ingest, top_k, "top_k", 0, INGEST_MAX_TOP_K, &value))
        return false;
    result->has_top_k = top_k != NULL;
    result->top_k = (size_t)value;
    if (timeout && !json_form_whole(ingest, timeout, "timeout_ms", 1, INGEST_MAX_TIMEOUT_MS,
                                    &result->timeout_ms))
        return false;
    result->has_timeout = timeout != NULL;
    if (priority &&
        !json_form_whole(ingest, priority, "priority", 0, INGEST_MAX_PRIORITY, &result->priority))
        return false;
    result->has_priority = priority != NULL;
    return json_form_string(ingest, value_member(root, "model"), "model", result->model,
                            sizeof result->model) &&
           json_form_string(ingest, value_member(root, "id"), "id", result->id, sizeof result->id);
}

static bool begin(struct ingest *ingest)
{
    static const char *const places[] = {"input", V2_PLACES, V1_PLACES, NULL};
    return json_form_begin(ingest, places);
}

static bool read_infer(struct ingest *ingest, const struct value *root)
{
    struct tensor *tensor = &ingest->result.tensor;
    struct json_array array;
    if (!check_keys(ingest, root)) return false;
    if (!value_member(root, "input")) return ingest_fail(ingest, "body: no \"input\"");
    if (!read_parameters(ingest, root) ||
        !json_form_array(ingest, value_member(root, "input"), "input", &array))
        return false;
    json_form_take(ingest);
    tensor->rank = array.rank;
    memcpy(tensor->dim, array.dim, sizeof array.dim);
    const struct value *shape = value_member(root, "shape");
    // what "shape" says replaces what the nesting of the array says
    return !shape || (json_form_shape(ingest, shape, "shape", tensor) &&
                      json_form_check_count(ingest, "input", tensor));
}

static bool finish(struct ingest *ingest)
{
    size_t binary;
    if (!json_form_end(ingest)) return false;
    const struct value *root = ((struct json_form *)ingest->state)->root;
    if (value_member(root, "input")) return read_infer(ingest, root);
    if (value_member(root, "instances")) return v1_json_read(ingest, root);
    if (!value_member(root, "inputs")) return read_infer(ingest, root);
    if (!v2_json_read(ingest, root, &binary)) return false;
    return binary == 0 || ingest_fail(ingest, "inputs[0].data: is missing");
}

const struct ingest_form_ops ingest_infer_json = {begin, json_form_feed, finish, json_form_release};
