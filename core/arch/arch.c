#include "arch/arch.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arch/build.h"
#include "arch/describe.h"
#include "arch/family.h"
#include "arch/head.h"
#include "arch/layers.h"
#include "arch/preprocess.h"
#include "arch/subtree.h"
#include "base/error.h"
#include "base/mem.h"

#define DEFAULT_SIDE       224
#define DEFAULT_SMALL_SIDE 32 /* of a net whose stem halves nothing */

rn_status rn_arch_note(rn_arch *arch, rn_error *err, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char **grown = rn_grow(arch->note, arch->notes, &arch->note_capacity, sizeof *grown, err);
    if (!grown) return RN_ERR_MEMORY;
    arch->note = grown;
    char *copy = rn_strdup(text, err);
    if (!copy) return RN_ERR_MEMORY;
    arch->note[arch->notes++] = copy;
    return RN_OK;
}

void rn_arch_release(rn_arch *arch)
{
    for (size_t i = 0; i < arch->notes; i++) rn_free(arch->note[i]);
    for (size_t i = 0; i < arch->labels; i++) rn_free(arch->label[i]);
    rn_free(arch->note);
    rn_free(arch->label);
    *arch = (rn_arch){0};
}

rn_status rn_arch_bad_key(rn_error *err, const char *key, const char *wanted)
{
    return rn_fail(err, RN_ERR_FORMAT, "config.json: %s: want %s", key, wanted);
}

/* ---- input ----------------------------------------------------------------------------------- */

/* Our own "input": {"shape": [C, H, W]} or timm's input_size; NULL when neither. */
static const rn_json *input_shape(const rn_json *config, const char **key)
{
    const rn_json *shape = rn_json_get(rn_json_get(config, "input"), "shape");
    *key = "input.shape";
    if (!rn_json_is_null(shape)) return shape;
    *key = "pretrained_cfg.test_input_size";
    if (rn_preprocess_test_size(config))
        shape = rn_json_get(rn_timm_config(config), "test_input_size");
    if (!rn_json_is_null(shape)) return shape;
    *key = "pretrained_cfg.input_size";
    shape = rn_json_get(rn_timm_config(config), "input_size");
    return rn_json_is_null(shape) ? NULL : shape;
}

/* dims: C, H, W; unchanged when neither config.json nor preprocessor_config.json says them. */
static rn_status read_input(size_t dims[3], const rn_arch_options *options, rn_error *err)
{
    const char *key;
    const rn_json *shape = input_shape(options->config, &key);
    if (!shape) {
        rn_preprocess_input(options, &dims[1], &dims[2]);
        return RN_OK;
    }
    if (!rn_json_is_array(shape) || rn_json_count(shape) != 3)
        return rn_arch_bad_key(err, key, "[C, H, W]");
    for (size_t i = 0; i < 3; i++)
        if (!rn_json_size(rn_json_at(shape, i), &dims[i]) || dims[i] == 0)
            return rn_arch_bad_key(err, key, "[C, H, W], each a size of at least 1");
    return RN_OK;
}

/* The caller's options stand above config.json, and that above the default. */
static int add_input(const rn_builder *b, const rn_arch_options *options, const size_t dims[3])
{
    const size_t height = options->input_height ? options->input_height : dims[1];
    const size_t width = options->input_width ? options->input_width : dims[2];
    return rn_build_input(b, dims[0], height, width);
}

/* ---- the network ----------------------------------------------------------------------------- */

static rn_status build_layers(const rn_builder *b, const rn_arch_options *options)
{
    const rn_json *list = rn_json_get(options->config, "layers");
    size_t dims[3] = {0};
    rn_status status = read_input(dims, options, b->err);
    if (status != RN_OK) return status;
    if (dims[0] == 0) return rn_arch_bad_key(b->err, "input.shape", "[C, H, W]");
    snprintf(b->arch->name, sizeof b->arch->name, "layers");
    status = rn_arch_note(b->arch, b->err, "network: the list of %zu layers in config.json",
                          rn_json_count(list));
    if (status != RN_OK) return status;
    const int input = add_input(b, options, dims);
    if (input < 0) return b->err->status;
    const int output = rn_layers_build(b, input, list);
    return output < 0 ? b->err->status : rn_graph_add_output(b->graph, "output", output, b->err);
}

static rn_status build_family(const rn_builder *b, const rn_arch_options *options)
{
    rn_family family;
    rn_status status = rn_family_infer(&family, b);
    if (status == RN_OK) status = rn_family_correct(&family, b, options->config);
    if (status == RN_OK) status = rn_family_identify(&family, b, options->config);
    if (status != RN_OK) return status;
    const bool small = family.stem_stride == 1 && !family.stem_pool;
    const size_t side = small ? DEFAULT_SMALL_SIDE : DEFAULT_SIDE;
    size_t dims[3] = {family.in_channels, side, side};
    status = read_input(dims, options, b->err);
    if (status != RN_OK) return status;
    const int input = add_input(b, options, dims);
    if (input < 0) return b->err->status;
    const int output = rn_family_build(&family, b, input);
    return output < 0 ? b->err->status : rn_graph_add_output(b->graph, "output", output, b->err);
}

static bool is_list(const rn_json *config)
{
    const char *type = rn_json_string(rn_json_get(config, "model_type"));
    return type ? strcmp(type, "layers") == 0 : !rn_json_is_null(rn_json_get(config, "layers"));
}

static rn_status note_input(rn_arch *arch, const rn_graph *graph, const rn_arch_options *options,
                            rn_error *err)
{
    const char *from = "default";
    size_t height, width;
    const rn_shape in = rn_graph_shape(graph, graph->input[0].value);
    if (options->input_height || options->input_width)
        from = "option";
    else if (!input_shape(options->config, &from))
        from =
            rn_preprocess_input(options, &height, &width) ? "preprocessor_config.json" : "default";
    return rn_arch_note(arch, err, "input: %zux%zux%zu (size: %s)", in.c, in.h, in.w, from);
}

/* A format that holds the network too has built it. */
static rn_status take_over(rn_arch *arch, const rn_graph *graph, const rn_tensors *tensors,
                           const rn_arch_options *options, rn_error *err)
{
    snprintf(arch->name, sizeof arch->name, "%s", tensors->format);
    const rn_status status =
        rn_arch_note(arch, err, "network: %zu nodes of the %s file", graph->count, tensors->format);
    return status == RN_OK ? rn_arch_describe(arch, graph, options, err) : status;
}

static rn_status build_network(const rn_builder *b, const rn_arch_options *options)
{
    const bool list = is_list(options->config);
    rn_status status = list ? build_layers(b, options) : build_family(b, options);
    if (status == RN_OK) status = rn_tensors_check_used(b->tensors, b->err);
    if (status == RN_OK) status = note_input(b->arch, b->graph, options, b->err);
    if (status == RN_OK) status = rn_arch_describe(b->arch, b->graph, options, b->err);
    return status;
}

rn_status rn_arch_build(rn_arch *arch, rn_graph *graph, rn_tensors *tensors,
                        const rn_arch_options *options, rn_error *err)
{
    rn_error own = {0};
    rn_names names = {0};
    if (!err) err = &own;
    *arch = (rn_arch){0};
    if (options->config && !rn_json_is_object(options->config))
        return rn_fail(err, RN_ERR_FORMAT, "config.json: want an object");
    if (graph->count) return take_over(arch, graph, tensors, options, err);
    rn_subtree subtree;
    const rn_json *list = is_list(options->config) ? rn_json_get(options->config, "layers") : NULL;
    rn_status status = rn_subtree_find(&subtree, tensors, options->config, list, err);
    if (status == RN_OK) status = rn_names_init(&names, tensors, subtree.prefix, !list, err);
    if (status == RN_OK && !list && rn_names_have(&names, "layer1.0."))
        status = rn_head_find(&names, tensors, subtree.prefix, arch, err);
    const rn_builder builder = {arch, graph, tensors, &names, err};
    if (status == RN_OK) status = build_network(&builder, options);
    if (status == RN_OK) status = rn_subtree_note(&subtree, tensors, arch, err);
    rn_names_release(&names);
    rn_subtree_release(&subtree);
    return status;
}
