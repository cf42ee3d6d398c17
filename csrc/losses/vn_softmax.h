/* What terms share whose rows are softmaxes over one true cell and its negatives: a cell's logit, loss and gradient. */
#ifndef VN_SOFTMAX_H
#define VN_SOFTMAX_H

#include "../vn_term.h"

VN_HD static inline float
vn_softmax_stat(vn_cell x, const vn_term_args *a)
{
    return a->scale * x.c;
}

VN_HD static inline vn_dcell
vn_softmax_grad(vn_cell x, const vn_term_args *a)
{
    vn_dcell d;
    float row = vn_log_share(x.z, x.row);
    d.dc = a->scale * (vn_expf(row) - (x.kind == VN_PAIR ? 1.0f : 0.0f));
    d.loss = x.kind == VN_PAIR ? -row : 0.0f;
    return d;
}

#endif
