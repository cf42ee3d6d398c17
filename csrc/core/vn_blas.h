/* The single-threaded matrix product of an opened OpenBLAS; all threads are ours. */
#ifndef VN_BLAS_H
#define VN_BLAS_H

#include "vn_status.h"

/* CBLAS's sgemm: order, transposes, M, N, K, alpha, A, lda, B, ldb, beta, C, ldc */
typedef void vn_blas_sgemm(int order, int ta, int tb, int M, int N, int K, float alpha, const float *a, int lda,
                           const float *b, int ldb, float beta, float *c, int ldc);
enum { VN_BLAS_ROW_MAJOR = 101, VN_BLAS_NO_TRANS = 111, VN_BLAS_TRANS = 112 };

/* path NULL: none, the built-in kernel runs. Not while another thread computes. */
vn_status vn_blas_open(const char *path, vn_error *error);
/* NULL when none is open */
vn_blas_sgemm *vn_blas(void);
const char *vn_blas_core(void);   /* kernel that OpenBLAS picked, "" when none is open */
const char *vn_blas_config(void); /* version and build options */

#endif
