/* The tile engine: an objective is a weighted sum of terms over cosines between sets of unit rows.
 *
 * Two passes multiply the same tiles: statistics fold each row and column into a running log-sum-exp, gradients turn
 * a tile of cosines into dL/dc and that into rows. A block costs four products however many terms read it, and
 * memory grows with B, not with B^2. Missing rows and invalid slots are never read.
 *
 * Order: rows and columns are cut into L groups, L from the number of samples alone. In phase p job l takes row group
 * l and column group (l + p) mod L: no two jobs of a phase touch the same rows or columns, and every sum has one
 * order for any number of threads. */
#ifndef VN_TILES_H
#define VN_TILES_H

#include "../core/vn_arena.h"
#include "../vn_embed.h"
#include "../vn_term.h"

enum { VN_MAX_TERMS = 16, VN_MAX_BLOCKS = 96, VN_MAX_GROUPS = 64 };
enum { VN_TILE_ROWS = 256, VN_TILE_COLS = 256, VN_TILE_PITCH = 272 }; /* a pitch that is no power of two */
/* of a slot, over its valid negatives: how many, sum and greatest of pair - c, sum of c, how many c are not 0 */
enum { VN_NOTES = 5 };

/* What a caption that is true for another sample's image is to a term. */
enum { VN_TWINS_MASK, VN_TWINS_SOFT, VN_TWINS_OFF };

typedef struct vn_use {
    int term, twins, open; /* place in the registry; VN_TWINS_; 1: slots that hold no negative take part */
    float weight, param[VN_MAX_PARAM];
} vn_use;
typedef struct vn_objective {
    vn_use use[VN_MAX_TERMS];
    int terms;
} vn_objective;

/* Unit rows, what is known of them, and room for their gradients (=). Optional arrays are NULL. */
typedef struct vn_rows {
    const float *x[VN_SETS]; /* image (B,E), neg_text (B,K,E), ...; score (B,1+K) */
    float *dx[VN_SETS];      /* NULL: a constant */
    const uint8_t *exists;             /* (B) 0: padding, takes part in nothing */
    const uint8_t *valid[VN_SETS];     /* of slots (B,K), ...; 0: holds nothing, is never read unless a term is open */
    const int64_t *group;              /* (B) equal for samples of one picture */
    const int64_t *text_key, *neg_key; /* (B), (B,K) equal for equal captions */
    const vn_made *made;               /* further negatives, whose rows exist only inside a tile */
    const float *state[VN_MAX_TERMS];  /* what each term remembers; NULL: nothing */
    double *notes;                     /* (K,VN_NOTES) =; K negative captions, given ones and made ones */
    int64_t given[VN_SETS];            /* rows a sample: 1, 1, K, M, ... */
    int64_t B, E, tile_rows, tile_cols;
    float scale, bias;
} vn_rows;

typedef struct vn_record {
    double loss, term[VN_MAX_TERMS]; /* weighted sum; each term unweighted */
    double dlog_scale, dbias;
    double pairs; /* sum of the cosines of true pairs */
    int64_t rows, valid, below; /* samples; their valid negatives; those whose cosine is below the true caption's */
} vn_record;

/* A live set: the slots that take part. Slot k of sample i has number i * per + k; those given come first. */
typedef struct vn_live {
    const int32_t *row;              /* (n) numbers in order; NULL: all */
    int64_t n, per;                  /* slots; slots a sample */
    int64_t cut[VN_MAX_GROUPS + 1];  /* where each group begins: a sample's slots are never divided */
    int64_t samples;                 /* that have a slot here */
    int64_t valid, valid_samples;    /* slots that hold something, samples that have one */
    uint8_t made[VN_MAX_MADE];       /* slot given + m is in.made->slot[made[m]] */
} vn_live;
typedef struct vn_running {
    float *top, *sum; /* running maximum and sum; after the first pass sum holds its logarithm */
} vn_running;
typedef struct vn_reader {
    int use, reading, how;
} vn_reader;
typedef struct vn_block {
    int rows, cols, kind, readers; /* kind: VN_BLOCK, VN_DIAG or VN_OWN */
    int how;                       /* what any reader asks for */
    vn_reader reader[2 * VN_MAX_TERMS]; /* a term may read a block as it is, and for its rows alone */
} vn_block;
typedef struct vn_label {
    int64_t key, group;
} vn_label;

/* One call's plan. Filled by layout; every pointer lies in the arena. */
typedef struct vn_tiles {
    vn_rows in;
    const vn_objective *objective;
    int blocks, twins; /* twins: labels are there and some term looks at them */
    int open, bare;    /* some term is open; bare: rows are made of captions that are not valid, too */
    vn_block block[VN_MAX_BLOCKS];
    int mean[VN_MAX_TERMS];  /* the set whose samples a term's mean is over; VN_SETS: paired slots */
    int with[VN_MAX_TERMS];  /* another set of which a sample must have a slot to be in the mean; 0: none */
    int64_t both[VN_MAX_TERMS]; /* samples that have one of each */
    int64_t groups;         /* L */
    int32_t *live_row[VN_SETS];
    vn_live live[VN_SETS];
    vn_running stat[VN_MAX_TERMS][VN_SETS];
    float *share[2];        /* true pairs of an image, of a caption, if twins can be pairs; then 1 / that */
    int64_t paired;         /* negative captions whose picture is there too */
    double *joined;         /* (L, terms) cells of a VN_WHOLE statistic */
    float log_joined[VN_MAX_TERMS];
    float *pair;            /* (B) cosines of true pairs */
    int32_t *sorted;        /* samples by the key of their caption, then by group */
    uint8_t *twin[VN_SETS]; /* 1: the caption may be true for another sample's image */
    int64_t partners[2];    /* how many hardest others of an image, of a caption are asked for */
    int32_t *partner[2];    /* (B,partners) */
    float *near[2];         /* (B,partners) their cosines */
    float *made_dx[2];      /* (B,E) what made rows give back to images and captions, apart from other jobs' sums */
    float *scratch, *one, *zero, *infinity;
    double *loss, *dlog, *dbias; /* (L, terms), (L), (L) */
    double *notes;               /* (L, K, VN_NOTES) */
    int64_t *counts;             /* (L, 2) valid, below */
    int64_t own_cells;           /* of one sample, in all VN_OWN blocks */
    size_t scratch_floats;       /* of one worker */
} vn_tiles;

/* Takes what the call needs from the arena, which may only count. t needs no other preparation. */
typedef void vn_tiles_layout_fn(vn_tiles *t, vn_arena *arena, const vn_objective *objective, const vn_rows *in);
/* The first pass. Fails, before anything is written, when a row that takes part is not finite. */
typedef vn_status vn_tiles_statistics_fn(vn_tiles *t, vn_error *error);
/* The second: the record, and in.dx when backward. */
typedef void vn_tiles_gradients_fn(vn_tiles *t, vn_record *out, int backward);

/* Made rows by themselves, S = in->made->slots a sample, after the first pass over an objective without terms:
 * rows (B,S,E), and what is known of them (B,S), 0 where nothing could be made; ... */
typedef struct vn_made_rows {
    float *row, *mu;
    uint8_t *valid;
    int32_t *partner;
} vn_made_rows;
typedef void vn_made_forward_fn(const vn_tiles *t, const vn_made_rows *out);
/* ... from their gradients drow (B,S,E) in.dx (=); ... */
typedef void vn_made_backward_fn(const vn_tiles *t, const float *drow);
/* ... and their cosines (B,S) with their sample's row of the set anchor, for which no un-normalised row is made. */
typedef void vn_made_cosines_fn(const vn_tiles *t, float *cosine, int anchor);

#ifdef VN_LEVEL
vn_tiles_layout_fn VN_FN(tiles_layout);
vn_tiles_statistics_fn VN_FN(tiles_statistics);
vn_tiles_gradients_fn VN_FN(tiles_gradients);
vn_made_forward_fn VN_FN(made_forward);
vn_made_backward_fn VN_FN(made_backward);
vn_made_cosines_fn VN_FN(made_cosines);
extern const vn_term *const VN_FN(terms)[]; /* ends with NULL */
#endif

#endif
