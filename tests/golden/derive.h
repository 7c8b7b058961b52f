/* Numbers that are not stored but derived, from a tensor's name and an element's place: the same
 * ones, bit by bit, as tests/reference/derive.py makes for PyTorch. Any thread. */
#ifndef TESTS_GOLDEN_DERIVE_H
#define TESTS_GOLDEN_DERIVE_H

#include <stddef.h>

/* count numbers in [low, high) */
void derive_uniform(const char *name, size_t count, double low, double high, float *out);

/* count whole numbers from -limit to limit */
void derive_integers(const char *name, size_t count, int limit, float *out);

/* A tensor's numbers, in a range that its leaf ("weight", "running_var", ...) and rank say. */
void derive_tensor(const char *name, const size_t *shape, size_t rank, double gain, float *out);

/* count numbers of input images */
void derive_images(size_t count, float *out);

#endif
