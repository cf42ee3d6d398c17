/* pool: attention of one query a run, for the last block, which only needs the pooled token.
 *   p = softmax(q k^T / sqrt(D));  o = p v;  backward as in attention.c with one row of scores
 * q (R,C), kv (N,2C) with k and v side by side; out (R,C); saved lse (R,H). The pooled token of a causal caption is
 * its last, which sees all: no mask is left. */
#include "../vn_backend.h"

#include "vn_attention.h"

typedef struct job {
    float *out, *lse, *dq, *dkv, *scratch;
    const float *q, *kv, *dout, *o;
    const vn_runs *runs;
    int64_t C, H, D, room;
} job;

static void
forward(void *arg, int64_t item, int worker)
{
    const job *j = arg;
    int64_t r = item / j->H, h = item % j->H, C = j->C, D = j->D;
    int64_t begin = j->runs->begin[r], T = j->runs->begin[r + 1] - begin;
    const float *q = j->q + r * C + h * D, *k = j->kv + begin * 2 * C + h * D, *v = k + C;
    float *p = j->scratch + worker * j->room, *out = j->out + r * C + h * D;
    for (int64_t i = 0; i < T; i++)
        p[i] = vn_vdot(q, k + i * 2 * C, D);
    j->lse[item] = vn_softmax_forward(p, T, 1.0f / sqrtf((float)D));
    memset(out, 0, (size_t)D * sizeof(float));
    for (int64_t i = 0; i < T; i++)
        for (int64_t d = 0; d < D; d++)
            out[d] += p[i] * v[i * 2 * C + d];
}

vn_status
VN_FN(pool_forward)(vn_ctx *ctx, float *out, float *lse, const float *q, const float *kv, const vn_runs *runs,
                    int64_t C, int64_t H)
{
    job j = {out, lse, NULL, NULL, NULL, q, kv, NULL, NULL, runs, C, H, C / H, 0};
    VN_TRY(vn_attention_scratch(ctx, &j.scratch, &j.room, 2 * runs->longest));
    vn_parallel_for(runs->R * H, forward, &j);
    return VN_OK;
}

static void
backward(void *arg, int64_t item, int worker)
{
    const job *j = arg;
    int64_t r = item / j->H, h = item % j->H, C = j->C, D = j->D;
    int64_t begin = j->runs->begin[r], T = j->runs->begin[r + 1] - begin;
    const float *q = j->q + r * C + h * D, *k = j->kv + begin * 2 * C + h * D, *v = k + C;
    const float *dout = j->dout + r * C + h * D, *o = j->o + r * C + h * D;
    float *dq = j->dq + r * C + h * D, *dk = j->dkv + begin * 2 * C + h * D, *dv = dk + C;
    float *p = j->scratch + worker * j->room, *ds = p + T, scale = 1.0f / sqrtf((float)D);
    for (int64_t i = 0; i < T; i++) {
        p[i] = vn_vdot(q, k + i * 2 * C, D);
        ds[i] = vn_vdot(dout, v + i * 2 * C, D);
    }
    vn_softmax_again(p, T, scale, j->lse[item]);
    vn_softmax_backward(ds, p, T, scale, vn_vdot(dout, o, D));
    memset(dq, 0, (size_t)D * sizeof(float));
    for (int64_t i = 0; i < T; i++)
        for (int64_t d = 0; d < D; d++) {
            dq[d] += ds[i] * k[i * 2 * C + d];
            dk[i * 2 * C + d] = ds[i] * q[d];
            dv[i * 2 * C + d] = p[i] * dout[d];
        }
}

vn_status
VN_FN(pool_backward)(vn_ctx *ctx, float *dq, float *dkv, const float *lse, const float *out, const float *dout,
                     const float *q, const float *kv, const vn_runs *runs, int64_t C, int64_t H)
{
    job j = {NULL, (float *)lse, dq, dkv, NULL, q, kv, dout, out, runs, C, H, C / H, 0};
    VN_TRY(vn_attention_scratch(ctx, &j.scratch, &j.room, 2 * runs->longest));
    vn_parallel_for(runs->R * H, backward, &j);
    return VN_OK;
}
