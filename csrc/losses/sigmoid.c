/* sigmoid: each image with each caption, a pair or not, by a logistic loss; negative captions are never pairs.
 *   L_i = sum_j log(1 + exp(-l_ij (s c_ij + b))),  l = +1 for a pair, else -1
 * arXiv:2303.15343 (SigLIP), arXiv:2402.15021 (CLoVe: with negative captions). */
#include "../vn_term.h"

static const vn_param params[] = {
    {"negatives", "shared|own|none", 0, 0, 2, "negative captions that an image sees: the batch's, its own, none"},
    VN_END_PARAMS,
};

static const vn_reading reads[] = {
    {VN_IMAGE, VN_TEXT, VN_BLOCK, 0, 0, 0, 0},
    {VN_IMAGE, VN_NEG_TEXT, VN_BLOCK, 1, 0, 0, 0},
    {VN_IMAGE, VN_NEG_TEXT, VN_DIAG, 1, 1, 0, 0},
    VN_END_READS,
};

VN_HD static inline vn_dcell
grad(vn_cell x, const vn_term_args *a)
{
    vn_dcell d;
    float label = x.kind == VN_PAIR ? 1.0f : -1.0f, z = label * (a->scale * x.c + a->bias);
    float e = vn_expf(-fabsf(z)); /* sigmoid(-z) is e / (1 + e) or 1 / (1 + e) */
    d.dc = -label * a->scale * (z > 0.0f ? e : 1.0f) / (1.0f + e);
    d.loss = vn_softplusf(-z);
    return d;
}

#define VN_TERM         sigmoid
#define VN_TERM_DOC     "each image with each caption, a pair or not, by a logistic loss"
#define VN_TERM_GRAD    grad
#define VN_TERM_SCALING VN_BIASED
#include "../vn_term_body.h"
