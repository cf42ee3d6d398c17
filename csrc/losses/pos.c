/* pos: a pair's logit above alpha.
 *   L_i = [alpha - s c_ii]+,  alpha fixed, or the mean of s c_ii at the step before; the term is 0 until there is one
 * arXiv:2505.15576 (AHNPL). A learned alpha would only ever fall, so there is none. */
#include "../vn_term.h"

static const vn_param params[] = {
    {"margin", "batch_mean|fixed", 0, 0, 1, "alpha: the mean logit of pairs at the step before, or fixed"},
    {"fixed", NULL, 20, -1000, 1000, "alpha where it is fixed"},
    VN_END_PARAMS,
};

static const vn_reading reads[] = {
    {VN_IMAGE, VN_TEXT, VN_OWN, 0, 0, 0, 0},
    VN_END_READS,
};

static float
own(const vn_sample *s, const vn_term_args *a)
{
    int is_fixed = a->param[0] > 0.0f;
    if (!is_fixed && a->state == NULL)
        return 0.0f;
    float below = (is_fixed ? a->param[1] : a->state[0]) - a->scale * s->c[0][0];
    s->dc[0][0] = below > 0.0f ? -a->scale : 0.0f;
    return below > 0.0f ? below : 0.0f;
}

#define VN_TERM        pos
#define VN_TERM_DOC    "hinge that keeps the logit of a pair above a margin"
#define VN_TERM_OWN    own
#define VN_TERM_MEMORY VN_LAST_PAIR
#include "../vn_term_body.h"
