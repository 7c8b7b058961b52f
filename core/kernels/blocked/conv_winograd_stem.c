/* The stem by Winograd's method; what its domain is, winograd_stem.inc says. A task is a band of
 * rows of tiles: it copies their input rows with the padding, split into 8 phases, so that the
 * inputs that neighbouring tiles have at the same place lie side by side. Then up to 16 tiles at a
 * time are transformed, multiplied and transformed back, one block of output channels after the
 * other: the products of one column of points are the most that is not in registers. */
#include "kernels/blocked/conv_winograd_stem.h"

#include <string.h>

#include "kernels/blocked/span.h"
#include "kernels/blocked/stem_rows.h"

enum {
    MAX_CHANNELS = 8,
    MIN_TILES = 4, /* in a row: that many are computed always, nearly */
    BAND = 2,      /* rows of tiles */
    PARITIES = 2,
    TILE_SCRATCH = RN_STEM_TILES * RN_STEM_OUTPUTS * RN_STEM_EVEN * RN_BLOCK, /* floats */
};

typedef struct {
    const rn_desc *desc;
    const rn_args *args;
    rn_finish finish;
    const rn_micro *micro;
    size_t channels, out_blocks;
    size_t tile_rows, tile_columns;
    size_t bands; /* of one image */
    rn_stem_rows rows;
    size_t copy, domain, scratch; /* floats: of a band's rows, of 16 tiles' points, of a thread */
} job;

bool rn_conv_winograd_stem_supports(const rn_desc *d)
{
    const rn_window *w = &d->window;
    return d->groups == 1 && d->in[0].c <= MAX_CHANNELS && w->kh == RN_STEM_TAPS &&
           w->kw == RN_STEM_TAPS && w->stride_h == RN_STEM_STRIDE &&
           w->stride_w == RN_STEM_STRIDE && w->dilation_h == 1 && w->dilation_w == 1 &&
           d->out.h >= RN_STEM_OUTPUTS && d->out.w >= MIN_TILES * RN_STEM_OUTPUTS &&
           rn_finish_fits(d);
}

/* ---- weights -------------------------------------------------------------------------------- */

static size_t block_size(const rn_desc *desc)
{
    return desc->in[0].c * RN_STEM_LINES * RN_BLOCK;
}

size_t rn_conv_winograd_stem_packed_size(const rn_desc *desc)
{
    return rn_ceil_div(desc->out.c, RN_BLOCK) * block_size(desc);
}

/* Factors of the taps at each point, in the order 0 1 -1 2 -2 infinity 1/2: a point's value, over
 * what the transform of the input has left out there. */
static void transform_axis(const double tap[RN_STEM_TAPS], double u[RN_STEM_SIDE])
{
    static const double point[] = {0, 1, -1, 2, -2}, left_out[] = {4, -6, -6, 24, 24};
    for (size_t i = 0; i < 5; i++) {
        const double x = point[i];
        u[i] = (tap[0] + x * (tap[2] + x * (tap[4] + x * tap[6]))) / left_out[i] / (1 - 2 * x);
        u[RN_STEM_EVEN + i] = (tap[1] + x * (tap[3] + x * tap[5])) / left_out[i];
    }
    u[5] = tap[6] / -2;
    u[6] = 32.0 / 45 * (tap[0] + tap[2] / 2 + tap[4] / 4 + tap[6] / 8);
    u[RN_STEM_EVEN + 5] = tap[5];
}

/* The taps of one pair of channels to (rows, columns) of points, both parities of each. */
static void transform_taps(const float taps[RN_STEM_TAPS * RN_STEM_TAPS], double factor,
                           double u[RN_STEM_SIDE][RN_STEM_SIDE])
{
    double rows[RN_STEM_SIDE][RN_STEM_TAPS];
    for (size_t x = 0; x < RN_STEM_TAPS; x++) {
        double tap[RN_STEM_TAPS], points[RN_STEM_SIDE];
        for (size_t y = 0; y < RN_STEM_TAPS; y++)
            tap[y] = factor * (double)taps[y * RN_STEM_TAPS + x];
        transform_axis(tap, points);
        for (size_t p = 0; p < RN_STEM_SIDE; p++) rows[p][x] = points[p];
    }
    for (size_t p = 0; p < RN_STEM_SIDE; p++) transform_axis(rows[p], u[p]);
}

void rn_conv_winograd_stem_pack(const rn_desc *desc, const float *weights, const float *scale,
                                float *packed)
{
    const size_t channels = desc->in[0].c;
    memset(packed, 0, rn_conv_winograd_stem_packed_size(desc) * sizeof *packed);
    for (size_t oc = 0; oc < desc->out.c; oc++)
        for (size_t c = 0; c < channels; c++) {
            float *block = packed + oc / RN_BLOCK * block_size(desc) + oc % RN_BLOCK;
            double u[RN_STEM_SIDE][RN_STEM_SIDE];
            transform_taps(weights + (oc * channels + c) * RN_STEM_TAPS * RN_STEM_TAPS,
                           scale ? (double)scale[oc] : 1, u);
            for (size_t q = 0; q < RN_STEM_SIDE; q++) {
                const size_t column = q % RN_STEM_EVEN, parity = q / RN_STEM_EVEN;
                const size_t k = (column * PARITIES + parity) * channels + c;
                for (size_t p = 0; p < RN_STEM_SIDE; p++)
                    block[(k * RN_STEM_SIDE + p) * RN_BLOCK] = (float)u[p][q];
            }
        }
}

/* ---- run ------------------------------------------------------------------------------------ */

static size_t rows_for(size_t tile_rows)
{
    return tile_rows * RN_STEM_PHASES + RN_STEM_TAPS - RN_STEM_STRIDE;
}

static job plan_job(const rn_desc *d)
{
    job j = {.desc = d, .channels = d->in[0].c, .out_blocks = rn_ceil_div(d->out.c, RN_BLOCK)};
    j.tile_rows = rn_ceil_div(d->out.h, RN_STEM_OUTPUTS);
    j.tile_columns = rn_ceil_div(d->out.w, RN_STEM_OUTPUTS);
    j.bands = rn_ceil_div(j.tile_rows, BAND);
    /* Tiles reach one column of the next tile's phases. */
    j.rows = (rn_stem_rows){.rows = rows_for(BAND),
                            .phases = RN_STEM_PHASES,
                            .columns = rn_round_up(j.tile_columns, RN_STEM_TILES) + 1};
    j.copy = rn_round_up(j.channels * j.rows.rows * rn_stem_row_size(&j.rows), RN_BLOCK);
    j.domain = block_size(d);
    j.scratch = j.copy + j.domain + TILE_SCRATCH;
    return j;
}

size_t rn_conv_winograd_stem_scratch(const rn_desc *desc, size_t threads)
{
    return plan_job(desc).scratch * threads;
}

/* The domain of up to 16 tiles, from the first one on. */
static void transform_input(const job *j, const float *rows, size_t first, float *domain)
{
    const size_t row = rn_stem_row_size(&j->rows);
    for (size_t c = 0; c < j->channels; c++) {
        const rn_stem_wino_input input = {
            .src = rows + c * j->rows.rows * row + first,
            .src_row = row,
            .src_phase = j->rows.columns,
            .dst = domain + c * RN_STEM_SIDE * RN_STEM_TILES,
            .channels = j->channels,
        };
        j->micro->stem_wino_input(&input);
    }
}

/* All output channels of up to 16 tiles of one row; `dst` is the place of its first pixel in a
 * plane of the image. */
static void multiply(const job *j, size_t image, size_t dst, rn_stem_wino_tile *tile)
{
    const rn_shape out = j->desc->out;
    const rn_args *a = j->args;
    for (size_t o = 0; o < j->out_blocks; o++) {
        const size_t place = (image * j->out_blocks + o) * out.h * out.w * RN_BLOCK + dst;
        tile->weights = a->weights + o * j->domain;
        tile->dst = a->dst + place;
        tile->bias = a->bias + o * RN_BLOCK;
        tile->addend = a->addend ? a->addend + place : NULL;
        j->micro->stem_wino_tile(tile);
    }
}

static void run_tile_row(const job *j, size_t image, size_t tile_row, const float *rows,
                         float *domain)
{
    const rn_shape out = j->desc->out;
    const size_t y = tile_row * RN_STEM_OUTPUTS;
    for (size_t t = 0; t < j->tile_columns; t += RN_STEM_TILES) {
        rn_stem_wino_tile tile = {
            .src = domain,
            .scratch = domain + j->domain,
            .dst_row = out.w * RN_BLOCK,
            .finish = j->finish,
            .channels = j->channels,
            .rows = rn_min(RN_STEM_OUTPUTS, out.h - y),
            .columns = rn_min(RN_STEM_OUTPUTS * RN_STEM_TILES, out.w - t * RN_STEM_OUTPUTS),
        };
        transform_input(j, rows, t, domain);
        multiply(j, image, (y * out.w + t * RN_STEM_OUTPUTS) * RN_BLOCK, &tile);
    }
}

static void run_band(void *context, size_t task, size_t thread)
{
    const job *j = context;
    const size_t image = task / j->bands;
    const rn_span band = rn_span_part(j->tile_rows, j->bands, task % j->bands);
    float *rows = j->args->scratch + thread * j->scratch;
    rn_stem_rows_copy(&j->rows, j->desc, j->args->src + image * rn_shape_size(j->desc->in[0]),
                      band.begin * RN_STEM_PHASES - j->desc->window.pad_top,
                      rows_for(rn_span_size(band)), rows);
    for (size_t r = band.begin; r < band.end; r++) {
        const size_t first = (r - band.begin) * RN_STEM_PHASES * rn_stem_row_size(&j->rows);
        run_tile_row(j, image, r, rows + first, rows + j->copy);
    }
}

void rn_conv_winograd_stem(const rn_desc *desc, const rn_args *args, const rn_micro *micro)
{
    job j = plan_job(desc);
    j.args = args;
    j.finish = rn_finish_of(&desc->epilogue);
    j.micro = micro;
    rn_team_for(args->team, args->n * j.bands, run_band, &j);
}
