/* Kernels of all operators but convolution against the reference. */
#include "check_main.h"
#include "kernel_check.h"

#include <math.h>

static const size_t channels[] = {1, 15, 16, 33, 64};
enum { CHANNELS = sizeof channels / sizeof *channels };

static const rn_window windows[] = {
    {2, 2, 2, 2, 0, 0, 0, 0, 1, 1, false, false}, {3, 3, 2, 2, 1, 1, 1, 1, 1, 1, false, false},
    {3, 3, 1, 1, 1, 1, 1, 1, 1, 1, false, true},  {2, 2, 2, 2, 0, 0, 0, 0, 1, 1, true, false},
    {3, 2, 2, 3, 1, 0, 0, 1, 1, 1, true, true},   {3, 3, 2, 2, 0, 0, 0, 0, 1, 1, true, false},
    {1, 1, 1, 1, 0, 0, 0, 0, 1, 1, false, false}, {7, 7, 1, 1, 3, 3, 3, 3, 1, 1, false, false},
};
enum { WINDOWS = sizeof windows / sizeof *windows };

static void check_both(rn_desc desc, size_t n)
{
    ck_assert_uint_gt(check_kernels(desc, n, VALUES_INTEGERS), 0);
    ck_assert_uint_gt(check_kernels(desc, n, VALUES_FLOATS), 0);
}

START_TEST(pools)
{
    for (size_t c = 0; c < CHANNELS; c++) {
        rn_desc desc = {.in = {rn_map(channels[c], 11, 14)}, .window = windows[_i], .groups = 1};
        desc.op = RN_OP_MAX_POOL;
        check_both(desc, 2);
        desc.op = RN_OP_AVG_POOL;
        check_both(desc, 2);
    }
}
END_TEST

START_TEST(dilated_max_pool)
{
    const rn_window window = {3, 2, 1, 2, 1, 1, 1, 1, 2, 3, false, false};
    check_both((rn_desc){.op = RN_OP_MAX_POOL, .in = {rn_map(20, 9, 12)}, .window = window}, 1);
}
END_TEST

START_TEST(global_average)
{
    const rn_shape dims[] = {rn_map(channels[_i], 7, 7), rn_map(channels[_i], 1, 1),
                             rn_map(channels[_i], 5, 9)};
    for (size_t i = 0; i < 3; i++)
        check_both((rn_desc){.op = RN_OP_GLOBAL_AVG_POOL, .in = {dims[i]}}, 3);
}
END_TEST

START_TEST(linear)
{
    static const size_t sizes[][3] = {
        {512, 1000, 1}, {64, 10, 5}, {33, 47, 17}, {1, 1, 2}, {100, 16, 31}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        check_both((rn_desc){.op = RN_OP_LINEAR,
                             .in = {rn_row(sizes[i][0])},
                             .out = {.c = sizes[i][1]},
                             .epilogue = check_epilogue((size_t)_i)},
                   sizes[i][2]);
}
END_TEST

/* Each row of elementwise.def, with parameters that all of their formulas take. */
START_TEST(elementwise)
{
    for (size_t c = 0; c < CHANNELS; c++) {
        const rn_shape dims = rn_map(channels[c], 5, 9);
        rn_desc desc = {.in = {dims, dims}, .parameter = {0.5F, -3, 4}};
        for (desc.op = 0; desc.op < RN_OPS; desc.op++) {
            const rn_op_kind kind = rn_op_row_of(desc.op)->kind;
            if (kind == RN_KIND_UNARY || kind == RN_KIND_BINARY) check_both(desc, 2);
        }
    }
}
END_TEST

/* The fast formulas far from 0, where what is below is nothing beside 1. */
START_TEST(formulas_over_their_range)
{
    static const float some[] = {0, 1e-30F, 1e-6F, 1e-3F, 0.3F, 0.62F, 0.63F, 1.5F,
                                 3, 4,      5,     9,     19,   21,    60,    80};
    enum { SOME = sizeof some / sizeof *some, PIXELS = 4 };
    _Alignas(64) float src[PIXELS * SOME], dst[PIXELS * SOME], want[PIXELS * SOME];
    for (size_t i = 0; i < PIXELS * SOME; i++)
        src[i] = some[i % SOME] * (i / SOME % 2 ? -1 : 1) * (i / SOME < 2 ? 1 : 1.25F);
    const rn_shape shape = rn_map(SOME, PIXELS, 1);
    rn_desc desc = {.inputs = 1, .in = {shape}, .out = shape, .parameter = {0.5F, 0.75F, 4}};
    for (size_t i = 0; i < rn_impl_count; i++) {
        const rn_impl *impl = rn_impls[i];
        desc.op = impl->op;
        if (rn_op_row_of(impl->op)->kind != RN_KIND_UNARY ||
            !rn_impl_takes(impl, &desc, rn_isa_detect()))
            continue;
        impl->run(&desc, &(rn_args){.src = src, .dst = dst, .n = 1});
        rn_unary(desc.op, desc.parameter, src, want, PIXELS * SOME);
        for (size_t k = 0; k < PIXELS * SOME; k++)
            ck_assert_msg(dst[k] == want[k] || (isnan(dst[k]) && isnan(want[k])) ||
                              fabsf(dst[k] - want[k]) <=
                                  1e-6F * (fabsf(want[k]) + fminf(fabsf(src[k]), 4)),
                          "%s of %g: want %.9g, got %.9g", impl->name, (double)src[k],
                          (double)want[k], (double)dst[k]);
    }
}
END_TEST

START_TEST(elementwise_with_epilogue)
{
    for (size_t c = 0; c < CHANNELS; c++) {
        const rn_shape dims = rn_map(channels[c], 5, 9), gate = rn_map(channels[c], 1, 1);
        rn_desc desc = {.in = {dims, dims}, .epilogue = check_epilogue((size_t)_i)};
        desc.op = RN_OP_BATCH_NORM;
        check_both(desc, 2);
        desc.epilogue = (rn_epilogue){0};
        desc.op = RN_OP_PRELU;
        check_both(desc, 2);
        desc.epilogue = check_epilogue((size_t)_i);
        for (desc.op = 0; desc.op < RN_OPS; desc.op++) {
            if (rn_op_row_of(desc.op)->kind != RN_KIND_BINARY) continue;
            desc.in[1] = dims;
            check_kernels(desc, 2, VALUES_INTEGERS); /* where the fill stays zero */
            desc.in[1] = gate;
            check_kernels(desc, 2, VALUES_INTEGERS);
            check_kernels(desc, 2, VALUES_FLOATS);
        }
    }
}
END_TEST

START_TEST(operand_of_one_pixel)
{
    for (size_t c = 0; c < CHANNELS; c++) {
        const rn_shape dims = rn_map(channels[c], 5, 9), gate = rn_map(channels[c], 1, 1);
        rn_desc desc = {.in = {dims, gate}};
        for (desc.op = 0; desc.op < RN_OPS; desc.op++)
            if (rn_op_row_of(desc.op)->kind == RN_KIND_BINARY) check_both(desc, 2);
    }
}
END_TEST

/* Groups in a block, a block, blocks in a group. */
START_TEST(group_norm)
{
    static const size_t shapes[][2] = {{64, 32}, {64, 16}, {64, 4}, {96, 2}, {64, 1}, {16, 16}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check_both((rn_desc){.op = RN_OP_GROUP_NORM,
                             .in = {rn_map(shapes[i][0], 5, 7)},
                             .groups = shapes[i][1],
                             .eps = 1e-5,
                             .epilogue = check_epilogue((size_t)_i)},
                   2);
}
END_TEST

START_TEST(zero_pad_and_blur)
{
    const rn_window pad = {.pad_top = 1, .pad_left = 2, .pad_right = 3};
    for (size_t c = 0; c < CHANNELS; c++)
        for (size_t size = 2; size < 6; size++) {
            const rn_shape dims = rn_map(channels[c], size, 7 - size);
            rn_desc desc = {.op = RN_OP_ZERO_PAD, .in = {dims}, .window = pad};
            check_both(desc, 2);
            desc.op = RN_OP_BLUR_POOL;
            for (size_t stride = 1; stride <= 2; stride++) {
                desc.window = (rn_window){.kh = 3, .kw = 3, .stride_h = stride, .stride_w = stride};
                check_both(desc, 2);
            }
        }
}
END_TEST

/* Whole blocks, parts of them, and both. */
START_TEST(concat)
{
    for (size_t c = 0; c < CHANNELS; c++) {
        const rn_shape a = rn_map(channels[_i], 5, 9), b = rn_map(channels[c], 5, 9);
        check_both((rn_desc){.op = RN_OP_CONCAT, .inputs = 2, .in = {a, b}}, 3);
    }
}
END_TEST

START_TEST(reorder)
{
    const rn_shape dims[] = {rn_map(channels[_i], 5, 9), rn_row(channels[_i]),
                             rn_shape_of(4, (size_t[]){channels[_i], 2, 3, 5})};
    for (size_t i = 0; i < 3; i++) {
        rn_desc desc = {.op = RN_OP_REORDER,
                        .in = {dims[i]},
                        .src_layout = RN_LAYOUT_NCHW,
                        .dst_layout = RN_LAYOUT_NCHW16C};
        check_both(desc, 3);
        desc.src_layout = RN_LAYOUT_NCHW16C;
        desc.dst_layout = RN_LAYOUT_NCHW;
        check_both(desc, 3);
    }
}
END_TEST

/* A maximum and a rectified sum keep NaN wherever it stands, as PyTorch does. */
START_TEST(not_a_number)
{
    const rn_shape in = rn_map(20, 9, 12);
    rn_desc desc = {.op = RN_OP_MAX_POOL, .in = {in}, .window = windows[1]};
    ck_assert_uint_gt(check_kernels(desc, 2, VALUES_WITH_NAN), 0);
    desc.op = RN_OP_RELU;
    ck_assert_uint_gt(check_kernels(desc, 2, VALUES_WITH_NAN), 0);
}
END_TEST

static Suite *other_suite(void)
{
    Suite *suite = suite_create("kernels");
    TCase *tc = tcase_create("against the reference");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, pools, 0, WINDOWS);
    tcase_add_test(tc, dilated_max_pool);
    tcase_add_loop_test(tc, global_average, 0, CHANNELS);
    tcase_add_loop_test(tc, linear, 0, CHECK_EPILOGUES);
    tcase_add_test(tc, elementwise);
    tcase_add_test(tc, formulas_over_their_range);
    tcase_add_loop_test(tc, elementwise_with_epilogue, 0, CHECK_EPILOGUES);
    tcase_add_test(tc, operand_of_one_pixel);
    tcase_add_loop_test(tc, group_norm, 0, CHECK_EPILOGUES);
    tcase_add_test(tc, zero_pad_and_blur);
    tcase_add_loop_test(tc, concat, 0, CHANNELS);
    tcase_add_loop_test(tc, reorder, 0, CHANNELS);
    tcase_add_test(tc, not_a_number);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return run_suite(other_suite());
}
