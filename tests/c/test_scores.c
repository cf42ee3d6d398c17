/* Scores, ranks and resampling on exact integers, for the sanitizers: widths on both sides of a lane group, rows on
 * both sides of a block, pairs out of range. Exit status 0: counters and pairs agree everywhere. */
#include <stdio.h>
#include <stdlib.h>

#include "../../csrc/scores/vn_scores.h"

enum { N = 33, M = 65 };

/* Values so small that any order of summation is exact. */
static float *
fill(int64_t rows, int64_t E, int64_t modulus)
{
    float *x = malloc((size_t)(rows * E + (E == 0)) * sizeof *x);
    if (x == NULL)
        exit(2);
    for (int64_t i = 0; i < rows * E; i++)
        x[i] = (float)(i * i % modulus - 2);
    return x;
}

static int
counters_agree(int64_t E)
{
    float *query = fill(N, E, 7), *gallery = fill(M, E, 5), best[N], score[N * M];
    int64_t better[N], equal[N];
    int32_t i[N * M], j[N * M];
    vn_error error;
    for (int32_t p = 0; p < N * M; p++) {
        i[p] = p / M;
        j[p] = p % M;
    }
    int right = vn_scores_pairs(score, query, gallery, i, j, N * M, N, M, E, &error) == VN_OK;
    for (int64_t n = 0; n < N; n++)
        best[n] = score[n * M + n];
    vn_scores_ranks(better, equal, query, gallery, best, N, M, E);
    for (int64_t n = 0; n < N; n++) {
        int64_t above = 0, same = 0;
        for (int64_t m = 0; m < M; m++) {
            above += score[n * M + m] > best[n];
            same += score[n * M + m] == best[n];
        }
        right &= better[n] == above && equal[n] == same && same >= 1;
    }
    i[1] = N;
    right &= vn_scores_pairs(score, query, gallery, i, j, 2, N, M, E, &error) == VN_EVALUE;
    i[1] = 0;
    j[0] = -1;
    right &= vn_scores_pairs(score, query, gallery, i, j, 2, N, M, E, &error) == VN_EVALUE;
    free(query);
    free(gallery);
    return right;
}

int
main(void)
{
    const double x[] = {1, 10, 1, 20, 1, 30};
    double sums[5 * 2];
    int broken = 0;
    for (int64_t E = 0; E < 40; E++)
        if (!counters_agree(E)) {
            fprintf(stderr, "pairs and ranks disagree at width %lld\n", (long long)E);
            broken++;
        }
    vn_scores_resample(sums, x, 5, 3, 2, 7);
    for (int b = 0; b < 5; b++)
        broken += sums[2 * b] != 3.0 || sums[2 * b + 1] < 30.0 || sums[2 * b + 1] > 90.0;
    vn_scores_resample(sums, x, 5, 0, 2, 7);
    broken += sums[0] != 0.0;
    return broken != 0;
}
