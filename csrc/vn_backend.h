/* CONTRACT: the operations, and the table through which every one is called.
 *
 * Arguments, always: outputs, saved, inputs, weights, sizes, scalars.
 * Weight gradients add (+=).  Activation gradients overwrite (=), except on the residual stream (+=).
 * Letters: N rows, C width, H heads, I and O a linear layer's widths, B images, S captions, E joint width,
 * V vocabulary.
 *
 * Backend files are compiled once per instruction level; each level fills a table, cpuid picks one at import. */
#ifndef VN_BACKEND_H
#define VN_BACKEND_H

#include "core/vn_act.h"
#include "core/vn_arena.h"
#include "core/vn_build.h"
#include "core/vn_parallel.h"
#include "core/vn_status.h"
#include "tiles/vn_tiles.h"

typedef struct vn_ctx {
    const struct vn_backend *be; /* the table every operation is called through */
    void *state;                 /* the backend's own: stream, cuBLAS handle */
    vn_arena scratch;            /* mark, take, rewind */
    vn_error error;
} vn_ctx;

/* Sequences laid end to end: run r is rows begin[r] .. begin[r+1]-1. */
typedef struct vn_runs {
    const int32_t *begin; /* (R+1) */
    int64_t R, N;         /* begin[R] = N */
    int64_t longest;
    int causal; /* 1: a row sees those before it and itself; 0: its whole run */
} vn_runs;

/* out (N,O); saved pre (N,O) or NULL; x (N,I), residual (N,O) or NULL; weight (O,I), bias (O)
 * pre = x weight^T + bias; out = act(pre) + residual */
typedef vn_status vn_linear_forward_fn(vn_ctx *ctx, float *out, float *pre, const float *x, const float *residual,
                                       const float *weight, const float *bias, int64_t N, int64_t I, int64_t O,
                                       vn_act act);
/* dx (N,I) or NULL, dweight (O,I) +=, dbias (O) += or NULL; through (N,I) or NULL: dx *= act'(through), when x is
 * act(through); dout (N,O), x (N,I); weight (O,I) */
typedef vn_status vn_linear_backward_fn(vn_ctx *ctx, float *dx, float *dweight, float *dbias, const float *through,
                                        const float *dout, const float *x, const float *weight, int64_t N, int64_t I,
                                        int64_t O, vn_act act);
/* out (N,O) = x (N,I) weight (I,O): CLIP's two projections are stored transposed */
typedef vn_status vn_project_forward_fn(vn_ctx *ctx, float *out, const float *x, const float *weight, int64_t N,
                                        int64_t I, int64_t O);
typedef vn_status vn_project_backward_fn(vn_ctx *ctx, float *dx, float *dweight, const float *dout, const float *x,
                                         const float *weight, int64_t N, int64_t I, int64_t O);
/* out (count) = act(x), to recompute a hidden layer */
typedef vn_status vn_act_forward_fn(vn_ctx *ctx, float *out, const float *x, int64_t count, vn_act act);

/* out (N,C); saved mean (N), rstd (N); x (N,C); weight, bias (C).  eps 1e-5 inside the root */
typedef vn_status vn_layernorm_forward_fn(vn_ctx *ctx, float *out, float *mean, float *rstd, const float *x,
                                          const float *weight, const float *bias, int64_t N, int64_t C);
/* dx (N,C) +=, dweight, dbias (C) +=; saved mean, rstd (N); dout, x (N,C); weight (C) */
typedef vn_status vn_layernorm_backward_fn(vn_ctx *ctx, float *dx, float *dweight, float *dbias, const float *mean,
                                           const float *rstd, const float *dout, const float *x, const float *weight,
                                           int64_t N, int64_t C);

/* out (N,C); saved lse (N,H); qkv (N,3C) */
typedef vn_status vn_attention_forward_fn(vn_ctx *ctx, float *out, float *lse, const float *qkv, const vn_runs *runs,
                                          int64_t C, int64_t H);
/* dqkv (N,3C); saved lse (N,H), out (N,C); dout (N,C), qkv (N,3C) */
typedef vn_status vn_attention_backward_fn(vn_ctx *ctx, float *dqkv, const float *lse, const float *out,
                                           const float *dout, const float *qkv, const vn_runs *runs, int64_t C,
                                           int64_t H);
/* One query a run, which sees the whole run: out (R,C); saved lse (R,H); q (R,C), kv (N,2C) */
typedef vn_status vn_pool_forward_fn(vn_ctx *ctx, float *out, float *lse, const float *q, const float *kv,
                                     const vn_runs *runs, int64_t C, int64_t H);
/* dq (R,C), dkv (N,2C); saved lse (R,H), out (R,C); dout (R,C), q (R,C), kv (N,2C) */
typedef vn_status vn_pool_backward_fn(vn_ctx *ctx, float *dq, float *dkv, const float *lse, const float *out,
                                      const float *dout, const float *q, const float *kv, const vn_runs *runs,
                                      int64_t C, int64_t H);

/* out (N,C) = token[id] + position[place]; id, place (N); token (V,C), position (P,C) */
typedef vn_status vn_embed_forward_fn(vn_ctx *ctx, float *out, const int32_t *id, const int32_t *place,
                                      const float *token, const float *position, int64_t N, int64_t C);
/* dtoken (V,C) +=, dposition (P,C) +=; dout (N,C) */
typedef vn_status vn_embed_backward_fn(vn_ctx *ctx, float *dtoken, float *dposition, const float *dout,
                                       const int32_t *id, const int32_t *place, int64_t N, int64_t C);

/* out (B*G*G, 3*P*P), patch vectors in the order channel, row, column; x (B,3,G*P,G*P).  Pixels get no gradient. */
typedef vn_status vn_patchify_forward_fn(vn_ctx *ctx, float *out, const float *x, int64_t B, int64_t G, int64_t P);
/* out (B*T,C), T = G*G+1: the class token, then the patches, plus positions; patch (B*(T-1),C); head (C),
 * position (T,C) */
typedef vn_status vn_tokens_forward_fn(vn_ctx *ctx, float *out, const float *patch, const float *head,
                                       const float *position, int64_t B, int64_t T, int64_t C);
/* dpatch (B*(T-1),C), dhead (C) +=, dposition (T,C) +=; dout (B*T,C) */
typedef vn_status vn_tokens_backward_fn(vn_ctx *ctx, float *dpatch, float *dhead, float *dposition, const float *dout,
                                        int64_t B, int64_t T, int64_t C);

/* out (S,C) = x[row]; row (S); x (N,C) */
typedef vn_status vn_rows_gather_fn(vn_ctx *ctx, float *out, const float *x, const int32_t *row, int64_t S, int64_t C);
/* dx (N,C): dx[row] += dout (S,C), rows distinct */
typedef vn_status vn_rows_scatter_fn(vn_ctx *ctx, float *dx, const float *dout, const int32_t *row, int64_t S,
                                     int64_t C);

/* out (N,E) = x / max(|x|, 1e-12); saved norm (N) */
typedef vn_status vn_l2norm_forward_fn(vn_ctx *ctx, float *out, float *norm, const float *x, int64_t N, int64_t E);
/* dx (N,E) = (dout - out (out.dout)) / norm, 0 where norm < 1e-12; saved norm (N), out (N,E) */
typedef vn_status vn_l2norm_backward_fn(vn_ctx *ctx, float *dx, const float *norm, const float *out, const float *dout,
                                        int64_t N, int64_t E);

/* FSC-CLIP's score of an image's patches for a caption's tokens; S captions a sample, laid end to end:
 * score (B,S), 0 where live (B,S), or NULL, is 0 or a caption has no token; saved mean (B,S) = dscore/dscale;
 * patches (B,P,E), tokens (offset[B S],E), offset (B S + 1).  What is not live is never read. */
typedef struct vn_local_args {
    float scale;
    int threshold, length_norm; /* weights below 1/P are 0; log of the number of tokens is taken off */
} vn_local_args;
typedef vn_status vn_local_forward_fn(vn_ctx *ctx, float *score, float *mean, const float *patches,
                                      const float *tokens, const int32_t *offset, const uint8_t *live, int64_t B,
                                      int64_t S, int64_t P, int64_t E, const vn_local_args *args);
/* dpatches (B,P,E), dtokens (offset[B S],E), dscale (1); saved score, mean (B,S); dscore (B,S) */
typedef vn_status vn_local_backward_fn(vn_ctx *ctx, float *dpatches, float *dtokens, double *dscale,
                                       const float *score, const float *mean, const float *dscore,
                                       const float *patches, const float *tokens, const int32_t *offset,
                                       const uint8_t *live, int64_t B, int64_t S, int64_t P, int64_t E,
                                       const vn_local_args *args);
/* floats of ctx->scratch that either takes */
enum { VN_LOCAL_STRIP = 16 };
static inline int64_t
vn_local_scratch(int64_t P, int64_t E)
{
    return (VN_LOCAL_STRIP * (P + E) + 15) / 16 * 16 * VN_MAX_THREADS;
}

/* sum (1) = sum of x^2, double accumulators, fixed order */
typedef vn_status vn_square_sum_fn(vn_ctx *ctx, double *sum, const float *x, int64_t count);
/* weight, m, v (count) updated; grad (count) times gain; decoupled decay, or l2 inside the gradient;
 * correct1 = 1 - beta1^t */
typedef struct vn_adamw_args {
    float lr, beta1, beta2, eps, decay, l2, gain, correct1, correct2;
} vn_adamw_args;
typedef vn_status vn_adamw_update_fn(vn_ctx *ctx, float *weight, float *m, float *v, const float *grad, int64_t count,
                                     const vn_adamw_args *args);
/* x (count) = 0 */
typedef vn_status vn_rows_zero_fn(vn_ctx *ctx, float *x, int64_t count);

#define VN_OPS(X)                                                                                              \
    X(linear_forward) X(linear_backward) X(project_forward) X(project_backward) X(act_forward)                 \
    X(layernorm_forward) X(layernorm_backward) X(attention_forward) X(attention_backward)                      \
    X(pool_forward) X(pool_backward) X(embed_forward) X(embed_backward) X(patchify_forward)                    \
    X(tokens_forward) X(tokens_backward) X(rows_gather) X(rows_scatter) X(rows_zero)                           \
    X(l2norm_forward) X(l2norm_backward) X(local_forward) X(local_backward) X(square_sum) X(adamw_update)

enum { VN_ABI = 1 };
typedef struct vn_backend {
    uint32_t abi, bytes; /* VN_ABI, sizeof(vn_backend): checked on opening */
    const char *name;    /* "avx2", "cuda" */
#define X(op) vn_##op##_fn *op;
    VN_OPS(X)
#undef X
    /* C (M,N) = or += op(A) op(B): the provider's product on all threads, and the built-in kernel on one */
    void (*gemm)(float *c, const float *a, const float *b, int64_t M, int64_t N, int64_t K, int ta, int tb, int add);
    void (*gemm_builtin)(float *c, int64_t ldc, const float *a, int64_t lda, int ta, const float *b, int64_t ldb,
                         int tb, int64_t M, int64_t N, int64_t K, int add);
    const vn_term *const *terms; /* in the order of vn_registry.def; ends with NULL */
    vn_tiles_layout_fn *tiles_layout;
    vn_tiles_statistics_fn *tiles_statistics;
    vn_tiles_gradients_fn *tiles_gradients;
    vn_made_forward_fn *made_forward;
    vn_made_backward_fn *made_backward;
    vn_made_cosines_fn *made_cosines;
} vn_backend;

#ifdef VN_LEVEL
#define X(op) vn_##op##_fn VN_FN(op);
VN_OPS(X)
#undef X
extern const vn_backend VN_FN(backend);
#endif

/* The table named, or the best that this CPU runs when name is NULL; NULL when there is none of that name. */
const vn_backend *vn_backend_find(const char *name);
/* The i-th table that this CPU runs, best first; NULL past the end. */
const vn_backend *vn_backend_at(int i);

/* Calls an operation through the table; what a backend lacks is an error, not a crash. */
#define VN_CALL(ctx, op, ...)                                                                            \
    VN_TRY((ctx)->be->op != NULL                                                                         \
               ? (ctx)->be->op((ctx), __VA_ARGS__)                                                       \
               : vn_fail(&(ctx)->error, VN_EUNSUPPORTED, "%s has no operation %s", (ctx)->be->name, #op))

#endif
