/* Requests that a daemon is not done with before a test is, whatever the machine: a batch of many
 * samples of a deep network, and a picture of a billion pixels. What a test has to see meanwhile it
 * sees; then it hangs up, and the worker or decoder is free. Nothing has to be slow or quick for
 * it.
 *
 * Made in a process before it forks its tests; each fails the test where it is not so. */
#ifndef TESTS_HTTP_ENDLESS_H
#define TESTS_HTTP_ENDLESS_H

#include <stddef.h>
#include <stdint.h>

/* SAMPLES: as many as one batch may have, MANY: split over batches. */
enum { ENDLESS_SAMPLES = 4096, ENDLESS_MANY = 16384, ENDLESS_PIXELS = 8 * 8 };

/* A folder with a network of 1x8x8 inputs and hundreds of layers, for --model. */
void endless_model_make(void);
const char *endless_model(void);
void endless_model_drop(void);

struct endless_picture {
    uint8_t *bytes;
    size_t size;
};

/* A PNG of zeros, side x side pixels of 8 bytes; to be freed by free(). A row is as quick as the
 * other: what the whole takes is side * side times what a pixel takes. */
enum { ENDLESS_SIDE = 31000 };
struct endless_picture endless_picture_make(size_t side);

#endif
