/* Formulas of one number, shared by the C and the CUDA core. */
#ifndef VN_SCALAR_H
#define VN_SCALAR_H

#include <math.h>
#include <string.h>

#include "vn_build.h"

/* e^x to 2 ULP, 0 below -104, +inf above 88.8. Without a branch, so that a loop around it becomes vector code; the
 * same polynomial as vn_vexp. */
VN_HD static inline float
vn_expf(float x)
{
#ifdef __CUDACC__
    return expf(x);
#else
    float z = x < -104.0f ? -104.0f : x;
    z = z > 89.0f ? 89.0f : z;
    float n = (z * 1.44269504f + 12582912.0f) - 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    float r = z - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t k = (int32_t)n, half = k >> 1;
    int32_t bits0 = (half + 127) * (1 << 23), bits1 = (k - half + 127) * (1 << 23);
    float scale0, scale1;
    memcpy(&scale0, &bits0, sizeof scale0);
    memcpy(&scale1, &bits1, sizeof scale1);
    return p * scale0 * scale1;
#endif
}

/* log(1 + e^x) without overflow or a branch. log(1 + e) of e in [0, 1] is 2 atanh(w), w = e / (2 + e), to 2 ULP. */
VN_HD static inline float
vn_softplusf(float x)
{
    float e = vn_expf(-fabsf(x)), w = e / (2.0f + e), q = w * w, p = 1.0f / 15.0f;
    p = p * q + 1.0f / 13.0f;
    p = p * q + 1.0f / 11.0f;
    p = p * q + 1.0f / 9.0f;
    p = p * q + 1.0f / 7.0f;
    p = p * q + 1.0f / 5.0f;
    p = p * q + 1.0f / 3.0f;
    return (x > 0.0f ? x : 0.0f) + 2.0f * w * (p * q + 1.0f);
}

#endif
