/* local: how well a caption's tokens are found among an image's patches (FSC-CLIP, arXiv:2410.05210, section 3.2).
 *   o_wp = minmax over p of token_w.x_p, of sum 1, without gradient;  u_w = sum_p o_wp x_p
 *   c_w = cos(u_w, token_w);  score = log sum_w exp(s c_w);  pi = softmax over w of s c
 *   db_w = s pi_w (a_w - c_w b_w) / |token_w|,  dx_p = sum_w o_wp s pi_w (b_w - c_w a_w) / |u_w|
 * with a = u/|u|, b = token/|token|. Equal similarities give equal weights; a row of length 0 has cosine 0 and no
 * gradient. patches x (B,P,E), tokens (N,E) in runs. A sample is a job, which takes a caption in strips of tokens;
 * backward computes o, u and c again. */
#include "../gemm/vn_gemm.h"

#include <math.h>

#include "../core/vn_parallel.h"
#include "../core/vn_simd.h"

typedef struct job {
    float *score, *mean, *dpatches, *dtokens, *scratch;
    const float *dscore, *patches, *tokens;
    const int32_t *offset;
    const uint8_t *live;
    int64_t S, P, E;
    vn_local_args args;
} job;

/* n tokens of a caption against the patches of its image */
typedef struct strip {
    int64_t n;
    float *o, *u; /* (n,P), (n,E) */
    float per_u[VN_LOCAL_STRIP], per_token[VN_LOCAL_STRIP], c[VN_LOCAL_STRIP]; /* 1/|u|, 1/|token|, cosine */
} strip;

/* Similarities (P) to weights, in place. A spread within their rounding is none: it would choose a patch by chance. */
static void
weigh(float *o, int64_t P, int threshold)
{
    float top = o[0], low = o[0], sum = 0.0f;
    for (int64_t p = 1; p < P; p++) {
        top = o[p] > top ? o[p] : top;
        low = o[p] < low ? o[p] : low;
    }
    float spread = top - low, least = threshold ? 1.0f / (float)P : 0.0f;
    int flat = spread <= 1e-6f * VN_MAX(fabsf(top), fabsf(low));
    for (int64_t p = 0; p < P; p++) {
        float x = flat ? 1.0f : (o[p] - low) / spread;
        o[p] = x < least ? 0.0f : x;
        sum += o[p];
    }
    for (int64_t p = 0; p < P; p++)
        o[p] /= sum;
}

static float
inverse_length(const float *x, int64_t E)
{
    float length = sqrtf(vn_vdot(x, x, E));
    return length < 1e-12f ? 0.0f : 1.0f / length;
}

static void
look(strip *s, const job *j, const float *patches, const float *tokens)
{
    int64_t P = j->P, E = j->E;
    VN_FN(gemm_tile)(s->o, P, tokens, E, 0, patches, E, 1, s->n, P, E, 0);
    for (int64_t i = 0; i < s->n; i++)
        weigh(s->o + i * P, P, j->args.threshold);
    VN_FN(gemm_tile)(s->u, E, s->o, P, 0, patches, E, 0, s->n, E, P, 0);
    for (int64_t i = 0; i < s->n; i++) {
        const float *u = s->u + i * E, *token = tokens + i * E;
        s->per_u[i] = inverse_length(u, E);
        s->per_token[i] = inverse_length(token, E);
        s->c[i] = vn_vdot(u, token, E) * s->per_u[i] * s->per_token[i];
    }
}

static strip
strip_of(const job *j, int worker)
{
    strip s;
    s.o = j->scratch + worker * (vn_local_scratch(j->P, j->E) / VN_MAX_THREADS);
    s.u = s.o + VN_LOCAL_STRIP * j->P;
    return s;
}

/* tokens of a slot; 0 where it is not live */
static int64_t
tokens_of(const job *j, int64_t slot)
{
    return j->live != NULL && !j->live[slot] ? 0 : j->offset[slot + 1] - j->offset[slot];
}

static void
forward(void *arg, int64_t b, int worker)
{
    const job *j = arg;
    strip s = strip_of(j, worker);
    for (int64_t slot = b * j->S; slot < (b + 1) * j->S; slot++) {
        int64_t n = tokens_of(j, slot);
        float top = -INFINITY, sum = 0.0f, mean = 0.0f;
        for (int64_t at = 0; at < n; at += s.n) {
            s.n = VN_MIN(n - at, VN_LOCAL_STRIP);
            look(&s, j, j->patches + b * j->P * j->E, j->tokens + (j->offset[slot] + at) * j->E);
            for (int64_t i = 0; i < s.n; i++) {
                float z = j->args.scale * s.c[i], higher = z > top ? z : top;
                float old = expf(top - higher), share = expf(z - higher);
                sum = sum * old + share;
                mean = mean * old + share * s.c[i];
                top = higher;
            }
        }
        j->score[slot] = n > 0 ? top + logf(j->args.length_norm ? sum / (float)n : sum) : 0.0f;
        j->mean[slot] = n > 0 ? mean / sum : 0.0f;
    }
}

static void
backward(void *arg, int64_t b, int worker)
{
    const job *j = arg;
    int64_t P = j->P, E = j->E;
    strip s = strip_of(j, worker);
    const float *patches = j->patches + b * P * E;
    float *dpatches = j->dpatches + b * P * E, scale = j->args.scale;
    memset(dpatches, 0, (size_t)(P * E) * sizeof(float));
    for (int64_t slot = b * j->S; slot < (b + 1) * j->S; slot++) {
        int64_t first = j->offset[slot], n = tokens_of(j, slot);
        if (n == 0)
            memset(j->dtokens + first * E, 0, (size_t)((j->offset[slot + 1] - first) * E) * sizeof(float));
        float lse = j->score[slot] + (j->args.length_norm && n > 0 ? logf((float)n) : 0.0f);
        for (int64_t at = 0; at < n; at += s.n) {
            const float *tokens = j->tokens + (first + at) * E;
            float *dtokens = j->dtokens + (first + at) * E;
            s.n = VN_MIN(n - at, VN_LOCAL_STRIP);
            look(&s, j, patches, tokens);
            for (int64_t i = 0; i < s.n; i++) {
                float g = j->dscore[slot] * scale * expf(scale * s.c[i] - lse);
                for (int64_t e = i * E; e < (i + 1) * E; e++) {
                    float a_e = s.u[e] * s.per_u[i], b_e = tokens[e] * s.per_token[i];
                    dtokens[e] = g * s.per_token[i] * (a_e - s.c[i] * b_e);
                    s.u[e] = g * s.per_u[i] * (b_e - s.c[i] * a_e);
                }
            }
            VN_FN(gemm_tile)(dpatches, E, s.o, P, 1, s.u, E, 0, P, E, s.n, 1);
        }
    }
}

static vn_status
take_scratch(vn_ctx *ctx, job *j)
{
    size_t mark = ctx->scratch.used;
    j->scratch = vn_arena_floats(&ctx->scratch, vn_local_scratch(j->P, j->E));
    ctx->scratch.used = mark;
    if (j->scratch == NULL)
        return vn_fail(&ctx->error, VN_ENOMEM, "local needs more scratch than was bound");
    return VN_OK;
}

vn_status
VN_FN(local_forward)(vn_ctx *ctx, float *score, float *mean, const float *patches, const float *tokens,
                     const int32_t *offset, const uint8_t *live, int64_t B, int64_t S, int64_t P, int64_t E,
                     const vn_local_args *args)
{
    job j = {score, mean, NULL, NULL, NULL, NULL, patches, tokens, offset, live, S, P, E, *args};
    VN_TRY(take_scratch(ctx, &j));
    vn_parallel_for(B, forward, &j);
    return VN_OK;
}

vn_status
VN_FN(local_backward)(vn_ctx *ctx, float *dpatches, float *dtokens, double *dscale, const float *score,
                      const float *mean, const float *dscore, const float *patches, const float *tokens,
                      const int32_t *offset, const uint8_t *live, int64_t B, int64_t S, int64_t P, int64_t E,
                      const vn_local_args *args)
{
    job j = {(float *)score, NULL, dpatches, dtokens, NULL, dscore, patches, tokens, offset, live, S, P, E, *args};
    VN_TRY(take_scratch(ctx, &j));
    vn_parallel_for(B, backward, &j);
    *dscale = 0.0;
    for (int64_t slot = 0; slot < B * S; slot++)
        if (tokens_of(&j, slot) > 0)
            *dscale += (double)dscore[slot] * (double)mean[slot];
    return VN_OK;
}
