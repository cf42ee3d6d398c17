/* adamw: weight decay, decoupled or inside the gradient (l2), in one pass over weight, m, v and grad.
 *   g = gain grad + l2 w;  m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2
 *   w = w (1 - lr decay) - lr (m / c1) / (sqrt(v / c2) + eps),  c1 = 1 - b1^t, c2 = 1 - b2^t
 * gain carries the clipping by global norm, whose squares square_sum adds in double. arXiv:1711.05101 (l2 = 0),
 * arXiv:1412.6980 (decay = 0). */
#include "../vn_backend.h"

#include <math.h>

#include "../core/vn_parallel.h"

enum { CHUNK = 1 << 15 };

typedef struct job {
    float *weight, *m, *v;
    const float *grad;
    int64_t count;
    const vn_adamw_args *a;
} job;

static void
update(void *arg, int64_t item, int worker)
{
    const job *j = arg;
    const vn_adamw_args a = *j->a;
    int64_t begin = item * CHUNK, n = VN_MIN(j->count - begin, CHUNK);
    float *VN_RESTRICT w = j->weight + begin, *VN_RESTRICT m = j->m + begin, *VN_RESTRICT v = j->v + begin;
    const float *VN_RESTRICT grad = j->grad + begin;
    float keep = 1.0f - a.lr * a.decay, step = a.lr / a.correct1, root = 1.0f / sqrtf(a.correct2);
    (void)worker;
    for (int64_t i = 0; i < n; i++) {
        float g = a.gain * grad[i] + a.l2 * w[i];
        m[i] = a.beta1 * m[i] + (1.0f - a.beta1) * g;
        v[i] = a.beta2 * v[i] + (1.0f - a.beta2) * g * g;
        w[i] = w[i] * keep - step * m[i] / (sqrtf(v[i]) * root + a.eps);
    }
}

vn_status
VN_FN(adamw_update)(vn_ctx *ctx, float *weight, float *m, float *v, const float *grad, int64_t count,
                    const vn_adamw_args *args)
{
    job j = {weight, m, v, grad, count, args};
    (void)ctx;
    vn_parallel_for((count + CHUNK - 1) / CHUNK, update, &j);
    return VN_OK;
}

typedef struct sum_job {
    double *part;
    const float *x;
    int64_t count, chunk;
} sum_job;

enum { PARTS = 256 };

static void
add(void *arg, int64_t item, int worker)
{
    const sum_job *j = arg;
    int64_t i = item * j->chunk, end = VN_MIN(j->count, i + j->chunk);
    double total[8] = {0};
    (void)worker;
    for (; i + 8 <= end; i += 8)
        for (int k = 0; k < 8; k++)
            total[k] += (double)j->x[i + k] * (double)j->x[i + k];
    for (; i < end; i++)
        total[0] += (double)j->x[i] * (double)j->x[i];
    j->part[item] = ((total[0] + total[4]) + (total[2] + total[6])) + ((total[1] + total[5]) + (total[3] + total[7]));
}

vn_status
VN_FN(square_sum)(vn_ctx *ctx, double *sum, const float *x, int64_t count)
{
    double part[PARTS] = {0};
    sum_job j = {part, x, count, VN_MAX((count + PARTS - 1) / PARTS, 1 << 12)};
    (void)ctx;
    vn_parallel_for((count + j.chunk - 1) / j.chunk, add, &j);
    *sum = 0.0;
    for (int i = 0; i < PARTS; i++)
        *sum += part[i];
    return VN_OK;
}
