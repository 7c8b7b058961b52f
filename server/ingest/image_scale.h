/* Scaling a picture while its rows arrive, as PIL does it.
 *
 * The picture lies in the file as its orientation says (1 to 8, as EXIF numbers them); parts and
 * results are upright. A scaler belongs to one thread. */
#ifndef SERVER_INGEST_IMAGE_SCALE_H
#define SERVER_INGEST_IMAGE_SCALE_H

#include "ingest/image_resize.h"
#include "resnet.h"

/* height rows of width pixels of three bytes: R, G, B */
struct image {
    size_t width, height;
    uint8_t *rgb;
};

/* A part of a picture in another size. */
struct image_part {
    size_t full_width, full_height;  /* that the whole picture is scaled to */
    size_t left, top, width, height; /* of the part within */
};

/* Rows and columns of a file. */
struct image_area {
    size_t left, top, width, height;
};

struct image_scaler {
    struct image_area area; /* all that is read of the file's pixels; set by image_scaler_init() */
    struct image out;       /* the part */

    /* Inside image_scale.c only. */
    const struct image_resize_impl *impl;
    unsigned orientation;
    struct image_taps across, down; /* along the file's rows and columns, counted from the area's */
    uint8_t *ring;                  /* the last rows, as many as a column's sum has */
    const uint8_t **window;         /* those of one sum */
    uint8_t *line;                  /* of a picture on its side: one sum of its rows */
    size_t ring_rows, row_size;
    size_t taken, made; /* rows of the area and of `out` */
};

/* What becomes of a picture. */
struct image_scaling {
    size_t width, height; /* in the file */
    unsigned orientation;
    struct image_part part;
    rn_filter filter;
    const struct image_resize_impl *impl; /* NULL: the best that this CPU has */
};

/* Computes weights and area, which take little memory. False: no memory; image_scaler_free() is due
 * in any case. */
bool image_scaler_init(struct image_scaler *scaler, const struct image_scaling *how);

/* What image_scaler_start() and image_scaler_finish() allocate. */
size_t image_scaler_bytes(const struct image_scaler *scaler);

/* Before the first row. False: no memory. */
bool image_scaler_start(struct image_scaler *scaler);

/* The next row of the area, from its left edge on. */
void image_scaler_row(struct image_scaler *scaler, const uint8_t *rgb);

/* After all rows: turns `out` upright. False: no memory. */
bool image_scaler_finish(struct image_scaler *scaler);
void image_scaler_free(struct image_scaler *scaler);

#endif
