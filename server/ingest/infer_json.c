/* POST /infer: {"input": nested} or {"input": flat, "shape": [...]}, and parameters. A request of
 * another protocol is known by its keys. */
#include "ingest/json_form.h"

#include <string.h>

static bool begin(struct ingest *ingest)
{
    static const char *const places[] = {"input", V2_PLACES, V1_PLACES, NULL};
    return json_form_begin(ingest, places);
}

/* Flat numbers have the shape that is said; that of nested ones may be said as well. */
static bool read_shape(struct ingest *ingest, const struct value *shape,
                       const struct json_array *array)
{
    struct tensor *tensor = &ingest->result.tensor;
    char said[80], nested[80];
    tensor->rank = array->rank;
    memcpy(tensor->dim, array->dim, sizeof array->dim);
    ingest_shape_text(tensor, nested, sizeof nested);
    if (!shape) return true;
    if (!json_form_shape(ingest, shape, "shape", tensor)) return false;
    if (array->rank == 1) return json_form_check_count(ingest, "input", tensor);
    ingest_shape_text(tensor, said, sizeof said);
    if (tensor->rank == array->rank &&
        !memcmp(tensor->dim, array->dim, array->rank * sizeof *array->dim))
        return true;
    return ingest_fail(ingest, "shape: %s, but input is nested as %s", said, nested);
}

static bool read_infer(struct ingest *ingest, const struct value *root)
{
    static const char *const known[] = {"input",      "shape",    "model", "top_k",
                                        "timeout_ms", "priority", "id",    NULL};
    struct json_array array;
    ingest_set_layout(ingest, LAYOUT_INPUT, "input");
    if (!json_form_known(ingest, root, known)) return false;
    if (!value_member(root, "input")) return ingest_fail(ingest, "body: no \"input\"");
    if (!json_form_parameters(ingest, root) ||
        !json_form_array(ingest, value_member(root, "input"), "input", &array))
        return false;
    json_form_take(ingest);
    const struct value *shape = value_member(root, "shape");
    return read_shape(ingest, value_type(shape) == VALUE_NULL ? NULL : shape, &array);
}

static bool finish(struct ingest *ingest)
{
    size_t binary;
    if (!json_form_end(ingest)) return false;
    const struct value *root = ((struct json_form *)ingest->state)->root;
    if (value_member(root, "input")) return read_infer(ingest, root);
    if (value_member(root, "instances")) return v1_json_read(ingest, root);
    if (!value_member(root, "inputs")) return read_infer(ingest, root);
    if (!v2_json_read(ingest, root, &binary) || !json_form_parameters(ingest, root)) return false;
    return binary == 0 || ingest_fail(ingest, "inputs[0].data: is missing");
}

const struct ingest_form_ops ingest_infer_json = {
    .begin = begin, .feed = json_form_feed, .finish = finish, .release = json_form_release};
