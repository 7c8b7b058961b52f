/* From a parsed ONNX model to the graph: nodes come in the order in which they can run, so one walk
 * does; a table of names says what has been made so far. */
#include <onnx.pb-c.h>

#include "formats/onnx.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/size.h"

#define DEFAULT_SIDE 224
#define OLDEST_OPSET 7
#define NEWEST_OPSET 24
#define SHOWN        "%.60s"

/* ---- names ----------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const rn_onnx_name *)a)->name, ((const rn_onnx_name *)b)->name);
}

rn_onnx_name *rn_onnx_lookup(const rn_onnx_importer *im, const char *name)
{
    const rn_onnx_name key = {.name = name};
    return im->names ? bsearch(&key, im->name, im->names, sizeof key, compare_names) : NULL;
}

/* Sorts and keeps each name once. */
static void finish_names(rn_onnx_importer *im)
{
    size_t kept = 0;
    if (im->names) qsort(im->name, im->names, sizeof im->name[0], compare_names);
    for (size_t i = 0; i < im->names; i++)
        if (kept == 0 || strcmp(im->name[kept - 1].name, im->name[i].name) != 0)
            im->name[kept++] = im->name[i];
    im->names = kept;
}

static rn_status collect_names(rn_onnx_importer *im, const Onnx__Graph *graph, rn_error *err)
{
    size_t count = graph->n_input + graph->n_initializer;
    for (size_t i = 0; i < graph->n_node; i++) count += graph->node[i]->n_output;
    im->name = rn_onnx_alloc(im->doc, count, sizeof im->name[0], err);
    if (!im->name) return RN_ERR_MEMORY;
    for (size_t i = 0; i < graph->n_input; i++) im->name[im->names++].name = graph->input[i]->name;
    for (size_t i = 0; i < graph->n_initializer; i++)
        im->name[im->names++].name = graph->initializer[i]->name;
    for (size_t i = 0; i < graph->n_node; i++)
        for (size_t k = 0; k < graph->node[i]->n_output; k++)
            im->name[im->names++].name = graph->node[i]->output[k];
    finish_names(im);
    return RN_OK;
}

static rn_status bind_initializers(rn_onnx_importer *im, const Onnx__Graph *graph, rn_error *err)
{
    for (size_t i = 0; i < graph->n_initializer; i++) {
        rn_onnx_name *name = rn_onnx_lookup(im, graph->initializer[i]->name);
        if (name->kind != RN_ONNX_UNSET)
            return rn_fail(err, RN_ERR_FORMAT, "tensor " SHOWN ": stands twice", name->name);
        name->constant = rn_onnx_alloc(im->doc, 1, sizeof *name->constant, err);
        if (!name->constant) return RN_ERR_MEMORY;
        name->kind = RN_ONNX_CONSTANT;
        const rn_status status =
            rn_onnx_read_tensor(name->constant, graph->initializer[i], name->name, err);
        if (status != RN_OK) return status;
    }
    return RN_OK;
}

/* ---- the model's input and output ------------------------------------------------------------ */

/* The size of one axis; `open` when the model leaves it to the caller. */
static size_t axis_size(const Onnx__Dimension *dim, size_t open)
{
    return dim->dim_value > 0 ? (size_t)dim->dim_value : open;
}

static rn_status input_dims(rn_onnx_importer *im, const Onnx__ValueInfo *input, rn_shape *dims,
                            rn_error *err)
{
    const Onnx__TensorType *type = input->type ? input->type->tensor_type : NULL;
    if (!type || !type->shape)
        return rn_fail(err, RN_ERR_FORMAT, "input " SHOWN ": it has no shape", input->name);
    if (type->elem_type != RN_ONNX_FLOAT && type->elem_type != RN_ONNX_FLOAT16 &&
        type->elem_type != RN_ONNX_DOUBLE)
        return rn_fail(err, RN_ERR_FORMAT, "input " SHOWN ": its type (%d) is no float",
                       input->name, type->elem_type);
    Onnx__Dimension **dim = type->shape->dim;
    const size_t rank = type->shape->n_dim;
    if ((rank != 4 && rank != 2) || axis_size(dim[1], 0) == 0)
        return rn_fail(err, RN_ERR_FORMAT,
                       "input " SHOWN ": want N x C x H x W or N x F with a known C or F",
                       input->name);
    im->batch = dim[0]->dim_value > 0 ? dim[0]->dim_value : 0;
    *dims = (rn_shape){.rank = rank - 1, .c = axis_size(dim[1], 0), .h = 1, .w = 1};
    if (rank == 2) return RN_OK;
    const rn_format_options *o = im->options;
    dims->h = o->input_height ? o->input_height : axis_size(dim[2], DEFAULT_SIDE);
    dims->w = o->input_width ? o->input_width : axis_size(dim[3], DEFAULT_SIDE);
    return RN_OK;
}

static rn_status import_input(rn_onnx_importer *im, const Onnx__ValueInfo *input, rn_error *err)
{
    rn_node node = {.op = RN_OP_INPUT, .name = input->name};
    const rn_status status = input_dims(im, input, &node.shape, err);
    if (status != RN_OK) return status;
    rn_onnx_name *name = rn_onnx_lookup(im, input->name);
    name->kind = RN_ONNX_VALUE;
    name->value = rn_graph_add(im->graph, &node, RN_NO_SOURCES, err);
    return name->value < 0 ? rn_failure(err) : RN_OK;
}

/* Old files list their initialisers among the inputs; what remains must be one. */
static rn_status import_inputs(rn_onnx_importer *im, const Onnx__Graph *graph, rn_error *err)
{
    for (size_t i = 0; i < graph->n_input; i++) {
        const Onnx__ValueInfo *input = graph->input[i];
        if (rn_onnx_lookup(im, input->name)->kind != RN_ONNX_UNSET) continue;
        if (im->graph->count)
            return rn_fail(err, RN_ERR_FORMAT, "two inputs (%.60s, %.60s), one can be served",
                           im->graph->node[0].name, input->name);
        const rn_status status = import_input(im, input, err);
        if (status != RN_OK) return status;
    }
    if (im->graph->count == 0) return rn_fail(err, RN_ERR_FORMAT, "the model has no input");
    return RN_OK;
}

static rn_status import_output(rn_onnx_importer *im, const Onnx__Graph *graph, rn_error *err)
{
    if (graph->n_output != 1)
        return rn_fail(err, RN_ERR_FORMAT, "%zu outputs, one can be served", graph->n_output);
    const rn_onnx_name *name = rn_onnx_lookup(im, graph->output[0]->name);
    if (!name || name->kind != RN_ONNX_VALUE)
        return rn_fail(err, RN_ERR_FORMAT, "output " SHOWN ": no node makes it",
                       graph->output[0]->name);
    if (name->view.form != RN_ONNX_AS_IS)
        return rn_fail(err, RN_ERR_FORMAT, "output " SHOWN ": its shape can't be served",
                       graph->output[0]->name);
    return rn_graph_add_output(im->graph, name->name, name->value, err);
}

/* ---- nodes ----------------------------------------------------------------------------------- */

/* What the import function never asked about could mean anything. */
static void check_attributes(rn_onnx_node *node)
{
    for (size_t i = 0; i < node->proto->n_attribute; i++)
        if (i >= 64 || !(node->asked >> i & 1))
            rn_onnx_fail(node, "attribute " SHOWN " isn't known", node->proto->attribute[i]->name);
}

static rn_status import_node(rn_onnx_importer *im, const Onnx__Node *proto, rn_error *err)
{
    rn_onnx_node node = {.im = im, .proto = proto, .err = err};
    const rn_onnx_op *op = rn_onnx_find_op(proto->domain, proto->op_type);
    if (!op) {
        rn_onnx_fail(&node, "this operator can't be served");
    } else if (proto->n_input < op->least || proto->n_input > op->most) {
        rn_onnx_fail(&node, "%zu inputs", proto->n_input);
    } else if (proto->n_output == 0) {
        rn_onnx_fail(&node, "no output");
    } else {
        node.row = op;
        op->import(&node);
        if (node.status == RN_OK) check_attributes(&node);
    }
    if (node.status != RN_OK && !node.named)
        rn_context(err, "node %.60s (%s%s%.40s)",
                   *proto->name || proto->n_output == 0 ? proto->name : proto->output[0],
                   proto->domain, *proto->domain ? "." : "", proto->op_type);
    return node.status;
}

static rn_status read_opset(rn_onnx_importer *im, const Onnx__Model *model, rn_error *err)
{
    for (size_t i = 0; i < model->n_opset_import; i++) {
        const Onnx__OperatorSet *set = model->opset_import[i];
        if (*set->domain == '\0' || strcmp(set->domain, "ai.onnx") == 0) im->opset = set->version;
    }
    if (im->opset < OLDEST_OPSET || im->opset > NEWEST_OPSET)
        return rn_fail(err, RN_ERR_FORMAT, "onnx: opset %lld, %d to %d can be served",
                       (long long)im->opset, OLDEST_OPSET, NEWEST_OPSET);
    return RN_OK;
}

rn_status rn_onnx_build(rn_graph *graph, rn_tensors *set, const rn_format_options *options,
                        rn_error *err)
{
    rn_onnx_importer im = {.graph = graph, .set = set, .doc = set->document, .options = options};
    const Onnx__Graph *source = im.doc->model->graph;
    rn_status status = read_opset(&im, im.doc->model, err);
    if (status == RN_OK) status = collect_names(&im, source, err);
    if (status == RN_OK) status = bind_initializers(&im, source, err);
    if (status == RN_OK) status = import_inputs(&im, source, err);
    for (size_t i = 0; i < source->n_node && status == RN_OK; i++)
        status = import_node(&im, source->node[i], err);
    if (status == RN_OK) status = import_output(&im, source, err);
    return status;
}
