#include "unit/fake_net.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static const float zeros[12 << 20];

void fake_init(fake_net *net)
{
    *net = (fake_net){0};
    rn_graph_init(&net->graph);
}

static void add(fake_net *net, const rn_tensor *tensor, size_t bytes, const char *name)
{
    const rn_status status =
        rn_tensors_add(&net->tensors, name, strlen(name), tensor, bytes, &net->err);
    ck_assert_msg(status == RN_OK, "%s", net->err.text);
}

void fake_add(fake_net *net, size_t a, size_t b, size_t c, size_t d, const char *name)
{
    rn_tensor tensor = {.shape = {a, b, c, d}, .data = (const uint8_t *)zeros};
    while (tensor.rank < 4 && tensor.shape[tensor.rank]) tensor.rank++;
    rn_tensor_row_major(&tensor);
    add(net, &tensor, sizeof zeros, name);
}

void fake_add_norm(fake_net *net, size_t channels, const char *layer)
{
    static const char *const leaves[] = {"weight", "bias", "running_mean", "running_var"};
    char name[128];
    for (size_t i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s.%s", layer, leaves[i]);
        fake_add(net, channels, 0, 0, 0, name);
    }
    const rn_tensor counter = {.dtype = RN_I64, .data = (const uint8_t *)zeros};
    snprintf(name, sizeof name, "%s.num_batches_tracked", layer);
    add(net, &counter, sizeof zeros, name);
}

static void add_conv(fake_net *net, const size_t shape[3], const char *conv, const char *norm)
{
    char name[128];
    snprintf(name, sizeof name, "%s.weight", conv);
    fake_add(net, shape[0], shape[1], shape[2], shape[2], name);
    fake_add_norm(net, shape[0], norm);
}

/* The number-th convolution of a block, with its norm. shape: oc, ic / groups, kernel */
static void add_block_conv(fake_net *net, const char *block, int number, const size_t shape[3])
{
    char conv[64], norm[64];
    snprintf(conv, sizeof conv, number ? "%s.conv%d" : "%s.downsample.0", block, number);
    snprintf(norm, sizeof norm, number ? "%s.bn%d" : "%s.downsample.1", block, number);
    add_conv(net, shape, conv, norm);
}

static size_t or_default(size_t value, size_t other)
{
    return value ? value : other;
}

/* Returns the channels that come out. */
static size_t add_block(fake_net *net, const fake_resnet *want, const char *block, size_t in,
                        size_t planes)
{
    const size_t out = want->bottleneck ? planes * 4 : planes;
    if (want->bottleneck) {
        const size_t inner = planes * or_default(want->inner, 1);
        const size_t groups = or_default(want->groups, 1);
        add_block_conv(net, block, 1, (size_t[]){inner, in, 1});
        add_block_conv(net, block, 2, (size_t[]){inner, inner / groups, 3});
        add_block_conv(net, block, 3, (size_t[]){out, inner, 1});
    } else {
        add_block_conv(net, block, 1, (size_t[]){out, in, 3});
        add_block_conv(net, block, 2, (size_t[]){out, out, 3});
    }
    if (in != out) add_block_conv(net, block, 0, (size_t[]){out, in, 1});
    return out;
}

void fake_add_resnet(fake_net *net, const fake_resnet *want)
{
    const size_t stem[] = {want->width, or_default(want->in, 3), or_default(want->stem, 7)};
    size_t channels = want->width, planes = want->width;
    char block[48];
    add_conv(net, stem, "conv1", "bn1");
    for (size_t s = 0; s < want->stages; s++, planes *= 2)
        for (size_t i = 0; i < want->blocks[s]; i++) {
            snprintf(block, sizeof block, "layer%zu.%zu", s + 1, i);
            channels = add_block(net, want, block, channels, planes);
        }
    fake_add(net, or_default(want->classes, 10), channels, 0, 0, "fc.weight");
    fake_add(net, or_default(want->classes, 10), 0, 0, 0, "fc.bias");
}

static rn_tensor *find(fake_net *net, const char *name)
{
    for (size_t i = 0; i < net->tensors.count; i++)
        if (strcmp(net->tensors.tensor[i].name, name) == 0) return &net->tensors.tensor[i];
    ck_abort_msg("no tensor %s", name);
    return NULL;
}

void fake_remove(fake_net *net, const char *name)
{
    rn_tensor *tensor = find(net, name);
    rn_free(tensor->name);
    *tensor = net->tensors.tensor[--net->tensors.count];
}

void fake_rename(fake_net *net, const char *from, const char *to)
{
    rn_tensor *tensor = find(net, from);
    rn_free(tensor->name);
    tensor->name = rn_strdup(to, NULL);
}

static rn_json_document *parse(const char *text)
{
    rn_json_document *document = NULL;
    rn_error err;
    if (text) ck_assert_int_eq(rn_json_parse(&document, text, strlen(text), "text", &err), RN_OK);
    return document;
}

rn_status fake_build_with(fake_net *net, const fake_files *files)
{
    net->err = (rn_error){0};
    rn_status status = rn_tensors_sort(&net->tensors, &net->err);
    ck_assert_msg(status == RN_OK, "%s", net->err.text);
    rn_json_document *config = parse(files->config);
    rn_json_document *preprocessor = parse(files->preprocessor);
    const rn_arch_options options = {.config = rn_json_root(config),
                                     .input_height = files->height,
                                     .input_width = files->width,
                                     .labels = files->labels,
                                     .labels_size = files->labels ? strlen(files->labels) : 0,
                                     .preprocessor = rn_json_root(preprocessor)};
    status = rn_arch_build(&net->arch, &net->graph, &net->tensors, &options, &net->err);
    rn_json_free(config);
    rn_json_free(preprocessor);
    return status;
}

rn_status fake_build(fake_net *net, const char *config, size_t height, size_t width)
{
    return fake_build_with(net, &(fake_files){.config = config, .height = height, .width = width});
}

void fake_release(fake_net *net)
{
    rn_arch_release(&net->arch);
    rn_graph_release(&net->graph);
    rn_tensors_release(&net->tensors);
}
