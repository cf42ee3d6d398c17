/* mil: an image with its bag of further captions, against all such captions and the other images with that bag.
 *   L_i = log(sum over all captions of e^(s c_i.) + sum over j != i of e^(s c_j,i.)) - log(sum over its own)
 * Images whose bag is empty are not in the mean. arXiv:1912.06430 (MIL-NCE), arXiv:2305.19595 (DAC, which counts the
 * own bag twice in the first logarithm). */
#include "vn_softmax.h"

static const vn_param params[] = {
    {"own_bag", "once|twice", 0, 0, 1, "how often an image's own bag stands among the candidates"},
    VN_END_PARAMS,
};

enum { OWN };
static const vn_reading reads[] = {
    {VN_IMAGE, VN_POS_TEXT, VN_OWN | VN_MEAN, 0, 0, 0, 0},
    {VN_IMAGE, VN_POS_TEXT, VN_BLOCK | VN_BY_ROW | VN_BY_COL | VN_OTHERS, 1, 0, 0, 0},
    {VN_IMAGE, VN_POS_TEXT, VN_BLOCK | VN_BY_ROW | VN_BY_COL, 1, 1, 0, 0},
    VN_END_READS,
};

VN_HD static inline vn_stat
join(vn_stat a, vn_stat b)
{
    vn_stat s = a.top < b.top ? b : a, less = a.top < b.top ? a : b;
    if (less.top > -INFINITY)
        s.log = logf(vn_expf(s.log) + vn_expf(less.top - s.top + less.log));
    return s;
}

/* All candidates of an image in one sum, which is also that of the captions of its bag; without a bag none. */
static void
finish(vn_stat *row, vn_stat *col, int64_t n, const vn_term_args *a)
{
    (void)a;
    for (int64_t k = 0; k < n; k++)
        *row = join(*row, col[k]);
    for (int64_t k = 0; k < n; k++)
        col[k] = *row;
    if (n == 0)
        row->top = INFINITY;
}

/* Every cell by its row and by its column, ... */
VN_HD static inline vn_dcell
grad(vn_cell x, const vn_term_args *a)
{
    vn_dcell d = {0.0f, 0.0f};
    d.dc = a->scale * (vn_expf(vn_log_share(x.z, x.row)) + vn_expf(vn_log_share(x.z, x.col)));
    return d;
}

/* ... which is once too often for own cells that stand there once. */
static float
mil(const vn_sample *s, const vn_term_args *a)
{
    vn_stat all = s->row;
    int64_t n = s->n[OWN];
    for (int64_t k = 0; k < n; k++)
        s->z[k] = a->scale * s->c[OWN][k];
    vn_stat own = vn_lse(s->z, n, 0.0f);
    for (int64_t k = 0; k < n; k++) {
        float again = a->param[0] == 0.0f ? vn_expf(vn_log_share(s->z[k], all)) : 0.0f;
        s->dc[OWN][k] = -a->scale * (again + vn_expf(vn_log_share(s->z[k], own)));
    }
    return vn_gap(all, own);
}

#define VN_TERM        mil
#define VN_TERM_DOC    "an image with its bag of further captions, against all bags and all images"
#define VN_TERM_GRAD   grad
#define VN_TERM_OWN    mil
#define VN_TERM_FINISH finish
#include "../vn_term_body.h"
