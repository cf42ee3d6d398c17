/* Formulas of one number, shared by the C and the CUDA core. */
#ifndef VN_SCALAR_H
#define VN_SCALAR_H

#include <math.h>

#include "vn_build.h"

VN_HD static inline float
vn_expf(float x)
{
    return expf(x);
}

/* log(1 + e^x) without overflow */
VN_HD static inline float
vn_softplusf(float x)
{
    return (x > 0.0f ? x : 0.0f) + log1pf(expf(-fabsf(x)));
}

#endif
