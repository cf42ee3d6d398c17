/* CONTRACT: image negatives. An author paints one variant of one picture; image_draw.c does rows, slots, threads,
 * randomness and the rules that every result must pass. A new edit is a file in negatives/image and a line in
 * vn_registry.def. */
#ifndef VN_PICTURE_H
#define VN_PICTURE_H

#include "core/vn_philox.h"
#include "image/vn_paint.h"

/* Why a slot holds no negative. */
typedef enum vn_image_reason {
    VN_IMAGE_VALID,
    VN_IMAGE_EMPTY,  /* nothing to edit: no object, no second picture */
    VN_IMAGE_SAME,   /* changed too little */
    VN_IMAGE_REPEAT, /* looks like an earlier slot of the row */
    VN_IMAGE_AREA,   /* the changed part of the frame is too small or too large */
    VN_IMAGE_PLACE,  /* what was moved or put in does not fit */
    VN_IMAGE_REASONS
} vn_image_reason;

enum {
    VN_IMAGE_PARAMS = 4,
    VN_IMAGE_NOTES = 12,  /* numbers that say what was done */
    VN_IMAGE_SCRATCH = 64 /* bytes of scratch a pixel of both pictures */
};

typedef struct vn_photo {
    const uint8_t *rgb; /* (H,W,3) */
    int64_t H, W;
    const vn_mask *mask; /* (masks): its objects, which may overlap */
    int64_t masks;
} vn_photo;

typedef struct vn_image_maker vn_image_maker;

typedef struct vn_image_slot {
    const vn_image_maker *maker;
    uint32_t stream, number; /* number: place among all slots of a row: its draws start at number * 2^16 */
    int32_t feather;         /* half the width of soft edges, in pixels */
    int32_t least, most;     /* share of the frame that may change, in millionths */
    int32_t change;          /* least mean change of the region, in 1/256 grey levels */
    int32_t variation;       /* share of the region that must change by more than 20 levels, in millionths */
    int32_t param[VN_IMAGE_PARAMS];
} vn_image_slot;

typedef struct vn_variant {
    vn_canvas canvas; /* holds the picture; vn_paint on it */
    int kind;         /* index into the maker's kinds */
    int variants;     /* how many there are to draw from: with one, no other draw is tried; 0 to begin with */
    int32_t note[VN_IMAGE_NOTES]; /* INT32_MIN, for nothing to say, to begin with */
} vn_variant;

/* VN_IMAGE_VALID, or why this draw gave nothing. After VN_IMAGE_EMPTY no other draw is tried. other: a second picture,
 * NULL where there is none. The scratch holds VN_IMAGE_SCRATCH bytes a pixel of both, and is empty. */
typedef vn_image_reason vn_image_fn(vn_variant *out, const vn_photo *in, const vn_photo *other,
                                    const vn_image_slot *slot, vn_rng *rng, vn_arena *scratch);

struct vn_image_maker {
    const char *name, *doc;
    const char *const *kinds; /* names of the edits, ended by NULL */
    const char *const *notes; /* names of its numbers, ended by NULL */
    int32_t range[VN_IMAGE_PARAMS][2]; /* of each parameter: lowest, highest */
    vn_image_fn *make;
};

/* Line i of the registry and its random stream; NULL behind the last. */
const vn_image_maker *vn_image_listed(int i, uint32_t *stream);

/* An object that may be edited and covers an allowed share of the frame, uniformly; never the one numbered skip.
 * -1 if there is none, and why. */
int64_t vn_photo_pick(const vn_photo *in, const vn_image_slot *slot, int64_t skip, vn_rng *rng, vn_image_reason *why);
/* How many there are to pick from. */
int64_t vn_photo_choices(const vn_photo *in, const vn_image_slot *slot, int64_t skip);
int vn_photo_allows(const vn_photo *in, const vn_image_slot *slot, int64_t m);
/* Two such objects a < b of different categories, uniformly; how many pairs there are. Unknown categories differ. */
int64_t vn_photo_pair(const vn_photo *in, const vn_image_slot *slot, vn_rng *rng, int64_t *a, int64_t *b);
/* Whether a mask covers over a quarter of some object other than those numbered a and b. */
int vn_photo_hides(const vn_photo *in, const vn_mask *mask, int64_t a, int64_t b);
/* The vn_colour that over half of an object's pixels have; -1: none. */
int vn_photo_colour(const vn_photo *in, int64_t m);
/* Whether an object that was given a vn_colour can be called by it: over half of its pixels have it, or it is black,
 * white or grey, which come out as they should. */
int vn_canvas_shows(const vn_canvas *canvas, const vn_photo *in, int64_t m, int colour);

/* N pictures, K slots. */
typedef struct vn_image_job {
    const vn_photo *photo;     /* (N) */
    const vn_photo *other;     /* (N), rgb NULL where there is none */
    const uint64_t *row;       /* (N) */
    const vn_image_slot *slot; /* (K) */
    int64_t N, K;
    uint64_t seed;
    vn_variant *variant;   /* (N,K), with memory for each canvas, its region zero */
    uint8_t *reason;       /* (N,K) */
    uint8_t *draws;        /* (N,K): how many were made */
    vn_rng *rng;           /* (N,K) */
    unsigned char *scratch;
    size_t share;          /* bytes of scratch for each of VN_MAX_THREADS workers, or of N K if those are fewer */
} vn_image_job;

/* Bytes of scratch that a pair of pictures needs. */
size_t vn_image_scratch(const vn_photo *photo, const vn_photo *other);
void vn_image_draw(vn_image_job *job);

#endif
