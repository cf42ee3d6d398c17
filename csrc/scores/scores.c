/* score = sum_e image[e] text[e] in float32, in one fixed order: 16 lanes over e, then halves.
 *
 * Pairs and ranks share the one function, and every dot product is summed alike wherever its row stands, which a
 * matrix product does not promise: a query whose positive ties with another row is counted as tied, never by luck.
 * Ranks keep two counters a query and no score matrix; a block of queries meets a tile of the gallery in cache. */
#include "vn_scores.h"

#include "../core/vn_parallel.h"
#include "../core/vn_philox.h"

enum { LANES = 16, QUERIES = 32, TILE = 64, PAIRS = 256 };

static float
dot(const float *VN_RESTRICT a, const float *VN_RESTRICT b, int64_t E)
{
    float lane[LANES] = {0};
    int64_t e = 0;
    for (; e + LANES <= E; e += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += a[e + l] * b[e + l];
    for (int l = 0; e + l < E; l++)
        lane[l] += a[e + l] * b[e + l];
    for (int n = LANES / 2; n > 0; n /= 2)
        for (int l = 0; l < n; l++)
            lane[l] += lane[l + n];
    return lane[0];
}

typedef struct pairs {
    float *score;
    const float *image, *text;
    const int32_t *i, *j;
    int64_t P, E;
} pairs;

static void
pairs_block(void *arg, int64_t block, int thread)
{
    const pairs *a = arg;
    (void)thread;
    for (int64_t p = block * PAIRS; p < VN_MIN(a->P, (block + 1) * PAIRS); p++)
        a->score[p] = dot(a->image + a->i[p] * a->E, a->text + a->j[p] * a->E, a->E);
}

vn_status
vn_scores_pairs(float *score, const float *image, const float *text, const int32_t *i, const int32_t *j, int64_t P,
                int64_t N, int64_t M, int64_t E, vn_error *error)
{
    for (int64_t p = 0; p < P; p++) {
        if (i[p] < 0 || i[p] >= N)
            return vn_fail(error, VN_EVALUE, "pair %lld names image row %d of %lld", (long long)p, i[p], (long long)N);
        if (j[p] < 0 || j[p] >= M)
            return vn_fail(error, VN_EVALUE, "pair %lld names text row %d of %lld", (long long)p, j[p], (long long)M);
    }
    pairs a = {score, image, text, i, j, P, E};
    vn_parallel_for((P + PAIRS - 1) / PAIRS, pairs_block, &a);
    return VN_OK;
}

typedef struct ranks {
    int64_t *better, *equal;
    const float *query, *gallery, *best;
    int64_t N, M, E;
} ranks;

static void
ranks_block(void *arg, int64_t block, int thread)
{
    const ranks *a = arg;
    int64_t end = VN_MIN(a->N, (block + 1) * QUERIES);
    (void)thread;
    for (int64_t n = block * QUERIES; n < end; n++)
        a->better[n] = a->equal[n] = 0;
    for (int64_t tile = 0; tile < a->M; tile += TILE)
        for (int64_t n = block * QUERIES; n < end; n++)
            for (int64_t m = tile; m < VN_MIN(a->M, tile + TILE); m++) {
                float s = dot(a->query + n * a->E, a->gallery + m * a->E, a->E);
                a->better[n] += s > a->best[n];
                a->equal[n] += s == a->best[n];
            }
}

void
vn_scores_ranks(int64_t *better, int64_t *equal, const float *query, const float *gallery, const float *best,
                int64_t N, int64_t M, int64_t E)
{
    ranks a = {better, equal, query, gallery, best, N, M, E};
    vn_parallel_for((N + QUERIES - 1) / QUERIES, ranks_block, &a);
}

typedef struct resample {
    double *out;
    const double *x;
    int64_t G, C;
    uint64_t seed;
} resample;

static void
resample_draw(void *arg, int64_t b, int thread)
{
    const resample *a = arg;
    double *out = a->out + b * a->C;
    vn_rng rng = {a->seed, (uint64_t)b, 0, VN_STREAM_BOOTSTRAP};
    (void)thread;
    for (int64_t c = 0; c < a->C; c++)
        out[c] = 0.0;
    for (int64_t g = 0; g < a->G; g++) {
        const double *x = a->x + vn_rng_below(&rng, a->G) * a->C;
        for (int64_t c = 0; c < a->C; c++)
            out[c] += x[c];
    }
}

void
vn_scores_resample(double *out, const double *x, int64_t B, int64_t G, int64_t C, uint64_t seed)
{
    resample a = {out, x, G, C, seed};
    vn_parallel_for(B, resample_draw, &a);
}
