/* column: cross-entropy over all negative captions of the batch, or images shifted by them, to a fixed column.
 *   L_i = lse over c of z_ic - z_i,target,  z = s t_i.t-_c or s v_i.(v_j + t-_c - t_j), target i or 0
 * What CE-CLIP and AHNPL released, and nothing else should train with: nearly every target is a negative. Nothing is
 * masked. arXiv:2306.08832, arXiv:2505.15576. */
#include "../vn_term.h"

static const vn_param params[] = {
    {"modality", "text|image", 0, 0, 1, "captions against negative captions, or images against shifted images"},
    {"target", "row|first", 0, 0, 1, "column i in row i, or column 0"},
    VN_END_PARAMS,
};

static const vn_reading reads[] = {
    {VN_TEXT, VN_NEG_TEXT, VN_BLOCK | VN_BY_ROW | VN_BARE, 1, 0, 0, 0},
    {VN_IMAGE, VN_NEG_IMAGE, VN_BLOCK | VN_BY_ROW | VN_BARE, 1, 1, 0, 0},
    VN_END_READS,
};

VN_HD static inline vn_dcell
grad(vn_cell x, const vn_term_args *a)
{
    vn_dcell d;
    int target = x.j == (a->param[1] == 0.0f ? x.i : 0);
    float row = vn_log_share(x.z, x.row);
    d.dc = a->scale * (vn_expf(row) - (target ? 1.0f : 0.0f));
    d.loss = target ? -row : 0.0f;
    return d;
}

#define VN_TERM      column
#define VN_TERM_DOC  "softmax over all negatives of the batch whose target is a fixed column: only as released"
#define VN_TERM_GRAD grad
#include "../vn_term_body.h"
