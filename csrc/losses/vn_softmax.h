/* A sample's choice between right and wrong cells by softmax: loss and derivatives by the values. Values come right
 * ones first, and derivatives take their places; zeros: how many further wrong ones there are, all of value 0. */
#ifndef VN_SOFTMAX_H
#define VN_SOFTMAX_H

#include "../vn_term.h"

/* log-sum-exp of z (n) and of zeros */
static inline vn_stat
vn_lse(const float *z, int64_t n, float zeros)
{
    vn_stat s = {zeros > 0.0f ? 0.0f : -INFINITY, 0.0f};
    for (int64_t k = 0; k < n; k++)
        s.top = z[k] > s.top ? z[k] : s.top;
    float sum = zeros > 0.0f ? zeros * vn_expf(-s.top) : 0.0f;
    for (int64_t k = 0; k < n; k++)
        sum += vn_expf(z[k] - s.top);
    s.log = sum > 0.0f ? logf(sum) : 0.0f;
    return s;
}

/* lse of the wrong over lse of the right; far below 0 when all is well */
static inline float
vn_gap(vn_stat wrong, vn_stat right)
{
    return (wrong.top - right.top) + (wrong.log - right.log);
}

/* -log of the share that z[0..right) have among z (n); with none right, the lse of the others. Written in the gap, so
 * that a loss near 0 keeps its digits. */
static inline float
vn_choice(float *z, int64_t right, int64_t n, float zeros)
{
    vn_stat good = vn_lse(z, right, 0.0f), bad = vn_lse(z + right, n - right, zeros);
    float gap = vn_gap(bad, good), share = 1.0f;
    if (bad.top == -INFINITY)
        share = 0.0f;
    else if (right > 0)
        share = 1.0f / (1.0f + vn_expf(-gap));
    for (int64_t k = 0; k < right; k++)
        z[k] = -share * vn_expf(vn_log_share(z[k], good));
    for (int64_t k = right; k < n; k++)
        z[k] = share * vn_expf(vn_log_share(z[k], bad));
    if (bad.top == -INFINITY)
        return 0.0f;
    return right > 0 ? vn_softplusf(gap) : bad.top + bad.log;
}

/* Focal loss of z (n), z[0] the right one, with a smoothed target y; see focal.c. */
static inline float
vn_focal(float *z, int64_t n, float zeros, float gamma, float smoothing)
{
    vn_stat all = vn_lse(z, n, zeros), first = vn_lse(z, 1, 0.0f), others = vn_lse(z + 1, n - 1, zeros);
    float loss = 0.0f, sum = 0.0f, even = smoothing / (float)n;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t k = 0; k < n; k++) {
            float log = vn_log_share(z[k], all);
            if (k == 0 && others.top > -INFINITY)
                log = -vn_softplusf(vn_gap(others, first));
            float y = k == 0 ? 1.0f - smoothing + even : even, p = expf(log), rest = -expm1f(log);
            float power = powf(rest, gamma), phi = -power;
            if (gamma > 0.0f && rest > 0.0f)
                phi += gamma * p * powf(rest, gamma - 1.0f) * log;
            if (pass == 0) {
                loss -= y * power * log;
                sum += y * phi;
            } else {
                z[k] = y * phi - p * sum;
            }
        }
    return loss;
}

#endif
