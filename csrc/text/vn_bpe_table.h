/* The tables of a vn_bpe, private to csrc/text. */
#ifndef VN_BPE_TABLE_H
#define VN_BPE_TABLE_H

#include "vn_bpe.h"

enum { VN_BPE_SHORT = 64, VN_BPE_WORD = 16 };

typedef struct vn_pair {
    uint64_t key; /* left << 32 | right; UINT64_MAX: an empty place */
    int32_t rank, id;
} vn_pair;

typedef struct vn_whole {
    uint64_t key[2]; /* a word's bytes, then FF, which no text has */
    int64_t id;      /* what the merges make of it; -1: an empty place */
} vn_whole;

struct vn_bpe {
    int32_t symbol[512], start, end;
    int fold;
    char text[2][64]; /* how captions spell start and end; empty: they cannot */
    vn_pair *pairs;   /* open hash tables */
    vn_whole *words;
    uint64_t pair_mask, word_mask;
};

static inline uint64_t
vn_bpe_mix(uint64_t x)
{
    x *= 0x9E3779B97F4A7C15u;
    return x ^ x >> 32;
}

/* Where the pair is, or the empty place where it would be. */
static inline vn_pair *
vn_bpe_pair_place(const vn_bpe *b, int32_t left, int32_t right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    for (uint64_t i = vn_bpe_mix(key);; i++) {
        vn_pair *p = &b->pairs[i & b->pair_mask];
        if (p->key == key || p->key == UINT64_MAX)
            return p;
    }
}

/* NULL: the two do not join. */
static inline const vn_pair *
vn_bpe_pair_find(const vn_bpe *b, int32_t left, int32_t right)
{
    const vn_pair *p = vn_bpe_pair_place(b, left, right);
    return p->key == UINT64_MAX ? NULL : p;
}

static inline vn_whole *
vn_bpe_word_place(const vn_bpe *b, const uint64_t key[2])
{
    for (uint64_t i = vn_bpe_mix(key[0] ^ vn_bpe_mix(key[1]));; i++) {
        vn_whole *w = &b->words[i & b->word_mask];
        if (w->id < 0 || (w->key[0] == key[0] && w->key[1] == key[1]))
            return w;
    }
}

/* Merges a piece of n <= VN_BPE_SHORT bytes; id holds n, the count of ids is returned. */
int64_t vn_bpe_merge_short(const vn_bpe *b, const unsigned char *text, int64_t n, int32_t *id);

#endif
