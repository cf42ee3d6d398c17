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
    x.pair = x.rrho + VN_TILE_COLS;
    x.own = x.pair + VN_TILE_PITCH;
    x.teacher = x.own + VN_FN(own_floats)(t);
    return x;
}

static float
fixed_scale(const vn_use *use)
{
    const vn_term *term = VN_FN(terms)[use->term];
    return term->fixed != NULL ? term->fixed(use->param) : 0.0f;
}

int
VN_FN(scaling_of)(const vn_use *use)
{
    return fixed_scale(use) > 0.0f ? 2 : VN_FN(terms)[use->term]->scaling == VN_BIASED ? 0 : 1;
}

vn_term_args
VN_FN(term_args)(const vn_tiles *t, int u)
{
    const vn_use *use = &t->objective->use[u];
    const vn_live *live = &t->live[t->mean[u] == VN_SETS ? VN_NEG_TEXT : t->mean[u]];
    float fixed = fixed_scale(use);
    int64_t samples = use->open ? live->samples : live->valid_samples;
    vn_term_args a;
    if (t->mean[u] == VN_SETS)
        samples = t->paired;
    else if (t->with[u] != 0)
        samples = t->both[u];
    a.scale = fixed > 0.0f ? fixed : t->in.scale;
    a.learned = t->in.scale;
    a.bias = t->in.bias;
    a.samples = (float)samples;
    a.weight = use->weight / (float)VN_MAX(samples, 1);
    a.cells = (float)(use->open ? live->n : live->valid);
    a.rows = (float)t->live[VN_IMAGE].n;
    a.slots = (float)live->per;
    a.log_joined = t->log_joined[u];
    a.state = t->in.state[u];
    memcpy(a.param, use->param, sizeof a.param);
    return a;
}

/* only a true caption can be a further pair, a negative that is true is none */
int
VN_FN(seen_twin)(const vn_use *use, const vn_block *b)
{
    if (use->twins == VN_TWINS_OFF)
        return VN_OTHER;
    int captions = b->cols == VN_TEXT && b->rows == VN_IMAGE, taught = b->cols == VN_TEACHER_TEXT;
    return use->twins == VN_TWINS_SOFT && (captions || taught) ? VN_PAIR : VN_MASKED;
}

int
VN_FN(seen_void)(const vn_use *use)
{
    return use->open ? VN_OTHER : VN_MASKED;
}

/* the part of a strip that does not change from row to row */
static vn_strip
strip_of(const vn_tiles *t, const vn_block *b, const vn_reader *r, const vn_cells *x, const vn_place *at)
{
    vn_strip s;
    const vn_use *use = &t->objective->use[r->use];
    const vn_running *col = &t->stat[r->use][b->cols], *teacher = &t->stat[r->use][VN_TEACHER_TEXT];
    int joined = (r->how & VN_BY_COL) != 0, taught = (r->how & VN_TEACHER) != 0;
    int soft = VN_FN(seen_twin)(use, b) == VN_PAIR;
    memset(&s, 0, sizeof s);
    s.n = at->cols;
    s.col_top = joined ? col->top + at->c0 : t->infinity;
    s.col_log = joined ? col->sum + at->c0 : t->zero;
    s.col_share = soft ? t->share[1] + at->c0 : t->one;
    s.col_pair = x->pair;
    s.teacher = t->zero;
    s.teacher_top = taught ? teacher->top + at->c0 : t->infinity;
    s.teacher_log = taught ? teacher->sum + at->c0 : t->zero;
    s.loss = x->loss;
    s.j = (int32_t)at->c0;
    s.reading = r->reading;
    s.twin = VN_FN(seen_twin)(use, b);
    s.hollow = VN_FN(seen_void)(use);
    return s;
}

/* the part that does */
static void
strip_row(const vn_tiles *t, const vn_block *b, const vn_reader *r, const vn_cells *x, const vn_place *at, int64_t i,
          vn_strip *s)
{
    const vn_running *row = &t->stat[r->use][b->rows], *teacher = &t->stat[r->use][VN_TEACHER_IMAGE];
    int64_t p = at->r0 + i, sample = vn_live_row(&t->live[b->rows], p) / t->live[b->rows].per;
    int joined = (r->how & VN_BY_ROW) != 0, taught = (r->how & VN_TEACHER) != 0;
    int soft = VN_FN(seen_twin)(&t->objective->use[r->use], b) == VN_PAIR;
    s->i = (int32_t)p;
    s->c = x->c + i * VN_TILE_PITCH;
    s->kind = x->kind + i * VN_TILE_PITCH;
    s->row.top = joined ? row->top[p] : INFINITY;
    s->row.log = joined ? row->sum[p] : 0.0f;
    s->row_share = soft ? t->share[0][p] : 1.0f;
    s->row_pair = t->pair[sample];
    s->teacher = taught ? x->teacher + i * VN_TILE_PITCH : t->zero;
    s->teacher_row.top = taught ? teacher->top[p] : INFINITY;
    s->teacher_row.log = taught ? teacher->sum[p] : 0.0f;
}

/* cosines of the true pairs of the columns' samples */
static void
find_pairs(const vn_tiles *t, const vn_block *b, const vn_cells *x, const vn_place *at)
{
    const vn_live *live = &t->live[b->cols];
    for (int64_t j = 0; j < at->cols; j++)
        x->pair[j] = t->pair[vn_live_row(live, at->c0 + j) / live->per];
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

/* folds z (n) into a running maximum and the number of cells that reach it */
static void
fold_top(float *top, float *sum, const float *z, int64_t n, int64_t step)
{
    float now = *top;
    for (int64_t j = 0; j < n; j++)
        now = VN_MAX(now, z[j * step]);
    if (now == -INFINITY)
        return;
    float count = now == *top ? *sum : 0.0f;
    for (int64_t j = 0; j < n; j++)
        count += z[j * step] == now ? 1.0f : 0.0f;
    *top = now;
    *sum = count;
}

static double
count_cells(const float *z, int64_t n)
{
    int count = 0;
    for (int64_t j = 0; j < n; j++)
        count += z[j] > -INFINITY;
    return count;
}

/* the same as fold_row for the columns of a tile of values; a column without a value stays empty, (-inf, 0) */
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

/* own cells of a tile of values join no column */
static void
leave_own(const vn_tiles *t, const vn_block *b, float *z, const vn_place *at)
{
    for (int64_t i = 0; i < at->rows; i++) {
        int64_t sample = vn_live_row(&t->live[b->rows], at->r0 + i) / t->live[b->rows].per;
        for (int64_t j = 0; j < at->cols; j++)
            if (vn_live_row(&t->live[b->cols], at->c0 + j) / t->live[b->cols].per == sample)
                z[i * VN_TILE_PITCH + j] = -INFINITY;
    }
}

void
VN_FN(cells_reduce)(const vn_tiles *t, const vn_block *b, const vn_cells *x, const vn_place *at)
{
    find_pairs(t, b, x, at);
    for (int k = 0; k < b->readers; k++) {
        const vn_reader *r = &b->reader[k];
        const vn_term *term = VN_FN(terms)[t->objective->use[r->use].term];
        vn_running row = t->stat[r->use][b->rows], col = t->stat[r->use][b->cols];
        vn_term_args args = VN_FN(term_args)(t, r->use);
        vn_strip s = strip_of(t, b, r, x, at);
        int by_col = (r->how & VN_BY_COL) != 0 && b->rows != b->cols; /* of a set with itself, columns are rows */
        if ((r->how & (VN_BY_ROW | VN_BY_COL)) == 0)
            continue;
        for (int64_t i = 0; i < at->rows; i++) {
            strip_row(t, b, r, x, at, i, &s);
            s.z = x->g + i * VN_TILE_PITCH;
            term->values(&s, &args);
            for (int64_t j = s.n; j % VN_LANES != 0; j++)
                s.z[j] = -INFINITY;
            if ((r->how & VN_BY_ROW) == 0)
                continue;
            if (term->reduction == VN_WHOLE)
                t->joined[at->group * t->objective->terms + r->use] += count_cells(s.z, s.n);
            if (term->reduction == VN_MAX_OF)
                fold_top(row.top + at->r0 + i, row.sum + at->r0 + i, s.z, s.n, 1);
            else
                fold_row(row.top + at->r0 + i, row.sum + at->r0 + i, s.z, s.n);
        }
        if (by_col && (r->how & VN_OTHERS) != 0)
            leave_own(t, b, x->g, at);
        if (by_col && term->reduction == VN_MAX_OF)
            for (int64_t j = 0; j < at->cols; j++)
                fold_top(col.top + at->c0 + j, col.sum + at->c0 + j, x->g + j, at->rows, VN_TILE_PITCH);
        else if (by_col)
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

/* one reader's part of g, and of its loss */
static void
grad_reader(const vn_tiles *t, const vn_block *b, const vn_reader *r, const vn_cells *x, const vn_place *at)
{
    const vn_term *term = VN_FN(terms)[t->objective->use[r->use].term];
    vn_term_args args = VN_FN(term_args)(t, r->use);
    vn_strip s = strip_of(t, b, r, x, at);
    memset(x->loss, 0, (size_t)at->cols * sizeof(float));
    s.z = x->z;
    for (int64_t i = 0; i < at->rows; i++) {
        strip_row(t, b, r, x, at, i, &s);
        s.g = x->g + i * VN_TILE_PITCH;
        term->values(&s, &args);
        term->grads(&s, &args);
    }
    t->loss[at->group * t->objective->terms + r->use] += total(x->loss, at->cols);
}

void
VN_FN(cells_grad)(const vn_tiles *t, const vn_block *b, const vn_cells *x, const vn_place *at)
{
    int k = 0;
    find_pairs(t, b, x, at);
    for (int64_t i = 0; i < at->rows; i++)
        memset(x->g + i * VN_TILE_PITCH, 0, (size_t)at->cols * sizeof(float));
    /* readers stand in this order: their g is all that is there when the bias is summed, then the scale */
    for (; k < b->readers && VN_FN(scaling_of)(&t->objective->use[b->reader[k].use]) == 0; k++)
        grad_reader(t, b, &b->reader[k], x, at);
    for (int64_t i = 0; k > 0 && i < at->rows; i++)
        t->dbias[at->group] += total(x->g + i * VN_TILE_PITCH, at->cols) / (double)t->in.scale;
    for (; k < b->readers && VN_FN(scaling_of)(&t->objective->use[b->reader[k].use]) == 1; k++)
        grad_reader(t, b, &b->reader[k], x, at);
    for (int64_t i = 0; k > 0 && i < at->rows; i++)
        t->dlog[at->group] += (double)vn_dot(x->c + i * VN_TILE_PITCH, x->g + i * VN_TILE_PITCH, at->cols);
    for (; k < b->readers; k++)
        grad_reader(t, b, &b->reader[k], x, at);
}
