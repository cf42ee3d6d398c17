/* Fills one level's table, nothing else. */
#include "vn_backend.h"

#include "gemm/vn_gemm.h"

static void
gemm(float *c, const float *a, const float *b, int64_t M, int64_t N, int64_t K, int ta, int tb, int add)
{
    vn_gemm g = {c, a, b, M, N, K, ta ? M : K, tb ? K : N, N, ta, tb, add, NULL, NULL, VN_ACT_NONE, NULL, NULL};
    VN_FN(gemm_run)(&g);
}

const vn_backend VN_FN(backend) = {
    VN_ABI,
    sizeof(vn_backend),
    VN_LEVEL_NAME,
#define X(op) VN_FN(op),
    VN_OPS(X)
#undef X
    gemm,
    VN_FN(gemm_builtin),
    VN_FN(terms),
    VN_FN(tiles_layout),
    VN_FN(tiles_statistics),
    VN_FN(tiles_gradients),
    VN_FN(made_forward),
    VN_FN(made_backward),
    VN_FN(made_cosines),
};
