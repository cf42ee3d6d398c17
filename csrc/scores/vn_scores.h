/* Scores, ranks and resampled sums for benchmarks.  Any two equal vectors give equal bits, so ties are exact. */
#ifndef VN_SCORES_H
#define VN_SCORES_H

#include "../core/vn_build.h"
#include "../core/vn_status.h"

/* score (P) = image (N,E) row i_p . text (M,E) row j_p; i (P) and j (P) in range or an error */
vn_status vn_scores_pairs(float *score, const float *image, const float *text, const int32_t *i, const int32_t *j,
                          int64_t P, int64_t N, int64_t M, int64_t E, vn_error *error);

/* better (N), equal (N): how many rows of gallery (M,E) score above, and exactly at, best (N) for each query (N,E) */
void vn_scores_ranks(int64_t *better, int64_t *equal, const float *query, const float *gallery, const float *best,
                     int64_t N, int64_t M, int64_t E);

/* out (B,C): sums of G rows of x (G,C) drawn with replacement, draw b from Philox row b */
void vn_scores_resample(double *out, const double *x, int64_t B, int64_t G, int64_t C, uint64_t seed);

#endif
