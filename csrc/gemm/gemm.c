/* Cuts a product into tiles, hands each to BLAS or the built-in kernel, finishes it: bias, activation, residual. */
#include "vn_gemm.h"

#include "../core/vn_act.h"
#include "../core/vn_blas.h"
#include "../core/vn_parallel.h"

void
VN_FN(gemm_tile)(float *c, int64_t ldc, const float *a, int64_t lda, int ta, const float *b, int64_t ldb, int tb,
                 int64_t M, int64_t N, int64_t K, int add)
{
    vn_blas_sgemm *sgemm = vn_blas();
    if (sgemm == NULL) {
        VN_FN(gemm_builtin)(c, ldc, a, lda, ta, b, ldb, tb, M, N, K, add);
        return;
    }
    sgemm(VN_BLAS_ROW_MAJOR, ta ? VN_BLAS_TRANS : VN_BLAS_NO_TRANS, tb ? VN_BLAS_TRANS : VN_BLAS_NO_TRANS, (int)M,
          (int)N, (int)K, 1.0f, a, (int)lda, b, (int)ldb, add ? 1.0f : 0.0f, c, (int)ldc);
}

void
VN_FN(gemm_cached)(float *c, int64_t ldc, const float *a, int64_t lda, int ta, const float *b, int64_t ldb, int tb,
                   int64_t M, int64_t N, int64_t K, int add)
{
    if (VN_LANES > 4)
        VN_FN(gemm_builtin)(c, ldc, a, lda, ta, b, ldb, tb, M, N, K, add);
    else
        VN_FN(gemm_tile)(c, ldc, a, lda, ta, b, ldb, tb, M, N, K, add);
}

static inline vn_vf
load(const float *p, int64_t n)
{
    return n == VN_LANES ? vn_vload(p) : vn_vload_part(p, n, 0.0f);
}

static inline void
store(float *p, vn_vf x, int64_t n)
{
    if (n == VN_LANES)
        vn_vstore(p, x);
    else
        vn_vstore_part(p, x, n);
}

/* the epilogue of n <= VN_LANES cells from offset at, column col */
static inline void
finish(const vn_gemm *g, int64_t at, int64_t col, int64_t n)
{
    vn_vf x = load(g->c + at, n);
    if (g->bias != NULL)
        x += load(g->bias + col, n);
    if (g->pre != NULL)
        store(g->pre + at, x, n);
    if (g->through != NULL)
        x *= vn_vact_slope(load(g->through + at, n), g->act);
    else
        x = vn_vact(x, g->act);
    if (g->residual != NULL)
        x += load(g->residual + at, n);
    store(g->c + at, x, n);
}

/* Tiles near 384 x 1024, and at least four where the product is large enough, so that no core idles. */
typedef struct grid {
    const vn_gemm *g;
    int64_t down, across;
} grid;

static grid
grid_of(const vn_gemm *g)
{
    grid t = {g, VN_MAX(1, (g->M + 192) / 384), VN_MAX(1, (g->N + 512) / 1024)};
    while (t.down * t.across < 4 && (g->M / t.down >= 128 || g->N / t.across >= 128)) {
        if (g->N / t.across >= g->M / t.down)
            t.across *= 2;
        else
            t.down *= 2;
    }
    return t;
}

/* i-th of n nearly equal cuts of size, on multiples of 16 */
static int64_t
cut(int64_t size, int64_t i, int64_t n)
{
    return i == n ? size : VN_MIN(size, (size * i / n + 8) / 16 * 16);
}

static void
tile(void *arg, int64_t item, int worker)
{
    const grid *t = arg;
    const vn_gemm *g = t->g;
    int64_t i = item / t->across, j = item % t->across;
    int64_t i0 = cut(g->M, i, t->down), i1 = cut(g->M, i + 1, t->down);
    int64_t j0 = cut(g->N, j, t->across), j1 = cut(g->N, j + 1, t->across);
    (void)worker;
    if (i0 == i1 || j0 == j1)
        return;
    VN_FN(gemm_tile)(g->c + i0 * g->ldc + j0, g->ldc, g->ta ? g->a + i0 : g->a + i0 * g->lda, g->lda, g->ta,
                     g->tb ? g->b + j0 * g->ldb : g->b + j0, g->ldb, g->tb, i1 - i0, j1 - j0, g->K, g->add);
    if (g->bias == NULL && g->pre == NULL && g->act == VN_ACT_NONE && g->residual == NULL)
        return;
    for (i = i0; i < i1; i++)
        for (j = j0; j < j1; j += VN_LANES)
            finish(g, i * g->ldc + j, j, VN_MIN(j1 - j, VN_LANES));
}

void
VN_FN(gemm_run)(const vn_gemm *g)
{
    grid t = grid_of(g);
    vn_parallel_for(t.down * t.across, tile, &t);
}
