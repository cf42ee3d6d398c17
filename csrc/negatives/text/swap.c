/* swap: two spans of one class exchange places, by their offsets in the raw text.
 *
 * NegCLIP's classes: noun phrases of more than two words, verb phrases, singular nouns, plural nouns, adverbs,
 * adjectives. AHNPL's: attributes, whatever stands before two different nouns. CE-CLIP's: relation, the first two nouns
 * of at least three that can be exchanged. A class is drawn among those with a pair, then one pair. No word is lost,
 * added or changed but for the capital that opens the text: pairs that would break a/an, number or verb form are not
 * exchanged, nor are those of one noun or that a symmetric word joins: "a cat and a dog" is "a dog and a cat".
 * NegCLIP (ICLR 2023), arXiv:2210.01936; CE-CLIP (CVPR 2024), arXiv:2306.08832; AHNPL (IJCAI 2025), arXiv:2505.15576.
 */
#include "../vn_grammar.h"

#include <string.h>

enum { PHRASE, VERB, NOUN, PLURAL, ADVERB, ADJECTIVE, ATTRIBUTE, RELATION, CLASSES };
static const char *const kinds[] = {"swap_phrase",    "swap_verb",      "swap_noun",     "swap_plural", "swap_adverb",
                                    "swap_adjective", "swap_attribute", "swap_relation", NULL};

/* words [first, last]; form: what must agree between spans that exchange places */
typedef struct span {
    uint8_t first, last, form;
} span;

typedef struct spans {
    span span[VN_MAX_WORDS];
    int count;
} spans;

static void
add(spans *s, int first, int last, int form)
{
    span made = {(uint8_t)first, (uint8_t)last, (uint8_t)form};
    s->span[s->count++] = made;
}

/* 1 when word i belongs to the noun after it: "street" in "street light", "red" in "a red or blue bus" */
static int
leans(const vn_sentence *in, int i)
{
    int adjective = in->word[i].kind == 'A', j = i + 1;
    if (adjective && vn_sentence_joined(in, j) && in->word[j].kind == 'C' && in->word[j].form == VN_MUTUAL)
        j++;
    return vn_sentence_joined(in, j) && vn_word_is(in->word[j].kind, adjective ? "AN" : "N");
}

/* One word; nouns and adjectives that lean on a noun change places among themselves. */
static void
find_single(spans *s, const vn_sentence *in, int class)
{
    for (int i = 0; i < in->words; i++) {
        int kind = in->word[i].kind, plural = in->word[i].form == VN_PLURAL;
        if ((class == NOUN && kind == 'N' && !plural && !vn_phrase_measures(in, i)) ||
            (class == PLURAL && kind == 'N' && plural && !vn_phrase_measures(in, i)) ||
            (class == ADVERB && kind == 'R') || (class == ADJECTIVE && kind == 'A'))
            add(s, i, i, kind != 'R' && leans(in, i));
    }
}

/* Words before nouns, of whatever class; numbers, which ask for a plural, change places among themselves. */
static void
find_attributes(spans *s, const vn_sentence *in)
{
    for (int i = 0; i < in->words; i++) {
        int number = in->word[i].kind == 'M' && vn_sentence_joined(in, i + 1) && vn_word_is(in->word[i + 1].kind, "AN");
        if (number || (vn_word_is(in->word[i].kind, "NA") && leans(in, i)))
            add(s, i, i, number);
    }
}

/* whole compounds, if there are at least three */
static void
find_nouns(spans *s, const vn_sentence *in)
{
    int nouns = 0;
    for (int i = 0, last; i < in->words; i = last + 1) {
        last = i;
        if (in->word[i].kind != 'N')
            continue;
        while (vn_sentence_joined(in, last + 1) && in->word[last + 1].kind == 'N')
            last++;
        nouns++;
        if (!vn_phrase_measures(in, last))
            add(s, i, last, in->word[last].form);
    }
    s->count = nouns >= 3 ? s->count : 0;
}

/* the last word of what word i stands before: the noun that it describes */
static int
described(const vn_sentence *in, int i)
{
    for (i++; vn_sentence_joined(in, i + 1); i++)
        if (!vn_word_is(in->word[i + 1].kind, "AN") &&
            !(in->word[i + 1].form == VN_MUTUAL && vn_sentence_joined(in, i + 2) && in->word[i + 2].kind == 'A'))
            break;
    return i;
}

/* determiner or number, then adjectives, numbers and nouns, a noun at the end */
static void
find_phrases(spans *s, const vn_sentence *in)
{
    for (int i = 0; i < in->words;) {
        int last = -1, j = i;
        if (vn_word_is(in->word[i].kind, "DMAN"))
            do {
                if (in->word[j].kind == 'N')
                    last = j;
                j++;
            } while (vn_sentence_joined(in, j) && vn_word_is(in->word[j].kind, "MAN"));
        if (last >= i + 2 && !vn_phrase_measures(in, last))
            add(s, i, last, in->word[last].form);
        i = VN_MAX(last + 1, i + 1);
    }
}

/* adverbs and auxiliaries, then verbs; both ends agree in the form of the first auxiliary or verb */
static void
find_verbs(spans *s, const vn_sentence *in)
{
    for (int i = 0; i < in->words;) {
        int last = -1, j = i;
        if (vn_word_is(in->word[i].kind, "XV"))
            do {
                if (in->word[j].kind == 'V')
                    last = j;
                j++;
            } while (vn_sentence_joined(in, j) && (in->word[j].kind == 'V' || (in->word[j].kind == 'X' && last < 0) ||
                                                   (in->word[j].kind == 'R' && last < 0)));
        if (last >= 0)
            add(s, i, last, in->word[i].kind == 'X' ? 255 : in->word[i].form);
        i = VN_MAX(last + 1, i + 1);
    }
}

/* 1 unless "a" or "an" stands before word at and the first word of the other span wants the other of them */
static int
article_fits(const vn_sentence *in, int at, int first)
{
    vn_span s = vn_sentence_part(in, first, first);
    int form = vn_sentence_joined(in, at) ? in->word[at - 1].form : VN_BASE;
    return (form != VN_A && form != VN_AN) || vn_words_vowel(s.text, s.bytes) == (form == VN_AN);
}

/* Whether exchanging a and b leaves the meaning: nothing between them, or only words that read both ways and, between
 * nouns, further members of the list ("a cat, a dog and a bird"). */
static int
symmetric(const vn_sentence *in, span a, span b, int class)
{
    const char *others = class == PHRASE || class == NOUN || class == PLURAL || class == RELATION ? "DN" : "";
    return vn_words_mutual(in, a.last + 1, b.first - 1, others);
}

static vn_reason
fits(const vn_sentence *in, span a, span b, int class)
{
    if (vn_key_equal(vn_sentence_part(in, a.first, a.last), vn_sentence_part(in, b.first, b.last)))
        return VN_EMPTY;
    int one = (class == ADJECTIVE || class == ATTRIBUTE) && described(in, a.first) == described(in, b.first);
    if (one || symmetric(in, a, b, class))
        return VN_SYMMETRIC;
    int agree = a.form == b.form && article_fits(in, a.first, b.first) && article_fits(in, b.first, a.first);
    return agree ? VN_VALID : VN_EMPTY;
}

/* The spans of a caption, and which pairs of them can be exchanged: a bit a pair, in order. */
typedef struct found {
    spans spans[CLASSES];
    uint64_t pair[CLASSES][(VN_MAX_WORDS * (VN_MAX_WORDS - 1) / 2 + 63) / 64];
    int pairs[CLASSES], chosen[CLASSES], classes, symmetries, variants;
} found;

_Static_assert(sizeof(found) <= VN_TEXT_KEPT, "kept between draws");

static void
find_pairs(found *f, const vn_sentence *in, int c)
{
    const spans *s = &f->spans[c];
    int at = 0;
    memset(f->pair[c], 0, sizeof f->pair[c]);
    for (int i = 0; i < s->count; i++)
        for (int j = i + 1; j < s->count; j++, at++) {
            vn_reason r = fits(in, s->span[i], s->span[j], c);
            f->pair[c][at / 64] |= (uint64_t)(r == VN_VALID) << at % 64;
            f->pairs[c] += r == VN_VALID;
            f->symmetries += r == VN_SYMMETRIC;
        }
}

static void
find(found *f, const vn_sentence *in, int classes)
{
    f->classes = f->symmetries = f->variants = 0;
    for (int c = 0; c < CLASSES; c++) {
        f->spans[c].count = f->pairs[c] = 0;
        if (!(classes >> c & 1))
            continue;
        if (c == PHRASE)
            find_phrases(&f->spans[c], in);
        else if (c == ATTRIBUTE)
            find_attributes(&f->spans[c], in);
        else if (c == RELATION)
            find_nouns(&f->spans[c], in);
        else if (c == VERB)
            find_verbs(&f->spans[c], in);
        else
            find_single(&f->spans[c], in, c);
        if (f->spans[c].count > 1)
            find_pairs(f, in, c);
        if (c == RELATION) /* the first */
            f->pairs[c] = VN_MIN(f->pairs[c], 1);
        if (f->pairs[c] > 0)
            f->chosen[f->classes++] = c;
        f->variants += f->pairs[c];
    }
}

/* param[0]: bits of the classes that may be drawn */
static vn_reason
make(vn_text *out, const vn_sentence *in, const int32_t *param, vn_rng *rng)
{
    int fresh, at = 0, i = 0, j = 1;
    found *f = vn_text_keep(out, kinds, param, &fresh);
    if (fresh)
        find(f, in, param[0]);
    out->variants = f->variants;
    if (f->classes == 0)
        return f->symmetries > 0 ? VN_SYMMETRIC : VN_EMPTY;
    out->kind = f->chosen[vn_rng_below(rng, f->classes)];
    int64_t pick = vn_rng_below(rng, f->pairs[out->kind]);
    const spans *s = &f->spans[out->kind];
    while (!(f->pair[out->kind][at / 64] >> at % 64 & 1) || pick-- > 0) {
        at++;
        if (++j == s->count) /* the pairs in order */
            i++, j = i + 1;
    }
    vn_text_put(out, in, s->span[i].first, s->span[i].last, vn_sentence_part(in, s->span[j].first, s->span[j].last));
    vn_text_put(out, in, s->span[j].first, s->span[j].last, vn_sentence_part(in, s->span[i].first, s->span[i].last));
    return VN_VALID;
}

const vn_text_maker vn_text_swap = {
    "swap",
    "two noun phrases, verbs, nouns, adverbs or adjectives exchange places",
    kinds,
    make,
};
