/* distil: the softmaxes over the batch, both directions, as near to a frozen teacher's as can be.
 *   L_i = u KL(q_i. | p_i.) + w KL(q_.i | p_.i),  p from s v_i.t_j, q from the teacher's rows; u, w = 1/2
 * arXiv:1503.02531. */
#include "../vn_term.h"

static const vn_param params[] = {
    {"image_to_text", NULL, 0.5, 0, 1, "weight of the softmax over captions"},
    {"text_to_image", NULL, 0.5, 0, 1, "weight of the softmax over images"},
    {"teacher_scale", NULL, 0, 0, 1000, "the teacher's scale; 0: the learned one, without gradient"},
    VN_END_PARAMS,
};

enum { TEACHER, STUDENT };
static const vn_reading reads[] = {
    {VN_TEACHER_IMAGE, VN_TEACHER_TEXT, VN_BLOCK | VN_BY_ROW | VN_BY_COL, 0, 0, 0, 0},
    {VN_IMAGE, VN_TEXT, VN_BLOCK | VN_BY_ROW | VN_BY_COL | VN_TEACHER, 0, 0, 0, 0},
    VN_END_READS,
};

VN_HD static inline float
taught(float c, const vn_term_args *a)
{
    return (a->param[2] > 0.0f ? a->param[2] : a->scale) * c;
}

VN_HD static inline float
stat(vn_cell x, const vn_term_args *a)
{
    return x.reading == TEACHER ? taught(x.c, a) : a->scale * x.c;
}

VN_HD static inline vn_dcell
grad(vn_cell x, const vn_term_args *a)
{
    vn_dcell d;
    float want = taught(x.teacher, a), u = a->param[0], w = a->param[1];
    float row = vn_log_share(x.z, x.row), col = vn_log_share(x.z, x.col);
    float want_row = vn_log_share(want, x.teacher_row), want_col = vn_log_share(want, x.teacher_col);
    float q_row = vn_expf(want_row), q_col = vn_expf(want_col);
    d.dc = a->scale * (u * (vn_expf(row) - q_row) + w * (vn_expf(col) - q_col));
    d.loss = u * q_row * (want_row - row) + w * q_col * (want_col - col);
    return d;
}

#define VN_TERM      distil
#define VN_TERM_DOC  "KL divergence from a frozen teacher's softmaxes over the batch, both directions"
#define VN_TERM_STAT stat
#define VN_TERM_GRAD grad
#include "../vn_term_body.h"
