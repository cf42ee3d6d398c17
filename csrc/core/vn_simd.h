/* One vector type as wide as the instruction level allows, by the compilers' vector extension.
 *
 * Sums over lanes go through vn_vsum in one fixed order, so a result depends on the level alone. */
#ifndef VN_SIMD_H
#define VN_SIMD_H

#include <string.h>

#include "vn_build.h"

#if defined(__AVX512F__)
enum { VN_LANES = 16 };
#elif defined(__AVX__)
enum { VN_LANES = 8 };
#else
enum { VN_LANES = 4 };
#endif

typedef float vn_vf __attribute__((vector_size(VN_LANES * 4)));
typedef int32_t vn_vi __attribute__((vector_size(VN_LANES * 4)));

static inline vn_vf
vn_vload(const float *p)
{
    vn_vf v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void
vn_vstore(float *p, vn_vf v)
{
    memcpy(p, &v, sizeof v);
}

/* the first n lanes of p, n < VN_LANES; the rest is fill */
static inline vn_vf
vn_vload_part(const float *p, int64_t n, float fill)
{
    float t[VN_LANES];
    for (int i = 0; i < VN_LANES; i++)
        t[i] = i < n ? p[i] : fill;
    return vn_vload(t);
}

static inline void
vn_vstore_part(float *p, vn_vf v, int64_t n)
{
    float t[VN_LANES];
    vn_vstore(t, v);
    for (int i = 0; i < VN_LANES && i < n; i++)
        p[i] = t[i];
}

static inline vn_vf
vn_vset(float x)
{
    return x - (vn_vf){0}; /* not +: -0 + 0 is 0, so that an addition would stay */
}

/* a where the mask is set, b elsewhere; the mask comes from a comparison */
static inline vn_vf
vn_vpick(vn_vi mask, vn_vf a, vn_vf b)
{
    vn_vi x = (((vn_vi)a) & mask) | (((vn_vi)b) & ~mask);
    return (vn_vf)x;
}

static inline vn_vf
vn_vmax(vn_vf a, vn_vf b)
{
    return vn_vpick(a > b, a, b);
}

static inline vn_vf
vn_vmin(vn_vf a, vn_vf b)
{
    return vn_vpick(a < b, a, b);
}

static inline float
vn_vsum(vn_vf v)
{
    float t[VN_LANES];
    vn_vstore(t, v);
    for (int n = VN_LANES / 2; n > 0; n /= 2)
        for (int i = 0; i < n; i++)
            t[i] += t[i + n];
    return t[0];
}

static inline float
vn_vtop(vn_vf v)
{
    float t[VN_LANES];
    vn_vstore(t, v);
    for (int n = VN_LANES / 2; n > 0; n /= 2)
        for (int i = 0; i < n; i++)
            t[i] = t[i] > t[i + n] ? t[i] : t[i + n];
    return t[0];
}

/* a.b over n, lanes first, then the rest in order */
static inline float
vn_vdot(const float *a, const float *b, int64_t n)
{
    vn_vf s = {0};
    int64_t i = 0;
    for (; i + VN_LANES <= n; i += VN_LANES)
        s += vn_vload(a + i) * vn_vload(b + i);
    float total = vn_vsum(s);
    for (; i < n; i++)
        total += a[i] * b[i];
    return total;
}

/* e^x to 2 ULP for x in [-87.3, 88.7]; 0 below, +inf above, NaN for NaN.
 * x = n ln2 + r, |r| <= ln2/2; a polynomial of degree 6 for e^r; n goes into the exponent in two steps. */
static inline vn_vf
vn_vexp(vn_vf x)
{
    vn_vf z = vn_vmin(vn_vmax(x, vn_vset(-104.0f)), vn_vset(89.0f));
    vn_vf shift = vn_vset(12582912.0f); /* 1.5 * 2^23: adding it rounds to an integer */
    vn_vf n = (z * 1.44269504f + shift) - shift;
    vn_vf r = z - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    vn_vf p = vn_vset(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    vn_vi k = __builtin_convertvector(n, vn_vi), half = k >> 1;
    vn_vi bits0 = (half + 127) << 23, bits1 = (k - half + 127) << 23;
    p = p * (vn_vf)bits0 * (vn_vf)bits1;
    p = vn_vpick(x > 88.72284f, vn_vset(__builtin_inff()), p);
    p = vn_vpick(x < -103.97f, vn_vset(0.0f), p);
    return vn_vpick(x == x, p, x);
}

static inline vn_vf
vn_vsigmoid(vn_vf x)
{
    return 1.0f / (1.0f + vn_vexp(-x));
}

/* erf(x) to 4e-7 absolute: odd over even polynomial on |x| <= 4, beyond which float32 erf is 1. */
static inline vn_vf
vn_verf(vn_vf x)
{
    vn_vf z = vn_vmin(vn_vmax(x, vn_vset(-4.0f)), vn_vset(4.0f)), y = z * z;
    vn_vf a = vn_vset(-2.72614225801306e-10f);
    a = a * y + 2.77068142495902e-08f;
    a = a * y + -2.10102402082508e-06f;
    a = a * y + -5.69250639462346e-05f;
    a = a * y + -7.34990630326855e-04f;
    a = a * y + -2.95459980854025e-03f;
    a = a * y + -1.60960333262415e-02f;
    vn_vf b = vn_vset(-1.45660718464996e-05f);
    b = b * y + -2.13374055278905e-04f;
    b = b * y + -1.68282697438203e-03f;
    b = b * y + -7.37332916720468e-03f;
    b = b * y + -1.42647390514189e-02f;
    return vn_vpick(x == x, z * a / b, x);
}

#endif
