/* Winograd convolution, F(4x4, 3x3) and F(3x3, 3x3) mixed so that tiles fit the map: 14 rows are
 * 4 + 4 + 3 + 3. For each of the 36 points of the domain, or 81 for stride 2, fewer for a tile of
 * 3, M[point] (tiles x output channels) = V[point] (tiles x input channels) * U[point] where V is
 * the transformed input, U the transformed weights, and the output is the inverse transform of M.
 * The products are register tiles whose "pixels" are Winograd tiles. Of U there are 36 points for
 * either stride; what the points are, winograd.inc says.
 *
 * Weights are transformed in each run, since to read four times the bytes would take longer than to
 * compute them. Where registers are enough, U is never written ("fused"): a thread takes some
 * tiles, makes their V, and goes through all weights; a row of U's points is made in registers,
 * beside the multiply-adds with a group of four tiles, and made again for the next group. The
 * additions that make it run where multiply-adds don't, so they take next to no time, while to
 * store U would.
 *
 * With fewer registers, U is made first when all of it fits into the L2 cache, and tiles come a
 * block at a time through all channels ("weights first"). Else V is made first, and each group of
 * output channels makes its part of U, some input channels at a time so that it stays in L2 ("input
 * first").
 *
 * With groups each output block reads a band of input blocks, few as a rule, so each is done from
 * its weights to its output by one task ("banded").
 *
 * Tiles are sorted into four classes by their height and width: 4x3, 4x4, 3x4, 3x3. So the tiles
 * that have a given point are a contiguous range, whichever the point. */
#include "kernels/blocked/conv_winograd.h"

#include <string.h>

#include "kernels/blocked/pack.h"
#include "kernels/blocked/winograd_job.h"

size_t rn_conv_winograd_scratch(const rn_desc *desc, size_t n, size_t threads,
                                const rn_micro *micro)
{
    const rn_wino_job j = rn_wino_plan(desc, rn_wino_images(desc, n, micro), threads, micro);
    return rn_wino_scratch(&j, threads);
}

/* ---- weights first -------------------------------------------------------------------------- */

/* task: an output block */
static void weights_task(void *context, size_t task, size_t thread)
{
    (void)thread;
    const rn_wino_job *j = context;
    float *u = j->u + task * U_POINTS * rn_wino_u_point(j->in_blocks);
    rn_wino_transform_weights(j, (rn_span){task, task + 1}, (rn_span){0, j->in_blocks}, u);
}

/* All of U for this thread. */
static const float *weights_for(rn_wino_job *j, size_t thread)
{
    if (!j->own) return j->u;
    float *u = j->u + thread * j->u_size;
    if (!j->made[thread])
        rn_wino_transform_weights(j, (rn_span){0, j->out_blocks}, (rn_span){0, j->in_blocks}, u);
    j->made[thread] = 1;
    return u;
}

/* task: a block of tiles, all channels */
static void tiles_task(void *context, size_t task, size_t thread)
{
    rn_wino_job *j = context;
    const rn_span all = {0, j->in_blocks};
    const float *u = weights_for(j, thread);
    float *v = j->v + thread * j->v_size, *m = j->m + thread * j->m_size;
    rn_wino_transform_input(j, task, all, v);
    for (size_t g = 0; g < j->groups; g++) {
        const rn_span out = rn_wino_group(j, g);
        const float *part = u + out.begin * U_POINTS * rn_wino_u_point(j->in_blocks);
        rn_wino_multiply(j, task, &(rn_wino_slice){.out = out, .in = all, .u = part}, v, m);
        rn_wino_transform_output(j, task, out, m);
    }
}

/* ---- input first ---------------------------------------------------------------------------- */

/* task: some input blocks of a block of tiles */
static void input_task(void *context, size_t task, size_t thread)
{
    (void)thread;
    const rn_wino_job *j = context;
    const size_t chunks = rn_ceil_div(j->in_blocks, CHUNK), block = task / chunks;
    const rn_span in = rn_span_part(j->in_blocks, chunks, task % chunks);
    float *v = j->v + block * j->v_size + in.begin * rn_wino_v_block(j, j->now.begin + block);
    rn_wino_transform_input(j, j->now.begin + block, in, v);
}

/* V of the round for this thread. */
static const float *input_for(rn_wino_job *j, size_t thread)
{
    if (!j->own) return j->v;
    float *v = j->v + thread * j->round * j->v_size;
    for (size_t b = 0; !j->made[thread] && b < rn_span_size(j->now); b++)
        rn_wino_transform_input(j, j->now.begin + b, (rn_span){0, j->in_blocks}, v + b * j->v_size);
    j->made[thread] = 1;
    return v;
}

static rn_span chunk_from(const rn_wino_job *j, size_t block)
{
    return (rn_span){block, rn_min(block + j->depth, j->in_blocks)};
}

/* The rn_wino_slice of a group from this input block on; the next one is that of the next input
 * blocks, or the first of the next group. */
static rn_wino_slice slice_at(const rn_wino_job *j, size_t group, size_t block, const float *u)
{
    rn_wino_slice s = {.out = rn_wino_group(j, group), .in = chunk_from(j, block), .u = u};
    const bool last = s.in.end == j->in_blocks;
    if (last && group + 1 == j->groups) return s;
    s.next_out = rn_wino_group(j, group + last);
    s.next_in = chunk_from(j, last ? 0 : s.in.end);
    return s;
}

/* task: a group of output blocks and some of the round's blocks of tiles */
static void channels_task(void *context, size_t task, size_t thread)
{
    rn_wino_job *j = context;
    const float *v = input_for(j, thread);
    const rn_span part =
        rn_span_part(j->now.end - j->now.begin, j->block_parts, task % j->block_parts);
    const size_t kept = rn_wino_kept_blocks(j), group = task / j->block_parts;
    float *u = j->u + thread * j->u_size, *ms = j->m + thread * kept * j->m_size;
    for (size_t i = 0; i < j->in_blocks; i += j->depth) {
        const rn_wino_slice s = slice_at(j, group, i, u);
        rn_wino_transform_weights(j, s.out, s.in, u);
        for (size_t b = part.begin; b < part.end; b++) {
            float *m = ms + (b - part.begin) % kept * j->m_size;
            rn_wino_multiply(j, j->now.begin + b, &s, v + b * j->v_size, m);
            if (s.in.end == j->in_blocks) rn_wino_transform_output(j, j->now.begin + b, s.out, m);
        }
    }
}

/* ---- fused ---------------------------------------------------------------------------------- */

/* V of a block of tiles for this thread. */
static const float *fused_input(rn_wino_job *j, size_t block, size_t thread)
{
    if (!j->own) return j->v + (block - j->now.begin) * j->v_size;
    float *v = j->v + thread * j->v_size;
    if (j->made[thread] != 1 + block)
        rn_wino_transform_input(j, block, (rn_span){0, j->in_blocks}, v);
    j->made[thread] = 1 + block;
    return v;
}

/* M of a block of tiles and an output block. */
static void fused_multiply(const rn_wino_job *j, size_t block, size_t out, const float *v, float *m)
{
    const size_t region = j->in_blocks * W_BLOCK; /* of one output block */
    const rn_span tiles = rn_wino_tiles(j, block);
    rn_wino_fused t = {
        .weights = j->args->weights + out * region,
        .depth = j->in_blocks,
        .chunk = j->depth,
        .dst_point = j->m_point,
        .ahead = j->args->weights + (out + 1) % j->out_blocks * region,
    };
    for (size_t first = tiles.begin; first < tiles.end; first += j->micro->fused_tiles) {
        const rn_span group = {first, rn_min(first + j->micro->fused_tiles, tiles.end)};
        const rn_span some = rn_span_common(group, rn_wino_wide(j));
        t.tiles = rn_span_size(group);
        t.tall = rn_span_size(rn_span_common(group, rn_wino_tall(j)));
        t.wide_begin = some.begin - first;
        t.wide_end = some.end - first;
        t.src = v + rn_wino_v_tile(j, first - tiles.begin);
        t.dst = m + (first - tiles.begin) * RN_BLOCK;
        j->transform->fused(&t);
    }
}

/* task: a block of tiles and an output block */
static void fused_task(void *context, size_t task, size_t thread)
{
    rn_wino_job *j = context;
    const size_t block = j->now.begin + task / j->out_blocks, out = task % j->out_blocks;
    float *m = j->m + thread * j->m_size;
    fused_multiply(j, block, out, fused_input(j, block, thread), m);
    rn_wino_transform_output(j, block, (rn_span){out, out + 1}, m);
}

/* ---- banded --------------------------------------------------------------------------------- */

/* task: a group of output blocks and some blocks of tiles */
static void band_task(void *context, size_t task, size_t thread)
{
    const rn_wino_job *j = context;
    const rn_span part = rn_span_part(j->blocks, j->block_parts, task % j->block_parts);
    const size_t group = task / j->block_parts;
    const rn_span out = rn_wino_group(j, group), all = {0, j->band};
    const size_t first = rn_conv_band_start(j->desc, out.begin);
    float *u = j->u + thread * j->u_size;
    float *v = j->v + thread * j->v_size, *m = j->m + thread * j->m_size;
    rn_wino_slice s = {.out = out, .in = all, .u = u};
    rn_wino_transform_weights(j, out, all, u);
    for (size_t b = part.begin; b < part.end; b++) {
        if (b + 1 == part.end && group + 1 < j->groups) {
            s.next_out = rn_wino_group(j, group + 1);
            s.next_in = all;
        }
        rn_wino_transform_input(j, b, (rn_span){first, first + j->band}, v);
        rn_wino_multiply(j, b, &s, v, m);
        rn_wino_transform_output(j, b, out, m);
    }
}

/* Images that go together. */
static void run_job(const rn_desc *desc, const rn_args *args, const rn_micro *micro)
{
    const size_t threads = rn_team_threads(args->team);
    rn_wino_job j = rn_wino_plan(desc, args->n, threads, micro);
    j.args = args;
    j.finish = rn_finish_of(&desc->epilogue);
    j.u = args->scratch;
    j.v = j.u + rn_wino_all_u(&j, threads);
    j.m = j.v + rn_wino_all_v(&j, threads);
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
        if (j.fused)
            rn_team_for(args->team, rn_span_size(j.now) * j.out_blocks, fused_task, &j);
        else
            rn_team_for(args->team, j.groups * j.block_parts, channels_task, &j);
    }
}

void rn_conv_winograd(const rn_desc *desc, const rn_args *args, const rn_micro *micro)
{
    const size_t images = rn_wino_images(desc, args->n, micro);
    const size_t in = desc->in[0].h * desc->in[0].w * rn_conv_in_blocks(desc) * RN_BLOCK;
    const size_t out = desc->out.h * desc->out.w * rn_conv_out_blocks(desc) * RN_BLOCK;
    rn_args part = *args;
    for (size_t first = 0; first < args->n; first += images) {
        part.n = rn_min(images, args->n - first);
        run_job(desc, &part, micro);
        part.src += part.n * in;
        part.dst += part.n * out;
        if (part.addend) part.addend += part.n * out;
    }
}
