/* layernorm: out = (x - mean) rstd w + b, rstd = 1 / sqrt(var + 1e-5), biased variance.
 *   t = w o dout;  dx += (t - mean(t) - xhat mean(t o xhat)) rstd;  dw += sum dout o xhat;  db += sum dout
 * x (N,C); saved mean, rstd (N). dw and db are summed by column strips, over rows in order.
 * arXiv:1607.06450. */
#include "../vn_backend.h"

#include <math.h>

#include "../core/vn_parallel.h"

enum { ROWS = 16, COLUMNS = 128 };

typedef struct job {
    float *out, *mean, *rstd, *dweight, *dbias;
    const float *x, *weight, *bias, *dout;
    int64_t N, C;
} job;

/* sum of (x - centre)^2 over n */
static float
spread(const float *x, float centre, int64_t n)
{
    vn_vf sum = {0};
    int64_t i = 0;
    for (; i + VN_LANES <= n; i += VN_LANES) {
        vn_vf d = vn_vload(x + i) - centre;
        sum += d * d;
    }
    float total = vn_vsum(sum);
    for (; i < n; i++)
        total += (x[i] - centre) * (x[i] - centre);
    return total;
}

static float
sum(const float *x, int64_t n)
{
    vn_vf s = {0};
    int64_t i = 0;
    for (; i + VN_LANES <= n; i += VN_LANES)
        s += vn_vload(x + i);
    float total = vn_vsum(s);
    for (; i < n; i++)
        total += x[i];
    return total;
}

static void
forward_rows(void *arg, int64_t item, int worker)
{
    const job *j = arg;
    int64_t C = j->C;
    (void)worker;
    for (int64_t n = item * ROWS; n < VN_MIN(j->N, (item + 1) * ROWS); n++) {
        const float *x_n = j->x + n * C;
        float *out_n = j->out + n * C;
        float m = sum(x_n, C) / (float)C;
        float r = 1.0f / sqrtf(spread(x_n, m, C) / (float)C + 1e-5f);
        for (int64_t i = 0; i < C; i++)
            out_n[i] = (x_n[i] - m) * r * j->weight[i] + j->bias[i];
        j->mean[n] = m;
        j->rstd[n] = r;
    }
}

vn_status
VN_FN(layernorm_forward)(vn_ctx *ctx, float *out, float *mean, float *rstd, const float *x, const float *weight,
                         const float *bias, int64_t N, int64_t C)
{
    job j = {out, mean, rstd, NULL, NULL, x, weight, bias, NULL, N, C};
    (void)ctx;
    vn_parallel_for((N + ROWS - 1) / ROWS, forward_rows, &j);
    return VN_OK;
}

static void
backward_rows(void *arg, int64_t item, int worker)
{
    const job *j = arg;
    int64_t C = j->C;
    (void)worker;
    for (int64_t n = item * ROWS; n < VN_MIN(j->N, (item + 1) * ROWS); n++) {
        const float *x_n = j->x + n * C, *dout_n = j->dout + n * C;
        float *dx_n = j->out + n * C, m = j->mean[n], r = j->rstd[n];
        vn_vf s0 = {0}, s1 = {0};
        int64_t i = 0;
        for (; i + VN_LANES <= C; i += VN_LANES) {
            vn_vf t = vn_vload(j->weight + i) * vn_vload(dout_n + i);
            s0 += t;
            s1 += t * ((vn_vload(x_n + i) - m) * r);
        }
        float a = vn_vsum(s0), b = vn_vsum(s1);
        for (; i < C; i++) {
            float t = j->weight[i] * dout_n[i];
            a += t;
            b += t * ((x_n[i] - m) * r);
        }
        a /= (float)C;
        b /= (float)C;
        for (i = 0; i < C; i++)
            dx_n[i] += (j->weight[i] * dout_n[i] - a - (x_n[i] - m) * r * b) * r;
    }
}

static void
backward_columns(void *arg, int64_t item, int worker)
{
    const job *j = arg;
    int64_t c0 = item * COLUMNS, n = VN_MIN(j->C - c0, COLUMNS);
    float dw[COLUMNS] = {0}, db[COLUMNS] = {0};
    (void)worker;
    for (int64_t i = 0; i < j->N; i++) {
        const float *x_i = j->x + i * j->C + c0, *dout_i = j->dout + i * j->C + c0;
        float m = j->mean[i], r = j->rstd[i];
        for (int64_t k = 0; k < n; k++) {
            dw[k] += dout_i[k] * ((x_i[k] - m) * r);
            db[k] += dout_i[k];
        }
    }
    for (int64_t k = 0; k < n; k++) {
        j->dweight[c0 + k] += dw[k];
        j->dbias[c0 + k] += db[k];
    }
}

vn_status
VN_FN(layernorm_backward)(vn_ctx *ctx, float *dx, float *dweight, float *dbias, const float *mean, const float *rstd,
                          const float *dout, const float *x, const float *weight, int64_t N, int64_t C)
{
    job j = {dx, (float *)mean, (float *)rstd, dweight, dbias, x, weight, NULL, dout, N, C};
    (void)ctx;
    vn_parallel_for((N + ROWS - 1) / ROWS, backward_rows, &j);
    vn_parallel_for((C + COLUMNS - 1) / COLUMNS, backward_columns, &j);
    return VN_OK;
}
