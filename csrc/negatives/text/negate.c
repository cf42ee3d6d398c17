/* negate: the caption says the opposite, by a negation that comes in or goes away.
 *
 * CREPE's forms: "no" before a noun phrase, "There is no" before a caption without a verb, "not" at the verb ("is not
 * sitting", "does not sit", "not sitting"); "without" for "with"; "not", "no", "n't" and "without" taken away.
 * NegBench's forms, in place of the caption: "features N", "does not feature A", "features N, but not A", A a noun
 * phrase of the caption, N an object of phrases.def that no true caption mentions.
 * CREPE (Ma et al., CVPR 2023), arXiv:2212.07796; NegBench (Alhamoud et al., CVPR 2025), arXiv:2501.09425. */
#include "../../text/vn_phrases.h"
#include "../vn_grammar.h"

#include <string.h>

enum { NOUN, EXISTS, VERB, WITH, REMOVE, FEATURES, NOT_FEATURE, BUT_NOT, KINDS };
static const char *const kinds[] = {
    "negate_noun",     "negate_exists",      "negate_verb",    "negate_with", "negate_remove",
    "negate_features", "negate_not_feature", "negate_but_not", NULL,
};

enum { PLACES = VN_MAX_WORDS, LONGEST = 160 /* bytes of a noun phrase that is named */ };

/* words first to last, which the edit is about */
typedef struct place {
    int16_t first, last;
} place;

typedef struct places {
    place place[PLACES];
    int count;
} places;

static void
add(places *p, int first, int last)
{
    place made = {(int16_t)first, (int16_t)last};
    p->place[p->count++] = made;
}

/* class of the joined word before, or 0 */
static int
left_of(const vn_sentence *in, int i)
{
    return vn_sentence_joined(in, i) ? in->word[i - 1].kind : 0;
}

/* Whether "no" can open the phrase [first, head]: 1 in place of its first word, 2 before it, 0 not at all. */
static int
takes_no(const vn_sentence *in, int first, int head)
{
    static const char *const determiners[] = {"a", "an", "the", "some", NULL};
    if (vn_sentence_joined(in, first) && in->word[first - 1].form == VN_OF)
        return 0;
    if (in->word[first].kind == 'M')
        return first < head && in->word[head].form == VN_PLURAL;
    for (int k = 0; determiners[k] != NULL; k++)
        if (first < head && vn_sentence_reads(in, first, determiners[k]))
            return 1;
    return in->word[first].kind != 'D' && in->word[head].form == VN_PLURAL ? 2 : 0;
}

/* 1 when the caption has a verb that isn't a participle */
static int
finite(const vn_sentence *in)
{
    for (int i = 0; i < in->words; i++)
        if (in->word[i].kind == 'X' || in->word[i].kind == 'U' ||
            (in->word[i].kind == 'V' && in->word[i].form != VN_ING && in->word[i].form != VN_PAST))
            return 1;
    return 0;
}

/* noun phrases: those that "no" can open, the first of them alone, or all that can be named */
static void
find_phrases(places *p, const vn_sentence *in, int kind)
{
    for (int h = 0; h < in->words; h++) {
        if (!vn_phrase_ends(in, h))
            continue;
        int first = vn_phrase_start(in, h);
        if (kind == EXISTS && (first > 0 || finite(in)))
            return;
        int named = !vn_sentence_reads(in, first, "no") && !vn_phrase_measures(in, h) &&
                    vn_sentence_part(in, first, h).bytes <= LONGEST;
        if (kind >= FEATURES ? named : takes_no(in, first, h) > 0)
            add(p, first, h);
    }
}

static int
negated(const vn_sentence *in, int i)
{
    const vn_word *w = &in->word[i];
    return vn_sentence_reads(in, i + 1, "not") ||
           (w->end - w->begin > 3 && memcmp(in->text.text + w->end - 2, "'t", 2) == 0);
}

/* auxiliaries, finite verbs with a base form, participles behind a noun, a conjunction or a pause */
static void
find_verbs(places *p, const vn_sentence *in)
{
    for (int i = 0; i < in->words; i++) {
        int kind = in->word[i].kind, form = in->word[i].form, left = left_of(in, i);
        if (negated(in, i))
            continue;
        int plural = left == 'N' && in->word[i - 1].form == VN_PLURAL;
        if (kind == 'X' ? !vn_sentence_reads(in, i, "be") && !vn_sentence_reads(in, i, "been") &&
                              !vn_sentence_reads(in, i, "do") && !vn_sentence_reads(in, i, "does") &&
                              !vn_sentence_reads(in, i, "being")
                        : kind == 'V' && ((form == VN_THIRD && vn_word_base(in, i).bytes > 0 && left != 'X') ||
                                          (form == VN_BASE && plural) ||
                                          (form == VN_ING && (left == 0 || vn_word_is(left, "NC")))))
            add(p, i, i);
    }
}

static void
find_with(places *p, const vn_sentence *in)
{
    for (int i = 0; i < in->words; i++) {
        int past = vn_sentence_joined(in, i) && in->word[i - 1].kind == 'V' && in->word[i - 1].form == VN_PAST;
        if (in->word[i].kind == 'P' && vn_sentence_reads(in, i, "with") && !past &&
            !vn_word_is(left_of(in, i), "ARP") && !vn_sentence_reads(in, i + 1, "no"))
            add(p, i, i);
    }
}

/* What stands in place of a negation, NULL for any other word. */
static const char *
positive(const vn_sentence *in, int i)
{
    static const char *const forms[][2] = {
        {"not", ""},       {"never", ""},     {"no", ""},          {"without", "with"}, {"isn't", "is"},
        {"aren't", "are"}, {"wasn't", "was"}, {"weren't", "were"}, {"doesn't", "does"}, {"don't", "do"},
        {"can't", "can"},  {"hasn't", "has"}, {"haven't", "have"},
    };
    for (size_t k = 0; k < sizeof forms / sizeof forms[0]; k++)
        if (vn_sentence_reads(in, i, forms[k][0]))
            return forms[k][1];
    return NULL;
}

static void
find_negations(places *p, const vn_sentence *in)
{
    for (int i = 0; i < in->words; i++) {
        const char *text = positive(in, i);
        if (text != NULL && (text[0] != 0 || vn_sentence_joined(in, i + 1)))
            add(p, i, i);
    }
}

static vn_span
span_of(const char *text)
{
    vn_span s = {text, (int64_t)strlen(text)};
    return s;
}

static void
negate_phrase(vn_text *out, const vn_sentence *in, place p, int kind)
{
    int plural = in->word[p.last].form == VN_PLURAL, before = takes_no(in, p.first, p.last) == 2;
    vn_text_say(out, kind == NOUN ? "no" : plural ? "there are no" : "there is no");
    vn_text_say(out, before ? " " : "");
    vn_span text = {out->room, out->said};
    int begin = in->word[p.first].begin;
    vn_text_edit(out, begin, before ? begin : in->word[p.first].end, text);
}

static void
negate_verb(vn_text *out, const vn_sentence *in, int i)
{
    const vn_word *w = &in->word[i];
    if (w->kind == 'X') {
        vn_text_edit(out, w->end, w->end, span_of(" not"));
        return;
    }
    vn_text_say(out, w->form == VN_ING ? "not " : w->form == VN_BASE ? "do not " : "does not ");
    vn_span base = vn_word_base(in, i), text = {out->room, out->said};
    if (w->form == VN_THIRD) {
        vn_text_say(out, base.text);
        text.bytes = out->said;
    }
    vn_text_edit(out, w->begin, w->form == VN_THIRD ? w->end : w->begin, text);
}

static void
take_away(vn_text *out, const vn_sentence *in, int i)
{
    vn_span text = span_of(positive(in, i));
    int end = in->word[i].end, head = i + 1;
    while (vn_sentence_joined(in, head + 1) && vn_word_is(in->word[head].kind, "AN") && !vn_phrase_ends(in, head))
        head++;
    if (vn_sentence_reads(in, i, "no") && vn_word_is(in->word[head].kind, "N") && in->word[head].form != VN_PLURAL) {
        vn_span next = vn_sentence_part(in, i + 1, i + 1);
        text = span_of(vn_words_vowel(next.text, next.bytes) ? "an" : "a");
    } else if (text.bytes == 0)
        end = in->word[i + 1].begin;
    vn_text_edit(out, in->word[i].begin, end, text);
}

/* The noun phrase as it stands, without the capital that opens the text. */
static void
name_phrase(vn_text *out, const vn_sentence *in, place p)
{
    char text[VN_TEXT_ROOM] = {0};
    vn_span s = vn_sentence_part(in, p.first, p.last);
    memcpy(text, s.text, (size_t)VN_MIN(s.bytes, VN_TEXT_ROOM - 1));
    if (p.first == 0 && vn_sentence_opens(in) && in->word[0].lemma >= 0)
        text[0] = (char)(text[0] + 32);
    vn_text_say(out, text);
}

static vn_reason
describe(vn_text *out, const vn_sentence *in, place p, vn_rng *rng)
{
    const vn_phrase *object = NULL;
    vn_text_say(out, out->kind == NOT_FEATURE ? "this image does not feature " : "this image features ");
    if (out->kind != NOT_FEATURE) {
        object = vn_phrases_chosen(1 << VN_OBJECT, vn_rng_below(rng, vn_phrases_choices(1 << VN_OBJECT)));
        vn_text_say(out, vn_words_vowel(object->text, (int64_t)strlen(object->text)) ? "an " : "a ");
        vn_text_say(out, object->text);
        vn_text_say(out, out->kind == BUT_NOT ? ", but not " : "");
    }
    if (out->kind != FEATURES)
        name_phrase(out, in, p);
    vn_span text = {out->room, out->said};
    vn_text_edit(out, in->word[0].begin, in->word[in->words - 1].end, text);
    return object != NULL && vn_object_mentioned(in, object->text) ? VN_ABSENT : VN_VALID;
}

/* param[0]: bits of the kinds that may be drawn */
static vn_reason
make(vn_text *out, const vn_sentence *in, const int32_t *param, vn_rng *rng)
{
    places found[KINDS];
    int chosen[KINDS], number = 0;
    for (int k = 0; k < KINDS; k++) {
        found[k].count = 0;
        if (!(param[0] >> k & 1))
            continue;
        if (k == VERB)
            find_verbs(&found[k], in);
        else if (k == WITH)
            find_with(&found[k], in);
        else if (k == REMOVE)
            find_negations(&found[k], in);
        else
            find_phrases(&found[k], in, k);
        if (found[k].count > 0)
            chosen[number++] = k;
        out->variants += found[k].count * (k == FEATURES || k == BUT_NOT ? VN_MAX_WORDS : 1);
    }
    if (number == 0)
        return VN_EMPTY;
    out->kind = chosen[vn_rng_below(rng, number)];
    place p = found[out->kind].place[vn_rng_below(rng, found[out->kind].count)];
    if (out->kind == NOUN || out->kind == EXISTS)
        negate_phrase(out, in, p, out->kind);
    else if (out->kind == VERB)
        negate_verb(out, in, p.first);
    else if (out->kind == WITH)
        vn_text_put(out, in, p.first, p.first, span_of("without"));
    else if (out->kind == REMOVE)
        take_away(out, in, p.first);
    else
        return describe(out, in, p, rng);
    return VN_VALID;
}

const vn_text_maker vn_text_negate = {
    "negate",
    "a negation comes in or goes away",
    kinds,
    make,
};
