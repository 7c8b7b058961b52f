#include "onnx_builder.h"

#include <onnx.pb-c.h>

#include <assert.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void *zeroed(size_t size)
{
    void *memory = calloc(1, size ? size : 1);
    assert(memory);
    return memory;
}

/* Appends to a repeated field. */
#define APPEND(count, array, element)                                \
    do {                                                             \
        (array) = realloc((array), ((count) + 1) * sizeof *(array)); \
        assert(array);                                               \
        (array)[(count)++] = (element);                              \
    } while (0)

#define NEW(type, pointer)                     \
    do {                                       \
        (pointer) = zeroed(sizeof *(pointer)); \
        type##__init(pointer);                 \
    } while (0)

/* The next word of *text, in memory of its own; an empty one at the end of the text. */
static char *next_word(const char **text, char separator)
{
    while (**text == separator) ++*text;
    const char *end = strchr(*text, separator);
    const size_t size = end ? (size_t)(end - *text) : strlen(*text);
    char *word = strndup(*text, size);
    assert(word);
    *text += size;
    return word;
}

static int64_t next_number(const char **text, char separator)
{
    char *word = next_word(text, separator);
    const int64_t number = strtoll(word, NULL, 10);
    free(word);
    return number;
}

static bool at_end(const char **text, char separator)
{
    while (**text == separator) ++*text;
    return **text == '\0';
}

float onnx_float(const char *name, size_t i)
{
    size_t seed = 0;
    for (const char *c = name; *c; c++) seed = seed * 31 + (unsigned char)*c;
    return (float)((seed + i * 7) % 13) / 8 - 0.625f;
}

/* ---- statements: each reads its words from *text --------------------------------------------- */

static Onnx__ValueInfo *new_info(const char **text)
{
    Onnx__ValueInfo *info;
    NEW(onnx__value_info, info);
    NEW(onnx__type, info->type);
    NEW(onnx__tensor_type, info->type->tensor_type);
    Onnx__TensorType *type = info->type->tensor_type;
    NEW(onnx__shape, type->shape);
    type->elem_type = 1;
    info->name = next_word(text, ' ');
    char *shape = next_word(text, ' ');
    for (const char *at = shape; !at_end(&at, ',');) {
        Onnx__Dimension *dim;
        NEW(onnx__dimension, dim);
        if (isalpha((unsigned char)*at))
            dim->dim_param = next_word(&at, ',');
        else
            dim->dim_value = next_number(&at, ',');
        APPEND(type->shape->n_dim, type->shape->dim, dim);
    }
    free(shape);
    return info;
}

/* Returns the number of elements. */
static size_t read_shape(Onnx__Tensor *tensor, const char **text)
{
    char *shape = next_word(text, ' ');
    size_t count = 1;
    for (const char *at = shape; *shape != '.' && !at_end(&at, ',');) {
        APPEND(tensor->n_dims, tensor->dims, next_number(&at, ','));
        count *= (size_t)tensor->dims[tensor->n_dims - 1];
    }
    free(shape);
    return count;
}

static void add_floats(Onnx__Tensor *tensor, const char **text)
{
    tensor->data_type = 1;
    const size_t count = read_shape(tensor, text);
    float *data = zeroed(count * sizeof *data);
    for (size_t i = 0; i < count; i++) data[i] = onnx_float(tensor->name, i);
    tensor->raw_data = (ProtobufCBinaryData){count * sizeof *data, (uint8_t *)data};
}

static void add_integers(Onnx__Tensor *tensor, const char **text)
{
    tensor->data_type = 7;
    char *values = next_word(text, ' ');
    for (const char *at = values; !at_end(&at, ',');)
        APPEND(tensor->n_int64_data, tensor->int64_data, next_number(&at, ','));
    APPEND(tensor->n_dims, tensor->dims, (int64_t)tensor->n_int64_data);
    free(values);
}

static void add_tensor(Onnx__Tensor *tensor, const char **text)
{
    tensor->data_type = (int32_t)next_number(text, ' ');
    read_shape(tensor, text);
    char *field = next_word(text, ' ');
    const int64_t count = next_number(text, ' ');
    if (strcmp(field, "external") == 0) tensor->data_location = 1;
    for (int64_t i = 1; i <= count; i++) {
        if (strcmp(field, "float") == 0)
            APPEND(tensor->n_float_data, tensor->float_data, (float)i);
        else if (strcmp(field, "double") == 0)
            APPEND(tensor->n_double_data, tensor->double_data, (double)i);
        else if (strcmp(field, "int32") == 0)
            APPEND(tensor->n_int32_data, tensor->int32_data, (int32_t)i);
        else if (strcmp(field, "int64") == 0)
            APPEND(tensor->n_int64_data, tensor->int64_data, i);
        else if (strcmp(field, "raw") == 0)
            APPEND(tensor->raw_data.len, tensor->raw_data.data, (uint8_t)i);
        else if (strcmp(field, "zeros") == 0)
            APPEND(tensor->raw_data.len, tensor->raw_data.data, 0);
    }
    free(field);
}

static void add_external(Onnx__Tensor *tensor, const char **text)
{
    tensor->data_type = 1;
    tensor->data_location = 1;
    read_shape(tensor, text);
    while (!at_end(text, ' ')) {
        Onnx__Entry *entry;
        NEW(onnx__entry, entry);
        entry->key = next_word(text, ' ');
        entry->value = next_word(text, ' ');
        APPEND(tensor->n_external_data, tensor->external_data, entry);
    }
}

static void set_value(Onnx__Attribute *attribute, Onnx__Graph *graph, const char *value)
{
    if (*value == '@') {
        Onnx__Tensor *last = graph->initializer[graph->n_initializer - 1];
        assert(strcmp(last->name, value + 1) == 0);
        attribute->type = 4;
        attribute->t = last;
        graph->n_initializer--;
    } else if (isalpha((unsigned char)*value)) {
        attribute->type = 3;
        attribute->s = (ProtobufCBinaryData){strlen(value), (uint8_t *)strdup(value)};
    } else if (strchr(value, ',')) {
        attribute->type = 7;
        while (!at_end(&value, ','))
            APPEND(attribute->n_ints, attribute->ints, next_number(&value, ','));
    } else if (strchr(value, '.')) {
        attribute->type = 1;
        attribute->f = strtof(value, NULL);
    } else {
        attribute->type = 2;
        attribute->i = strtoll(value, NULL, 10);
    }
}

static void add_attribute(Onnx__Node *node, Onnx__Graph *graph, char *word)
{
    Onnx__Attribute *attribute;
    NEW(onnx__attribute, attribute);
    char *equals = strchr(word, '=');
    assert(equals);
    attribute->name = strndup(word, (size_t)(equals - word));
    set_value(attribute, graph, equals + 1);
    APPEND(node->n_attribute, node->attribute, attribute);
    free(word);
}

/* "INPUTS > OUTPUTS ATTRIBUTES" */
static void add_words(Onnx__Node *node, Onnx__Graph *graph, const char **text)
{
    for (bool outputs = false; !at_end(text, ' ');) {
        char *word = next_word(text, ' ');
        if (strcmp(word, "-") == 0) *word = '\0';
        if (strchr(word, '=')) {
            add_attribute(node, graph, word);
        } else if (strcmp(word, ">") == 0) {
            outputs = true;
            free(word);
        } else if (outputs) {
            APPEND(node->n_output, node->output, word);
        } else {
            APPEND(node->n_input, node->input, word);
        }
    }
}

static void add_node(Onnx__Graph *graph, const char *type, const char **text)
{
    Onnx__Node *node;
    NEW(onnx__node, node);
    const char *colon = strchr(type, ':');
    node->domain = strndup(type, colon ? (size_t)(colon - type) : 0);
    node->op_type = strdup(colon ? colon + 1 : type);
    add_words(node, graph, text);
    APPEND(graph->n_node, graph->node, node);
}

static void add_opset(Onnx__Model *model, char *domain, int64_t version)
{
    Onnx__OperatorSet *set;
    NEW(onnx__operator_set, set);
    set->domain = domain;
    set->version = version;
    APPEND(model->n_opset_import, model->opset_import, set);
}

static void add_statement(Onnx__Model *model, const char *text)
{
    Onnx__Graph *graph = model->graph;
    char *word = next_word(&text, ' ');
    const bool floats = strcmp(word, "floats") == 0, ints = strcmp(word, "ints") == 0;
    const bool external = strcmp(word, "external") == 0;
    if (floats || ints || external || strcmp(word, "tensor") == 0) {
        Onnx__Tensor *tensor;
        NEW(onnx__tensor, tensor);
        tensor->name = next_word(&text, ' ');
        (floats     ? add_floats
         : ints     ? add_integers
         : external ? add_external
                    : add_tensor)(tensor, &text);
        APPEND(graph->n_initializer, graph->initializer, tensor);
    } else if (strcmp(word, "input") == 0) {
        APPEND(graph->n_input, graph->input, new_info(&text));
    } else if (strcmp(word, "output") == 0) {
        APPEND(graph->n_output, graph->output, new_info(&text));
    } else if (strcmp(word, "opset") == 0) {
        char *domain = next_word(&text, ' ');
        add_opset(model, domain, next_number(&text, ' '));
    } else if (*word) {
        add_node(graph, word, &text);
    }
    free(word);
}

uint8_t *onnx_build(int64_t opset, const char *text, size_t *size)
{
    Onnx__Model *model;
    NEW(onnx__model, model);
    NEW(onnx__graph, model->graph);
    model->ir_version = 8;
    add_opset(model, strdup(""), opset);
    while (!at_end(&text, ';')) {
        char *statement = next_word(&text, ';');
        add_statement(model, statement);
        free(statement);
    }
    *size = onnx__model__get_packed_size(model);
    uint8_t *bytes = zeroed(*size);
    onnx__model__pack(model, bytes);
    onnx__model__free_unpacked(model, NULL);
    return bytes;
}
