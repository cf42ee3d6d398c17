/* triplet: own negatives below the pair by a fixed margin of cosines.
 *   L = mean over valid slots of [margin + c_ik - c_ii]+,  c_ik = v_i.t-_ik, or t_i.v-_ik with anchor="text"
 * arXiv:1503.03832. */
#include "vn_hinge.h"

static const vn_param params[] = {
    {"margin", NULL, 0.2, 0, 2, "by which the pair's cosine should be above"},
    {"anchor", "image|text", 0, 0, 1, "an image against captions, or a caption against images"},
    VN_END_PARAMS,
};

enum { PAIR, CAPTIONS };
static const vn_reading reads[] = {
    {VN_IMAGE, VN_TEXT, VN_OWN, 0, 0, 0, 0},
    {VN_IMAGE, VN_NEG_TEXT, VN_OWN | VN_MEAN, 2, 0, 0, 0},
    {VN_TEXT, VN_NEG_IMAGE, VN_OWN | VN_MEAN, 2, 1, 0, 0},
    VN_END_READS,
};

static float
own(const vn_sample *s, const vn_term_args *a)
{
    return vn_own_hinge(s, PAIR, CAPTIONS + (int)a->param[1], a->param[0], NULL, a->scale, a->samples / a->cells);
}

static float
fixed(const float *param)
{
    (void)param;
    return 1.0f;
}

#define VN_TERM       triplet
#define VN_TERM_DOC   "hinge of a sample's own negatives with a fixed margin of cosines"
#define VN_TERM_OWN   own
#define VN_TERM_FIXED fixed
#include "../vn_term_body.h"
