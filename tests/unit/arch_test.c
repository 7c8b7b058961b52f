/* What core/arch makes of names and shapes: the architecture, what config.json corrects, and what
 * is refused by the tensor's or key's name. */
#include "check_main.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "unit/fake_net.h"

static const char *note_about(const fake_net *net, const char *topic)
{
    for (size_t i = 0; i < net->arch.notes; i++)
        if (strncmp(net->arch.note[i], topic, strlen(topic)) == 0) return net->arch.note[i];
    return "";
}

static rn_shape dims_of(const fake_net *net, const char *name)
{
    for (size_t i = net->graph.count; i-- > 0;)
        if (strcmp(net->graph.node[i].name, name) == 0)
            return rn_graph_shape(&net->graph, net->graph.node[i].value);
    ck_abort_msg("no node %s", name);
    return (rn_shape){0};
}

static void expect_dims(const fake_net *net, const char *name, const char *text)
{
    char have[64];
    ck_assert_str_eq(rn_shape_write(dims_of(net, name), have, sizeof have), text);
}

static const struct {
    fake_resnet net;
    const char *name, *last; /* the last stage's size at the default input */
} inferred[] = {
    {{4, {2, 2, 2, 2}, .width = 64}, "resnet18", "512x7x7"},
    {{4, {3, 4, 6, 3}, .width = 64}, "resnet34", "512x7x7"},
    {{4, {2, 2, 2, 2}, .bottleneck = true, .width = 64}, "resnet26", "2048x7x7"},
    {{4, {3, 4, 6, 3}, .bottleneck = true, .width = 64}, "resnet50", "2048x7x7"},
    {{4, {3, 4, 23, 3}, .bottleneck = true, .width = 64}, "resnet101", "2048x7x7"},
    {{4, {3, 8, 36, 3}, .bottleneck = true, .width = 64}, "resnet152", "2048x7x7"},
    {{4, {3, 24, 36, 3}, .bottleneck = true, .width = 64}, "resnet200", "2048x7x7"},
    {{4, {3, 4, 6, 3}, .bottleneck = true, .width = 64, .inner = 2, .groups = 32},
     "resnext50_32x4d",
     "2048x7x7"},
    {{4, {3, 4, 23, 3}, .bottleneck = true, .width = 64, .inner = 4, .groups = 32},
     "resnext101_32x8d",
     "2048x7x7"},
    {{4, {3, 4, 23, 3}, .bottleneck = true, .width = 64, .inner = 4, .groups = 64},
     "resnext101_64x4d",
     "2048x7x7"},
    {{4, {3, 4, 6, 3}, .bottleneck = true, .width = 64, .inner = 2}, "wide_resnet50_2", "2048x7x7"},
    {{4, {3, 4, 6, 3}, .bottleneck = true, .width = 16}, "resnet (3,4,6,3 bottleneck)", "512x7x7"},
    {{4, {2, 1, 3, 1}, .width = 64}, "resnet (2,1,3,1 basic)", "512x7x7"},
    {{3, {3, 3, 3}, .width = 16, .stem = 3}, "resnet (3,3,3 basic)", "64x8x8"},
    {{5, {1, 1, 1, 1, 2}, .width = 8, .stem = 5}, "resnet (1,1,1,1,2 basic)", "128x4x4"},
};

START_TEST(infers_architecture)
{
    const fake_resnet *want = &inferred[_i].net;
    fake_net net;
    fake_init(&net);
    fake_add_resnet(&net, want);
    ck_assert_msg(fake_build(&net, NULL, 0, 0) == RN_OK, "%s", net.err.text);
    ck_assert_str_eq(net.arch.name, inferred[_i].name);
    char last[64];
    snprintf(last, sizeof last, "layer%zu.%zu.relu", want->stages,
             want->blocks[want->stages - 1] - 1);
    expect_dims(&net, last, inferred[_i].last);
    expect_dims(&net, "fc", "10");
    ck_assert_int_eq(net.graph.output[0].value, (int)net.graph.values - 1);
    fake_release(&net);
}
END_TEST

static const fake_resnet small = {4, {1, 1, 1, 1}, .width = 8};

START_TEST(input_size_comes_from_option_config_default)
{
    static const struct {
        const char *config;
        size_t height, width;
        const char *input, *note;
    } cases[] = {
        {NULL, 0, 0, "3x224x224", "input: 3x224x224 (size: default)"},
        {"{\"input\":{\"shape\":[3,65,97]}}", 0, 0, "3x65x97",
         "input: 3x65x97 (size: input.shape)"},
        {"{\"pretrained_cfg\":{\"input_size\":[3,160,160]}}", 0, 0, "3x160x160",
         "input: 3x160x160 (size: pretrained_cfg.input_size)"},
        {"{\"input\":{\"shape\":[3,65,97]}}", 33, 0, "3x33x97", "input: 3x33x97 (size: option)"},
        {NULL, 33, 35, "3x33x35", "input: 3x33x35 (size: option)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake_net net;
        fake_init(&net);
        fake_add_resnet(&net, &small);
        const rn_status status = fake_build(&net, cases[i].config, cases[i].height, cases[i].width);
        ck_assert_msg(status == RN_OK, "%s", net.err.text);
        expect_dims(&net, "input", cases[i].input);
        ck_assert_str_eq(note_about(&net, "input"), cases[i].note);
        fake_release(&net);
    }
}
END_TEST

/* What tensors can't show. layer1 of the default: 56x56. */
START_TEST(config_corrects)
{
    static const struct {
        const char *config, *node, *dims;
    } cases[] = {
        {"{}", "layer1.0.relu", "32x56x56"},
        {"{\"stem_stride\":1}", "layer1.0.relu", "32x112x112"},
        {"{\"stem_pool\":false}", "layer1.0.relu", "32x112x112"},
        {"{\"downsample_in_first_stage\":true}", "layer1.0.relu", "32x28x28"},
        {"{\"strides\":[1,2,1,3]}", "layer4.0.relu", "256x10x10"},
        {"{}", "layer2.0.conv1", "16x56x56"},
        {"{\"stride_in_1x1\":true}", "layer2.0.conv1", "16x28x28"},
        {"{\"downsample_in_bottleneck\":true}", "layer2.0.conv1", "16x28x28"},
        {"{\"depths\":[1,1,1,1],\"layer_type\":\"bottleneck\",\"hidden_act\":\"relu\"}", "fc",
         "10"},
        {"{\"num_classes\":10}", "fc", "10"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake_net net;
        fake_init(&net);
        fake_add_resnet(&net, &(fake_resnet){4, {1, 1, 1, 1}, .bottleneck = true, .width = 8});
        ck_assert_msg(fake_build(&net, cases[i].config, 0, 0) == RN_OK, "%s", net.err.text);
        expect_dims(&net, cases[i].node, cases[i].dims);
        fake_release(&net);
    }
}
END_TEST

START_TEST(config_eps_reaches_batch_norm)
{
    fake_net net;
    fake_init(&net);
    fake_add_resnet(&net, &small);
    ck_assert_int_eq(fake_build(&net, "{\"batch_norm_eps\":0.001}", 0, 0), RN_OK);
    size_t norms = 0;
    for (size_t i = 0; i < net.graph.count; i++) {
        if (net.graph.node[i].op != RN_OP_BATCH_NORM) continue;
        ck_assert_double_eq(net.graph.node[i].eps, 0.001);
        norms++;
    }
    ck_assert_uint_eq(norms, 1 + 4 * 2 + 3);
    fake_release(&net);
}
END_TEST

/* A stage of the same width without a shortcut can't have a stride. */
START_TEST(stage_without_shortcut_keeps_size)
{
    fake_net net;
    fake_init(&net);
    fake_add_resnet(&net, &(fake_resnet){1, {2}, .width = 8});
    fake_rename(&net, "layer1.1.conv1.weight", "layer2.0.conv1.weight");
    fake_rename(&net, "layer1.1.conv2.weight", "layer2.0.conv2.weight");
    fake_add_norm(&net, 8, "layer2.0.bn1");
    fake_add_norm(&net, 8, "layer2.0.bn2");
    for (size_t i = net.tensors.count; i-- > 0;)
        if (strncmp(net.tensors.tensor[i].name, "layer1.1.", 9) == 0)
            fake_remove(&net, net.tensors.tensor[i].name);
    ck_assert_msg(fake_build(&net, NULL, 0, 0) == RN_OK, "%s", net.err.text);
    expect_dims(&net, "layer2.0.relu", "8x56x56");
    fake_release(&net);
}
END_TEST

START_TEST(takes_labels_and_preprocessing)
{
    static const char *const configs[] = {
        "{\"labels\":[\"a\",\"b\"],\"preprocess\":{\"mean\":[0.5],\"std\":[0.25]}}",
        ("{\"label_names\":[\"a\",\"b\"],\"pretrained_cfg\":{\"mean\":[0.5,0.5,0.5],"
         "\"std\":[0.25,0.25,0.25]}}"),
        "{\"id2label\":{\"1\":\"b\",\"0\":\"a\"},\"preprocess\":{\"mean\":[0.5],\"std\":[0.25]}}",
    };
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        fake_net net;
        fake_init(&net);
        fake_add_resnet(&net, &(fake_resnet){2, {1, 1}, .width = 8, .classes = 2});
        ck_assert_msg(fake_build(&net, configs[i], 0, 0) == RN_OK, "%s", net.err.text);
        ck_assert_uint_eq(net.arch.labels, 2);
        ck_assert_str_eq(net.arch.label[0], "a");
        ck_assert_str_eq(net.arch.label[1], "b");
        ck_assert(net.arch.preprocess.mean[2] == 0.5f);
        ck_assert(net.arch.preprocess.std[1] == 0.25f);
        fake_release(&net);
    }
}
END_TEST

static const struct {
    const char *labels, *first, *second; /* first NULL: `second` is the refusal */
} label_texts[] = {
    {"a\nb\n", "a", "b"},
    {"a\r\nb", "a", "b"},
    {"gr\xc3\xbcn\n\xf0\x9f\x90\x9f\n", "gr\xc3\xbcn", "\xf0\x9f\x90\x9f"},
    {"\n\n", "", ""},
    {"a\nb\nc\n", NULL, "labels.txt: 3 labels, the network answers 2 classes"},
    {"", NULL, "labels.txt: 0 labels"},
    {"a\n\xff\n", NULL, "labels.txt: no UTF-8 text"},
    {"a\n\xc0\x80\n", NULL, "labels.txt: no UTF-8 text"},
    {"a\n\xe0\x80\x80\n", NULL, "labels.txt: no UTF-8 text"},
    {"a\n\xed\xa0\x80\n", NULL, "labels.txt: no UTF-8 text"},
    {"a\n\xf4\x90\x80\x80\n", NULL, "labels.txt: no UTF-8 text"},
    {"a\n\xe2\x82", NULL, "labels.txt: no UTF-8 text"},
    {"a\n\xc3", NULL, "labels.txt: no UTF-8 text"},
};

START_TEST(takes_labels_from_a_text)
{
    fake_net net;
    fake_init(&net);
    fake_add_resnet(&net, &(fake_resnet){2, {1, 1}, .width = 8, .classes = 2});
    const rn_status status = fake_build_with(&net, &(fake_files){.labels = label_texts[_i].labels});
    if (label_texts[_i].first) {
        ck_assert_msg(status == RN_OK, "%s", net.err.text);
        ck_assert_uint_eq(net.arch.labels, 2);
        ck_assert_str_eq(net.arch.label[0], label_texts[_i].first);
        ck_assert_str_eq(net.arch.label[1], label_texts[_i].second);
        ck_assert_str_eq(note_about(&net, "labels"), "labels: 2 (labels.txt)");
    } else {
        ck_assert_int_eq(status, RN_ERR_FORMAT);
        ck_assert_msg(strstr(net.err.text, label_texts[_i].second), "\"%s\"", net.err.text);
    }
    fake_release(&net);
}
END_TEST

START_TEST(a_thousand_classes_are_imagenet)
{
    static const struct {
        size_t classes, labels;
    } cases[] = {{1000, 1000}, {999, 0}, {1001, 0}};
    for (size_t i = 0; i < 3; i++) {
        fake_net net;
        fake_init(&net);
        fake_add_resnet(&net, &(fake_resnet){2, {1, 1}, .width = 8, .classes = cases[i].classes});
        ck_assert_msg(fake_build(&net, NULL, 0, 0) == RN_OK, "%s", net.err.text);
        ck_assert_uint_eq(net.arch.labels, cases[i].labels);
        if (cases[i].labels) {
            ck_assert_str_eq(net.arch.label[0], "tench");
            ck_assert_str_eq(net.arch.label[999], "toilet tissue");
        }
        fake_release(&net);
    }
}
END_TEST

START_TEST(takes_the_preprocessor_file)
{
    fake_net net;
    fake_init(&net);
    fake_add_resnet(&net, &(fake_resnet){2, {1, 1}, .width = 8});
    const fake_files files = {
        .preprocessor = "{\"image_mean\":[0.1,0.2,0.3],\"image_std\":[1,2,3],\"size\":224}"};
    ck_assert_msg(fake_build_with(&net, &files) == RN_OK, "%s", net.err.text);
    ck_assert(net.arch.preprocess.mean[2] == 0.3f);
    ck_assert(net.arch.preprocess.std[1] == 2);
    fake_release(&net);
}
END_TEST

#define TIMM(keys) "{\"pretrained_cfg\":{" keys "}}"
#define OURS(keys) "{\"preprocess\":{" keys "}}"

/* The input is 224x224, or `side`. */
static const struct {
    const char *config, *preprocessor;
    size_t side;
    rn_fit fit;
    size_t height;
    rn_filter filter;
    const char *note;
} geometries[] = {
    {NULL, NULL, 0, RN_FIT_COVER, 256, RN_BILINEAR,
     "pictures: scaled to cover 256x256, bilinear; the middle 224x224 (default)"},
    {NULL, NULL, 32, RN_FIT_COVER, 32, RN_BILINEAR, NULL},
    {NULL, NULL, 288, RN_FIT_COVER, 329, RN_BILINEAR, NULL},
    {TIMM("\"crop_pct\":0.95,\"interpolation\":\"bicubic\",\"crop_mode\":\"center\""), NULL, 0,
     RN_FIT_COVER, 235, RN_BICUBIC,
     "pictures: scaled to cover 235x235, bicubic; the middle 224x224 (config.json: "
     "pretrained_cfg)"},
    {TIMM("\"crop_pct\":1.0,\"crop_mode\":\"squash\",\"input_size\":[3,288,288]"), NULL, 0,
     RN_FIT_STRETCH, 288, RN_BICUBIC,
     "pictures: stretched to 288x288, bicubic; the middle 288x288 (config.json: pretrained_cfg)"},
    {TIMM("\"crop_pct\":0.9,\"crop_mode\":\"border\""), NULL, 0, RN_FIT_INSIDE, 248, RN_BICUBIC,
     NULL},
    {"{\"architecture\":\"resnet10\",\"crop_pct\":0.875,\"interpolation\":\"bicubic\"}", NULL, 0,
     RN_FIT_COVER, 256, RN_BICUBIC, NULL},
    {OURS("\"resize\":232"), NULL, 0, RN_FIT_COVER, 232, RN_BILINEAR,
     "pictures: scaled to cover 232x232, bilinear; the middle 224x224 (config.json: preprocess)"},
    {OURS("\"interpolation\":\"bicubic\""), NULL, 0, RN_FIT_COVER, 256, RN_BICUBIC, NULL},
    // what the files of Hugging Face's image processors hold
    {NULL, "{\"crop_pct\":0.875,\"do_resize\":true,\"resample\":3,\"size\":224}", 0, RN_FIT_COVER,
     256, RN_BICUBIC,
     "pictures: scaled to cover 256x256, bicubic; the middle 224x224 (preprocessor_config.json)"},
    {NULL, "{\"crop_pct\":0.875,\"resample\":2,\"size\":{\"shortest_edge\":224}}", 288,
     RN_FIT_COVER, 329, RN_BILINEAR, NULL},
    {NULL, "{\"crop_pct\":0.875,\"size\":{\"shortest_edge\":384}}", 0, RN_FIT_STRETCH, 384,
     RN_BICUBIC, NULL},
    {NULL,
     "{\"size\":{\"shortest_edge\":448},\"crop_size\":{\"height\":448,\"width\":448},"
     "\"do_center_crop\":true,\"resample\":3}",
     0, RN_FIT_COVER, 448, RN_BICUBIC, NULL},
    {NULL, "{\"size\":{\"height\":256,\"width\":256},\"resample\":2}", 0, RN_FIT_STRETCH, 256,
     RN_BILINEAR, NULL},
    {NULL, "{\"size\":256,\"crop_size\":224,\"do_center_crop\":true,\"resample\":2}", 112,
     RN_FIT_COVER, 128, RN_BILINEAR, NULL},
    {NULL, "{\"size\":256,\"crop_size\":224,\"resample\":2}", 0, RN_FIT_STRETCH, 256, RN_BILINEAR,
     NULL},
    {NULL, "{\"do_resize\":false,\"do_center_crop\":true,\"crop_size\":64}", 0, RN_FIT_NONE, 64,
     RN_BICUBIC, "pictures: the middle 64x64, not scaled (preprocessor_config.json)"},
    {TIMM("\"crop_pct\":0.8"), "{\"size\":100}", 0, RN_FIT_COVER, 125, RN_BICUBIC, NULL},
    // timm's own defaults, also below 224
    {TIMM("\"tag\":\"a1_in1k\""), NULL, 64, RN_FIT_COVER, 73, RN_BICUBIC, NULL},
    {TIMM("\"test_input_size\":[3,288,288],\"test_crop_pct\":1.0,\"crop_pct\":0.95"), NULL, 0,
     RN_FIT_COVER, 235, RN_BICUBIC, NULL},
    {"{\"pretrained_cfg\":{\"input_size\":[3,224,224],\"test_input_size\":[3,288,288],"
     "\"test_crop_pct\":1.0,\"crop_pct\":0.95},\"preprocess\":{\"use_test_size\":true}}",
     NULL, 0, RN_FIT_COVER, 288, RN_BICUBIC, NULL},
    // our keys stand above the others
    {"{\"pretrained_cfg\":{\"crop_pct\":0.8},\"preprocess\":{\"interpolation\":\"box\"}}", NULL, 0,
     RN_FIT_COVER, 280, RN_BOX, NULL},
    {OURS("\"resize\":236,\"orient\":false"), "{\"size\":{\"height\":100,\"width\":100}}", 0,
     RN_FIT_COVER, 236, RN_BICUBIC, NULL},
};

START_TEST(takes_what_is_said_of_pictures)
{
    fake_net net;
    fake_init(&net);
    fake_add_resnet(&net, &(fake_resnet){2, {1, 1}, .width = 8});
    const fake_files files = {.config = geometries[_i].config,
                              .preprocessor = geometries[_i].preprocessor,
                              .height = geometries[_i].side,
                              .width = geometries[_i].side};
    ck_assert_msg(fake_build_with(&net, &files) == RN_OK, "%s", net.err.text);
    ck_assert_int_eq(net.arch.preprocess.fit, geometries[_i].fit);
    ck_assert_uint_eq(net.arch.preprocess.height, geometries[_i].height);
    ck_assert_uint_eq(net.arch.preprocess.width, geometries[_i].height);
    ck_assert_int_eq(net.arch.preprocess.filter, geometries[_i].filter);
    if (geometries[_i].note) ck_assert_str_eq(note_about(&net, "pictures"), geometries[_i].note);
    fake_release(&net);
}
END_TEST

/* Values that are not divided by 255, or by another number, or not normalised. */
START_TEST(takes_the_preprocessors_switches)
{
    static const struct {
        const char *text;
        float mean, std;
    } cases[] = {
        {"{\"image_mean\":[0.5],\"image_std\":[0.5],\"rescale_factor\":0.00392156862745098}", 0.5f,
         0.5f},
        {"{\"image_mean\":[127.5],\"image_std\":[51],\"do_rescale\":false}", 0.5f, 0.2f},
        {"{\"image_mean\":[1],\"image_std\":[0.5],\"rescale_factor\":0.00784313725490196}", 0.5f,
         0.25f},
        {"{\"image_mean\":[0.5],\"do_normalize\":false}", 0, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake_net net;
        fake_init(&net);
        fake_add_resnet(&net, &(fake_resnet){2, {1, 1}, .width = 8});
        const fake_files files = {.preprocessor = cases[i].text};
        ck_assert_msg(fake_build_with(&net, &files) == RN_OK, "%s", net.err.text);
        ck_assert(fabsf(net.arch.preprocess.mean[1] - cases[i].mean) < 1e-6f);
        ck_assert(fabsf(net.arch.preprocess.std[1] - cases[i].std) < 1e-6f);
        fake_release(&net);
    }
}
END_TEST

static const struct {
    const char *config, *preprocessor, *says;
} bad_geometries[] = {
    {TIMM("\"crop_pct\":0"), NULL, "config.json: pretrained_cfg: crop_pct: want a number above 0"},
    {TIMM("\"crop_pct\":1e-300"), NULL, "config.json: pretrained_cfg: crop_pct: want the part"},
    {TIMM("\"crop_pct\":1e300"), NULL, "crop_pct: want the part of a picture"},
    {TIMM("\"interpolation\":\"random\""), NULL, "interpolation: want \"nearest\", \"box\", \"bil"},
    {TIMM("\"interpolation\":3"), NULL, "interpolation: want \"nearest\", \"box\", \"bilinear\""},
    {OURS("\"interpolate\":3"), NULL,
     "config.json: preprocess: no key 'interpolate'; known are resize, crop_pct, crop_mode, "
     "crop_rounding, interpolation, mean, std, channel_order, orient and use_test_size"},
    {OURS("\"orient\":1"), NULL, "config.json: preprocess: orient: want true or false"},
    {OURS("\"channel_order\":\"GBR\""), NULL, "channel_order: want \"RGB\" or \"BGR\""},
    {OURS("\"crop_rounding\":2"), NULL, "crop_rounding: want \"even\" or \"floor\""},
    {OURS("\"use_test_size\":0"), NULL, "use_test_size: want true or false"},
    {"{\"preprocess\":[1]}", NULL, "config.json: preprocess: want an object"},
    {TIMM("\"crop_mode\":\"corner\""), NULL, "crop_mode: want \"center\", \"border\" or"},
    {OURS("\"resize\":0"), NULL, "config.json: preprocess: resize: want a size from 1"},
    {OURS("\"resize\":2000000000"), NULL, "resize: want a size from 1 to 2^30"},
    {NULL, "{\"size\":{\"longest_edge\":3}}", "preprocessor_config.json: size: want a size"},
    {NULL, "{\"size\":-1}", "preprocessor_config.json: size: want a size"},
    {NULL, "{\"size\":256,\"crop_size\":[1]}", "crop_size: want a size"},
    {NULL, "{\"size\":1,\"crop_size\":1000000000,\"do_center_crop\":true}",
     "preprocessor_config.json: size: want a size"},
    {NULL, "{\"resample\":6}", "resample: want PIL's 0 (nearest), 1 (lanczos), 2 (bilinear), 3"},
    {NULL, "{\"resample\":\"3\"}", "resample: want PIL's 0 (nearest)"},
    {NULL, "{\"size\":224,\"rescale_offset\":true}",
     "preprocessor_config.json: rescale_offset: can't be served"},
    {NULL, "{\"crop_pct\":0.9,\"size\":224,\"do_center_crop\":true,\"crop_size\":200}",
     "crop_size: this processor cuts out 224 by crop_pct, and then 200x200"},
    {NULL, "{\"do_resize\":1}", "do_resize: want true or false"},
    {NULL, "{\"rescale_factor\":-1}", "rescale_factor: want a number above 0"},
};

START_TEST(refuses_what_is_no_size_of_pictures)
{
    fake_net net;
    fake_init(&net);
    fake_add_resnet(&net, &small);
    const fake_files files = {.config = bad_geometries[_i].config,
                              .preprocessor = bad_geometries[_i].preprocessor,
                              .height = 224,
                              .width = 224};
    ck_assert_int_eq(fake_build_with(&net, &files), RN_ERR_FORMAT);
    ck_assert_msg(strstr(net.err.text, bad_geometries[_i].says), "\"%s\"", net.err.text);
    fake_release(&net);
}
END_TEST

static const struct {
    const char *config, *says;
} bad_configs[] = {
    {"[]", "config.json: want an object"},
    {"{\"input\":{\"shape\":[3,224]}}", "config.json: input.shape: want [C, H, W]"},
    {"{\"input\":{\"shape\":[3,0,224]}}", "config.json: input.shape: want [C, H, W], each"},
    {"{\"input\":{\"shape\":[3,-1,224]}}", "config.json: input.shape"},
    {"{\"input\":{\"shape\":\"3x4x4\"}}", "config.json: input.shape"},
    {"{\"input\":{\"shape\":[3,100000,100000]}}",
     "input: Input: the output 3x100000x100000 is too"},
    {"{\"input\":{\"shape\":[1,224,224]}}",
     "tensor conv1.weight: 8x3x7x7 in 1 groups does not fit"},
    {"{\"pretrained_cfg\":{\"input_size\":7}}", "config.json: pretrained_cfg.input_size"},
    {"{\"stem_stride\":0}", "config.json: stem_stride: want a size of at least 1"},
    {"{\"stem_stride\":\"2\"}", "config.json: stem_stride"},
    {"{\"antialias\":\"gauss\"}", "config.json: antialias: want \"none\", \"avg\" or \"blur\""},
    {"{\"avg_down\":2}", "config.json: avg_down: want true or false"},
    {"{\"global_pool\":\"max\"}", "config.json: global_pool: max can't be served"},
    {"{\"stem_pool\":1}", "config.json: stem_pool: want true or false"},
    {"{\"strides\":[1,2]}", "config.json: strides: want one size a stage"},
    {"{\"strides\":[1,2,0,2]}", "config.json: strides: want sizes of at least 1"},
    {"{\"batch_norm_eps\":-1}", "config.json: batch_norm_eps"},
    {"{\"num_classes\":11}", "config.json: num_classes: 11, but fc.weight has 10"},
    {"{\"depths\":[1,1,1]}", "config.json: depths: 3 stages, tensors of 4"},
    {"{\"depths\":[1,1,2,1]}", "config.json: depths[2]: the tensors show 1 blocks"},
    {"{\"layer_type\":\"bottleneck\"}",
     "config.json: layer_type: bottleneck can't be served, only basic"},
    {"{\"hidden_act\":\"gelu\"}", "config.json: hidden_act: gelu can't be served"},
    {"{\"labels\":[\"a\"]}", "config.json: labels: 1 labels, the network answers 10 classes"},
    {"{\"labels\":7}", "config.json: labels: want a list"},
    {"{\"labels\":[1,2,3,4,5,6,7,8,9,10]}", "config.json: labels: class 0 is no string"},
    {"{\"id2label\":{\"0\":\"a\"}}", "config.json: id2label: 1 labels"},
    {"{\"preprocess\":{\"mean\":[1,2]}}", "config.json: preprocess: want a list of one number"},
    {"{\"preprocess\":{\"std\":[0]}}", "config.json: preprocess: std: want numbers above 0"},
    {"{\"preprocess\":{\"std\":\"1\"}}", "config.json: preprocess: want a list of one number"},
    {"{\"pretrained_cfg\":{\"std\":[true]}}", "config.json: pretrained_cfg: want numbers"},
    {"{\"model_type\":\"layers\"}", "config.json: input.shape"},
};

START_TEST(refuses_bad_config)
{
    fake_net net;
    fake_init(&net);
    fake_add_resnet(&net, &small);
    ck_assert_int_eq(fake_build(&net, bad_configs[_i].config, 0, 0), RN_ERR_FORMAT);
    ck_assert_msg(strstr(net.err.text, bad_configs[_i].says), "\"%s\"", net.err.text);
    fake_release(&net);
}
END_TEST

/* Each tensor of a network left out, in turn: an error names it. */
START_TEST(names_every_missing_tensor)
{
    for (size_t i = 0;; i++) {
        fake_net net;
        fake_init(&net);
        fake_add_resnet(&net, &small);
        if (i == net.tensors.count) {
            fake_release(&net);
            return;
        }
        char name[64];
        snprintf(name, sizeof name, "%s", net.tensors.tensor[i].name);
        fake_remove(&net, name);
        const bool optional =
            strstr(name, "num_batches_tracked") != NULL || strcmp(name, "fc.bias") == 0;
        const rn_status status = fake_build(&net, NULL, 0, 0);
        ck_assert_msg(status == (optional ? RN_OK : RN_ERR_FORMAT), "%s: %s", name, net.err.text);
        if (!optional) ck_assert_msg(strstr(net.err.text, name), "%s: %s", name, net.err.text);
        fake_release(&net);
    }
}
END_TEST

static void expect_refusal(fake_net *net, const char *says)
{
    ck_assert_int_eq(fake_build(net, NULL, 0, 0), RN_ERR_FORMAT);
    ck_assert_msg(strstr(net->err.text, says), "\"%s\"", net->err.text);
    fake_release(net);
}

START_TEST(names_what_does_not_fit)
{
    fake_net net;
    fake_init(&net);
    fake_add_resnet(&net, &small);
    fake_add(&net, 5, 5, 0, 0, "aux.weight");
    expect_refusal(&net, "tensor aux.weight (5x5): no layer of the network uses it");

    fake_init(&net);
    fake_add_resnet(&net, &small);
    fake_remove(&net, "layer1.0.bn1.bias");
    fake_add(&net, 7, 0, 0, 0, "layer1.0.bn1.bias");
    expect_refusal(&net, "tensor layer1.0.bn1.bias: want 8, file has 7");

    fake_init(&net);
    fake_add_resnet(&net, &small);
    fake_remove(&net, "layer3.0.conv2.weight");
    fake_add(&net, 32, 16, 3, 3, "layer3.0.conv2.weight");
    expect_refusal(&net, "tensor layer3.0.conv2.weight: 32x16x3x3 in 1 groups does not fit");

    fake_init(&net);
    fake_add_resnet(&net, &small);
    fake_remove(&net, "conv1.weight");
    fake_add(&net, 8, 3, 4, 4, "conv1.weight");
    expect_refusal(&net, "tensor conv1.weight 8x3x4x4: the stem's kernel must be square and odd");

    fake_init(&net);
    fake_add_resnet(&net, &small);
    fake_remove(&net, "layer2.0.downsample.0.weight");
    expect_refusal(&net, "tensor layer2.0.downsample.0.weight: missing");

    fake_init(&net);
    fake_add(&net, 5, 5, 0, 0, "transformer.weight");
    expect_refusal(&net, "the first is transformer.weight");

    fake_init(&net);
    expect_refusal(&net, "the first is none");
}
END_TEST

START_TEST(other_namings)
{
    static const char *const hugging_face[][2] = {
        {"conv1.weight", "resnet.embedder.embedder.convolution.weight"},
        {"bn1.running_mean", "resnet.embedder.embedder.normalization.running_mean"},
        {"layer1.0.conv1.weight", "resnet.encoder.stages.0.layers.0.layer.0.convolution.weight"},
        {"layer1.0.bn2.bias", "resnet.encoder.stages.0.layers.0.layer.1.normalization.bias"},
        {"layer2.0.downsample.0.weight",
         "resnet.encoder.stages.1.layers.0.shortcut.convolution.weight"},
        {"fc.weight", "classifier.1.weight"},
        {"fc.bias", "classifier.1.bias"},
    };
    fake_net net;
    fake_init(&net);
    fake_add_resnet(&net, &small);
    for (size_t i = 0; i < sizeof hugging_face / sizeof *hugging_face; i++)
        fake_rename(&net, hugging_face[i][0], hugging_face[i][1]);
    ck_assert_msg(fake_build(&net, NULL, 0, 0) == RN_OK, "%s", net.err.text);
    fake_release(&net);

    fake_init(&net); /* a missing tensor goes by the file's naming */
    fake_add_resnet(&net, &small);
    for (size_t i = 0; i < sizeof hugging_face / sizeof *hugging_face; i++)
        fake_rename(&net, hugging_face[i][0], hugging_face[i][1]);
    fake_remove(&net, "layer2.0.conv2.weight");
    expect_refusal(&net, "encoder.stages.1.layers.0.layer.1.convolution.weight: missing");

    fake_init(&net);
    fake_add_resnet(&net, &small);
    for (size_t i = 0; i < net.tensors.count; i++) {
        char name[96], old[96];
        snprintf(old, sizeof old, "%.80s", net.tensors.tensor[i].name);
        snprintf(name, sizeof name, "module.model.%.80s", old);
        fake_rename(&net, old, name);
    }
    ck_assert_msg(fake_build(&net, NULL, 0, 0) == RN_OK, "%s", net.err.text);
    fake_release(&net);

    fake_init(&net);
    fake_add_resnet(&net, &small);
    fake_rename(&net, "fc.weight", "linear.weight");
    fake_rename(&net, "fc.bias", "linear.bias");
    fake_rename(&net, "layer2.0.downsample.0.weight", "layer2.0.shortcut.0.weight");
    ck_assert_msg(fake_build(&net, NULL, 0, 0) == RN_OK, "%s", net.err.text);
    fake_release(&net);

    fake_init(&net); /* two names for one tensor */
    fake_add_resnet(&net, &small);
    fake_add(&net, 10, 64, 0, 0, "linear.weight");
    expect_refusal(&net, "are both fc.weight");
}
END_TEST

/* ---- variants -------------------------------------------------------------------------------- */

/* Calls change(net, name) for each tensor whose name holds `part`. */
static void each_with(fake_net *net, const char *part, void (*change)(fake_net *, const char *))
{
    for (size_t i = net->tensors.count; i-- > 0;) {
        char name[96];
        snprintf(name, sizeof name, "%s", net->tensors.tensor[i].name);
        if (strstr(name, part)) change(net, name);
    }
}

static void make_deep(fake_net *net, size_t a, size_t b, size_t c)
{
    fake_remove(net, "conv1.weight");
    fake_add(net, a, 3, 3, 3, "conv1.0.weight");
    fake_add_norm(net, a, "conv1.1");
    fake_add(net, b, a, 3, 3, "conv1.3.weight");
    fake_add_norm(net, b, "conv1.4");
    fake_add(net, c, b, 3, 3, "conv1.6.weight");
}

/* downsample.0 becomes a pool: what was 0 and 1 is 1 and 2. */
static void move_shortcut(fake_net *net, const char *name)
{
    char moved[96];
    snprintf(moved, sizeof moved, "%s", name);
    strstr(moved, "downsample.")[strlen("downsample.")]++;
    fake_rename(net, name, moved);
}

static void add_gate(fake_net *net, const char *name, bool eca)
{
    char gate[128];
    const int block = (int)(strlen(name) - strlen("conv3.weight"));
    size_t channels = 0;
    for (size_t i = 0; i < net->tensors.count; i++)
        if (strcmp(net->tensors.tensor[i].name, name) == 0)
            channels = net->tensors.tensor[i].shape[0];
    snprintf(gate, sizeof gate, "%.*sse.%s.weight", block, name, eca ? "conv" : "fc1");
    if (eca) {
        fake_add(net, 1, 1, 5, 0, gate);
        return;
    }
    fake_add(net, 16, channels, 1, 1, gate);
    snprintf(gate, sizeof gate, "%.*sse.fc2.weight", block, name);
    fake_add(net, channels, 16, 1, 1, gate);
}

static void add_se(fake_net *net, const char *name)
{
    add_gate(net, name, false);
}

static void add_eca(fake_net *net, const char *name)
{
    add_gate(net, name, true);
}

static void variant_d(fake_net *net)
{
    make_deep(net, 32, 32, 64);
    each_with(net, "downsample.", move_shortcut);
}

static void variant_t(fake_net *net)
{
    make_deep(net, 24, 32, 64);
    each_with(net, "downsample.", move_shortcut);
}

static void variant_c(fake_net *net)
{
    make_deep(net, 32, 32, 64);
}

static void variant_se(fake_net *net)
{
    each_with(net, ".conv3.weight", add_se);
}

static void variant_eca_d(fake_net *net)
{
    variant_d(net);
    each_with(net, ".conv3.weight", add_eca);
}

static void variant_rs(fake_net *net)
{
    variant_d(net);
    variant_se(net);
    fake_add(net, 64, 64, 3, 3, "maxpool.0.weight");
    fake_add_norm(net, 64, "maxpool.1");
}

static void variant_gn(fake_net *net)
{
    each_with(net, ".running_", fake_remove);
}

static const struct {
    void (*make)(fake_net *net);
    const char *config, *name, *topic, *note;
} variants[] = {
    {variant_c, NULL, "resnet50c", "stem", "stem: three convolutions, stride 2, 3x3 max pool of"},
    {variant_d, NULL, "resnet50d", "norm", "norm: batch norm, epsilon 1e-05"},
    {variant_t, NULL, "resnet50t", "blocks", "blocks: 3,4,6,3 bottleneck"},
    {variant_se, NULL, "seresnet50", "gates", "gates: squeeze-excite"},
    {variant_eca_d, NULL, "ecaresnet50d", "gates", "gates: ECA"},
    {variant_rs, NULL, "seresnetrs50", "stem", "stem: three convolutions, stride 2, a convolution"},
    {variant_gn, "{\"architecture\":\"resnet50_gn\"}", "resnet50_gn", "norm",
     "norm: 32 groups, epsilon 1e-05"},
    {variant_gn, "{\"norm_layer\":\"GroupNorm\"}", "resnet50_gn", "norm",
     "norm: 32 groups, epsilon 1e-05"},
    {variant_gn, "{\"model_args\":{\"norm_layer\":\"groupnorm\"}}", "resnet50_gn", "norm",
     "norm: 32 groups, epsilon 1e-05"},
    {variant_gn, "{\"norm_groups\":16}", "resnet50_gn", "norm", "norm: 16 groups, epsilon 1e-05"},
    {variant_c, "{\"antialias\":\"blur\"}", "resnetblur50c", "anti",
     "anti-aliasing: blurred pools"},
    {variant_d, "{\"architecture\":\"resnetaa50d\"}", "resnetaa50d", "anti",
     "anti-aliasing: average pools"},
};

START_TEST(names_variants)
{
    fake_net net;
    fake_init(&net);
    fake_add_resnet(&net, &(fake_resnet){4, {3, 4, 6, 3}, .bottleneck = true, .width = 64});
    variants[_i].make(&net);
    ck_assert_msg(fake_build(&net, variants[_i].config, 0, 0) == RN_OK, "%s", net.err.text);
    ck_assert_str_eq(net.arch.name, variants[_i].name);
    const char *note = note_about(&net, variants[_i].topic);
    ck_assert_msg(strncmp(note, variants[_i].note, strlen(variants[_i].note)) == 0, "%s", note);
    fake_release(&net);
}
END_TEST

/* Of parameters alone: batch norm without its statistics looks like group norm, and is not. */
START_TEST(batch_norm_needs_its_statistics)
{
    static const char *const configs[] = {NULL, "{}", "{\"architecture\":\"resnet50\"}",
                                          "{\"norm_layer\":\"batchnorm2d\"}",
                                          "{\"weight_standardization\":true}"};
    fake_net net;
    fake_init(&net);
    fake_add_resnet(&net, &small);
    each_with(&net, ".running_", fake_remove);
    ck_assert_int_eq(fake_build(&net, configs[_i], 0, 0), RN_ERR_FORMAT);
    ck_assert_msg(strstr(net.err.text, "the running statistics of batch norm are missing: save "
                                       "model.state_dict()"),
                  "%s", net.err.text);
    fake_release(&net);
}
END_TEST

/* Without classes the pooled features are the answer. */
START_TEST(headless)
{
    fake_net net;
    fake_init(&net);
    fake_add_resnet(&net, &small);
    fake_remove(&net, "fc.weight");
    fake_remove(&net, "fc.bias");
    ck_assert_msg(fake_build(&net, "{\"num_classes\":0}", 0, 0) == RN_OK, "%s", net.err.text);
    ck_assert_uint_eq(rn_graph_shape(&net.graph, net.graph.output[0].value).c, 64);
    fake_release(&net);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arch");
    TCase *tcase = tcase_create("arch");
    tcase_add_loop_test(tcase, infers_architecture, 0, sizeof inferred / sizeof *inferred);
    tcase_add_test(tcase, input_size_comes_from_option_config_default);
    tcase_add_test(tcase, config_corrects);
    tcase_add_test(tcase, config_eps_reaches_batch_norm);
    tcase_add_test(tcase, stage_without_shortcut_keeps_size);
    tcase_add_test(tcase, takes_labels_and_preprocessing);
    tcase_add_loop_test(tcase, takes_labels_from_a_text, 0,
                        sizeof label_texts / sizeof *label_texts);
    tcase_add_test(tcase, a_thousand_classes_are_imagenet);
    tcase_add_test(tcase, takes_the_preprocessor_file);
    tcase_add_loop_test(tcase, takes_what_is_said_of_pictures, 0,
                        sizeof geometries / sizeof *geometries);
    tcase_add_test(tcase, takes_the_preprocessors_switches);
    tcase_add_loop_test(tcase, refuses_what_is_no_size_of_pictures, 0,
                        sizeof bad_geometries / sizeof *bad_geometries);
    tcase_add_loop_test(tcase, refuses_bad_config, 0, sizeof bad_configs / sizeof *bad_configs);
    tcase_add_test(tcase, names_every_missing_tensor);
    tcase_add_test(tcase, names_what_does_not_fit);
    tcase_add_test(tcase, other_namings);
    tcase_add_loop_test(tcase, names_variants, 0, sizeof variants / sizeof *variants);
    tcase_add_loop_test(tcase, batch_norm_needs_its_statistics, 0, 5);
    tcase_add_test(tcase, headless);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
