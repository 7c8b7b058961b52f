/* `resnetd inspect MODEL`: what a weights file turned out to be, and the steps it is run in.
 * Everything comes from rn_model_info and rn_layer_info; nothing is run. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"

static void print_facts(const rn_model_info *info)
{
    char shape[CMD_SHAPE], group[CMD_GROUPED];
    printf("architecture  %s\n", info->arch);
    printf("format        %s, sha256 %.16s\n", info->format, info->digest);
    printf("kernels       %s\n", info->isa);
    printf("input         N x %s\n", cmd_shape(info->input, shape));
    printf("output        N x %s%s\n", cmd_shape(info->output, shape),
           info->labels ? ", labelled" : "");
    printf("parameters    %s\n", cmd_grouped(info->parameters, group));
    printf("MACs          %s per image\n", cmd_grouped(info->macs, group));
    printf("memory        %s bytes of weights", cmd_grouped(info->weight_bytes, group));
    printf(", %s of activations per image\n", cmd_grouped(info->activation_bytes, group));
}

/* "Conv2d+Add+ReLU" */
static void operator_text(const rn_layer_info *layer, char *text, size_t size)
{
    snprintf(text, size, "%s%s%s", layer->op, *layer->fused ? "+" : "", layer->fused);
}

static int longer(int width, const char *text)
{
    const int length = (int)strlen(text);
    return length > width ? length : width;
}

static void print_layers(const rn_model *model)
{
    rn_layer_info layer;
    char op[96], in[CMD_SHAPE], out[CMD_SHAPE], parameters[CMD_GROUPED], macs[CMD_GROUPED];
    int name_width = 5, op_width = 8, detail_width = 6;
    for (size_t i = 0; rn_model_layer(model, i, &layer); i++) {
        operator_text(&layer, op, sizeof op);
        name_width = longer(name_width, layer.name);
        op_width = longer(op_width, op);
        detail_width = longer(detail_width, layer.detail);
    }
    printf("\n%-*s  %-*s  %-*s  %12s    %-12s %11s %13s  kernel\n", name_width, "layer", op_width,
           "operator", detail_width, "detail", "input", "output", "parameters", "MACs");
    for (size_t i = 0; rn_model_layer(model, i, &layer); i++) {
        operator_text(&layer, op, sizeof op);
        printf("%-*s  %-*s  %-*s  %12s -> %-12s %11s %13s  %s\n", name_width, layer.name, op_width,
               op, detail_width, layer.detail, cmd_shape(layer.in, in), cmd_shape(layer.out, out),
               cmd_grouped(layer.parameters, parameters), cmd_grouped(layer.macs, macs),
               layer.impl);
    }
}

int cmd_inspect(const struct cmd *self, int argc, char **argv)
{
    struct cmd_model_options options = {0};
    const struct cmd_option rows[] = {
        CMD_MODEL_ROWS(options),
    };
    cmd_parse(self, argc, argv, rows, sizeof rows / sizeof *rows, 1);

    rn_model *model = cmd_load_model(self, argv[optind], &options);
    const rn_model_info *info = rn_model_info_of(model);
    print_facts(info);
    for (size_t i = 0; i < info->notes; i++)
        printf("%-13s %s\n", i ? "" : "inferred", rn_model_note(model, i));
    print_layers(model);
    rn_model_release(model);
    return 0;
}
