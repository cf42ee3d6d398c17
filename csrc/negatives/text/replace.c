/* replace: one keyword of the caption becomes another of its kind: a colour, size, place or object.
 *
 * A concept is drawn among those present, then an occurrence, then what replaces it: a keyword of the same group with
 * another sense and the same number, or an object of any group. "a" and "an" and capital letters follow. Keywords
 * are whole words, the longest first, and some count only where their neighbours say that the sense is meant.
 * Roesch et al. (ALVR 2024), arXiv:2403.02875; the lists are keywords.def. */
#include "../../vn_negative.h"

#include <string.h>

#include "vn_keywords.h"

enum { COLOR, SIZE, LOCATION, OBJECT, CONCEPTS };
static const char *const kinds[] = {"replace_color", "replace_size", "replace_location", "replace_object", NULL};

enum {
    COLORS, SIZES, SIZES_ER, SIZES_EST, TALL, TALL_ER, TALL_EST, LONG, LONG_ER, LONG_EST, THICK, THICK_ER, THICK_EST,
    WIDE, WIDE_ER, WIDE_EST, LEFT, ABOVE, FRONT, INSIDE, ON_TOP, TOP, UPPER, NEAR, HUMAN, PERSON, VEHICLE, OUTDOOR,
    ANIMAL, ACCESSORY, SPORTS, KITCHEN, FOOD, FURNITURE, ELECTRONIC, APPLIANCE, INDOOR
};

#define VN_KEYWORD(text, concept, group, sense, form, target) {text, sense, #group, concept, group, form, target},
static const vn_keyword table[] = {
#include "keywords.def"
};
enum { LINES = sizeof table / sizeof table[0] };

int64_t
vn_keywords_size(void)
{
    return LINES;
}

const vn_keyword *
vn_keywords_entry(int64_t index)
{
    return &table[index];
}

/* words [first, last] are the keyword of lines [begin, end), two where it belongs to two groups */
typedef struct found {
    int first, last, begin, end;
    int form;
    int meant; /* 0: its neighbours say that another sense is meant */
} found;

/* Whether the words from i on are the keyword; the last of them, or -1. Words are parted by one blank. */
static int
match(const vn_sentence *in, int i, const char *text)
{
    const char *p = in->text.text + in->word[i].begin, *end = in->text.text + in->text.bytes;
    for (; *text != 0 && p < end; p++, text++)
        if ((*p >= 'A' && *p <= 'Z' ? *p + 32 : *p) != *text)
            return -1;
    int last = i;
    while (last < in->words && in->word[last].end < p - in->text.text)
        last++;
    return *text == 0 && last < in->words && in->word[last].end == p - in->text.text ? last : -1;
}

/* sign of: keyword at - word, over the bytes of the word */
static int
order(int at, const char *word, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        int c = word[i] >= 'A' && word[i] <= 'Z' ? word[i] + 32 : (unsigned char)word[i];
        int d = (unsigned char)table[at].text[i] - c;
        if (d != 0)
            return d;
    }
    return 0;
}

/* the first keyword that starts with the word, if any does */
static int
seek(const char *word, int bytes)
{
    int low = 0, high = LINES;
    while (low < high) {
        int middle = (low + high) / 2;
        if (order(middle, word, bytes) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The noun that "short" describes is one that is tall otherwise: to the right in its phrase, else to the left. */
static int
upright(const vn_sentence *in, int i)
{
    int noun = -1;
    for (int j = i + 1; vn_sentence_joined(in, j) && vn_word_is(in->word[j].kind, "AN"); j++)
        if (in->word[j].kind == 'N')
            noun = j;
    for (int j = i - 1; j >= 0 && noun < 0; j--)
        if (in->word[j].kind == 'N')
            noun = j;
    return noun >= 0 && vn_lexicon_has(in->word[noun].lemma, 'h');
}

/* Whether the neighbours say that the keyword has the sense it is listed for. */
static int
meant(const vn_sentence *in, const found *f)
{
    const vn_keyword *k = &table[f->begin];
    int kind = in->word[f->last].kind;
    int left = vn_sentence_joined(in, f->first) ? in->word[f->first - 1].kind : 0;
    int right = vn_sentence_joined(in, f->last + 1) ? in->word[f->last + 1].kind : 0;
    switch (k->concept) {
    case COLOR: return 1;
    case SIZE: return kind == 'A' && !vn_sentence_reads(in, f->last + 1, "bit");
    case OBJECT: return kind == 'N' && right != 'N';
    }
    switch (k->group) {
    case LEFT: return right == 'N' || (vn_word_is(left, "DPA") && !vn_word_is(right, "PR"));
    case TOP: return vn_word_is(left, "DP") && kind != 'R';
    case UPPER: return kind == 'A';
    case NEAR: return f->last > f->first || kind == 'P';
    case ABOVE: return kind == 'P' && right != 'M' && !vn_sentence_reads(in, f->first - 1, "all");
    case FRONT: return !vn_sentence_reads(in, f->first - 1, "from");
    }
    return 1;
}

/* Keywords of the caption from left to right, none inside another. */
static int
search(found *list, const vn_sentence *in)
{
    int count = 0;
    for (int i = 0; i < in->words; i++) {
        found f = {i, -1, 0, 0, 0, 0};
        if (vn_word_is(in->word[i].kind, "DXUCTM")) /* no keyword starts with one of these */
            continue;
        const char *word = in->text.text + in->word[i].begin;
        int bytes = in->word[i].end - in->word[i].begin;
        for (int at = seek(word, bytes); at < LINES && order(at, word, bytes) == 0; at++) {
            int last = match(in, i, table[at].text);
            if (last > f.last)
                f.last = last, f.begin = at;
            if (last >= 0 && last == f.last)
                f.end = at + 1;
        }
        if (f.last < 0)
            continue;
        /* orange: a colour before a noun, else the fruit */
        if (f.end - f.begin == 2 && table[f.begin].concept == COLOR) {
            f.begin += !(vn_sentence_joined(in, f.last + 1) && vn_word_is(in->word[f.last + 1].kind, "NA"));
            f.end = f.begin + 1;
        }
        f.form = table[f.begin].form == VN_EITHER ? in->word[f.last].form : table[f.begin].form;
        f.meant = meant(in, &f);
        /* short: the opposite of tall, or long */
        if (strcmp(table[f.begin].sense, "less") == 0 && f.end - f.begin == 2)
            f.begin += upright(in, f.last), f.end = f.begin + 1;
        list[count++] = f;
        i = f.last;
    }
    return count;
}

/* Whether keyword t can stand where f does. */
static int
fits(const vn_keyword *t, const found *f, const found *list, int count, int any)
{
    int group = 0;
    if (!t->target || t->concept != table[f->begin].concept || (t->form != f->form && t->form != VN_EITHER))
        return 0;
    for (int at = f->begin; at < f->end && !group; at++) {
        const vn_keyword *k = &table[at];
        group = (t->group == k->group || (any && k->concept == OBJECT && k->group != HUMAN &&
                                          !(k->group == PERSON && t->group == HUMAN))) &&
                strcmp(t->sense, k->sense) != 0;
    }
    if (!group)
        return 0;
    if (t->concept == COLOR || t->concept == OBJECT) /* "a black and black cat" */
        for (int i = 0; i < count; i++)
            if (table[list[i].begin].concept == t->concept && strcmp(table[list[i].begin].sense, t->sense) == 0)
                return 0;
    return 1;
}

static int
choices(const found *f, const found *list, int count, int any)
{
    int n = 0;
    for (int at = 0; at < LINES && f->meant; at++)
        n += fits(&table[at], f, list, count, any);
    return n;
}

/* Whether another true caption mentions what t stands for, by whatever word. */
static int
mentioned(const vn_keyword *t, const vn_sentence *in)
{
    for (int at = 0; at < LINES && t->concept == OBJECT && in->truths > 0; at++)
        if (table[at].concept == OBJECT && strcmp(table[at].sense, t->sense) == 0)
            for (int64_t i = 0; i < in->truths; i++)
                if (vn_key_holds(in->truth[i], table[at].text))
                    return 1;
    return 0;
}

/* param[0]: bits of the concepts that may be drawn; param[1]: 1: objects of any group */
static vn_reason
make(vn_text *out, const vn_sentence *in, const int32_t *param, vn_rng *rng)
{
    found list[VN_MAX_WORDS];
    int number[VN_MAX_WORDS], present[CONCEPTS] = {0}, concept[CONCEPTS], concepts = 0;
    int count = search(list, in);
    for (int i = 0; i < count; i++) {
        int c = table[list[i].begin].concept;
        number[i] = param[0] >> c & 1 ? choices(&list[i], list, count, param[1]) : 0;
        present[c] += number[i] > 0;
        out->variants += number[i];
    }
    for (int c = 0; c < CONCEPTS; c++)
        if (present[c] > 0)
            concept[concepts++] = c;
    if (concepts == 0)
        return VN_EMPTY;
    out->kind = concept[vn_rng_below(rng, concepts)];
    int64_t which = vn_rng_below(rng, present[out->kind]);
    int i = 0;
    while (table[list[i].begin].concept != out->kind || number[i] == 0 || which-- > 0)
        i++;
    int64_t pick = vn_rng_below(rng, number[i]);
    int at = 0;
    while (!fits(&table[at], &list[i], list, count, param[1]) || pick-- > 0)
        at++;
    vn_span target = {table[at].text, (int64_t)strlen(table[at].text)};
    vn_text_put(out, in, list[i].first, list[i].last, target);
    return mentioned(&table[at], in) ? VN_ABSENT : VN_VALID;
}

const vn_text_maker vn_text_replace = {
    "replace", "one colour, size, place or object becomes another", kinds, make,
};
