/* Between the passes: running sums become logarithms, and terms combine what they reduced. */
#include "vn_cells.h"

/* one log-sum-exp of all rows, in the place of each, and of how many cells it is */
static void
join_rows(vn_tiles *t, int u, const vn_running *s, int64_t n)
{
    double joined = 0.0;
    for (int64_t l = 0; l < t->groups; l++)
        joined += t->joined[l * t->objective->terms + u];
    t->log_joined[u] = (float)log(VN_MAX(joined, 1.0));
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

/* a row that no cell joined gives every cell the share 0 */
static void
close_empty(const vn_tiles *t, const vn_running *s, int set)
{
    for (int64_t i = 0; s->top != NULL && i < t->live[set].n; i++)
        if (s->top[i] == -INFINITY) {
            s->top[i] = INFINITY;
            s->sum[i] = 0.0f;
        }
}

static int
is_hollow(const vn_tiles *t, int u, int set, int64_t number)
{
    int64_t per = t->live[set].per;
    return !t->objective->use[u].open && !VN_FN(slot_valid)(t, set, number / per, number % per);
}

/* each sample's row and those of its own columns that the term sees, as its finish() wants them */
static void
finish_samples(const vn_tiles *t, int u, const vn_reading *r, const vn_running *row, const vn_running *col)
{
    vn_term_args args = VN_FN(term_args)(t, u);
    const vn_live *columns = &t->live[r->cols];
    vn_stat *own = (vn_stat *)t->scratch; /* no worker runs now */
    int64_t at = 0, end, n;
    for (int64_t p = 0; p < t->live[r->rows].n; p++) {
        int64_t sample = vn_live_row(&t->live[r->rows], p);
        vn_stat whole = {row->top[p], row->sum[p]};
        for (n = 0, end = at; end < columns->n && vn_live_row(columns, end) / columns->per == sample; end++) {
            own[n].top = col->top[end];
            own[n].log = col->sum[end];
            n += !is_hollow(t, u, r->cols, vn_live_row(columns, end));
        }
        VN_FN(terms)[t->objective->use[u].term]->finish(&whole, own, n, &args);
        row->top[p] = whole.top;
        row->sum[p] = whole.log;
        for (n = 0; at < end; at++) {
            col->top[at] = own[n].top;
            col->sum[at] = own[n].log;
            n += !is_hollow(t, u, r->cols, vn_live_row(columns, at));
        }
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
VN_FN(finish_run)(vn_tiles *t)
{
    for (int u = 0; u < t->objective->terms; u++) {
        const vn_term *term = VN_FN(terms)[t->objective->use[u].term];
        const vn_reading *r = reduced(t, u);
        for (int set = 0; set < VN_SETS; set++)
            for (int64_t i = 0; t->stat[u][set].top != NULL && i < t->live[set].n; i++)
                t->stat[u][set].sum[i] = logf(t->stat[u][set].sum[i]);
        if (r != NULL && term->reduction == VN_WHOLE)
            join_rows(t, u, &t->stat[u][r->rows], t->live[r->rows].n);
        if (r != NULL && term->finish != NULL)
            finish_samples(t, u, r, &t->stat[u][r->rows], &t->stat[u][r->cols]);
        for (int set = 0; set < VN_SETS; set++)
            close_empty(t, &t->stat[u][set], set);
    }
    for (int64_t i = 0; t->share[0] != NULL && i < t->live[VN_IMAGE].n; i++) {
        t->share[0][i] = 1.0f / t->share[0][i];
        t->share[1][i] = 1.0f / t->share[1][i];
    }
}
