/* Between the passes: running sums become logarithms, and terms combine what they reduced. */
#include "vn_cells.h"

/* one log-sum-exp of all rows, in the place of each */
static void
join_rows(const vn_running *s, int64_t n)
{
    float top = -INFINITY;
    double sum = 0.0;
    for (int64_t p = 0; p < n; p++)
        top = VN_MAX(top, s->top[p]);
    for (int64_t p = 0; p < n && top > -INFINITY; p++)
        sum += (double)vn_expf(s->top[p] - top + s->sum[p]);
    for (int64_t p = 0; p < n; p++) {
        s->top[p] = top;
        s->sum[p] = (float)log(sum);
    }
}

/* each sample's row and its own columns, which stand one after another, as the term's finish() wants them */
static void
finish_samples(const vn_tiles *t, int u, const vn_reading *r, const vn_running *row, const vn_running *col)
{
    vn_term_args args = VN_FN(term_args)(t, u);
    const vn_live *columns = &t->live[r->cols];
    vn_stat *own = (vn_stat *)t->scratch; /* no worker runs now */
    int64_t at = 0, n;
    for (int64_t p = 0; p < t->live[r->rows].n; p++) {
        int64_t sample = vn_live_row(&t->live[r->rows], p);
        vn_stat whole = {row->top[p], row->sum[p]};
        for (n = 0; at + n < columns->n && vn_live_row(columns, at + n) / columns->per == sample; n++) {
            own[n].top = col->top[at + n];
            own[n].log = col->sum[at + n];
        }
        VN_FN(terms)[t->objective->use[u].term]->finish(&whole, own, n, &args);
        row->top[p] = whole.top;
        row->sum[p] = whole.log;
        for (int64_t k = 0; k < n; k++) {
            col->top[at + k] = own[k].top;
            col->sum[at + k] = own[k].log;
        }
        at += n;
    }
}

/* the reading of a use that joins both rows and columns, or rows alone; NULL: none */
static const vn_reading *
reduced(const vn_tiles *t, int u)
{
    for (int b = 0; b < t->blocks; b++)
        for (int k = 0; k < t->block[b].readers; k++) {
            const vn_reader *r = &t->block[b].reader[k];
            if (r->use == u && (r->how & VN_BY_ROW) != 0)
                return &VN_FN(terms)[t->objective->use[u].term]->reads[r->reading];
        }
    return NULL;
}

void
VN_FN(finish_run)(const vn_tiles *t)
{
    for (int u = 0; u < t->objective->terms; u++) {
        const vn_term *term = VN_FN(terms)[t->objective->use[u].term];
        const vn_reading *r = reduced(t, u);
        for (int set = 0; set < VN_SETS; set++)
            for (int64_t i = 0; t->stat[u][set].top != NULL && i < t->live[set].n; i++)
                t->stat[u][set].sum[i] = logf(t->stat[u][set].sum[i]);
        if (r != NULL && term->reduction == VN_WHOLE)
            join_rows(&t->stat[u][r->rows], t->live[r->rows].n);
        if (r != NULL && term->finish != NULL)
            finish_samples(t, u, r, &t->stat[u][r->rows], &t->stat[u][r->cols]);
    }
    for (int64_t i = 0; i < t->live[VN_IMAGE].n; i++) {
        t->share[0][i] = 1.0f / t->share[0][i];
        t->share[1][i] = 1.0f / t->share[1][i];
    }
}
