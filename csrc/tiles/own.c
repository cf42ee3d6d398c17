/* Cells inside a sample: an image and its own negative captions. All rows of a sample belong to one job. */
#include "vn_cells.h"

typedef struct own_job {
    const vn_tiles *t;
    const vn_block *b;
    vn_pass pass;
} own_job;

/* the next valid slot of sample i, from *k on; K when there is none */
static int64_t
next_valid(const vn_rows *in, int64_t i, int64_t k)
{
    while (k < in->K && in->valid != NULL && !in->valid[i * in->K + k])
        k++;
    return k;
}

/* y (n) += a x */
static void
add_scaled(float *VN_RESTRICT y, float a, const float *VN_RESTRICT x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

/* cosines and kinds of the valid slots from *k on, as many as a tile has columns; returns their number */
static int64_t
multiply(const own_job *job, int64_t i, int64_t *k, int64_t *slot, const vn_cells *x)
{
    const vn_rows *in = &job->t->in;
    const float *row = in->x[job->b->rows] + i * in->E;
    int64_t n = 0;
    for (*k = next_valid(in, i, *k); *k < in->K && n < VN_TILE_COLS; *k = next_valid(in, i, *k + 1)) {
        slot[n] = i * in->K + *k;
        x->kind[n] = VN_FN(twins_own)(job->t, i, *k) ? VN_TWIN : VN_OTHER;
        x->c[n] = vn_dot(row, in->x[job->b->cols] + slot[n] * in->E, in->E);
        n++;
    }
    return n;
}

static void
run_group(void *arg, int64_t l, int worker)
{
    const own_job *job = arg;
    const vn_tiles *t = job->t;
    const vn_block *b = job->b;
    const vn_rows *in = &t->in;
    vn_cells x = VN_FN(cells_of)(t, worker);
    int64_t begin, end, slot[VN_TILE_COLS];
    vn_group_range(t, t->live[b->rows].n, l, &begin, &end);
    for (int64_t p = begin; p < end; p++) {
        int64_t i = vn_live_row(&t->live[b->rows], p), n, k = 0;
        while ((n = multiply(job, i, &k, slot, &x)) > 0) {
            vn_place at = {l, p, 1, 0, n};
            if (job->pass == VN_REDUCE) {
                VN_FN(cells_reduce)(t, b, &x, &at);
                continue;
            }
            VN_FN(cells_grad)(t, b, &x, &at);
            for (int64_t j = 0; job->pass == VN_BACKWARD && j < n; j++) {
                add_scaled(in->dx[b->rows] + i * in->E, x.g[j], in->x[b->cols] + slot[j] * in->E, in->E);
                add_scaled(in->dx[b->cols] + slot[j] * in->E, x.g[j], in->x[b->rows] + i * in->E, in->E);
            }
        }
    }
}

void
VN_FN(own_run)(const vn_tiles *t, const vn_block *b, vn_pass pass)
{
    own_job job = {t, b, pass};
    vn_parallel_for(t->groups, run_group, &job);
}

/* how many negatives are told apart: their cosine with the image is below the true caption's */
static void
count_group(void *arg, int64_t l, int worker)
{
    const vn_tiles *t = arg;
    const vn_rows *in = &t->in;
    int64_t begin, end;
    (void)worker;
    vn_group_range(t, t->live[VN_IMAGE].n, l, &begin, &end);
    for (int64_t p = begin; p < end; p++) {
        int64_t i = vn_live_row(&t->live[VN_IMAGE], p);
        const float *image = in->x[VN_IMAGE] + i * in->E;
        float pair = vn_dot(image, in->x[VN_TEXT] + i * in->E, in->E);
        for (int64_t k = next_valid(in, i, 0); k < in->K; k = next_valid(in, i, k + 1)) {
            t->counts[2 * l] += 1;
            t->counts[2 * l + 1] += vn_dot(image, in->x[VN_NEG_TEXT] + (i * in->K + k) * in->E, in->E) < pair;
        }
    }
}

void
VN_FN(own_count)(const vn_tiles *t)
{
    memset(t->counts, 0, 2 * (size_t)t->groups * sizeof *t->counts);
    if (t->live[VN_NEG_TEXT].n > 0)
        vn_parallel_for(t->groups, count_group, (void *)t);
}
