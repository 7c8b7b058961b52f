/* The stack machine of unpickle.h. Each opcode of pickle_ops.def is one small function below; the
 * stack and the memo hold indexes of values. */
#include "formats/unpickle.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"

/* A stack entry that is no value: where MARK was. */
#define MARK     UINT32_MAX
#define NO_VALUE UINT32_MAX
/* Indexes and offsets are 32 bits wide; a value or item takes at least one byte of the pickle. */
#define MAX_PICKLE ((size_t)UINT32_MAX - 1)

typedef struct {
    rn_pickle *pickle;
    const uint8_t *bytes;
    size_t size, at; /* `at` is behind the opcode that runs */
    size_t opcode;   /* its place, for errors */
    bool limited;    /* the bytes go on after size */
    uint32_t *stack;
    size_t depth, stack_capacity;
    uint32_t *memo;
    size_t memo_size;
    bool stopped;
} machine;

typedef rn_status opcode_handler(machine *m, rn_error *err);

/* ---- what may be named ----------------------------------------------------------------------- */

typedef enum { ORDERED_DICT, REBUILD_TENSOR, REBUILD_PARAMETER, STORAGE_TYPE } callable;

static const struct {
    const char *module, *name;
    callable kind;
    rn_dtype dtype; /* STORAGE_TYPE */
} globals[] = {
    {"collections", "OrderedDict", ORDERED_DICT, 0},
    {"torch._utils", "_rebuild_tensor_v2", REBUILD_TENSOR, 0},
    {"torch._utils", "_rebuild_parameter", REBUILD_PARAMETER, 0},
    {"torch", "FloatStorage", STORAGE_TYPE, RN_F32},
    {"torch", "HalfStorage", STORAGE_TYPE, RN_F16},
    {"torch", "BFloat16Storage", STORAGE_TYPE, RN_BF16},
    {"torch", "DoubleStorage", STORAGE_TYPE, RN_F64},
    {"torch", "LongStorage", STORAGE_TYPE, RN_I64},
};

static const char *const kind_names[] = {
    [RN_PICKLE_NONE] = "None",         [RN_PICKLE_BOOL] = "a bool",
    [RN_PICKLE_INT] = "an integer",    [RN_PICKLE_FLOAT] = "a float",
    [RN_PICKLE_STRING] = "a string",   [RN_PICKLE_TUPLE] = "a tuple",
    [RN_PICKLE_LIST] = "a list",       [RN_PICKLE_DICT] = "a dict",
    [RN_PICKLE_GLOBAL] = "a callable", [RN_PICKLE_STORAGE] = "a storage",
    [RN_PICKLE_TENSOR] = "a tensor",
};

const char *rn_pickle_kind_name(rn_pickle_kind kind)
{
    return kind_names[kind];
}

/* ---- the machine's parts --------------------------------------------------------------------- */

static rn_status fail(const machine *m, rn_error *err, const char *fact)
{
    return rn_fail(err, RN_ERR_FORMAT, "pickle: byte %zu: %s", m->opcode, fact);
}

static void fail_at_end(const machine *m, rn_error *err)
{
    if (m->limited)
        rn_fail(err, RN_ERR_FORMAT, "pickle: more than %zu bytes of metadata", m->size);
    else
        fail(m, err, "the pickle ends inside an opcode");
}

/* The next n bytes of the pickle, or NULL. */
static const uint8_t *take(machine *m, size_t n, rn_error *err)
{
    if (m->size - m->at < n) {
        fail_at_end(m, err);
        return NULL;
    }
    const uint8_t *bytes = m->bytes + m->at;
    m->at += n;
    return bytes;
}

static rn_status push(machine *m, uint32_t value, rn_error *err)
{
    uint32_t *grown = rn_grow(m->stack, m->depth, &m->stack_capacity, sizeof *grown, err);
    if (!grown) return RN_ERR_MEMORY;
    m->stack = grown;
    m->stack[m->depth++] = value;
    return RN_OK;
}

static rn_status push_new(machine *m, rn_pickle_value value, rn_error *err)
{
    rn_pickle *p = m->pickle;
    rn_pickle_value *grown = rn_grow(p->value, p->values, &p->value_capacity, sizeof value, err);
    if (!grown) return RN_ERR_MEMORY;
    p->value = grown;
    p->value[p->values] = value;
    return push(m, (uint32_t)p->values++, err);
}

/* Entries above the topmost mark; SIZE_MAX when there is no mark. */
static size_t above_mark(const machine *m)
{
    size_t n = 0;
    while (n < m->depth && m->stack[m->depth - 1 - n] != MARK) n++;
    return n < m->depth ? n : SIZE_MAX;
}

/* Whether the top n entries are there and are values. */
static bool has_values(const machine *m, size_t n)
{
    if (n > m->depth) return false;
    for (size_t i = 0; i < n; i++)
        if (m->stack[m->depth - 1 - i] == MARK) return false;
    return true;
}

static rn_pickle_value *top(machine *m, size_t below)
{
    return &m->pickle->value[m->stack[m->depth - 1 - below]];
}

/* Appends the top n entries to the container and pops them. */
static rn_status append(machine *m, uint32_t container, size_t n, rn_error *err)
{
    rn_pickle *p = m->pickle;
    for (size_t i = m->depth - n; i < m->depth; i++) {
        rn_pickle_item *grown = rn_grow(p->item, p->items, &p->item_capacity, sizeof *grown, err);
        if (!grown) return RN_ERR_MEMORY;
        p->item = grown;
        const uint32_t id = (uint32_t)p->items++;
        p->item[id] = (rn_pickle_item){m->stack[i], id};
        rn_pickle_value *into = &p->value[container];
        if (into->size++ == 0)
            into->items.first = id;
        else
            p->item[into->items.last].next = id;
        into->items.last = id;
    }
    m->depth -= n;
    return RN_OK;
}

/* Replaces the top n entries by a tuple of them. */
static rn_status make_tuple(machine *m, size_t n, rn_error *err)
{
    rn_status status = push_new(m, (rn_pickle_value){.kind = RN_PICKLE_TUPLE}, err);
    if (status != RN_OK) return status;
    const uint32_t tuple = m->stack[--m->depth];
    status = append(m, tuple, n, err);
    return status == RN_OK ? push(m, tuple, err) : status;
}

/* Pops n entries and their mark into the container below them. */
static rn_status append_marked(machine *m, rn_pickle_kind kind, rn_error *err)
{
    const size_t n = above_mark(m);
    if (n == SIZE_MAX) return fail(m, err, "no mark on the stack");
    if (m->depth < n + 2 || m->stack[m->depth - n - 2] == MARK || top(m, n + 1)->kind != kind)
        return fail(m, err,
                    kind == RN_PICKLE_DICT ? "items for what is no dict"
                                           : "items for what is no list");
    if (kind == RN_PICKLE_DICT && n % 2) return fail(m, err, "a key without a value");
    const rn_status status = append(m, m->stack[m->depth - n - 2], n, err);
    if (status == RN_OK) m->depth--; /* the mark */
    return status;
}

/* ---- reading containers ---------------------------------------------------------------------- */

static const rn_pickle_value *first_items(const rn_pickle *p, const rn_pickle_value *container,
                                          const rn_pickle_value *item[], size_t n)
{
    uint32_t at = container->items.first;
    for (size_t i = 0; i < n && i < container->size; i++, at = p->item[at].next)
        item[i] = &p->value[p->item[at].value];
    return container;
}

const char *rn_pickle_text(const rn_pickle *pickle, uint32_t string, size_t *size)
{
    const rn_pickle_value *value = &pickle->value[string];
    *size = value->size;
    return (const char *)pickle->bytes + value->text;
}

bool rn_pickle_text_is(const rn_pickle *pickle, uint32_t value, const char *text)
{
    size_t size;
    if (pickle->value[value].kind != RN_PICKLE_STRING) return false;
    const char *bytes = rn_pickle_text(pickle, value, &size);
    return size == strlen(text) && memcmp(bytes, text, size) == 0;
}

uint32_t rn_pickle_get(const rn_pickle *pickle, uint32_t dict, const char *key)
{
    const rn_pickle_value *container = &pickle->value[dict];
    uint32_t at = container->items.first, found = NO_VALUE;
    for (size_t i = 0; i < container->size; i += 2) {
        const rn_pickle_item *name = &pickle->item[at], *value = &pickle->item[name->next];
        if (rn_pickle_text_is(pickle, name->value, key)) found = value->value;
        at = value->next;
    }
    return found;
}

/* Copies a tuple of integers >= 0. False: it is something else. */
static bool read_sizes(const rn_pickle *p, const rn_pickle_value *tuple, size_t *out)
{
    if (tuple->kind != RN_PICKLE_TUPLE || tuple->size > RN_MAX_RANK) return false;
    const rn_pickle_value *item[RN_MAX_RANK] = {0};
    first_items(p, tuple, item, RN_MAX_RANK);
    for (size_t i = 0; i < tuple->size; i++) {
        if (item[i]->kind != RN_PICKLE_INT || item[i]->integer < 0) return false;
        out[i] = (size_t)item[i]->integer;
    }
    return true;
}

/* storage, offset, shape, stride, requires_grad, hooks[, metadata] */
static bool read_tensor(const rn_pickle *p, uint32_t args, rn_pickle_tensor *out)
{
    const rn_pickle_value *tuple = &p->value[args], *item[4] = {0};
    if (tuple->size != 6 && tuple->size != 7) return false;
    first_items(p, tuple, item, 4);
    if (item[0]->kind != RN_PICKLE_STORAGE || item[1]->kind != RN_PICKLE_INT ||
        item[1]->integer < 0)
        return false;
    *out = (rn_pickle_tensor){.storage = (uint32_t)(item[0] - p->value),
                              .offset = (size_t)item[1]->integer,
                              .rank = item[2]->size};
    return read_sizes(p, item[2], out->shape) && read_sizes(p, item[3], out->stride) &&
           item[3]->size == out->rank;
}

void rn_pickle_tensor_of(const rn_pickle *pickle, uint32_t tensor, rn_pickle_tensor *out)
{
    read_tensor(pickle, pickle->value[tensor].ref, out); /* REDUCE has seen that it succeeds */
}

/* ---- opcodes: numbers, strings, containers --------------------------------------------------- */

static rn_status op_proto(machine *m, rn_error *err)
{
    const uint8_t *version = take(m, 1, err);
    if (!version) return RN_ERR_FORMAT;
    return *version == 2 ? RN_OK : fail(m, err, "not protocol 2, torch.save's default");
}

static rn_status op_mark(machine *m, rn_error *err)
{
    return push(m, MARK, err);
}

static rn_status push_int(machine *m, int64_t value, rn_error *err)
{
    return push_new(m, (rn_pickle_value){.kind = RN_PICKLE_INT, .integer = value}, err);
}

static rn_status op_binint(machine *m, rn_error *err)
{
    const uint8_t *b = take(m, 4, err);
    return b ? push_int(m, (int32_t)rn_le32(b), err) : RN_ERR_FORMAT;
}

static rn_status op_binint1(machine *m, rn_error *err)
{
    const uint8_t *b = take(m, 1, err);
    return b ? push_int(m, *b, err) : RN_ERR_FORMAT;
}

static rn_status op_binint2(machine *m, rn_error *err)
{
    const uint8_t *b = take(m, 2, err);
    return b ? push_int(m, rn_le16(b), err) : RN_ERR_FORMAT;
}

/* A byte count, then that many bytes in two's complement. */
static rn_status op_long1(machine *m, rn_error *err)
{
    const uint8_t *count = take(m, 1, err);
    if (!count) return RN_ERR_FORMAT;
    if (*count > 8) return fail(m, err, "an integer of more than 64 bits");
    const uint8_t *b = take(m, *count, err);
    if (!b) return RN_ERR_FORMAT;
    uint64_t bits = *count && b[*count - 1] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = *count; i-- > 0;) bits = bits << 8 | b[i];
    return push_int(m, (int64_t)bits, err);
}

static rn_status op_binfloat(machine *m, rn_error *err)
{
    const uint8_t *b = take(m, 8, err);
    if (!b) return RN_ERR_FORMAT;
    const uint64_t bits = __builtin_bswap64(rn_le64(b)); /* stored with the high byte first */
    rn_pickle_value value = {.kind = RN_PICKLE_FLOAT};
    memcpy(&value.real, &bits, sizeof bits);
    return push_new(m, value, err);
}

static rn_status op_none(machine *m, rn_error *err)
{
    return push_new(m, (rn_pickle_value){.kind = RN_PICKLE_NONE}, err);
}

static rn_status op_newtrue(machine *m, rn_error *err)
{
    return push_new(m, (rn_pickle_value){.kind = RN_PICKLE_BOOL, .integer = 1}, err);
}

static rn_status op_newfalse(machine *m, rn_error *err)
{
    return push_new(m, (rn_pickle_value){.kind = RN_PICKLE_BOOL}, err);
}

static rn_status op_binunicode(machine *m, rn_error *err)
{
    const uint8_t *length = take(m, 4, err);
    const uint8_t *text = length ? take(m, rn_le32(length), err) : NULL;
    if (!text) return RN_ERR_FORMAT;
    return push_new(m,
                    (rn_pickle_value){.kind = RN_PICKLE_STRING,
                                      .size = rn_le32(length),
                                      .text = (uint32_t)(text - m->bytes)},
                    err);
}

static rn_status op_empty_dict(machine *m, rn_error *err)
{
    return push_new(m, (rn_pickle_value){.kind = RN_PICKLE_DICT}, err);
}

static rn_status op_empty_list(machine *m, rn_error *err)
{
    return push_new(m, (rn_pickle_value){.kind = RN_PICKLE_LIST}, err);
}

static rn_status op_empty_tuple(machine *m, rn_error *err)
{
    return make_tuple(m, 0, err);
}

static rn_status tuple_of(machine *m, size_t n, rn_error *err)
{
    return has_values(m, n) ? make_tuple(m, n, err) : fail(m, err, "too few values on the stack");
}

static rn_status op_tuple1(machine *m, rn_error *err)
{
    return tuple_of(m, 1, err);
}
static rn_status op_tuple2(machine *m, rn_error *err)
{
    return tuple_of(m, 2, err);
}
static rn_status op_tuple3(machine *m, rn_error *err)
{
    return tuple_of(m, 3, err);
}

static rn_status op_tuple(machine *m, rn_error *err)
{
    const size_t n = above_mark(m);
    if (n == SIZE_MAX) return fail(m, err, "no mark on the stack");
    const rn_status status = make_tuple(m, n, err);
    if (status != RN_OK) return status;
    m->stack[m->depth - 2] = m->stack[m->depth - 1]; /* over the mark */
    m->depth--;
    return RN_OK;
}

static rn_status op_setitems(machine *m, rn_error *err)
{
    return append_marked(m, RN_PICKLE_DICT, err);
}

static rn_status op_appends(machine *m, rn_error *err)
{
    return append_marked(m, RN_PICKLE_LIST, err);
}

static rn_status op_setitem(machine *m, rn_error *err)
{
    if (!has_values(m, 3) || top(m, 2)->kind != RN_PICKLE_DICT)
        return fail(m, err, "an item for what is no dict");
    return append(m, m->stack[m->depth - 3], 2, err);
}

static rn_status op_append(machine *m, rn_error *err)
{
    if (!has_values(m, 2) || top(m, 1)->kind != RN_PICKLE_LIST)
        return fail(m, err, "an item for what is no list");
    return append(m, m->stack[m->depth - 2], 1, err);
}

/* ---- opcodes: memo --------------------------------------------------------------------------- */

/* Python numbers the memo from 0 without holes: an index beyond the pickle's bytes is no real one.
 */
static rn_status memo_put(machine *m, size_t index, rn_error *err)
{
    if (!has_values(m, 1)) return fail(m, err, "nothing on the stack to remember");
    if (index >= m->size) return fail(m, err, "a memo index beyond the pickle's size");
    if (index >= m->memo_size) {
        const size_t wanted = rn_min(rn_max(index + 1, 2 * m->memo_size), m->size);
        uint32_t *grown = rn_alloc(wanted, sizeof *grown, err);
        if (!grown) return RN_ERR_MEMORY;
        if (m->memo_size) memcpy(grown, m->memo, m->memo_size * sizeof *grown);
        for (size_t i = m->memo_size; i < wanted; i++) grown[i] = NO_VALUE;
        rn_free(m->memo);
        m->memo = grown;
        m->memo_size = wanted;
    }
    m->memo[index] = m->stack[m->depth - 1];
    return RN_OK;
}

static rn_status memo_get(machine *m, size_t index, rn_error *err)
{
    if (index >= m->memo_size || m->memo[index] == NO_VALUE)
        return fail(m, err, "a memo index that was never set");
    return push(m, m->memo[index], err);
}

static rn_status op_binput(machine *m, rn_error *err)
{
    const uint8_t *b = take(m, 1, err);
    return b ? memo_put(m, *b, err) : RN_ERR_FORMAT;
}

static rn_status op_long_binput(machine *m, rn_error *err)
{
    const uint8_t *b = take(m, 4, err);
    return b ? memo_put(m, rn_le32(b), err) : RN_ERR_FORMAT;
}

static rn_status op_binget(machine *m, rn_error *err)
{
    const uint8_t *b = take(m, 1, err);
    return b ? memo_get(m, *b, err) : RN_ERR_FORMAT;
}

static rn_status op_long_binget(machine *m, rn_error *err)
{
    const uint8_t *b = take(m, 4, err);
    return b ? memo_get(m, rn_le32(b), err) : RN_ERR_FORMAT;
}

/* ---- opcodes: names and what is made of them ------------------------------------------------- */

/* The bytes up to the next newline. */
static const char *take_line(machine *m, size_t *size, rn_error *err)
{
    const uint8_t *line = m->bytes + m->at;
    const uint8_t *newline = memchr(line, '\n', m->size - m->at);
    if (!newline) {
        fail_at_end(m, err);
        return NULL;
    }
    *size = (size_t)(newline - line);
    m->at += *size + 1;
    return (const char *)line;
}

static bool same(const char *text, const char *bytes, size_t size)
{
    return strlen(text) == size && memcmp(text, bytes, size) == 0;
}

static rn_status op_global(machine *m, rn_error *err)
{
    size_t module_size, name_size;
    const char *module = take_line(m, &module_size, err);
    const char *name = module ? take_line(m, &name_size, err) : NULL;
    if (!name) return RN_ERR_FORMAT;
    for (size_t i = 0; i < sizeof globals / sizeof globals[0]; i++)
        if (same(globals[i].module, module, module_size) && same(globals[i].name, name, name_size))
            return push_new(m, (rn_pickle_value){.kind = RN_PICKLE_GLOBAL, .ref = (uint32_t)i},
                            err);
    return rn_fail(err, RN_ERR_FORMAT,
                   "pickle: byte %zu: the file asks for %.*s.%.*s: only "
                   "tensors are read, save a state_dict of them",
                   m->opcode, (int)rn_min(module_size, 60), module, (int)rn_min(name_size, 60),
                   name);
}

/* ("storage", type, key, device, elements[, view]) */
static rn_status op_binpersid(machine *m, rn_error *err)
{
    rn_pickle *p = m->pickle;
    const rn_pickle_value *item[6] = {0};
    if (!has_values(m, 1) || top(m, 0)->kind != RN_PICKLE_TUPLE)
        return fail(m, err, "a persistent id that is no tuple");
    const rn_pickle_value *tuple = first_items(p, top(m, 0), item, 6);
    if (tuple->size != 5 && tuple->size != 6)
        return fail(m, err, "a persistent id that is no storage");
    if (!rn_pickle_text_is(p, (uint32_t)(item[0] - p->value), "storage") ||
        item[1]->kind != RN_PICKLE_GLOBAL || globals[item[1]->ref].kind != STORAGE_TYPE ||
        item[2]->kind != RN_PICKLE_STRING || item[4]->kind != RN_PICKLE_INT || item[4]->integer < 0)
        return fail(m, err, "a persistent id that is no storage");
    const rn_pickle_value storage = {.kind = RN_PICKLE_STORAGE,
                                     .dtype = (uint8_t)globals[item[1]->ref].dtype,
                                     .view = tuple->size == 6 && item[5]->kind != RN_PICKLE_NONE,
                                     .ref = (uint32_t)(item[2] - p->value),
                                     .integer = item[4]->integer};
    m->depth--;
    return push_new(m, storage, err);
}

static rn_status reduce_tensor(machine *m, uint32_t args, rn_error *err)
{
    rn_pickle_tensor tensor;
    if (!read_tensor(m->pickle, args, &tensor))
        return fail(m, err,
                    "_rebuild_tensor_v2 with other arguments than a storage, an offset, "
                    "a shape and strides of at most 8 dimensions");
    return push_new(m, (rn_pickle_value){.kind = RN_PICKLE_TENSOR, .ref = args}, err);
}

/* (tensor, requires_grad, hooks): the tensor itself */
static rn_status reduce_parameter(machine *m, uint32_t args, rn_error *err)
{
    const rn_pickle *p = m->pickle;
    const rn_pickle_value *item[1] = {0};
    first_items(p, &p->value[args], item, 1);
    if (!item[0] || item[0]->kind != RN_PICKLE_TENSOR)
        return fail(m, err, "_rebuild_parameter without a tensor");
    return push(m, (uint32_t)(item[0] - p->value), err);
}

static rn_status op_reduce(machine *m, rn_error *err)
{
    if (!has_values(m, 2) || top(m, 0)->kind != RN_PICKLE_TUPLE ||
        top(m, 1)->kind != RN_PICKLE_GLOBAL)
        return fail(m, err, "REDUCE of what is no callable with a tuple");
    const uint32_t args = m->stack[m->depth - 1];
    const size_t row = top(m, 1)->ref;
    m->depth -= 2;
    switch (globals[row].kind) {
    case ORDERED_DICT:
        if (m->pickle->value[args].size)
            return fail(m, err, "OrderedDict with arguments isn't read");
        return op_empty_dict(m, err);
    case REBUILD_TENSOR: return reduce_tensor(m, args, err);
    case REBUILD_PARAMETER: return reduce_parameter(m, args, err);
    case STORAGE_TYPE: break;
    }
    return rn_fail(err, RN_ERR_FORMAT, "pickle: byte %zu: %s.%s isn't called", m->opcode,
                   globals[row].module, globals[row].name);
}

/* An OrderedDict's attributes (torch keeps versions there): no weights. */
static rn_status op_build(machine *m, rn_error *err)
{
    if (!has_values(m, 2) || top(m, 1)->kind != RN_PICKLE_DICT || top(m, 0)->kind != RN_PICKLE_DICT)
        return fail(m, err, "BUILD of what is no dict with a dict of attributes");
    m->depth--;
    return RN_OK;
}

static rn_status op_stop(machine *m, rn_error *err)
{
    if (m->depth != 1 || m->stack[0] == MARK)
        return fail(m, err, "STOP with more or less than one value on the stack");
    m->pickle->root = m->stack[0];
    m->stopped = true;
    return RN_OK;
}

/* ---- the loop -------------------------------------------------------------------------------- */

static const struct {
    const char *name;    /* NULL: no opcode */
    opcode_handler *run; /* NULL: refused */
} opcodes[256] = {
#define OPCODE(byte, name, handler) [byte] = {#name, handler},
#define REFUSED(byte, name)         [byte] = {#name, NULL},
#include "formats/pickle_ops.def"
#undef OPCODE
#undef REFUSED
};

static rn_status step(machine *m, rn_error *err)
{
    m->opcode = m->at;
    const uint8_t *byte = take(m, 1, err);
    if (!byte) return RN_ERR_FORMAT;
    if (opcodes[*byte].run) return opcodes[*byte].run(m, err);
    if (opcodes[*byte].name)
        return rn_fail(err, RN_ERR_FORMAT, "pickle: byte %zu: opcode %s isn't read", m->opcode,
                       opcodes[*byte].name);
    return rn_fail(err, RN_ERR_FORMAT, "pickle: byte %zu: 0x%02x is no opcode", m->opcode, *byte);
}

rn_status rn_unpickle(rn_pickle *pickle, const uint8_t *bytes, size_t size, size_t limit,
                      rn_error *err)
{
    *pickle = (rn_pickle){.bytes = bytes};
    machine m = {.pickle = pickle, .bytes = bytes, .size = rn_min(rn_min(size, limit), MAX_PICKLE)};
    m.limited = m.size < size;
    rn_status status = RN_OK;
    while (status == RN_OK && !m.stopped) status = step(&m, err);
    pickle->end = m.at;
    rn_free(m.stack);
    rn_free(m.memo);
    if (status != RN_OK) rn_pickle_release(pickle);
    return status;
}

void rn_pickle_release(rn_pickle *pickle)
{
    rn_free(pickle->value);
    rn_free(pickle->item);
    rn_free(pickle->owned);
    *pickle = (rn_pickle){0};
}
