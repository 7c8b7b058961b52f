/* The JSON reader's state: inside json_tensor.c, json_string.c, json_array.c and json_place.c only.
 *
 * A step takes the text from `at` on: it returns where it stopped and has then either taken a byte
 * or changed the state, or it returns NULL after json_fail(). */
#ifndef INGEST_JSON_STATE_H
#define INGEST_JSON_STATE_H

#include "ingest/json_tensor.h"

#include <stdint.h>

#include "floats.h"
#include "ingest/number.h"
#include "ingest/utf8.h"

enum json_step {
    STEP_VALUE,       /* a value is expected */
    STEP_FIRST_VALUE, /* the same, or the end of the array */
    STEP_KEY,         /* a key is expected */
    STEP_FIRST_KEY,   /* the same, or the end of the object */
    STEP_COLON,
    STEP_AFTER,        /* a value has ended */
    STEP_LITERAL,      /* in true, false or null */
    STEP_NUMBER,       /* in a number of the envelope */
    STEP_STRING,       /* in a string */
    STEP_ESCAPE,       /* behind its backslash */
    STEP_HEX,          /* in its four digits */
    STEP_BRACKETS,     /* behind the first [ of what may be a number array */
    STEP_ELEMENT,      /* in a number array: an element is expected */
    STEP_ELEMENT_MORE, /* in one of its numbers */
    STEP_ELEMENT_END,  /* behind an element */
    STEP_WORD,         /* in a word where a number is expected: "null" */
    STEP_MARK,         /* in a byte order mark, where the JSON should begin */
    STEPS
};

struct level {
    bool object;
    size_t index;     /* of the element that is read */
    size_t first_key; /* of the object, in `keys` */
};

struct key {
    size_t start, size; /* its string in the envelope, without the quotes */
    uint32_t hash;
};

struct json_tensor {
    struct json_spec spec;
    struct json_error error;
    enum json_step step;
    const char *piece; /* being fed */
    size_t fed;        /* bytes in front of it */

    struct level level[JSON_MAX_DEPTH];
    size_t depth;
    size_t key_count;
    char *text;
    size_t text_size, text_room;

    const char *literal;  /* what is left of it, or of the word or mark */
    const char *word;     /* all of it */
    struct number number; /* being read */
    size_t number_start;  /* its first byte */
    struct {
        bool is_key;
        size_t start; /* in the envelope, behind the quote */
        struct utf8 utf8;
        unsigned digits; /* read behind \u */
        uint32_t unit;   /* their value */
        uint32_t high;   /* the first half of a pair, or 0 */
    } string;

    /* The number array that is being read. */
    size_t open;  /* brackets */
    bool boolean; /* may hold true and false */
    size_t rank, dim[JSON_MAX_RANK], index[JSON_MAX_DEPTH];
    size_t first;    /* float */
    size_t in_doubt; /* ranges that all of its numbers so far lie in */
    struct json_outside now;
    struct json_array *arrays;
    struct json_outside *outside; /* room as for arrays */
    size_t array_count, array_room;
    struct floats floats;

    /* Last, and not set to 0 at the start: it is most of the structure. */
    struct key keys[JSON_MAX_KEYS]; /* of the open objects: key_count */
};

typedef const char *json_step_fn(struct json_tensor *json, const char *at, const char *end);
json_step_fn json_string, json_escape, json_hex; /* json_string.c */
json_step_fn json_brackets, json_element, json_element_more, json_element_end,
    json_word; /* json_array.c */

/* Say what is wrong, naming the byte and the place that is read. They return NULL. */
const char *json_fail_at(struct json_tensor *json, enum json_problem problem, size_t byte,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));
#define json_fail(json, at, ...) json_fail_at(json, JSON_WRONG, json_byte(json, at), __VA_ARGS__)
#define json_fail_limit(json, at, ...) \
    json_fail_at(json, JSON_TOO_LONG, json_byte(json, at), __VA_ARGS__)
const char *json_fail_memory(struct json_tensor *json);

/* json_range.c: what the numbers of an array are, beside floats. The array begins; a stretch of its
 * text that holds the last `count` of the floats, each with a comma behind it; one more number,
 * before its float is there. */
void json_range_begin(struct json_tensor *json);
void json_range_run(struct json_tensor *json, const char *begin, const char *end, size_t count);
void json_range_token(struct json_tensor *json, const char *begin, const char *end);
void json_range_number(struct json_tensor *json, const struct number *number);

/* Adds to the envelope. False after json_fail_limit() or json_fail_memory(). */
bool json_copy(struct json_tensor *json, const char *at, const char *bytes, size_t size);

/* Opens an array or object of the envelope; false when it is too deep. */
bool json_open(struct json_tensor *json, const char *at, bool object);

const char *json_begin_string(struct json_tensor *json, const char *at, bool is_key);

/* Where the value stands that is being read: "inputs[0].data". */
void json_place(const struct json_tensor *json, char *text, size_t size);
/* Whether that is one of these places; NULL: none of them. */
bool json_is_at(const struct json_tensor *json, const char *const *places);

/* The offset of a byte of the piece in the whole text. */
static inline size_t json_byte(const struct json_tensor *json, const char *at)
{
    return json->fed + (size_t)(at - json->piece);
}

static inline const char *json_skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) at++;
    return at;
}

static inline bool json_begins_number(char c)
{
    return c == '-' || (unsigned char)(c - '0') <= 9;
}

#endif
