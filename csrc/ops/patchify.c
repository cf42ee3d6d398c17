/* patchify: x (B,3,G P,G P) to patch vectors (B G G, 3 P P) in the order channel, row, column, so that conv1 is a
 * plain product.  tokens: the class token before each image's patches, positions added: out (B T,C), T = G G + 1. */
#include "../vn_backend.h"

#include "../core/vn_parallel.h"

enum { COLUMNS = 64 };

typedef struct cut_job {
    float *out;
    const float *x;
    int64_t G, P;
} cut_job;

/* one row of patches of one image */
static void
cut(void *arg, int64_t item, int worker)
{
    const cut_job *j = arg;
    int64_t G = j->G, P = j->P, S = G * P, b = item / G, r = item % G;
    (void)worker;
    for (int64_t channel = 0; channel < 3; channel++)
        for (int64_t y = 0; y < P; y++)
            for (int64_t c = 0; c < G; c++)
                memcpy(j->out + (item * G + c) * 3 * P * P + (channel * P + y) * P,
                       j->x + ((b * 3 + channel) * S + r * P + y) * S + c * P, (size_t)P * sizeof(float));
}

vn_status
VN_FN(patchify_forward)(vn_ctx *ctx, float *out, const float *x, int64_t B, int64_t G, int64_t P)
{
    cut_job j = {out, x, G, P};
    (void)ctx;
    vn_parallel_for(B * G, cut, &j);
    return VN_OK;
}

typedef struct job {
    float *out, *dpatch, *dhead, *dposition;
    const float *patch, *head, *position, *dout;
    int64_t B, T, C;
} job;

static void
forward(void *arg, int64_t b, int worker)
{
    const job *j = arg;
    int64_t T = j->T, C = j->C;
    (void)worker;
    for (int64_t t = 0; t < T; t++) {
        const float *from = t == 0 ? j->head : j->patch + (b * (T - 1) + t - 1) * C;
        for (int64_t c = 0; c < C; c++)
            j->out[(b * T + t) * C + c] = from[c] + j->position[t * C + c];
    }
}

vn_status
VN_FN(tokens_forward)(vn_ctx *ctx, float *out, const float *patch, const float *head, const float *position, int64_t B,
                      int64_t T, int64_t C)
{
    job j = {out, NULL, NULL, NULL, patch, head, position, NULL, B, T, C};
    (void)ctx;
    vn_parallel_for(B, forward, &j);
    return VN_OK;
}

/* a strip of columns, all images in order */
static void
backward(void *arg, int64_t item, int worker)
{
    const job *j = arg;
    int64_t T = j->T, C = j->C, c0 = item * COLUMNS, c1 = VN_MIN(C, c0 + COLUMNS);
    (void)worker;
    for (int64_t b = 0; b < j->B; b++)
        for (int64_t t = 0; t < T; t++) {
            const float *d = j->dout + (b * T + t) * C;
            float *to = t == 0 ? j->dhead : j->dpatch + (b * (T - 1) + t - 1) * C;
            for (int64_t c = c0; c < c1; c++) {
                j->dposition[t * C + c] += d[c];
                to[c] = t == 0 ? to[c] + d[c] : d[c];
            }
        }
}

vn_status
VN_FN(tokens_backward)(vn_ctx *ctx, float *dpatch, float *dhead, float *dposition, const float *dout, int64_t B,
                       int64_t T, int64_t C)
{
    job j = {NULL, dpatch, dhead, dposition, NULL, NULL, NULL, dout, B, T, C};
    (void)ctx;
    vn_parallel_for((C + COLUMNS - 1) / COLUMNS, backward, &j);
    return VN_OK;
}
