/* itc: softmax over the batch, both directions; negative captions are further candidates of an image, negative images
 * of a caption.
 *   L_i = u [lse of row i - s c_ii] + w [lse of column i - s c_ii],  u, w = 1/2
 * arXiv:1807.03748 (InfoNCE), arXiv:2103.00020 (CLIP), arXiv:2210.01936 (NegCLIP's further columns). */
#include "../vn_term.h"

static const vn_param params[] = {
    {"negatives", "none|shared|own", 1, 0, 2, "negative captions that an image sees: none, the batch's, its own"},
    {"image_to_text", NULL, 0.5, 0, 1, "weight of the softmax over captions"},
    {"text_to_image", NULL, 0.5, 0, 1, "weight of the softmax over images"},
    {"images", "none|shared|own", 0, 0, 2, "negative images that a caption sees: none, the batch's, its own"},
    {"false_negatives", NULL, 2, 0, 2, "leaves out what exceeds a true pair of its row or column by this cosine"},
    VN_END_PARAMS,
};

enum { SHARED_IMAGES = 3 }; /* the first reading whose rows are captions */
static const vn_reading reads[] = {
    {VN_IMAGE, VN_TEXT, VN_BLOCK | VN_BY_ROW | VN_BY_COL, 0, 0, 0, 0}, /* always */
    {VN_IMAGE, VN_NEG_TEXT, VN_BLOCK | VN_BY_ROW, 1, 1, 0, 0},         /* negatives="shared" */
    {VN_IMAGE, VN_NEG_TEXT, VN_DIAG | VN_BY_ROW, 1, 2, 0, 0},          /* negatives="own" */
    {VN_TEXT, VN_NEG_IMAGE, VN_BLOCK | VN_BY_ROW, 4, 1, 0, 0},         /* images="shared" */
    {VN_TEXT, VN_NEG_IMAGE, VN_DIAG | VN_BY_ROW, 4, 2, 0, 0},          /* images="own" */
    VN_END_READS,
};

/* More like a true pair than that pair is itself: most likely true. Only another sample's caption can be. */
VN_HD static inline int
suspect(vn_cell x, float margin)
{
    float least = x.row_pair < x.col_pair ? x.row_pair : x.col_pair;
    return x.reading == 0 && x.kind == VN_OTHER && x.c > least + margin;
}

VN_HD static inline float
stat(vn_cell x, const vn_term_args *a)
{
    float z = a->scale * x.c;
    return suspect(x, a->param[4]) ? -INFINITY : z;
}

VN_HD static inline vn_dcell
grad(vn_cell x, const vn_term_args *a)
{
    vn_dcell d;
    float w = a->param[2], u = x.reading < SHARED_IMAGES ? a->param[1] : w, y = x.kind == VN_PAIR ? 1.0f : 0.0f;
    float row = vn_log_share(x.z, x.row), col = vn_log_share(x.z, x.col);
    d.dc = a->scale * (u * (vn_expf(row) - y * x.row_share) + w * (vn_expf(col) - y * x.col_share));
    d.loss = x.kind == VN_PAIR ? -(u * x.row_share * row + w * x.col_share * col) : 0.0f;
    return d;
}

#define VN_TERM      itc
#define VN_TERM_DOC  "softmax over the batch, both directions; negatives are further candidates"
#define VN_TERM_STAT stat
#define VN_TERM_GRAD grad
#include "../vn_term_body.h"
