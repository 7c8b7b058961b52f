/* Opcodes of unpickle.h that name Python functions and classes, and what stands for what those
 * would make. Nothing is ever called. */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"
#include "formats/unpickle_machine.h"

/* ---- what may be named ----------------------------------------------------------------------- */

typedef enum {
    MAPPING,
    REBUILD_TENSOR,
    REBUILD_TYPED, /* _rebuild_tensor_v3: the storage has no type */
    REBUILD_PARAMETER,
    REBUILD_SUBCLASS, /* _rebuild_from_type_v2 */
    STORAGE_TYPE,
    ELEMENT_TYPE,
    OPAQUE, /* every other callable */
} callable;

#define NO_TYPE    RN_TYPES /* of elements that are never weights */
#define BY_ELEMENT 1        /* bytes that an untyped storage counts in */

static const struct {
    const char *module, *name;
    callable kind;
    rn_dtype dtype; /* STORAGE_TYPE, ELEMENT_TYPE */
    uint8_t bytes;  /* STORAGE_TYPE: of one element */
} globals[] = {
    {"", "", OPAQUE, NO_TYPE, 0},
    {"collections", "OrderedDict", MAPPING, 0, 0},
    {"collections", "defaultdict", MAPPING, 0, 0},
    {"builtins", "dict", MAPPING, 0, 0},
    {"__builtin__", "dict", MAPPING, 0, 0},
    {"torch._utils", "_rebuild_tensor", REBUILD_TENSOR, 0, 0},
    {"torch._utils", "_rebuild_tensor_v2", REBUILD_TENSOR, 0, 0},
    {"torch._utils", "_rebuild_tensor_v3", REBUILD_TYPED, 0, 0},
    {"torch._utils", "_rebuild_parameter", REBUILD_PARAMETER, 0, 0},
    {"torch._utils", "_rebuild_parameter_with_state", REBUILD_PARAMETER, 0, 0},
    {"torch._tensor", "_rebuild_from_type_v2", REBUILD_SUBCLASS, 0, 0},
    {"torch", "FloatStorage", STORAGE_TYPE, RN_F32, 4},
    {"torch", "HalfStorage", STORAGE_TYPE, RN_F16, 2},
    {"torch", "BFloat16Storage", STORAGE_TYPE, RN_BF16, 2},
    {"torch", "DoubleStorage", STORAGE_TYPE, RN_F64, 8},
    {"torch", "LongStorage", STORAGE_TYPE, RN_I64, 8},
    {"torch", "IntStorage", STORAGE_TYPE, RN_I32, 4},
    {"torch", "ShortStorage", STORAGE_TYPE, NO_TYPE, 2},
    {"torch", "CharStorage", STORAGE_TYPE, RN_I8, 1},
    {"torch", "ByteStorage", STORAGE_TYPE, RN_U8, 1},
    {"torch", "BoolStorage", STORAGE_TYPE, RN_BOOL, 1},
    {"torch", "ComplexFloatStorage", STORAGE_TYPE, NO_TYPE, 8},
    {"torch", "ComplexDoubleStorage", STORAGE_TYPE, NO_TYPE, 16},
    {"torch", "QInt8Storage", STORAGE_TYPE, NO_TYPE, 1},
    {"torch", "QUInt8Storage", STORAGE_TYPE, NO_TYPE, 1},
    {"torch", "QInt32Storage", STORAGE_TYPE, NO_TYPE, 4},
    {"torch", "UntypedStorage", STORAGE_TYPE, NO_TYPE, BY_ELEMENT},
    {"torch.storage", "UntypedStorage", STORAGE_TYPE, NO_TYPE, BY_ELEMENT},
    {"torch.storage", "_UntypedStorage", STORAGE_TYPE, NO_TYPE, BY_ELEMENT},
    {"torch", "float32", ELEMENT_TYPE, RN_F32, 0},
    {"torch", "float16", ELEMENT_TYPE, RN_F16, 0},
    {"torch", "bfloat16", ELEMENT_TYPE, RN_BF16, 0},
    {"torch", "float64", ELEMENT_TYPE, RN_F64, 0},
    {"torch", "int64", ELEMENT_TYPE, RN_I64, 0},
    {"torch", "int32", ELEMENT_TYPE, RN_I32, 0},
    {"torch", "int8", ELEMENT_TYPE, RN_I8, 0},
    {"torch", "uint8", ELEMENT_TYPE, RN_U8, 0},
    {"torch", "bool", ELEMENT_TYPE, RN_BOOL, 0},
};

/* Copies a tuple of integers >= 0. False: it is something else. */
static bool read_sizes(const rn_pickle *p, const rn_pickle_value *tuple, size_t *out)
{
    if (tuple->kind != RN_PICKLE_TUPLE || tuple->size > RN_MAX_RANK) return false;
    const rn_pickle_value *item[RN_MAX_RANK] = {0};
    rn_unpickle_first_items(p, tuple, item, RN_MAX_RANK);
    for (size_t i = 0; i < tuple->size; i++) {
        if (item[i]->kind != RN_PICKLE_INT || item[i]->integer < 0) return false;
        out[i] = (size_t)item[i]->integer;
    }
    return true;
}

/* storage, offset, shape, stride[, requires_grad, hooks[, metadata]]; a type behind the hooks where
 * the storage has none */
static bool read_tensor(const rn_pickle *p, uint32_t args, bool typed, rn_pickle_tensor *out)
{
    const rn_pickle_value *tuple = &p->value[args], *item[7] = {0};
    if (typed ? tuple->size != 7 && tuple->size != 8
              : tuple->size != 4 && tuple->size != 6 && tuple->size != 7)
        return false;
    rn_unpickle_first_items(p, tuple, item, 7);
    if (item[0]->kind != RN_PICKLE_STORAGE || item[1]->kind != RN_PICKLE_INT ||
        item[1]->integer < 0)
        return false;
    if (typed && item[6]->kind != RN_PICKLE_GLOBAL) return false;
    *out =
        (rn_pickle_tensor){.storage = (uint32_t)(item[0] - p->value),
                           .dtype = typed ? globals[item[6]->ref].dtype : (rn_dtype)item[0]->dtype,
                           .offset = (size_t)item[1]->integer,
                           .rank = item[2]->size};
    return read_sizes(p, item[2], out->shape) && read_sizes(p, item[3], out->stride) &&
           item[3]->size == out->rank;
}

void rn_pickle_tensor_of(const rn_pickle *pickle, uint32_t tensor, rn_pickle_tensor *out)
{
    const rn_pickle_value *value = &pickle->value[tensor];
    read_tensor(pickle, value->ref, value->typed, out); /* REDUCE has seen that it succeeds */
}

/* ---- opcodes: objects. Whatever has no row in the table stays opaque. */

static rn_status push_global(rn_unpickler *m, const char *module, size_t module_size,
                             const char *name, size_t name_size, rn_error *err)
{
    uint32_t row = 0; /* OPAQUE */
    for (size_t i = 1; i < sizeof globals / sizeof globals[0]; i++)
        if (rn_unpickle_same(globals[i].module, module, module_size) &&
            rn_unpickle_same(globals[i].name, name, name_size))
            row = (uint32_t)i;
    return rn_unpickle_push_new(m, (rn_pickle_value){.kind = RN_PICKLE_GLOBAL, .ref = row}, err);
}

rn_status rn_op_global(rn_unpickler *m, rn_error *err)
{
    size_t module_size, name_size;
    const char *module = rn_unpickle_take_line(m, &module_size, err);
    const char *name = module ? rn_unpickle_take_line(m, &name_size, err) : NULL;
    return name ? push_global(m, module, module_size, name, name_size, err) : RN_ERR_FORMAT;
}

rn_status rn_op_stack_global(rn_unpickler *m, rn_error *err)
{
    if (!rn_unpickle_has_values(m, 2) || rn_unpickle_top(m, 0)->kind != RN_PICKLE_STRING ||
        rn_unpickle_top(m, 1)->kind != RN_PICKLE_STRING)
        return rn_unpickle_fail(m, err, "STACK_GLOBAL of what are no two strings");
    const rn_pickle_value module = *rn_unpickle_top(m, 1), name = *rn_unpickle_top(m, 0);
    m->depth -= 2;
    const char *text = (const char *)m->bytes;
    return push_global(m, text + module.text, module.size, text + name.text, name.size, err);
}

rn_status rn_op_persid(rn_unpickler *m, rn_error *err)
{
    size_t size;
    return rn_unpickle_take_line(m, &size, err) ? rn_unpickle_push_object(m, err) : RN_ERR_FORMAT;
}

/* An entry of an extension table that no file carries: 1, 2 or 4 bytes of its number. */
#define EXT_OPCODE(bytes)                                                                         \
    rn_status rn_op_ext##bytes(rn_unpickler *m, rn_error *err)                                    \
    {                                                                                             \
        return rn_unpickle_take(m, bytes, err) ? rn_unpickle_push_object(m, err) : RN_ERR_FORMAT; \
    }
EXT_OPCODE(1)
EXT_OPCODE(2)
EXT_OPCODE(4)
#undef EXT_OPCODE

/* Bytes that aren't in the file. */
rn_status rn_op_next_buffer(rn_unpickler *m, rn_error *err)
{
    return rn_unpickle_push_object(m, err);
}

rn_status rn_op_readonly_buffer(rn_unpickler *m, rn_error *err)
{
    return rn_unpickle_has_values(m, 1) ? RN_OK
                                        : rn_unpickle_fail(m, err, "too few values on the stack");
}

/* ("storage", type, key, device, elements[, view]); another persistent id is opaque. */
rn_status rn_op_binpersid(rn_unpickler *m, rn_error *err)
{
    rn_pickle *p = m->pickle;
    const rn_pickle_value *item[6] = {0};
    if (!rn_unpickle_has_values(m, 1))
        return rn_unpickle_fail(m, err, "a persistent id that is no value");
    const rn_pickle_value *tuple = rn_unpickle_top(m, 0);
    const bool is_tuple = tuple->kind == RN_PICKLE_TUPLE && tuple->size > 0;
    if (is_tuple) rn_unpickle_first_items(p, tuple, item, 6);
    if (!is_tuple || !rn_pickle_text_is(p, (uint32_t)(item[0] - p->value), "storage")) {
        m->depth--;
        return rn_unpickle_push_object(m, err);
    }
    if (tuple->size != 5 && tuple->size != 6)
        return rn_unpickle_fail(m, err, "a persistent id that is no storage");
    if (item[1]->kind != RN_PICKLE_GLOBAL || globals[item[1]->ref].kind != STORAGE_TYPE ||
        item[2]->kind != RN_PICKLE_STRING || item[4]->kind != RN_PICKLE_INT || item[4]->integer < 0)
        return rn_unpickle_fail(m, err, "a persistent id that is no storage");
    const rn_pickle_value storage = {.kind = RN_PICKLE_STORAGE,
                                     .dtype = (uint8_t)globals[item[1]->ref].dtype,
                                     .element = globals[item[1]->ref].bytes,
                                     .view = tuple->size == 6 && item[5]->kind != RN_PICKLE_NONE,
                                     .ref = (uint32_t)(item[2] - p->value),
                                     .integer = item[4]->integer};
    m->depth--;
    return rn_unpickle_push_new(m, storage, err);
}

static rn_status reduce_tensor(rn_unpickler *m, uint32_t args, bool typed, rn_error *err)
{
    rn_pickle_tensor tensor;
    if (!read_tensor(m->pickle, args, typed, &tensor))
        return rn_unpickle_fail(m, err,
                                "_rebuild_tensor with other arguments than a storage, an offset, "
                                "a shape and strides of at most 8 dimensions");
    return rn_unpickle_push_new(
        m, (rn_pickle_value){.kind = RN_PICKLE_TENSOR, .typed = typed, .ref = args}, err);
}

/* Makes an object of its arguments, the top entry. */
static rn_status make_object(rn_unpickler *m, rn_error *err)
{
    rn_status status = rn_unpickle_push_object(m, err);
    if (status != RN_OK) return status;
    const uint32_t object = m->stack[--m->depth];
    status = rn_unpickle_give_values(m, object, 1, err);
    return status == RN_OK ? rn_unpickle_push(m, object, err) : status;
}

/* (data, requires_grad, hooks[, state]): the tensor itself; an array stays what it is too. */
static rn_status reduce_parameter(rn_unpickler *m, uint32_t args, rn_error *err)
{
    const rn_pickle *p = m->pickle;
    const rn_pickle_value *item[1] = {0};
    rn_unpickle_first_items(p, &p->value[args], item, 1);
    if (!item[0]) return rn_unpickle_fail(m, err, "_rebuild_parameter without a tensor");
    return rn_unpickle_push(m, (uint32_t)(item[0] - p->value), err);
}

/* (function, class, its arguments, state): a tensor when that function makes one. */
static rn_status reduce_subclass(rn_unpickler *m, uint32_t args, rn_error *err)
{
    const rn_pickle *p = m->pickle;
    const rn_pickle_value *item[3] = {0};
    rn_unpickle_first_items(p, &p->value[args], item, 3);
    if (item[2] && item[0]->kind == RN_PICKLE_GLOBAL && item[2]->kind == RN_PICKLE_TUPLE) {
        const callable kind = globals[item[0]->ref].kind;
        const uint32_t inner = (uint32_t)(item[2] - p->value);
        if (kind == REBUILD_TENSOR || kind == REBUILD_TYPED)
            return reduce_tensor(m, inner, kind == REBUILD_TYPED, err);
    }
    const rn_status status = rn_unpickle_push(m, args, err);
    return status == RN_OK ? make_object(m, err) : status;
}

/* The pairs of a list, as Python 2 pickles an OrderedDict. What isn't so adds nothing. Items that
 * are copied again and again may be no more than the pickle has bytes. */
static rn_status copy_pairs(rn_unpickler *m, uint32_t dict, const rn_pickle_value *list,
                            rn_error *err)
{
    const rn_pickle *p = m->pickle;
    const size_t size = list->size;
    uint32_t at = list->items.first;
    rn_status status = RN_OK;
    for (size_t i = 0; i < size && status == RN_OK; i++, at = p->item[at].next) {
        const rn_pickle_value *pair = &p->value[p->item[at].value], *item[2] = {0};
        if ((pair->kind != RN_PICKLE_LIST && pair->kind != RN_PICKLE_TUPLE) || pair->size != 2)
            continue;
        if (m->copied++ >= m->size)
            return rn_unpickle_fail(m, err, "lists that are copied too often");
        rn_unpickle_first_items(p, pair, item, 2);
        const uint32_t key = (uint32_t)(item[0] - p->value), value = (uint32_t)(item[1] - p->value);
        status = rn_unpickle_push(m, key, err);
        if (status == RN_OK) status = rn_unpickle_push(m, value, err);
        if (status == RN_OK) status = rn_unpickle_append(m, dict, 2, err);
    }
    return status;
}

static rn_status reduce_mapping(rn_unpickler *m, uint32_t args, rn_error *err)
{
    const rn_pickle *p = m->pickle;
    const rn_pickle_value *item[1] = {0};
    rn_unpickle_first_items(p, &p->value[args], item, 1);
    const uint32_t list =
        item[0] && item[0]->kind == RN_PICKLE_LIST ? (uint32_t)(item[0] - p->value) : NO_VALUE;
    const rn_status status = rn_op_empty_dict(m, err);
    if (status != RN_OK || list == NO_VALUE) return status;
    const rn_pickle_value source = p->value[list];
    return copy_pairs(m, m->stack[m->depth - 1], &source, err);
}

/* `type` with the tuple `args`, neither of which is on the stack now. */
static rn_status make(rn_unpickler *m, uint32_t type, uint32_t args, rn_error *err)
{
    const rn_pickle_value *named = &m->pickle->value[type];
    switch (named->kind == RN_PICKLE_GLOBAL ? globals[named->ref].kind : OPAQUE) {
    case MAPPING: return reduce_mapping(m, args, err);
    case REBUILD_TENSOR: return reduce_tensor(m, args, false, err);
    case REBUILD_TYPED: return reduce_tensor(m, args, true, err);
    case REBUILD_PARAMETER: return reduce_parameter(m, args, err);
    case REBUILD_SUBCLASS: return reduce_subclass(m, args, err);
    default: break;
    }
    const rn_status status = rn_unpickle_push(m, args, err);
    return status == RN_OK ? make_object(m, err) : status;
}

/* REDUCE and NEWOBJ: a callable or class below a tuple of arguments. Nothing is called. */
rn_status rn_op_reduce(rn_unpickler *m, rn_error *err)
{
    if (!rn_unpickle_has_values(m, 2) || rn_unpickle_top(m, 0)->kind != RN_PICKLE_TUPLE ||
        (rn_unpickle_top(m, 1)->kind != RN_PICKLE_GLOBAL &&
         rn_unpickle_top(m, 1)->kind != RN_PICKLE_OBJECT))
        return rn_unpickle_fail(m, err, "REDUCE of what is no callable with a tuple");
    const uint32_t type = m->stack[m->depth - 2], args = m->stack[m->depth - 1];
    m->depth -= 2;
    return make(m, type, args, err);
}

rn_status rn_op_newobj(rn_unpickler *m, rn_error *err)
{
    return rn_op_reduce(m, err);
}

/* Keyword arguments above those: they say nothing about weights. */
rn_status rn_op_newobj_ex(rn_unpickler *m, rn_error *err)
{
    if (!rn_unpickle_has_values(m, 3))
        return rn_unpickle_fail(m, err, "too few values on the stack");
    m->depth--;
    return rn_op_reduce(m, err);
}

/* MARK, class, arguments */
rn_status rn_op_obj(rn_unpickler *m, rn_error *err)
{
    const size_t n = rn_unpickle_above_mark(m);
    if (n == SIZE_MAX || n == 0)
        return rn_unpickle_fail(m, err, "OBJ without a class above a mark");
    const uint32_t type = m->stack[m->depth - n];
    rn_status status = rn_unpickle_make_tuple(m, n - 1, err);
    if (status != RN_OK) return status;
    const uint32_t args = m->stack[m->depth - 1];
    m->depth -= 3; /* tuple, class, mark */
    return make(m, type, args, err);
}

/* MARK, arguments; the class is named by two lines */
rn_status rn_op_inst(rn_unpickler *m, rn_error *err)
{
    if (rn_unpickle_above_mark(m) == SIZE_MAX)
        return rn_unpickle_fail(m, err, "no mark on the stack");
    rn_status status = rn_op_tuple(m, err);
    if (status == RN_OK) status = rn_op_global(m, err);
    if (status != RN_OK) return status;
    const uint32_t args = m->stack[m->depth - 2], type = m->stack[m->depth - 1];
    m->depth -= 2;
    return make(m, type, args, err);
}

/* An object keeps its state. What a dict (torch keeps versions there) or a tensor has besides its
 * contents is no weight. */
rn_status rn_op_build(rn_unpickler *m, rn_error *err)
{
    if (!rn_unpickle_has_values(m, 2))
        return rn_unpickle_fail(m, err, "BUILD without a value and its state");
    const uint32_t built = m->stack[m->depth - 2];
    if (m->pickle->value[built].kind == RN_PICKLE_OBJECT)
        return rn_unpickle_give_values(m, built, 1, err);
    m->depth--;
    return RN_OK;
}
