/* The image tower: patches, class token, positions, ln_pre, blocks, ln_post of the class token, projection. */
#include "vn_clip.h"

#include <string.h>

vn_status
vn_image_forward(vn_workspace *w, const vn_model *m, const float *x, int64_t B, float *patches)
{
    const vn_clip_config *c = &m->config;
    vn_tower_work *t = &w->image;
    vn_ctx *ctx = &w->ctx;
    int64_t P = c->patch, G = c->image_size / P, T = G * G + 1, C = c->image.width, E = c->embed;
    for (int64_t b = 0; b <= B; b++)
        t->begin[b] = (int32_t)(b * T);
    for (int64_t b = 0; b < B; b++)
        t->row[b] = (int32_t)(b * T);
    t->runs.begin = t->begin;
    t->runs.R = B;
    t->runs.N = B * T;
    t->runs.longest = T;
    t->runs.causal = 0;
    t->full = patches != NULL;
    VN_CALL(ctx, patchify_forward, w->patches, x, B, G, P);
    VN_CALL(ctx, linear_forward, t->normed, NULL, w->patches, NULL, m->w.conv1, NULL, B * G * G, 3 * P * P, C,
            VN_ACT_NONE);
    VN_CALL(ctx, tokens_forward, w->tokens, t->normed, m->w.class_embedding, m->w.image_positions, B, T, C);
    VN_CALL(ctx, layernorm_forward, t->stream[0], w->pre_mean, w->pre_rstd, w->tokens, m->w.ln_pre_weight,
            m->w.ln_pre_bias, B * T, C);
    VN_TRY(vn_tower_forward(ctx, t, &c->image, m->w.image));
    vn_head_weights head = {m->w.ln_post_weight, m->w.ln_post_bias, m->w.proj};
    VN_TRY(vn_tower_head_forward(ctx, t, &c->image, &head, E));
    for (int64_t b = 0; b < (patches != NULL ? B : 0); b++)
        memcpy(patches + b * (T - 1) * E, t->joint + (b * T + 1) * E, (size_t)((T - 1) * E) * sizeof(float));
    return VN_OK;
}

vn_status
vn_image_backward(vn_workspace *w, vn_model *m, const float *dunit, const float *dpatches)
{
    const vn_clip_config *c = &m->config;
    vn_tower_work *t = &w->image;
    vn_ctx *ctx = &w->ctx;
    int64_t P = c->patch, G = c->image_size / P, T = G * G + 1, C = c->image.width, B = t->runs.R, E = c->embed;
    vn_head_weights head = {m->w.ln_post_weight, m->w.ln_post_bias, m->w.proj};
    vn_head_weights dhead = {m->dw.ln_post_weight, m->dw.ln_post_bias, m->dw.proj};
    if (t->full)
        VN_CALL(ctx, rows_zero, t->joint, B * T * E);
    for (int64_t b = 0; b < (dpatches != NULL ? B : 0); b++)
        memcpy(t->joint + (b * T + 1) * E, dpatches + b * (T - 1) * E, (size_t)((T - 1) * E) * sizeof(float));
    VN_TRY(vn_tower_head_backward(ctx, t, &c->image, &head, &dhead, dunit, E));
    VN_TRY(vn_tower_backward(ctx, t, &c->image, m->w.image, m->dw.image));
    VN_CALL(ctx, rows_zero, t->dnormed, B * T * C);
    VN_CALL(ctx, layernorm_backward, t->dnormed, m->dw.ln_pre_weight, m->dw.ln_pre_bias, w->pre_mean, w->pre_rstd,
            t->dstream, w->tokens, m->w.ln_pre_weight, B * T, C);
    VN_CALL(ctx, tokens_backward, t->normed, m->dw.class_embedding, m->dw.image_positions, t->dnormed, B, T, C);
    VN_CALL(ctx, linear_backward, NULL, m->dw.conv1, NULL, NULL, t->normed, w->patches, m->w.conv1, B * G * G,
            3 * P * P, C, VN_ACT_NONE);
    return VN_OK;
}
