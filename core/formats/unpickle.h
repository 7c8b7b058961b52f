/* Pickles, protocols 0 to 5, read as data.
 *
 * A pickle is a program for a stack machine that can call any Python function. This reader has all
 * its opcodes (pickle_ops.def), but calls nothing: a handful of callables that make dicts and
 * tensors (the table in unpickle.c) each stand for a plain value here, every other one gives an
 * opaque object that keeps its arguments and state, so that tensors inside a module can be found.
 * Memory grows with the pickle's size alone; nothing recurses. One thread; read-only after
 * rn_unpickle(). */
#ifndef RN_FORMATS_UNPICKLE_H
#define RN_FORMATS_UNPICKLE_H

#include "formats/tensors.h"
#include "resnet.h"

typedef enum {
    RN_PICKLE_NONE,
    RN_PICKLE_BOOL,
    RN_PICKLE_INT,
    RN_PICKLE_FLOAT,
    RN_PICKLE_STRING,
    RN_PICKLE_TUPLE,
    RN_PICKLE_LIST,
    RN_PICKLE_DICT, /* also an OrderedDict */
    RN_PICKLE_GLOBAL,
    RN_PICKLE_STORAGE,
    RN_PICKLE_TENSOR, /* also a Parameter */
    RN_PICKLE_BYTES,
    RN_PICKLE_OBJECT, /* opaque: what another callable would make of its arguments and state */
} rn_pickle_kind;

/* Values refer to each other by their index in rn_pickle.value. */
typedef struct {
    uint8_t kind;  /* rn_pickle_kind */
    uint8_t dtype; /* STORAGE: rn_dtype; RN_TYPES: one that weights never have, or none */
    union {
        bool view;  /* STORAGE: a part of another one (old files) */
        bool typed; /* TENSOR: its arguments have its type, the storage has none */
    };
    uint8_t element; /* STORAGE: bytes of one element */
    union {
        uint32_t size; /* STRING: bytes. TUPLE, LIST: elements. DICT, OBJECT: keys and values */
        uint32_t ref;  /* STORAGE: its key, a STRING. TENSOR: the TUPLE of its arguments.
                        * GLOBAL: row of the table in unpickle.c */
    };
    union {
        int64_t integer; /* INT, BOOL. STORAGE: elements */
        double real;
        uint32_t text; /* STRING: offset in the pickle */
        struct {
            uint32_t first, last; /* TUPLE, LIST, DICT, OBJECT: items, when size > 0 */
        } items;
    };
} rn_pickle_value;

/* One element of a container: a chain in order. A DICT's are key, value, key, value, ... */
typedef struct {
    uint32_t value, next;
} rn_pickle_item;

typedef struct {
    const uint8_t *bytes;
    void *owned; /* the caller's: the memory of `bytes` when it is to be released with the pickle */
    rn_pickle_value *value;
    size_t values, value_capacity;
    rn_pickle_item *item;
    size_t items, item_capacity;
    uint32_t root; /* the object that was saved */
    size_t end;    /* bytes read, STOP included */
} rn_pickle;

/* A tensor as the pickle describes it: nothing is known yet of its storage's bytes. */
typedef struct {
    uint32_t storage; /* a STORAGE */
    rn_dtype dtype;   /* RN_TYPES: one that weights never have */
    size_t offset;    /* elements */
    size_t rank;
    size_t shape[RN_MAX_RANK], stride[RN_MAX_RANK];
} rn_pickle_tensor;

/* Reads one pickle from the front of `bytes` (at most `limit` of them), which must outlive it.
 * Errors name the byte. On failure *pickle holds nothing. */
rn_status rn_unpickle(rn_pickle *pickle, const uint8_t *bytes, size_t size, size_t limit,
                      rn_error *err);

/* The string's bytes (not terminated) and their number. */
const char *rn_pickle_text(const rn_pickle *pickle, uint32_t string, size_t *size);
bool rn_pickle_text_is(const rn_pickle *pickle, uint32_t value, const char *text);

/* The last value of that key, as in Python; UINT32_MAX when there is none. */
uint32_t rn_pickle_get(const rn_pickle *pickle, uint32_t dict, const char *key);

void rn_pickle_tensor_of(const rn_pickle *pickle, uint32_t tensor, rn_pickle_tensor *out);

/* "a dict", "an integer", ... */
const char *rn_pickle_kind_name(rn_pickle_kind kind);

void rn_pickle_release(rn_pickle *pickle);

#endif
