/* Every instruction level: products against plain loops, and a small CLIP forward and backward by differences. */
#include <math.h>
#include <string.h>

#include "../../csrc/core/vn_parallel.h"
#include "../../csrc/core/vn_philox.h"
#include "../../csrc/model/vn_clip.h"
#include "check.h"

static float *
noise(int64_t count, uint32_t stream)
{
    float *x = fresh((size_t)count * sizeof *x);
    vn_rng r = {7, 0, 0, stream};
    for (int64_t i = 0; i < count; i++)
        x[i] = 2.0f * vn_rng_uniform(&r) - 1.0f;
    return x;
}

static void
test_gemm(const vn_backend *be, int64_t M, int64_t N, int64_t K, int ta, int tb)
{
    float *a = noise(M * K, 1), *b = noise(K * N, 2), *c = fresh((size_t)(M * N) * sizeof *c);
    float *d = fresh((size_t)(M * N) * sizeof *d);
    be->gemm(c, a, b, M, N, K, ta, tb, 0);
    be->gemm_builtin(d, N, a, ta ? M : K, ta, b, tb ? K : N, tb, M, N, K, 0);
    be->gemm_builtin(d, N, a, ta ? M : K, ta, b, tb ? K : N, tb, M, N, K, 1);
    for (int64_t i = 0; i < M; i++)
        for (int64_t j = 0; j < N; j++) {
            double sum = 0.0;
            for (int64_t k = 0; k < K; k++)
                sum += (double)(ta ? a[k * M + i] : a[i * K + k]) * (double)(tb ? b[j * K + k] : b[k * N + j]);
            CHECK(fabs(sum - (double)c[i * N + j]) < 1e-4 && fabs(2.0 * sum - (double)d[i * N + j]) < 2e-4);
        }
    free(a), free(b), free(c), free(d);
}

typedef struct problem {
    vn_model model;
    vn_workspace work;
    float *x, *dimage, *dtext, *dpatches, *dtokens; /* the last two NULL: only pooled rows are asked for */
    float *patches, *tokens;
    int32_t *id, *offset;
    int64_t B, S;
} problem;

/* sum of unit embeddings, and of tokens, times fixed weights */
static double
value(problem *p)
{
    int64_t E = p->model.config.embed;
    double sum = 0.0;
    CHECK(vn_image_forward(&p->work, &p->model, p->x, p->B, p->patches) == VN_OK);
    CHECK(vn_text_forward(&p->work, &p->model, p->id, p->offset, p->S, p->tokens) == VN_OK);
    for (int64_t i = 0; i < p->B * E; i++)
        sum += (double)p->dimage[i] * (double)p->work.image.unit[i];
    for (int64_t i = 0; i < p->S * E; i++)
        sum += (double)p->dtext[i] * (double)p->work.text.unit[i];
    for (int64_t i = 0; i < (p->patches != NULL ? p->B * 4 * E : 0); i++)
        sum += (double)p->dpatches[i] * (double)p->patches[i];
    for (int64_t i = 0; i < (p->tokens != NULL ? 16 * E : 0); i++)
        sum += (double)p->dtokens[i] * (double)p->tokens[i];
    return sum;
}

static void
test_clip(const vn_backend *be, int full)
{
    static const int32_t lengths[] = {2, 9, 5};
    vn_clip_config c = {5, 6, 3, 9, 11, {6, 3, 2, 7, VN_ACT_GELU}, {4, 2, 2, 9, VN_ACT_QUICK_GELU}, 1};
    vn_error error;
    problem p;
    memset(&p, 0, sizeof p);
    p.B = 2;
    p.S = 3;
    CHECK(vn_model_init(&p.model, &c, &error) == VN_OK && vn_model_want_gradients(&p.model, &error) == VN_OK);
    vn_clip_start((float *)p.model.weights.base, p.model.list, p.model.tensors, 3);
    for (int64_t i = 0; i < 9 * 4; i++)
        p.model.w.positional_embedding[i] *= 50.0f; /* far from 0, where LayerNorm bends too much for differences */
    CHECK(vn_workspace_reserve(&p.work, &c, p.B, p.S, 16, 1, full, &error) == VN_OK);
    p.work.ctx.be = be;
    p.x = noise(p.B * 3 * 6 * 6, 3);
    p.dimage = noise(p.B * 5, 4);
    p.dtext = noise(p.S * 5, 5);
    if (full) {
        p.dpatches = noise(p.B * 4 * 5, 6);
        p.dtokens = noise(16 * 5, 7);
        p.patches = fresh((size_t)(p.B * 4 * 5) * sizeof *p.patches);
        p.tokens = fresh(16 * 5 * sizeof *p.tokens);
    }
    p.id = fresh(16 * sizeof *p.id);
    p.offset = fresh(4 * sizeof *p.offset);
    p.offset[0] = 0;
    for (int s = 0; s < 3; s++)
        p.offset[s + 1] = p.offset[s] + lengths[s];
    for (int i = 0; i < 16; i++)
        p.id[i] = (i * 7 + 3) % 11;
    value(&p);
    CHECK(vn_image_backward(&p.work, &p.model, p.dimage, p.dpatches) == VN_OK);
    CHECK(vn_text_backward(&p.work, &p.model, p.dtext, p.dtokens) == VN_OK);
    for (int64_t t = 0; t < p.model.tensors; t++) {
        const vn_tensor *tensor = &p.model.list[t];
        float *w = (float *)p.model.weights.base + tensor->offset + tensor->count / 2, keep = *w;
        double gradient = (double)((float *)p.model.gradients.base)[tensor->offset + tensor->count / 2];
        *w = keep + 0.003f;
        double up = value(&p);
        *w = keep - 0.003f;
        double slope = (up - value(&p)) / 0.006;
        *w = keep;
        CHECK(fabs(slope - gradient) < 0.02 * fabs(slope) + 5e-3);
    }
    free(p.x), free(p.dimage), free(p.dtext), free(p.id), free(p.offset);
    free(p.dpatches), free(p.dtokens), free(p.patches), free(p.tokens);
    vn_workspace_free(&p.work);
    vn_model_free(&p.model);
}

int
main(void)
{
    const vn_backend *be;
    vn_parallel_set_threads(2);
    for (int i = 0; (be = vn_backend_at(i)) != NULL; i++) {
        for (int t = 0; t < 4; t++) {
            test_gemm(be, 1, 1, 1, t & 1, t >> 1);
            test_gemm(be, 17, 33, 65, t & 1, t >> 1);
            test_gemm(be, 130, 7, 260, t & 1, t >> 1);
        }
        test_clip(be, 0);
        test_clip(be, 1);
    }
    return failures != 0;
}
