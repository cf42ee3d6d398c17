/* The hardest others: of image i, the images j with the highest t_i.v_j whose samples are no duplicates of i; of
 * caption i, the captions j with the highest v_i.t_j. Tile by tile; of equals the first wins. */
#include "vn_cells.h"

#include "../gemm/vn_gemm.h"

typedef struct search_job {
    const vn_tiles *t;
    int side; /* VN_IMAGE or VN_TEXT */
} search_job;

/* sample j, c from sample i, among the best of i so far */
static void
offer(const search_job *job, int64_t i, int64_t j, float c)
{
    const vn_tiles *t = job->t;
    int64_t n = t->partners[job->side], k = n - 1;
    int32_t *best = t->partner[job->side] + i * n;
    float *near = t->near[job->side] + i * n;
    if (i == j || (best[k] >= 0 && !(c > near[k])) || VN_FN(twins_pair)(t, i, j))
        return;
    for (; k > 0 && (best[k - 1] < 0 || c > near[k - 1]); k--) {
        best[k] = best[k - 1];
        near[k] = near[k - 1];
    }
    best[k] = (int32_t)j;
    near[k] = c;
}

static void
search_group(void *arg, int64_t l, int worker)
{
    const search_job *job = arg;
    const vn_tiles *t = job->t;
    vn_cells x = VN_FN(cells_of)(t, worker);
    int64_t E = t->in.E, begin, end, n = t->live[VN_IMAGE].n;
    int rows = VN_TEXT - job->side, cols = job->side;
    vn_group_range(t, VN_IMAGE, l, &begin, &end);
    for (int64_t r = begin; r < end; r += VN_TILE_ROWS)
        for (int64_t c = 0; c < n; c += VN_TILE_COLS) {
            int64_t height = VN_MIN(VN_TILE_ROWS, end - r), width = VN_MIN(VN_TILE_COLS, n - c);
            const float *left = VN_FN(rows_of)(t, rows, r, height, x.left, x.lrho);
            const float *right = VN_FN(rows_of)(t, cols, c, width, x.right, x.rrho);
            VN_FN(gemm_cached)(x.c, VN_TILE_PITCH, left, E, 0, right, E, 1, height, width, E, 0);
            for (int64_t i = 0; i < height; i++)
                for (int64_t j = 0; j < width; j++)
                    offer(job, vn_live_row(&t->live[rows], r + i), vn_live_row(&t->live[cols], c + j),
                          x.c[i * VN_TILE_PITCH + j]);
        }
}

void
VN_FN(partners_find)(vn_tiles *t)
{
    for (int side = VN_IMAGE; side <= VN_TEXT; side++) {
        search_job job = {t, side};
        if (t->partners[side] == 0)
            continue;
        memset(t->partner[side], 0xff, (size_t)(t->in.B * t->partners[side]) * sizeof(int32_t)); /* -1 */
        vn_parallel_for(t->groups, search_group, &job);
    }
}
