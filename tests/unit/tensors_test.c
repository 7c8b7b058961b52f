/* The set of named tensors: what may be added, found, converted, and must be used. */
#include "check_main.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "formats/tensors.h"

static rn_tensor make(rn_dtype dtype, size_t rank, const size_t *shape, const void *data)
{
    rn_tensor tensor = {.dtype = dtype, .rank = rank, .data = data};
    for (size_t i = 0; i < rank; i++) tensor.shape[i] = shape[i];
    rn_tensor_row_major(&tensor);
    return tensor;
}

static rn_status add(rn_tensors *set, const char *name, const rn_tensor *tensor, size_t bytes,
                     rn_error *err)
{
    return rn_tensors_add(set, name, strlen(name), tensor, bytes, err);
}

START_TEST(finds_by_name)
{
    static const char *const names[] = {"b", "a", "layer1.0.conv1.weight", "c", "aa"};
    static const float value[5] = {0, 1, 2, 3, 4};
    rn_tensors set = {0};
    rn_error err;
    for (size_t i = 0; i < 5; i++) {
        const rn_tensor one = make(RN_F32, 1, (size_t[]){1}, &value[i]);
        ck_assert_int_eq(add(&set, names[i], &one, 4, &err), RN_OK);
    }
    ck_assert_int_eq(rn_tensors_sort(&set, &err), RN_OK);
    for (size_t i = 0; i < 5; i++) {
        rn_tensor *found = rn_tensors_find(&set, names[i]);
        ck_assert_ptr_nonnull(found);
        ck_assert_double_eq((double)*rn_tensor_floats(found, &err), (double)value[i]);
    }
    ck_assert_ptr_null(rn_tensors_find(&set, ""));
    ck_assert_ptr_null(rn_tensors_find(&set, "ab"));
    rn_tensors_release(&set);
}
END_TEST

START_TEST(refuses_a_name_twice)
{
    static const float value = 1;
    rn_tensors set = {0};
    rn_error err;
    const rn_tensor one = make(RN_F32, 0, NULL, &value);
    ck_assert_int_eq(add(&set, "bn1.weight", &one, 4, &err), RN_OK);
    ck_assert_int_eq(add(&set, "bn1.weight", &one, 4, &err), RN_OK);
    ck_assert_int_eq(rn_tensors_sort(&set, &err), RN_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "bn1.weight"));
    rn_tensors_release(&set);
}
END_TEST

/* Shapes whose products or strides overflow or exceed the bytes there are. */
START_TEST(refuses_bad_extents)
{
    static const float value[6];
    const size_t huge = (size_t)1 << 40;
    rn_tensors set = {0};
    rn_error err;
    rn_tensor tensor = make(RN_F32, 2, (size_t[]){2, 3}, value);
    ck_assert_int_eq(add(&set, "w", &tensor, 23, &err), RN_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "tensor w: the shape 2x3 of F32 needs 24 bytes"));
    tensor = make(RN_F32, 2, (size_t[]){huge, huge}, value);
    ck_assert_int_eq(add(&set, "w", &tensor, sizeof value, &err), RN_ERR_FORMAT);
    tensor = make(RN_F64, 1, (size_t[]){SIZE_MAX / 8 + 2}, value);
    ck_assert_int_eq(add(&set, "w", &tensor, sizeof value, &err), RN_ERR_FORMAT);
    tensor = make(RN_F32, 1, (size_t[]){3}, value);
    tensor.stride[0] = SIZE_MAX / 2;
    ck_assert_int_eq(add(&set, "w", &tensor, sizeof value, &err), RN_ERR_FORMAT);
    tensor.stride[0] = SIZE_MAX / 4;
    ck_assert_int_eq(add(&set, "w", &tensor, sizeof value, &err), RN_ERR_FORMAT);
    tensor = make(RN_F32, 1, (size_t[]){1000}, value);
    tensor.stride[0] = 0; /* all elements the same one: no more than the file holds */
    ck_assert_int_eq(add(&set, "w", &tensor, sizeof value, &err), RN_ERR_FORMAT);
    tensor.rank = RN_MAX_RANK + 1;
    ck_assert_int_eq(add(&set, "w", &tensor, sizeof value, &err), RN_ERR_FORMAT);
    tensor = make(RN_F32, 1, (size_t[]){6}, value);
    ck_assert_int_eq(rn_tensors_add(&set, "a\0b", 3, &tensor, sizeof value, &err), RN_ERR_FORMAT);
    ck_assert_uint_eq(set.count, 0);
    rn_tensors_release(&set);
}
END_TEST

START_TEST(scalars_and_empty_tensors_are_legal)
{
    static const int64_t counter = 7;
    rn_tensors set = {0};
    rn_error err;
    rn_tensor tensor = make(RN_I64, 0, NULL, &counter);
    ck_assert_int_eq(add(&set, "bn1.num_batches_tracked", &tensor, 8, &err), RN_OK);
    tensor = make(RN_F16, 2, (size_t[]){0, 5}, &counter);
    ck_assert_int_eq(add(&set, "empty", &tensor, 0, &err), RN_OK);
    ck_assert_int_eq(rn_tensors_sort(&set, &err), RN_OK);
    ck_assert_ptr_null(rn_tensor_floats(rn_tensors_find(&set, "bn1.num_batches_tracked"), &err));
    ck_assert_ptr_nonnull(strstr(err.text, "I64"));
    ck_assert_ptr_nonnull(rn_tensor_floats(rn_tensors_find(&set, "empty"), &err));
    ck_assert_int_eq(rn_tensors_check_used(&set, &err), RN_OK);
    rn_tensors_release(&set);
}
END_TEST

START_TEST(names_the_unused_tensor)
{
    static const float value[4];
    rn_tensors set = {0};
    rn_error err;
    const rn_tensor tensor = make(RN_F32, 2, (size_t[]){2, 2}, value);
    ck_assert_int_eq(add(&set, "aux.weight", &tensor, 16, &err), RN_OK);
    ck_assert_int_eq(rn_tensors_check_used(&set, &err), RN_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "aux.weight (2x2)"));
    ck_assert_ptr_nonnull(rn_tensor_floats(&set.tensor[0], &err));
    ck_assert_int_eq(rn_tensors_check_used(&set, &err), RN_OK);
    rn_tensors_release(&set);
}
END_TEST

static const float *one_tensor(rn_tensors *set, const rn_tensor *tensor, size_t bytes)
{
    rn_error err;
    ck_assert_int_eq(add(set, "w", tensor, bytes, &err), RN_OK);
    const float *floats = rn_tensor_floats(&set->tensor[0], &err);
    ck_assert_ptr_nonnull(floats);
    ck_assert_ptr_eq(floats, rn_tensor_floats(&set->tensor[0], &err)); /* converted once */
    return floats;
}

START_TEST(uses_aligned_floats_in_place)
{
    static const float value[2] = {1.5f, -2};
    rn_tensors set = {0};
    const rn_tensor tensor = make(RN_F32, 1, (size_t[]){2}, value);
    ck_assert_ptr_eq(one_tensor(&set, &tensor, sizeof value), value);
    rn_tensors_release(&set);
}
END_TEST

static void add_one(const rn_tensor *tensor, float *floats)
{
    for (size_t i = 0; i < rn_tensor_elements(tensor); i++) floats[i] += 1;
}

/* What the network does to the numbers is done to a copy, whoever asks for them. */
START_TEST(transforms_a_copy)
{
    static const float value[2] = {1.5f, -2};
    rn_tensors set = {0};
    rn_error err;
    rn_constant constant;
    float buffer[2];
    const float *floats;
    const rn_tensor tensor = make(RN_F32, 1, (size_t[]){2}, value);
    ck_assert_int_eq(add(&set, "w", &tensor, sizeof value, &err), RN_OK);
    set.tensor[0].transform = add_one;
    ck_assert(rn_tensor_constant(&set.tensor[0], &constant, &err));
    ck_assert_int_eq(rn_constant_read(constant, 2, buffer, &floats, &err), RN_OK);
    ck_assert_ptr_eq(floats, buffer);
    ck_assert(buffer[0] == 2.5f && buffer[1] == -1);
    ck_assert_mem_eq(rn_tensor_floats(&set.tensor[0], &err), buffer, sizeof buffer);
    ck_assert_int_eq(rn_constant_read(constant, 3, buffer, &floats, &err), RN_ERR_FORMAT);
    ck_assert_str_eq(err.text, "a constant of 2 numbers, 3 are needed");
    rn_tensors_release(&set);
}
END_TEST

START_TEST(copies_unaligned_floats)
{
    static const float value[2] = {1.5f, -2};
    _Alignas(8) uint8_t bytes[9];
    memcpy(bytes + 1, value, sizeof value);
    rn_tensors set = {0};
    const rn_tensor tensor = make(RN_F32, 1, (size_t[]){2}, bytes + 1);
    const float *floats = one_tensor(&set, &tensor, sizeof value);
    ck_assert_uint_eq((uintptr_t)floats % sizeof *floats, 0);
    ck_assert_mem_eq(floats, value, sizeof value);
    rn_tensors_release(&set);
}
END_TEST

START_TEST(converts_halves)
{
    static const uint16_t half[] = {0x0000, 0x8000, 0x0001, 0x83ff, 0x0400, 0x3c00,
                                    0x3555, 0xc000, 0x7bff, 0x7c00, 0xfc00, 0x7e00};
    static const float want[] = {0,           -0.0f, 0x1p-24f, -1023 * 0x1p-24f, 0x1p-14f, 1,
                                 0x1.554p-2f, -2,    65504,    INFINITY,         -INFINITY};
    rn_tensors set = {0};
    const rn_tensor tensor = make(RN_F16, 1, (size_t[]){12}, half);
    const float *floats = one_tensor(&set, &tensor, sizeof half);
    ck_assert_mem_eq(floats, want, sizeof want);
    ck_assert(isnan(floats[11]));
    rn_tensors_release(&set);
}
END_TEST

START_TEST(converts_bfloats_and_doubles)
{
    static const uint16_t brain[] = {0x3f80, 0xc040, 0x7f80, 0x0001};
    static const float want[] = {1, -3, INFINITY, 0x1p-133f};
    static const double wide[] = {0.1, -1e300, 3};
    rn_tensors set = {0};
    rn_tensor tensor = make(RN_BF16, 2, (size_t[]){2, 2}, brain);
    ck_assert_mem_eq(one_tensor(&set, &tensor, sizeof brain), want, sizeof want);
    rn_tensors_release(&set);
    tensor = make(RN_F64, 1, (size_t[]){3}, wide);
    const float *floats = one_tensor(&set, &tensor, sizeof wide);
    ck_assert_double_eq((double)floats[0], (double)0.1f);
    ck_assert(isinf(floats[1]));
    ck_assert_double_eq((double)floats[2], 3);
    rn_tensors_release(&set);
}
END_TEST

/* A 2x3x2 view with its dimensions in another order in memory, and gaps. */
START_TEST(follows_strides)
{
    float memory[64];
    for (size_t i = 0; i < 64; i++) memory[i] = (float)i;
    rn_tensor tensor = make(RN_F32, 3, (size_t[]){2, 3, 2}, memory);
    tensor.stride[0] = 2;
    tensor.stride[1] = 5;
    tensor.stride[2] = 31;
    rn_tensors set = {0};
    const float *floats = one_tensor(&set, &tensor, 44 * sizeof *memory); /* 2 + 10 + 31 + 1 */
    for (size_t i = 0; i < 12; i++)
        ck_assert_double_eq((double)floats[i], (double)(i / 6 * 2 + i / 2 % 3 * 5 + i % 2 * 31));
    rn_error err;
    ck_assert_int_eq(add(&set, "w", &tensor, 44 * sizeof *memory - 1, &err), RN_ERR_FORMAT);
    rn_tensors_release(&set);
}
END_TEST

START_TEST(shapes_as_text)
{
    char text[16], small[6];
    ck_assert_str_eq(rn_shape_text((size_t[]){64, 3, 7, 7}, 4, text, sizeof text), "64x3x7x7");
    ck_assert_str_eq(rn_shape_text(NULL, 0, text, sizeof text), "scalar");
    ck_assert_str_eq(rn_shape_text((size_t[]){123, 456}, 2, small, sizeof small), "123x4");
}
END_TEST

/* Only what lies as floats is handed out where it lies; the rest is read when it is needed. */
START_TEST(constants_are_read_when_needed)
{
    static const float whole[2] = {1, -2};
    static const uint16_t half[2] = {0x3c00, 0xc000};
    rn_tensors set = {0};
    rn_error err;
    rn_constant constant;
    float buffer[2];
    const float *floats;
    const rn_tensor plain = make(RN_F32, 1, (size_t[]){2}, whole);
    const rn_tensor narrow = make(RN_F16, 1, (size_t[]){2}, half);
    ck_assert_int_eq(add(&set, "a", &plain, sizeof whole, &err), RN_OK);
    ck_assert_int_eq(add(&set, "b", &narrow, sizeof half, &err), RN_OK);
    ck_assert(rn_tensor_constant(&set.tensor[0], &constant, &err));
    ck_assert_ptr_eq(constant.floats, whole);
    ck_assert_int_eq(rn_tensors_check_used(&set, &err), RN_ERR_FORMAT);
    ck_assert(rn_tensor_constant(&set.tensor[1], &constant, &err));
    ck_assert_ptr_null(constant.floats);
    ck_assert_int_eq(rn_constant_read(constant, 2, buffer, &floats, &err), RN_OK);
    ck_assert(floats[0] == 1 && floats[1] == -2);
    ck_assert_ptr_null(set.tensor[1].floats);
    ck_assert_int_eq(rn_tensors_check_used(&set, &err), RN_OK);
    rn_tensors_release(&set);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tensors");
    TCase *tcase = tcase_create("tensors");
    tcase_add_test(tcase, finds_by_name);
    tcase_add_test(tcase, refuses_a_name_twice);
    tcase_add_test(tcase, refuses_bad_extents);
    tcase_add_test(tcase, scalars_and_empty_tensors_are_legal);
    tcase_add_test(tcase, names_the_unused_tensor);
    tcase_add_test(tcase, uses_aligned_floats_in_place);
    tcase_add_test(tcase, transforms_a_copy);
    tcase_add_test(tcase, copies_unaligned_floats);
    tcase_add_test(tcase, converts_halves);
    tcase_add_test(tcase, converts_bfloats_and_doubles);
    tcase_add_test(tcase, follows_strides);
    tcase_add_test(tcase, shapes_as_text);
    tcase_add_test(tcase, constants_are_read_when_needed);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
