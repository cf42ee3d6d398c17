/* The two passes over blocks of cosines: every row of one set with every row of another. */
#include "vn_cells.h"

#include "../gemm/vn_gemm.h"

typedef struct block_job {
    const vn_tiles *t;
    const vn_block *b;
    vn_pass pass;
    int64_t phase;
} block_job;

/* whether live rows [at, at + n) lie one after another in the set's array */
static int
contiguous(const vn_tiles *t, int set, int64_t at, int64_t n)
{
    const vn_live *live = &t->live[set];
    return live->per == t->in.given[set] && (live->row == NULL || live->row[at + n - 1] - live->row[at] == n - 1);
}

const float *
VN_FN(rows_of)(const vn_tiles *t, int set, int64_t at, int64_t n, float *room, float *rho)
{
    const vn_live *live = &t->live[set];
    int64_t E = t->in.E, given;
    if (contiguous(t, set, at, n))
        return t->in.x[set] + vn_live_row(live, at) * E;
    for (int64_t i = 0; i < n; i++) {
        int64_t number = vn_live_row(live, at + i);
        int made = vn_made_number(t, set, number, &given);
        vn_blend b;
        if (made >= 0 && VN_FN(made_of)(t, made, number / live->per, &b))
            rho[i] = VN_FN(made_row)(t, &b, room + i * E);
        else
            memcpy(room + i * E, t->in.x[set] + given * E, (size_t)E * sizeof(float));
    }
    return room;
}

/* gradient rows (=, += unless first) op(g) other, in room where they do not lie one after another; see scatter */
static void
add_product(const vn_tiles *t, int set, int64_t at, int64_t n, const float *g, int transposed, const float *other,
            int64_t inner, float *room, int first)
{
    int64_t E = t->in.E;
    int direct = contiguous(t, set, at, n);
    float *out = direct ? t->in.dx[set] + vn_live_row(&t->live[set], at) * E : room;
    VN_FN(gemm_cached)(out, E, g, VN_TILE_PITCH, transposed, other, E, 0, n, E, inner, direct || !first);
}

/* Gradients gathered in room to where they belong; those of made rows, which lie in row, to what they were made of. */
static void
scatter(const vn_tiles *t, int set, int64_t at, int64_t n, const float *row, const float *rho, float *room)
{
    const vn_live *live = &t->live[set];
    float *dx[VN_SETS] = {t->made_dx[0], t->made_dx[1], t->in.dx[VN_NEG_TEXT], NULL};
    int64_t E = t->in.E, given;
    if (contiguous(t, set, at, n))
        return;
    for (int64_t i = 0; i < n; i++) {
        int64_t number = vn_live_row(live, at + i);
        int made = vn_made_number(t, set, number, &given);
        vn_blend b;
        if (made >= 0 && VN_FN(made_of)(t, made, number / live->per, &b))
            VN_FN(made_pull)(t, &b, row + i * E, rho[i], room + i * E, dx);
        else
            vn_add(t->in.dx[set] + given * E, room + i * E, E);
    }
}

/* counts the further true pairs of each image and caption */
static void
count_pairs(const vn_tiles *t, const uint8_t *kind, const vn_place *at)
{
    for (int64_t i = 0; i < at->rows; i++)
        for (int64_t j = 0; j < at->cols; j++)
            if (kind[i * VN_TILE_PITCH + j] == VN_TWIN) {
                t->share[0][at->r0 + i] += 1.0f;
                t->share[1][at->c0 + j] += 1.0f;
            }
}

/* the teacher's cosines of the same cells; its rows stand where those of images and captions do */
static void
multiply_teacher(const vn_tiles *t, const vn_cells *x, const vn_place *at)
{
    int64_t E = t->in.E;
    float *left = x->teacher + VN_TILE_ROWS * VN_TILE_PITCH, *right = left + VN_TILE_ROWS * E;
    const float *a = VN_FN(rows_of)(t, VN_TEACHER_IMAGE, at->r0, at->rows, left, x->lrho);
    const float *b = VN_FN(rows_of)(t, VN_TEACHER_TEXT, at->c0, at->cols, right, x->rrho);
    VN_FN(gemm_cached)(x->teacher, VN_TILE_PITCH, a, E, 0, b, E, 1, at->rows, at->cols, E, 0);
}

/* one tile; right holds the rows of its columns, x->dright their gradients so far, none if it is the first */
static void
run_tile(const block_job *job, const vn_cells *x, const vn_place *at, const float *right, int first)
{
    const vn_tiles *t = job->t;
    const vn_block *b = job->b;
    int64_t E = t->in.E;
    const float *left = VN_FN(rows_of)(t, b->rows, at->r0, at->rows, x->left, x->lrho);
    VN_FN(gemm_cached)(x->c, VN_TILE_PITCH, left, E, 0, right, E, 1, at->rows, at->cols, E, 0);
    VN_FN(twins_mark)(t, b, x->kind, at);
    if ((b->how & VN_TEACHER) != 0 && job->pass != VN_REDUCE)
        multiply_teacher(t, x, at);
    if (job->pass == VN_REDUCE) {
        VN_FN(cells_reduce)(t, b, x, at);
        if (t->twins && t->share[0] != NULL && b->rows == VN_IMAGE && b->cols == VN_TEXT)
            count_pairs(t, x->kind, at);
        return;
    }
    VN_FN(cells_grad)(t, b, x, at);
    if (job->pass != VN_BACKWARD)
        return;
    if (b->rows == b->cols) { /* cell (i,j) equals cell (j,i), which another tile adds to its own row */
        for (int64_t i = 0; i < at->rows * VN_TILE_PITCH; i++)
            x->g[i] *= 2.0f;
        add_product(t, b->rows, at->r0, at->rows, x->g, 0, right, at->cols, x->dleft, 1);
        scatter(t, b->rows, at->r0, at->rows, left, x->lrho, x->dleft);
    } else {
        add_product(t, b->rows, at->r0, at->rows, x->g, 0, right, at->cols, x->dleft, 1);
        scatter(t, b->rows, at->r0, at->rows, left, x->lrho, x->dleft);
        add_product(t, b->cols, at->c0, at->cols, x->g, 1, left, at->rows, x->dright, first);
    }
}

/* columns outside, so that made ones are made, and give back, once a group of rows */
static void
run_group(void *arg, int64_t l, int worker)
{
    const block_job *job = arg;
    const vn_tiles *t = job->t;
    int cols = job->b->cols;
    vn_cells x = VN_FN(cells_of)(t, worker);
    int64_t r0, r1, c0, c1;
    vn_group_range(t, job->b->rows, l, &r0, &r1);
    vn_group_range(t, cols, (l + job->phase) % t->groups, &c0, &c1);
    for (int64_t c = c0; r0 < r1 && c < c1; c += t->in.tile_cols) {
        int64_t width = VN_MIN(t->in.tile_cols, c1 - c);
        const float *right = VN_FN(rows_of)(t, cols, c, width, x.right, x.rrho);
        for (int64_t r = r0; r < r1; r += t->in.tile_rows) {
            vn_place at = {l, r, VN_MIN(t->in.tile_rows, r1 - r), c, width};
            run_tile(job, &x, &at, right, r == r0);
        }
        if (job->pass == VN_BACKWARD && cols != job->b->rows)
            scatter(t, cols, c, width, right, x.rrho, x.dright);
    }
}

/* the teacher's block has no gradient, and one that joins no statistic no first pass */
static int
is_idle(const vn_tiles *t, const vn_block *b, vn_pass pass)
{
    int counts = t->twins && t->share[0] != NULL && b->rows == VN_IMAGE && b->cols == VN_TEXT; /* further pairs */
    return pass == VN_REDUCE ? (b->how & (VN_BY_ROW | VN_BY_COL)) == 0 && !counts : b->rows == VN_TEACHER_IMAGE;
}

void
VN_FN(block_run)(const vn_tiles *t, const vn_block *b, vn_pass pass)
{
    block_job job = {t, b, pass, 0};
    /* rows that are made give back to rows that another job may have for columns */
    int apart = pass == VN_BACKWARD && b->rows >= VN_NEG_TEXT && t->in.made != NULL;
    for (; job.phase < t->groups; job.phase++)
        for (int64_t l = 0; l < (apart ? t->groups : 1); l++)
            if (apart)
                run_group(&job, l, 0);
            else
                vn_jobs_run(t, run_group, &job, pass == VN_BACKWARD);
}

static void
run_blocks(const vn_tiles *t, vn_pass pass)
{
    for (int i = 0; i < t->blocks; i++)
        if (t->block[i].kind == VN_BLOCK && !is_idle(t, &t->block[i], pass))
            VN_FN(block_run)(t, &t->block[i], pass);
        else if (t->block[i].kind == VN_DIAG)
            VN_FN(diag_run)(t, &t->block[i], pass);
    if (pass != VN_REDUCE)
        VN_FN(own_run)(t, pass);
}

static void
fill(float *x, int64_t n, float value)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = value;
}

/* who takes part, who is a twin, who is the hardest */
static vn_status
find(vn_tiles *t, vn_error *error)
{
    VN_FN(live_find)(t);
    VN_TRY(VN_FN(live_check)(t, VN_IMAGE, error));
    VN_TRY(VN_FN(live_check)(t, VN_TEXT, error));
    if (t->twins)
        VN_FN(twins_find)(t);
    VN_FN(partners_find)(t);
    VN_FN(live_find_negatives)(t);
    for (int set = VN_NEG_TEXT; set < VN_SCORE; set++)
        VN_TRY(VN_FN(live_check)(t, set, error));
    if (t->twins)
        VN_FN(twins_find_negatives)(t);
    VN_FN(pairs_find)(t);
    return VN_OK;
}

static void
clear_statistics(const vn_tiles *t)
{
    int64_t n = t->live[VN_IMAGE].n;
    for (int s = 0; s < 2 && t->share[s] != NULL; s++)
        fill(t->share[s], n, 1.0f);
    memset(t->joined, 0, (size_t)(t->groups * t->objective->terms) * sizeof(double));
    fill(t->one, VN_TILE_PITCH, 1.0f);
    fill(t->zero, VN_TILE_PITCH, 0.0f);
    fill(t->infinity, VN_TILE_PITCH, INFINITY);
    for (int u = 0; u < t->objective->terms; u++)
        for (int set = 0; set < VN_SETS; set++)
            if (t->stat[u][set].top != NULL) {
                fill(t->stat[u][set].top, t->live[set].n + 16, -INFINITY);
                fill(t->stat[u][set].sum, t->live[set].n + 16, 0.0f);
            }
}

vn_status
VN_FN(tiles_statistics)(vn_tiles *t, vn_error *error)
{
    VN_TRY(find(t, error));
    clear_statistics(t);
    run_blocks(t, VN_REDUCE);
    VN_FN(finish_run)(t);
    VN_FN(count_run)(t);
    return VN_OK;
}

static void
clear_gradients(const vn_tiles *t)
{
    size_t row = (size_t)t->in.E * sizeof(float);
    for (int set = 0; set < VN_SETS; set++)
        if (t->in.dx[set] != NULL)
            memset(t->in.dx[set], 0, (size_t)(t->in.B * t->in.given[set]) * (set == VN_SCORE ? sizeof(float) : row));
    for (int side = 0; side < 2; side++)
        if (t->made_dx[side] != NULL)
            memset(t->made_dx[side], 0, (size_t)t->in.B * row);
}

void
VN_FN(tiles_gradients)(vn_tiles *t, vn_record *out, int backward)
{
    const vn_objective *o = t->objective;
    memset(out, 0, sizeof *out);
    if (backward)
        clear_gradients(t);
    memset(t->loss, 0, (size_t)(t->groups * o->terms) * sizeof(double));
    memset(t->dlog, 0, (size_t)t->groups * sizeof(double));
    memset(t->dbias, 0, (size_t)t->groups * sizeof(double));
    run_blocks(t, backward ? VN_BACKWARD : VN_LOSS);
    for (int side = 0; backward && side < 2; side++)
        if (t->made_dx[side] != NULL)
            vn_add(t->in.dx[side], t->made_dx[side], t->in.B * t->in.E);
    out->rows = t->live[VN_IMAGE].n;
    for (int64_t l = 0; l < t->groups; l++) {
        for (int u = 0; u < o->terms; u++)
            out->term[u] += t->loss[l * o->terms + u] / (double)VN_MAX(VN_FN(term_args)(t, u).samples, 1.0f);
        out->dlog_scale += t->dlog[l];
        out->dbias += t->dbias[l];
        out->valid += t->counts[2 * l];
        out->below += t->counts[2 * l + 1];
    }
    for (int u = 0; u < o->terms; u++)
        out->loss += (double)o->use[u].weight * out->term[u];
    for (int64_t p = 0; p < out->rows; p++)
        out->pairs += (double)t->pair[vn_live_row(&t->live[VN_IMAGE], p)];
}
