/* Functions of floats in plain C without branches: a loop over them becomes vectors of whatever
 * instruction set its file is compiled for. Their error is some units in the last place. */
#ifndef RN_KERNELS_FUNCTIONS_H
#define RN_KERNELS_FUNCTIONS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* NaN stays. */
static inline float rn_clamp(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}

/* log(1 + e^x), without an overflow */
static inline double rn_softplus(double x)
{
    return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

static inline uint32_t rn_bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float rn_float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* e^x for x from -87 to 88, which it is held to: 2^n e^r with a whole n and |r| <= ln(2) / 2, where
 * a polynomial serves. Adding 1.5 * 2^23 rounds to whole numbers and leaves n in the last bits. */
static inline float rn_fast_exp(float x)
{
    const float whole = 12582912.0F;
    const float in = rn_clamp(x, -87, 88);
    const float shifted = in * 1.44269504F + whole, n = shifted - whole;
    const float r = in - n * 0.693359375F - n * -2.12194440e-4F;
    float y = 1.9875691500e-4F;
    y = y * r + 1.3981999507e-3F;
    y = y * r + 8.3334519073e-3F;
    y = y * r + 4.1665795894e-2F;
    y = y * r + 1.6666665459e-1F;
    y = y * r + 5.0000001201e-1F;
    y = y * r * r + r + 1;
    return y * rn_float_of((rn_bits_of(shifted) - rn_bits_of(whole) + 127) << 23);
}

static inline float rn_fast_sigmoid(float x)
{
    return 1 / (1 + rn_fast_exp(-x));
}

/* Near 0 an odd polynomial, else by e^2x. */
static inline float rn_fast_tanh(float x)
{
    const float z = x * x;
    float y = -5.70498872745e-3F;
    y = y * z + 2.06390887954e-2F;
    y = y * z - 5.37397155531e-2F;
    y = y * z + 1.33314422036e-1F;
    y = y * z - 3.33332819422e-1F;
    const float near = y * z * x + x, far = 1 - 2 / (rn_fast_exp(2 * x) + 1);
    return fabsf(x) < 0.625F ? near : far;
}

/* x tanh(log(1 + e^x)) = x n / (n + 2) with n = e^x (e^x + 2) */
static inline float rn_fast_mish(float x)
{
    const float e = rn_fast_exp(rn_clamp(x, -87, 20)), n = e * (e + 2);
    return x > 20 ? x : x * (n / (n + 2));
}

/* A quotient of polynomials from -4 to 4, where it is as good as 1. */
static inline float rn_fast_erf(float x)
{
    const float in = rn_clamp(x, -4, 4), z = in * in;
    float above = -2.72614225801306e-10F, below = -1.45660718464996e-05F;
    above = above * z + 2.77068142495902e-08F;
    above = above * z - 2.10102402082508e-06F;
    above = above * z - 5.69250639462346e-05F;
    above = above * z - 7.34990630326855e-04F;
    above = above * z - 2.95459980854025e-03F;
    above = above * z - 1.60960333262415e-02F;
    below = below * z - 2.13374055278905e-04F;
    below = below * z - 1.68282697438203e-03F;
    below = below * z - 7.37332916720468e-03F;
    below = below * z - 1.42647390514189e-02F;
    return in * above / below;
}

#endif
