/* Opcodes of unpickle.h that make plain values: numbers, text, containers, and the memo. */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"
#include "formats/unpickle_machine.h"

/* ---- opcodes: numbers, strings, containers --------------------------------------------------- */

rn_status rn_op_proto(rn_unpickler *m, rn_error *err)
{
    const uint8_t *version = rn_unpickle_take(m, 1, err);
    if (!version) return RN_ERR_FORMAT;
    return *version <= 5 ? RN_OK : rn_unpickle_fail(m, err, "a protocol that is newer than 5");
}

rn_status rn_op_mark(rn_unpickler *m, rn_error *err)
{
    return rn_unpickle_push(m, MARK, err);
}

static rn_status push_int(rn_unpickler *m, int64_t value, rn_error *err)
{
    return rn_unpickle_push_new(m, (rn_pickle_value){.kind = RN_PICKLE_INT, .integer = value}, err);
}

rn_status rn_op_binint(rn_unpickler *m, rn_error *err)
{
    const uint8_t *b = rn_unpickle_take(m, 4, err);
    return b ? push_int(m, (int32_t)rn_le32(b), err) : RN_ERR_FORMAT;
}

rn_status rn_op_binint1(rn_unpickler *m, rn_error *err)
{
    const uint8_t *b = rn_unpickle_take(m, 1, err);
    return b ? push_int(m, *b, err) : RN_ERR_FORMAT;
}

rn_status rn_op_binint2(rn_unpickler *m, rn_error *err)
{
    const uint8_t *b = rn_unpickle_take(m, 2, err);
    return b ? push_int(m, rn_le16(b), err) : RN_ERR_FORMAT;
}

/* That many bytes in two's complement. Of more than 64 bits it is no number that is needed. */
static rn_status push_long(rn_unpickler *m, size_t count, rn_error *err)
{
    const uint8_t *b = rn_unpickle_take(m, count, err);
    if (!b) return RN_ERR_FORMAT;
    if (count > 8) return rn_unpickle_push_object(m, err);
    uint64_t bits = count && b[count - 1] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = count; i-- > 0;) bits = bits << 8 | b[i];
    return push_int(m, (int64_t)bits, err);
}

rn_status rn_op_long1(rn_unpickler *m, rn_error *err)
{
    const uint8_t *count = rn_unpickle_take(m, 1, err);
    return count ? push_long(m, *count, err) : RN_ERR_FORMAT;
}

rn_status rn_op_long4(rn_unpickler *m, rn_error *err)
{
    const uint8_t *count = rn_unpickle_take(m, 4, err);
    return count ? push_long(m, rn_le32(count), err) : RN_ERR_FORMAT;
}

rn_status rn_op_binfloat(rn_unpickler *m, rn_error *err)
{
    const uint8_t *b = rn_unpickle_take(m, 8, err);
    if (!b) return RN_ERR_FORMAT;
    const uint64_t bits = __builtin_bswap64(rn_le64(b)); /* stored with the high byte first */
    rn_pickle_value value = {.kind = RN_PICKLE_FLOAT};
    memcpy(&value.real, &bits, sizeof bits);
    return rn_unpickle_push_new(m, value, err);
}

rn_status rn_op_none(rn_unpickler *m, rn_error *err)
{
    return rn_unpickle_push_new(m, (rn_pickle_value){.kind = RN_PICKLE_NONE}, err);
}

rn_status rn_op_newtrue(rn_unpickler *m, rn_error *err)
{
    return rn_unpickle_push_new(m, (rn_pickle_value){.kind = RN_PICKLE_BOOL, .integer = 1}, err);
}

rn_status rn_op_newfalse(rn_unpickler *m, rn_error *err)
{
    return rn_unpickle_push_new(m, (rn_pickle_value){.kind = RN_PICKLE_BOOL}, err);
}

/* `width` bytes of a length, then that many bytes of text. */
static rn_status push_text(rn_unpickler *m, rn_pickle_kind kind, size_t width, rn_error *err)
{
    const uint8_t *b = rn_unpickle_take(m, width, err);
    if (!b) return RN_ERR_FORMAT;
    const uint64_t size = width == 1 ? *b : width == 4 ? rn_le32(b) : rn_le64(b);
    const uint8_t *text = rn_unpickle_take(m, (size_t)size, err);
    if (!text) return RN_ERR_FORMAT;
    return rn_unpickle_push_new(m,
                                (rn_pickle_value){.kind = (uint8_t)kind,
                                                  .size = (uint32_t)size,
                                                  .text = (uint32_t)(text - m->bytes)},
                                err);
}

/* Opcodes of the same shape: the width of the length, and what follows it. A str of Python 2 is
 * text or bytes, as it happens: names are text. */
#define TEXT_OPCODE(name, kind, width)                     \
    rn_status rn_op_##name(rn_unpickler *m, rn_error *err) \
    {                                                      \
        return push_text(m, kind, width, err);             \
    }
TEXT_OPCODE(short_binunicode, RN_PICKLE_STRING, 1)
TEXT_OPCODE(binunicode, RN_PICKLE_STRING, 4)
TEXT_OPCODE(binunicode8, RN_PICKLE_STRING, 8)
TEXT_OPCODE(short_binstring, RN_PICKLE_STRING, 1)
TEXT_OPCODE(binstring, RN_PICKLE_STRING, 4)
TEXT_OPCODE(short_binbytes, RN_PICKLE_BYTES, 1)
TEXT_OPCODE(binbytes, RN_PICKLE_BYTES, 4)
TEXT_OPCODE(binbytes8, RN_PICKLE_BYTES, 8)
#undef TEXT_OPCODE

rn_status rn_op_empty_dict(rn_unpickler *m, rn_error *err)
{
    return rn_unpickle_push_new(m, (rn_pickle_value){.kind = RN_PICKLE_DICT}, err);
}

rn_status rn_op_empty_list(rn_unpickler *m, rn_error *err)
{
    return rn_unpickle_push_new(m, (rn_pickle_value){.kind = RN_PICKLE_LIST}, err);
}

rn_status rn_op_empty_tuple(rn_unpickler *m, rn_error *err)
{
    return rn_unpickle_make_tuple(m, 0, err);
}

static rn_status tuple_of(rn_unpickler *m, size_t n, rn_error *err)
{
    return rn_unpickle_has_values(m, n) ? rn_unpickle_make_tuple(m, n, err)
                                        : rn_unpickle_fail(m, err, "too few values on the stack");
}

rn_status rn_op_tuple1(rn_unpickler *m, rn_error *err)
{
    return tuple_of(m, 1, err);
}
rn_status rn_op_tuple2(rn_unpickler *m, rn_error *err)
{
    return tuple_of(m, 2, err);
}
rn_status rn_op_tuple3(rn_unpickler *m, rn_error *err)
{
    return tuple_of(m, 3, err);
}

rn_status rn_op_tuple(rn_unpickler *m, rn_error *err)
{
    const size_t n = rn_unpickle_above_mark(m);
    if (n == SIZE_MAX) return rn_unpickle_fail(m, err, "no mark on the stack");
    const rn_status status = rn_unpickle_make_tuple(m, n, err);
    if (status != RN_OK) return status;
    m->stack[m->depth - 2] = m->stack[m->depth - 1]; /* over the mark */
    m->depth--;
    return RN_OK;
}

rn_status rn_op_setitems(rn_unpickler *m, rn_error *err)
{
    return rn_unpickle_append_marked(m, RN_PICKLE_DICT, err);
}

rn_status rn_op_appends(rn_unpickler *m, rn_error *err)
{
    return rn_unpickle_append_marked(m, RN_PICKLE_LIST, err);
}

rn_status rn_op_setitem(rn_unpickler *m, rn_error *err)
{
    if (!rn_unpickle_has_values(m, 3)) return rn_unpickle_fail(m, err, "items for what is no dict");
    return rn_unpickle_give(m, m->stack[m->depth - 3], 2, RN_PICKLE_DICT, err);
}

rn_status rn_op_append(rn_unpickler *m, rn_error *err)
{
    if (!rn_unpickle_has_values(m, 2)) return rn_unpickle_fail(m, err, "items for what is no list");
    return rn_unpickle_give(m, m->stack[m->depth - 2], 1, RN_PICKLE_LIST, err);
}

/* What MARK and the entries above it become: the new container ends where the mark was. */
static rn_status collect(rn_unpickler *m, rn_pickle_kind kind, rn_error *err)
{
    const size_t n = rn_unpickle_above_mark(m);
    if (n == SIZE_MAX) return rn_unpickle_fail(m, err, "no mark on the stack");
    rn_status status = rn_unpickle_push_new(m, (rn_pickle_value){.kind = (uint8_t)kind}, err);
    if (status != RN_OK) return status;
    const uint32_t made = m->stack[--m->depth];
    status = rn_unpickle_give(m, made, n, kind, err);
    if (status == RN_OK) m->stack[m->depth - 1] = made;
    return status;
}

rn_status rn_op_list(rn_unpickler *m, rn_error *err)
{
    return collect(m, RN_PICKLE_LIST, err);
}

rn_status rn_op_dict(rn_unpickler *m, rn_error *err)
{
    return collect(m, RN_PICKLE_DICT, err);
}

rn_status rn_op_pop(rn_unpickler *m, rn_error *err)
{
    if (m->depth == 0) return rn_unpickle_fail(m, err, "too few values on the stack");
    m->depth--;
    return RN_OK;
}

rn_status rn_op_pop_mark(rn_unpickler *m, rn_error *err)
{
    const size_t n = rn_unpickle_above_mark(m);
    if (n == SIZE_MAX) return rn_unpickle_fail(m, err, "no mark on the stack");
    m->depth -= n + 1;
    return RN_OK;
}

rn_status rn_op_dup(rn_unpickler *m, rn_error *err)
{
    if (!rn_unpickle_has_values(m, 1))
        return rn_unpickle_fail(m, err, "too few values on the stack");
    return rn_unpickle_push(m, m->stack[m->depth - 1], err);
}

rn_status rn_op_frame(rn_unpickler *m, rn_error *err)
{
    return rn_unpickle_take(m, 8, err) ? RN_OK : RN_ERR_FORMAT; /* a hint for readers of streams */
}

/* ---- opcodes: memo --------------------------------------------------------------------------- */

/* Python numbers the memo from 0 without holes: an index beyond the pickle's bytes is no real one.
 */
static rn_status memo_put(rn_unpickler *m, size_t index, rn_error *err)
{
    if (!rn_unpickle_has_values(m, 1))
        return rn_unpickle_fail(m, err, "nothing on the stack to remember");
    if (index >= m->size) return rn_unpickle_fail(m, err, "a memo index beyond the pickle's size");
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
    m->memo_count += m->memo[index] == NO_VALUE;
    m->memo[index] = m->stack[m->depth - 1];
    return RN_OK;
}

rn_status rn_op_memoize(rn_unpickler *m, rn_error *err)
{
    return memo_put(m, m->memo_count, err);
}

static rn_status memo_get(rn_unpickler *m, size_t index, rn_error *err)
{
    if (index >= m->memo_size || m->memo[index] == NO_VALUE)
        return rn_unpickle_fail(m, err, "a memo index that was never set");
    return rn_unpickle_push(m, m->memo[index], err);
}

rn_status rn_op_binput(rn_unpickler *m, rn_error *err)
{
    const uint8_t *b = rn_unpickle_take(m, 1, err);
    return b ? memo_put(m, *b, err) : RN_ERR_FORMAT;
}

rn_status rn_op_long_binput(rn_unpickler *m, rn_error *err)
{
    const uint8_t *b = rn_unpickle_take(m, 4, err);
    return b ? memo_put(m, rn_le32(b), err) : RN_ERR_FORMAT;
}

rn_status rn_op_binget(rn_unpickler *m, rn_error *err)
{
    const uint8_t *b = rn_unpickle_take(m, 1, err);
    return b ? memo_get(m, *b, err) : RN_ERR_FORMAT;
}

rn_status rn_op_long_binget(rn_unpickler *m, rn_error *err)
{
    const uint8_t *b = rn_unpickle_take(m, 4, err);
    return b ? memo_get(m, rn_le32(b), err) : RN_ERR_FORMAT;
}

/* ---- opcodes: text lines of protocol 0 */

/* A number in decimal digits, as INT, LONG, GET and PUT have it. False: it is none of 64 bits. */
static bool read_decimal(const char *text, size_t size, int64_t *out)
{
    uint64_t value = 0;
    const bool negative = size && text[0] == '-';
    if (size && text[size - 1] == 'L') size--;
    if (size == negative) return false;
    for (size_t i = negative; i < size; i++) {
        if (text[i] < '0' || text[i] > '9' || value > (uint64_t)INT64_MAX / 10 - 1) return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *out = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

rn_status rn_op_int(rn_unpickler *m, rn_error *err)
{
    size_t size;
    int64_t value;
    const char *line = rn_unpickle_take_line(m, &size, err);
    if (!line) return RN_ERR_FORMAT;
    if (rn_unpickle_same("00", line, size)) return rn_op_newfalse(m, err);
    if (rn_unpickle_same("01", line, size)) return rn_op_newtrue(m, err);
    return read_decimal(line, size, &value) ? push_int(m, value, err)
                                            : rn_unpickle_push_object(m, err);
}

/* A float's digits aren't read: no shape or name is made of them. */
rn_status rn_op_float(rn_unpickler *m, rn_error *err)
{
    size_t size;
    return rn_unpickle_take_line(m, &size, err) ? rn_unpickle_push_object(m, err) : RN_ERR_FORMAT;
}

static rn_status push_line(rn_unpickler *m, size_t quotes, rn_error *err)
{
    size_t size;
    const char *line = rn_unpickle_take_line(m, &size, err);
    if (!line) return RN_ERR_FORMAT;
    if (size < 2 * quotes) return rn_unpickle_fail(m, err, "a string without its quotes");
    return rn_unpickle_push_new(
        m,
        (rn_pickle_value){.kind = RN_PICKLE_STRING,
                          .size = (uint32_t)(size - 2 * quotes),
                          .text = (uint32_t)((const uint8_t *)line + quotes - m->bytes)},
        err);
}

rn_status rn_op_string(rn_unpickler *m, rn_error *err)
{
    return push_line(m, 1, err);
}

rn_status rn_op_unicode(rn_unpickler *m, rn_error *err)
{
    return push_line(m, 0, err);
}

static rn_status memo_line(rn_unpickler *m, bool put, rn_error *err)
{
    size_t size;
    int64_t index;
    const char *line = rn_unpickle_take_line(m, &size, err);
    if (!line) return RN_ERR_FORMAT;
    if (!read_decimal(line, size, &index) || index < 0)
        return rn_unpickle_fail(m, err, "a memo index that is no number");
    return put ? memo_put(m, (size_t)index, err) : memo_get(m, (size_t)index, err);
}

rn_status rn_op_put(rn_unpickler *m, rn_error *err)
{
    return memo_line(m, true, err);
}

rn_status rn_op_get(rn_unpickler *m, rn_error *err)
{
    return memo_line(m, false, err);
}
