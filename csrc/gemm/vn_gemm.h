/* One matrix product over all threads, finished tile by tile while the tile is in cache.
 *
 * The tile grid cuts M and N by the shape alone and never K: BLAS rounds edge tiles differently, so only a fixed grid
 * gives the same bits for any number of threads. */
#ifndef VN_GEMM_H
#define VN_GEMM_H

#include "../vn_backend.h"

typedef struct vn_gemm { /* C (M,N) = op(A) op(B), then the epilogue in this order; NULL leaves a step out */
    float *c;
    const float *a, *b;
    int64_t M, N, K, lda, ldb, ldc;
    int ta, tb, add;                 /* transposed?  C += ? */
    const float *bias;               /* (N) */
    float *pre;                      /* (M,N), rows ldc apart like all that follow: kept for backward */
    vn_act act;
    const float *residual, *through; /* added; multiply by act'(through), going backward */
} vn_gemm;

void VN_FN(gemm_run)(const vn_gemm *g);

/* C (M,N) = or += op(A) op(B) on the calling thread */
void VN_FN(gemm_tile)(float *c, int64_t ldc, const float *a, int64_t lda, int ta, const float *b, int64_t ldb, int tb,
                      int64_t M, int64_t N, int64_t K, int add);

/* the same for tiles that lie in cache: our own kernel copies less, which makes it the faster one from AVX2 on */
void VN_FN(gemm_cached)(float *c, int64_t ldc, const float *a, int64_t lda, int ta, const float *b, int64_t ldb, int tb,
                        int64_t M, int64_t N, int64_t K, int add);

/* the same by our own kernel */
void VN_FN(gemm_builtin)(float *c, int64_t ldc, const float *a, int64_t lda, int ta, const float *b, int64_t ldb,
                         int tb, int64_t M, int64_t N, int64_t K, int add);

#endif
