/* Winograd convolution, F(4x4, 3x3) and F(3x3, 3x3) mixed so that tiles fit the map: 14 rows are
 * 4 + 4 + 3 + 3. For each of the 36 points of the domain, or 81 for stride 2, fewer for a tile of
 * 3, M[point] (tiles x output channels) = V[point] (tiles x input channels) * U[point] where V is
 * the transformed input, U the transformed weights, and the output is the inverse transform of M.
 * The products are register tiles whose "pixels" are Winograd tiles. Of U there are 36 points for
 * either stride; what the points are, winograd.inc says.
 *
 * Weights are transformed in each run, since to read four times the bytes would take longer than to
 * compute them. When all of U fits into the L2 cache it is made first and tiles come a block at a
 * time through all channels ("weights first"). Else V is made first, and each group of output
 * channels makes its part of U, some input channels at a time so that it stays in L2 ("input
 * first"). With few tiles U is never written: each row of points is made in registers, multiplied
 * by some tiles, and made again for others ("few").
 *
 * With groups each output block reads a band of input blocks, few as a rule, so each is done from
 * its weights to its output by one task ("banded").
 *
 * Tiles are sorted into four classes by their height and width: 4x3, 4x4, 3x4, 3x3. So the tiles
 * that have a given point are a contiguous range, whichever the point. */
#include "kernels/blocked/conv_winograd.h"

#include <string.h>

#include "base/mem.h"
#include "kernels/blocked/pack.h"
#include "kernels/blocked/span.h"

enum { CLASSES = 4, CLASS_4X3 = 0, CLASS_4X4, CLASS_3X4, CLASS_3X3 };

/* What the transforms cost, by stride, as pays() counts; measured. The second: where few tiles go
 * without U. */
static const size_t transform_cost[][2] = {[1] = {110, 110}, [2] = {250, 100}};

#define WEIGHTS_FIRST_BYTES ((size_t)640 << 10) /* of U: fits into L2 beside one block of tiles */
#define INPUT_BYTES         ((size_t)8 << 20)   /* of V, input first: stays in L3 */
#define CHUNK               8  /* blocks of input channels whose U is in L2, input first */
#define FEW_PASSES          2  /* at most, over the weights, where tiles are few */
#define MIN_CHANNELS        24 /* of input and output: fewer don't pay for the transforms */
#define TASKS_PER_THREAD    4
#define OWN_THREADS         4 /* a team this small: see `own` of the job */
#define OWN_BYTES           ((size_t)1 << 20)
#define U_BLOCK             (RN_BLOCK * RN_BLOCK) /* floats of a point of U for two blocks of channels */
#define W_BLOCK             (9 * RN_BLOCK * RN_BLOCK) /* floats of the packed weights for them */
#define U_ROW               RN_WINO_U_SIDE            /* points in a row of U */
#define U_POINTS            (U_ROW * U_ROW)
#define MAX_POINTS          (RN_WINO_SIDE * RN_WINO_SIDE)
#define PAD                 RN_BLOCK /* floats between points: 36 of them must not share cache sets */

/* One axis of the map: first `fours` tiles of 4, then tiles of 3. */
typedef struct {
    size_t size, fours, threes;
} axis;

typedef struct {
    const rn_desc *desc;
    const rn_args *args;
    const rn_micro *micro;
    const rn_winograd *transform;
    size_t stride, side, sums; /* points of an axis of V, of M */
    axis rows, columns;
    size_t in_blocks, out_blocks;
    size_t band;                 /* input blocks that an output block reads: all without groups */
    size_t group_blocks, groups; /* groups of output blocks that are multiplied at once */
    size_t class_end[CLASSES];   /* of all images' tiles in their order */
    size_t blocks;               /* of tiles, over all images */
    bool weights_first, few, banded;
    bool own; /* each thread makes all of what tasks share, U or a round's V, for itself: that takes
               * less time than to fetch it from the cache of the core that made it */
    bool made[OWN_THREADS];  /* by thread, which alone touches it: it has done so */
    size_t depth;            /* blocks of input channels whose U is made at a time */
    size_t round;            /* blocks of tiles whose V is in memory at a time */
    size_t block_parts;      /* tasks of a round: one per group and part of its blocks */
    size_t v_point, m_point; /* floats between points */
    size_t u_size, v_size,
        m_size;       /* floats of U or a chunk of it, of a block's V, of a block's M */
    float *u, *v, *m; /* scratch; one part per thread where that is needed */
    rn_span now;      /* blocks of this round */
} job;

static axis axis_of(size_t size)
{
    const size_t tiles = rn_ceil_div(size, 4), threes = rn_min(tiles, 4 * tiles - size);
    return (axis){size, tiles - threes, threes};
}

/* Multiply-adds of vectors per input channel and output block, and what the transform of the
 * weights takes of the same time, as measured. For one image: a batch must not change an image's
 * answer. Groups have few channels to share the transforms of V and M, which take about as long as
 * the products; the direct kernels take 16 for 9 where a group fills a block, less in proportion
 * where it does not. */
static bool pays(const rn_desc *d, const rn_micro *micro)
{
    const size_t tiles = rn_ceil_div(d->out.h, 4) * rn_ceil_div(d->out.w, 4);
    const size_t stride = d->window.stride_h, side = rn_wino_side(stride);
    const size_t cost = transform_cost[stride][d->groups == 1 && tiles <= micro->few_tiles];
    const size_t products = side * side * tiles, pixels = d->out.h * d->out.w;
    if (d->groups == 1) return cost + products < 9 * pixels;
    return cost + 2 * products < rn_min(d->in[0].c / d->groups, RN_BLOCK) * pixels &&
           rn_conv_band(d) <= CHUNK;
}

bool rn_conv_winograd_supports(const rn_desc *d, const rn_micro *micro)
{
    const rn_window *w = &d->window;
    return w->kh == 3 && w->kw == 3 && (w->stride_h == 1 || w->stride_h == 2) &&
           w->stride_w == w->stride_h && w->dilation_h == 1 && w->dilation_w == 1 &&
           d->in[0].c >= MIN_CHANNELS && d->out.c >= MIN_CHANNELS && pays(d, micro) &&
           rn_conv_plane_fits(d);
}

/* ---- sizes ---------------------------------------------------------------------------------- */

/* Floats between two points of U. */
static size_t u_point(size_t depth)
{
    return depth * U_BLOCK + PAD;
}

static void count_classes(job *j, size_t n)
{
    const size_t count[CLASSES] = {
        [CLASS_4X3] = n * j->rows.fours * j->columns.threes,
        [CLASS_4X4] = n * j->rows.fours * j->columns.fours,
        [CLASS_3X4] = n * j->rows.threes * j->columns.fours,
        [CLASS_3X3] = n * j->rows.threes * j->columns.threes,
    };
    size_t end = 0;
    for (size_t c = 0; c < CLASSES; c++) j->class_end[c] = end += count[c];
}

/* Output blocks that are multiplied at once read the same band. */
static size_t blocks_at_once(const rn_desc *d, const rn_micro *micro)
{
    const bool same = d->out.c / d->groups % (micro->tile_blocks * RN_BLOCK) == 0;
    return d->groups == 1 || same ? micro->tile_blocks : 1;
}

static job plan_job(const rn_desc *d, size_t n, size_t threads, const rn_micro *micro)
{
    job j = {
        .desc = d,
        .micro = micro,
        .stride = d->window.stride_h,
        .rows = axis_of(d->out.h),
        .columns = axis_of(d->out.w),
        .in_blocks = rn_conv_in_blocks(d),
        .out_blocks = rn_conv_out_blocks(d),
        .band = rn_conv_band(d),
        .group_blocks = blocks_at_once(d, micro),
        .banded = d->groups > 1,
    };
    j.transform = &micro->winograd[j.stride - 1];
    j.side = rn_wino_side(j.stride);
    j.sums = rn_wino_sums(j.stride);
    const size_t all = j.out_blocks * U_POINTS * u_point(j.in_blocks);
    count_classes(&j, n);
    j.few = !j.banded && j.class_end[CLASSES - 1] <= FEW_PASSES * micro->few_tiles;
    j.groups = rn_ceil_div(j.out_blocks, j.group_blocks);
    j.blocks = rn_ceil_div(j.class_end[CLASSES - 1], micro->tile_pixels);
    j.weights_first = !j.few && !j.banded && all * sizeof(float) <= WEIGHTS_FIRST_BYTES;
    j.v_point = j.band * micro->tile_pixels * RN_BLOCK + PAD;
    j.m_point = j.group_blocks * micro->tile_pixels * RN_BLOCK + PAD;
    j.depth = rn_min(j.band, CHUNK);
    if (j.weights_first)
        j.u_size = all;
    else if (!j.few)
        j.u_size = j.group_blocks * U_POINTS * u_point(j.depth);
    j.v_size = j.side * j.side * j.v_point;
    j.m_size = j.sums * j.sums * j.m_point;
    j.round = rn_max(1, rn_min(j.blocks, INPUT_BYTES / sizeof(float) / j.v_size));
    if (j.banded) j.round = j.blocks;
    j.own = threads <= OWN_THREADS &&
            (j.weights_first || j.round * j.v_size * sizeof(float) <= OWN_BYTES);
    if (threads > 1 && j.groups < threads * TASKS_PER_THREAD)
        j.block_parts = rn_min(j.round, rn_ceil_div(2 * threads, j.groups));
    else
        j.block_parts = 1;
    return j;
}

/* Blocks whose M a task keeps: all of its part, when U comes in chunks. */
static size_t kept_blocks(const job *j)
{
    const bool in_one_go = j->few || j->depth == j->band;
    return in_one_go ? 1 : rn_ceil_div(j->round, j->block_parts);
}

/* Floats of U and V; each thread has an M for itself. */
static size_t all_u(const job *j, size_t threads)
{
    return j->u_size * (j->weights_first && !j->own ? 1 : threads);
}

static size_t all_v(const job *j, size_t threads)
{
    if (j->weights_first || j->banded) return j->v_size * threads;
    return j->v_size * j->round * (j->own ? threads : 1);
}

static size_t scratch_of(const job *j, size_t threads)
{
    const size_t kept = j->weights_first ? 1 : kept_blocks(j);
    return all_u(j, threads) + all_v(j, threads) + threads * kept * j->m_size;
}

size_t rn_conv_winograd_scratch(const rn_desc *desc, size_t n, size_t threads,
                                const rn_micro *micro)
{
    const job j = plan_job(desc, n, threads, micro);
    return scratch_of(&j, threads);
}

/* ---- tiles ---------------------------------------------------------------------------------- */

typedef struct {
    size_t image, y, x; /* of the first output pixel */
    size_t rows, columns;
} tile_place;

static tile_place place_of(const job *j, size_t tile)
{
    size_t class = 0;
    while (tile >= j->class_end[class]) class ++;
    const size_t index = class ? tile - j->class_end[class - 1] : tile;
    const bool tall = class == CLASS_4X3 || class == CLASS_4X4;
    const bool wide = class == CLASS_4X4 || class == CLASS_3X4;
    const size_t rows = tall ? j->rows.fours : j->rows.threes;
    const size_t columns = wide ? j->columns.fours : j->columns.threes;
    const size_t r = index / columns % rows, c = index % columns;
    return (tile_place){
        .image = index / (rows * columns),
        .y = tall ? 4 * r : 4 * j->rows.fours + 3 * r,
        .x = wide ? 4 * c : 4 * j->columns.fours + 3 * c,
        .rows = tall ? 4 : 3,
        .columns = wide ? 4 : 3,
    };
}

static rn_span tiles_of(const job *j, size_t block)
{
    return rn_span_part(j->class_end[CLASSES - 1], j->blocks, block);
}

/* The tiles of `tiles` that have the point in this row and column. */
static rn_span tiles_with(const job *j, rn_span tiles, size_t row, size_t column)
{
    if (rn_wino_fours_only(j->stride, row)) tiles.end = rn_min(tiles.end, j->class_end[CLASS_4X4]);
    if (rn_wino_fours_only(j->stride, column)) {
        tiles.begin = rn_max(tiles.begin, j->class_end[CLASS_4X3]);
        tiles.end = rn_min(tiles.end, j->class_end[CLASS_3X4]);
    }
    return tiles;
}

/* ---- transforms ----------------------------------------------------------------------------- */

/* The pixels right of a patch: the next tile needs them. No access beyond the image comes of it. */
static void prefetch_right(const float *plane, rn_dims in, size_t y, size_t x, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        const float *row = plane + (rn_min(y + i, in.h - 1) * in.w + x) * RN_BLOCK;
        for (size_t c = 0; c < 4; c++) __builtin_prefetch(row + c * RN_BLOCK);
    }
}

/* Input blocks of one tile to their points, `stride` floats from one to the next. */
static void transform_tile(const job *j, tile_place place, rn_span blocks, float *dst,
                           size_t stride)
{
    const rn_dims in = j->desc->in[0];
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

/* Floats from one input block to the next in V of a block of tiles. */
static size_t v_block(const job *j, size_t block)
{
    return rn_span_size(tiles_of(j, block)) * RN_BLOCK;
}

/* V of one block of tiles, points x (input blocks, tiles, 16), from the first of `in_blocks` on. */
static void transform_input(const job *j, size_t block, rn_span in_blocks, float *v)
{
    const rn_span tiles = tiles_of(j, block);
    for (size_t t = tiles.begin; t < tiles.end; t++, v += RN_BLOCK)
        transform_tile(j, place_of(j, t), in_blocks, v, v_block(j, block));
}

/* U of some output blocks and input blocks of their band:
 * (output blocks, points, input blocks, 16, 16). */
static void transform_weights(const job *j, rn_span out, rn_span in, float *u)
{
    rn_wino_weights w = {.dst_point = u_point(rn_span_size(in))};
    for (size_t o = out.begin; o < out.end; o++, u += U_POINTS * w.dst_point)
        for (size_t i = in.begin; i < in.end; i++) {
            w.src = j->args->weights + (o * j->band + i) * W_BLOCK;
            w.dst = u + (i - in.begin) * U_BLOCK;
            for (w.row = 0; w.row < U_ROW; w.row++, w.dst += U_ROW * w.dst_point)
                j->transform->weights(&w);
        }
}

static rn_span blocks_of_group(const job *j, size_t group)
{
    const size_t first = group * j->group_blocks;
    return (rn_span){first, rn_min(first + j->group_blocks, j->out_blocks)};
}

/* What multiply() works on: some input blocks' part of the sums of one group of output blocks. */
typedef struct {
    rn_span out, in;
    const float *u;
    rn_span next_out, next_in; /* whose weights are fetched meanwhile; empty: none */
} slice;

/* The part of the next weights that is fetched while one point is multiplied. A register tile
 * fetches 16 lines per block of depth, the weights have 144 of them per output block: some points
 * do. */
static const float *ahead_of(const job *j, const slice *s, size_t point)
{
    const size_t depth = rn_span_size(s->next_in), blocks = rn_span_size(s->next_out);
    const size_t every = j->stride == 1 ? 2 : 4; /* about points / (9 * RN_TILE_BLOCKS) */
    if (depth * blocks == 0 || point % every != 0) return NULL;
    const size_t turn = point / every, out = turn / 9;
    if (out >= blocks) return NULL;
    return j->args->weights +
           ((s->next_out.begin + out) * j->in_blocks + s->next_in.begin) * W_BLOCK +
           turn % 9 * depth * U_BLOCK;
}

/* M of one block of tiles: points x (output blocks, tiles, 16). Sums over the slice's input blocks,
 * added to what M holds unless these are the first ones. */
static void multiply(const job *j, size_t block, const slice *s, const float *v, float *m)
{
    const rn_span tiles = tiles_of(j, block);
    const size_t stride = rn_span_size(tiles) * RN_BLOCK, depth = rn_span_size(s->in);
    rn_tile t = {
        .src_stride = stride,
        .weights_stride = U_POINTS * u_point(depth),
        .depth = depth,
        .dst_stride = stride,
        .ahead_stride = RN_BLOCK * RN_BLOCK,
        .blocks = rn_span_size(s->out),
    };
    for (size_t i = 0; i < j->side; i++) {
        const size_t u_row = rn_wino_u(j->stride, i), m_row = rn_wino_sum(j->stride, i);
        for (size_t k = 0; k < j->side; k++) {
            const size_t point = i * j->side + k;
            const rn_span some = tiles_with(j, tiles, i, k);
            const size_t first = (some.begin - tiles.begin) * RN_BLOCK;
            if (some.begin >= some.end) continue;
            t.src = v + point * j->v_point + s->in.begin * stride + first;
            t.weights = s->u + (u_row * U_ROW + rn_wino_u(j->stride, k)) * u_point(depth);
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

static void transform_output(const job *j, size_t block, rn_span out_blocks, const float *m)
{
    const rn_dims out = j->desc->out;
    const rn_args *a = j->args;
    const rn_span tiles = tiles_of(j, block);
    for (size_t o = out_blocks.begin; o < out_blocks.end; o++)
        for (size_t t = tiles.begin; t < tiles.end; t++, m += RN_BLOCK) {
            const tile_place p = place_of(j, t);
            const size_t plane = (p.image * j->out_blocks + o) * out.h * out.w;
            const size_t dst = (plane + p.y * out.w + p.x) * RN_BLOCK;
            const rn_wino_output w = {
                .src = m,
                .src_point = j->m_point,
                .dst = a->dst + dst,
                .dst_row = out.w * RN_BLOCK,
                .bias = a->bias + o * RN_BLOCK,
                .addend = a->addend ? a->addend + dst : NULL,
                .epilogue = j->desc->epilogue,
                .rows = p.rows,
                .columns = p.columns,
                .keep_rows = rn_min(p.rows, out.h - p.y),
                .keep_columns = rn_min(p.columns, out.w - p.x),
            };
            prefetch_next(&w);
            j->transform->output(&w);
        }
}

/* ---- weights first -------------------------------------------------------------------------- */

/* task: an output block */
static void weights_task(void *context, size_t task, size_t thread)
{
    (void)thread;
    const job *j = context;
    float *u = j->u + task * U_POINTS * u_point(j->in_blocks);
    transform_weights(j, (rn_span){task, task + 1}, (rn_span){0, j->in_blocks}, u);
}

/* All of U for this thread. */
static const float *weights_for(job *j, size_t thread)
{
    if (!j->own) return j->u;
    float *u = j->u + thread * j->u_size;
    if (!j->made[thread])
        transform_weights(j, (rn_span){0, j->out_blocks}, (rn_span){0, j->in_blocks}, u);
    j->made[thread] = true;
    return u;
}

/* task: a block of tiles, all channels */
static void tiles_task(void *context, size_t task, size_t thread)
{
    job *j = context;
    const rn_span all = {0, j->in_blocks};
    const float *u = weights_for(j, thread);
    float *v = j->v + thread * j->v_size, *m = j->m + thread * j->m_size;
    transform_input(j, task, all, v);
    for (size_t g = 0; g < j->groups; g++) {
        const rn_span out = blocks_of_group(j, g);
        const float *part = u + out.begin * U_POINTS * u_point(j->in_blocks);
        multiply(j, task, &(slice){.out = out, .in = all, .u = part}, v, m);
        transform_output(j, task, out, m);
    }
}

/* ---- input first ---------------------------------------------------------------------------- */

/* task: some input blocks of a block of tiles */
static void input_task(void *context, size_t task, size_t thread)
{
    (void)thread;
    const job *j = context;
    const size_t chunks = rn_ceil_div(j->in_blocks, CHUNK), block = task / chunks;
    const rn_span in = rn_span_part(j->in_blocks, chunks, task % chunks);
    float *v = j->v + block * j->v_size + in.begin * v_block(j, j->now.begin + block);
    transform_input(j, j->now.begin + block, in, v);
}

/* V of the round for this thread. */
static const float *input_for(job *j, size_t thread)
{
    if (!j->own) return j->v;
    float *v = j->v + thread * j->round * j->v_size;
    for (size_t b = 0; !j->made[thread] && b < rn_span_size(j->now); b++)
        transform_input(j, j->now.begin + b, (rn_span){0, j->in_blocks}, v + b * j->v_size);
    j->made[thread] = true;
    return v;
}

static rn_span chunk_from(const job *j, size_t block)
{
    return (rn_span){block, rn_min(block + j->depth, j->in_blocks)};
}

/* The slice of a group from this input block on; the next one is that of the next input blocks, or
 * the first of the next group. */
static slice slice_at(const job *j, size_t group, size_t block, const float *u)
{
    slice s = {.out = blocks_of_group(j, group), .in = chunk_from(j, block), .u = u};
    const bool last = s.in.end == j->in_blocks;
    if (last && group + 1 == j->groups) return s;
    s.next_out = blocks_of_group(j, group + last);
    s.next_in = chunk_from(j, last ? 0 : s.in.end);
    return s;
}

/* task: a group of output blocks and some of the round's blocks of tiles */
static void channels_task(void *context, size_t task, size_t thread)
{
    job *j = context;
    const float *v = input_for(j, thread);
    const rn_span part =
        rn_span_part(j->now.end - j->now.begin, j->block_parts, task % j->block_parts);
    const size_t kept = kept_blocks(j), group = task / j->block_parts;
    float *u = j->u + thread * j->u_size, *ms = j->m + thread * kept * j->m_size;
    for (size_t i = 0; i < j->in_blocks; i += j->depth) {
        const slice s = slice_at(j, group, i, u);
        transform_weights(j, s.out, s.in, u);
        for (size_t b = part.begin; b < part.end; b++) {
            float *m = ms + (b - part.begin) % kept * j->m_size;
            multiply(j, j->now.begin + b, &s, v + b * j->v_size, m);
            if (s.in.end == j->in_blocks) transform_output(j, j->now.begin + b, s.out, m);
        }
    }
}

/* ---- few tiles ------------------------------------------------------------------------------ */

/* One row of M of one output block, for a block of tiles. */
static void few_row(const job *j, size_t out, size_t block, size_t sum, const float *v, float *m)
{
    const rn_span all = tiles_of(j, j->now.begin + block), some = tiles_with(j, all, sum, 0);
    const size_t region = j->in_blocks * W_BLOCK; /* of one output block */
    const size_t next = rn_min(out + rn_team_threads(j->args->team), j->out_blocks - 1);
    rn_wino_few t = {
        .src = v,
        .src_point = j->v_point,
        .src_stride = rn_span_size(all) * RN_BLOCK,
        .weights = j->args->weights + out * region,
        .depth = j->in_blocks,
        .chunk = j->depth,
        .sum = sum,
        .dst = m + sum * j->sums * j->m_point,
        .dst_point = j->m_point,
        .ahead = j->args->weights + next * region,
    };
    for (size_t first = some.begin; first < some.end; first += j->micro->few_tiles) {
        t.tiles = rn_min(some.end - first, j->micro->few_tiles);
        t.fours = rn_min(t.tiles, j->class_end[CLASS_4X4] - rn_min(first, j->class_end[CLASS_4X4]));
        j->transform->few(&t);
        t.src += t.tiles * RN_BLOCK;
        t.dst += t.tiles * RN_BLOCK;
    }
}

/* task: an output block */
static void few_task(void *context, size_t task, size_t thread)
{
    job *j = context;
    const float *v = input_for(j, thread);
    float *m = j->m + thread * j->m_size;
    for (size_t b = 0; b < rn_span_size(j->now); b++) {
        for (size_t sum = 0; sum < j->sums; sum++) few_row(j, task, b, sum, v + b * j->v_size, m);
        transform_output(j, j->now.begin + b, (rn_span){task, task + 1}, m);
    }
}

/* ---- banded --------------------------------------------------------------------------------- */

/* task: a group of output blocks and some blocks of tiles */
static void band_task(void *context, size_t task, size_t thread)
{
    const job *j = context;
    const rn_span part = rn_span_part(j->blocks, j->block_parts, task % j->block_parts);
    const rn_span out = blocks_of_group(j, task / j->block_parts), all = {0, j->band};
    const size_t first = rn_conv_band_start(j->desc, out.begin);
    float *u = j->u + thread * j->u_size;
    float *v = j->v + thread * j->v_size, *m = j->m + thread * j->m_size;
    transform_weights(j, out, all, u);
    for (size_t b = part.begin; b < part.end; b++) {
        transform_input(j, b, (rn_span){first, first + j->band}, v);
        multiply(j, b, &(slice){.out = out, .in = all, .u = u}, v, m);
        transform_output(j, b, out, m);
    }
}

void rn_conv_winograd(const rn_desc *desc, const rn_args *args, const rn_micro *micro)
{
    const size_t threads = rn_team_threads(args->team);
    job j = plan_job(desc, args->n, threads, micro);
    j.args = args;
    j.u = args->scratch;
    j.v = j.u + all_u(&j, threads);
    j.m = j.v + all_v(&j, threads);
    if (j.weights_first) {
        if (!j.own) rn_team_for(args->team, j.out_blocks, weights_task, &j);
        rn_team_for(args->team, j.blocks, tiles_task, &j);
        return;
    }
    if (j.banded) {
        rn_team_for(args->team, j.groups * j.block_parts, band_task, &j);
        return;
    }
    for (size_t b = 0; b < j.blocks; b += j.round) {
        j.now = (rn_span){b, rn_min(b + j.round, j.blocks)};
        memset(j.made, 0, sizeof j.made);
        const size_t parts = rn_span_size(j.now) * rn_ceil_div(j.in_blocks, CHUNK);
        if (!j.own) rn_team_for(args->team, parts, input_task, &j);
        if (j.few)
            rn_team_for(args->team, j.out_blocks, few_task, &j);
        else
            rn_team_for(args->team, j.groups * j.block_parts, channels_task, &j);
    }
}
