/* The two activations of CLIP and their slopes, a vector at a time.
 *   quick_gelu  x s(1.702 x)            s + 1.702 x s (1 - s)
 *   gelu        x Phi(x), by erf        Phi(x) + x phi(x) */
#ifndef VN_ACT_H
#define VN_ACT_H

#include "vn_simd.h"

typedef enum vn_act { VN_ACT_NONE, VN_ACT_QUICK_GELU, VN_ACT_GELU } vn_act;

static inline vn_vf
vn_vact(vn_vf x, vn_act act)
{
    switch (act) {
    case VN_ACT_QUICK_GELU: return x * vn_vsigmoid(1.702f * x);
    case VN_ACT_GELU: return x * (0.5f + 0.5f * vn_verf(x * 0.70710678f));
    case VN_ACT_NONE: break;
    }
    return x;
}

static inline vn_vf
vn_vact_slope(vn_vf x, vn_act act)
{
    vn_vf s;
    switch (act) {
    case VN_ACT_QUICK_GELU: s = vn_vsigmoid(1.702f * x); return s + 1.702f * x * s * (1.0f - s);
    case VN_ACT_GELU:
        return 0.5f + 0.5f * vn_verf(x * 0.70710678f) + x * 0.39894228f * vn_vexp(-0.5f * x * x);
    case VN_ACT_NONE: break;
    }
    return vn_vset(1.0f);
}

#endif
