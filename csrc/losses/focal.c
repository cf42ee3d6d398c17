/* focal: own(), with less weight on what is decided, and a target that never asks for certainty.
 *   L_i = sum_j y_ij (1 - p_ij)^gamma (-log p_ij),  y_i0 = 1 - b + b/n,  y_ik = b/n,  n = 1 + the sample's negatives
 * p: softmax over the pair and its negatives. The mean is over samples that have a negative.
 * arXiv:2410.05210 (FSC-CLIP), arXiv:1708.02002. */
#include "vn_softmax.h"

static const vn_param params[] = {
    {"gamma", NULL, 2, 0, 10, "how fast weight falls with certainty; 0: not at all"},
    {"smoothing", NULL, 0.02, 0, 1, "share b of the target that goes to all candidates alike"},
    {"scale", NULL, 0, 0, 1000, "of the logits; 0: the learned scale"},
    {"invalid", "drop|zero", 0, 0, 1, "an empty slot is left out, or is a candidate of logit 0"},
    VN_END_PARAMS,
};

enum { PAIR, CAPTIONS };
static const vn_reading reads[] = {
    {VN_IMAGE, VN_TEXT, VN_OWN, 0, 0, 0, 0},
    {VN_IMAGE, VN_NEG_TEXT, VN_OWN | VN_MEAN, 0, 0, 0, 0},
    VN_END_READS,
};

static float
own(const vn_sample *s, const vn_term_args *a)
{
    int64_t n = 1 + s->n[CAPTIONS];
    s->z[0] = a->scale * s->c[PAIR][0];
    for (int64_t k = 1; k < n; k++)
        s->z[k] = a->scale * s->c[CAPTIONS][k - 1];
    float zeros = a->param[3] > 0.0f ? (float)s->missing[CAPTIONS] : 0.0f;
    float loss = vn_focal(s->z, n, zeros, a->param[0], a->param[1]);
    s->dc[PAIR][0] = a->scale * s->z[0];
    for (int64_t k = 1; k < n; k++)
        s->dc[CAPTIONS][k - 1] = a->scale * s->z[k];
    return loss;
}

static float
fixed(const float *param)
{
    return param[2];
}

#define VN_TERM       focal
#define VN_TERM_DOC   "focal loss with a smoothed target over a sample's caption and its own negatives"
#define VN_TERM_OWN   own
#define VN_TERM_FIXED fixed
#include "../vn_term_body.h"
