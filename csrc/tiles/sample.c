/* Terms that see a sample's own cells together. All cells of a sample are computed once, whoever reads them; each term
 * gets those that it may see one after another, and what it says of them goes back to the rows. */
#include "vn_cells.h"

/* Where the cells of VN_OWN block b lie among a worker's: n of them, with their slots. */
typedef struct own_block {
    vn_anchor anchor;
    int64_t first, n, number; /* number: among blocks that have made columns */
} own_block;

typedef struct own_cells {
    float *c, *both, *left; /* cosines; weighted dL/dc that flows to both sides, to the row alone */
    int32_t *slot;
    uint8_t *kind;
    float *seen_c, *seen_dc, *z; /* those of one term */
    int32_t *seen_slot, *seen_at;
    own_block block[VN_MAX_BLOCKS];
} own_cells;

typedef struct own_job {
    const vn_tiles *t;
    vn_pass pass;
} own_job;

static int64_t
cells_in(const vn_tiles *t)
{
    int64_t cells = 0;
    for (int b = 0; b < t->blocks; b++)
        if (t->block[b].kind == VN_OWN)
            cells += t->live[t->block[b].cols].per;
    return cells;
}

int64_t
VN_FN(own_floats)(const vn_tiles *t)
{
    return cells_in(t) * 15;
}

static void
lay_out(const vn_tiles *t, const vn_cells *x, own_cells *o)
{
    int64_t n = t->own_cells;
    o->c = x->own;
    o->both = o->c + n;
    o->left = o->both + n;
    o->slot = (int32_t *)(o->left + n);
    o->kind = (uint8_t *)(o->slot + n);
    o->seen_c = o->left + 3 * n;
    n *= 2; /* a term may read a block as it is, and for its rows alone */
    o->seen_dc = o->seen_c + n;
    o->z = o->seen_dc + n;
    o->seen_slot = (int32_t *)(o->z + n);
    o->seen_at = o->seen_slot + n;
}

/* the place of block b's made row m in x->right, counted in rows */
static int64_t
made_place(const own_block *own, int m)
{
    return own->number * VN_MAX_MADE + m;
}

/* cosines of one block's cells in sample i */
static void
multiply(const vn_tiles *t, const vn_block *b, own_block *own, const own_cells *o, const vn_cells *x, int64_t i)
{
    int64_t E = t->in.E, per = t->live[b->cols].per, given;
    for (int64_t k = 0; k < per; k++) {
        if (!VN_FN(slot_taken)(t, b->cols, i, k))
            continue;
        int64_t number = i * per + k, at = own->first + own->n++;
        int made = b->cols == VN_SCORE ? -1 : vn_made_number(t, b->cols, number, &given);
        vn_blend blend;
        o->slot[at] = (int32_t)k;
        o->kind[at] = (uint8_t)VN_FN(own_kind)(t, i, b->cols, k);
        o->both[at] = o->left[at] = 0.0f;
        if (b->cols == VN_SCORE)
            o->c[at] = t->in.x[VN_SCORE][number];
        else if (b->rows == b->cols)
            o->c[at] = 1.0f;
        else if (b->rows == VN_IMAGE && b->cols == VN_TEXT)
            o->c[at] = t->pair[i];
        else if (made < 0)
            o->c[at] = vn_dot(own->anchor.x, t->in.x[b->cols] + given * E, E);
        else if (VN_FN(made_of)(t, made, i, &blend))
            o->c[at] = VN_FN(anchor_cosine)(t, &own->anchor, &blend, x->right + made_place(own, made) * E,
                                            x->rrho + made_place(own, made));
    }
}

static void
multiply_all(const vn_tiles *t, own_cells *o, const vn_cells *x, int64_t i)
{
    int64_t first = 0, number = 0;
    for (int b = 0; b < t->blocks; b++) {
        const vn_block *block = &t->block[b];
        own_block *own = &o->block[b];
        if (block->kind != VN_OWN)
            continue;
        memset(own, 0, sizeof *own);
        own->anchor.sample = i;
        own->anchor.x = t->in.x[block->rows] + i * t->in.E;
        own->first = first;
        own->number = number;
        number += t->live[block->cols].per > t->in.given[block->cols];
        first += t->live[block->cols].per;
        multiply(t, block, own, o, x, i);
    }
}

/* One term's sample: its cells, masked ones left out. Returns 0 if the sample is not in the term's mean. */
static int
gather(const vn_tiles *t, int u, own_cells *o, vn_sample *s)
{
    const vn_use *use = &t->objective->use[u];
    int64_t n = 0;
    int counts = 1;
    memset(s, 0, sizeof *s);
    for (int b = 0; b < t->blocks; b++)
        for (int k = 0; t->block[b].kind == VN_OWN && k < t->block[b].readers; k++) {
            const vn_reader *r = &t->block[b].reader[k];
            const own_block *own = &o->block[b];
            int64_t from = n, held = 0, given = t->in.given[t->block[b].cols], missing = given;
            if (r->use != u)
                continue;
            for (int64_t at = own->first; at < own->first + own->n; at++) {
                int kind = o->kind[at] == VN_TWIN   ? VN_FN(seen_twin)(use, &t->block[b])
                           : o->kind[at] == VN_VOID ? VN_FN(seen_void)(use)
                                                    : o->kind[at];
                missing -= o->kind[at] != VN_VOID && o->slot[at] < given;
                held += (o->kind[at] != VN_VOID || use->open) && (t->block[b].cols != VN_SCORE || o->slot[at] > 0);
                if (kind == VN_MASKED)
                    continue;
                o->seen_c[n] = o->c[at];
                o->seen_dc[n] = 0.0f;
                o->seen_slot[n] = o->slot[at];
                o->seen_at[n++] = (int32_t)at;
            }
            s->c[r->reading] = o->seen_c + from;
            s->dc[r->reading] = o->seen_dc + from;
            s->slot[r->reading] = o->seen_slot + from;
            s->n[r->reading] = n - from;
            s->missing[r->reading] = use->open ? 0 : missing;
            counts &= (r->how & VN_MEAN) == 0 || held > 0;
        }
    s->z = o->z;
    return counts && n > 0;
}

/* what a term said of its cells, to the cells; sums of dc, of c dc, and of c dc where the scale is the learned one */
static void
spread(const vn_tiles *t, int u, const own_cells *o, const vn_sample *s, float weight, double *sums)
{
    for (int b = 0; b < t->blocks; b++)
        for (int k = 0; t->block[b].kind == VN_OWN && k < t->block[b].readers; k++) {
            const vn_reader *r = &t->block[b].reader[k];
            int64_t from = s->c[r->reading] - o->seen_c;
            if (r->use != u)
                continue;
            float *to = (r->how & VN_LEFT) != 0 ? o->left : o->both;
            for (int64_t j = from; j < from + s->n[r->reading]; j++) {
                float g = weight * o->seen_dc[j];
                to[o->seen_at[j]] += g;
                sums[0] += (double)g;
                sums[(r->how & VN_LEARNED) != 0 ? 2 : 1] += (double)g * (double)o->seen_c[j];
            }
        }
}

/* all terms that have own(), on the cells of the sample at place p */
static void
ask_terms(const vn_tiles *t, own_cells *o, int64_t l, int64_t p)
{
    for (int u = 0; u < t->objective->terms; u++) {
        const vn_term *term = VN_FN(terms)[t->objective->use[u].term];
        double sums[3] = {0.0, 0.0, 0.0};
        vn_sample s;
        if (term->own == NULL || !gather(t, u, o, &s))
            continue;
        vn_term_args args = VN_FN(term_args)(t, u);
        s.row.top = t->stat[u][VN_IMAGE].top != NULL ? t->stat[u][VN_IMAGE].top[p] : INFINITY;
        s.row.log = t->stat[u][VN_IMAGE].top != NULL ? t->stat[u][VN_IMAGE].sum[p] : 0.0f;
        t->loss[l * t->objective->terms + u] += (double)term->own(&s, &args);
        spread(t, u, o, &s, args.weight, sums);
        int scaling = VN_FN(scaling_of)(&t->objective->use[u]);
        t->dbias[l] += scaling == 0 ? sums[0] / (double)t->in.scale : 0.0;
        t->dlog[l] += sums[2] + (scaling < 2 ? sums[1] : 0.0);
    }
}

/* one cell's derivatives to the rows */
static void
pull(const vn_tiles *t, const vn_block *b, own_block *own, const own_cells *o, const vn_cells *x, int64_t at)
{
    int64_t E = t->in.E, i = own->anchor.sample, number = i * t->live[b->cols].per + o->slot[at], given;
    float both = o->both[at], left = o->left[at];
    if (b->cols == VN_SCORE) {
        t->in.dx[VN_SCORE][number] += both;
        return;
    }
    float *da = t->in.dx[b->rows] + i * E, *db = t->in.dx[b->cols];
    int made = vn_made_number(t, b->cols, number, &given);
    vn_blend blend;
    if (made < 0) {
        vn_add_scaled(da, both + left, t->in.x[b->cols] + given * E, E);
        if (db != NULL)
            vn_add_scaled(db + given * E, both, own->anchor.x, E);
    } else if (VN_FN(made_of)(t, made, i, &blend)) {
        const float *row = x->right + made_place(own, made) * E;
        float rho = x->rrho[made_place(own, made)];
        VN_FN(anchor_pull)(t, &own->anchor, &blend, both, row, rho, x->dright, da);
        for (int part = 0; part < blend.parts; part++)
            blend.part[part].flows = 0;
        if (left != 0.0f)
            VN_FN(anchor_pull)(t, &own->anchor, &blend, left, row, rho, x->dright, da);
    }
}

static void
pull_all(const vn_tiles *t, own_cells *o, const vn_cells *x)
{
    for (int b = 0; b < t->blocks; b++) {
        const vn_block *block = &t->block[b];
        own_block *own = &o->block[b];
        if (block->kind != VN_OWN || block->rows == block->cols) /* a cosine with itself is a constant */
            continue;
        for (int64_t at = own->first; at < own->first + own->n; at++)
            pull(t, block, own, o, x, at);
        if (block->cols != VN_SCORE)
            VN_FN(anchor_finish)(t, &own->anchor, t->in.dx[block->rows] + own->anchor.sample * t->in.E);
    }
}

static void
run_group(void *arg, int64_t l, int worker)
{
    const own_job *job = arg;
    const vn_tiles *t = job->t;
    vn_cells x = VN_FN(cells_of)(t, worker);
    own_cells o;
    int64_t begin, end;
    lay_out(t, &x, &o);
    vn_group_range(t, VN_IMAGE, l, &begin, &end);
    for (int64_t p = begin; p < end; p++) {
        multiply_all(t, &o, &x, vn_live_row(&t->live[VN_IMAGE], p));
        ask_terms(t, &o, l, p);
        if (job->pass == VN_BACKWARD)
            pull_all(t, &o, &x);
    }
}

void
VN_FN(own_run)(const vn_tiles *t, vn_pass pass)
{
    own_job job = {t, pass};
    if (t->own_cells > 0)
        vn_jobs_run(t, run_group, &job, pass == VN_BACKWARD);
}
