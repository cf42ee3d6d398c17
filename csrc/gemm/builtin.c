/* The portable matrix product: where no BLAS was found, and as a cross-check of the one that was.
 *
 * A block of A (ROWS,DEPTH) and panels of B (DEPTH,WIDE) are packed on the stack, edges filled with zeros; the kernel
 * keeps a MR x WIDE piece of C in registers. It always computes the whole piece: with a row count known only at run
 * time gcc spills the accumulators and the kernel runs four times slower. */
#include "vn_gemm.h"

#include "../core/vn_simd.h"

enum { MR = VN_LANES == 16 ? 12 : 6, WIDE = 2 * VN_LANES, ROWS = 8 * MR, DEPTH = 256 };

/* out (n/MR, k, MR) from op(A) (n,k) */
static void
pack_rows(float *out, const float *a, int64_t lda, int ta, int64_t n, int64_t k)
{
    for (int64_t i0 = 0; i0 < n; i0 += MR)
        for (int64_t p = 0; p < k; p++)
            for (int64_t i = i0; i < i0 + MR; i++)
                *out++ = i < n ? (ta ? a[p * lda + i] : a[i * lda + p]) : 0.0f;
}

/* out (k, WIDE) from op(B) (k,n), n <= WIDE */
static void
pack_panel(float *out, const float *b, int64_t ldb, int tb, int64_t k, int64_t n)
{
    for (int64_t p = 0; p < k; p++)
        for (int64_t j = 0; j < WIDE; j++)
            out[p * WIDE + j] = j < n ? (tb ? b[j * ldb + p] : b[p * ldb + j]) : 0.0f;
}

/* c (MR,WIDE) = sum over p of a (k,MR) and b (k,WIDE) */
static void
kernel(float *VN_RESTRICT c, const float *VN_RESTRICT a, const float *VN_RESTRICT b, int64_t k)
{
    vn_vf sum[MR][2] = {{{0}}};
    for (int64_t p = 0; p < k; p++) {
        vn_vf b0 = vn_vload(b + p * WIDE), b1 = vn_vload(b + p * WIDE + VN_LANES);
#pragma GCC unroll 12
        for (int i = 0; i < MR; i++) {
            vn_vf x = vn_vset(a[p * MR + i]);
            sum[i][0] += x * b0;
            sum[i][1] += x * b1;
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < MR; i++) {
        vn_vstore(c + i * WIDE, sum[i][0]);
        vn_vstore(c + i * WIDE + VN_LANES, sum[i][1]);
    }
}

void
VN_FN(gemm_builtin)(float *c, int64_t ldc, const float *a, int64_t lda, int ta, const float *b, int64_t ldb, int tb,
                    int64_t M, int64_t N, int64_t K, int add)
{
    float block[ROWS * DEPTH], panel[DEPTH * WIDE], piece[MR * WIDE];
    for (int64_t i = 0; i < M && !add; i++)
        memset(c + i * ldc, 0, (size_t)N * sizeof(float));
    for (int64_t p0 = 0; p0 < K; p0 += DEPTH)
        for (int64_t i0 = 0; i0 < M; i0 += ROWS) {
            int64_t k = VN_MIN(K - p0, DEPTH), rows = VN_MIN(M - i0, ROWS);
            pack_rows(block, ta ? a + p0 * lda + i0 : a + i0 * lda + p0, lda, ta, rows, k);
            for (int64_t j0 = 0; j0 < N; j0 += WIDE) {
                int64_t cols = VN_MIN(N - j0, WIDE);
                pack_panel(panel, tb ? b + j0 * ldb + p0 : b + p0 * ldb + j0, ldb, tb, k, cols);
                for (int64_t i = 0; i < rows; i += MR) {
                    kernel(piece, block + i * k, panel, k);
                    for (int64_t r = 0; r < VN_MIN(rows - i, MR); r++)
                        for (int64_t j = 0; j < cols; j++)
                            c[(i0 + i + r) * ldc + j0 + j] += piece[r * WIDE + j];
                }
            }
        }
}
