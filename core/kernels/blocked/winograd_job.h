/* One Winograd convolution as its files share it: what is decided beforehand (winograd_plan.c),
 * what is done to a block of tiles (winograd_steps.c), and the orders in which that goes over all
 * of them (conv_winograd.c, which also tells how the method works). Threads: tasks read a job; of
 * it they write but their own thread's `made` and scratch. */
#ifndef RN_KERNELS_BLOCKED_WINOGRAD_JOB_H
#define RN_KERNELS_BLOCKED_WINOGRAD_JOB_H

#include "kernels/blocked/blocked.h"
#include "kernels/blocked/span.h"

enum { CLASSES = 4, CLASS_4X3 = 0, CLASS_4X4, CLASS_3X4, CLASS_3X3 };

#define CHUNK       8 /* blocks of input channels whose U is in L2, input first */
#define OWN_THREADS 4 /* a team this small: see `own` of the job */
#define U_BLOCK     (RN_BLOCK * RN_BLOCK) /* floats of a point of U for two blocks of channels */
#define W_BLOCK     (9 * RN_BLOCK * RN_BLOCK) /* floats of the packed weights for them */
#define U_ROW       RN_WINO_U_SIDE            /* points in a row of U */
#define U_POINTS    (U_ROW * U_ROW)

/* One axis of the map: first `fours` tiles of 4, then tiles of 3. */
typedef struct {
    size_t size, fours, threes;
} rn_wino_axis;

typedef struct {
    const rn_desc *desc;
    const rn_args *args;
    rn_finish finish;
    const rn_micro *micro;
    const rn_winograd *transform;
    size_t stride, side, sums; /* points of an axis of V, of M */
    rn_wino_axis rows, columns;
    size_t in_blocks, out_blocks;
    size_t band;                 /* input blocks that an output block reads: all without groups */
    size_t group_blocks, groups; /* groups of output blocks that are multiplied at once */
    size_t class_end[CLASSES];   /* of all images' tiles in their order */
    size_t blocks;               /* of tiles, over all images */
    bool weights_first, fused, banded;
    bool own; /* each thread makes all of what tasks share, U or a round's V, for itself: that takes
               * less time than to fetch it from the cache of the core that made it */
    size_t made[OWN_THREADS];      /* by thread, which alone touches it: what it has made of it; 0:
                                    * nothing, else 1 + the first block of tiles whose V it is */
    size_t depth;                  /* blocks of input channels whose U is made at a time */
    size_t round;                  /* blocks of tiles whose V is in memory at a time */
    size_t block_parts;            /* tasks of a round: one per group and part of its blocks */
    size_t v_row, v_point;         /* floats between rows of points of V, between points */
    size_t m_point;                /* floats between points of M */
    size_t u_size, v_size, m_size; /* floats: U or a chunk of it, a block's V, a block's M */
    float *u, *v, *m;              /* scratch; one part per thread where that is needed */
    rn_span now;                   /* blocks of this round */
} rn_wino_job;

/* How many of n images go together in one job: those whose tiles of each class fill groups. */
size_t rn_wino_images(const rn_desc *desc, size_t n, const rn_micro *micro);

/* args, finish, u, v, m and now are left to the caller. */
rn_wino_job rn_wino_plan(const rn_desc *desc, size_t n, size_t threads, const rn_micro *micro);

/* Floats of all threads' U, of their V, and of the scratch that these and their M fill. */
size_t rn_wino_all_u(const rn_wino_job *j, size_t threads);
size_t rn_wino_all_v(const rn_wino_job *j, size_t threads);
size_t rn_wino_scratch(const rn_wino_job *j, size_t threads);

/* Blocks of tiles whose M a task keeps: all of its part, when U comes in chunks. */
size_t rn_wino_kept_blocks(const rn_wino_job *j);

/* Floats between two points of U, and between two input blocks in V of a block of tiles; where a
 * tile of the block is in V. */
size_t rn_wino_u_point(size_t depth);
size_t rn_wino_v_block(const rn_wino_job *j, size_t block);
size_t rn_wino_v_tile(const rn_wino_job *j, size_t tile);

/* The output blocks of a group. */
rn_span rn_wino_group(const rn_wino_job *j, size_t group);

/* ---- tiles: numbered over all images, by classes ---- */

typedef struct {
    size_t image, y, x; /* of the first output pixel */
    size_t rows, columns;
} rn_wino_tile_place;

rn_wino_tile_place rn_wino_place(const rn_wino_job *j, size_t tile);

/* The tiles of a block. */
rn_span rn_wino_tiles(const rn_wino_job *j, size_t block);

/* The tiles of 4 rows, and those of 4 columns. */
rn_span rn_wino_tall(const rn_wino_job *j);
rn_span rn_wino_wide(const rn_wino_job *j);

/* The tiles of `tiles` that have the point in this row and column. */
rn_span rn_wino_tiles_with(const rn_wino_job *j, rn_span tiles, size_t row, size_t column);

/* ---- steps ---- */

/* V of one block of tiles, from the first of `in_blocks` on: points x (input blocks, tiles, 16),
 * but where the job is fused as rn_wino_fused has it. */
void rn_wino_transform_input(const rn_wino_job *j, size_t block, rn_span in_blocks, float *v);

/* U of some output blocks and input blocks of their band:
 * (output blocks, points, input blocks, 16, 16). */
void rn_wino_transform_weights(const rn_wino_job *j, rn_span out, rn_span in, float *u);

/* The outputs of one block of tiles from its M. */
void rn_wino_transform_output(const rn_wino_job *j, size_t block, rn_span out_blocks,
                              const float *m);

/* What rn_wino_multiply() works on: some input blocks' part of the sums of one group of output
 * blocks. */
typedef struct {
    rn_span out, in;
    const float *u;
    rn_span next_out, next_in; /* whose weights are fetched meanwhile; empty: none */
} rn_wino_slice;

/* M of one block of tiles: points x (output blocks, tiles, 16). Sums over the slice's input blocks,
 * added to what M holds unless these are the first ones. */
void rn_wino_multiply(const rn_wino_job *j, size_t block, const rn_wino_slice *s, const float *v,
                      float *m);

#endif
