/* One tower: pre-norm blocks, the last of which computes only what the pooled row of each run needs.
 *   z = x + attention(LN1 x);  x' = z + act(LN2 z Wf^T) Wp^T
 * Forward is a list of calls, backward the same list reversed. Kept per row: LayerNorm statistics, qkv, heads, lse,
 * z, the hidden layer before its activation, x'. Computed again: normalised rows, the activated hidden layer and the
 * attention probabilities. Where only the pooled row is wanted of the last block, it computes k and v for all rows
 * and the rest for one: exact, and all rows still receive gradient through k and v. A full batch asks for all rows. */
#include "vn_clip.h"

static int64_t
slot(const vn_tower_work *t, int64_t layer)
{
    return t->keep ? layer : 0;
}

static void
bind_kept(vn_block_kept *k, vn_arena *a, const vn_tower_config *c, int64_t N, int64_t R, int pooled)
{
    int64_t C = c->width, rows = pooled ? R : N;
    k->mean_1 = vn_arena_floats(a, N);
    k->rstd_1 = vn_arena_floats(a, N);
    k->qkv = vn_arena_floats(a, N * (pooled ? 2 : 3) * C);
    k->heads = vn_arena_floats(a, rows * C);
    k->lse = vn_arena_floats(a, rows * c->heads);
    k->middle = vn_arena_floats(a, rows * C);
    k->mean_2 = vn_arena_floats(a, rows);
    k->rstd_2 = vn_arena_floats(a, rows);
    k->pre = vn_arena_floats(a, rows * c->mlp);
}

void
vn_tower_bind(vn_tower_work *t, vn_arena *a, const vn_tower_config *c, int64_t embed, int64_t N, int64_t R, int keep,
              int full)
{
    int64_t C = c->width, last = keep ? c->layers - 1 : 0;
    t->keep = keep;
    for (int64_t l = 0; l <= last; l++)
        bind_kept(&t->kept[l], a, c, N, R, keep && !full && l == last);
    t->kept[last].q = vn_arena_floats(a, R * C); /* a pooled block fits into the arrays of a full one, but for this */
    for (int64_t l = 0; l < (keep ? c->layers + full : 2); l++)
        t->stream[l] = vn_arena_floats(a, N * C);
    t->pooled = vn_arena_floats(a, R * C);
    t->pooled_mean = vn_arena_floats(a, full ? N : R);
    t->pooled_rstd = vn_arena_floats(a, full ? N : R);
    t->pooled_normed = vn_arena_floats(a, R * C);
    t->embedding = vn_arena_floats(a, R * embed);
    t->norm = vn_arena_floats(a, R);
    t->unit = vn_arena_floats(a, R * embed);
    t->dembedding = keep ? vn_arena_floats(a, R * embed) : NULL;
    t->begin = vn_arena_take(a, (size_t)(R + 1) * sizeof(int32_t));
    t->row = vn_arena_take(a, (size_t)R * sizeof(int32_t));
}

void
vn_tower_bind_scratch(vn_tower_work *t, vn_arena *a, const vn_tower_config *c, int64_t embed, int64_t N, int64_t R,
                      int full)
{
    int64_t C = c->width, F = c->mlp;
    t->normed = vn_arena_floats(a, N * C);
    t->hidden = vn_arena_floats(a, N * F);
    t->gathered = vn_arena_floats(a, R * C);
    t->joint = full ? vn_arena_floats(a, N * embed) : NULL;
    if (!t->keep)
        return;
    t->dstream = vn_arena_floats(a, N * C);
    t->dnormed = vn_arena_floats(a, N * C);
    t->dhidden = vn_arena_floats(a, N * F);
    t->dqkv = vn_arena_floats(a, N * 3 * C);
    t->dpooled = vn_arena_floats(a, R * C);
    t->dheads = vn_arena_floats(a, R * C);
    t->dq = vn_arena_floats(a, R * C);
}

/* the second half of a block, for rows that already left attention: out = z + MLP(LN2 z) */
static vn_status
mlp_forward(vn_ctx *ctx, float *out, vn_tower_work *t, vn_block_kept *k, const vn_tower_config *c,
            const vn_block_weights *w, int64_t rows)
{
    int64_t C = c->width, F = c->mlp;
    VN_CALL(ctx, layernorm_forward, t->normed, k->mean_2, k->rstd_2, k->middle, w->ln_2_weight, w->ln_2_bias, rows, C);
    VN_CALL(ctx, linear_forward, t->hidden, t->keep ? k->pre : NULL, t->normed, NULL, w->fc_weight, w->fc_bias, rows,
            C, F, c->act);
    VN_CALL(ctx, linear_forward, out, NULL, t->hidden, k->middle, w->proj_weight, w->proj_bias, rows, F, C,
            VN_ACT_NONE);
    return VN_OK;
}

/* dstream (rows,C): in dL/dout, out dL/dz */
static vn_status
mlp_backward(vn_ctx *ctx, float *dstream, vn_tower_work *t, const vn_block_kept *k, const vn_tower_config *c,
             const vn_block_weights *w, const vn_block_weights *dw, int64_t rows)
{
    int64_t C = c->width, F = c->mlp;
    VN_CALL(ctx, act_forward, t->hidden, k->pre, rows * F, c->act);
    VN_CALL(ctx, linear_backward, t->dhidden, dw->proj_weight, dw->proj_bias, k->pre, dstream, t->hidden,
            w->proj_weight, rows, F, C, c->act);
    VN_CALL(ctx, layernorm_forward, t->normed, k->mean_2, k->rstd_2, k->middle, w->ln_2_weight, w->ln_2_bias, rows, C);
    VN_CALL(ctx, linear_backward, t->dnormed, dw->fc_weight, dw->fc_bias, NULL, t->dhidden, t->normed, w->fc_weight,
            rows, C, F, VN_ACT_NONE);
    VN_CALL(ctx, layernorm_backward, dstream, dw->ln_2_weight, dw->ln_2_bias, k->mean_2, k->rstd_2, t->dnormed,
            k->middle, w->ln_2_weight, rows, C);
    return VN_OK;
}

static vn_status
block_forward(vn_ctx *ctx, float *out, vn_tower_work *t, vn_block_kept *k, const float *x, const vn_tower_config *c,
              const vn_block_weights *w)
{
    int64_t C = c->width, N = t->runs.N;
    VN_CALL(ctx, layernorm_forward, t->normed, k->mean_1, k->rstd_1, x, w->ln_1_weight, w->ln_1_bias, N, C);
    VN_CALL(ctx, linear_forward, k->qkv, NULL, t->normed, NULL, w->in_weight, w->in_bias, N, C, 3 * C, VN_ACT_NONE);
    VN_CALL(ctx, attention_forward, k->heads, k->lse, k->qkv, &t->runs, C, c->heads);
    VN_CALL(ctx, linear_forward, k->middle, NULL, k->heads, x, w->out_weight, w->out_bias, N, C, C, VN_ACT_NONE);
    return mlp_forward(ctx, out, t, k, c, w, N);
}

static vn_status
block_backward(vn_ctx *ctx, vn_tower_work *t, const vn_block_kept *k, const float *x, const vn_tower_config *c,
               const vn_block_weights *w, const vn_block_weights *dw)
{
    int64_t C = c->width, N = t->runs.N;
    VN_TRY(mlp_backward(ctx, t->dstream, t, k, c, w, dw, N));
    VN_CALL(ctx, linear_backward, t->dnormed, dw->out_weight, dw->out_bias, NULL, t->dstream, k->heads, w->out_weight,
            N, C, C, VN_ACT_NONE);
    VN_CALL(ctx, attention_backward, t->dqkv, k->lse, k->heads, t->dnormed, k->qkv, &t->runs, C, c->heads);
    VN_CALL(ctx, layernorm_forward, t->normed, k->mean_1, k->rstd_1, x, w->ln_1_weight, w->ln_1_bias, N, C);
    VN_CALL(ctx, linear_backward, t->dnormed, dw->in_weight, dw->in_bias, NULL, t->dqkv, t->normed, w->in_weight, N, C,
            3 * C, VN_ACT_NONE);
    VN_CALL(ctx, layernorm_backward, t->dstream, dw->ln_1_weight, dw->ln_1_bias, k->mean_1, k->rstd_1, t->dnormed, x,
            w->ln_1_weight, N, C);
    return VN_OK;
}

/* Rows 0 .. C-1 of the fused weight make q, the 2C after them k and v: two products of different row counts. */
static vn_status
pooled_forward(vn_ctx *ctx, vn_tower_work *t, vn_block_kept *k, const float *x, const vn_tower_config *c,
               const vn_block_weights *w)
{
    int64_t C = c->width, N = t->runs.N, R = t->runs.R;
    VN_CALL(ctx, layernorm_forward, t->normed, k->mean_1, k->rstd_1, x, w->ln_1_weight, w->ln_1_bias, N, C);
    VN_CALL(ctx, linear_forward, k->qkv, NULL, t->normed, NULL, w->in_weight + C * C, w->in_bias + C, N, C, 2 * C,
            VN_ACT_NONE);
    VN_CALL(ctx, rows_gather, t->gathered, t->normed, t->row, R, C);
    VN_CALL(ctx, linear_forward, k->q, NULL, t->gathered, NULL, w->in_weight, w->in_bias, R, C, C, VN_ACT_NONE);
    VN_CALL(ctx, pool_forward, k->heads, k->lse, k->q, k->qkv, &t->runs, C, c->heads);
    VN_CALL(ctx, rows_gather, t->gathered, x, t->row, R, C);
    VN_CALL(ctx, linear_forward, k->middle, NULL, k->heads, t->gathered, w->out_weight, w->out_bias, R, C, C,
            VN_ACT_NONE);
    return mlp_forward(ctx, t->pooled, t, k, c, w, R);
}

/* in: dpooled (R,C) = dL/d out; out: dstream (N,C) = dL/dx */
static vn_status
pooled_backward(vn_ctx *ctx, vn_tower_work *t, const vn_block_kept *k, const float *x, const vn_tower_config *c,
                const vn_block_weights *w, const vn_block_weights *dw)
{
    int64_t C = c->width, N = t->runs.N, R = t->runs.R;
    VN_TRY(mlp_backward(ctx, t->dpooled, t, k, c, w, dw, R));
    VN_CALL(ctx, linear_backward, t->dheads, dw->out_weight, dw->out_bias, NULL, t->dpooled, k->heads, w->out_weight,
            R, C, C, VN_ACT_NONE);
    VN_CALL(ctx, pool_backward, t->dq, t->dqkv, k->lse, k->heads, t->dheads, k->q, k->qkv, &t->runs, C, c->heads);
    VN_CALL(ctx, layernorm_forward, t->normed, k->mean_1, k->rstd_1, x, w->ln_1_weight, w->ln_1_bias, N, C);
    VN_CALL(ctx, linear_backward, t->dnormed, dw->in_weight + C * C, dw->in_bias + C, NULL, t->dqkv, t->normed,
            w->in_weight + C * C, N, C, 2 * C, VN_ACT_NONE);
    VN_CALL(ctx, rows_gather, t->gathered, t->normed, t->row, R, C);
    VN_CALL(ctx, linear_backward, t->dheads, dw->in_weight, dw->in_bias, NULL, t->dq, t->gathered, w->in_weight, R, C,
            C, VN_ACT_NONE);
    VN_CALL(ctx, rows_scatter, t->dnormed, t->dheads, t->row, R, C);
    VN_CALL(ctx, rows_zero, t->dstream, N * C);
    VN_CALL(ctx, rows_scatter, t->dstream, t->dpooled, t->row, R, C);
    VN_CALL(ctx, layernorm_backward, t->dstream, dw->ln_1_weight, dw->ln_1_bias, k->mean_1, k->rstd_1, t->dnormed, x,
            w->ln_1_weight, N, C);
    return VN_OK;
}

vn_status
vn_tower_forward(vn_ctx *ctx, vn_tower_work *t, const vn_tower_config *c, const vn_block_weights *w)
{
    int64_t last = c->layers - 1;
    for (int64_t l = 0; l < last + t->full; l++)
        VN_TRY(block_forward(ctx, vn_tower_stream(t, l + 1), t, &t->kept[slot(t, l)], vn_tower_stream(t, l), c,
                             &w[l]));
    if (!t->full)
        VN_TRY(pooled_forward(ctx, t, &t->kept[slot(t, last)], vn_tower_stream(t, last), c, &w[last]));
    return VN_OK;
}

vn_status
vn_tower_backward(vn_ctx *ctx, vn_tower_work *t, const vn_tower_config *c, const vn_block_weights *w,
                  const vn_block_weights *dw)
{
    int64_t last = c->layers - 1;
    if (!t->full)
        VN_TRY(pooled_backward(ctx, t, &t->kept[last], t->stream[last], c, &w[last], &dw[last]));
    for (int64_t l = last - 1 + t->full; l >= 0; l--)
        VN_TRY(block_backward(ctx, t, &t->kept[l], t->stream[l], c, &w[l], &dw[l]));
    return VN_OK;
}
