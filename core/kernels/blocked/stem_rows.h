/* The input rows that a band of a first layer's output needs, with their padding, each split into
 * phases, so that inputs `phases` columns apart lie side by side:
 *   (ic, rows, phases, columns),  column i of phase f = input column i * phases + f - pad */
#ifndef RN_KERNELS_BLOCKED_STEM_ROWS_H
#define RN_KERNELS_BLOCKED_STEM_ROWS_H

#include "kernels/blocked/blocked.h"

typedef struct {
    size_t rows, phases, columns; /* rows: that there is room for */
} rn_stem_rows;

static inline size_t rn_stem_row_size(const rn_stem_rows *rows)
{
    return rows->phases * rows->columns;
}

/* `image` is (ic, h, w). Copies `count` rows from input row `first` on, which wraps above the
 * image. */
void rn_stem_rows_copy(const rn_stem_rows *rows, const rn_desc *desc, const float *image,
                       size_t first, size_t count, float *copy);

#endif
