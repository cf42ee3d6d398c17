/* CONTRACT: text negatives. An author finds one variant of one caption and lists what changes; draw.c does rows, slots,
 * threads, randomness and the rules that every result must pass, apply.c writes the text and mends its grammar. A new
 * generator is a file in negatives/text and a line in vn_registry.def. */
#ifndef VN_NEGATIVE_H
#define VN_NEGATIVE_H

#include <string.h>

#include "core/vn_philox.h"
#include "text/vn_text.h"

/* Why a slot holds no negative. */
typedef enum vn_reason {
    VN_VALID,
    VN_EMPTY,     /* nothing to edit, an empty key or a placeholder */
    VN_SAME,      /* says what the caption or another true caption of the image says */
    VN_REPEAT,    /* says what an earlier slot of the row says, or a word twice in a row */
    VN_SYMMETRIC, /* every exchange leaves the meaning as it is */
    VN_ABSENT,    /* what was put in is mentioned by a true caption */
    VN_REASONS
} vn_reason;

enum {
    VN_TEXT_PARAMS = 2,
    VN_TEXT_GROWTH = 64, /* a variant is at most this many bytes longer than its caption */
    VN_TEXT_ROOM = 256,  /* bytes in which an author can put words together */
    VN_TEXT_PLACES = 8,  /* edits of a variant that are reported one by one */
    VN_TEXT_KEPT = 20480 /* bytes that an author may keep between draws of a caption */
};

typedef struct vn_sentence {
    vn_span text;
    const vn_word *word; /* (words) */
    int words;
    const vn_span *truth; /* (truths) further true captions of the image */
    int64_t truths;
} vn_sentence;

/* Bytes [begin,end) of the caption become text, which may be a part of the caption: then it was moved there. */
typedef struct vn_edit {
    int32_t begin, end;
    const char *text; /* (bytes), lives until the next draw */
    int32_t bytes;
} vn_edit;

typedef struct vn_text {
    vn_edit edit[VN_MAX_WORDS]; /* (edits) in the order of the caption, not overlapping */
    int edits;
    int raw;      /* 1: nothing is mended; else "a" and "an" and capital letters follow the edits */
    int kind;     /* index into the generator's kinds */
    int variants; /* how many there are to draw from: when none can be left, no other draw is tried */
    int said;     /* bytes of room in use */
    char room[VN_TEXT_ROOM];
    struct {
        const void *author;
        int32_t param[VN_TEXT_PARAMS];
        _Alignas(16) char kept[VN_TEXT_KEPT];
    } keep[2]; /* see vn_text_keep */
    int kept_last;
} vn_text;

/* out comes empty. VN_VALID, or why this draw gave nothing: after VN_ABSENT the driver draws again, another reason
 * ends the slot. */
typedef vn_reason vn_text_fn(vn_text *out, const vn_sentence *in, const int32_t *param, vn_rng *rng);

typedef struct vn_text_maker {
    const char *name, *doc;
    const char *const *kinds; /* names of the edits, ended by NULL */
    vn_text_fn *make;
} vn_text_maker;

/* Line i of the registry and its random stream; NULL behind the last. */
const vn_text_maker *vn_text_listed(int i, uint32_t *stream);

/* What was changed: bytes [begin,end) of the caption are bytes [made,made_end) of the variant. */
typedef struct vn_place {
    int32_t begin, end, made, made_end;
} vn_place;

typedef struct vn_text_slot {
    const vn_text_maker *maker;
    uint32_t stream;
    int32_t param[VN_TEXT_PARAMS];
    uint32_t number; /* place among all slots of a row: its draws start at number * 2^16 */
} vn_text_slot;

/* N captions, K slots, each drawn from the first of P generators that has a negative. Row i is true of
 * avoid[avoid_begin[i]..avoid_begin[i+1]) too, and its earlier slots hold taken[taken_begin[i]..taken_begin[i+1]).
 * Slot (i,k) is written at text + at[i] + k * (bytes of caption i + VN_TEXT_GROWTH). */
typedef struct vn_text_job {
    const vn_span *caption;     /* (N) */
    const vn_word *word;        /* the captions' words, row i's from word_begin[i] on; NULL: tagged here */
    const int64_t *word_begin;  /* (N+1) */
    const vn_span *avoid;
    const int64_t *avoid_begin; /* (N+1) */
    const vn_span *taken;
    const int64_t *taken_begin; /* (N+1) */
    const uint64_t *row;        /* (N) */
    const vn_text_slot *slot;   /* (K,P) */
    const uint8_t *order;       /* (N,K,P): which of the P comes first, second, ...; NULL: as they stand */
    int64_t N, K, P;
    uint64_t seed;
    char *text;
    const int64_t *at;          /* (N) */
    int64_t *bytes;             /* (N,K) */
    uint8_t *reason, *kind;     /* (N,K) */
    uint8_t *by;                /* (N,K): which of the P was the last to try */
    vn_place *place;            /* (N,K,VN_TEXT_PLACES) */
    uint8_t *places;            /* (N,K) */
} vn_text_job;

void vn_text_draw(vn_text_job *job);

/* apply.c: the variant that the edits describe, at most room bytes, and where it differs; its bytes, or -1 where the
 * room is too small. More than VN_TEXT_PLACES edits are reported as one stretch. */
int64_t vn_text_apply(char *text, int64_t room, vn_place *place, uint8_t *places, const vn_sentence *in,
                      const vn_text *made);

/* What authors ask of a sentence and say of a variant. */

/* 1 when the class is one of the letters */
static inline int
vn_word_is(int kind, const char *letters)
{
    for (; *letters != 0; letters++)
        if (*letters == kind)
            return 1;
    return 0;
}

/* 1 when words i - 1 and i exist and only blanks part them */
static inline int
vn_sentence_joined(const vn_sentence *in, int i)
{
    return vn_words_joined(in->text.text, in->word, in->words, i);
}

/* words first to last as they stand in the caption */
static inline vn_span
vn_sentence_part(const vn_sentence *in, int first, int last)
{
    vn_span s = {in->text.text + in->word[first].begin, in->word[last].end - in->word[first].begin};
    return s;
}

/* 1 when word i exists and is this one, in any case */
int vn_sentence_reads(const vn_sentence *in, int i, const char *word);
/* 1 when the text opens with a capital that is there because it opens the text */
int vn_sentence_opens(const vn_sentence *in);

static inline void
vn_text_edit(vn_text *out, int64_t begin, int64_t end, vn_span text)
{
    vn_edit e = {(int32_t)begin, (int32_t)end, text.text, (int32_t)text.bytes};
    out->edit[out->edits++] = e;
}

/* What an author found in the caption, kept for its next draws; *fresh: 1 where it has to be found first, because the
 * caption, the author or the parameters are others. */
static inline void *
vn_text_keep(vn_text *out, const void *author, const int32_t *param, int *fresh)
{
    for (int k = 0; k < 2; k++)
        if (out->keep[k].author == author && memcmp(out->keep[k].param, param, sizeof out->keep[k].param) == 0) {
            *fresh = 0;
            out->kept_last = k;
            return out->keep[k].kept;
        }
    int k = out->kept_last ^= 1; /* the other one goes on being kept: mixtures go back and forth between two */
    out->keep[k].author = author;
    memcpy(out->keep[k].param, param, sizeof out->keep[k].param);
    *fresh = 1;
    return out->keep[k].kept;
}

/* Puts words together in room; what doesn't fit is cut off, and too long for any variant anyhow. */
static inline void
vn_text_say(vn_text *out, const char *text)
{
    for (; *text != 0 && out->said < VN_TEXT_ROOM; text++)
        out->room[out->said++] = *text;
}

/* words first to last become text */
static inline void
vn_text_put(vn_text *out, const vn_sentence *in, int first, int last, vn_span text)
{
    vn_text_edit(out, in->word[first].begin, in->word[last].end, text);
}

#endif
