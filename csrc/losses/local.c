/* local: a focal softmax over how well the tokens of the caption, and of each negative caption, are found among the
 * patches of the image (FSC-CLIP's local term).
 *   z_i0, z_ik = scores, logits already (csrc/ops/local.c);  L_i as in focal
 * The mean is over samples that have a negative. threshold and length_norm say how the scores are made from tokens.
 * arXiv:2410.05210, sections 3.2 and 3.3. */
#include "vn_softmax.h"

#include <string.h>

static const vn_param params[] = {
    {"gamma", NULL, 2, 0, 10, "how much less a candidate counts that is decided"},
    {"smoothing", NULL, 0.02, 0, 1, "share of the target that all candidates get alike"},
    {"invalid", "drop|zero", 0, 0, 1, "a slot without a negative: absent, or a candidate of logit 0 as released"},
    {"threshold", "off|on", 0, 0, 1, "patches of a weight below 1 / P do not count"},
    {"length_norm", "off|on", 0, 0, 1, "takes the logarithm of the number of tokens off a score"},
    VN_END_PARAMS,
};

static const vn_reading reads[] = {
    {VN_IMAGE, VN_SCORE, VN_OWN | VN_MEAN, 0, 0, 0, 0},
    VN_END_READS,
};

static float
own(const vn_sample *s, const vn_term_args *a)
{
    float *z = s->dc[0];
    memcpy(z, s->c[0], (size_t)s->n[0] * sizeof(float));
    return vn_focal(z, s->n[0], a->param[2] > 0.0f ? (float)s->missing[0] : 0.0f, a->param[0], a->param[1]);
}

/* a score is a logit: the learned scale is in it, and gets its gradient where scores are made */
static float
fixed(const float *param)
{
    (void)param;
    return 1.0f;
}

#define VN_TERM       local
#define VN_TERM_DOC   "focal softmax over token-patch scores of a sample's caption and its negatives"
#define VN_TERM_OWN   own
#define VN_TERM_FIXED fixed
#include "../vn_term_body.h"
