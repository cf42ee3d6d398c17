/* rows: gather out[s] = x[row[s]]; scatter dx[row[s]] += dout[s], rows distinct; zero. */
#include "../vn_backend.h"

#include "../core/vn_parallel.h"

enum { CHUNK = 1 << 18 };

typedef struct job {
    float *out;
    const float *x;
    const int32_t *row;
    int64_t C;
} job;

static void
gather(void *arg, int64_t s, int worker)
{
    const job *j = arg;
    (void)worker;
    memcpy(j->out + s * j->C, j->x + j->row[s] * j->C, (size_t)j->C * sizeof(float));
}

vn_status
VN_FN(rows_gather)(vn_ctx *ctx, float *out, const float *x, const int32_t *row, int64_t S, int64_t C)
{
    job j = {out, x, row, C};
    (void)ctx;
    vn_parallel_for(S, gather, &j);
    return VN_OK;
}

static void
scatter(void *arg, int64_t s, int worker)
{
    const job *j = arg;
    float *to = j->out + j->row[s] * j->C;
    const float *from = j->x + s * j->C;
    (void)worker;
    for (int64_t c = 0; c < j->C; c++)
        to[c] += from[c];
}

vn_status
VN_FN(rows_scatter)(vn_ctx *ctx, float *dx, const float *dout, const int32_t *row, int64_t S, int64_t C)
{
    job j = {dx, dout, row, C};
    (void)ctx;
    vn_parallel_for(S, scatter, &j);
    return VN_OK;
}

typedef struct span {
    float *x;
    int64_t count;
} span;

static void
zero(void *arg, int64_t item, int worker)
{
    const span *s = arg;
    (void)worker;
    memset(s->x + item * CHUNK, 0, (size_t)VN_MIN(s->count - item * CHUNK, CHUNK) * sizeof(float));
}

vn_status
VN_FN(rows_zero)(vn_ctx *ctx, float *x, int64_t count)
{
    span s = {x, count};
    (void)ctx;
    vn_parallel_for((count + CHUNK - 1) / CHUNK, zero, &s);
    return VN_OK;
}
