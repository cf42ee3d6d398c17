/* rank: an image's own negative captions below its caption by a margin th_k, which follows their type k.
 *   L = 1/Q sum_ik [th_k + s c_ik - s c_ii]+,  Q valid slots (reduce="valid"), or all (reduce="all")
 * Margins move between steps, see vlmneg/losses/state.py; no gradient flows through them.
 * arXiv:2306.08832 (CE-CLIP), arXiv:2505.15576 (AHNPL). */
#include "vn_hinge.h"

static const vn_param params[] = {
    {"margin", "mean|max|fixed", 0, 0, 2, "a type's margin: its mean gap, a fifth of its largest, or fixed"},
    {"bound", NULL, 10, 0, 1000, "largest adaptive margin"},
    {"beta", NULL, 0, 0, 1, "share of the old margin in the new one"},
    {"fixed", NULL, 8, -1000, 1000, "the margin where it is fixed"},
    {"rule", "paired|released|released_keep", 0, 0, 2, "how gaps are counted; see losses.state.Margins"},
    {"reduce", "valid|all", 0, 0, 1, "the mean is over valid slots, or over all"},
    {"units", "logit|cosine", 0, 0, 1, "margins are of logits, or of cosines, without a gradient of the scale"},
    {"reset", "never|epoch", 0, 0, 1, "when margins go back to 0"},
    VN_END_PARAMS,
};

enum { PAIR, CAPTIONS };
enum { FIXED = 2 };
static const vn_reading reads[] = {
    {VN_IMAGE, VN_TEXT, VN_OWN, 0, 0, 0, 0},
    {VN_IMAGE, VN_NEG_TEXT, VN_OWN | VN_MEAN, 0, 0, 0, 0},
    VN_END_READS,
};

static float
own(const vn_sample *s, const vn_term_args *a)
{
    float cells = a->param[5] > 0.0f ? a->rows * a->slots : a->cells;
    int adaptive = a->param[0] != (float)FIXED && a->state != NULL;
    float margin = a->param[0] == (float)FIXED ? a->param[3] : 0.0f;
    return vn_own_hinge(s, PAIR, CAPTIONS, margin, adaptive ? a->state : NULL, a->scale, a->samples / cells);
}

static float
fixed(const float *param)
{
    return param[6];
}

#define VN_TERM        rank
#define VN_TERM_DOC    "hinge of a sample's own negative captions, with margins that follow their types"
#define VN_TERM_OWN    own
#define VN_TERM_FIXED  fixed
#define VN_TERM_MEMORY VN_MARGINS
#include "../vn_term_body.h"
