/* intra: something right against one's own negatives, inside one modality.
 *   L_i = lse(z_i0, z_i.) - z_i0,  z_ik = s x_i.x-_ik,  x images or captions;  positive="none": lse(z_i.)
 * shifted: x-_ik = v_i + f (t-_ik - t_i), captions constant, hence z_ik = s (1 + f (v_i.t-_ik - v_i.t_i)).
 * Of several paraphrases each is right in turn. The mean is over samples that have a negative, and something right.
 * arXiv:2306.08832 (CE-CLIP), arXiv:2505.15576 (AHNPL). */
#include "vn_softmax.h"

static const vn_param params[] = {
    {"modality", "image|text|shifted", 0, 0, 2, "images, captions, or images against images shifted by captions"},
    {"positive", "self|cross|none|teacher|paraphrase", 0, 0, 4, "what is right: the row itself, its pair, ..."},
    {"scale", NULL, 0, 0, 1000, "of the logits inside the modality; 0: the learned scale"},
    {"factor", NULL, 1, 0, 10, "f, the length of a shift"},
    VN_END_PARAMS,
};

enum { IMAGES, TEXTS, SHIFTED };
enum { SELF, CROSS, NONE, TEACHER, PARAPHRASE };
enum { ROW, WRONG = 3, PAIR = 6, RIGHT_PAIR, TAUGHT, SAID = 11 }; /* ROW, WRONG, TAUGHT, SAID: + modality */
static const vn_reading reads[] = {
    {VN_IMAGE, VN_IMAGE, VN_OWN, 1, IMAGES, 2, SELF},
    {VN_TEXT, VN_TEXT, VN_OWN, 1, TEXTS, 2, SELF},
    {VN_IMAGE, VN_IMAGE, VN_OWN, 1, SHIFTED, 0, 0},
    {VN_IMAGE, VN_NEG_IMAGE, VN_OWN | VN_MEAN, 1, IMAGES, 0, 0},
    {VN_TEXT, VN_NEG_TEXT, VN_OWN | VN_MEAN, 1, TEXTS, 0, 0},
    {VN_IMAGE, VN_NEG_TEXT, VN_OWN | VN_MEAN | VN_LEFT, 1, SHIFTED, 0, 0},
    {VN_IMAGE, VN_TEXT, VN_OWN | VN_LEFT, 1, SHIFTED, 0, 0},
    {VN_IMAGE, VN_TEXT, VN_OWN | VN_LEARNED, 2, CROSS, 0, 0},
    {VN_IMAGE, VN_TEACHER_IMAGE, VN_OWN, 1, IMAGES, 2, TEACHER},
    {VN_TEXT, VN_TEACHER_TEXT, VN_OWN, 1, TEXTS, 2, TEACHER},
    {VN_IMAGE, VN_TEACHER_IMAGE, VN_OWN, 1, SHIFTED, 2, TEACHER},
    {VN_IMAGE, VN_POS_IMAGE, VN_OWN | VN_MEAN, 1, IMAGES, 2, PARAPHRASE},
    {VN_TEXT, VN_POS_TEXT, VN_OWN | VN_MEAN, 1, TEXTS, 2, PARAPHRASE},
    {VN_IMAGE, VN_POS_IMAGE, VN_OWN | VN_MEAN, 1, SHIFTED, 2, PARAPHRASE},
    VN_END_READS,
};

/* the reading that is right; -1: nothing is */
static int
right_of(int modality, int positive)
{
    const int first[] = {ROW + modality, RIGHT_PAIR, -1, TAUGHT + modality, SAID + modality};
    return first[positive];
}

/* the choice of cell p of a reading, share of the sample's loss */
static float
choose(const vn_sample *s, const vn_term_args *a, int right, int64_t p, float share)
{
    int modality = (int)a->param[0], wrong = WRONG + modality, have = right >= 0;
    float scale = a->scale, f = modality == SHIFTED ? a->param[3] : 1.0f, *z = s->z + have;
    float right_scale = right == RIGHT_PAIR ? a->learned : scale, pair = modality == SHIFTED ? s->c[PAIR][0] : 0.0f;
    int64_t n = s->n[wrong];
    if (have)
        s->z[0] = right_scale * s->c[right][p];
    for (int64_t k = 0; k < n; k++)
        z[k] = modality == SHIFTED ? scale * (1.0f + f * (s->c[wrong][k] - pair)) : scale * s->c[wrong][k];
    float loss = vn_choice(s->z, have, have + n, 0.0f), sum = 0.0f;
    if (have)
        s->dc[right][p] += share * right_scale * s->z[0];
    for (int64_t k = 0; k < n; k++) {
        s->dc[wrong][k] += share * scale * f * z[k];
        sum += share * scale * z[k];
    }
    if (modality == SHIFTED) {
        s->dc[PAIR][0] -= f * sum;
        s->dc[ROW + SHIFTED][0] += sum; /* of the 1 in z, which the scale multiplies too */
    }
    return share * loss;
}

static float
own(const vn_sample *s, const vn_term_args *a)
{
    int right = right_of((int)a->param[0], (int)a->param[1]);
    float loss = 0.0f;
    if (right < 0)
        return choose(s, a, right, 0, 1.0f);
    for (int64_t p = 0; p < s->n[right]; p++)
        loss += choose(s, a, right, p, 1.0f / (float)s->n[right]);
    return loss;
}

static float
fixed(const float *param)
{
    return param[2];
}

#define VN_TERM       intra
#define VN_TERM_DOC   "softmax over a row itself, or what else is right, and its own negatives of its modality"
#define VN_TERM_OWN   own
#define VN_TERM_FIXED fixed
#include "../vn_term_body.h"
