/* CONTRACT: a term of an objective. It never loops over a batch: it names the cosines that it reads and says what one
 * cell, or one sample's own cells, cost; the tile engine does the rest.
 *
 * stat() gives a cell's value z in the first pass; the engine keeps the log-sum-exp, or the maximum, of every row and
 * column that the reading joins. grad() gives dL/dc and the cell's share of the loss in the second. own() sees the own
 * cells of one sample together, in the second. The author writes the loss of one sample: the engine averages over
 * samples, weighs, and keeps masked cells away. */
#ifndef VN_TERM_H
#define VN_TERM_H

#include "core/vn_build.h"
#include "core/vn_scalar.h"

/* Sets of unit rows. A sample has one image and one caption, negatives of both, further captions and images that are
 * true as well, and what a frozen teacher says of its image and caption. Some negatives are given, some made by the
 * engine (vn_embed.h), and a term cannot tell. VN_SCORE: no rows, but logits handed in, of the caption and the
 * negative captions. */
enum {
    VN_IMAGE,
    VN_TEXT,
    VN_NEG_TEXT,
    VN_NEG_IMAGE,
    VN_POS_TEXT,
    VN_POS_IMAGE,
    VN_TEACHER_IMAGE,
    VN_TEACHER_TEXT,
    VN_SCORE,
    VN_SETS
};

/* How a term reads the cosines between two sets. */
enum {
    VN_BLOCK = 1,    /* every row with every column; of a set with itself, but the diagonal */
    VN_DIAG = 2,     /* only the cells inside a sample, through stat() and grad() */
    VN_OWN = 4,      /* the same cells, through own(); of a set with itself, the cosine 1, which is a constant */
    VN_BY_ROW = 8,   /* cells join the statistic of their row, ... */
    VN_BY_COL = 16,  /* ... of their column, ... */
    VN_OTHERS = 32,  /* ... but a sample's own cells not that of their column */
    VN_MEAN = 64,    /* the mean is over the samples that have a column here */
    VN_LEFT = 128,   /* only the rows get a gradient */
    VN_PAIRED = 256, /* of negatives, only those whose counterpart, the same slot of the other side, is valid too */
    VN_TEACHER = 512,  /* grad() also sees the teacher's cosine of the same cell, and the statistics that joined it */
    VN_LEARNED = 1024, /* own() scales these cosines by the learned scale, even if the term has one of its own */
    VN_BARE = 2048     /* the term masks nothing: slots that hold nothing and twins are cells like any other */
};
typedef struct vn_reading {
    uint8_t rows, cols;
    uint16_t how;
    uint8_t param, value, param2, value2; /* only if param[param - 1] == value, and likewise; 0: always */
} vn_reading;
#define VN_END_READS {0, 0, 0, 0, 0, 0, 0}

/* A masked cell reaches no statistic, loss or gradient. VN_PAIR: a true pair. VN_TWIN: not a pair, but the caption is
 * true for the image too. VN_VOID: its slot holds no negative. The engine hands the last two to a term as the use of
 * the term wants them: masked, as a pair, or as any other cell. */
enum { VN_MASKED, VN_OTHER, VN_PAIR, VN_TWIN, VN_VOID };

/* A finished log-sum-exp, kept in two parts: z - top is exact where z is the top, so that the share of a pair far
 * above its rivals keeps its digits. top = +inf where no cell joined the statistic: every share is 0. Of a maximum,
 * top is the maximum and log the logarithm of how many cells reach it. */
typedef struct vn_stat {
    float top, log;
} vn_stat;

typedef struct vn_cell {
    float c;                          /* the cosine */
    float z;                          /* what stat() gave */
    vn_stat row, col;                 /* finished statistic of its row and column */
    float row_share, col_share;       /* 1 / true pairs in its row, its column */
    float row_pair, col_pair;         /* cosine of the true pair of its row's sample, its column's */
    float teacher;                    /* VN_TEACHER readings: the teacher's cosine, ... */
    vn_stat teacher_row, teacher_col; /* ... and what the term's reading of the teacher's sets joined */
    int32_t i, j;                     /* places of its row and column among those that take part */
    int kind, reading;
} vn_cell;
typedef struct vn_dcell {
    float dc, loss;
} vn_dcell;

/* choices NULL: a number in [low, high]; else names between bars, and the number is the place of one */
enum { VN_MAX_READS = 16, VN_MAX_PARAM = 10 };
typedef struct vn_param {
    const char *name, *choices;
    double start, low, high;
    const char *doc;
} vn_param;
#define VN_END_PARAMS {NULL, NULL, 0, 0, 0, NULL}

typedef struct vn_term_args {
    float scale, learned;      /* exp(logit_scale), or the term's own; exp(logit_scale) */
    float bias, weight;        /* SigLIP's; the engine's own factor */
    float param[VN_MAX_PARAM];
    const float *state;        /* what the term remembers between steps: by slot, or one number; NULL: nothing yet */
    float samples, cells;      /* in the mean; valid slots of its set in the whole batch */
    float rows, slots;         /* samples that take part; slots of each */
    float log_joined;          /* VN_WHOLE: logarithm of the number of cells in the one log-sum-exp */
} vn_term_args;

/* log of the share that z has in a log-sum-exp */
VN_HD static inline float
vn_log_share(float z, vn_stat s)
{
    return (z - s.top) - s.log;
}

/* The usual logit. */
VN_HD static inline float
vn_scaled(vn_cell x, const vn_term_args *a)
{
    return a->scale * x.c;
}

/* Some cells of one row, as the engine hands them to a term's loops. */
typedef struct vn_strip {
    int64_t n;
    const float *c;      /* (n) cosines */
    const uint8_t *kind; /* (n) */
    float *z;            /* (n) values: written by values(), read by grads() */
    vn_stat row, teacher_row;
    float row_share, row_pair;
    const float *col_top, *col_log, *col_share, *col_pair;   /* (n) */
    const float *teacher, *teacher_top, *teacher_log;        /* (n) */
    float *g, *loss;                                         /* (n) +=: weighted dL/dc; loss */
    int32_t i, j;                                            /* place of the row, of the first column */
    int reading, twin, hollow; /* the kinds that VN_TWIN and VN_VOID cells have here */
} vn_strip;
typedef void vn_term_loop(const vn_strip *s, const vn_term_args *a);

/* One sample's own cells, by reading, as the term may see them. A reading that is not wanted has none. */
typedef struct vn_sample {
    int64_t n[VN_MAX_READS], missing[VN_MAX_READS]; /* cells; slots that hold none */
    const float *c[VN_MAX_READS];                   /* (n) cosines; of VN_SCORE, logits */
    const int32_t *slot[VN_MAX_READS];              /* (n) number of the slot within the sample */
    float *dc[VN_MAX_READS];                        /* (n) =: dL/dc, 0 so far */
    float *z;                                       /* room for the values of all cells */
    vn_stat row;                                    /* finished statistic of the sample's image, if the term joins it */
} vn_sample;
typedef float vn_term_own(const vn_sample *s, const vn_term_args *a); /* the sample's loss */

/* Between the passes: a sample's row statistic and those of its own columns (n), to be combined and rewritten. */
typedef void vn_term_finish(vn_stat *row, vn_stat *col, int64_t n, const vn_term_args *a);

typedef enum vn_scaling { VN_SCALED, VN_BIASED } vn_scaling;    /* logits are scale c, or scale c + bias */
typedef enum vn_reduction { VN_LSE, VN_MAX_OF, VN_WHOLE } vn_reduction; /* VN_WHOLE: one log-sum-exp of all rows */
typedef enum vn_memory { VN_NONE, VN_MARGINS, VN_LAST_PAIR } vn_memory; /* what state is; see vlmneg/losses/state.py */

typedef struct vn_term {
    const char *name, *doc;
    const vn_param *params;  /* ends with VN_END_PARAMS */
    const vn_reading *reads; /* ends with VN_END_READS */
    vn_term_loop *values, *grads;
    vn_term_own *own;
    vn_term_finish *finish;
    float (*fixed)(const float *param); /* the term's own scale, which gets no gradient; 0: the learned one */
    vn_scaling scaling;
    vn_reduction reduction;
    vn_memory memory;
} vn_term;

#endif
