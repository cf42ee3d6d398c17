/* embed: out[n] = token[id[n]] + position[place[n]].
 * Backward scatters dout into both tables. Work is cut by columns: each strip adds all rows in order, so the sum
 * does not depend on threads and needs no sorting. */
#include "../vn_backend.h"

#include "../core/vn_parallel.h"

enum { ROWS = 32, COLUMNS = 64 };

typedef struct job {
    float *out, *dtoken, *dposition;
    const float *token, *position, *dout;
    const int32_t *id, *place;
    int64_t N, C;
} job;

static void
forward(void *arg, int64_t item, int worker)
{
    const job *j = arg;
    (void)worker;
    for (int64_t n = item * ROWS; n < VN_MIN(j->N, (item + 1) * ROWS); n++) {
        const float *t = j->token + j->id[n] * j->C, *p = j->position + j->place[n] * j->C;
        for (int64_t c = 0; c < j->C; c++)
            j->out[n * j->C + c] = t[c] + p[c];
    }
}

vn_status
VN_FN(embed_forward)(vn_ctx *ctx, float *out, const int32_t *id, const int32_t *place, const float *token,
                     const float *position, int64_t N, int64_t C)
{
    job j = {out, NULL, NULL, token, position, NULL, id, place, N, C};
    (void)ctx;
    vn_parallel_for((N + ROWS - 1) / ROWS, forward, &j);
    return VN_OK;
}

static void
backward(void *arg, int64_t item, int worker)
{
    const job *j = arg;
    int64_t c0 = item * COLUMNS, c1 = VN_MIN(j->C, c0 + COLUMNS);
    (void)worker;
    for (int64_t n = 0; n < j->N; n++) {
        float *t = j->dtoken + j->id[n] * j->C, *p = j->dposition + j->place[n] * j->C;
        const float *d = j->dout + n * j->C;
        for (int64_t c = c0; c < c1; c++) {
            t[c] += d[c];
            p[c] += d[c];
        }
    }
}

vn_status
VN_FN(embed_backward)(vn_ctx *ctx, float *dtoken, float *dposition, const float *dout, const int32_t *id,
                      const int32_t *place, int64_t N, int64_t C)
{
    job j = {NULL, dtoken, dposition, NULL, NULL, dout, id, place, N, C};
    (void)ctx;
    vn_parallel_for((C + COLUMNS - 1) / COLUMNS, backward, &j);
    return VN_OK;
}
