/* CONTRACT: a term of an objective. It never loops over a batch: it names the cosines that it reads and says what one
 * cell costs; the tile engine does the rest.
 *
 * stat() gives a cell's value z in the first pass; the engine keeps the log-sum-exp of every row and column that the
 * reading joins. grad() gives dL/dc and the cell's share of the loss in the second. The author writes the loss of one
 * sample: the engine averages over samples, weighs, and keeps masked cells away. */
#ifndef VN_TERM_H
#define VN_TERM_H

#include "core/vn_build.h"
#include "core/vn_scalar.h"

/* Sets of unit rows. A sample has one image, one caption, and negative captions and images; some of these are given,
 * some made by the engine (vn_embed.h), and a term cannot tell. */
enum { VN_IMAGE, VN_TEXT, VN_NEG_TEXT, VN_NEG_IMAGE, VN_SETS };

/* How a term reads the cosines between two sets. */
enum {
    VN_BLOCK = 1,  /* every row with every column */
    VN_DIAG = 2,   /* only the cells inside a sample; of a set with itself, the cosine 1, which is a constant */
    VN_BY_ROW = 4, /* cells join the statistic of their row, ... */
    VN_BY_COL = 8, /* ... of their column */
    VN_OWN = 16    /* with VN_DIAG: the mean is over the samples that have a column here */
};
typedef struct vn_reading {
    uint8_t rows, cols, how;
    uint8_t param, value; /* only if param[param - 1] == value; 0: always */
} vn_reading;
#define VN_END_READS {0, 0, 0, 0, 0}

/* VN_TWIN: not a pair, but the caption is true for the image too. The engine hands it to a term as the use of the term
 * wants it: masked, as a pair, or as any other cell. A masked cell reaches no statistic, loss or gradient. */
enum { VN_MASKED, VN_OTHER, VN_PAIR, VN_TWIN };

/* A finished log-sum-exp, kept in two parts: z - top is exact where z is the top, so that the share of a pair far
 * above its rivals keeps its digits. top = +inf where a block joined no statistic: every share is 0. */
typedef struct vn_stat {
    float top, log;
} vn_stat;

typedef struct vn_cell {
    float c;                    /* the cosine */
    float z;                    /* what stat() gave */
    vn_stat row, col;           /* finished statistic of its row and column */
    float row_share, col_share; /* 1 / true pairs in its row, its column */
    int kind, reading;
} vn_cell;
typedef struct vn_dcell {
    float dc, loss;
} vn_dcell;

/* choices NULL: a number in [low, high]; else names between bars, and the number is the place of one */
enum { VN_MAX_READS = 8, VN_MAX_PARAM = 8 };
typedef struct vn_param {
    const char *name, *choices;
    double start, low, high;
    const char *doc;
} vn_param;
#define VN_END_PARAMS {NULL, NULL, 0, 0, 0, NULL}

typedef struct vn_term_args {
    float scale, weight; /* exp(logit_scale); the engine's own factor: weight of the term / samples in the mean */
    float param[VN_MAX_PARAM];
} vn_term_args;

/* log of the share that z has in a log-sum-exp */
VN_HD static inline float
vn_log_share(float z, vn_stat s)
{
    return (z - s.top) - s.log;
}

/* Some cells of one row, as the engine hands them to a term's loops. */
typedef struct vn_strip {
    int64_t n;
    const float *c;      /* (n) cosines */
    const uint8_t *kind; /* (n) */
    float *z;            /* (n) values: written by values(), read by grads() */
    vn_stat row;
    float row_share;
    const float *col_top, *col_log, *col_share; /* (n) */
    float *g, *loss;                            /* (n) +=: weighted dL/dc; loss */
    int reading, twin;                          /* twin: the kind that a VN_TWIN cell has here */
} vn_strip;
typedef void vn_term_loop(const vn_strip *s, const vn_term_args *a);

typedef struct vn_term {
    const char *name, *doc;
    const vn_param *params;  /* ends with VN_END_PARAMS */
    const vn_reading *reads; /* ends with VN_END_READS */
    vn_term_loop *values, *grads;
} vn_term;

#endif
