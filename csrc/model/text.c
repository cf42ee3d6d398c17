/* The text tower on packed captions: no row is padding. Each caption is a causal run; its last row is pooled. */
#include "vn_clip.h"

#include <string.h>

vn_status
vn_text_forward(vn_workspace *w, const vn_model *m, const int32_t *id, const int32_t *offset, int64_t S,
                float *tokens)
{
    const vn_clip_config *c = &m->config;
    vn_tower_work *t = &w->text;
    vn_ctx *ctx = &w->ctx;
    int64_t N = offset[S], C = c->text.width, E = c->embed;
    t->runs.longest = 0;
    for (int64_t s = 0; s < S; s++) {
        int64_t length = offset[s + 1] - offset[s];
        t->runs.longest = VN_MAX(t->runs.longest, length);
        t->row[s] = offset[s + 1] - 1;
        for (int64_t i = 0; i < length; i++)
            w->place[offset[s] + i] = (int32_t)i;
    }
    memcpy(t->begin, offset, (size_t)(S + 1) * sizeof(int32_t));
    memcpy(w->id, id, (size_t)N * sizeof(int32_t));
    t->runs.begin = t->begin;
    t->runs.R = S;
    t->runs.N = N;
    t->runs.causal = 1;
    t->full = tokens != NULL;
    VN_CALL(ctx, embed_forward, t->stream[0], w->id, w->place, m->w.token_embedding, m->w.positional_embedding, N, C);
    VN_TRY(vn_tower_forward(ctx, t, &c->text, m->w.text));
    vn_head_weights head = {m->w.ln_final_weight, m->w.ln_final_bias, m->w.text_projection};
    VN_TRY(vn_tower_head_forward(ctx, t, &c->text, &head, E));
    if (tokens != NULL)
        memcpy(tokens, t->joint, (size_t)(N * E) * sizeof(float));
    return VN_OK;
}

vn_status
vn_text_backward(vn_workspace *w, vn_model *m, const float *dunit, const float *dtokens)
{
    const vn_clip_config *c = &m->config;
    vn_tower_work *t = &w->text;
    vn_ctx *ctx = &w->ctx;
    int64_t C = c->text.width, E = c->embed;
    vn_head_weights head = {m->w.ln_final_weight, m->w.ln_final_bias, m->w.text_projection};
    vn_head_weights dhead = {m->dw.ln_final_weight, m->dw.ln_final_bias, m->dw.text_projection};
    if (dtokens != NULL)
        memcpy(t->joint, dtokens, (size_t)(t->runs.N * E) * sizeof(float));
    else if (t->full)
        VN_CALL(ctx, rows_zero, t->joint, t->runs.N * E);
    VN_TRY(vn_tower_head_backward(ctx, t, &c->text, &head, &dhead, dunit, E));
    VN_TRY(vn_tower_backward(ctx, t, &c->text, m->w.text, m->dw.text));
    VN_CALL(ctx, embed_backward, m->dw.token_embedding, m->dw.positional_embedding, t->dstream, w->id, w->place,
            t->runs.N, C);
    return VN_OK;
}
