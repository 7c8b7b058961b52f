/* Decimals -> float32, as NumPy does it: the IEEE double nearest to the decimal (ties to even),
 * then rounded to float32. Exact for every input, whatever its length.
 *
 * Place: below number.c, which reads the text. No locale, no allocation, no state: any thread. */
#ifndef INGEST_DECIMAL_H
#define INGEST_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Significant digits that are kept. The point halfway between two doubles that are not rounded to
 * zero or infinity has at most 160, so what follows only matters as zero or not zero. */
#define DECIMAL_DIGITS 256

/* 0.d1 d2 d3 ... * 10^point, where d1 is not 0. Cleared by {0}, which is the number 0. */
struct decimal {
    bool negative;
    bool more;                     /* a digit other than 0 was dropped after the kept ones */
    size_t count;                  /* digits kept */
    int64_t point;                 /* power of ten */
    uint8_t digit[DECIMAL_DIGITS]; /* 0 ... 9 */
};

/* Puts a digit after the ones that are there; 0s in front of the first other digit are not kept.
 * Does not move `point`. */
void decimal_append(struct decimal *decimal, unsigned digit);

/* The value; infinite when it is beyond float32. */
float decimal_float(const struct decimal *decimal);

/* The value of w * 10^q, or, where `more` digits were left out behind w >= 10^18, of a decimal
 * between that and (w + 1) * 10^q. Always right when true is returned; false for the rare cases
 * that need decimal_float(). *out is infinite when the value is beyond float32. */
bool decimal_float_fast(uint64_t w, int64_t q, bool more, float *out);

#endif
