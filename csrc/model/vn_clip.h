/* CLIP: two towers, a scale, perhaps a bias. The model owns weights and gradients; a workspace one batch's activations.
 * Letters: B images, S captions, N rows of a tower, C its width, E joint width, L layers. */
#ifndef VN_CLIP_H
#define VN_CLIP_H

#include "../vn_backend.h"

typedef struct vn_tower_config {
    int64_t width, heads, layers, mlp;
    vn_act act;
} vn_tower_config;

typedef struct vn_clip_config {
    int64_t embed, image_size, patch, context, vocab;
    vn_tower_config image, text;
    int64_t bias; /* 1: a learned bias beside the scale, for the sigmoid loss */
} vn_clip_config;

typedef struct vn_block_weights {
    float *in_weight, *in_bias, *out_weight, *out_bias, *ln_1_weight, *ln_1_bias;
    float *fc_weight, *fc_bias, *proj_weight, *proj_bias, *ln_2_weight, *ln_2_bias;
} vn_block_weights;

typedef struct vn_clip_weights {
    float *positional_embedding, *text_projection, *logit_scale;
    float *class_embedding, *image_positions, *proj, *conv1, *ln_pre_weight, *ln_pre_bias;
    float *ln_post_weight, *ln_post_bias, *token_embedding, *ln_final_weight, *ln_final_bias;
    float *logit_bias;              /* NULL where the configuration has none */
    vn_block_weights *image, *text; /* (layers) each */
} vn_clip_weights;

/* The final LayerNorm of a tower and its projection into the joint space. */
typedef struct vn_head_weights {
    float *ln_weight, *ln_bias, *projection;
} vn_head_weights;

/* How a tensor starts: N(0, scale), U(-scale, scale) or the constant scale. */
typedef enum vn_start { VN_NORMAL, VN_UNIFORM, VN_CONSTANT } vn_start;

typedef struct vn_tensor {
    char name[72]; /* OpenAI's name of the weight */
    int64_t dims[4], offset, count; /* offset and count in floats, from the start of the arena */
    int rank;
    vn_start start;
    float scale;
} vn_tensor;

/* Number of tensors of a configuration. */
int64_t vn_clip_tensors(const vn_clip_config *config);
/* Lays all weights out in the arena, in one order: measures (no base) or binds; lists them where list is not NULL. */
void vn_clip_bind(vn_clip_weights *w, vn_arena *arena, vn_tensor *list, const vn_clip_config *config);
/* CLIP's initialisation (OpenAI's released code), by Philox(seed, tensor, element). */
void vn_clip_start(float *weights, const vn_tensor *list, int64_t tensors, uint64_t seed);

/* What a block keeps for backward. Pooled blocks keep q and kv (R rows and N) where others keep qkv (N). */
typedef struct vn_block_kept {
    float *mean_1, *rstd_1, *qkv, *q, *heads, *lse, *middle, *mean_2, *rstd_2, *pre;
} vn_block_kept;

/* One tower's activations and scratch. */
typedef struct vn_tower_work {
    vn_block_kept *kept;                 /* (layers), or one that all share when nothing is kept */
    float **stream;                      /* (layers + 1) rows into each block, or two in turn */
    float *normed, *hidden, *gathered;   /* scratch: (N,C), (N,F), (R,C) */
    float *dstream, *dnormed, *dhidden, *dqkv, *dpooled, *dheads, *dq; /* scratch, backward only */
    float *pooled, *pooled_mean, *pooled_rstd, *pooled_normed;         /* (R,C), (R), (R), (R,C) */
    float *embedding, *norm, *unit, *dembedding;                       /* (R,E), (R), (R,E), (R,E) */
    float *joint;                        /* scratch: (N,E), every row in the joint space, or its gradient */
    int32_t *begin, *row;                /* (R+1), (R): runs and the row that each pools */
    vn_runs runs;
    int keep, full;                      /* full: in this batch all rows leave the last block, not only the pooled */
} vn_tower_work;

/* rows into block layer, out of block layer - 1 */
static inline float *
vn_tower_stream(const vn_tower_work *t, int64_t layer)
{
    return t->stream[t->keep ? layer : layer & 1];
}

typedef struct vn_workspace {
    vn_ctx ctx;
    vn_arena arena;
    vn_tower_work image, text;
    float *patches, *tokens, *pre_mean, *pre_rstd; /* image: (B G G,3PP), (B T,C), (B T), (B T) */
    int32_t *id, *place;                           /* text: (N) */
    int64_t images, captions, nodes;               /* room */
    int keep, full;                                /* full: with room for batches whose last blocks are full */
} vn_workspace;

typedef struct vn_model {
    vn_clip_config config;
    vn_arena weights, gradients; /* gradients: NULL until first asked for */
    vn_clip_weights w, dw;
    vn_tensor *list; /* (tensors) */
    int64_t tensors, floats;
} vn_model;

vn_status vn_model_init(vn_model *m, const vn_clip_config *config, vn_error *error);
vn_status vn_model_want_gradients(vn_model *m, vn_error *error);
void vn_model_free(vn_model *m);

/* Room for a batch; never shrinks. keep: activations are kept for backward; full: all rows may be asked for. Bytes:
 * what it reserves. */
vn_status vn_workspace_reserve(vn_workspace *w, const vn_clip_config *c, int64_t images, int64_t captions,
                               int64_t nodes, int keep, int full, vn_error *error);
void vn_workspace_free(vn_workspace *w);

/* x (B,3,S,S): fills w->image.embedding, .unit, .norm; patches (B,G G,E), or NULL: patch tokens in the joint space,
 * not normalised, without the class token */
vn_status vn_image_forward(vn_workspace *w, const vn_model *m, const float *x, int64_t B, float *patches);
/* dunit (B,E), dpatches (B,G G,E) or NULL, each: adds to the gradients of the image tower */
vn_status vn_image_backward(vn_workspace *w, vn_model *m, const float *dunit, const float *dpatches);
/* captions packed: id (offset[S]), offset (S+1): fills w->text.embedding, .unit, .norm; tokens (offset[S],E) or NULL */
vn_status vn_text_forward(vn_workspace *w, const vn_model *m, const int32_t *id, const int32_t *offset, int64_t S,
                          float *tokens);
vn_status vn_text_backward(vn_workspace *w, vn_model *m, const float *dunit, const float *dtokens);

/* block.c. full: the layout has room for full last blocks */
void vn_tower_bind(vn_tower_work *t, vn_arena *a, const vn_tower_config *c, int64_t embed, int64_t N, int64_t R,
                   int keep, int full);
/* scratch, which the two towers share: bind one, rewind, bind the other */
void vn_tower_bind_scratch(vn_tower_work *t, vn_arena *a, const vn_tower_config *c, int64_t embed, int64_t N,
                           int64_t R, int full);
vn_status vn_tower_forward(vn_ctx *ctx, vn_tower_work *t, const vn_tower_config *c, const vn_block_weights *w);
vn_status vn_tower_backward(vn_ctx *ctx, vn_tower_work *t, const vn_tower_config *c, const vn_block_weights *w,
                            const vn_block_weights *dw);

/* head.c: what leaves the last block to embeddings, and, when full, to t->joint ... */
vn_status vn_tower_head_forward(vn_ctx *ctx, vn_tower_work *t, const vn_tower_config *c, const vn_head_weights *w,
                                int64_t E);
/* ... and back, when full from t->joint too. dunit NULL: zero */
vn_status vn_tower_head_backward(vn_ctx *ctx, vn_tower_work *t, const vn_tower_config *c, const vn_head_weights *w,
                                 const vn_head_weights *dw, const float *dunit, int64_t E);

#endif
