/* own: softmax over a sample's true counterpart, or a bag of several, and its own negatives.
 *   L_i = lse of right and wrong - lse of right = log(1 + sum_k exp(s (c_ik - c_ii))) for one right cell,
 *   c_ik = v_i.t-_ik, or t_i.v-_ik with anchor="text"
 * The mean is over samples that have a negative, and a bag. arXiv:2211.11733 (TSVLC), arXiv:2305.19595 (DAC). */
#include "vn_softmax.h"

static const vn_param params[] = {
    {"anchor", "image|text", 0, 0, 1, "who chooses: the image among captions, or the caption among images"},
    {"positive", "pair|bag", 0, 0, 1, "what is right: the pair, or all of pos_text (pos_image) together"},
    {"scale", NULL, 0, 0, 1000, "of the logits; 0: the learned scale"},
    {"invalid", "drop|zero", 0, 0, 1, "an empty slot is left out, or is a candidate of logit 0"},
    VN_END_PARAMS,
};

enum { PAIR, BAG, CAPTIONS = 3 };
static const vn_reading reads[] = {
    {VN_IMAGE, VN_TEXT, VN_OWN, 2, 0, 0, 0},
    {VN_IMAGE, VN_POS_TEXT, VN_OWN | VN_MEAN, 1, 0, 2, 1},
    {VN_TEXT, VN_POS_IMAGE, VN_OWN | VN_MEAN, 1, 1, 2, 1},
    {VN_IMAGE, VN_NEG_TEXT, VN_OWN | VN_MEAN, 1, 0, 0, 0},
    {VN_TEXT, VN_NEG_IMAGE, VN_OWN | VN_MEAN, 1, 1, 0, 0},
    VN_END_READS,
};

static float
own(const vn_sample *s, const vn_term_args *a)
{
    int anchor = (int)a->param[0], right = a->param[1] > 0.0f ? BAG + anchor : PAIR, wrong = CAPTIONS + anchor;
    int64_t have = s->n[right], n = have + s->n[wrong];
    for (int64_t k = 0; k < n; k++)
        s->z[k] = a->scale * (k < have ? s->c[right][k] : s->c[wrong][k - have]);
    float loss = vn_choice(s->z, have, n, a->param[3] > 0.0f ? (float)s->missing[wrong] : 0.0f);
    for (int64_t k = 0; k < n; k++)
        *(k < have ? s->dc[right] + k : s->dc[wrong] + k - have) = a->scale * s->z[k];
    return loss;
}

static float
fixed(const float *param)
{
    return param[2];
}

#define VN_TERM       own
#define VN_TERM_DOC   "softmax over a sample's true counterpart and its own negatives"
#define VN_TERM_OWN   own
#define VN_TERM_FIXED fixed
#include "../vn_term_body.h"
