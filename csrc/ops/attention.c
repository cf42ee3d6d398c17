/* attention: per run and head, o = softmax(q k^T / sqrt(D)) v; causal: a row sees those before it and itself.
 *   P = exp(S - lse);  dv = P^T do;  dP = do v^T;  dS = P o (dP - do.o) / sqrt(D);  dq = dS k;  dk = dS^T q
 * qkv (N,3C) with q, k, v side by side, head h in columns h D .. h D + D - 1; out (N,C); saved lse (N,H).
 * A (run, head) is one job with two T x T pieces of scratch: at T <= 257 they stay in the second cache.
 * arXiv:1706.03762. */
#include "../gemm/vn_gemm.h"

#include "vn_attention.h"

typedef struct job {
    float *out, *lse, *dqkv, *scratch;
    const float *qkv, *dout, *o;
    const vn_runs *runs;
    int64_t C, H, D, room; /* room: floats of scratch a worker has */
} job;

static void
forward(void *arg, int64_t item, int worker)
{
    const job *j = arg;
    int64_t r = item / j->H, h = item % j->H, C = j->C, D = j->D;
    int64_t begin = j->runs->begin[r], T = j->runs->begin[r + 1] - begin;
    const float *q = j->qkv + begin * 3 * C + h * D, *k = q + C, *v = q + 2 * C;
    float *s = j->scratch + worker * j->room, scale = 1.0f / sqrtf((float)D);
    VN_FN(gemm_tile)(s, T, q, 3 * C, 0, k, 3 * C, 1, T, T, D, 0);
    for (int64_t i = 0; i < T; i++) {
        int64_t seen = j->runs->causal ? i + 1 : T;
        j->lse[(begin + i) * j->H + h] = vn_softmax_forward(s + i * T, seen, scale);
        memset(s + i * T + seen, 0, (size_t)(T - seen) * sizeof(float));
    }
    VN_FN(gemm_tile)(j->out + begin * C + h * D, C, s, T, 0, v, 3 * C, 0, T, D, T, 0);
}

vn_status
VN_FN(attention_forward)(vn_ctx *ctx, float *out, float *lse, const float *qkv, const vn_runs *runs, int64_t C,
                         int64_t H)
{
    job j = {out, lse, NULL, NULL, qkv, NULL, NULL, runs, C, H, C / H, 0};
    VN_TRY(vn_attention_scratch(ctx, &j.scratch, &j.room, runs->longest * runs->longest));
    vn_parallel_for(runs->R * H, forward, &j);
    return VN_OK;
}

static void
backward(void *arg, int64_t item, int worker)
{
    const job *j = arg;
    int64_t r = item / j->H, h = item % j->H, C = j->C, D = j->D;
    int64_t begin = j->runs->begin[r], T = j->runs->begin[r + 1] - begin;
    const float *q = j->qkv + begin * 3 * C + h * D, *k = q + C, *v = q + 2 * C;
    float *dq = j->dqkv + begin * 3 * C + h * D, *dk = dq + C, *dv = dq + 2 * C;
    const float *dout = j->dout + begin * C + h * D, *o = j->o + begin * C + h * D;
    float *p = j->scratch + worker * j->room, *dp = p + T * T, scale = 1.0f / sqrtf((float)D);
    VN_FN(gemm_tile)(p, T, q, 3 * C, 0, k, 3 * C, 1, T, T, D, 0);
    VN_FN(gemm_tile)(dp, T, dout, C, 0, v, 3 * C, 1, T, T, D, 0);
    for (int64_t i = 0; i < T; i++) {
        int64_t seen = j->runs->causal ? i + 1 : T;
        vn_softmax_again(p + i * T, seen, scale, j->lse[(begin + i) * j->H + h]);
        vn_softmax_backward(dp + i * T, p + i * T, seen, scale, vn_vdot(dout + i * C, o + i * C, D));
        memset(p + i * T + seen, 0, (size_t)(T - seen) * sizeof(float));
        memset(dp + i * T + seen, 0, (size_t)(T - seen) * sizeof(float));
    }
    VN_FN(gemm_tile)(dv, 3 * C, p, T, 1, dout, C, 0, T, D, T, 0);
    VN_FN(gemm_tile)(dq, 3 * C, dp, T, 0, k, 3 * C, 0, T, D, T, 0);
    VN_FN(gemm_tile)(dk, 3 * C, dp, T, 1, q, 3 * C, 0, T, D, T, 0);
}

vn_status
VN_FN(attention_backward)(vn_ctx *ctx, float *dqkv, const float *lse, const float *out, const float *dout,
                          const float *qkv, const vn_runs *runs, int64_t C, int64_t H)
{
    job j = {NULL, (float *)lse, dqkv, NULL, qkv, dout, out, runs, C, H, C / H, 0};
    VN_TRY(vn_attention_scratch(ctx, &j.scratch, &j.room, 2 * runs->longest * runs->longest));
    vn_parallel_for(runs->R * H, backward, &j);
    return VN_OK;
}
