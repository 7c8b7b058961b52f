#include "golden/derive.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static uint64_t mix(uint64_t x) /* splitmix64's last step */
{
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

void derive_uniform(const char *name, size_t count, double low, double high, float *out)
{
    uint64_t seed = 0xCBF29CE484222325u; /* FNV-1a */
    for (const char *c = name; *c; c++) seed = (seed ^ (uint8_t)*c) * 0x100000001B3u;
    for (size_t i = 0; i < count; i++) {
        const uint64_t x = mix((i + 1) * 0x9E3779B97F4A7C15u + seed);
        out[i] = (float)(low + (high - low) * ((double)(x >> 11) * 0x1p-53));
    }
}

void derive_integers(const char *name, size_t count, int limit, float *out)
{
    derive_uniform(name, count, -limit, limit + 1, out);
    for (size_t i = 0; i < count; i++) out[i] = floorf(out[i]);
}

void derive_tensor(const char *name, const size_t *shape, size_t rank, double gain, float *out)
{
    const char *dot = strrchr(name, '.'), *leaf = dot ? dot + 1 : name;
    size_t count = 1, fan_in = 1;
    for (size_t i = 0; i < rank; i++) count *= shape[i];
    for (size_t i = 1; i < rank; i++) fan_in *= shape[i];
    double low = -0.2, high = 0.2;
    if (strcmp(leaf, "running_mean") == 0) {
        low = -0.3;
        high = 0.3;
    } else if (strcmp(leaf, "running_var") == 0) {
        low = 1;
        high = 3;
    } else if (rank > 1) {
        high = gain * sqrt(3.0 / (double)fan_in);
        low = -high;
    } else if (strcmp(leaf, "weight") == 0) {
        low = 0.3;
        high = 1;
    }
    derive_uniform(name, count, low, high, out);
}

void derive_images(size_t count, float *out)
{
    derive_uniform("input", count, -2, 2, out);
}
