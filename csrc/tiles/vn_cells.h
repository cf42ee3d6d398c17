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
    float *left, *right;   /* (VN_TILE_ROWS,E), (VN_TILE_COLS,E) gathered or made rows */
    float *dleft, *dright; /* and their gradients */
    float *lrho, *rrho;    /* 1 / length of a made row before it was brought to length 1 */
    float *pair;           /* (cols) cosines of the true pairs of the columns' samples */
    float *teacher;        /* the teacher's cosines, if a term looks at them */
    float *own;            /* what sample.c lays out for the cells of one sample */
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

vn_term_args VN_FN(term_args)(const vn_tiles *t, int use);
/* what a slot that is true all the same, and one that holds nothing, is to a use that reads block b */
int VN_FN(seen_twin)(const vn_use *use, const vn_block *b);
int VN_FN(seen_void)(const vn_use *use);
/* 0: the logits get a bias; 1: scale times a cosine; 2: the term has a scale of its own */
int VN_FN(scaling_of)(const vn_use *use);

/* one block, or the cells inside each sample, in the first pass or the second */
typedef enum vn_pass { VN_REDUCE, VN_LOSS, VN_BACKWARD } vn_pass;
void VN_FN(block_run)(const vn_tiles *t, const vn_block *b, vn_pass pass);
void VN_FN(diag_run)(const vn_tiles *t, const vn_block *b, vn_pass pass);
void VN_FN(own_run)(const vn_tiles *t, vn_pass pass); /* all VN_OWN blocks, sample by sample */
void VN_FN(count_run)(const vn_tiles *t);
void VN_FN(pairs_find)(const vn_tiles *t);
int64_t VN_FN(own_floats)(const vn_tiles *t); /* of one worker */
/* what terms do to their statistics between the passes */
void VN_FN(finish_run)(vn_tiles *t);

/* of samples first, of their negatives when all that decides about those is known */
void VN_FN(twins_find)(vn_tiles *t);
void VN_FN(twins_find_negatives)(vn_tiles *t);
void VN_FN(twins_mark)(const vn_tiles *t, const vn_block *b, uint8_t *kind, const vn_place *at);
int VN_FN(own_kind)(const vn_tiles *t, int64_t sample, int set, int64_t k); /* what a sample's own slot is */
int VN_FN(twins_pair)(const vn_tiles *t, int64_t i, int64_t j); /* is one's caption true for the other's image? */
void VN_FN(partners_find)(vn_tiles *t);

void VN_FN(live_find)(vn_tiles *t);
int VN_FN(slot_taken)(const vn_tiles *t, int set, int64_t i, int64_t k); /* does slot k of sample i take part? */
int VN_FN(slot_valid)(const vn_tiles *t, int set, int64_t i, int64_t k); /* of one that does, does it hold something? */
int VN_FN(slot_paired)(const vn_tiles *t, int64_t i, int64_t k);
void VN_FN(live_find_negatives)(vn_tiles *t);
vn_status VN_FN(live_check)(const vn_tiles *t, int set, vn_error *error);

/* A sample's row x, and what own cells with made rows share: its cosines with the sample's image and caption, and the
 * weights with which they pull at x and x pulls at them. */
typedef struct vn_anchor {
    const float *x;
    int64_t sample;
    float with[2], pull[2], push[2];
    int known[2];
} vn_anchor;

/* what made slot m of sample i is the sum of; 0: of nothing */
int VN_FN(made_of)(const vn_tiles *t, int m, int64_t i, vn_blend *b);
/* out (E) = the row; returns 1 / its length before, 1 when it stays as it is */
float VN_FN(made_row)(const vn_tiles *t, const vn_blend *b, float *out);
/* its gradient d (E), which is used up, to those of its parts: dx += */
void VN_FN(made_pull)(const vn_tiles *t, const vn_blend *b, const float *row, float rho, float *d, float *const *dx);
/* the cosine with an anchor; row and rho are written only if the row had to be made */
float VN_FN(anchor_cosine)(const vn_tiles *t, vn_anchor *a, const vn_blend *b, float *row, float *rho);
/* its derivative g to the gradients of the parts and of the anchor, da (E) +=; room (E) */
void VN_FN(anchor_pull)(const vn_tiles *t, vn_anchor *a, const vn_blend *b, float g, const float *row, float rho,
                        float *room, float *da);
void VN_FN(anchor_finish)(const vn_tiles *t, const vn_anchor *a, float *da); /* what anchor_pull gathered */

/* live rows [at, at + n) of a set, gathered or made in room when they do not lie one after another */
const float *VN_FN(rows_of)(const vn_tiles *t, int set, int64_t at, int64_t n, float *room, float *rho);

/* one job a group; with partners, who may be anybody's, gradients are added by one job after the other */
static inline void
vn_jobs_run(const vn_tiles *t, vn_parallel_body *body, void *arg, int backward)
{
    if (!backward || (t->partners[0] == 0 && t->partners[1] == 0))
        vn_parallel_for(t->groups, body, arg);
    else
        for (int64_t l = 0; l < t->groups; l++)
            body(arg, l, 0);
}

/* live places of group l */
static inline void
vn_group_range(const vn_tiles *t, int set, int64_t l, int64_t *begin, int64_t *end)
{
    *begin = t->live[set].cut[l];
    *end = t->live[set].cut[l + 1];
}

static inline int64_t
vn_live_row(const vn_live *live, int64_t place)
{
    return live->row != NULL ? live->row[place] : place;
}

/* the made slot that a slot number stands for; -1: the row is given, and *given is its place in the array */
static inline int
vn_made_number(const vn_tiles *t, int set, int64_t number, int64_t *given)
{
    int64_t per = t->live[set].per, have = t->in.given[set], k = number % per;
    *given = per == have ? number : number / per * have + k;
    return k < have ? -1 : t->live[set].made[k - have];
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

/* y (n) += a x */
static inline void
vn_add_scaled(float *VN_RESTRICT y, float a, const float *VN_RESTRICT x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

#endif
