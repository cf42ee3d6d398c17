/* add: something false comes into the caption: an object, or an attribute of a noun.
 *
 * Objects: "and a X" or "with a X" behind a noun phrase, "a X and" before it, "with a X" behind an adverb or
 * participle; a verb that the phrase is the subject of becomes plural. X is none that a true caption mentions, by
 * whatever word of keywords.def. Attributes: an adjective before a noun or another adjective, of a kind that the noun
 * phrase doesn't have yet, in the order of English (size, age, state, colour, material) and one that such a noun can
 * have. Lists are phrases.def. SugarCrepe's add-object and add-attribute (Hsieh et al., NeurIPS 2023),
 * arXiv:2306.14610. */
#include "../../vn_negative.h"

#include <string.h>

#include "../../text/vn_phrases.h"
#include "../vn_grammar.h"
#include "../words/vn_keywords.h"

enum { OBJECT, ATTRIBUTE, KINDS };
static const char *const kinds[] = {"add_object", "add_attribute", NULL};

enum { AND_BEHIND, WITH_BEHIND, AND_BEFORE };

/* Where something can come in: words [first, head] are the noun phrase. Of an object: how, and the verb to mend; of an
 * attribute: before which word, and bits of the lists it can be of. */
typedef struct place {
    int16_t first, head;
    int16_t how, verb;
    int16_t at, lists;
} place;

enum { PLACES = 3 * VN_MAX_WORDS };

/* 1 behind an adverb or participle where the clause ends or a preposition follows: "sits there", "sleeping" */
static int
takes_with(const vn_sentence *in, int i)
{
    int kind = in->word[i].kind, next = vn_sentence_joined(in, i + 1) ? in->word[i + 1].kind : 0;
    return (kind == 'R' || (kind == 'V' && in->word[i].form == VN_ING)) && (next == 0 || next == 'P') &&
           !vn_sentence_reads(in, i + 1, "with");
}

static int
object_places(place *found, const vn_sentence *in)
{
    int count = 0;
    for (int h = 0; h < in->words; h++) {
        if (takes_with(in, h)) {
            place p = {(int16_t)h, (int16_t)h, WITH_BEHIND, VN_NO_VERB, 0, 0};
            found[count++] = p;
        }
        if (!vn_phrase_ends(in, h))
            continue;
        int first = vn_phrase_start(in, h), of = vn_phrase_measures(in, h);
        int verb = in->word[h].form == VN_PLURAL ? VN_NO_VERB : vn_phrase_verb(in, first, h);
        for (int how = AND_BEHIND; how <= AND_BEFORE; how++) {
            place p = {
                (int16_t)first, (int16_t)h, (int16_t)how, (int16_t)(how == WITH_BEHIND ? VN_NO_VERB : verb), 0, 0};
            int fits = how == AND_BEFORE    ? !(vn_sentence_joined(in, first) && in->word[first - 1].form == VN_OF)
                       : how == WITH_BEHIND ? !of && !vn_sentence_reads(in, h + 1, "with")
                                            : !of;
            if (fits && p.verb != VN_NEVER)
                found[count++] = p;
        }
    }
    return count;
}

static vn_reason
add_object(vn_text *out, const vn_sentence *in, const place *p, const vn_phrase *object)
{
    static const char *const before[3][2] = {{" and a ", " and an "}, {" with a ", " with an "}, {"a ", "an "}};
    int vowel = vn_words_vowel(object->text, (int64_t)strlen(object->text));
    vn_text_say(out, before[p->how][vowel]);
    vn_text_say(out, object->text);
    vn_text_say(out, p->how == AND_BEFORE ? " and " : "");
    int at = p->how == AND_BEFORE ? in->word[p->first].begin : in->word[p->head].end;
    vn_span text = {out->room, out->said}, verb = {"", 0};
    vn_text_edit(out, at, at, text);
    if (p->verb >= 0 && (verb = vn_verb_turned(out, in, p->verb, 1)).bytes > 0)
        vn_text_put(out, in, p->verb, p->verb, verb);
    return vn_object_mentioned(in, object->text) ? VN_ABSENT : VN_VALID;
}

/* the keyword that word i is, or NULL */
static const vn_keyword *
keyword_of(const vn_sentence *in, int i)
{
    char low[32] = {0};
    int64_t n = in->word[i].end - in->word[i].begin;
    if (n >= (int64_t)sizeof low)
        return NULL;
    for (int64_t k = 0; k < n; k++) {
        char c = in->text.text[in->word[i].begin + k];
        low[k] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    return vn_keywords_find(low);
}

/* which attributes a noun can have, as bits of their lists */
static int
lists_of(const vn_sentence *in, int head)
{
    if (vn_phrase_measures(in, head))
        return vn_sentence_reads(in, head, "lots") || vn_sentence_reads(in, head, "lot") ? 0 : 1 << VN_SIZE;
    int begin, end;
    vn_phrases_like(vn_sentence_part(in, head, head), &begin, &end);
    for (int k = begin; k < end; k++) {
        const vn_phrase *p = vn_phrases_entry(k);
        if (p->list == VN_PERSON && vn_sentence_reads(in, head, p->text))
            return 1 << VN_LOOK | (p->number == 1 ? 0 : 1 << VN_YEARS);
    }
    const vn_keyword *word = keyword_of(in, head);
    if (word != NULL && word->group == VN_ANIMAL_GROUP)
        return 1 << VN_SIZE | 1 << VN_COLOR;
    return 1 << VN_SIZE | 1 << VN_AGE | 1 << VN_STATE | 1 << VN_COLOR | 1 << VN_MATERIAL;
}

/* the list of an attribute, VN_ATTRIBUTES for any other word */
static int
list_of(const vn_sentence *in, int i)
{
    int begin, end;
    vn_phrases_like(vn_sentence_part(in, i, i), &begin, &end);
    for (int k = begin; k < end; k++)
        if (vn_phrases_entry(k)->list < VN_ATTRIBUTES && vn_sentence_reads(in, i, vn_phrases_entry(k)->text))
            return vn_phrases_entry(k)->list;
    return VN_ATTRIBUTES;
}

/* Which of these lists can come before word at of the phrase [first, head]: age and years are one kind. */
static int
lists_at(const vn_sentence *in, int first, int head, int at, int lists)
{
    for (int i = first; i < head; i++) {
        int known = in->word[i].kind == 'D' ? VN_ATTRIBUTES : list_of(in, i);
        for (int list = 0; list < VN_ATTRIBUTES && known < VN_ATTRIBUTES; list++) {
            int rank = list == VN_YEARS ? VN_AGE : list, other = known == VN_YEARS ? VN_AGE : known;
            int either = known == VN_LOOK || known == VN_STATE || list == VN_LOOK || list == VN_STATE;
            int loose = either && known < VN_COLOR && list < VN_COLOR; /* "old dirty" and "dirty old" */
            if (rank == other || (!loose && (i < at ? other > rank : other < rank)))
                lists &= ~(1 << list);
        }
    }
    return lists;
}

static int
attribute_places(place *found, const vn_sentence *in)
{
    int count = 0;
    for (int h = 0; h < in->words; h++) {
        if (!vn_phrase_ends(in, h))
            continue;
        int first = vn_phrase_start(in, h), possible = lists_of(in, h);
        for (int i = first; i <= h; i++) {
            int left = vn_sentence_joined(in, i) ? in->word[i - 1].kind : 0;
            if (!vn_word_is(in->word[i].kind, "NA") || vn_word_is(left, "NR") ||
                (left == 'C' && in->word[i].kind == 'A')) /* "black and white" stays together */
                continue;
            place p = {(int16_t)first, (int16_t)h, 0, 0, (int16_t)i, (int16_t)lists_at(in, first, h, i, possible)};
            if (p.lists != 0)
                found[count++] = p;
        }
    }
    return count;
}

static vn_reason
add_attribute(vn_text *out, const vn_sentence *in, const place *p, const vn_phrase *attribute)
{
    vn_text_say(out, attribute->text);
    vn_text_say(out, " ");
    vn_span text = {out->room, out->said};
    vn_text_edit(out, in->word[p->at].begin, in->word[p->at].begin, text);
    if (vn_key_holds(in->text, attribute->text))
        return VN_ABSENT;
    for (int64_t i = 0; i < in->truths; i++)
        if (vn_key_holds(in->truth[i], attribute->text))
            return VN_ABSENT;
    return VN_VALID;
}

/* param[0]: bits of the kinds that may be drawn */
static vn_reason
make(vn_text *out, const vn_sentence *in, const int32_t *param, vn_rng *rng)
{
    place found[PLACES];
    int count = 0, both = (param[0] & 3) == 3;
    out->kind = both ? (int)vn_rng_below(rng, KINDS) : param[0] >> ATTRIBUTE & 1;
    for (int turn = 0; turn <= both && count == 0; turn++) { /* the other where this has no place */
        out->kind ^= turn;
        count = out->kind == OBJECT ? object_places(found, in) : attribute_places(found, in);
    }
    if (count == 0)
        return VN_EMPTY;
    const place *p = &found[vn_rng_below(rng, count)];
    int lists = out->kind == OBJECT ? 1 << VN_OBJECT : p->lists;
    const vn_phrase *phrase = vn_phrases_chosen(lists, vn_rng_below(rng, vn_phrases_choices(lists)));
    return out->kind == OBJECT ? add_object(out, in, p, phrase) : add_attribute(out, in, p, phrase);
}

const vn_text_maker vn_text_add = {
    "add",
    "an object or an attribute that no true caption mentions comes in",
    kinds,
    make,
};
