/* Kernels over the NCHW16C layout: what an instruction set provides, and what is built on it.
 *
 * A driver (blocked/NAME.c, plain C) knows an operator: how it is cut into tasks and tiles, which
 * memory a tile reads, what stays in which cache. The work on a tile is done by micro-kernels,
 * which an instruction set provides as one rn_micro: x86/micro_avx512.c and its like define a
 * vector type and its operations and include blocked/micro.inc, where all micro-kernels are written
 * once over these operations. A new instruction set is one such file.
 *
 * Words: a block is 16 channels of one pixel, contiguous and 64-byte aligned; a plane is one block
 * of channels of one image, (h, w, 16); a tap is one position (kh, kw) of a convolution's window.
 * Threads: everything here is constant; drivers split work with rn_team_for(). */
#ifndef RN_KERNELS_BLOCKED_BLOCKED_H
#define RN_KERNELS_BLOCKED_BLOCKED_H

#include "base/size.h"
#include "kernels/blocked/winograd_points.h"
#include "kernels/kernels.h"

enum {
    RN_BLOCK = 16,
    RN_TILE_BLOCKS = 2,  /* blocks of output channels in a register tile, at most */
    RN_TILE_PIXELS = 16, /* pixels in a register tile, at most, over all instruction sets */
    RN_WINO_SIDE = 9,    /* points of an axis of the Winograd domain, at most */
    RN_WINO_U_SIDE = 6,  /* points with weights of their own */
    RN_STEM_TILES = 16,  /* Winograd tiles of a stem that lie side by side */
    RN_STEM_LINES = RN_STEM_SIDE * RN_STEM_SIDE, /* of 16 in its domain, per channel */
};

/* An epilogue as micro-kernels have it. The four classic lists are flags, done on registers; any
 * other is `rest`, done on what was stored. */
typedef struct {
    bool add_first, relu, add_last;
    const rn_epilogue *rest; /* NULL: none */
} rn_finish;

/* epilogue: must outlive the result. */
rn_finish rn_finish_of(const rn_epilogue *epilogue);

/* Whether the blocked kernels can carry the step's epilogue: the channels that fill up its last
 * block must stay zero. */
bool rn_finish_fits(const rn_desc *desc);

/* One register tile: for each of `pixels` pixels p and `blocks` output blocks o
 *   dst[o][p] = epilogue(start[o] + sum over k: src[k / 16][p][k % 16] * weights[o][k])
 * where start is the bias, or what dst holds already, or zero. */
typedef struct {
    const float *src;      /* (depth, src_stride: pixels, 16) */
    size_t src_stride;     /* floats from one block of input channels to the next */
    const float *weights;  /* per output block (depth, 16, 16): input channel, output channel */
    size_t weights_stride; /* floats between the weights of two output blocks */
    size_t depth;          /* blocks of input channels, taps included */
    float *dst;            /* per output block (pixels, 16) */
    size_t dst_stride;     /* floats between two output blocks, of dst and addend */
    const float *bias;     /* (blocks, 16), or NULL */
    const float *addend;   /* as dst; NULL when the epilogue adds nothing */
    bool accumulate;       /* start from dst; bias is NULL then */
    const float *ahead;    /* fetched meanwhile, 16 lines per block of depth; or NULL */
    size_t ahead_stride;   /* floats from the lines of one block of depth to those of the next */
    rn_finish finish;
    size_t pixels, blocks;
} rn_tile;

/* A tile of a convolution over few channels in NCHW, whose pixels lie side by side:
 *   dst[o][p] = epilogue(bias[o] + sum over k < depth: src[offset[k] + p] * weights[o][k])
 * with weights per output block (depth, 16). */
typedef struct {
    const float *src;
    const uint32_t *offset; /* (depth): floats */
    rn_tile out;            /* all but src and src_stride; depth counts single values */
} rn_stem_tile;

/* Winograd, 3x3: output tiles of `size` = 4 or 3 rows and columns, from stride * size + 3 - stride
 * input rows and columns. The points of the domain are those of winograd_points.h: V has `side` per
 * axis, the weights 6, M `sums`. */
typedef struct {
    const float *src; /* (taps: 9, 16, 16): of two blocks of channels */
    float *dst;       /* the 6 points (16, 16) of one row, dst_point floats apart */
    size_t dst_point, row;
} rn_wino_weights;

typedef struct {
    const float *src; /* first pixel of the input patch; patch rows are src_row floats apart */
    size_t src_row;
    float *dst; /* point (i, j) goes to dst + i * dst_row + j * dst_point, 16 floats */
    size_t dst_row, dst_point;
    size_t rows, columns; /* 4 or 3: size of the output tile */
} rn_wino_input;

/* M of one output block, for a group of tiles: weights are transformed and multiplied at once.
 * Tiles that the group lacks may be computed from whatever stands in their place. */
typedef struct {
    const float *src;     /* V: (side: rows of points, depth, side: points, fused_tiles, 16) */
    const float *weights; /* (depth, taps: 9, 16, 16) */
    size_t depth, chunk;  /* blocks of input channels: all, those added up before the next are */
    float *dst;           /* point (i, j) goes to dst + (sums * i + j) * dst_point */
    size_t dst_point;
    size_t tiles, tall;          /* at most fused_tiles; the first ones have 4 rows: as many */
    size_t wide_begin, wide_end; /* all that have 4 columns are among these */
    const float *ahead;          /* weights of another output block, fetched meanwhile */
} rn_wino_fused;

typedef struct {
    const float *src; /* M: point (i, j) at src + (sums * i + j) * src_point */
    size_t src_point;
    float *dst; /* first pixel of the output tile; rows are dst_row floats apart, of addend too */
    size_t dst_row;
    const float *bias;   /* (16) */
    const float *addend; /* or NULL */
    rn_finish finish;
    size_t rows, columns;           /* 4 or 3 */
    size_t keep_rows, keep_columns; /* what of the tile lies inside the map */
} rn_wino_output;

typedef struct {
    void (*weights)(const rn_wino_weights *job);
    void (*input)(const rn_wino_input *job);
    void (*output)(const rn_wino_output *job);
    void (*fused)(const rn_wino_fused *job); /* NULL where fused_tiles is 0 */
} rn_winograd;

/* Winograd, 7x7 of stride 2 over few channels: see winograd_stem.inc. The domain of RN_STEM_TILES
 * tiles is (7 points of columns, parities of columns: 2, channels, 13 points of rows, tiles), but
 * the last point of columns has one parity only; of the weights likewise, with 16 output channels
 * in the place of tiles. */
typedef struct {
    const float *src;          /* one channel: input row i, column 8 * tile + f is at */
    size_t src_row, src_phase; /* src[i * src_row + f * src_phase + tile], one tile more is there */
    float *dst;                /* what lies between the points of one channel is not touched */
    size_t channels;           /* of all */
} rn_stem_wino_input;

typedef struct {
    const float *src;     /* the domain of the tiles */
    const float *weights; /* that of one output block */
    float *scratch;       /* RN_STEM_TILES * RN_STEM_OUTPUTS * RN_STEM_EVEN * 16 floats */
    float *dst;           /* first output pixel; rows are dst_row floats apart, of addend too */
    size_t dst_row;
    const float *bias;   /* (16) */
    const float *addend; /* or NULL */
    rn_finish finish;
    size_t channels;
    size_t rows, columns; /* of outputs: at most RN_STEM_OUTPUTS, RN_STEM_OUTPUTS * RN_STEM_TILES */
} rn_stem_wino_tile;

/* Grouped convolution with 1, 2, 4 or 8 channels a group, a row of one output block:
 *   dst[p][l] = epilogue(bias[l] + sum over rows i, columns k and j < group:
 *                        src[i][k][p][(l / group) * group + j] * weights[i][k][j][l]) */
typedef struct {
    const float *src;                 /* of a plane with its padding */
    size_t rows, columns;             /* of the window */
    size_t row_stride, column_stride; /* floats between the inputs of two of its rows, columns */
    size_t pixel_stride;              /* between those of two neighbouring outputs */
    size_t group;
    const float *weights; /* (rows, columns, group, 16) */
    rn_tile out;          /* dst, bias, addend, finish, pixels */
} rn_group_tile;

/* One output pixel of a pool over one block: a clipped window. */
typedef struct {
    const float *src; /* first pixel of the window */
    size_t rows, columns;
    size_t row_stride, column_stride; /* floats */
    float scale;                      /* average: 1 / divisor */
    float *dst;
} rn_pool_window;

/* dst = epilogue(src * scale + shift) over a plane; scale and shift are (16), or NULL: 1 and 0. */
typedef struct {
    const float *src, *scale, *shift, *addend;
    float *dst;
    rn_finish finish;
    size_t pixels;
} rn_affine;

typedef struct {
    size_t tile_pixels, tile_blocks; /* the register tile's full size */
    void (*tile)(const rn_tile *tile);
    void (*stem_tile)(const rn_stem_tile *tile);
    void (*group_tile)(const rn_group_tile *tile);
    /* dst[i] = src + offset[i], 16 floats each, or zeros where offset[i] is RN_OUTSIDE. */
    void (*gather)(float *dst, const float *src, const uint32_t *offset, size_t count);
    rn_winograd winograd[2]; /* of stride 1 and 2 */
    size_t fused_tiles;      /* of their fused(), at most; 0: there is none */
    void (*stem_wino_input)(const rn_stem_wino_input *job);
    void (*stem_wino_tile)(const rn_stem_wino_tile *job);
    void (*pool_max)(const rn_pool_window *window);
    void (*pool_average)(const rn_pool_window *window);
    void (*affine)(const rn_affine *job);
    /* rn_unary() by the fast formulas of elementwise.def. */
    void (*unary)(rn_op op, const float parameter[RN_PARAMETERS], const float *src, float *dst,
                  size_t count);
    /* Nothing but multiply-adds, to learn the peak; sink: 16 floats, the first two below 1. */
    double (*multiply_add)(size_t rounds, float *sink);
} rn_micro;

#define RN_OUTSIDE UINT32_MAX

#endif
