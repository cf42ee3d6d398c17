/* CONTRACT: text negatives. An author writes one variant of one caption; draw.c does rows, slots, threads, randomness
 * and the rules that every result must pass. A new generator is a file here and a line in vn_registry.def. */
#ifndef VN_NEGATIVE_H
#define VN_NEGATIVE_H

#include "core/vn_philox.h"
#include "text/vn_text.h"

/* Why a slot holds no negative. */
typedef enum vn_reason {
    VN_VALID,
    VN_EMPTY,     /* nothing to edit, an empty key or a placeholder */
    VN_SAME,      /* says what the caption or another true caption of the image says */
    VN_REPEAT,    /* says what an earlier slot of the row says */
    VN_SYMMETRIC, /* every exchange leaves the meaning as it is */
    VN_ABSENT,    /* what was put in is mentioned by a true caption */
    VN_REASONS
} vn_reason;

enum { VN_TEXT_PARAMS = 2, VN_TEXT_GROWTH = 32 }; /* a variant is at most this many bytes longer than its caption */

typedef struct vn_sentence {
    vn_span text;
    const vn_word *word; /* (words) */
    int words;
    const vn_span *truth; /* (truths) further true captions of the image */
    int64_t truths;
} vn_sentence;

typedef struct vn_text {
    char *text; /* (in->text.bytes + VN_TEXT_GROWTH), written by the generator, as are those below */
    int64_t bytes;
    int kind;     /* index into the generator's kinds */
    int variants; /* += how many there are to draw from: with one, no other draw is tried */
} vn_text;

/* VN_VALID, or why this draw gave nothing. After VN_ABSENT the driver draws again; another reason ends the slot. */
typedef vn_reason vn_text_fn(vn_text *out, const vn_sentence *in, const int32_t *param, vn_rng *rng);

typedef struct vn_text_maker {
    const char *name, *doc;
    const char *const *kinds; /* names of the edits, ended by NULL */
    vn_text_fn *make;
} vn_text_maker;

/* Line i of the registry and its random stream; NULL behind the last. */
const vn_text_maker *vn_text_listed(int i, uint32_t *stream);

typedef struct vn_text_slot {
    const vn_text_maker *maker;
    uint32_t stream;
    int32_t param[VN_TEXT_PARAMS];
    uint32_t number; /* place among all slots of a row: its draws start at number * 2^16 */
} vn_text_slot;

/* N captions, K slots. Row i is true of avoid[avoid_begin[i]..avoid_begin[i+1]) too, and its earlier slots hold
 * taken[taken_begin[i]..taken_begin[i+1]). Slot (i,k) is written at text + at[i] + k * (bytes of caption i +
 * VN_TEXT_GROWTH). */
typedef struct vn_text_job {
    const vn_span *caption;     /* (N) */
    const vn_span *avoid;
    const int64_t *avoid_begin; /* (N+1) */
    const vn_span *taken;
    const int64_t *taken_begin; /* (N+1) */
    const uint64_t *row;        /* (N) */
    const vn_text_slot *slot;   /* (K) */
    int64_t N, K;
    uint64_t seed;
    char *text;
    const int64_t *at;          /* (N) */
    int64_t *bytes;             /* (N,K) */
    uint8_t *reason, *kind;     /* (N,K) */
} vn_text_job;

void vn_text_draw(vn_text_job *job);

#endif
