/* The steps of a Winograd convolution on one block of tiles. */
#include "base/mem.h"
#include "kernels/blocked/winograd_job.h"

#define MAX_POINTS (RN_WINO_SIDE * RN_WINO_SIDE)

/* The pixels right of a patch: the next tile needs them. No access beyond the image comes of it. */
static void prefetch_right(const float *plane, rn_shape in, size_t y, size_t x, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        const float *row = plane + (rn_min(y + i, in.h - 1) * in.w + x) * RN_BLOCK;
        for (size_t c = 0; c < 4; c++) __builtin_prefetch(row + c * RN_BLOCK);
    }
}

/* Input blocks of one tile to their points, `stride` floats from one to the next. */
static void transform_tile(const rn_wino_job *j, rn_wino_tile_place place, rn_span blocks,
                           float *dst, size_t stride)
{
    const rn_shape in = j->desc->in[0];
    const size_t plane = in.h * in.w * RN_BLOCK;
    const size_t rows = place.rows * j->stride + 3 - j->stride;
    const size_t columns = place.columns * j->stride + 3 - j->stride;
    /* These wrap to huge values above and left of the image. */
    const size_t y = place.y * j->stride - j->desc->window.pad_top;
    const size_t x = place.x * j->stride - j->desc->window.pad_left;
    const bool inside = y < in.h && y + rows <= in.h && x < in.w && x + columns <= in.w;
    _Alignas(RN_ALIGN) float patch[MAX_POINTS * RN_BLOCK];
    uint32_t offset[MAX_POINTS];
    rn_wino_input t = {.src = patch,
                       .src_row = (inside ? in.w : columns) * RN_BLOCK,
                       .dst_row = j->v_row,
                       .dst_point = j->v_point,
                       .rows = place.rows,
                       .columns = place.columns};
    for (size_t i = 0; !inside && i < rows * columns; i++) {
        const size_t iy = y + i / columns, ix = x + i % columns;
        const bool real = iy < in.h && ix < in.w;
        offset[i] = real ? (uint32_t)((iy * in.w + ix) * RN_BLOCK) : RN_OUTSIDE;
    }
    for (size_t b = blocks.begin; b < blocks.end; b++, dst += stride) {
        const float *src = j->args->src + (place.image * j->in_blocks + b) * plane;
        if (inside)
            t.src = src + (y * in.w + x) * RN_BLOCK;
        else
            j->micro->gather(patch, src, offset, rows * columns);
        t.dst = dst;
        prefetch_right(src, in, y, x + columns, rows);
        j->transform->input(&t);
    }
}

void rn_wino_transform_input(const rn_wino_job *j, size_t block, rn_span in_blocks, float *v)
{
    const rn_span tiles = rn_wino_tiles(j, block);
    for (size_t t = tiles.begin; t < tiles.end; t++)
        transform_tile(j, rn_wino_place(j, t), in_blocks, v + rn_wino_v_tile(j, t - tiles.begin),
                       rn_wino_v_block(j, block));
}

void rn_wino_transform_weights(const rn_wino_job *j, rn_span out, rn_span in, float *u)
{
    rn_wino_weights w = {.dst_point = rn_wino_u_point(rn_span_size(in))};
    for (size_t o = out.begin; o < out.end; o++, u += U_POINTS * w.dst_point)
        for (size_t i = in.begin; i < in.end; i++) {
            w.src = j->args->weights + (o * j->band + i) * W_BLOCK;
            w.dst = u + (i - in.begin) * U_BLOCK;
            for (w.row = 0; w.row < U_ROW; w.row++, w.dst += U_ROW * w.dst_point)
                j->transform->weights(&w);
        }
}

/* The part of the next weights that is fetched while one point is multiplied. A register tile
 * fetches 16 lines per block of depth, the weights have 144 of them per output block: some points
 * do. */
static const float *ahead_of(const rn_wino_job *j, const rn_wino_slice *s, size_t point)
{
    const size_t depth = rn_span_size(s->next_in), blocks = rn_span_size(s->next_out);
    const size_t every = j->stride == 1 ? 2 : 4; /* about points / (9 * RN_TILE_BLOCKS) */
    if (depth * blocks == 0 || point % every != 0) return NULL;
    const size_t turn = point / every, out = turn / 9;
    if (out >= blocks) return NULL;
    return j->args->weights + ((s->next_out.begin + out) * j->band + s->next_in.begin) * W_BLOCK +
           turn % 9 * depth * U_BLOCK;
}

void rn_wino_multiply(const rn_wino_job *j, size_t block, const rn_wino_slice *s, const float *v,
                      float *m)
{
    const rn_span tiles = rn_wino_tiles(j, block);
    const size_t stride = rn_span_size(tiles) * RN_BLOCK, depth = rn_span_size(s->in);
    rn_tile t = {
        .src_stride = stride,
        .weights_stride = U_POINTS * rn_wino_u_point(depth),
        .depth = depth,
        .dst_stride = stride,
        .ahead_stride = RN_BLOCK * RN_BLOCK,
        .blocks = rn_span_size(s->out),
    };
    for (size_t i = 0; i < j->side; i++) {
        const size_t u_row = rn_wino_u(j->stride, i), m_row = rn_wino_sum(j->stride, i);
        for (size_t k = 0; k < j->side; k++) {
            const size_t point = i * j->side + k;
            const rn_span some = rn_wino_tiles_with(j, tiles, i, k);
            const size_t first = (some.begin - tiles.begin) * RN_BLOCK;
            if (some.begin >= some.end) continue;
            t.src = v + point * j->v_point + s->in.begin * stride + first;
            t.weights = s->u + (u_row * U_ROW + rn_wino_u(j->stride, k)) * rn_wino_u_point(depth);
            t.dst = m + (m_row * j->sums + rn_wino_sum(j->stride, k)) * j->m_point + first;
            t.accumulate = s->in.begin > 0 || i >= j->sums || k >= j->sums;
            t.ahead = ahead_of(j, s, point);
            t.pixels = rn_span_size(some);
            j->micro->tile(&t);
        }
    }
}

/* What the tile on the right writes and adds. */
static void prefetch_next(const rn_wino_output *w)
{
    for (size_t i = 0; i < w->rows; i++)
        for (size_t c = w->columns; c < w->columns + 4; c++) {
            const size_t place = i * w->dst_row + c * RN_BLOCK;
            __builtin_prefetch(w->dst + place, 1);
            if (w->addend) __builtin_prefetch(w->addend + place, 0);
        }
}

void rn_wino_transform_output(const rn_wino_job *j, size_t block, rn_span out_blocks,
                              const float *m)
{
    const rn_shape out = j->desc->out;
    const rn_args *a = j->args;
    const rn_span tiles = rn_wino_tiles(j, block);
    for (size_t o = out_blocks.begin; o < out_blocks.end; o++)
        for (size_t t = tiles.begin; t < tiles.end; t++, m += RN_BLOCK) {
            const rn_wino_tile_place p = rn_wino_place(j, t);
            const size_t plane = (p.image * j->out_blocks + o) * out.h * out.w;
            const size_t dst = (plane + p.y * out.w + p.x) * RN_BLOCK;
            const rn_wino_output w = {
                .src = m,
                .src_point = j->m_point,
                .dst = a->dst + dst,
                .dst_row = out.w * RN_BLOCK,
                .bias = a->bias + o * RN_BLOCK,
                .addend = a->addend ? a->addend + dst : NULL,
                .finish = j->finish,
                .rows = p.rows,
                .columns = p.columns,
                .keep_rows = rn_min(p.rows, out.h - p.y),
                .keep_columns = rn_min(p.columns, out.w - p.x),
            };
            prefetch_next(&w);
            j->transform->output(&w);
        }
}
