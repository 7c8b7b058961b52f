/* Direct convolution: register tiles of some output pixels by one or two blocks of output channels,
 * summed over input blocks and taps.
 *
 * A 1x1 convolution of stride 1 reads the image where it lies. Any other first copies each tile's
 * input into a panel, (input blocks, taps, pixels, 16), with zeros for the padding: the copy costs
 * about one part in 16 of one tile's sums, and serves all its output channels.
 *
 * Order of the loops, for the caches: a range of tiles whose panels fit into some of the L3 cache;
 * a chunk of output channels whose weights fit into L2; the range's tiles; the chunk's channels. */
#include "kernels/blocked/conv_direct.h"

#include "kernels/blocked/pack.h"
#include "kernels/blocked/span.h"

#define WEIGHTS_BYTES    ((size_t)384 << 10) /* of a chunk of output channels */
#define PANEL_BYTES      ((size_t)1 << 20)   /* of a range of tiles */
#define TASKS_PER_THREAD 4

typedef struct {
    const rn_desc *desc;
    const rn_args *args;
    rn_finish finish;
    const rn_micro *micro;
    size_t taps, in_blocks, out_blocks, band;
    size_t pixels, tiles;           /* of one image */
    size_t groups;                  /* of output blocks: what a register tile computes */
    size_t range, chunk;            /* tiles, groups of output blocks */
    size_t panel;                   /* floats of one tile's panel; 0: the image is read in place */
    size_t scratch;                 /* floats of one thread */
    size_t tile_parts, group_parts; /* tasks: one per pair of them */
} job;

bool rn_conv_direct_supports(const rn_desc *desc)
{
    return rn_finish_fits(desc) && rn_conv_plane_fits(desc);
}

static bool reads_in_place(const rn_desc *d)
{
    const rn_window *w = &d->window;
    return w->kh == 1 && w->kw == 1 && w->stride_h == 1 && w->stride_w == 1 &&
           w->pad_top + w->pad_left + w->pad_bottom + w->pad_right == 0;
}

static job plan_job(const rn_desc *d, const rn_micro *micro)
{
    job j = {
        .desc = d,
        .micro = micro,
        .taps = rn_conv_taps(d),
        .in_blocks = rn_conv_in_blocks(d),
        .out_blocks = rn_conv_out_blocks(d),
        .band = rn_conv_band(d),
        .pixels = d->out.h * d->out.w,
    };
    const size_t group_bytes =
        micro->tile_blocks * j.band * j.taps * RN_BLOCK * RN_BLOCK * sizeof(float);
    j.tiles = rn_ceil_div(j.pixels, micro->tile_pixels);
    j.groups = rn_ceil_div(j.out_blocks, micro->tile_blocks);
    j.chunk = rn_max(1, rn_min(j.groups, WEIGHTS_BYTES / group_bytes));
    j.range = SIZE_MAX;
    if (reads_in_place(d)) return j;
    const size_t blocks = micro->tile_pixels * j.taps; /* of 16 floats, per input block */
    j.panel = j.in_blocks * blocks * RN_BLOCK;
    j.range = rn_max(2, PANEL_BYTES / sizeof(float) / j.panel);
    j.scratch = j.range * j.panel + rn_round_up(blocks, RN_BLOCK);
    return j;
}

/* One thread does all; a team splits tiles when the input is larger than the weights, else
 * channels. */
static void split_job(job *j, size_t n, size_t threads)
{
    const size_t tiles = n * j->tiles, wanted = threads * TASKS_PER_THREAD;
    const size_t input = n * j->in_blocks * j->desc->in[0].h * j->desc->in[0].w;
    const size_t weights = j->out_blocks * j->band * j->taps * RN_BLOCK;
    j->tile_parts = j->group_parts = 1;
    if (threads <= 1) return;
    if (input < weights) {
        j->group_parts = rn_min(j->groups, wanted);
        j->tile_parts = rn_min(tiles, rn_ceil_div(wanted, j->group_parts));
    } else {
        j->tile_parts = rn_min(tiles, wanted);
        j->group_parts = rn_min(j->groups, rn_ceil_div(wanted, j->tile_parts));
    }
}

size_t rn_conv_direct_scratch(const rn_desc *desc, size_t threads, const rn_micro *micro)
{
    return plan_job(desc, micro).scratch * threads;
}

/* Pixels of one tile; tiles are counted over all images. */
static rn_span pixels_of(const job *j, size_t tile)
{
    return rn_span_part(j->pixels, j->tiles, tile % j->tiles);
}

static const float *image_of(const job *j, size_t tile)
{
    const rn_shape in = j->desc->in[0];
    return j->args->src + tile / j->tiles * j->in_blocks * in.h * in.w * RN_BLOCK;
}

static void fill_panel(const job *j, size_t tile, float *panel, uint32_t *offset)
{
    const size_t plane = j->desc->in[0].h * j->desc->in[0].w * RN_BLOCK;
    const rn_span pixels = pixels_of(j, tile);
    const size_t count = pixels.end - pixels.begin, blocks = count * j->taps;
    const float *image = image_of(j, tile);
    rn_conv_offsets(j->desc, pixels.begin, count, offset);
    for (size_t b = 0; b < j->in_blocks; b++)
        j->micro->gather(panel + b * blocks * RN_BLOCK, image + b * plane, offset, blocks);
}

/* One tile's turn with a chunk of output channels. */
typedef struct {
    size_t tile;
    const float *panel;
    size_t left; /* tiles of the range that follow */
    bool first;  /* no group of this chunk has read the tile's input yet */
} visit;

/* What is fetched beside a tile's sums: with the last two tiles the weights of the next chunk, a
 * block of output channels each; else the next tile's input. */
static void look_ahead(const job *j, const visit *v, size_t block, rn_tile *t)
{
    const size_t next = block + j->chunk * j->micro->tile_blocks + v->left;
    if (v->left < RN_TILE_BLOCKS && next < j->out_blocks) {
        t->ahead = j->args->weights + next * t->weights_stride;
        t->ahead_stride = RN_BLOCK * RN_BLOCK;
    } else if (v->first && !j->panel) {
        t->ahead = t->src + t->pixels * RN_BLOCK;
        t->ahead_stride = t->src_stride;
    }
}

/* Output blocks [block, block + count) of one tile. */
static void run_tile(const job *j, const visit *v, size_t block, size_t count)
{
    const rn_args *a = j->args;
    const size_t tile = v->tile;
    const rn_span pixels = pixels_of(j, tile);
    const size_t in_plane = j->desc->in[0].h * j->desc->in[0].w * RN_BLOCK;
    const size_t weights = j->band * j->taps * RN_BLOCK * RN_BLOCK;
    const size_t start = rn_conv_band_start(j->desc, block);
    const size_t dst =
        ((tile / j->tiles * j->out_blocks + block) * j->pixels + pixels.begin) * RN_BLOCK;
    rn_tile t = {
        .weights = a->weights + block * weights,
        .weights_stride = weights,
        .depth = j->band * j->taps,
        .dst = a->dst + dst,
        .dst_stride = j->pixels * RN_BLOCK,
        .bias = a->bias + block * RN_BLOCK,
        .addend = a->addend ? a->addend + dst : NULL,
        .finish = j->finish,
        .pixels = pixels.end - pixels.begin,
        .blocks = count,
    };
    t.src_stride = j->panel ? t.pixels * RN_BLOCK : in_plane;
    t.src = j->panel ? v->panel + start * j->taps * t.src_stride
                     : image_of(j, tile) + start * in_plane + pixels.begin * RN_BLOCK;
    look_ahead(j, v, block, &t);
    j->micro->tile(&t);
}

/* The output blocks of one group: at once when they read the same band. */
static void run_group(const job *j, const visit *v, size_t group)
{
    const size_t first = group * j->micro->tile_blocks;
    const size_t end = rn_min(first + j->micro->tile_blocks, j->out_blocks);
    if (rn_conv_band_start(j->desc, first) == rn_conv_band_start(j->desc, end - 1)) {
        run_tile(j, v, first, end - first);
        return;
    }
    for (size_t block = first; block < end; block++) run_tile(j, v, block, 1);
}

static void run_range(const job *j, rn_span tiles, rn_span groups, float *scratch)
{
    float *panels = scratch;
    uint32_t *offset = (uint32_t *)(void *)(scratch + j->range * j->panel);
    if (j->panel)
        for (size_t t = tiles.begin; t < tiles.end; t++)
            fill_panel(j, t, panels + (t - tiles.begin) * j->panel, offset);
    for (size_t c = groups.begin; c < groups.end; c += j->chunk)
        for (size_t t = tiles.begin; t < tiles.end; t++)
            for (size_t g = c; g < rn_min(c + j->chunk, groups.end); g++) {
                const visit v = {t, panels + (t - tiles.begin) * j->panel, tiles.end - 1 - t,
                                 g == c};
                run_group(j, &v, g);
            }
}

static void run_task(void *context, size_t task, size_t thread)
{
    const job *j = context;
    const rn_span tiles = rn_span_part(j->args->n * j->tiles, j->tile_parts, task / j->group_parts);
    const rn_span groups = rn_span_part(j->groups, j->group_parts, task % j->group_parts);
    float *scratch = j->args->scratch + thread * j->scratch;
    for (size_t t = tiles.begin; t < tiles.end; t += rn_min(j->range, tiles.end - t))
        run_range(j, (rn_span){t, t + rn_min(j->range, tiles.end - t)}, groups, scratch);
}

void rn_conv_direct(const rn_desc *desc, const rn_args *args, const rn_micro *micro)
{
    job j = plan_job(desc, micro);
    j.args = args;
    j.finish = rn_finish_of(&desc->epilogue);
    split_job(&j, args->n, rn_team_threads(args->team));
    rn_team_for(args->team, j.tile_parts * j.group_parts, run_task, &j);
}
