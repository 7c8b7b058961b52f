/* The 10,000 test images of Fashion-MNIST (Debian's dataset-fashion-mnist), normalised as the
 * built-in models expect them. $FASHION_MNIST may name another folder. */
#ifndef TESTS_HTTP_FASHION_H
#define TESTS_HTTP_FASHION_H

#include <stdbool.h>
#include <stddef.h>

enum { FASHION_IMAGES = 10000, FASHION_PIXELS = 784, FASHION_CLASSES = 10 };

struct fashion {
    float *image; /* FASHION_IMAGES x 1 x 28 x 28 */
    unsigned char label[FASHION_IMAGES];
};

bool fashion_load(struct fashion *fashion);
void fashion_free(struct fashion *fashion);

#endif
