/* Every convolution kernel against the reference: shapes of the networks that are served, with
 * channels and maps reduced where the full size would only repeat full tiles, and edge shapes.
 *
 * With $CONV_SHARE=N a sanitizer runs a share of them, always the same: all that are light, which
 * the edges are, the lightest of each implementation, and every N-th of the others. That each
 * implementation did run is the last test. */
#include <stdlib.h>

#include "check_main.h"
#include "kernel_check.h"

typedef struct {
    const char *from;
    size_t ic, h, w, oc, kernel, stride, pad, groups, n;
} conv_shape;

static const conv_shape shapes[] = {
    /* ResNet-18 .. 152, wide ResNets */
    {"stem", 3, 61, 67, 64, 7, 2, 3, 1, 1},
    {"stem on one channel", 1, 28, 28, 64, 3, 2, 1, 1, 2},
    {"layer1 3x3", 64, 56, 56, 64, 3, 1, 1, 1, 1},
    {"layer2 3x3", 96, 28, 28, 96, 3, 1, 1, 1, 1},
    {"layer3 3x3", 160, 14, 14, 96, 3, 1, 1, 1, 1},
    {"layer3 3x3, batch", 160, 14, 14, 64, 3, 1, 1, 1, 3},
    {"layer4 3x3", 288, 7, 7, 96, 3, 1, 1, 1, 1},
    {"layer4 3x3, batch", 288, 7, 7, 64, 3, 1, 1, 1, 4},
    {"layer2 3x3 stride 2", 64, 56, 56, 96, 3, 2, 1, 1, 1},
    {"layer4 3x3 stride 2", 128, 14, 14, 160, 3, 2, 1, 1, 2},
    {"layer3 3x3 stride 2, batch", 160, 28, 28, 96, 3, 2, 1, 1, 3},
    {"stride 2 without padding", 40, 33, 29, 56, 3, 2, 0, 1, 2},
    {"stride 2 with padding 2", 56, 30, 37, 40, 3, 2, 2, 1, 1},
    {"downsample", 64, 56, 56, 128, 1, 2, 0, 1, 1},
    {"layer1 conv1", 256, 56, 56, 64, 1, 1, 0, 1, 1},
    {"layer1 conv3", 64, 56, 56, 256, 1, 1, 0, 1, 1},
    {"layer4 conv1", 512, 7, 7, 160, 1, 1, 0, 1, 3},
    {"layer4 conv3", 160, 7, 7, 512, 1, 1, 0, 1, 1},
    /* ResNeXt, depthwise, other groups */
    {"32x4d layer1", 128, 28, 28, 128, 3, 1, 1, 32, 1},
    {"32x4d layer2 stride 2", 256, 28, 28, 256, 3, 2, 1, 32, 2},
    {"32x4d layer3", 512, 14, 14, 512, 3, 1, 1, 32, 1},
    {"32x4d layer4", 1024, 7, 7, 1024, 3, 1, 1, 32, 1},
    {"64 channels a group", 256, 14, 14, 256, 3, 2, 1, 4, 1},
    {"48 channels a group", 192, 14, 14, 192, 3, 1, 1, 4, 1},
    {"24 channels a group", 96, 14, 14, 96, 3, 1, 1, 4, 1},
    {"6 channels a group", 36, 14, 14, 36, 3, 1, 1, 6, 1},
    {"2 channels a group", 40, 15, 13, 40, 3, 1, 1, 20, 1},
    {"depthwise", 72, 15, 13, 72, 3, 2, 1, 72, 2},
    {"depthwise 5x5", 32, 15, 13, 32, 5, 1, 2, 32, 1},
    {"groups to more channels", 32, 10, 10, 64, 3, 1, 1, 8, 1},
    {"groups to fewer channels", 64, 10, 10, 32, 1, 1, 0, 4, 1},
    /* deep and tiered stems, CIFAR nets, odd widths */
    {"deep stem", 3, 64, 64, 32, 3, 2, 1, 1, 2},
    {"tiered stem", 3, 40, 40, 24, 3, 2, 1, 1, 1},
    {"tiered stem 2", 24, 40, 40, 32, 3, 1, 1, 1, 1},
    {"tiered stem 3", 32, 40, 40, 64, 3, 1, 1, 1, 1},
    {"CIFAR stem", 3, 32, 32, 16, 3, 1, 1, 1, 3},
    {"CIFAR 3x3", 16, 32, 32, 16, 3, 1, 1, 1, 2},
    {"CIFAR stride 2", 16, 32, 32, 32, 3, 2, 1, 1, 2},
    {"CIFAR last stage", 64, 8, 8, 64, 3, 1, 1, 1, 5},
    {"pruned", 46, 28, 28, 53, 1, 1, 0, 1, 1},
    {"pruned 3x3", 53, 28, 28, 46, 3, 1, 1, 1, 1},
    {"pruned stride 2", 53, 27, 29, 46, 3, 2, 1, 1, 1},
    /* edges */
    {"one pixel", 64, 1, 1, 64, 3, 1, 1, 1, 3},
    {"one column", 48, 9, 1, 33, 3, 1, 1, 1, 1},
    {"4x4", 32, 4, 4, 32, 3, 1, 1, 1, 1},
    {"5x6", 32, 5, 6, 48, 3, 1, 1, 1, 2},
    {"9x4 without padding", 40, 9, 6, 24, 3, 1, 0, 1, 1},
    {"10x11 with padding 2", 40, 10, 11, 24, 3, 1, 2, 1, 1},
    {"13x15", 64, 13, 15, 64, 3, 1, 1, 1, 2},
    {"18x18, all classes of tiles", 48, 18, 18, 64, 3, 1, 1, 1, 2},
    {"7x7, more images than go together", 64, 7, 7, 48, 3, 1, 1, 1, 6},
    {"7x7 stride 2, more images", 48, 14, 13, 64, 3, 2, 1, 1, 5},
    {"five channels", 5, 20, 20, 20, 3, 1, 1, 1, 1},
    {"nine channels", 9, 20, 20, 20, 5, 3, 2, 1, 1},
    {"2x2 stride 2", 20, 20, 20, 20, 2, 2, 0, 1, 1},
    {"kernel as large as the map", 32, 7, 7, 40, 7, 1, 0, 1, 2},
    {"stem stride 4", 3, 50, 50, 48, 11, 4, 2, 1, 1},
    {"stem stride 3", 4, 31, 30, 16, 5, 3, 1, 1, 1},
    {"residual layer, one input channel", 1, 12, 12, 8, 3, 1, 1, 1, 1},
    {"residual layer, kernel 5", 16, 9, 9, 16, 5, 2, 3, 1, 1},
};

static rn_desc desc_of(const conv_shape *s)
{
    rn_desc desc = check_conv_desc(rn_map(s->ic, s->h, s->w), s->oc, s->kernel, s->stride, s->pad);
    desc.groups = s->groups;
    return desc;
}

enum { SHAPES = sizeof shapes / sizeof *shapes, LIGHT = 5000000 };

/* About how many products it is the sum of. */
static size_t products(const conv_shape *s)
{
    return s->n * s->ic * s->h * s->w * s->oc * s->kernel * s->kernel / s->groups /
           (s->stride * s->stride);
}

static bool is_tried(const rn_impl *impl)
{
    return impl->op == RN_OP_CONV && rn_isa_has(rn_isa_detect(), impl->needs);
}

/* The lightest shape that it takes; SHAPES: there is none. */
static size_t lightest(const rn_impl *impl)
{
    size_t best = SHAPES;
    for (size_t s = 0; s < SHAPES; s++)
        if (check_takes(impl, desc_of(&shapes[s])) &&
            (best == SHAPES || products(&shapes[s]) < products(&shapes[best])))
            best = s;
    return best;
}

/* 1: all of them are run. */
static size_t share_of(void)
{
    const char *text = getenv("CONV_SHARE");
    const size_t share = text ? strtoul(text, NULL, 10) : 0;
    return share ? share : 1;
}

static bool is_in_share(size_t shape)
{
    if (shape % share_of() == 0 || products(&shapes[shape]) <= LIGHT) return true;
    for (size_t i = 0; i < rn_impl_count; i++)
        if (is_tried(rn_impls[i]) && lightest(rn_impls[i]) == shape) return true;
    return false;
}

/* A kernel that no shape is for would never be tried. */
START_TEST(each_row_has_a_shape)
{
    for (size_t i = 0; i < rn_impl_count; i++)
        ck_assert_msg(!is_tried(rn_impls[i]) || lightest(rn_impls[i]) < SHAPES,
                      "%s: no shape here is for it: add one", rn_impls[i]->name);
}
END_TEST

/* The reference is what the others are compared with. */
START_TEST(each_row_was_run)
{
    for (size_t i = 0; i < rn_impl_count; i++)
        ck_assert_msg(!is_tried(rn_impls[i]) || rn_impls[i] == rn_impl_reference(RN_OP_CONV) ||
                          check_runs_of(i) > 0,
                      "%s was not run", rn_impls[i]->name);
}
END_TEST

START_TEST(integers_are_exact)
{
    const conv_shape *s = &shapes[_i];
    if (!is_in_share((size_t)_i)) return;
    rn_desc desc = desc_of(s);
    desc.epilogue = check_epilogue((size_t)_i % CHECK_EPILOGUES);
    ck_assert_msg(check_kernels(desc, s->n, VALUES_INTEGERS) > 0, "%s: nothing ran", s->from);
}
END_TEST

#if !defined(__SANITIZE_THREAD__) /* the tasks of integers_are_exact once more */
START_TEST(floats_are_near)
{
    const conv_shape *s = &shapes[_i];
    if (!is_in_share((size_t)_i)) return;
    rn_desc desc = desc_of(s);
    desc.epilogue = check_epilogue((size_t)(_i + 3) % CHECK_EPILOGUES);
    ck_assert_msg(check_kernels(desc, s->n, VALUES_FLOATS) > 0, "%s: nothing ran", s->from);
}
END_TEST
#endif

START_TEST(each_epilogue)
{
    static const conv_shape some[] = {
        {"direct", 32, 9, 9, 40, 1, 1, 0, 1, 2}, {"winograd", 32, 9, 9, 40, 3, 1, 1, 1, 2},
        {"stem", 3, 19, 9, 40, 3, 2, 1, 1, 2},   {"winograd_stem", 3, 38, 34, 40, 7, 2, 3, 1, 2},
        {"group", 32, 9, 9, 32, 3, 1, 1, 8, 2},
    };
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        rn_desc desc = desc_of(&some[i]);
        desc.epilogue = check_epilogue((size_t)_i);
        ck_assert_uint_gt(check_kernels(desc, some[i].n, VALUES_INTEGERS), 0);
    }
}
END_TEST

/* Windows that are not square, with unequal strides, dilations and paddings. */
START_TEST(odd_windows)
{
    static const rn_window windows[] = {
        {3, 1, 1, 1, 1, 0, 1, 0, 1, 1, false, false}, {1, 5, 1, 2, 0, 2, 0, 2, 1, 1, false, false},
        {3, 3, 1, 1, 0, 1, 2, 0, 1, 1, false, false}, {3, 3, 1, 1, 2, 2, 2, 2, 2, 2, false, false},
        {2, 3, 2, 1, 1, 0, 0, 1, 3, 2, false, false}, {3, 2, 3, 2, 2, 1, 0, 0, 1, 2, false, false},
    };
    static const size_t channels[][3] = {{3, 24, 1}, {20, 24, 1}, {32, 32, 8}, {32, 48, 2}};
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
        rn_desc desc = check_conv_desc(rn_map(channels[i][0], 11, 13), channels[i][1], 1, 1, 0);
        desc.window = windows[_i];
        desc.groups = channels[i][2];
        ck_assert_uint_gt(check_kernels(desc, 2, VALUES_INTEGERS), 0);
    }
}
END_TEST

/* Each map size: each way the tiles of 4 and 3 and the register tiles fit. */
START_TEST(map_sizes)
{
    for (size_t w = 1; w <= 17; w++)
        for (size_t stride = 1; stride <= 2; stride++) {
            if ((w + (size_t)_i + stride) % share_of()) continue;
            const rn_shape in = rn_map(32, (size_t)_i * stride, w * stride);
            ck_assert_uint_gt(
                check_kernels(check_conv_desc(in, 32, 3, stride, 1), 1 + w % 2, VALUES_INTEGERS),
                0);
        }
}
END_TEST

/* The Winograd stem: each way its tiles and the groups of them fit, channels from one to many,
 * paddings on either side. */
START_TEST(stem_sizes)
{
    for (size_t w = 13; w <= 20; w++) {
        if ((w + (size_t)_i) % share_of()) continue;
        const size_t channels = 1 + (w + (size_t)_i) % 8, out = 16 + 8 * (w % 4);
        rn_desc desc = check_conv_desc(rn_map(channels, (size_t)_i, 2 * w + w % 2), out, 7, 2, 3);
        if (w % 3 == 0) desc.window.pad_top = desc.window.pad_left = 0;
        ck_assert_uint_gt(check_kernels(desc, 1, VALUES_INTEGERS), 0);
        ck_assert_uint_gt(check_kernels(desc, 1, VALUES_FLOATS), 0);
    }
}
END_TEST

static Suite *conv_suite(void)
{
    Suite *suite = suite_create("convolution kernels");
    TCase *tc = tcase_create("against the reference");
    tcase_set_timeout(tc, 600);
    tcase_add_test(tc, each_row_has_a_shape);
    tcase_add_loop_test(tc, integers_are_exact, 0, SHAPES);
#if !defined(__SANITIZE_THREAD__)
    tcase_add_loop_test(tc, floats_are_near, 0, SHAPES);
#endif
    tcase_add_loop_test(tc, each_epilogue, 0, CHECK_EPILOGUES);
    tcase_add_loop_test(tc, odd_windows, 0, 6);
    tcase_add_loop_test(tc, map_sizes, 1, 10);
    tcase_add_loop_test(tc, stem_sizes, 9, 18);
    tcase_add_test(tc, each_row_was_run);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    check_count_runs();
    return run_suite(conv_suite());
}
