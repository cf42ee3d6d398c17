/* positive: the caption in other words, still true; for tests of brittleness, never a negative.
 *
 * A phrase becomes another that says the same (SAME of phrases.def); two noun phrases around "and", "or", "next to",
 * "beside" or "near" change places; the place at the end comes to the front: "On a sofa, a cat sleeps."
 * Hard positives: Kamath et al. (ECCV 2024), arXiv:2409.17958. */
#include "../../text/vn_phrases.h"
#include "../vn_grammar.h"

#include <string.h>

enum { SYNONYM, REORDER, FRONT, KINDS };
static const char *const kinds[] = {"positive_synonym", "positive_reorder", "positive_front", NULL};

enum { SITES = 2 * VN_MAX_WORDS, LONGEST = 160 /* bytes that come to the front */ };

/* Words [first, last]; other: the line of phrases.def, or the first word of the second phrase, which ends with end. */
typedef struct site {
    int16_t first, last, other, end;
} site;

typedef struct sites {
    site site[SITES];
    int count;
} sites;

static void
add(sites *s, int first, int last, int other, int end)
{
    site made = {(int16_t)first, (int16_t)last, (int16_t)other, (int16_t)end};
    if (s->count < SITES)
        s->site[s->count++] = made;
}

/* The last word of the phrase that begins at word i, its words parted by one blank, or -1. */
static int
reads_phrase(const vn_sentence *in, int i, const char *phrase)
{
    const char *p = in->text.text + in->word[i].begin, *end = in->text.text + in->text.bytes;
    for (; *phrase != 0 && p < end; p++, phrase++)
        if ((*p >= 'A' && *p <= 'Z' ? *p + 32 : *p) != *phrase)
            return -1;
    while (i < in->words && in->word[i].end < p - in->text.text)
        i++;
    return *phrase == 0 && i < in->words && in->word[i].end == p - in->text.text ? i : -1;
}

/* Whether the phrase at these words is of the class that its list is about. */
static int
is_meant(const vn_sentence *in, int first, int last, int list)
{
    int kind = in->word[last].kind;
    int right = vn_sentence_joined(in, last + 1) ? in->word[last + 1].kind : 0;
    int left = vn_sentence_joined(in, first) ? in->word[first - 1].kind : 0;
    if (list == VN_SAME_NOUN)
        return kind == 'N' && left != 'N' && right != 'N';
    return list == VN_SAME_ADJECTIVE ? kind == 'A' : !vn_word_is(kind, "NA");
}

static void
find_synonyms(sites *s, const vn_sentence *in)
{
    for (int i = 0, begin, end; i < in->words; i++) {
        vn_phrases_like(vn_sentence_part(in, i, i), &begin, &end);
        for (int k = begin; k < end; k++) {
            const vn_phrase *p = vn_phrases_entry(k);
            int last = p->list < VN_SAME_NOUN ? -1 : reads_phrase(in, i, p->text);
            if (last >= 0 && is_meant(in, i, last, p->list))
                add(s, i, last, k, 0);
        }
    }
}

/* the first word behind "and", "next to" ... at word i, or -1 */
static int
behind_mutual(const vn_sentence *in, int i)
{
    static const char *const words[] = {"and", "or", "next to", "beside", "near", NULL};
    for (int k = 0; vn_sentence_joined(in, i) && words[k] != NULL; k++) {
        int last = reads_phrase(in, i, words[k]);
        if (last >= 0 && vn_sentence_joined(in, last + 1))
            return last + 1;
    }
    return -1;
}

/* 1 when a noun phrase can stand elsewhere: a determiner or number opens it, or it is a plural alone */
static int
movable(const vn_sentence *in, int first, int last)
{
    return !vn_phrase_measures(in, last) &&
           (vn_word_is(in->word[first].kind, "DM") || (first == last && in->word[last].form == VN_PLURAL));
}

static void
find_pairs(sites *s, const vn_sentence *in)
{
    static const char *const tied[] = {"in", "with", "wearing", "holding", "carrying", NULL};
    for (int a = 0; a < in->words; a++) {
        int next = vn_phrase_ends(in, a) ? behind_mutual(in, a + 1) : -1, b = next;
        if (next < 0)
            continue;
        while (b < in->words && !vn_phrase_ends(in, b))
            b++;
        int first = vn_phrase_start(in, a);
        if (b == in->words || vn_phrase_start(in, b) != next || !movable(in, first, a) || !movable(in, next, b) ||
            vn_word_is(in->word[first].kind, "DM") != vn_word_is(in->word[next].kind, "DM"))
            continue;
        int ok = in->word[a + 1].kind == 'C' || first == 0 || in->word[first - 1].kind == 'X';
        for (int k = 0; tied[k] != NULL; k++)
            ok = ok && !vn_sentence_reads(in, b + 1, tied[k]);
        if (ok && !(vn_sentence_joined(in, b + 1) && in->word[b + 1].kind == 'U'))
            add(s, first, a, next, b);
    }
}

/* The last phrase of place, where it can only belong to the verb: no list, clause or "of" in the caption. */
static void
find_place(sites *s, const vn_sentence *in)
{
    static const char *const places[] = {"on", "in", "at", "under", "behind", "inside", "near", "beside", NULL};
    int at = -1, verb = -1, last = in->words - 1;
    for (int i = 0; i < in->words; i++) {
        if (vn_word_is(in->word[i].kind, "CU") || in->word[i].form == VN_OF || (i > 0 && !vn_sentence_joined(in, i)))
            return;
        verb = verb < 0 && vn_word_is(in->word[i].kind, "XV") ? i : verb;
        for (int k = 0; places[k] != NULL && verb >= 0 && in->word[i].kind == 'P'; k++)
            at = vn_sentence_reads(in, i, places[k]) ? i : at;
    }
    if (at <= verb || verb < 1 || !vn_phrase_ends(in, last) || vn_phrase_start(in, last) != at + 1 ||
        in->word[at - 1].kind == 'P' || vn_sentence_part(in, at, last).bytes > LONGEST)
        return;
    if (vn_word_is(in->word[0].kind, "DMNA"))
        add(s, at, last, 0, 0);
}

static void
replace_phrase(vn_text *out, const vn_sentence *in, const site *s, vn_rng *rng)
{
    const vn_phrase *own = vn_phrases_entry(s->other), *same[VN_SAME_MOST];
    int count = 0;
    for (int64_t k = 0; k < vn_phrases_size(); k++) {
        const vn_phrase *p = vn_phrases_entry(k);
        if (p->list == own->list && p->number == own->number && p != own && count < VN_SAME_MOST)
            same[count++] = p;
    }
    const char *text = same[vn_rng_below(rng, count)]->text;
    vn_span made = {text, (int64_t)strlen(text)};
    vn_text_put(out, in, s->first, s->last, made);
}

static void
bring_to_front(vn_text *out, const vn_sentence *in, const site *s)
{
    vn_span place = vn_sentence_part(in, s->first, s->last), none = {"", 0};
    memcpy(out->room, place.text, (size_t)place.bytes);
    memcpy(out->room + place.bytes, ", ", 2);
    vn_span text = {out->room, place.bytes + 2};
    vn_text_edit(out, in->word[0].begin, in->word[0].begin, text);
    vn_text_edit(out, in->word[s->first - 1].end, in->word[s->last].end, none);
}

/* param[0]: bits of the kinds that may be drawn */
static vn_reason
make(vn_text *out, const vn_sentence *in, const int32_t *param, vn_rng *rng)
{
    sites found[KINDS];
    int chosen[KINDS], number = 0;
    for (int k = 0; k < KINDS; k++) {
        found[k].count = 0;
        if (!(param[0] >> k & 1))
            continue;
        if (k == SYNONYM)
            find_synonyms(&found[k], in);
        else if (k == REORDER)
            find_pairs(&found[k], in);
        else
            find_place(&found[k], in);
        if (found[k].count > 0)
            chosen[number++] = k;
    }
    if (number == 0)
        return VN_EMPTY;
    out->kind = chosen[vn_rng_below(rng, number)];
    const site *s = &found[out->kind].site[vn_rng_below(rng, found[out->kind].count)];
    if (out->kind == SYNONYM)
        replace_phrase(out, in, s, rng);
    else if (out->kind == FRONT)
        bring_to_front(out, in, s);
    else {
        vn_text_put(out, in, s->first, s->last, vn_sentence_part(in, s->other, s->end));
        vn_text_put(out, in, s->other, s->end, vn_sentence_part(in, s->first, s->last));
    }
    return VN_VALID;
}

const vn_text_maker vn_text_positive = {
    "positive",
    "the same said otherwise: synonyms, another order; not a negative",
    kinds,
    make,
};
