/* ONNX files: parsed by libprotobuf-c from the messages of onnx.proto, with memory that is bounded
 * by the file's size. Tensors of floats and of 64-bit integers join the set under their names. */
#include <onnx.pb-c.h>

#include "formats/onnx.h"

#include <string.h>

#include "base/mem.h"
#include "base/size.h"

/* A field of two bytes becomes a structure of some hundred: what a file of `size` bytes may take.
 */
#define MEMORY_PER_BYTE 64
#define MEMORY_BASE     ((size_t)1 << 20)
/* Weights that nodes may use, per byte of the file: a quantised one is one byte. */
#define FLOATS_PER_BYTE 4
#define FLOATS_BASE     ((size_t)1 << 16)

/* ---- parsing --------------------------------------------------------------------------------- */

/* data: the rn_onnx_document */
static void *take_memory(void *data, size_t size)
{
    rn_onnx_document *doc = data;
    const size_t taken = size > SIZE_MAX - RN_ALIGN ? SIZE_MAX : rn_round_up(size, RN_ALIGN);
    if (taken > doc->memory) {
        doc->memory = 0;
        return NULL;
    }
    doc->memory -= taken;
    void *memory = rn_alloc(size, 1, NULL);
    if (!memory) doc->starved = true;
    return memory;
}

static void free_memory(void *data, void *memory)
{
    (void)data;
    rn_free(memory);
}

static ProtobufCAllocator allocator_of(rn_onnx_document *doc)
{
    return (ProtobufCAllocator){take_memory, free_memory, doc};
}

static void free_document(void *document)
{
    rn_onnx_document *doc = document;
    ProtobufCAllocator allocator = allocator_of(doc);
    rn_onnx_detach(doc);
    if (doc->model) onnx__model__free_unpacked(doc->model, &allocator);
    for (size_t i = 0; i < doc->owned_count; i++) rn_free(doc->owned[i]);
    rn_free(doc->owned);
    rn_free(doc);
}

void *rn_onnx_alloc(rn_onnx_document *doc, size_t count, size_t size, rn_error *err)
{
    void **grown = rn_grow(doc->owned, doc->owned_count, &doc->owned_capacity, sizeof *grown, err);
    if (!grown) return NULL;
    doc->owned = grown;
    void *memory = rn_alloc_zero(count, size, err);
    if (memory) doc->owned[doc->owned_count++] = memory;
    return memory;
}

/* The first field of a model is its version of the format, a small number. */
bool rn_onnx_probe(const uint8_t *bytes, size_t size)
{
    return size > 2 && bytes[0] == 0x08 && bytes[1] >= 1 && bytes[1] <= 32;
}

void rn_onnx_count_file(rn_onnx_document *doc, size_t size)
{
    size_t more;
    if (!rn_size_mul(size, FLOATS_PER_BYTE, &more) || !rn_size_add(doc->floats, more, &doc->floats))
        doc->floats = SIZE_MAX;
}

static rn_status parse(rn_onnx_document *doc, const rn_file *file, rn_error *err)
{
    size_t size;
    if (!rn_size_mul(file->size, MEMORY_PER_BYTE, &doc->memory))
        doc->memory = SIZE_MAX - MEMORY_BASE;
    doc->memory += MEMORY_BASE;
    doc->floats = FLOATS_BASE;
    rn_onnx_count_file(doc, file->size);
    uint8_t *skeleton = rn_onnx_skeleton(file, &size, err);
    if (!skeleton) return rn_failure(err);
    ProtobufCAllocator allocator = allocator_of(doc);
    doc->model = onnx__model__unpack(&allocator, size, skeleton);
    rn_free(skeleton);
    if (!doc->model && doc->starved) return rn_fail_memory(err, size);
    if (!doc->model && doc->memory == 0)
        return rn_fail(err, RN_ERR_FORMAT, "onnx: %zu bytes would unfold to %d times as many",
                       file->size, MEMORY_PER_BYTE);
    if (!doc->model)
        return rn_fail(err, RN_ERR_FORMAT, "onnx: the %zu bytes are no valid model message",
                       file->size);
    if (!doc->model->graph) return rn_fail(err, RN_ERR_FORMAT, "onnx: the model has no graph");
    return RN_OK;
}

/* ---- tensors --------------------------------------------------------------------------------- */

/* How the elements of a type are stored; `field` is the typed one, used when raw_data is empty. */
typedef enum { NO_FIELD, FLOATS, INT32S, INT64S, DOUBLES } typed_field;

static const struct {
    size_t bytes; /* 0: not read */
    typed_field field;
    rn_dtype dtype; /* RN_DTYPES: never in the set */
} types[] = {
    [RN_ONNX_FLOAT] = {4, FLOATS, RN_F32},     [RN_ONNX_UINT8] = {1, INT32S, RN_DTYPES},
    [RN_ONNX_INT8] = {1, INT32S, RN_DTYPES},   [RN_ONNX_INT32] = {4, INT32S, RN_DTYPES},
    [RN_ONNX_INT64] = {8, INT64S, RN_I64},     [RN_ONNX_BOOL] = {1, INT32S, RN_DTYPES},
    [RN_ONNX_FLOAT16] = {2, INT32S, RN_F16},   [RN_ONNX_DOUBLE] = {8, DOUBLES, RN_F64},
    [RN_ONNX_BFLOAT16] = {2, INT32S, RN_BF16},
};
#define TYPES (int32_t)(sizeof types / sizeof types[0])

static size_t typed_count(const Onnx__Tensor *proto)
{
    switch (types[proto->data_type].field) {
    case FLOATS: return proto->n_float_data;
    case INT32S: return proto->n_int32_data;
    case INT64S: return proto->n_int64_data;
    case DOUBLES: return proto->n_double_data;
    case NO_FIELD: break;
    }
    return 0;
}

static rn_status read_dims(rn_onnx_constant *constant, const Onnx__Tensor *proto, rn_error *err)
{
    if (proto->n_dims > RN_MAX_RANK)
        return rn_fail(err, RN_ERR_FORMAT, "%zu dimensions, at most %d can be served",
                       proto->n_dims, RN_MAX_RANK);
    constant->rank = proto->n_dims;
    for (size_t i = 0; i < proto->n_dims; i++) {
        if (proto->dims[i] < 0)
            return rn_fail(err, RN_ERR_FORMAT, "dimension %zu is %lld", i,
                           (long long)proto->dims[i]);
        constant->dims[i] = (size_t)proto->dims[i];
    }
    if (!rn_size_product(constant->dims, constant->rank, &constant->elements))
        return rn_fail(err, RN_ERR_FORMAT, "its shape overflows");
    return RN_OK;
}

rn_status rn_onnx_read_tensor(rn_onnx_constant *constant, const Onnx__Tensor *proto,
                              const char *name, rn_error *err)
{
    *constant = (rn_onnx_constant){.proto = proto, .name = name, .type = proto->data_type};
    if (proto->data_location != 0)
        return rn_fail(err, RN_ERR_FORMAT, "its data is in another file");
    if (proto->data_type < 0 || proto->data_type >= TYPES || !types[proto->data_type].bytes)
        return rn_fail(err, RN_ERR_FORMAT, "its type (%d) can't be served", proto->data_type);
    const rn_status status = read_dims(constant, proto, err);
    if (status != RN_OK) return status;
    const size_t element = types[proto->data_type].bytes;
    const bool raw = proto->raw_data.len > 0;
    const size_t there = raw ? proto->raw_data.len / element : typed_count(proto);
    if (there != constant->elements || (raw && proto->raw_data.len % element))
        return rn_fail(err, RN_ERR_FORMAT, "%zu %s for a shape of %zu elements",
                       raw ? proto->raw_data.len : there, raw ? "bytes" : "numbers",
                       constant->elements);
    return RN_OK;
}

bool rn_onnx_is_integer(const rn_onnx_constant *constant)
{
    switch (constant->type) {
    case RN_ONNX_UINT8:
    case RN_ONNX_INT8:
    case RN_ONNX_INT32:
    case RN_ONNX_INT64:
    case RN_ONNX_BOOL: return true;
    default: return false;
    }
}

int64_t rn_onnx_integer(const rn_onnx_constant *constant, size_t i)
{
    const Onnx__Tensor *proto = constant->proto;
    if (!proto) return constant->ints ? constant->ints[i] : (int64_t)constant->floats[i];
    if (proto->raw_data.len == 0)
        return proto->data_type == RN_ONNX_INT64 ? proto->int64_data[i] : proto->int32_data[i];
    const uint8_t *raw = proto->raw_data.data;
    int32_t word;
    int64_t wide;
    switch (proto->data_type) {
    case RN_ONNX_INT8: return (int8_t)raw[i];
    case RN_ONNX_INT32: memcpy(&word, raw + 4 * i, sizeof word); return word;
    case RN_ONNX_INT64: memcpy(&wide, raw + 8 * i, sizeof wide); return wide;
    default: return raw[i];
    }
}

/* 16-bit floats in the field of 32-bit integers, one in each. */
static const uint8_t *narrow(rn_onnx_document *doc, const Onnx__Tensor *proto, rn_error *err)
{
    uint16_t *narrow = rn_onnx_alloc(doc, proto->n_int32_data, sizeof *narrow, err);
    for (size_t i = 0; narrow && i < proto->n_int32_data; i++)
        narrow[i] = (uint16_t)proto->int32_data[i];
    return (const uint8_t *)narrow;
}

static const uint8_t *tensor_data(rn_onnx_document *doc, const Onnx__Tensor *proto, rn_error *err)
{
    static const uint8_t none[1];
    if (proto->raw_data.len) return proto->raw_data.data;
    if (typed_count(proto) == 0) return none;
    switch (types[proto->data_type].field) {
    case FLOATS: return (const uint8_t *)proto->float_data;
    case INT64S: return (const uint8_t *)proto->int64_data;
    case DOUBLES: return (const uint8_t *)proto->double_data;
    default: return narrow(doc, proto, err);
    }
}

/* Gives the tensor its bytes; `name`: under which it joins the set, NULL: it doesn't. */
static rn_status add_tensor(rn_tensors *set, const char *name, Onnx__Tensor *proto,
                            const rn_format_options *options, rn_error *err)
{
    rn_onnx_constant constant;
    rn_onnx_place place;
    rn_status status = rn_onnx_attach(set, proto, options, &place, err);
    if (status == RN_OK && name) status = rn_onnx_read_tensor(&constant, proto, name, err);
    if (status != RN_OK) return rn_context(err, "tensor %.80s", name ? name : proto->name), status;
    const rn_dtype dtype = name ? types[proto->data_type].dtype : RN_DTYPES;
    if (dtype == RN_DTYPES) return RN_OK;
    rn_tensor tensor = {.dtype = dtype, .rank = constant.rank};
    memcpy(tensor.shape, constant.dims, sizeof tensor.shape);
    rn_tensor_row_major(&tensor);
    if (proto->raw_data.len && !proto->raw_data.data)
        rn_tensor_place(&tensor, &place.file, place.offset);
    else if (!(tensor.data = tensor_data(set->document, proto, err)))
        return RN_ERR_MEMORY;
    return rn_tensors_add(set, name, strlen(name), &tensor,
                          constant.elements * rn_dtype_bytes(dtype), err);
}

/* Constants stand in nodes too, and some nodes have tensors as attributes. */
static rn_status add_attributes(rn_tensors *set, const Onnx__Node *node,
                                const rn_format_options *options, rn_error *err)
{
    rn_status status = RN_OK;
    bool named = strcmp(node->op_type, "Constant") == 0 && node->n_output == 1;
    for (size_t i = 0; i < node->n_attribute && status == RN_OK; i++) {
        const Onnx__Attribute *attribute = node->attribute[i];
        if (!attribute->t) continue;
        const bool is_value = named && strcmp(attribute->name, "value") == 0;
        status = add_tensor(set, is_value ? node->output[0] : NULL, attribute->t, options, err);
        if (is_value) named = false; /* the first one counts */
    }
    return status;
}

rn_status rn_onnx_load(rn_tensors *set, const rn_file *file, const rn_format_options *options,
                       rn_error *err)
{
    rn_onnx_document *doc = rn_alloc_zero(1, sizeof *doc, err);
    if (!doc) return RN_ERR_MEMORY;
    set->document = doc;
    set->document_free = free_document;
    rn_status status = parse(doc, file, err);
    if (status != RN_OK) return status;
    const Onnx__Graph *graph = doc->model->graph;
    for (size_t i = 0; i < graph->n_initializer && status == RN_OK; i++)
        status = add_tensor(set, graph->initializer[i]->name, graph->initializer[i], options, err);
    for (size_t i = 0; i < graph->n_node && status == RN_OK; i++)
        status = add_attributes(set, graph->node[i], options, err);
    return status;
}
