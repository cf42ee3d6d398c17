/* Cells inside a sample that terms see one by one: a row and its own negatives. All rows of a sample belong to one
 * job. */
#include "vn_cells.h"

typedef struct diag_job {
    const vn_tiles *t;
    const vn_block *b;
    vn_pass pass;
} diag_job;

typedef struct diag_slots {
    int64_t number[VN_TILE_COLS], n;
} diag_slots;

/* cosines and kinds of sample i's live slots from *place on, as many as a tile has columns */
static void
multiply(const diag_job *job, vn_anchor *a, int64_t *place, int64_t end, diag_slots *s, const vn_cells *x)
{
    const vn_tiles *t = job->t;
    int set = job->b->cols;
    const vn_live *live = &t->live[set];
    int64_t E = t->in.E, given;
    for (s->n = 0; *place < end && s->n < VN_TILE_COLS; (*place)++, s->n++) {
        int64_t number = vn_live_row(live, *place), j = s->n;
        if (number / live->per != a->sample)
            return;
        int made = vn_made_number(t, set, number, &given);
        vn_blend b;
        s->number[j] = number;
        x->kind[j] = VN_FN(own_kind)(t, a->sample, set, number % live->per);
        if (made >= 0 && VN_FN(made_of)(t, made, a->sample, &b))
            x->c[j] = VN_FN(anchor_cosine)(t, a, &b, x->right + j * E, x->rrho + j);
        else
            x->c[j] = set == job->b->rows ? 1.0f : vn_dot(a->x, t->in.x[set] + given * E, E);
    }
}

/* derivatives g of these cells to the gradients of their rows */
static void
pull(const diag_job *job, vn_anchor *a, const diag_slots *s, const vn_cells *x)
{
    const vn_tiles *t = job->t;
    int set = job->b->cols;
    int64_t E = t->in.E, given;
    float *da = t->in.dx[job->b->rows] + a->sample * E;
    for (int64_t j = 0; j < s->n; j++) {
        int made = vn_made_number(t, set, s->number[j], &given);
        vn_blend b;
        if (made >= 0 && VN_FN(made_of)(t, made, a->sample, &b)) {
            VN_FN(anchor_pull)(t, a, &b, x->g[j], x->right + j * E, x->rrho[j], x->dright, da);
            continue;
        }
        vn_add_scaled(da, x->g[j], t->in.x[set] + given * E, E);
        vn_add_scaled(t->in.dx[set] + given * E, x->g[j], a->x, E);
    }
}

static void
run_group(void *arg, int64_t l, int worker)
{
    const diag_job *job = arg;
    const vn_tiles *t = job->t;
    const vn_block *b = job->b;
    vn_cells x = VN_FN(cells_of)(t, worker);
    diag_slots slots;
    int64_t E = t->in.E, begin, end, place, last;
    vn_group_range(t, b->rows, l, &begin, &end);
    vn_group_range(t, b->cols, l, &place, &last);
    for (int64_t p = begin; p < end; p++) {
        int64_t i = vn_live_row(&t->live[b->rows], p);
        vn_anchor a = {t->in.x[b->rows] + i * E, i, {0}, {0}, {0}, {0}};
        while (multiply(job, &a, &place, last, &slots, &x), slots.n > 0) {
            vn_place at = {l, p, 1, 0, slots.n};
            if (job->pass == VN_REDUCE) {
                VN_FN(cells_reduce)(t, b, &x, &at);
                continue;
            }
            VN_FN(cells_grad)(t, b, &x, &at);
            if (job->pass == VN_BACKWARD && b->rows != b->cols)
                pull(job, &a, &slots, &x);
        }
        if (job->pass == VN_BACKWARD)
            VN_FN(anchor_finish)(t, &a, t->in.dx[b->rows] + i * E);
    }
}

void
VN_FN(diag_run)(const vn_tiles *t, const vn_block *b, vn_pass pass)
{
    diag_job job = {t, b, pass};
    vn_jobs_run(t, run_group, &job, pass == VN_BACKWARD);
}
