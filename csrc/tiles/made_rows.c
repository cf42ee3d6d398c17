/* Made rows by themselves: rows, gradients and cosines, for those who look at them or use them elsewhere. */
#include "vn_cells.h"

typedef struct rows_job {
    const vn_tiles *t;
    const vn_made_rows *out;
    const float *drow;
    float *cosine;
    int anchor;
} rows_job;

typedef void slot_body(const rows_job *job, int64_t i, int m, const vn_blend *b, vn_anchor *a, const vn_cells *x);

static void
each_slot(const rows_job *job, int64_t l, int worker, slot_body *body)
{
    const vn_tiles *t = job->t;
    vn_cells x = VN_FN(cells_of)(t, worker);
    int64_t begin, end;
    vn_group_range(t, VN_IMAGE, l, &begin, &end);
    for (int64_t p = begin; p < end; p++) {
        int64_t i = vn_live_row(&t->live[VN_IMAGE], p);
        vn_anchor a = {t->in.x[job->anchor] + i * t->in.E, i, {0}, {0}, {0}, {0}};
        for (int m = 0; m < t->in.made->slots; m++) {
            vn_blend b;
            if (VN_FN(made_of)(t, m, i, &b))
                body(job, i, m, &b, &a, &x);
        }
    }
}

static void
forward_slot(const rows_job *job, int64_t i, int m, const vn_blend *b, vn_anchor *a, const vn_cells *x)
{
    int64_t at = i * job->t->in.made->slots + m;
    (void)a, (void)x;
    VN_FN(made_row)(job->t, b, job->out->row + at * job->t->in.E);
    job->out->valid[at] = 1;
    job->out->mu[at] = b->mu;
    job->out->partner[at] = b->partner;
}

static void
forward_group(void *arg, int64_t l, int worker)
{
    each_slot(arg, l, worker, forward_slot);
}

void
VN_FN(made_forward)(const vn_tiles *t, const vn_made_rows *out)
{
    rows_job job = {t, out, NULL, NULL, VN_IMAGE};
    size_t count = (size_t)(t->in.B * t->in.made->slots);
    memset(out->row, 0, count * (size_t)t->in.E * sizeof(float));
    memset(out->valid, 0, count);
    memset(out->mu, 0, count * sizeof(float));
    memset(out->partner, 0xff, count * sizeof(int32_t)); /* -1 */
    vn_parallel_for(t->groups, forward_group, &job);
}

static void
backward_slot(const rows_job *job, int64_t i, int m, const vn_blend *b, vn_anchor *a, const vn_cells *x)
{
    int64_t E = job->t->in.E;
    (void)a;
    float rho = VN_FN(made_row)(job->t, b, x->right);
    memcpy(x->dright, job->drow + (i * job->t->in.made->slots + m) * E, (size_t)E * sizeof(float));
    VN_FN(made_pull)(job->t, b, x->right, rho, x->dright, job->t->in.dx);
}

static void
backward_group(void *arg, int64_t l, int worker)
{
    each_slot(arg, l, worker, backward_slot);
}

void
VN_FN(made_backward)(const vn_tiles *t, const float *drow)
{
    rows_job job = {t, NULL, drow, NULL, VN_IMAGE};
    for (int set = 0; set < VN_NEG_IMAGE; set++)
        if (t->in.given[set] > 0)
            memset(t->in.dx[set], 0, (size_t)(t->in.B * t->in.given[set] * t->in.E) * sizeof(float));
    vn_jobs_run(t, backward_group, &job, 1);
}

static void
cosine_slot(const rows_job *job, int64_t i, int m, const vn_blend *b, vn_anchor *a, const vn_cells *x)
{
    float rho;
    job->cosine[i * job->t->in.made->slots + m] = VN_FN(anchor_cosine)(job->t, a, b, x->right, &rho);
}

static void
cosine_group(void *arg, int64_t l, int worker)
{
    each_slot(arg, l, worker, cosine_slot);
}

void
VN_FN(made_cosines)(const vn_tiles *t, float *cosine, int anchor)
{
    rows_job job = {t, NULL, NULL, cosine, anchor};
    memset(cosine, 0, (size_t)(t->in.B * t->in.made->slots) * sizeof(float));
    vn_parallel_for(t->groups, cosine_group, &job);
}
