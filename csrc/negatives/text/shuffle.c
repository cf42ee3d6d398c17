/* shuffle: words exchange places at random; the caption's own words, none mended, and what parts them stays.
 *
 * ARO's four: nouns among themselves and adjectives among themselves; all other words among themselves; the words
 * inside each group of three; the groups of three. FSC-CLIP's: the groups of two. The last group may be shorter.
 * Yuksekgonul et al. (ICLR 2023), arXiv:2210.01936; Oh et al. (EMNLP 2024), arXiv:2410.05210. */
#include "../../vn_negative.h"

enum { NOUNS_ADJECTIVES, OTHERS, WITHIN_TRIGRAMS, TRIGRAMS, BIGRAMS, KINDS };
static const char *const kinds[] = {
    "shuffle_nouns_adjectives", "shuffle_others",  "shuffle_within_trigrams",
    "shuffle_trigrams",         "shuffle_bigrams", NULL,
};

/* item[0..n) in random order */
static void
permute(uint8_t *item, int n, vn_rng *rng)
{
    for (int i = n - 1; i > 0; i--) {
        int j = (int)vn_rng_below(rng, i + 1);
        uint8_t kept = item[i];
        item[i] = item[j];
        item[j] = kept;
    }
}

/* Numbers of the words of these classes, or of no such class. */
static int
collect(uint8_t *place, const vn_sentence *in, const char *classes, int of_them)
{
    int n = 0;
    for (int i = 0; i < in->words; i++)
        if (vn_word_is(in->word[i].kind, classes) == of_them)
            place[n++] = (uint8_t)i;
    return n;
}

/* The words of these classes among themselves: order[place] becomes the word that stands there. */
static void
permute_class(uint8_t *order, const vn_sentence *in, const char *classes, int of_them, vn_rng *rng)
{
    uint8_t place[VN_MAX_WORDS], word[VN_MAX_WORDS];
    int n = collect(place, in, classes, of_them);
    for (int i = 0; i < n; i++)
        word[i] = place[i];
    permute(word, n, rng);
    for (int i = 0; i < n; i++)
        order[place[i]] = word[i];
}

static void
permute_groups(uint8_t *order, int words, int size, vn_rng *rng)
{
    uint8_t group[VN_MAX_WORDS];
    int groups = (words + size - 1) / size, at = 0;
    for (int g = 0; g < groups; g++)
        group[g] = (uint8_t)g;
    permute(group, groups, rng);
    for (int g = 0; g < groups; g++)
        for (int i = group[g] * size; i < words && i < (group[g] + 1) * size; i++)
            order[at++] = (uint8_t)i;
}

/* 1 when there are at least two things to exchange */
static int
possible(const vn_sentence *in, int kind)
{
    uint8_t place[VN_MAX_WORDS];
    switch (kind) {
    case NOUNS_ADJECTIVES: return collect(place, in, "N", 1) > 1 || collect(place, in, "A", 1) > 1;
    case OTHERS: return collect(place, in, "NA", 0) > 1;
    case WITHIN_TRIGRAMS: return in->words > 1;
    case TRIGRAMS: return in->words > 3;
    }
    return in->words > 2;
}

/* param[0]: bits of the kinds that may be drawn */
static vn_reason
make(vn_text *out, const vn_sentence *in, const int32_t *param, vn_rng *rng)
{
    uint8_t order[VN_MAX_WORDS];
    int chosen[KINDS], count = 0;
    for (int k = 0; k < KINDS; k++)
        if (param[0] >> k & 1 && possible(in, k))
            chosen[count++] = k;
    if (count == 0)
        return VN_EMPTY;
    for (int i = 0; i < in->words; i++)
        order[i] = (uint8_t)i;
    out->kind = chosen[vn_rng_below(rng, count)];
    if (out->kind == NOUNS_ADJECTIVES) {
        permute_class(order, in, "N", 1, rng);
        permute_class(order, in, "A", 1, rng);
    } else if (out->kind == OTHERS)
        permute_class(order, in, "NA", 0, rng);
    else if (out->kind == WITHIN_TRIGRAMS)
        for (int i = 0; i < in->words; i += 3)
            permute(order + i, VN_MIN(3, in->words - i), rng);
    else
        permute_groups(order, in->words, out->kind == TRIGRAMS ? 3 : 2, rng);
    out->raw = 1;
    for (int i = 0; i < in->words; i++)
        if (order[i] != i)
            vn_text_put(out, in, i, i, vn_sentence_part(in, order[i], order[i]));
    return out->edits > 0 ? VN_VALID : VN_SAME;
}

const vn_text_maker vn_text_shuffle = {
    "shuffle",
    "nouns and adjectives, other words, or groups of words in random order",
    kinds,
    make,
};
