/* The stack machine of unpickle.h: its stack, its containers and its loop. The opcodes are in
 * unpickle_values.c and unpickle_objects.c. */
#include "formats/unpickle.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"
#include "formats/unpickle_machine.h"

/* Indexes and offsets are 32 bits wide; a value or item takes at least one byte of the pickle. */
#define MAX_PICKLE ((size_t)UINT32_MAX - 1)

static const char *const kind_names[] = {
    [RN_PICKLE_NONE] = "None",         [RN_PICKLE_BOOL] = "a bool",
    [RN_PICKLE_INT] = "an integer",    [RN_PICKLE_FLOAT] = "a float",
    [RN_PICKLE_STRING] = "a string",   [RN_PICKLE_TUPLE] = "a tuple",
    [RN_PICKLE_LIST] = "a list",       [RN_PICKLE_DICT] = "a dict",
    [RN_PICKLE_GLOBAL] = "a callable", [RN_PICKLE_STORAGE] = "a storage",
    [RN_PICKLE_TENSOR] = "a tensor",   [RN_PICKLE_BYTES] = "bytes",
    [RN_PICKLE_OBJECT] = "an object",
};

const char *rn_pickle_kind_name(rn_pickle_kind kind)
{
    return kind_names[kind];
}

/* ---- the machine's parts --------------------------------------------------------------------- */

rn_status rn_unpickle_fail(const rn_unpickler *m, rn_error *err, const char *fact)
{
    return rn_fail(err, RN_ERR_FORMAT, "pickle: byte %zu: %s", m->opcode, fact);
}

static void fail_at_end(const rn_unpickler *m, rn_error *err)
{
    if (m->limited)
        rn_fail(err, RN_ERR_FORMAT, "pickle: more than %zu bytes of metadata", m->size);
    else
        rn_unpickle_fail(m, err, "the pickle ends inside an opcode");
}

/* The next n bytes of the pickle, or NULL. */
const uint8_t *rn_unpickle_take(rn_unpickler *m, size_t n, rn_error *err)
{
    if (m->size - m->at < n) {
        fail_at_end(m, err);
        return NULL;
    }
    const uint8_t *bytes = m->bytes + m->at;
    m->at += n;
    return bytes;
}

rn_status rn_unpickle_push(rn_unpickler *m, uint32_t value, rn_error *err)
{
    uint32_t *grown = rn_grow(m->stack, m->depth, &m->stack_capacity, sizeof *grown, err);
    if (!grown) return RN_ERR_MEMORY;
    m->stack = grown;
    m->stack[m->depth++] = value;
    return RN_OK;
}

rn_status rn_unpickle_push_new(rn_unpickler *m, rn_pickle_value value, rn_error *err)
{
    rn_pickle *p = m->pickle;
    rn_pickle_value *grown = rn_grow(p->value, p->values, &p->value_capacity, sizeof value, err);
    if (!grown) return RN_ERR_MEMORY;
    p->value = grown;
    p->value[p->values] = value;
    return rn_unpickle_push(m, (uint32_t)p->values++, err);
}

/* Entries above the topmost mark; SIZE_MAX when there is no mark. */
size_t rn_unpickle_above_mark(const rn_unpickler *m)
{
    size_t n = 0;
    while (n < m->depth && m->stack[m->depth - 1 - n] != MARK) n++;
    return n < m->depth ? n : SIZE_MAX;
}

/* Whether the top n entries are there and are values. */
bool rn_unpickle_has_values(const rn_unpickler *m, size_t n)
{
    if (n > m->depth) return false;
    for (size_t i = 0; i < n; i++)
        if (m->stack[m->depth - 1 - i] == MARK) return false;
    return true;
}

rn_pickle_value *rn_unpickle_top(rn_unpickler *m, size_t below)
{
    return &m->pickle->value[m->stack[m->depth - 1 - below]];
}

/* Appends the top n entries to the container and pops them. */
rn_status rn_unpickle_append(rn_unpickler *m, uint32_t container, size_t n, rn_error *err)
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
rn_status rn_unpickle_make_tuple(rn_unpickler *m, size_t n, rn_error *err)
{
    rn_status status = rn_unpickle_push_new(m, (rn_pickle_value){.kind = RN_PICKLE_TUPLE}, err);
    if (status != RN_OK) return status;
    const uint32_t tuple = m->stack[--m->depth];
    status = rn_unpickle_append(m, tuple, n, err);
    return status == RN_OK ? rn_unpickle_push(m, tuple, err) : status;
}

/* An object keeps what it is given as pairs like a dict's: a key that is no string is what gave it,
 * and says nothing. Puts the object below each of the top n values. */
rn_status rn_unpickle_give_values(rn_unpickler *m, uint32_t object, size_t n, rn_error *err)
{
    rn_status status = RN_OK;
    const size_t first = m->depth - n;
    for (size_t i = 0; i < n && status == RN_OK; i++) {
        const uint32_t value = m->stack[first + i];
        status = rn_unpickle_push(m, object, err);
        if (status == RN_OK) status = rn_unpickle_push(m, value, err);
        if (status == RN_OK) status = rn_unpickle_append(m, object, 2, err);
    }
    if (status == RN_OK) m->depth = first;
    return status;
}

/* Pops n entries into the container. */
rn_status rn_unpickle_give(rn_unpickler *m, uint32_t container, size_t n, rn_pickle_kind kind,
                           rn_error *err)
{
    const rn_pickle_kind have = (rn_pickle_kind)m->pickle->value[container].kind;
    if (have != kind && have != RN_PICKLE_OBJECT)
        return rn_unpickle_fail(m, err,
                                kind == RN_PICKLE_DICT ? "items for what is no dict"
                                                       : "items for what is no list");
    if (kind == RN_PICKLE_DICT && n % 2) return rn_unpickle_fail(m, err, "a key without a value");
    if (kind == RN_PICKLE_LIST && have == RN_PICKLE_OBJECT)
        return rn_unpickle_give_values(m, container, n, err);
    return rn_unpickle_append(m, container, n, err);
}

/* Pops n entries and their mark into the container below them. */
rn_status rn_unpickle_append_marked(rn_unpickler *m, rn_pickle_kind kind, rn_error *err)
{
    const size_t n = rn_unpickle_above_mark(m);
    if (n == SIZE_MAX) return rn_unpickle_fail(m, err, "no mark on the stack");
    if (m->depth < n + 2 || m->stack[m->depth - n - 2] == MARK)
        return rn_unpickle_fail(m, err,
                                kind == RN_PICKLE_DICT ? "items for what is no dict"
                                                       : "items for what is no list");
    const rn_status status = rn_unpickle_give(m, m->stack[m->depth - n - 2], n, kind, err);
    if (status == RN_OK) m->depth--; /* the mark */
    return status;
}

rn_status rn_unpickle_push_object(rn_unpickler *m, rn_error *err)
{
    return rn_unpickle_push_new(m, (rn_pickle_value){.kind = RN_PICKLE_OBJECT}, err);
}

/* The bytes up to the next newline. */
const char *rn_unpickle_take_line(rn_unpickler *m, size_t *size, rn_error *err)
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

bool rn_unpickle_same(const char *text, const char *bytes, size_t size)
{
    return strlen(text) == size && memcmp(text, bytes, size) == 0;
}

/* ---- reading containers ---------------------------------------------------------------------- */

const rn_pickle_value *rn_unpickle_first_items(const rn_pickle *p, const rn_pickle_value *container,
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

rn_status rn_op_stop(rn_unpickler *m, rn_error *err)
{
    if (m->depth != 1 || m->stack[0] == MARK)
        return rn_unpickle_fail(m, err, "STOP with more or less than one value on the stack");
    m->pickle->root = m->stack[0];
    m->stopped = true;
    return RN_OK;
}

/* ---- the loop -------------------------------------------------------------------------------- */

static const struct {
    rn_opcode *run; /* NULL: no opcode */
} opcodes[256] = {
#define OPCODE(byte, name, handler) [byte] = {handler},
#include "formats/pickle_ops.def"
#undef OPCODE
};

static rn_status step(rn_unpickler *m, rn_error *err)
{
    m->opcode = m->at;
    const uint8_t *byte = rn_unpickle_take(m, 1, err);
    if (!byte) return RN_ERR_FORMAT;
    if (opcodes[*byte].run) return opcodes[*byte].run(m, err);
    return rn_fail(err, RN_ERR_FORMAT, "pickle: byte %zu: 0x%02x is no opcode", m->opcode, *byte);
}

rn_status rn_unpickle(rn_pickle *pickle, const uint8_t *bytes, size_t size, size_t limit,
                      rn_error *err)
{
    *pickle = (rn_pickle){.bytes = bytes};
    rn_unpickler m = {
        .pickle = pickle, .bytes = bytes, .size = rn_min(rn_min(size, limit), MAX_PICKLE)};
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
