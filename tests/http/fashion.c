/* Fashion-MNIST's test images; see fashion.h. The arithmetic is that of tests/reference/fashion.py,
 * in float32 and in the same order, so that the images are the same to the last bit. */
#include "fashion.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

/* Skips `header` bytes of an idx file and reads exactly `size` bytes behind them. */
static bool read_file(const char *name, unsigned header, void *bytes, unsigned size)
{
    const char *folder = getenv("FASHION_MNIST");
    char path[512];
    snprintf(path, sizeof path, "%s/%s",
             folder && *folder ? folder : "/usr/share/datasets/fashion-mnist", name);
    gzFile file = gzopen(path, "rb");
    if (!file) return false;
    const bool good = gzread(file, bytes, header) == (int)header &&
                      gzread(file, bytes, size) == (int)size && gzgetc(file) == -1;
    gzclose(file);
    return good;
}

bool fashion_load(struct fashion *fashion)
{
    enum { COUNT = FASHION_IMAGES * FASHION_PIXELS };
    const float mean = 0.286f, std = 0.353f;
    unsigned char *pixel = malloc(COUNT);
    fashion->image = malloc(COUNT * sizeof *fashion->image);
    const bool good = pixel && fashion->image &&
                      read_file("t10k-images-idx3-ubyte.gz", 16, pixel, COUNT) &&
                      read_file("t10k-labels-idx1-ubyte.gz", 8, fashion->label, FASHION_IMAGES);
    for (size_t i = 0; good && i < COUNT; i++)
        fashion->image[i] = ((float)pixel[i] / 255.f - mean) / std;
    free(pixel);
    if (!good) fashion_free(fashion);
    return good;
}

void fashion_free(struct fashion *fashion)
{
    free(fashion->image);
    fashion->image = NULL;
}
