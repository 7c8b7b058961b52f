/* JSON numbers -> float32, whole tokens and runs of them.
 *
 * Three layers, each an accelerator of the one below, all with the same results:
 *   number_push()  the definition: the grammar, byte by byte, any split of the text, any length;
 *   number_scan()  one whole token, eight digits at a time;
 *   number_run()   many tokens of one array; with AVX2 or AVX-512 where the CPU has them.
 * The upper two never report errors: they stop in front of what they can't take, and number_push()
 * is left to say what is wrong with it.
 *
 * Threads: no state but the choice of number_run(), made once; any thread. */
#ifndef INGEST_NUMBER_H
#define INGEST_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ingest/decimal.h"

enum number_state {
    NUMBER_START, /* nothing read yet */
    NUMBER_MINUS,
    NUMBER_ZERO,  /* complete: the digit 0 in front; no digit may follow */
    NUMBER_WHOLE, /* complete: digits in front of the point */
    NUMBER_POINT,
    NUMBER_FRACTION, /* complete */
    NUMBER_E,
    NUMBER_E_SIGN,
    NUMBER_EXPONENT, /* complete */
};

/* A number that is being read. Start: {0}. */
struct number {
    enum number_state state;
    bool exponent_negative;
    int64_t exponent; /* saturates */
    struct decimal decimal;
};

/* Reads on; returns the first byte that does not belong to the number (`end` when there is none).
 * That byte may be a mistake: number_complete() tells. */
const char *number_push(struct number *number, const char *text, const char *end);

/* Whether the number may end here. */
bool number_complete(const struct number *number);

/* The value of a complete number; infinite when it is beyond float32. */
float number_value(const struct number *number);

/* A complete number's exact value, where it is whole and fits in 64 bits and a sign. */
struct whole {
    bool negative;
    uint64_t size;
};
bool number_whole(const struct number *number, struct whole *out);

/* Reads one token; returns its end, or NULL when it is not simple: not a number, beyond float32,
 * too near to halfway between two doubles, or not known to be finished because it touches `end`. */
const char *number_scan(const char *text, const char *end, float *out);

/* A stretch of an array's text. */
struct number_text {
    const char *begin; /* may be read from here on, back from `at` */
    const char *at;    /* a value is expected here */
    const char *end;
};

/* Reads "number, number, ..." as long as it is simple, at most `room` numbers, and moves text->at
 * behind the last comma that was read. Returns how many numbers were written to dst: the comma is
 * always there, so a value is expected again. The last number of an array is never taken. */
typedef size_t number_run_fn(struct number_text *text, float *dst, size_t room);
number_run_fn number_run;

/* The implementations, best first; the last row has no name. */
struct number_impl {
    const char *name;
    bool (*available)(void); /* on this CPU, as far as it is allowed: isa.h */
    number_run_fn *run;
};
extern const struct number_impl number_impls[];

number_run_fn number_run_plain, number_run_avx2, number_run_avx512;

#endif
