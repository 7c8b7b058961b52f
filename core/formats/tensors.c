#include "formats/tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"

#define PIECE ((size_t)8 << 10) /* bytes that are converted at once */

size_t rn_dtype_bytes(rn_dtype dtype)
{
    return rn_type_bytes(dtype);
}

const char *rn_dtype_name(rn_dtype dtype)
{
    return rn_type_name(dtype);
}

char *rn_shape_text(const size_t *shape, size_t rank, char *text, size_t size)
{
    size_t used = 0;
    snprintf(text, size, "scalar");
    for (size_t i = 0; i < rank && used < size; i++)
        used += snprintf(text + used, size - used, i ? "x%zu" : "%zu", shape[i]);
    return text;
}

/* ---- building the set ------------------------------------------------------------------------ */

void rn_tensor_row_major(rn_tensor *tensor)
{
    size_t stride = 1; /* a product that wraps is refused by rn_tensors_add() */
    for (size_t i = tensor->rank; i-- > 0;) {
        tensor->stride[i] = stride;
        stride *= tensor->shape[i];
    }
}

void rn_tensor_place(rn_tensor *tensor, const rn_file *file, size_t offset)
{
    tensor->file = *file;
    tensor->offset = offset;
    tensor->data = file->bytes ? file->bytes + offset : NULL;
}

/* The bytes from the first element to the end of the last. False on overflow. */
static bool span_bytes(const rn_tensor *tensor, size_t *out)
{
    size_t last = 0, step;
    for (size_t i = 0; i < tensor->rank; i++) {
        if (tensor->shape[i] == 0) return *out = 0, true;
        if (!rn_size_mul(tensor->shape[i] - 1, tensor->stride[i], &step)) return false;
        if (!rn_size_add(last, step, &last)) return false;
    }
    return rn_size_add(last, 1, &last) && rn_size_mul(last, rn_dtype_bytes(tensor->dtype), out);
}

static rn_status check_extent(const rn_tensor *tensor, size_t bytes, rn_error *err)
{
    char shape[96];
    if (tensor->rank > RN_MAX_RANK)
        return rn_fail(err, RN_ERR_FORMAT, "%zu dimensions, at most %d can be served", tensor->rank,
                       RN_MAX_RANK);
    rn_shape_text(tensor->shape, tensor->rank, shape, sizeof shape);
    size_t elements = 0, dense = 0, span = 0;
    if (!rn_size_product(tensor->shape, tensor->rank, &elements) ||
        !rn_size_mul(elements, rn_dtype_bytes(tensor->dtype), &dense) || !span_bytes(tensor, &span))
        return rn_fail(err, RN_ERR_FORMAT, "the shape %s overflows", shape);
    if (rn_max(dense, span) > bytes)
        return rn_fail(err, RN_ERR_FORMAT, "the shape %s of %s needs %zu bytes, there are %zu",
                       shape, rn_dtype_name(tensor->dtype), rn_max(dense, span), bytes);
    return RN_OK;
}

rn_status rn_tensors_add(rn_tensors *set, const char *name, size_t name_size,
                         const rn_tensor *tensor, size_t bytes, rn_error *err)
{
    const int shown = (int)rn_min(name_size, 80);
    if (memchr(name, '\0', name_size))
        return rn_fail(err, RN_ERR_FORMAT, "tensor %.*s: its name holds a NUL byte", shown, name);
    const rn_status status = check_extent(tensor, bytes, err);
    if (status) return rn_context(err, "tensor %.*s", shown, name), status;

    rn_tensor *grown = rn_grow(set->tensor, set->count, &set->capacity, sizeof *grown, err);
    if (!grown) return RN_ERR_MEMORY;
    set->tensor = grown;
    char *copy = rn_strndup(name, name_size, err);
    if (!copy) return RN_ERR_MEMORY;
    rn_tensor *added = &set->tensor[set->count++];
    *added = *tensor;
    added->name = copy;
    added->used = false;
    added->floats = NULL;
    added->transform = NULL;
    return RN_OK;
}

/* ---- files beside the weights file ----------------------------------------------------------- */

/* A relative path without empty parts and "..": by itself it can't lead out of the folder. */
static bool stays_beneath(const char *name)
{
    for (;;) {
        const size_t part = strcspn(name, "/");
        if (part == 0 || strncmp(name, "..", rn_max(part, 2)) == 0) return false;
        if (name[part] == '\0') return true;
        name += part + 1;
    }
}

static rn_status open_side_file(rn_side_file *side, const char *folder, const char *name,
                                rn_error *err)
{
    char *path = rn_path_join(folder, name, err);
    if (!path) return RN_ERR_MEMORY;
    const rn_status status = rn_file_open(&side->file, path, err);
    rn_free(path);
    if (status != RN_OK) return status;
    side->name = rn_strdup(name, err);
    if (side->name) return RN_OK;
    rn_file_close(&side->file);
    return RN_ERR_MEMORY;
}

const rn_file *rn_tensors_side_file(rn_tensors *set, const char *folder, const char *name,
                                    rn_error *err)
{
    for (size_t i = 0; i < set->sides; i++)
        if (strcmp(set->side[i].name, name) == 0) return &set->side[i].file;
    if (!folder || !stays_beneath(name)) {
        rn_fail(err, RN_ERR_FORMAT, "file %.80s: %s", name,
                folder ? "not a path beneath the model's folder"
                       : "a model in memory has no files beside it");
        return NULL;
    }
    rn_side_file *grown =
        rn_grow(set->side, set->sides, &set->side_capacity, sizeof *set->side, err);
    if (!grown) return NULL;
    set->side = grown;
    if (open_side_file(&set->side[set->sides], folder, name, err) != RN_OK) return NULL;
    return &set->side[set->sides++].file;
}

size_t rn_tensors_bytes(const rn_tensors *set)
{
    size_t bytes = set->file.size; /* open together: no overflow */
    for (size_t i = 0; i < set->sides; i++) bytes += set->side[i].file.size;
    return bytes;
}

/* ---- order ----------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const rn_tensor *)a)->name, ((const rn_tensor *)b)->name);
}

rn_status rn_tensors_sort(rn_tensors *set, rn_error *err)
{
    if (set->count) qsort(set->tensor, set->count, sizeof *set->tensor, compare_names);
    for (size_t i = 1; i < set->count; i++)
        if (compare_names(&set->tensor[i - 1], &set->tensor[i]) == 0)
            return rn_fail(err, RN_ERR_FORMAT, "tensor %s: stands twice in the file",
                           set->tensor[i].name);
    return RN_OK;
}

/* ---- reading it ------------------------------------------------------------------------------ */

rn_tensor *rn_tensors_find(const rn_tensors *set, const char *name)
{
    size_t low = 0, high = set->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(name, set->tensor[middle].name);
        if (order == 0) return &set->tensor[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

size_t rn_tensor_elements(const rn_tensor *tensor)
{
    size_t elements = 1; /* checked by rn_tensors_add() */
    for (size_t i = 0; i < tensor->rank; i++) elements *= tensor->shape[i];
    return elements;
}

static bool is_contiguous(const rn_tensor *tensor)
{
    size_t expected = 1;
    for (size_t i = tensor->rank; i-- > 0;) {
        if (tensor->shape[i] != 1 && tensor->stride[i] != expected) return false;
        expected *= tensor->shape[i];
    }
    return true;
}

static float float_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float read_f32(const uint8_t *p)
{
    float value;
    memcpy(&value, p, sizeof value);
    return value;
}

static float read_f64(const uint8_t *p)
{
    double value;
    memcpy(&value, p, sizeof value);
    return (float)value;
}

static float read_bf16(const uint8_t *p)
{
    return float_from_bits((uint32_t)p[0] << 16 | (uint32_t)p[1] << 24);
}

static float read_f16(const uint8_t *p)
{
    const uint32_t half = (uint32_t)p[0] | (uint32_t)p[1] << 8;
    const uint32_t sign = (half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 1023;
    if (exponent == 0) return ((float)fraction * 0x1p-24f) * (sign ? -1 : 1);
    const uint32_t biased = exponent == 31 ? 255 : exponent + 112;
    return float_from_bits(sign | biased << 23 | fraction << 13);
}

/* n elements, `step` bytes apart */
static void convert_run(rn_dtype dtype, const uint8_t *src, size_t step, size_t n, float *dst)
{
    switch (dtype) {
    case RN_F16:
        for (size_t i = 0; i < n; i++) dst[i] = read_f16(src + i * step);
        break;
    case RN_BF16:
        for (size_t i = 0; i < n; i++) dst[i] = read_bf16(src + i * step);
        break;
    case RN_F64:
        for (size_t i = 0; i < n; i++) dst[i] = read_f64(src + i * step);
        break;
    default:
        for (size_t i = 0; i < n; i++) dst[i] = read_f32(src + i * step);
        break;
    }
}

/* Elements that lie behind each other. */
static void convert_dense(const rn_tensor *tensor, const uint8_t *data, size_t n, float *dst)
{
    if (tensor->dtype == RN_F32)
        memcpy(dst, data, n * sizeof *dst);
    else
        convert_run(tensor->dtype, data, rn_dtype_bytes(tensor->dtype), n, dst);
}

/* Elements by their strides, which are not those of row-major order. */
static void convert_strided(const rn_tensor *tensor, const uint8_t *data, size_t elements,
                            float *dst)
{
    const size_t bytes = rn_dtype_bytes(tensor->dtype);
    const size_t inner = tensor->rank - 1, run = tensor->shape[inner];
    size_t index[RN_MAX_RANK] = {0}, at = 0;
    for (size_t done = 0; done < elements; done += run) {
        convert_run(tensor->dtype, data + at * bytes, tensor->stride[inner] * bytes, run,
                    dst + done);
        for (size_t d = inner; d-- > 0;) { /* the next index of the outer dimensions */
            at += tensor->stride[d];
            if (++index[d] < tensor->shape[d]) break;
            at -= tensor->stride[d] * tensor->shape[d];
            index[d] = 0;
        }
    }
}

static rn_status read_dense(const rn_tensor *tensor, size_t elements, float *dst, rn_error *err)
{
    uint8_t piece[PIECE];
    const size_t bytes = rn_dtype_bytes(tensor->dtype), most = sizeof piece / bytes;
    if (tensor->dtype == RN_F32)
        return rn_file_read(&tensor->file, tensor->offset, elements * bytes, dst, err);
    for (size_t done = 0; done < elements; done += most) {
        const size_t n = rn_min(most, elements - done);
        const rn_status status =
            rn_file_read(&tensor->file, tensor->offset + done * bytes, n * bytes, piece, err);
        if (status != RN_OK) return status;
        convert_dense(tensor, piece, n, dst + done);
    }
    return RN_OK;
}

static rn_status read_strided(const rn_tensor *tensor, size_t elements, float *dst, rn_error *err)
{
    size_t span = 0; /* checked by rn_tensors_add() */
    span_bytes(tensor, &span);
    uint8_t *data = rn_file_read_new(&tensor->file, tensor->offset, span, err);
    if (!data) return rn_failure(err);
    convert_strided(tensor, data, elements, dst);
    rn_free(data);
    return RN_OK;
}

/* All elements, from memory or the file. */
static rn_status read_elements(const rn_tensor *tensor, float *dst, rn_error *err)
{
    const size_t elements = rn_tensor_elements(tensor);
    const bool dense = elements == 0 || is_contiguous(tensor);
    if (!tensor->data)
        return dense ? read_dense(tensor, elements, dst, err)
                     : read_strided(tensor, elements, dst, err);
    if (dense)
        convert_dense(tensor, tensor->data, elements, dst);
    else
        convert_strided(tensor, tensor->data, elements, dst);
    return RN_OK;
}

static rn_status read_transformed(const rn_tensor *tensor, float *dst, rn_error *err)
{
    rn_error own; /* rn_failure() and callers below need its status */
    const rn_status status = read_elements(tensor, dst, err ? err : &own);
    if (status != RN_OK) return rn_context(err, "tensor %s", tensor->name), status;
    if (tensor->transform) tensor->transform(tensor, dst);
    return RN_OK;
}

static rn_status read_stored(const rn_stored *self, float *dst, rn_error *err)
{
    return read_transformed((const rn_tensor *)self, dst, err);
}

static bool lies_as_floats(const rn_tensor *tensor)
{
    return tensor->data && tensor->dtype == RN_F32 && is_contiguous(tensor) &&
           (uintptr_t)tensor->data % sizeof(float) == 0 && !tensor->transform;
}

/* False with *err filled: numbers of this type are no weights. */
static bool take(rn_tensor *tensor, rn_error *err)
{
    if (!rn_type_is_float(tensor->dtype))
        return rn_fail(err, RN_ERR_FORMAT, "tensor %s: its type is %s, weights must be floats",
                       tensor->name, rn_dtype_name(tensor->dtype)),
               false;
    tensor->used = true;
    return true;
}

const float *rn_tensor_floats(rn_tensor *tensor, rn_error *err)
{
    if (!take(tensor, err)) return NULL;
    if (!tensor->floats && lies_as_floats(tensor)) return (const float *)(const void *)tensor->data;
    if (tensor->floats) return tensor->floats;
    float *floats = rn_alloc(rn_tensor_elements(tensor), sizeof *floats, err);
    if (floats && read_transformed(tensor, floats, err) != RN_OK) {
        rn_free(floats);
        return NULL;
    }
    return tensor->floats = floats;
}

bool rn_tensor_constant(rn_tensor *tensor, rn_constant *out, rn_error *err)
{
    *out = (rn_constant){.name = tensor->name, .count = rn_tensor_elements(tensor)};
    if (!take(tensor, err)) return false;
    tensor->stored = (rn_stored){rn_tensor_elements(tensor), read_stored};
    if (tensor->floats || lies_as_floats(tensor))
        out->floats = rn_tensor_floats(tensor, err);
    else
        out->stored = &tensor->stored;
    return true;
}

rn_status rn_tensors_check_used(const rn_tensors *set, rn_error *err)
{
    char shape[96];
    for (size_t i = 0; i < set->count; i++) {
        const rn_tensor *tensor = &set->tensor[i];
        if (tensor->used || !rn_type_is_float(tensor->dtype)) continue;
        return rn_fail(err, RN_ERR_FORMAT, "tensor %s (%s): no layer of the network uses it",
                       tensor->name,
                       rn_shape_text(tensor->shape, tensor->rank, shape, sizeof shape));
    }
    return RN_OK;
}

void rn_tensors_release(rn_tensors *set)
{
    for (size_t i = 0; i < set->count; i++) {
        rn_free(set->tensor[i].name);
        rn_free(set->tensor[i].floats);
    }
    rn_free(set->tensor);
    if (set->document) set->document_free(set->document);
    rn_file_close(&set->file);
    for (size_t i = 0; i < set->sides; i++) {
        rn_free(set->side[i].name);
        rn_file_close(&set->side[i].file);
    }
    rn_free(set->side);
    *set = (rn_tensors){0};
}
