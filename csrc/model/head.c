/* The head of a tower: final LayerNorm and projection of the pooled rows, e = LN(x) W, unit rows e / |e|. A full batch
 * goes through it with all N rows: the pooled embeddings are then rows of t->joint (N,E), the others its tokens.
 * CLIP's own head reads the pooled row; FSC-CLIP's token-patch score (arXiv:2410.05210) reads all. */
#include "vn_clip.h"

vn_status
vn_tower_head_forward(vn_ctx *ctx, vn_tower_work *t, const vn_tower_config *c, const vn_head_weights *w, int64_t E)
{
    int64_t R = t->runs.R, N = t->runs.N, C = c->width;
    if (t->full) {
        VN_CALL(ctx, layernorm_forward, t->normed, t->pooled_mean, t->pooled_rstd, vn_tower_stream(t, c->layers),
                w->ln_weight, w->ln_bias, N, C);
        VN_CALL(ctx, project_forward, t->joint, t->normed, w->projection, N, C, E);
        VN_CALL(ctx, rows_gather, t->embedding, t->joint, t->row, R, E);
    } else {
        VN_CALL(ctx, layernorm_forward, t->pooled_normed, t->pooled_mean, t->pooled_rstd, t->pooled, w->ln_weight,
                w->ln_bias, R, C);
        VN_CALL(ctx, project_forward, t->embedding, t->pooled_normed, w->projection, R, C, E);
    }
    VN_CALL(ctx, l2norm_forward, t->unit, t->norm, t->embedding, R, E);
    return VN_OK;
}

/* t->joint: in, gradients of the tokens; dstream (N,C): out */
static vn_status
full_backward(vn_ctx *ctx, vn_tower_work *t, const vn_tower_config *c, const vn_head_weights *w,
              const vn_head_weights *dw, int64_t E)
{
    int64_t N = t->runs.N, C = c->width;
    const float *x = t->stream[c->layers];
    VN_CALL(ctx, rows_scatter, t->joint, t->dembedding, t->row, t->runs.R, E);
    VN_CALL(ctx, layernorm_forward, t->normed, t->pooled_mean, t->pooled_rstd, x, w->ln_weight, w->ln_bias, N, C);
    VN_CALL(ctx, project_backward, t->dnormed, dw->projection, t->joint, t->normed, w->projection, N, C, E);
    VN_CALL(ctx, rows_zero, t->dstream, N * C);
    VN_CALL(ctx, layernorm_backward, t->dstream, dw->ln_weight, dw->ln_bias, t->pooled_mean, t->pooled_rstd,
            t->dnormed, x, w->ln_weight, N, C);
    return VN_OK;
}

vn_status
vn_tower_head_backward(vn_ctx *ctx, vn_tower_work *t, const vn_tower_config *c, const vn_head_weights *w,
                       const vn_head_weights *dw, const float *dunit, int64_t E)
{
    int64_t R = t->runs.R, C = c->width;
    if (dunit != NULL)
        VN_CALL(ctx, l2norm_backward, t->dembedding, t->norm, t->unit, dunit, R, E);
    else
        VN_CALL(ctx, rows_zero, t->dembedding, R * E);
    if (t->full)
        return full_backward(ctx, t, c, w, dw, E);
    VN_CALL(ctx, project_backward, t->dheads, dw->projection, t->dembedding, t->pooled_normed, w->projection, R, C, E);
    VN_CALL(ctx, rows_zero, t->dpooled, R * C);
    VN_CALL(ctx, layernorm_backward, t->dpooled, dw->ln_weight, dw->ln_bias, t->pooled_mean, t->pooled_rstd, t->dheads,
            t->pooled, w->ln_weight, R, C);
    return VN_OK;
}
