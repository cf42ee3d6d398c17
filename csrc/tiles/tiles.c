/* The two passes over blocks of cosines: every row of one set with every row of another. */
#include "vn_cells.h"

#include "../gemm/vn_gemm.h"

typedef struct block_job {
    const vn_tiles *t;
    const vn_block *b;
    vn_pass pass;
    int64_t phase;
} block_job;

/* whether live rows [at, at + n) lie one after another */
static int
contiguous(const vn_live *live, int64_t at, int64_t n)
{
    return live->row == NULL || live->row[at + n - 1] - live->row[at] == n - 1;
}

/* live rows [at, at + n) of a set, copied together when others lie between them */
static const float *
rows_of(const vn_tiles *t, int set, int64_t at, int64_t n, float *room)
{
    const vn_live *live = &t->live[set];
    int64_t E = t->in.E;
    if (contiguous(live, at, n))
        return t->in.x[set] + vn_live_row(live, at) * E;
    for (int64_t i = 0; i < n; i++)
        memcpy(room + i * E, t->in.x[set] + live->row[at + i] * E, (size_t)E * sizeof(float));
    return room;
}

/* gradient rows += op(g) x */
static void
add_product(const vn_tiles *t, int set, int64_t at, int64_t n, const float *g, int transposed, const float *x,
            int64_t inner, float *room)
{
    const vn_live *live = &t->live[set];
    int64_t E = t->in.E;
    int direct = contiguous(live, at, n);
    float *out = direct ? t->in.dx[set] + vn_live_row(live, at) * E : room;
    VN_FN(gemm_tile)(out, E, g, VN_TILE_PITCH, transposed, x, E, 0, n, E, inner, direct);
    for (int64_t i = 0; !direct && i < n; i++)
        vn_add(t->in.dx[set] + live->row[at + i] * E, room + i * E, E);
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

static void
run_tile(const block_job *job, const vn_cells *x, const vn_place *at)
{
    const vn_tiles *t = job->t;
    const vn_block *b = job->b;
    int64_t E = t->in.E;
    const float *left = rows_of(t, b->rows, at->r0, at->rows, x->left);
    const float *right = rows_of(t, b->cols, at->c0, at->cols, x->right);
    VN_FN(gemm_tile)(x->c, VN_TILE_PITCH, left, E, 0, right, E, 1, at->rows, at->cols, E, 0);
    VN_FN(twins_mark)(t, b, x->kind, at);
    if (job->pass == VN_REDUCE) {
        VN_FN(cells_reduce)(t, b, x, at);
        if (t->twins && b->rows == VN_IMAGE && b->cols == VN_TEXT)
            count_pairs(t, x->kind, at);
        return;
    }
    VN_FN(cells_grad)(t, b, x, at);
    if (job->pass == VN_BACKWARD) {
        add_product(t, b->rows, at->r0, at->rows, x->g, 0, right, at->cols, x->dleft);
        add_product(t, b->cols, at->c0, at->cols, x->g, 1, left, at->rows, x->dright);
    }
}

static void
run_group(void *arg, int64_t l, int worker)
{
    const block_job *job = arg;
    const vn_tiles *t = job->t;
    vn_cells x = VN_FN(cells_of)(t, worker);
    int64_t r0, r1, c0, c1;
    vn_group_range(t, t->live[job->b->rows].n, l, &r0, &r1);
    vn_group_range(t, t->live[job->b->cols].n, (l + job->phase) % t->groups, &c0, &c1);
    for (int64_t r = r0; r < r1; r += VN_TILE_ROWS)
        for (int64_t c = c0; c < c1; c += VN_TILE_COLS) {
            vn_place at = {l, r, VN_MIN(VN_TILE_ROWS, r1 - r), c, VN_MIN(VN_TILE_COLS, c1 - c)};
            run_tile(job, &x, &at);
        }
}

void
VN_FN(block_run)(const vn_tiles *t, const vn_block *b, vn_pass pass)
{
    block_job job = {t, b, pass, 0};
    for (; job.phase < t->groups; job.phase++)
        vn_parallel_for(t->groups, run_group, &job);
}

static void
run_blocks(const vn_tiles *t, vn_pass pass)
{
    for (int i = 0; i < t->blocks; i++)
        if (t->block[i].diag)
            VN_FN(own_run)(t, &t->block[i], pass);
        else
            VN_FN(block_run)(t, &t->block[i], pass);
}

static void
fill(float *x, int64_t n, float value)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = value;
}

vn_status
VN_FN(tiles_statistics)(vn_tiles *t, vn_error *error)
{
    VN_FN(live_find)(t);
    VN_TRY(VN_FN(live_check)(t, error));
    int64_t n = t->live[VN_IMAGE].n;
    for (int s = 0; s < 2; s++)
        fill(t->share[s], n, 1.0f);
    fill(t->one, VN_TILE_COLS, 1.0f);
    fill(t->zero, VN_TILE_COLS, 0.0f);
    fill(t->infinity, VN_TILE_COLS, INFINITY);
    if (t->twins)
        VN_FN(twins_find)(t);
    for (int u = 0; u < t->objective->terms; u++)
        for (int set = 0; set < VN_SETS; set++)
            if (t->stat[u][set].top != NULL) {
                fill(t->stat[u][set].top, t->live[set].n + 16, -INFINITY);
                fill(t->stat[u][set].sum, t->live[set].n + 16, 0.0f);
            }
    run_blocks(t, VN_REDUCE);
    for (int u = 0; u < t->objective->terms; u++)
        for (int set = 0; set < VN_SETS; set++)
            for (int64_t i = 0; t->stat[u][set].top != NULL && i < t->live[set].n; i++)
                t->stat[u][set].sum[i] = logf(t->stat[u][set].sum[i]);
    for (int64_t i = 0; i < n; i++) {
        t->share[0][i] = 1.0f / t->share[0][i];
        t->share[1][i] = 1.0f / t->share[1][i];
    }
    VN_FN(own_count)(t);
    return VN_OK;
}

void
VN_FN(tiles_gradients)(vn_tiles *t, vn_record *out, int backward)
{
    const vn_objective *o = t->objective;
    int64_t count[VN_SETS] = {t->in.B, t->in.B, t->in.B * t->in.K};
    memset(out, 0, sizeof *out);
    for (int set = 0; backward && set < VN_SETS; set++)
        if (count[set] > 0)
            memset(t->in.dx[set], 0, (size_t)(count[set] * t->in.E) * sizeof(float));
    memset(t->loss, 0, (size_t)(t->groups * o->terms) * sizeof(double));
    memset(t->dlog, 0, (size_t)t->groups * sizeof(double));
    run_blocks(t, backward ? VN_BACKWARD : VN_LOSS);
    out->rows = t->live[VN_IMAGE].n;
    for (int64_t l = 0; l < t->groups; l++) {
        for (int u = 0; u < o->terms; u++)
            out->term[u] += t->loss[l * o->terms + u] / (double)VN_MAX(out->rows, 1);
        out->dlog_scale += t->dlog[l];
        out->valid += t->counts[2 * l];
        out->below += t->counts[2 * l + 1];
    }
    for (int u = 0; u < o->terms; u++)
        out->loss += (double)o->use[u].weight * out->term[u];
}
