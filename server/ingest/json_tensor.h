/* JSON that is fed in pieces: number arrays become floats at once, the rest stays text.
 *
 * The reader holds to the grammar of RFC 8259 to the letter, whatever the split of the text. Arrays
 * of numbers, nested or flat, that stand at one of the places asked for go to floats, one array
 * behind the other; their shape follows from the nesting. Everything else is copied to the
 * envelope: a small JSON text of the same structure, strings in one canonical spelling, with the
 * index of the number array (0, 1, ...) where one stood. At those places no other number is let
 * through, so an index can't be forged. Keys are known to be unique and depth to be limited: the
 * envelope may go to any JSON library.
 *
 * Threads: one at a time. */
#ifndef INGEST_JSON_TENSOR_H
#define INGEST_JSON_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_MAX_DEPTH = 32, JSON_MAX_RANK = 8, JSON_MAX_KEYS = 1024, JSON_MAX_RANGES = 9 };

/* Whole numbers from `least` to `most`. */
struct json_range {
    int64_t least;
    uint64_t most;
};

/* The limit of numbers is the queue's, in every form of a body; a format, with that size_t. */
#define TOO_MANY_NUMBERS "more than the %zu numbers that --queue-samples and --queue-bytes allow"

struct json_spec {
    /* Where number arrays are wanted, ended by NULL: "input", "inputs[].data"; "[]" stands for any
     * element, "*" for any key. An array is one of numbers when its first value is a number. */
    const char *const *places;
    /* Those of them where an array may hold true and false, which go to the envelope; NULL: none.
     */
    const char *const *boolean_places;
    /* At the same places: which of these ranges all numbers of an array lie in, exactly, whatever
     * float they become. At most JSON_MAX_RANGES. */
    const struct json_range *ranges;
    size_t range_count;
    size_t max_numbers; /* in all arrays together: the first surplus one is an error */
    size_t max_arrays;
    size_t max_text; /* bytes of the envelope */
    size_t room;     /* floats that room is made for when the first one arrives */
};

struct json_array {
    size_t first, count; /* in the floats */
    size_t rank, dim[JSON_MAX_RANK];
};

/* For each range of the spec the first number of an array that is not in it; SIZE_MAX: all are, or
 * the array is not at such a place. */
struct json_outside {
    size_t index[JSON_MAX_RANGES];
};

enum json_problem {
    JSON_OK,
    JSON_WRONG,    /* not JSON, ragged, not a number, beyond float32 */
    JSON_TOO_LONG, /* over a limit of the spec */
    JSON_NO_MEMORY,
};

struct json_error {
    enum json_problem problem;
    size_t byte;    /* where in the text */
    char text[240]; /* "byte 17: input[0][3]: ..." */
};

struct json_result {
    const float *floats;
    size_t float_count;
    const struct json_array *arrays;
    const struct json_outside *outside; /* of each array; NULL: the spec has no ranges */
    size_t array_count;
    const char *text; /* the envelope, followed by a NUL */
    size_t text_size;
};

struct json_tensor;

/* The spec's places must outlive the reader. NULL: no memory. */
struct json_tensor *json_tensor_new(const struct json_spec *spec);

/* False when the text has a mistake up to here; what is fed after that is ignored. */
bool json_tensor_feed(struct json_tensor *json, const void *bytes, size_t size);

/* After the last piece: false when the text is not whole. The result belongs to the reader. */
bool json_tensor_finish(struct json_tensor *json, struct json_result *result);

const struct json_error *json_tensor_error(const struct json_tensor *json);

/* Hands the floats over to the caller, who gives them to floats_delete(). */
float *json_tensor_take(struct json_tensor *json);

void json_tensor_free(struct json_tensor *json);

#endif
