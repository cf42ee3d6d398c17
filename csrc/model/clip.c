/* Memory of a model and of a workspace: one layout function each, run twice, once to measure and once to bind. */
#include "vn_clip.h"

#include <stdlib.h>
#include <string.h>

#include "../core/vn_parallel.h"

static vn_status
new_blocks(vn_clip_weights *w, const vn_clip_config *c, vn_error *error)
{
    w->image = calloc((size_t)c->image.layers, sizeof *w->image);
    w->text = calloc((size_t)c->text.layers, sizeof *w->text);
    if (w->image == NULL || w->text == NULL)
        return vn_fail(error, VN_ENOMEM, "no room for the list of %lld blocks",
                       (long long)(c->image.layers + c->text.layers));
    return VN_OK;
}

vn_status
vn_model_init(vn_model *m, const vn_clip_config *config, vn_error *error)
{
    vn_arena measure = {NULL, 0, 0};
    memset(m, 0, sizeof *m);
    m->config = *config;
    m->tensors = vn_clip_tensors(config);
    m->list = calloc((size_t)m->tensors, sizeof *m->list);
    if (m->list == NULL)
        return vn_fail(error, VN_ENOMEM, "no room for the list of %lld tensors", (long long)m->tensors);
    VN_TRY(new_blocks(&m->w, config, error));
    vn_clip_bind(&m->w, &measure, m->list, config);
    VN_TRY(vn_arena_reserve(&m->weights, measure.used, error));
    vn_arena_large_pages(&m->weights);
    vn_clip_bind(&m->w, &m->weights, NULL, config);
    m->floats = (int64_t)(measure.used / sizeof(float));
    return VN_OK;
}

vn_status
vn_model_want_gradients(vn_model *m, vn_error *error)
{
    if (m->gradients.base != NULL)
        return VN_OK;
    if (m->dw.image == NULL)
        VN_TRY(new_blocks(&m->dw, &m->config, error));
    VN_TRY(vn_arena_reserve(&m->gradients, m->weights.size, error));
    vn_arena_large_pages(&m->gradients);
    vn_clip_bind(&m->dw, &m->gradients, NULL, &m->config);
    return VN_OK;
}

void
vn_model_free(vn_model *m)
{
    vn_arena_release(&m->weights);
    vn_arena_release(&m->gradients);
    free(m->w.image);
    free(m->w.text);
    free(m->dw.image);
    free(m->dw.text);
    free(m->list);
    memset(m, 0, sizeof *m);
}

static void
bind(vn_workspace *w, vn_arena *a, const vn_clip_config *c)
{
    int64_t P = c->patch, G = c->image_size / P, T = G * G + 1, longest = VN_MAX(T, c->context);
    int64_t B = w->images, S = w->captions, N = w->nodes;
    vn_tower_bind(&w->image, a, &c->image, c->embed, B * T, B, w->keep, w->full);
    w->patches = vn_arena_floats(a, B * G * G * 3 * P * P);
    w->tokens = vn_arena_floats(a, B * T * c->image.width);
    w->pre_mean = vn_arena_floats(a, B * T);
    w->pre_rstd = vn_arena_floats(a, B * T);
    vn_tower_bind(&w->text, a, &c->text, c->embed, N, S, w->keep, w->full);
    w->id = vn_arena_take(a, (size_t)N * sizeof(int32_t));
    w->place = vn_arena_take(a, (size_t)N * sizeof(int32_t));
    size_t mark = a->used;
    vn_tower_bind_scratch(&w->image, a, &c->image, c->embed, B * T, B, w->full);
    size_t end = a->used;
    a->used = mark;
    vn_tower_bind_scratch(&w->text, a, &c->text, c->embed, N, S, w->full);
    a->used = VN_MAX(a->used, end);
    /* attention: two T x T pieces a worker */
    w->ctx.scratch.size = (size_t)VN_MAX_THREADS * (size_t)(2 * longest * longest + 16) * sizeof(float) + 64;
    w->ctx.scratch.base = vn_arena_take(a, w->ctx.scratch.size);
    w->ctx.scratch.used = 0;
}

static vn_status
new_lists(vn_tower_work *t, const vn_tower_config *c, vn_error *error)
{
    t->kept = calloc((size_t)c->layers, sizeof *t->kept);
    t->stream = calloc((size_t)c->layers + 1, sizeof *t->stream);
    if (t->kept == NULL || t->stream == NULL)
        return vn_fail(error, VN_ENOMEM, "no room for the list of %lld blocks", (long long)c->layers);
    return VN_OK;
}

vn_status
vn_workspace_reserve(vn_workspace *w, const vn_clip_config *c, int64_t images, int64_t captions, int64_t nodes,
                     int keep, int full, vn_error *error)
{
    if (w->arena.base != NULL && images <= w->images && captions <= w->captions && nodes <= w->nodes &&
        full <= w->full)
        return VN_OK;
    if (w->image.kept == NULL)
        VN_TRY(new_lists(&w->image, &c->image, error));
    if (w->text.kept == NULL)
        VN_TRY(new_lists(&w->text, &c->text, error));
    vn_arena_release(&w->arena);
    w->images = VN_MAX(w->images, images);
    w->captions = VN_MAX(w->captions, captions);
    w->nodes = VN_MAX(w->nodes, nodes);
    w->keep = keep;
    w->full = VN_MAX(w->full, full);
    vn_arena measure = {NULL, 0, 0};
    bind(w, &measure, c);
    if (vn_arena_reserve(&w->arena, measure.used, error) != VN_OK) {
        w->images = w->captions = w->nodes = 0;
        return VN_ENOMEM;
    }
    vn_arena_large_pages(&w->arena);
    bind(w, &w->arena, c);
    return VN_OK;
}

void
vn_workspace_free(vn_workspace *w)
{
    vn_arena_release(&w->arena);
    free(w->image.kept);
    free(w->image.stream);
    free(w->text.kept);
    free(w->text.stream);
    memset(w, 0, sizeof *w);
}
