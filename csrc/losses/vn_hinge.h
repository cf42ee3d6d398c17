/* Hinges of a sample's own negatives against its pair. */
#ifndef VN_HINGE_H
#define VN_HINGE_H

#include "../vn_term.h"

/* sum of [margin + scale (c_k - pair)]+ times unit; theta: margins by slot, NULL: all are margin */
static inline float
vn_own_hinge(const vn_sample *s, int pair, int wrong, float margin, const float *theta, float scale, float unit)
{
    float sum = 0.0f, a = s->c[pair][0];
    for (int64_t k = 0; k < s->n[wrong]; k++) {
        float above = (theta != NULL ? theta[s->slot[wrong][k]] : margin) + scale * (s->c[wrong][k] - a);
        if (above <= 0.0f)
            continue;
        sum += above;
        s->dc[wrong][k] = unit * scale;
        s->dc[pair][0] -= unit * scale;
    }
    return unit * sum;
}

#endif
