/* align: rows close to what they should not leave: what a frozen teacher says, or further true captions or images.
 *   L_i = |x_i - p_i|^2 = 2 - 2 x_i.p_i of unit rows; of several p the mean
 * arXiv:2005.10242, arXiv:2504.16801 (DeGLA). */
#include "../vn_term.h"

static const vn_param params[] = {
    {"between", "text_teacher|image_teacher|both_teacher|text_pos|image_pos", 0, 0, 4, "whose rows, and close to what"},
    {"reduce", "mean|sum", 0, 0, 1, "over samples that have what to be close to"},
    VN_END_PARAMS,
};

static const vn_reading reads[] = {
    {VN_TEXT, VN_TEACHER_TEXT, VN_OWN, 1, 0, 0, 0},
    {VN_IMAGE, VN_TEACHER_IMAGE, VN_OWN, 1, 1, 0, 0},
    {VN_TEXT, VN_TEACHER_TEXT, VN_OWN, 1, 2, 0, 0},
    {VN_IMAGE, VN_TEACHER_IMAGE, VN_OWN, 1, 2, 0, 0},
    {VN_TEXT, VN_POS_TEXT, VN_OWN | VN_MEAN, 1, 3, 0, 0},
    {VN_IMAGE, VN_POS_IMAGE, VN_OWN | VN_MEAN, 1, 4, 0, 0},
    VN_END_READS,
};

static float
own(const vn_sample *s, const vn_term_args *a)
{
    float loss = 0.0f, many = a->param[1] > 0.0f ? a->samples : 1.0f;
    for (int r = 0; reads[r].how != 0; r++)
        for (int64_t k = 0; k < s->n[r]; k++) {
            float share = many / (float)s->n[r];
            loss += share * 2.0f * (1.0f - s->c[r][k]);
            s->dc[r][k] = -2.0f * share;
        }
    return loss;
}

static float
fixed(const float *param)
{
    (void)param;
    return 1.0f;
}

#define VN_TERM       align
#define VN_TERM_DOC   "squared distance to a frozen teacher's rows, or to further true ones"
#define VN_TERM_OWN   own
#define VN_TERM_FIXED fixed
#include "../vn_term_body.h"
