/* Requests of TF Serving's predict call: {"instances": rows} or {"inputs": columns}. The tensor is
 * the array itself, or the only member of an object, whatever its name; signature_name says
 * nothing, for a model has but one. */
#include "ingest/json_form.h"

#include <stdio.h>
#include <string.h>

static void take_array(struct ingest *ingest, const struct json_array *array, size_t rows)
{
    struct tensor *tensor = &ingest->result.tensor;
    json_form_take(ingest);
    tensor->rank = array->rank + (rows > 0);
    tensor->dim[0] = rows;
    memcpy(tensor->dim + (rows > 0), array->dim, array->rank * sizeof *array->dim);
}

/* The one member of an object. */
static bool only_member(struct ingest *ingest, const struct value *object, const char *place,
                        const char **name)
{
    if (value_type(object) != VALUE_OBJECT || value_size(object) != 1)
        return ingest_fail(ingest, "%s: neither an array nor an object of one input", place);
    *name = value_next_key(object, NULL);
    return true;
}

/* [{"x": [...]}, {"x": [...]}]: arrays of one input and shape, one behind the other in the floats.
 */
static bool read_row(struct ingest *ingest, const struct value *rows, size_t i,
                     struct json_array *first)
{
    const struct value *row = value_element(rows, i);
    struct json_array array = {0};
    const char *name = "", *first_name = value_next_key(value_element(rows, 0), NULL);
    char place[140];
    snprintf(place, sizeof place, "instances[%zu]", i);
    if (!only_member(ingest, row, place, &name)) return false;
    if (strcmp(name, first_name) != 0)
        return ingest_fail(ingest, "%s: the input '%.40s', that of instances[0] is '%.40s'", place,
                           name, first_name);
    snprintf(place, sizeof place, "instances[%zu].%.80s", i, name);
    if (!json_form_array(ingest, value_member(row, name), place, &array)) return false;
    if (i == 0) *first = array;
    return (array.rank == first->rank &&
            memcmp(array.dim, first->dim, first->rank * sizeof *first->dim) == 0) ||
           ingest_fail(ingest, "%s: another shape than in instances[0]", place);
}

static bool read_rows(struct ingest *ingest, const struct value *rows)
{
    const size_t count = value_size(rows);
    struct json_array first = {0};
    if (value_type(rows) != VALUE_ARRAY || count == 0)
        return ingest_fail(ingest, "instances: not an array of instances");
    for (size_t i = 0; i < count; i++)
        if (!read_row(ingest, rows, i, &first)) return false;
    if (first.rank == INGEST_MAX_RANK)
        return ingest_fail(ingest, "instances: more than %d dimensions", INGEST_MAX_RANK);
    take_array(ingest, &first, count);
    return true;
}

static bool read_columns(struct ingest *ingest, const struct value *inputs)
{
    struct json_array array;
    char place[100] = "inputs";
    if (value_type(inputs) == VALUE_OBJECT) {
        const char *name = "";
        if (!only_member(ingest, inputs, place, &name)) return false;
        inputs = value_member(inputs, name);
        snprintf(place, sizeof place, "inputs.%.80s", name);
    }
    if (!json_form_array(ingest, inputs, place, &array)) return false;
    take_array(ingest, &array, 0);
    return true;
}

bool v1_json_read(struct ingest *ingest, const struct value *root)
{
    static const char *const known[] = {
        "instances", "inputs", "signature_name", "model", "timeout_ms", "priority", NULL};
    const struct value *rows = value_member(root, "instances");
    const struct value *columns = value_member(root, "inputs");
    struct json_array array;
    if (!rows == !columns)
        return ingest_fail(ingest, rows ? "body: both \"instances\" and \"inputs\""
                                        : "body: neither \"instances\" nor \"inputs\"");
    if (!json_form_known(ingest, root, known) || !json_form_parameters(ingest, root)) return false;
    ingest_set_layout(ingest, rows ? LAYOUT_ROWS : LAYOUT_BATCH, rows ? "instances[0]" : "inputs");
    ingest->result.protocol = rows ? PROTOCOL_V1_ROWS : PROTOCOL_V1_COLUMNS;
    if (columns) return read_columns(ingest, columns);
    if (value_type(rows) != VALUE_NUMBER) return read_rows(ingest, rows);
    if (!json_form_array(ingest, rows, "instances", &array)) return false;
    take_array(ingest, &array, 0);
    return true;
}

static bool begin(struct ingest *ingest)
{
    static const char *const places[] = {V1_PLACES, "inputs", "inputs.*", NULL};
    return json_form_begin(ingest, places);
}

static bool finish(struct ingest *ingest)
{
    return json_form_end(ingest) && v1_json_read(ingest, ((struct json_form *)ingest->state)->root);
}

const struct ingest_form_ops ingest_v1 = {
    .begin = begin, .feed = json_form_feed, .finish = finish, .release = json_form_release};
