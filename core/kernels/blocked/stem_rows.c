#include "kernels/blocked/stem_rows.h"

#include <string.h>

/* Columns [first, first + count), whose inputs all lie in the row. Called with a constant the
 * compiler makes shuffles of it. */
static inline __attribute__((always_inline)) void split(float *dst, size_t columns,
                                                        const float *src, size_t count,
                                                        size_t phases)
{
    for (size_t i = 0; i < count; i++)
        for (size_t f = 0; f < phases; f++) dst[f * columns + i] = src[i * phases + f];
}

/* `x` is the input column of this one: it wraps left of the row. */
static void split_edge(float *dst, size_t columns, const float *src, size_t width, size_t x,
                       size_t phases)
{
    for (size_t f = 0; f < phases; f++) dst[f * columns] = x + f < width ? src[x + f] : 0;
}

static void split_row(const rn_stem_rows *rows, const float *src, size_t width, size_t pad,
                      float *dst)
{
    const size_t phases = rows->phases, columns = rows->columns;
    const size_t end = rn_min(columns, (pad + width) / phases);
    const size_t begin = rn_min(end, rn_ceil_div(pad, phases));
    const float *inside = src + (begin * phases - pad);
    for (size_t i = 0; i < begin; i++)
        split_edge(dst + i, columns, src, width, i * phases - pad, phases);
    if (phases == 8)
        split(dst + begin, columns, inside, end - begin, 8);
    else if (phases == 2)
        split(dst + begin, columns, inside, end - begin, 2);
    else
        split(dst + begin, columns, inside, end - begin, phases);
    for (size_t i = end; i < columns; i++)
        split_edge(dst + i, columns, src, width, i * phases - pad, phases);
}

void rn_stem_rows_copy(const rn_stem_rows *rows, const rn_desc *desc, const float *image,
                       size_t first, size_t count, float *copy)
{
    const rn_shape in = desc->in[0];
    const size_t size = rn_stem_row_size(rows);
    for (size_t c = 0; c < in.c; c++)
        for (size_t r = 0; r < count; r++) {
            const size_t y = first + r;
            float *dst = copy + (c * rows->rows + r) * size;
            if (y < in.h)
                split_row(rows, image + (c * in.h + y) * in.w, in.w, desc->window.pad_left, dst);
            else
                memset(dst, 0, size * sizeof *dst);
        }
}
