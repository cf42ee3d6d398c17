/* exchange: two parts of the caption change places, and the grammar around them is mended.
 *
 * Attributes of two nouns ("a red car near an old bus": "an old car near a red bus"); whole noun phrases, whose verbs
 * then agree ("People watch a man": "A man watches people"); counts ("two dogs and a cat": "a dog and two cats");
 * transfer: an adjective goes to a noun without one. swap does what needs no mending and keeps every word as it is.
 * SugarCrepe's swap-attribute and swap-object (Hsieh et al., NeurIPS 2023), arXiv:2306.14610. */
#include "../vn_grammar.h"

#include <string.h>

enum { ATTRIBUTE, PHRASE, NUMBER, TRANSFER, KINDS };
static const char *const kinds[] = {"exchange_attribute", "exchange_phrase", "exchange_number", "exchange_transfer",
                                    NULL};

enum { PARTS = VN_MAX_WORDS, NOBODY = -3, LONGEST = 40 /* bytes of a noun whose number changes */ };

/* words [first, last]; of what: the noun that an attribute stands before, the verb that agrees with a phrase, NOBODY
 * for nouns that wait for an attribute */
typedef struct part {
    int16_t first, last, of;
} part;

typedef struct parts {
    part part[PARTS];
    int count, pairs;
} parts;

static void
find_attributes(parts *p, const vn_sentence *in)
{
    for (int last = 0; last < in->words; last++) {
        if (!vn_phrase_ends(in, last))
            continue;
        for (int i = vn_phrase_start(in, last); i < last; i++)
            if (vn_word_is(in->word[i].kind, "AN")) {
                part made = {(int16_t)i, (int16_t)i, (int16_t)last};
                p->part[p->count++] = made;
            }
    }
}

/* 1 for "a", "an" and a singular, 2 for a number and a plural whose singular is known, else 0 */
static int
counts(const vn_sentence *in, int first, int last)
{
    const vn_word *w = &in->word[first], *noun = &in->word[last];
    if (first == last || noun->end - noun->begin > LONGEST)
        return 0;
    if (w->form == VN_A || w->form == VN_AN)
        return noun->form != VN_PLURAL;
    return w->kind == 'M' && noun->form == VN_PLURAL && vn_word_base(in, last).bytes > 0 ? 2 : 0;
}

static void
find_phrases(parts *p, const vn_sentence *in, int kind)
{
    for (int last = 0; last < in->words; last++) {
        if (!vn_phrase_ends(in, last) || vn_phrase_measures(in, last))
            continue;
        int first = vn_phrase_start(in, last), verb = vn_phrase_verb(in, first, last);
        int of = vn_sentence_joined(in, first) && in->word[first - 1].form == VN_OF;
        if (verb == VN_NEVER || (kind == NUMBER ? counts(in, first, last) == 0 : of))
            continue;
        part made = {(int16_t)first, (int16_t)last, (int16_t)verb};
        p->part[p->count++] = made;
    }
}

/* adjectives that can leave their noun, and nouns without one */
static void
find_transfers(parts *p, const vn_sentence *in)
{
    for (int last = 0; last < in->words; last++) {
        if (!vn_phrase_ends(in, last))
            continue;
        int first = vn_phrase_start(in, last), i = first;
        while (i < last && in->word[i].kind != 'A' && in->word[i].kind != 'N')
            i++;
        int alone = !(vn_sentence_joined(in, first) && in->word[first - 1].kind == 'C' && first == i);
        part made = {(int16_t)i, (int16_t)i, (int16_t)last};
        if (in->word[i].kind == 'N')
            made.last = (int16_t)last, made.of = NOBODY;
        if (alone && !(made.of == NOBODY && vn_phrase_measures(in, last)))
            p->part[p->count++] = made;
    }
}

static int
fits(const vn_sentence *in, const part *a, const part *b, int kind)
{
    if (kind == NUMBER)
        return counts(in, a->first, a->last) != counts(in, b->first, b->last);
    if (kind == TRANSFER)
        return (a->of == NOBODY) != (b->of == NOBODY);
    if (vn_key_equal(vn_sentence_part(in, a->first, a->last), vn_sentence_part(in, b->first, b->last)))
        return 0;
    return kind == ATTRIBUTE ? a->of != b->of : !vn_words_mutual(in, a->last + 1, b->first - 1, "DMAN");
}

static void
turn_verb(vn_text *out, const vn_sentence *in, int verb, int plural)
{
    vn_span made = {"", 0};
    if (verb >= 0)
        made = vn_verb_turned(out, in, verb, plural);
    if (made.bytes > 0)
        vn_text_put(out, in, verb, verb, made);
}

/* the phrase with the count of the other */
static void
recount(vn_text *out, const vn_sentence *in, const part *to, const part *from)
{
    if (counts(in, to->first, to->last) == 1) {
        vn_text_put(out, in, to->first, to->first, vn_sentence_part(in, from->first, from->first));
        vn_span noun = {out->room + out->said, 0};
        noun.bytes = vn_words_plural(out->room + out->said, vn_sentence_part(in, to->last, to->last));
        out->said += (int)noun.bytes;
        vn_text_put(out, in, to->last, to->last, noun);
        return;
    }
    vn_span singular = vn_word_base(in, to->last);
    vn_span next = to->first + 1 < to->last ? vn_sentence_part(in, to->first + 1, to->first + 1) : singular;
    vn_span article = {"an", vn_words_vowel(next.text, next.bytes) ? 2 : 1};
    vn_text_put(out, in, to->first, to->first, article);
    vn_text_put(out, in, to->last, to->last, singular);
}

/* word i and the blanks behind it */
static vn_span
with_blank(const vn_sentence *in, int i)
{
    vn_span s = {in->text.text + in->word[i].begin, in->word[i + 1].begin - in->word[i].begin};
    return s;
}

/* what becomes of a */
static void
edit(vn_text *out, const vn_sentence *in, const part *a, const part *b, int kind)
{
    vn_span none = {"", 0};
    if (kind == NUMBER)
        recount(out, in, a, b);
    else if (kind == TRANSFER && a->of == NOBODY)
        vn_text_edit(out, in->word[a->first].begin, in->word[a->first].begin, with_blank(in, b->first));
    else if (kind == TRANSFER)
        vn_text_edit(out, in->word[a->first].begin, in->word[a->first + 1].begin, none);
    else
        vn_text_put(out, in, a->first, a->last, vn_sentence_part(in, b->first, b->last));
}

/* Edits in the order of the caption. */
static void
sort(vn_text *out)
{
    for (int i = 1; i < out->edits; i++)
        for (int j = i; j > 0 && out->edit[j].begin < out->edit[j - 1].begin; j--) {
            vn_edit kept = out->edit[j];
            out->edit[j] = out->edit[j - 1];
            out->edit[j - 1] = kept;
        }
}

/* param[0]: bits of the kinds that may be drawn */
static vn_reason
make(vn_text *out, const vn_sentence *in, const int32_t *param, vn_rng *rng)
{
    parts found[KINDS];
    int chosen[KINDS], number = 0;
    for (int k = 0; k < KINDS; k++) {
        parts *p = &found[k];
        p->count = p->pairs = 0;
        if (!(param[0] >> k & 1))
            continue;
        if (k == ATTRIBUTE)
            find_attributes(p, in);
        else if (k == TRANSFER)
            find_transfers(p, in);
        else
            find_phrases(p, in, k);
        for (int i = 0; i < p->count; i++)
            for (int j = i + 1; j < p->count; j++)
                p->pairs += fits(in, &p->part[i], &p->part[j], k);
        if (p->pairs > 0)
            chosen[number++] = k;
        out->variants += p->pairs;
    }
    if (number == 0)
        return VN_EMPTY;
    out->kind = chosen[vn_rng_below(rng, number)];
    const parts *p = &found[out->kind];
    int64_t pick = vn_rng_below(rng, p->pairs);
    const part *a = p->part, *b = a + 1;
    while (!fits(in, a, b, out->kind) || pick-- > 0)
        if (++b == p->part + p->count) /* the pairs in order */
            a++, b = a + 1;
    edit(out, in, a, b, out->kind);
    edit(out, in, b, a, out->kind);
    int plural = in->word[a->last].form == VN_PLURAL, other = in->word[b->last].form == VN_PLURAL;
    if ((out->kind == PHRASE || out->kind == NUMBER) && plural != other) {
        turn_verb(out, in, a->of, other);
        turn_verb(out, in, b->of, plural);
    }
    sort(out);
    return VN_VALID;
}

const vn_text_maker vn_text_exchange = {
    "exchange",
    "attributes, noun phrases or counts exchange places, and grammar follows",
    kinds,
    make,
};
