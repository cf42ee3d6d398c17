/* hinge: triplets of the batch on cosines, both directions, over all wrong candidates or the hardest of each row.
 *   L_i = sum_j [m - c_ii + c_ij]+ + sum_j [m - c_ii + c_ji]+,  or max_j instead of both sums
 * Of candidates that are equally hard each gets its part. arXiv:1707.05612 (VSE++). */
#include "../vn_term.h"

static const vn_param params[] = {
    {"margin", NULL, 0.2, 0, 2, "cosine by which a true pair must stand out"},
    {"reduce", "sum|max", 0, 0, 1, "all wrong candidates, or the hardest of each row and column"},
    {"negatives", "none|own|shared", 0, 0, 2, "negative captions that an image sees: none, its own, the batch's"},
    VN_END_PARAMS,
};

enum { ROWS, COLUMNS };
static const vn_reading reads[] = {
    {VN_IMAGE, VN_TEXT, VN_BLOCK | VN_BY_ROW, 0, 0, 0, 0}, /* an image among captions */
    {VN_IMAGE, VN_TEXT, VN_BLOCK | VN_BY_COL, 0, 0, 0, 0}, /* a caption among images */
    {VN_IMAGE, VN_NEG_TEXT, VN_DIAG | VN_BY_ROW, 3, 1, 0, 0},
    {VN_IMAGE, VN_NEG_TEXT, VN_BLOCK | VN_BY_ROW, 3, 2, 0, 0},
    VN_END_READS,
};

/* what a candidate costs */
VN_HD static inline float
cost(vn_cell x, float c, const vn_term_args *a)
{
    return a->param[0] - (x.reading == COLUMNS ? x.col_pair : x.row_pair) + c;
}

/* The maximum of a row is its hardest candidate; or 0, reached by as many as cost something. */
VN_HD static inline float
stat(vn_cell x, const vn_term_args *a)
{
    float active = cost(x, x.c, a) > 0.0f ? 0.0f : -INFINITY, z = a->param[1] == 0.0f ? active : x.c;
    return x.kind == VN_PAIR ? -INFINITY : z;
}

VN_HD static inline vn_dcell
grad(vn_cell x, const vn_term_args *a)
{
    vn_dcell d;
    vn_stat s = x.reading == COLUMNS ? x.col : x.row;
    float price = cost(x, x.c, a), hardest = cost(x, s.top, a), reached = x.z == s.top ? 1.0f : 0.0f;
    int all = a->param[1] == 0.0f, pair = x.kind == VN_PAIR;
    float share = all ? 1.0f : reached * vn_expf(-s.log), active = all ? vn_expf(s.log) : 1.0f;
    float own = x.i == x.j && s.top < INFINITY && (all || hardest > 0.0f) ? -active : 0.0f;
    d.dc = pair ? own : price > 0.0f ? share : 0.0f;
    d.loss = pair || !(price > 0.0f) ? 0.0f : share * price;
    return d;
}

static float
plain(const float *param)
{
    (void)param;
    return 1.0f;
}

#define VN_TERM           hinge
#define VN_TERM_DOC       "triplets of the batch on cosines, all wrong candidates or the hardest"
#define VN_TERM_STAT      stat
#define VN_TERM_GRAD      grad
#define VN_TERM_FIXED     plain
#define VN_TERM_REDUCTION VN_MAX_OF
#include "../vn_term_body.h"
