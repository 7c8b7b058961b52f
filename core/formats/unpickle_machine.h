/* What the files of the unpickler share: the machine's state and its parts. See unpickle.h. */
#ifndef RN_FORMATS_UNPICKLE_MACHINE_H
#define RN_FORMATS_UNPICKLE_MACHINE_H

#include "formats/unpickle.h"

/* A stack entry that is no value: where MARK was. */
#define MARK     UINT32_MAX
#define NO_VALUE UINT32_MAX

typedef struct {
    rn_pickle *pickle;
    const uint8_t *bytes;
    size_t size, at; /* `at` is behind the opcode that runs */
    size_t opcode;   /* its place, for errors */
    bool limited;    /* the bytes go on after size */
    uint32_t *stack; /* indexes of values, as in the memo */
    size_t depth, stack_capacity;
    uint32_t *memo;
    size_t memo_size, memo_count; /* places, and those that are taken */
    size_t copied;                /* items that OrderedDict took from lists */
    bool stopped;
} rn_unpickler;

rn_status rn_unpickle_fail(const rn_unpickler *m, rn_error *err, const char *fact);

/* The next n bytes of the pickle, or NULL with *err filled. */
const uint8_t *rn_unpickle_take(rn_unpickler *m, size_t n, rn_error *err);

/* The bytes up to the next newline, or NULL with *err filled. */
const char *rn_unpickle_take_line(rn_unpickler *m, size_t *size, rn_error *err);

rn_status rn_unpickle_push(rn_unpickler *m, uint32_t value, rn_error *err);
rn_status rn_unpickle_push_new(rn_unpickler *m, rn_pickle_value value, rn_error *err);
rn_status rn_unpickle_push_object(rn_unpickler *m, rn_error *err);

/* Entries above the topmost mark; SIZE_MAX when there is no mark. */
size_t rn_unpickle_above_mark(const rn_unpickler *m);

/* Whether the top n entries are there and are values. */
bool rn_unpickle_has_values(const rn_unpickler *m, size_t n);

/* The value that many entries below the top, which must be there. */
rn_pickle_value *rn_unpickle_top(rn_unpickler *m, size_t below);

/* Appends the top n entries to the container and pops them. */
rn_status rn_unpickle_append(rn_unpickler *m, uint32_t container, size_t n, rn_error *err);

/* Replaces the top n entries by a tuple of them. */
rn_status rn_unpickle_make_tuple(rn_unpickler *m, size_t n, rn_error *err);

/* Pops n entries into a list, dict or object, as what `kind` takes. */
rn_status rn_unpickle_give(rn_unpickler *m, uint32_t container, size_t n, rn_pickle_kind kind,
                           rn_error *err);
rn_status rn_unpickle_give_values(rn_unpickler *m, uint32_t object, size_t n, rn_error *err);
rn_status rn_unpickle_append_marked(rn_unpickler *m, rn_pickle_kind kind, rn_error *err);

/* The first n elements, those that there are, into item. Returns the container. */
const rn_pickle_value *rn_unpickle_first_items(const rn_pickle *p, const rn_pickle_value *container,
                                               const rn_pickle_value *item[], size_t n);

bool rn_unpickle_same(const char *text, const char *bytes, size_t size);

/* One function an opcode. */
typedef rn_status rn_opcode(rn_unpickler *m, rn_error *err);
#define OPCODE(byte, name, handler) rn_opcode handler;
#include "formats/pickle_ops.def"
#undef OPCODE

#endif
