/* linear: out = act(x W^T + b) + residual; project: out = x W.
 *   dx = (dout W) o act'(pre of x);  dW += dout^T x;  db += column sums of dout
 * x (N,I), W (O,I), b (O), out (N,O). The activation is an epilogue on the tile just written; going backward, the
 * slope is the epilogue of the product that makes dx. */
#include "../gemm/vn_gemm.h"

#include "../core/vn_parallel.h"

enum { COLUMNS = 128 };

typedef struct sums {
    float *out;
    const float *x;
    int64_t N, O;
} sums;

static void
column_sums(void *arg, int64_t item, int worker)
{
    const sums *s = arg;
    int64_t j0 = item * COLUMNS, n = VN_MIN(s->O - j0, COLUMNS);
    float total[COLUMNS] = {0};
    (void)worker;
    for (int64_t i = 0; i < s->N; i++)
        for (int64_t j = 0; j < n; j++)
            total[j] += s->x[i * s->O + j0 + j];
    for (int64_t j = 0; j < n; j++)
        s->out[j0 + j] += total[j];
}

vn_status
VN_FN(linear_forward)(vn_ctx *ctx, float *out, float *pre, const float *x, const float *residual, const float *weight,
                      const float *bias, int64_t N, int64_t I, int64_t O, vn_act act)
{
    vn_gemm g = {out, x, weight, N, O, I, I, I, O, 0, 1, 0, bias, pre, act, residual, NULL};
    (void)ctx;
    VN_FN(gemm_run)(&g);
    return VN_OK;
}

vn_status
VN_FN(linear_backward)(vn_ctx *ctx, float *dx, float *dweight, float *dbias, const float *through, const float *dout,
                       const float *x, const float *weight, int64_t N, int64_t I, int64_t O, vn_act act)
{
    vn_gemm gx = {dx, dout, weight, N, I, O, O, I, I, 0, 0, 0, NULL, NULL, act, NULL, through};
    vn_gemm gw = {dweight, dout, x, O, I, N, O, I, I, 1, 0, 1, NULL, NULL, VN_ACT_NONE, NULL, NULL};
    (void)ctx;
    if (through == NULL)
        gx.act = VN_ACT_NONE;
    if (dx != NULL)
        VN_FN(gemm_run)(&gx);
    VN_FN(gemm_run)(&gw);
    if (dbias != NULL) {
        sums s = {dbias, dout, N, O};
        vn_parallel_for((O + COLUMNS - 1) / COLUMNS, column_sums, &s);
    }
    return VN_OK;
}

vn_status
VN_FN(project_forward)(vn_ctx *ctx, float *out, const float *x, const float *weight, int64_t N, int64_t I, int64_t O)
{
    vn_gemm g = {out, x, weight, N, O, I, I, O, O, 0, 0, 0, NULL, NULL, VN_ACT_NONE, NULL, NULL};
    (void)ctx;
    VN_FN(gemm_run)(&g);
    return VN_OK;
}

vn_status
VN_FN(project_backward)(vn_ctx *ctx, float *dx, float *dweight, const float *dout, const float *x, const float *weight,
                        int64_t N, int64_t I, int64_t O)
{
    vn_gemm gx = {dx, dout, weight, N, I, O, O, O, I, 0, 1, 0, NULL, NULL, VN_ACT_NONE, NULL, NULL};
    vn_gemm gw = {dweight, x, dout, I, O, N, I, O, O, 1, 0, 1, NULL, NULL, VN_ACT_NONE, NULL, NULL};
    (void)ctx;
    VN_FN(gemm_run)(&gx);
    VN_FN(gemm_run)(&gw);
    return VN_OK;
}

typedef struct job {
    float *out;
    const float *x;
    int64_t count;
    vn_act act;
} job;

enum { CHUNK = 1 << 14 };

static void
apply(void *arg, int64_t item, int worker)
{
    const job *j = arg;
    int64_t end = VN_MIN(j->count, (item + 1) * CHUNK);
    (void)worker;
    for (int64_t i = item * CHUNK; i < end; i += VN_LANES) {
        if (end - i >= VN_LANES)
            vn_vstore(j->out + i, vn_vact(vn_vload(j->x + i), j->act));
        else
            vn_vstore_part(j->out + i, vn_vact(vn_vload_part(j->x + i, end - i, 0.0f), j->act), end - i);
    }
}

vn_status
VN_FN(act_forward)(vn_ctx *ctx, float *out, const float *x, int64_t count, vn_act act)
{
    job j = {out, x, count, act};
    (void)ctx;
    vn_parallel_for((count + CHUNK - 1) / CHUNK, apply, &j);
    return VN_OK;
}
