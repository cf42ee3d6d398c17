/* The portable matrix product: where no BLAS was found, as a cross-check of the one that was, and for tiles that stay
 * in cache, where nothing has to be packed.
 *
 * The kernel keeps a piece of C, ROWS x WIDE, in registers and reads A and B where they lie; only a transposed B, or
 * the columns left over at its edge, are laid out first. A row count known only at run time would make gcc spill the
 * registers, so each count has its own copy. Every cell of C is summed in one order wherever it lies. */
#include "vn_gemm.h"

#include "../core/vn_simd.h"

#if defined(__AVX512F__) || defined(__aarch64__)
enum { VECTORS = 4 }; /* of 32 registers */
#else
enum { VECTORS = 2 }; /* of 16 */
#endif
enum { ROWS = 6, WIDE = VECTORS * VN_LANES, DEPTH = 256 };

/* c (rows,WIDE) += a (rows,k), or a (k,rows) when turned, times b (k,WIDE) */
static inline __attribute__((always_inline)) void
piece(float *VN_RESTRICT c, int64_t ldc, const float *VN_RESTRICT a, int64_t lda, int turned,
      const float *VN_RESTRICT b, int64_t ldb, int64_t k, const int rows)
{
    vn_vf sum[ROWS][VECTORS];
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++)
            sum[i][v] = vn_vload(c + i * ldc + v * VN_LANES);
    for (int64_t p = 0; p < k; p++) {
        vn_vf row[VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++)
            row[v] = vn_vload(b + p * ldb + v * VN_LANES);
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++) {
            vn_vf x = vn_vset(turned ? a[p * lda + i] : a[i * lda + p]);
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++)
                sum[i][v] += x * row[v];
        }
    }
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++)
            vn_vstore(c + i * ldc + v * VN_LANES, sum[i][v]);
}

static void
pieces(float *c, int64_t ldc, const float *a, int64_t lda, int ta, const float *b, int64_t ldb, int64_t M, int64_t k)
{
    for (int64_t i = 0; i < M; i += ROWS, c += ROWS * ldc, a += ta ? ROWS : ROWS * lda)
        switch (VN_MIN(M - i, ROWS) * 2 + (ta != 0)) {
#define CASE(n)                                      \
    case 2 * n:                                      \
        piece(c, ldc, a, lda, 0, b, ldb, k, n);      \
        break;                                       \
    case 2 * n + 1:                                  \
        piece(c, ldc, a, lda, 1, b, ldb, k, n);      \
        break;
            CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#undef CASE
        }
}

/* out (BLOCK rows, WIDE apart) from b (BLOCK, ldb apart), turned: in blocks neither side jumps from line to line */
enum { BLOCK = 16 };
static void
turn_block(float *VN_RESTRICT out, const float *VN_RESTRICT b, int64_t ldb)
{
    for (int64_t j = 0; j < BLOCK; j++, out++, b += ldb)
        for (int64_t p = 0; p < BLOCK; p++)
            out[p * WIDE] = b[p];
}

/* out (k,WIDE) from b (n,k), n <= WIDE, zeros behind it */
static void
turn(float *VN_RESTRICT out, const float *VN_RESTRICT b, int64_t ldb, int64_t k, int64_t n)
{
    int64_t kk = k - k % BLOCK, nn = n - n % BLOCK;
    for (int64_t j = 0; j < nn; j += BLOCK)
        for (int64_t p = 0; p < kk; p += BLOCK)
            turn_block(out + p * WIDE + j, b + j * ldb + p, ldb);
    for (int64_t p = 0; p < k; p++)
        for (int64_t j = p < kk ? nn : 0; j < WIDE; j++)
            out[p * WIDE + j] = j < n ? b[j * ldb + p] : 0.0f;
}

/* out (k,WIDE) from b (k,n), n < WIDE, zeros behind it */
static void
widen(float *out, const float *b, int64_t ldb, int64_t k, int64_t n)
{
    for (int64_t p = 0; p < k; p++)
        for (int64_t j = 0; j < WIDE; j++)
            out[p * WIDE + j] = j < n ? b[p * ldb + j] : 0.0f;
}

/* the last n < WIDE columns of C, in a place of their own for as many rows as that has */
static void
edge(float *c, int64_t ldc, const float *a, int64_t lda, int ta, const float *b, int64_t M, int64_t n, int64_t k)
{
    float room[8 * ROWS * WIDE];
    for (int64_t i = 0; i < M; i += 8 * ROWS) {
        int64_t rows = VN_MIN(M - i, 8 * ROWS);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t j = 0; j < WIDE; j++)
                room[r * WIDE + j] = j < n ? c[(i + r) * ldc + j] : 0.0f;
        pieces(room, WIDE, ta ? a + i : a + i * lda, lda, ta, b, WIDE, rows, k);
        for (int64_t r = 0; r < rows; r++)
            memcpy(c + (i + r) * ldc, room + r * WIDE, (size_t)n * sizeof(float));
    }
}

void
VN_FN(gemm_builtin)(float *c, int64_t ldc, const float *a, int64_t lda, int ta, const float *b, int64_t ldb, int tb,
                    int64_t M, int64_t N, int64_t K, int add)
{
    float panel[DEPTH * WIDE];
    for (int64_t i = 0; i < M && !add; i++)
        memset(c + i * ldc, 0, (size_t)N * sizeof(float));
    for (int64_t p = 0; p < K; p += DEPTH)
        for (int64_t j = 0; j < N; j += WIDE) {
            int64_t k = VN_MIN(K - p, DEPTH), n = VN_MIN(N - j, WIDE);
            const float *left = ta ? a + p * lda : a + p, *right = tb ? b + j * ldb + p : b + p * ldb + j;
            if (tb)
                turn(panel, right, ldb, k, n);
            else if (n < WIDE)
                widen(panel, right, ldb, k, n);
            if (n < WIDE)
                edge(c + j, ldc, left, lda, ta, panel, M, n, k);
            else
                pieces(c + j, ldc, left, lda, ta, tb ? panel : right, tb ? WIDE : ldb, M, k);
        }
}
