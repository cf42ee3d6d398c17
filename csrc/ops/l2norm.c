/* l2norm: out = x / max(|x|, 1e-12);  dx = (dout - out (out.dout)) / |x|, 0 where |x| < 1e-12.
 * x (N,E); saved norm (N). open_clip's rule. */
#include "../vn_backend.h"

#include <math.h>

#include "../core/vn_parallel.h"

typedef struct job {
    float *out, *norm;
    const float *x, *dout;
    int64_t E;
} job;

static void
forward(void *arg, int64_t n, int worker)
{
    const job *j = arg;
    const float *x = j->x + n * j->E;
    float norm = sqrtf(vn_vdot(x, x, j->E)), inverse = 1.0f / VN_MAX(norm, 1e-12f);
    (void)worker;
    for (int64_t e = 0; e < j->E; e++)
        j->out[n * j->E + e] = x[e] * inverse;
    j->norm[n] = norm;
}

vn_status
VN_FN(l2norm_forward)(vn_ctx *ctx, float *out, float *norm, const float *x, int64_t N, int64_t E)
{
    job j = {out, norm, x, NULL, E};
    (void)ctx;
    vn_parallel_for(N, forward, &j);
    return VN_OK;
}

static void
backward(void *arg, int64_t n, int worker)
{
    const job *j = arg;
    const float *out = j->x + n * j->E, *dout = j->dout + n * j->E;
    float norm = j->norm[n], inverse = norm < 1e-12f ? 0.0f : 1.0f / norm, dot = vn_vdot(out, dout, j->E);
    (void)worker;
    for (int64_t e = 0; e < j->E; e++)
        j->out[n * j->E + e] = (dout[e] - out[e] * dot) * inverse;
}

vn_status
VN_FN(l2norm_backward)(vn_ctx *ctx, float *dx, const float *norm, const float *out, const float *dout, int64_t N,
                       int64_t E)
{
    job j = {dx, (float *)norm, out, dout, E};
    (void)ctx;
    vn_parallel_for(N, backward, &j);
    return VN_OK;
}
