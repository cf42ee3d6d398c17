/* The portable matrix product: where no BLAS was found, as a cross-check of the one that was, and for tiles that stay
 * in cache, whose operands a BLAS would copy more than once.
 *
 * The kernel keeps a piece of C, ROWS x WIDE, in registers and reads A where it lies; a panel of B is laid out first,
 * whole vectors on their boundaries. A row count known only at run time would make gcc spill the registers, so each
 * count has a function of its own. Every cell of C is summed in one order wherever it lies. */
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
      const float *VN_RESTRICT b, int64_t k, const int rows)
{
    vn_vf sum[ROWS][VECTORS] = {{{0}}};
    for (int64_t p = 0; p < k; p++) {
        vn_vf row[VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++)
            row[v] = vn_vload(b + p * WIDE + v * VN_LANES);
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
            vn_vstore(c + i * ldc + v * VN_LANES, vn_vload(c + i * ldc + v * VN_LANES) + sum[i][v]);
}

/* A function for each count, apart: in one function together they would share out registers badly. */
#define PIECE(n)                                                                                                  \
    static __attribute__((noinline)) void piece_##n(float *c, int64_t ldc, const float *a, int64_t lda, int ta,   \
                                                    const float *b, int64_t k)                                    \
    {                                                                                                             \
        if (ta)                                                                                                   \
            piece(c, ldc, a, lda, 1, b, k, n);                                                                    \
        else                                                                                                      \
            piece(c, ldc, a, lda, 0, b, k, n);                                                                    \
    }
PIECE(1)
PIECE(2)
PIECE(3)
PIECE(4)
PIECE(5)
PIECE(6)

static void
pieces(float *c, int64_t ldc, const float *a, int64_t lda, int ta, const float *b, int64_t M, int64_t k)
{
    static void (*const function[])(float *, int64_t, const float *, int64_t, int, const float *,
                                    int64_t) = {NULL, piece_1, piece_2, piece_3, piece_4, piece_5, piece_6};
    for (int64_t i = 0; i < M; i += ROWS, c += ROWS * ldc, a += ta ? ROWS : ROWS * lda)
        function[VN_MIN(M - i, ROWS)](c, ldc, a, lda, ta, b, k);
}

typedef float four __attribute__((vector_size(16)));

/* the first or the second halves of a and b, side by side or in turn */
static inline four
join(four a, four b, int second)
{
    four low = {a[0], a[1], b[0], b[1]}, high = {a[2], a[3], b[2], b[3]};
    return second ? high : low;
}

static inline four
weave(four a, four b, int second)
{
    four low = {a[0], b[0], a[1], b[1]}, high = {a[2], b[2], a[3], b[3]};
    return second ? high : low;
}

/* out (4,4), rows WIDE apart, from b (4,4), rows ldb apart, turned */
static inline void
turn_four(float *VN_RESTRICT out, const float *VN_RESTRICT b, int64_t ldb)
{
    four x[4], y[4];
    for (int i = 0; i < 4; i++)
        memcpy(&x[i], b + i * ldb, sizeof x[i]);
    for (int i = 0; i < 2; i++) {
        y[i] = weave(x[0], x[1], i);
        y[2 + i] = weave(x[2], x[3], i);
    }
    for (int i = 0; i < 4; i++) {
        four row = join(y[i / 2], y[2 + i / 2], i % 2);
        memcpy(out + i * WIDE, &row, sizeof row);
    }
}

/* out (k,WIDE) from b (n,k), n <= WIDE, zeros behind it; in blocks, so that neither side jumps from line to line */
static void
turn(float *VN_RESTRICT out, const float *VN_RESTRICT b, int64_t ldb, int64_t k, int64_t n)
{
    enum { BLOCK = 16 };
    int64_t kk = k - k % BLOCK, nn = n - n % BLOCK;
    for (int64_t j0 = 0; j0 < nn; j0 += BLOCK)
        for (int64_t p0 = 0; p0 < kk; p0 += BLOCK)
            for (int64_t p = p0; p < p0 + BLOCK; p += 4)
                for (int64_t j = j0; j < j0 + BLOCK; j += 4)
                    turn_four(out + p * WIDE + j, b + j * ldb + p, ldb);
    for (int64_t p = 0; p < k; p++)
        for (int64_t j = p < kk ? nn : 0; j < WIDE; j++)
            out[p * WIDE + j] = j < n ? b[j * ldb + p] : 0.0f;
}

/* out (k,WIDE) from b (k,n), n <= WIDE, zeros behind it */
static void
widen(float *VN_RESTRICT out, const float *VN_RESTRICT b, int64_t ldb, int64_t k, int64_t n)
{
    for (int64_t p = 0; p < k; p++, out += WIDE, b += ldb)
        if (n == WIDE)
            memcpy(out, b, WIDE * sizeof(float));
        else
            for (int64_t j = 0; j < WIDE; j++)
                out[j] = j < n ? b[j] : 0.0f;
}

/* the last n < WIDE columns of C, in a place of their own for as many rows as that has */
static void
edge(float *c, int64_t ldc, const float *a, int64_t lda, int ta, const float *b, int64_t M, int64_t n, int64_t k)
{
    _Alignas(64) float room[8 * ROWS * WIDE];
    for (int64_t i = 0; i < M; i += 8 * ROWS) {
        int64_t rows = VN_MIN(M - i, 8 * ROWS);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t j = 0; j < WIDE; j++)
                room[r * WIDE + j] = j < n ? c[(i + r) * ldc + j] : 0.0f;
        pieces(room, WIDE, ta ? a + i : a + i * lda, lda, ta, b, rows, k);
        for (int64_t r = 0; r < rows; r++)
            memcpy(c + (i + r) * ldc, room + r * WIDE, (size_t)n * sizeof(float));
    }
}

void
VN_FN(gemm_builtin)(float *c, int64_t ldc, const float *a, int64_t lda, int ta, const float *b, int64_t ldb, int tb,
                    int64_t M, int64_t N, int64_t K, int add)
{
    _Alignas(64) float panel[DEPTH * WIDE];
    for (int64_t i = 0; i < M && !add; i++)
        memset(c + i * ldc, 0, (size_t)N * sizeof(float));
    for (int64_t p = 0; p < K; p += DEPTH)
        for (int64_t j = 0; j < N; j += WIDE) {
            int64_t k = VN_MIN(K - p, DEPTH), n = VN_MIN(N - j, WIDE);
            const float *left = ta ? a + p * lda : a + p, *right = tb ? b + j * ldb + p : b + p * ldb + j;
            if (tb)
                turn(panel, right, ldb, k, n);
            else
                widen(panel, right, ldb, k, n);
            if (n < WIDE)
                edge(c + j, ldc, left, lda, ta, panel, M, n, k);
            else
                pieces(c + j, ldc, left, lda, ta, panel, M, k);
        }
}
