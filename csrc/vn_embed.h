/* CONTRACT: embedding negatives. A made row is the sum of a few rows of the batch, so its cosines are sums of cosines:
 * an author says which rows a slot's row is the sum of, and the tile engine makes it where it is needed, inside a tile,
 * or not at all. A new generator is a file in negatives/embed and a line in vn_registry.def. */
#ifndef VN_EMBED_H
#define VN_EMBED_H

#include "core/vn_philox.h"
#include "vn_term.h"

enum { VN_BLEND_PARTS = 3, VN_EMBED_PARAMS = 3, VN_MAX_MADE = 64 };
enum { VN_STREAM_EMBED_MIX = 53 }; /* reserved in vn_registry.def */

typedef struct vn_part {
    int set, flows; /* VN_IMAGE, VN_TEXT or VN_NEG_TEXT; 0: a constant, the row gets no gradient */
    int64_t row;    /* of the set's array */
    float factor;
} vn_part;

/* sum of factor * row over the parts, and of a random direction that is noise long; then brought to length 1 if unit */
typedef struct vn_blend {
    vn_part part[VN_BLEND_PARTS];
    int parts, unit; /* no parts: nothing can be made here */
    float noise, mu; /* mu: the factor that was drawn, to be reported; 0: none */
    int32_t partner; /* the other sample or slot that was taken, to be reported; -1: none */
    vn_rng rng;      /* where the numbers of the direction begin */
} vn_blend;

typedef struct vn_embed { /* one slot of one sample */
    int side;               /* VN_IMAGE or VN_TEXT: what the row is a negative of */
    int64_t sample, slot;   /* slot: among those of its generator */
    int64_t K;              /* negative captions a sample */
    const uint8_t *valid;   /* (K) of this sample; NULL: all */
    const int32_t *partner; /* the hardest other samples, best first, -1 behind the last; only if asked for */
} vn_embed;
typedef void vn_embed_fn(vn_blend *out, const vn_embed *in, const float *param, vn_rng *rng);

typedef struct vn_embed_maker {
    const char *name, *doc;
    int partners; /* 1: in->partner is asked for */
    vn_embed_fn *make;
} vn_embed_maker;

/* Line i of the registry and its random stream; NULL behind the last. */
const vn_embed_maker *vn_embed_listed(int i, uint32_t *stream);

/* Slots that follow a sample's given negatives. Row i of the batch draws its numbers from row[i]. Of alternatives,
 * slots [first, first + choices), one is made: the first that can be, in the order of a draw by weight. */
typedef struct vn_made_slot {
    const vn_embed_maker *maker;
    uint32_t stream, number; /* number: place among all made slots; its draws start at number * 2^16 */
    int side, first, choices;
    float weight;
    int64_t slot;
    float param[VN_EMBED_PARAMS];
} vn_made_slot;
typedef struct vn_made {
    const vn_made_slot *slot; /* (slots) */
    int slots;
    uint64_t seed;
    const uint64_t *row; /* (B) */
} vn_made;

static inline int
vn_embed_valid(const vn_embed *in, int64_t k)
{
    return k < in->K && (in->valid == NULL || in->valid[k]);
}

static inline void
vn_blend_add(vn_blend *b, int set, int64_t row, float factor, int flows)
{
    vn_part p = {set, flows, row, factor};
    b->part[b->parts++] = p;
}

#endif
