/* intra: away from one's own negatives inside one modality.
 *   L_i = log(1 + sum_k exp(s (x_i.x-_ik - 1))),  x images or captions
 * The positive is the row itself: cosine 1, a constant. With image negatives made by shift this is AHNPL's image term
 * as it is meant. The mean is over samples that have a negative. arXiv:2505.15576. */
#include "vn_softmax.h"

static const vn_param params[] = {
    {"modality", "image|text", 0, 0, 1, "images against negative images, or captions against negative captions"},
    VN_END_PARAMS,
};

static const vn_reading reads[] = {
    {VN_IMAGE, VN_IMAGE, VN_OWN, 1, 0, 0, 0},
    {VN_IMAGE, VN_NEG_IMAGE, VN_OWN | VN_MEAN, 1, 0, 0, 0},
    {VN_TEXT, VN_TEXT, VN_OWN, 1, 1, 0, 0},
    {VN_TEXT, VN_NEG_TEXT, VN_OWN | VN_MEAN, 1, 1, 0, 0},
    VN_END_READS,
};

static float
intra(const vn_sample *s, const vn_term_args *a)
{
    int self = a->param[0] == 0.0f ? 0 : 2;
    return vn_choice(s, self, self + 1, a);
}

#define VN_TERM     intra
#define VN_TERM_DOC "softmax over a row itself and its own negatives of its modality"
#define VN_TERM_OWN intra
#include "../vn_term_body.h"
