/* Inside the engine: a worker's tile of cells, and what its files call of each other. */
#ifndef VN_CELLS_H
#define VN_CELLS_H

#include "../core/vn_parallel.h"
#include "../core/vn_simd.h"
#include "vn_tiles.h"

/* Rows VN_TILE_PITCH apart. The rest has room for gathered rows and products of a tile. */
typedef struct vn_cells {
    float *c, *g; /* cosines; in the first pass values, in the second weighted dL/dc */
    uint8_t *kind;
    float *z, *loss;       /* one row each */
    float *left, *right;   /* (VN_TILE_ROWS,E), (VN_TILE_COLS,E) gathered rows */
    float *dleft, *dright; /* and their gradients */
} vn_cells;

/* Where a tile lies: places in the two live sets, and the job's group, whose sums it adds to. */
typedef struct vn_place {
    int64_t group, r0, rows, c0, cols;
} vn_place;

vn_cells VN_FN(cells_of)(const vn_tiles *t, int worker);
/* cosines c and kinds -> running statistics of rows and columns */
void VN_FN(cells_reduce)(const vn_tiles *t, const vn_block *b, const vn_cells *x, const vn_place *at);
/* cosines c, kinds and finished statistics -> g, and the sums of loss and dlog */
void VN_FN(cells_grad)(const vn_tiles *t, const vn_block *b, const vn_cells *x, const vn_place *at);

/* one block, or the cells inside each sample, in the first pass or the second */
typedef enum vn_pass { VN_REDUCE, VN_LOSS, VN_BACKWARD } vn_pass;
void VN_FN(block_run)(const vn_tiles *t, const vn_block *b, vn_pass pass);
void VN_FN(own_run)(const vn_tiles *t, const vn_block *b, vn_pass pass);
void VN_FN(own_count)(const vn_tiles *t);

void VN_FN(twins_find)(vn_tiles *t);
void VN_FN(twins_mark)(const vn_tiles *t, const vn_block *b, uint8_t *kind, const vn_place *at);
int VN_FN(twins_own)(const vn_tiles *t, int64_t sample, int64_t slot);

void VN_FN(live_find)(vn_tiles *t);
vn_status VN_FN(live_check)(const vn_tiles *t, vn_error *error);

/* group l of n places; vectors of every level fit between two cuts */
static inline void
vn_group_range(const vn_tiles *t, int64_t n, int64_t l, int64_t *begin, int64_t *end)
{
    int64_t size = ((n + t->groups - 1) / t->groups + 15) & ~(int64_t)15;
    *begin = VN_MIN(n, l * size);
    *end = VN_MIN(n, (l + 1) * size);
}

static inline int64_t
vn_live_row(const vn_live *live, int64_t place)
{
    return live->row != NULL ? live->row[place] : place;
}

static inline float
vn_dot(const float *a, const float *b, int64_t n)
{
    vn_vf s0 = vn_vset(0.0f), s1 = s0;
    int64_t i = 0;
    for (; i + 2 * VN_LANES <= n; i += 2 * VN_LANES) {
        s0 += vn_vload(a + i) * vn_vload(b + i);
        s1 += vn_vload(a + i + VN_LANES) * vn_vload(b + i + VN_LANES);
    }
    for (; i < n; i += VN_LANES)
        s0 += vn_vload_part(a + i, n - i, 0.0f) * vn_vload_part(b + i, n - i, 0.0f);
    return vn_vsum(s0 + s1);
}

/* y (n) += x */
static inline void
vn_add(float *VN_RESTRICT y, const float *VN_RESTRICT x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += x[i];
}

#endif
