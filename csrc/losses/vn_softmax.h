/* The loss of a softmax over some true cells and some negatives of one sample, with its gradients. */
#ifndef VN_SOFTMAX_H
#define VN_SOFTMAX_H

#include "../vn_term.h"

/* folds z (n) into a log-sum-exp */
VN_HD static inline vn_stat
vn_lse(vn_stat s, const float *z, int64_t n)
{
    float top = s.top, sum = 0.0f;
    for (int64_t k = 0; k < n; k++)
        top = z[k] > top ? z[k] : top;
    if (top == -INFINITY)
        return s;
    for (int64_t k = 0; k < n; k++)
        sum += vn_expf(z[k] - top);
    sum += s.top == -INFINITY ? 0.0f : vn_expf(s.top - top + s.log);
    s.top = top;
    s.log = logf(sum);
    return s;
}

/* a choice of the one cell of a reading against those of another; returns -log of its share */
VN_HD static inline float
vn_choice(const vn_sample *s, int right, int wrong, const vn_term_args *a)
{
    vn_stat all = {-INFINITY, 0.0f};
    int64_t n = s->n[wrong];
    float z = a->scale * s->c[right][0];
    for (int64_t k = 0; k < n; k++)
        s->z[k] = a->scale * s->c[wrong][k];
    all = vn_lse(vn_lse(all, &z, 1), s->z, n);
    for (int64_t k = 0; k < n; k++)
        s->dc[wrong][k] = a->scale * vn_expf(vn_log_share(s->z[k], all));
    float log_share = vn_log_share(z, all);
    s->dc[right][0] = a->scale * (vn_expf(log_share) - 1.0f);
    return -log_share;
}

#endif
