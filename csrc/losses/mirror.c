/* mirror: itc of negative images with their captions, the negative captions of the same slots; the true captions of
 * the batch are further candidates of a negative image.
 *   L = 1/2 CE(s [W N^T, W T^T]) + 1/2 CE(s N W^T), over slots that hold both
 * arXiv:2411.02545 (TripletCLIP). */
#include "../vn_term.h"

static const vn_param params[] = {VN_END_PARAMS};

static const vn_reading reads[] = {
    {VN_NEG_IMAGE, VN_NEG_TEXT, VN_BLOCK | VN_BY_ROW | VN_BY_COL | VN_PAIRED | VN_MEAN, 0, 0, 0, 0},
    {VN_NEG_IMAGE, VN_TEXT, VN_BLOCK | VN_BY_ROW | VN_PAIRED, 0, 0, 0, 0},
    VN_END_READS,
};

VN_HD static inline vn_dcell
grad(vn_cell x, const vn_term_args *a)
{
    vn_dcell d;
    float row = vn_log_share(x.z, x.row), col = vn_log_share(x.z, x.col), y = x.kind == VN_PAIR ? 1.0f : 0.0f;
    d.dc = 0.5f * a->scale * (vn_expf(row) - y + vn_expf(col) - y);
    d.loss = x.kind == VN_PAIR ? -0.5f * (row + col) : 0.0f;
    return d;
}

#define VN_TERM      mirror
#define VN_TERM_DOC  "softmax over negative images and their captions, both directions; true captions are candidates"
#define VN_TERM_GRAD grad
#include "../vn_term_body.h"
