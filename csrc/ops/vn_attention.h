/* What the dense, causal and pooled forms of attention share: scratch of the workers, and the softmax of a row. */
#ifndef VN_ATTENTION_H
#define VN_ATTENTION_H

#include <math.h>

#include "../core/vn_parallel.h"
#include "../core/vn_simd.h"
#include "../vn_backend.h"

/* *scratch: *room floats, at least floats, for each worker; worker w has those from w * *room on */
static inline vn_status
vn_attention_scratch(vn_ctx *ctx, float **scratch, int64_t *room, int64_t floats)
{
    size_t mark = ctx->scratch.used;
    *room = (floats + 15) / 16 * 16;
    *scratch = vn_arena_floats(&ctx->scratch, *room * VN_MAX_THREADS);
    ctx->scratch.used = mark;
    if (*scratch == NULL)
        return vn_fail(&ctx->error, VN_ENOMEM, "attention needs %lld floats a worker, more than were bound",
                       (long long)*room);
    return VN_OK;
}

/* s (n) = exp(scale s - lse); returns lse = log sum exp(scale s) */
static inline float
vn_softmax_forward(float *s, int64_t n, float scale)
{
    vn_vf top = vn_vset(-__builtin_inff()), total = {0};
    int64_t i = 0;
    for (; i + VN_LANES <= n; i += VN_LANES)
        top = vn_vmax(top, vn_vload(s + i));
    float m = vn_vtop(top);
    for (int64_t k = i; k < n; k++)
        m = s[k] > m ? s[k] : m;
    for (i = 0; i < n; i += VN_LANES) {
        int64_t rest = VN_MIN(n - i, VN_LANES);
        vn_vf x = rest == VN_LANES ? vn_vload(s + i) : vn_vload_part(s + i, rest, -__builtin_inff());
        x = vn_vexp((x - m) * scale);
        total += x;
        if (rest == VN_LANES)
            vn_vstore(s + i, x);
        else
            vn_vstore_part(s + i, x, rest);
    }
    float sum = vn_vsum(total), inverse = 1.0f / sum;
    for (i = 0; i < n; i++)
        s[i] *= inverse;
    return m * scale + logf(sum);
}

/* s (n) = exp(scale s - lse), from the saved lse */
static inline void
vn_softmax_again(float *s, int64_t n, float scale, float lse)
{
    for (int64_t i = 0; i < n; i += VN_LANES) {
        int64_t rest = VN_MIN(n - i, VN_LANES);
        if (rest == VN_LANES)
            vn_vstore(s + i, vn_vexp(vn_vload(s + i) * scale - lse));
        else
            vn_vstore_part(s + i, vn_vexp(vn_vload_part(s + i, rest, 0.0f) * scale - lse), rest);
    }
}

/* ds (n) = scale p (dp - delta), in place of dp */
static inline void
vn_softmax_backward(float *dp, const float *p, int64_t n, float scale, float delta)
{
    for (int64_t i = 0; i < n; i++)
        dp[i] = scale * p[i] * (dp[i] - delta);
}

#endif
