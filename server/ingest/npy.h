/* NumPy's .npy files, versions 1 to 3: `<f4`, `<f8` and `|u1`, in C order.
 *
 * Every number of the header is checked against the bytes that are there. No state: any thread. */
#ifndef SERVER_INGEST_NPY_H
#define SERVER_INGEST_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NPY_MAGIC    "\x93NUMPY"
#define NPY_MAX_RANK 8

enum npy_type { NPY_F4, NPY_F8, NPY_U1 };

struct npy {
    enum npy_type type;
    size_t rank;
    size_t shape[NPY_MAX_RANK];
    size_t count;        /* elements: the product of shape */
    const uint8_t *data; /* little-endian, of any alignment; points into the bytes that were read */
};

/* Whether the bytes begin like a .npy file. */
bool npy_probe(const void *bytes, size_t size);

/* Reads the header. NULL when all is well, else what is wrong with it: a constant. */
const char *npy_read(struct npy *npy, const void *bytes, size_t size);

/* The elements as float32, `count` of them. */
void npy_floats(const struct npy *npy, float *out);

#endif
