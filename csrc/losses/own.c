/* own: softmax over a sample's true counterpart and its own negatives.
 *   L_i = log(1 + sum_k exp(s (c_ik - c_ii))),  c_ik = v_i.t-_ik, or t_i.v-_ik with anchor="text"
 * The mean is over samples that have a negative. arXiv:2211.11733 (TSVLC). */
#include "vn_softmax.h"

static const vn_param params[] = {
    {"anchor", "image|text", 0, 0, 1, "who chooses: the image among captions, or the caption among images"},
    VN_END_PARAMS,
};

enum { PAIR, CAPTIONS, IMAGES };
static const vn_reading reads[] = {
    {VN_IMAGE, VN_TEXT, VN_OWN, 0, 0, 0, 0},
    {VN_IMAGE, VN_NEG_TEXT, VN_OWN | VN_MEAN, 1, 0, 0, 0},
    {VN_TEXT, VN_NEG_IMAGE, VN_OWN | VN_MEAN, 1, 1, 0, 0},
    VN_END_READS,
};

static float
own(const vn_sample *s, const vn_term_args *a)
{
    return vn_choice(s, PAIR, a->param[0] == 0.0f ? CAPTIONS : IMAGES, a);
}

#define VN_TERM     own
#define VN_TERM_DOC "softmax over a sample's true counterpart and its own negatives"
#define VN_TERM_OWN own
#include "../vn_term_body.h"
