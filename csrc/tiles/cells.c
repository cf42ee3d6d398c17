/* Arithmetic of one tile: cosines to running statistics in the first pass, to dL/dc in the second. */
#include "vn_cells.h"

vn_cells
VN_FN(cells_of)(const vn_tiles *t, int worker)
{
    vn_cells x;
    size_t tile = VN_TILE_ROWS * VN_TILE_PITCH, E = (size_t)t->in.E;
    x.c = t->scratch + (size_t)worker * t->scratch_floats;
    x.g = x.c + tile;
    x.kind = (uint8_t *)(x.g + tile);
    x.z = x.g + tile + tile / 4;
    x.loss = x.z + VN_TILE_PITCH;
    x.left = x.loss + VN_TILE_PITCH;
    x.right = x.left + VN_TILE_ROWS * E;
    x.dleft = x.right + VN_TILE_COLS * E;
    x.dright = x.dleft + VN_TILE_ROWS * E;
    x.lrho = x.dright + VN_TILE_COLS * E;
    x.rrho = x.lrho + VN_TILE_ROWS;
    return x;
}

static vn_term_args
args_of(const vn_tiles *t, int u)
{
    const vn_use *use = &t->objective->use[u];
    vn_term_args a;
    a.scale = t->in.scale;
    a.weight = use->weight / (float)VN_MAX(t->live[t->mean[u]].samples, 1);
    memcpy(a.param, use->param, sizeof a.param);
    return a;
}

/* what a twin is to a term: only a true caption can be a further pair, a negative that is true is none */
static int
twin_of(const vn_use *use, const vn_block *b)
{
    if (use->twins == VN_TWINS_OFF)
        return VN_OTHER;
    return use->twins == VN_TWINS_SOFT && b->cols == VN_TEXT ? VN_PAIR : VN_MASKED;
}

/* the part of a strip that does not change from row to row */
static vn_strip
strip_of(const vn_tiles *t, const vn_block *b, const vn_reader *r, const vn_cells *x, const vn_place *at)
{
    vn_strip s;
    const vn_use *use = &t->objective->use[r->use];
    const vn_running *col = &t->stat[r->use][b->cols];
    int joined = (r->how & VN_BY_COL) != 0, soft = use->twins == VN_TWINS_SOFT && b->cols == VN_TEXT;
    memset(&s, 0, sizeof s);
    s.n = at->cols;
    s.col_top = joined ? col->top + at->c0 : t->infinity;
    s.col_log = joined ? col->sum + at->c0 : t->zero;
    s.col_share = soft ? t->share[1] + at->c0 : t->one;
    s.loss = x->loss;
    s.reading = r->reading;
    s.twin = twin_of(use, b);
    return s;
}

/* folds z (n), padded with -inf to whole vectors, into a running maximum and sum */
static void
fold_row(float *top, float *sum, float *z, int64_t n)
{
    vn_vf high = vn_vset(*top), total = vn_vset(0.0f);
    for (int64_t j = 0; j < n; j += VN_LANES)
        high = vn_vmax(high, vn_vload(z + j));
    float now = vn_vtop(high);
    if (now == -INFINITY)
        return;
    for (int64_t j = 0; j < n; j += VN_LANES)
        total += vn_vexp(vn_vload(z + j) - now);
    *sum = *sum * vn_expf(*top - now) + vn_vsum(total);
    *top = now;
}

/* the same for the columns of a tile of values; a column without a value stays empty, (-inf, 0) */
static void
fold_cols(float *top, float *sum, const float *z, int64_t rows, int64_t cols)
{
    for (int64_t j = 0; j < cols; j += VN_LANES) {
        int64_t n = VN_MIN(VN_LANES, cols - j); /* what lies behind the last column is another job's */
        vn_vf was = vn_vload_part(top + j, n, -INFINITY), now = was;
        for (int64_t i = 0; i < rows; i++)
            now = vn_vmax(now, vn_vload(z + i * VN_TILE_PITCH + j));
        vn_vf base = vn_vpick(now == -INFINITY, vn_vset(0.0f), now);
        vn_vf total = vn_vload_part(sum + j, n, 0.0f) * vn_vexp(was - base);
        for (int64_t i = 0; i < rows; i++)
            total += vn_vexp(vn_vload(z + i * VN_TILE_PITCH + j) - base);
        vn_vstore_part(sum + j, total, n);
        vn_vstore_part(top + j, now, n);
    }
}

void
VN_FN(cells_reduce)(const vn_tiles *t, const vn_block *b, const vn_cells *x, const vn_place *at)
{
    for (int k = 0; k < b->readers; k++) {
        const vn_reader *r = &b->reader[k];
        const vn_use *use = &t->objective->use[r->use];
        const vn_term *term = VN_FN(terms)[use->term];
        vn_running row = t->stat[r->use][b->rows], col = t->stat[r->use][b->cols];
        vn_term_args args = args_of(t, r->use);
        vn_strip s = strip_of(t, b, r, x, at);
        for (int64_t i = 0; i < at->rows; i++) {
            s.c = x->c + i * VN_TILE_PITCH;
            s.kind = x->kind + i * VN_TILE_PITCH;
            s.z = x->g + i * VN_TILE_PITCH;
            term->values(&s, &args);
            for (int64_t j = s.n; j % VN_LANES != 0; j++)
                s.z[j] = -INFINITY;
            if ((r->how & VN_BY_ROW) != 0)
                fold_row(row.top + at->r0 + i, row.sum + at->r0 + i, s.z, s.n);
        }
        if ((r->how & VN_BY_COL) != 0)
            fold_cols(col.top + at->c0, col.sum + at->c0, x->g, at->rows, at->cols);
    }
}

/* adds in double what a tile summed column by column */
static double
total(const float *x, int64_t n)
{
    double sum = 0.0;
    for (int64_t j = 0; j < n; j++)
        sum += (double)x[j];
    return sum;
}

void
VN_FN(cells_grad)(const vn_tiles *t, const vn_block *b, const vn_cells *x, const vn_place *at)
{
    size_t line = (size_t)at->cols * sizeof(float);
    for (int64_t i = 0; i < at->rows; i++)
        memset(x->g + i * VN_TILE_PITCH, 0, line);
    for (int k = 0; k < b->readers; k++) {
        const vn_reader *r = &b->reader[k];
        const vn_use *use = &t->objective->use[r->use];
        const vn_term *term = VN_FN(terms)[use->term];
        vn_running row = t->stat[r->use][b->rows];
        vn_term_args args = args_of(t, r->use);
        vn_strip s = strip_of(t, b, r, x, at);
        memset(x->loss, 0, line);
        s.z = x->z;
        for (int64_t i = 0; i < at->rows; i++) {
            int joined = (r->how & VN_BY_ROW) != 0;
            s.c = x->c + i * VN_TILE_PITCH;
            s.kind = x->kind + i * VN_TILE_PITCH;
            s.g = x->g + i * VN_TILE_PITCH;
            s.row.top = joined ? row.top[at->r0 + i] : INFINITY;
            s.row.log = joined ? row.sum[at->r0 + i] : 0.0f;
            s.row_share = use->twins == VN_TWINS_SOFT && b->rows == VN_IMAGE ? t->share[0][at->r0 + i] : 1.0f;
            term->values(&s, &args);
            term->grads(&s, &args);
        }
        t->loss[at->group * t->objective->terms + r->use] += total(x->loss, at->cols);
    }
    for (int64_t i = 0; i < at->rows; i++) /* a logit is scale * c */
        t->dlog[at->group] += (double)vn_dot(x->c + i * VN_TILE_PITCH, x->g + i * VN_TILE_PITCH, at->cols);
}
