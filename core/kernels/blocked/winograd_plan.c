/* What is decided about a Winograd convolution before it runs: whether it pays, in which way it
 * goes, how large its parts are, which tiles there are. */
#include "base/mem.h"
#include "kernels/blocked/conv_winograd.h"
#include "kernels/blocked/pack.h"
#include "kernels/blocked/winograd_job.h"

/* What the transforms cost, by stride, as pays() counts; measured. The second: where they are fused
 * with the products. */
static const size_t transform_cost[][2] = {[1] = {110, 110}, [2] = {250, 100}};

#define WEIGHTS_FIRST_BYTES ((size_t)640 << 10) /* of U: fits into L2 beside one block of tiles */
#define INPUT_BYTES         ((size_t)8 << 20)   /* of V, input first: stays in L3 */
#define FUSED_GROUPS        4                   /* of tiles whose V is made at a time */
#define MIN_CHANNELS        24 /* of input and output: fewer don't pay for the transforms */
#define TASKS_PER_THREAD    4
#define OWN_BYTES           ((size_t)1 << 20)
#define PAD                 RN_BLOCK /* floats between points: 36 of them must not share cache sets */

static rn_wino_axis axis_of(size_t size)
{
    const size_t tiles = rn_ceil_div(size, 4), threes = rn_min(tiles, 4 * tiles - size);
    return (rn_wino_axis){size, tiles - threes, threes};
}

static size_t tiles_of_image(const rn_desc *d)
{
    return rn_ceil_div(d->out.h, 4) * rn_ceil_div(d->out.w, 4);
}

static bool is_fused(const rn_desc *d, const rn_micro *micro)
{
    return d->groups == 1 && micro->fused_tiles > 0;
}

/* Multiply-adds of vectors per input channel and output block, and what the transform of the
 * weights takes of the same time, as measured. For one image: a batch must not change an image's
 * answer. Groups have few channels to share the transforms of V and M, which take about as long as
 * the products; the direct kernels take 16 for 9 where a group fills a block, less in proportion
 * where it does not. */
static bool pays(const rn_desc *d, const rn_micro *micro)
{
    const size_t tiles = tiles_of_image(d);
    const size_t stride = d->window.stride_h, side = rn_wino_side(stride);
    const size_t cost = transform_cost[stride][is_fused(d, micro)];
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
           rn_conv_plane_fits(d) && rn_finish_fits(d);
}

size_t rn_wino_u_point(size_t depth)
{
    return depth * U_BLOCK + PAD;
}

static void count_classes(rn_wino_job *j, size_t n)
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

static size_t fused_groups(const rn_wino_job *j)
{
    return rn_ceil_div(j->class_end[CLASSES - 1], j->micro->fused_tiles);
}

/* Blocks of whole groups of tiles, as many for each thread. */
static size_t fused_blocks(const rn_wino_job *j, size_t threads)
{
    const size_t groups = fused_groups(j);
    const size_t blocks = rn_max(rn_ceil_div(groups, FUSED_GROUPS), rn_min(threads, groups / 2));
    return blocks > threads ? rn_min(rn_ceil_div(blocks, threads) * threads, groups) : blocks;
}

/* How V and M of a block of tiles lie in memory. */
static void place_points(rn_wino_job *j)
{
    const size_t group = j->micro->fused_tiles, pixels = j->micro->tile_pixels;
    const size_t groups = j->fused ? rn_ceil_div(fused_groups(j), j->blocks) : 1;
    j->v_point = j->fused ? group * RN_BLOCK : j->band * pixels * RN_BLOCK + PAD;
    j->v_row = (j->fused ? j->in_blocks : 1) * j->side * j->v_point;
    j->v_size = groups * j->side * j->v_row;
    j->m_point = (j->fused ? groups * group : j->group_blocks * pixels) * RN_BLOCK + PAD;
}

size_t rn_wino_images(const rn_desc *d, size_t n, const rn_micro *micro)
{
    const size_t tiles = tiles_of_image(d), most = FUSED_GROUPS * micro->fused_tiles;
    const bool same = d->out.h % 4 == 0 && d->out.w % 4 == 0; /* of one class */
    const bool some_fill_groups = is_fused(d, micro) && tiles <= most && most % tiles == 0;
    return some_fill_groups && !same ? rn_min(n, most / tiles) : n;
}

rn_wino_job rn_wino_plan(const rn_desc *d, size_t n, size_t threads, const rn_micro *micro)
{
    rn_wino_job j = {
        .desc = d,
        .micro = micro,
        .stride = d->window.stride_h,
        .rows = axis_of(d->out.h),
        .columns = axis_of(d->out.w),
        .in_blocks = rn_conv_in_blocks(d),
        .out_blocks = rn_conv_out_blocks(d),
        .band = rn_conv_band(d),
        .group_blocks = blocks_at_once(d, micro),
        .fused = is_fused(d, micro),
        .banded = d->groups > 1,
    };
    j.transform = &micro->winograd[j.stride - 1];
    j.side = rn_wino_side(j.stride);
    j.sums = rn_wino_sums(j.stride);
    const size_t all = j.out_blocks * U_POINTS * rn_wino_u_point(j.in_blocks);
    count_classes(&j, n);
    j.groups = rn_ceil_div(j.out_blocks, j.group_blocks);
    if (j.fused)
        j.blocks = fused_blocks(&j, threads);
    else
        j.blocks = rn_ceil_div(j.class_end[CLASSES - 1], micro->tile_pixels);
    j.weights_first = !j.fused && !j.banded && all * sizeof(float) <= WEIGHTS_FIRST_BYTES;
    place_points(&j);
    j.depth = rn_min(j.band, CHUNK);
    if (j.weights_first)
        j.u_size = all;
    else if (!j.fused)
        j.u_size = j.group_blocks * U_POINTS * rn_wino_u_point(j.depth);
    j.m_size = j.sums * j.sums * j.m_point;
    j.round = rn_max(1, rn_min(j.blocks, INPUT_BYTES / sizeof(float) / j.v_size));
    if (j.banded) j.round = j.blocks;
    j.own = threads <= OWN_THREADS &&
            (j.weights_first || j.fused || j.round * j.v_size * sizeof(float) <= OWN_BYTES);
    if (j.fused && j.own) j.round = j.blocks;
    if (threads > 1 && j.groups < threads * TASKS_PER_THREAD)
        j.block_parts = rn_min(j.round, rn_ceil_div(2 * threads, j.groups));
    else
        j.block_parts = 1;
    return j;
}

size_t rn_wino_kept_blocks(const rn_wino_job *j)
{
    const bool in_one_go = j->fused || j->depth == j->band;
    return in_one_go ? 1 : rn_ceil_div(j->round, j->block_parts);
}

size_t rn_wino_all_u(const rn_wino_job *j, size_t threads)
{
    return j->u_size * (j->weights_first && !j->own ? 1 : threads);
}

size_t rn_wino_all_v(const rn_wino_job *j, size_t threads)
{
    if (j->weights_first || j->banded || (j->fused && j->own)) return j->v_size * threads;
    return j->v_size * j->round * (j->own ? threads : 1);
}

size_t rn_wino_scratch(const rn_wino_job *j, size_t threads)
{
    const size_t kept = j->weights_first ? 1 : rn_wino_kept_blocks(j);
    return rn_wino_all_u(j, threads) + rn_wino_all_v(j, threads) + threads * kept * j->m_size;
}

/* ---- tiles ---- */

rn_wino_tile_place rn_wino_place(const rn_wino_job *j, size_t tile)
{
    size_t class = 0;
    while (tile >= j->class_end[class]) class ++;
    const size_t index = class ? tile - j->class_end[class - 1] : tile;
    const bool tall = class == CLASS_4X3 || class == CLASS_4X4;
    const bool wide = class == CLASS_4X4 || class == CLASS_3X4;
    const size_t rows = tall ? j->rows.fours : j->rows.threes;
    const size_t columns = wide ? j->columns.fours : j->columns.threes;
    const size_t r = index / columns % rows, c = index % columns;
    return (rn_wino_tile_place){
        .image = index / (rows * columns),
        .y = tall ? 4 * r : 4 * j->rows.fours + 3 * r,
        .x = wide ? 4 * c : 4 * j->columns.fours + 3 * c,
        .rows = tall ? 4 : 3,
        .columns = wide ? 4 : 3,
    };
}

rn_span rn_wino_tiles(const rn_wino_job *j, size_t block)
{
    const size_t all = j->class_end[CLASSES - 1], group = j->micro->fused_tiles;
    if (!j->fused) return rn_span_part(all, j->blocks, block);
    const rn_span groups = rn_span_part(fused_groups(j), j->blocks, block);
    return (rn_span){groups.begin * group, rn_min(groups.end * group, all)};
}

rn_span rn_wino_tall(const rn_wino_job *j)
{
    return (rn_span){0, j->class_end[CLASS_4X4]};
}

rn_span rn_wino_wide(const rn_wino_job *j)
{
    return (rn_span){j->class_end[CLASS_4X3], j->class_end[CLASS_3X4]};
}

rn_span rn_wino_tiles_with(const rn_wino_job *j, rn_span tiles, size_t row, size_t column)
{
    if (rn_wino_fours_only(j->stride, row)) tiles = rn_span_common(tiles, rn_wino_tall(j));
    if (rn_wino_fours_only(j->stride, column)) tiles = rn_span_common(tiles, rn_wino_wide(j));
    return tiles;
}

size_t rn_wino_v_block(const rn_wino_job *j, size_t block)
{
    return j->fused ? j->side * j->v_point : rn_span_size(rn_wino_tiles(j, block)) * RN_BLOCK;
}

size_t rn_wino_v_tile(const rn_wino_job *j, size_t tile)
{
    if (!j->fused) return tile * RN_BLOCK;
    const size_t group = j->micro->fused_tiles;
    return tile / group * j->side * j->v_row + tile % group * RN_BLOCK;
}

rn_span rn_wino_group(const rn_wino_job *j, size_t group)
{
    const size_t first = group * j->group_blocks;
    return (rn_span){first, rn_min(first + j->group_blocks, j->out_blocks)};
}
