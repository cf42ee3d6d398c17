/* Where a caption has words that can be replaced: keywords whose neighbours leave them the sense they are listed for,
 * other nouns, verbs and adjectives, and "a" before a noun, which can become a number. */
#include "vn_keywords.h"

#include <string.h>

enum { ADJECTIVES = 1 << VN_CONCEPT_ADJECTIVE, NOUNS = 1 << VN_CONCEPT_NOUN, VERBS = 1 << VN_CONCEPT_VERB };

/* the words [first,last] of the longest keyword that starts at a word; its lines are [begin,end), and from low on
 * there are those of the word alone */
typedef struct match {
    int first, last;
    int64_t low, begin, end;
} match;

static int
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : (unsigned char)c;
}

/* Whether the words from i on are the keyword; the last of them, or -1. Words are parted by one blank. */
static int
reads(const vn_sentence *in, int i, const char *text)
{
    const char *p = in->text.text + in->word[i].begin, *end = in->text.text + in->text.bytes;
    for (; *text != 0 && p < end; p++, text++)
        if (lower(*p) != (unsigned char)*text)
            return -1;
    int last = i;
    while (last < in->words && in->word[last].end < p - in->text.text)
        last++;
    return *text == 0 && last < in->words && in->word[last].end == p - in->text.text ? last : -1;
}

/* sign of: the first word of keyword at - word */
static int
order(int64_t at, const char *word, int bytes)
{
    const char *text = vn_keywords_entry(at)->text;
    for (int i = 0; i < bytes; i++) {
        int d = (unsigned char)text[i] - lower(word[i]);
        if (d != 0)
            return d;
    }
    return text[bytes] != 0 && text[bytes] != ' ';
}

static match
longest(const vn_sentence *in, int i)
{
    match m = {i, -1, 0, 0, 0};
    const char *word = in->text.text + in->word[i].begin;
    int bytes = in->word[i].end - in->word[i].begin;
    int64_t low = 0, high = vn_keywords_size();
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (order(middle, word, bytes) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    m.low = low;
    for (int64_t at = low; at < vn_keywords_size() && order(at, word, bytes) == 0; at++) {
        int last = reads(in, i, vn_keywords_entry(at)->text);
        if (last > m.last)
            m.last = last, m.begin = at;
        if (last >= 0 && last == m.last)
            m.end = at + 1;
    }
    return m;
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

/* What a reading may look at: the classes of the last word and of its joined neighbours, 0 for none. */
typedef struct around {
    int kind, form, left, left_form, right;
} around;

static int
means_place(const vn_sentence *in, const match *m, int group, const around *a)
{
    switch (group) {
    case VN_LEFT_GROUP: return a->right == 'N' || (vn_word_is(a->left, "DPA") && !vn_word_is(a->right, "PR"));
    case VN_TOP_GROUP: return vn_word_is(a->left, "DP") && a->kind != 'R';
    case VN_UPPER_GROUP: return a->kind == 'A';
    case VN_NEAR_GROUP: return m->last > m->first || a->kind == 'P';
    case VN_ABOVE_GROUP: return a->kind == 'P' && a->right != 'M' && !vn_sentence_reads(in, m->first - 1, "all");
    case VN_FRONT_GROUP: return !vn_sentence_reads(in, m->first - 1, "from");
    case VN_TO_WITH_GROUP:
    case VN_TO_TO_GROUP:
    case VN_TO_BY_GROUP:
    case VN_TO_FOR_GROUP: return a->kind == 'P' && !(a->left == 'V' && a->left_form == VN_PAST);
    }
    return m->last > m->first || a->kind == 'P';
}

static int
means_quality(const vn_sentence *in, const match *m, int group, const around *a)
{
    int verb = a->kind == 'V' && (group == VN_STANDING_GROUP || group == VN_PARKED_GROUP ||
                                  (a->form == VN_PAST && a->right != 'P'));
    if (vn_sentence_reads(in, m->last + 1, "than"))
        return 0;
    switch (vn_groups_entry(group)->concept) {
    case VN_CONCEPT_SIZE:
        if ((group >= VN_TALL_GROUP && group <= VN_TALL_EST_GROUP) ||
            (group >= VN_LONG_GROUP && group <= VN_LONG_EST_GROUP))
            if (vn_sentence_reads(in, m->last, "short") || vn_sentence_reads(in, m->last, "shorter") ||
                vn_sentence_reads(in, m->last, "shortest"))
                if (upright(in, m->last) != (group <= VN_TALL_EST_GROUP))
                    return 0;
        return a->kind == 'A' && !vn_sentence_reads(in, m->last + 1, "bit");
    case VN_CONCEPT_STATE: return a->kind == 'A' || verb;
    case VN_CONCEPT_COLOR: return a->kind != 'V';
    default: return a->kind == 'A' || (a->kind == 'N' && a->right == 'N');
    }
}

/* Whether the neighbours say that the keyword has the sense of this line. */
static int
meant(const vn_sentence *in, const match *m, const vn_keyword *k, const around *a)
{
    switch (vn_groups_entry(k->group)->concept) {
    case VN_CONCEPT_OBJECT:
    case VN_CONCEPT_NOUN: return a->kind == 'N' && a->right != 'N';
    case VN_CONCEPT_ACTION:
        return a->kind == 'V' && k->form == a->form &&
               (k->group != VN_LOOK_GROUP || vn_sentence_reads(in, m->last + 1, "at")) &&
               (k->group != VN_HOLD_GROUP || k->form == VN_PAST || vn_word_is(a->right, "DAMNU"));
    case VN_CONCEPT_NUMBER: return a->kind == 'M' && (k->group == VN_NUMBERS_GROUP || vn_word_is(a->right, "NA"));
    case VN_CONCEPT_LOCATION:
    case VN_CONCEPT_RELATION: return means_place(in, m, k->group, a);
    case VN_CONCEPT_FIXED: return 1;
    }
    return means_quality(in, m, k->group, a);
}

/* 1 when a determiner or number stands before the nouns and adjectives that end at word i */
static int
determined(const vn_sentence *in, int i)
{
    while (vn_sentence_joined(in, i)) {
        i--;
        if (!vn_word_is(in->word[i].kind, "AN"))
            return vn_word_is(in->word[i].kind, "DM");
    }
    return 0;
}

/* The reading of a word whose group, if it has one, puts nothing in its place. */
static vn_reading
stand_in(const vn_sentence *in, const match *m, int home, int instead, const around *a)
{
    vn_reading r = {0, 0, (uint8_t)instead, (uint8_t)home, VN_BASE};
    if (a->kind == 'N') {
        r.concepts = NOUNS, r.form = a->form == VN_PLURAL ? VN_PLURAL : VN_BASE;
        if (r.group == VN_ANY_NOUN_GROUP && r.form == VN_BASE && !determined(in, m->first))
            r.group = VN_ANY_MASS_GROUP;
    }
    else if (a->kind == 'V') {
        r.concepts = VERBS, r.form = (uint8_t)a->form;
        r.group = a->form == VN_PAST ? VN_ANY_PASSIVE_GROUP
                  : vn_word_is(a->right, "DANMU") ? VN_ANY_VERB_GROUP : VN_ANY_DOING_GROUP;
    }
    else if (a->kind == 'A' && !vn_sentence_reads(in, m->last + 1, "than"))
        r.concepts = ADJECTIVES, r.group = VN_ANY_ADJECTIVE_GROUP;
    return r;
}

static vn_reading
read_line(const vn_sentence *in, const match *m, const vn_keyword *k, const around *a)
{
    static const uint16_t wider[] = {
        [VN_CONCEPT_COLOR] = ADJECTIVES,     [VN_CONCEPT_SIZE] = ADJECTIVES, [VN_CONCEPT_MATERIAL] = ADJECTIVES,
        [VN_CONCEPT_STATE] = ADJECTIVES,     [VN_CONCEPT_OBJECT] = NOUNS,    [VN_CONCEPT_ACTION] = VERBS,
        [VN_CONCEPT_ATTRIBUTE] = ADJECTIVES, [VN_CONCEPT_LOCATION] = 1 << VN_CONCEPT_RELATION,
        [VN_CONCEPT_FIXED] = 0,
    };
    const vn_group *g = vn_groups_entry(k->group);
    int form = k->form == VN_EITHER ? a->form : k->form, begin, end;
    vn_puts_of(k->group, form, &begin, &end);
    vn_reading r = {(uint16_t)(1 << g->concept | wider[g->concept]), k->sense, k->group, k->group, (uint8_t)form};
    if (k->sense == 0 || begin == end) {
        uint16_t own = r.concepts;
        r = stand_in(in, m, k->group, g->instead, a);
        r.concepts = g->concept == VN_CONCEPT_OBJECT ? own : r.concepts;
    }
    if (a->kind == 'V')
        r.concepts &= (uint16_t)~ADJECTIVES;
    return r;
}

/* "a dog" can become "two dogs" where nothing else has to agree with it. */
static void
grow(vn_sites *s, const vn_sentence *in, int i)
{
    vn_site *site = &s->site[s->count];
    if (in->word[i].form != VN_A && in->word[i].form != VN_AN && !vn_sentence_reads(in, i, "one"))
        return;
    if (!vn_sentence_joined(in, i + 1) || in->word[i + 1].kind != 'N' || in->word[i + 1].form != VN_BASE ||
        in->word[i + 1].end - in->word[i + 1].begin > 31)
        return;
    if (vn_sentence_joined(in, i + 2) && (in->word[i + 2].kind == 'N' || in->word[i + 2].form == VN_OF))
        return;
    for (int j = i + 2; j < in->words; j++)
        if (in->word[j].kind == 'X' || in->word[j].kind == 'U' ||
            (in->word[j].kind == 'V' && in->word[j].form == VN_THIRD) || vn_sentence_reads(in, j, "his") ||
            vn_sentence_reads(in, j, "her") || vn_sentence_reads(in, j, "its"))
            return;
    memset(site, 0, sizeof *site);
    site->first = (uint8_t)i, site->last = (uint8_t)(i + 1), site->grow = 1;
    site->readings = 1;
    site->reading[0] = (vn_reading){1 << VN_CONCEPT_NUMBER, 0, VN_NUMBERS_GROUP, VN_NUMBERS_GROUP, VN_BASE};
    s->count++;
}

static around
look(const vn_sentence *in, const match *m)
{
    around a = {in->word[m->last].kind, in->word[m->last].form, 0, 0, 0};
    if (vn_sentence_joined(in, m->first))
        a.left = in->word[m->first - 1].kind, a.left_form = in->word[m->first - 1].form;
    if (vn_sentence_joined(in, m->last + 1))
        a.right = in->word[m->last + 1].kind;
    return a;
}

/* A word that no list has, or not in this sense; nouns before a noun go with it. */
static void
unlisted(vn_site *site, const vn_sentence *in, match *m, const around *a, int from)
{
    if (!vn_word_is(a->kind, "NVA") || (a->kind == 'N' && a->right == 'N') ||
        (vn_sentence_joined(in, m->last + 1) && in->word[m->last + 1].form == VN_OF))
        return;
    while (a->kind == 'N' && m->first > from && vn_sentence_joined(in, m->first) && in->word[m->first - 1].kind == 'N')
        m->first--;
    site->reading[site->readings++] = stand_in(in, m, VN_GROUPS_GROUP, VN_ANY_NOUN_GROUP, a);
    site->first = (uint8_t)m->first;
}

/* "tennis" in "tennis court", which is a keyword too: a site inside another */
static void
modifier(vn_sites *s, const vn_sentence *in, const match *m)
{
    if (m->last == m->first || in->word[m->first].kind != 'N' || in->word[m->first + 1].kind != 'N')
        return;
    for (int64_t at = m->low; at < m->begin; at++) {
        const vn_keyword *k = vn_keywords_entry(at);
        if (k->group < VN_KIND_OF_SPORT_GROUP || k->group > VN_KIND_OF_TREE_GROUP ||
            reads(in, m->first, k->text) != m->first)
            continue;
        vn_site *site = &s->site[s->count++];
        memset(site, 0, sizeof *site);
        site->first = site->last = (uint8_t)m->first;
        site->readings = 1;
        site->reading[0] = (vn_reading){1 << VN_CONCEPT_ATTRIBUTE | ADJECTIVES, k->sense, k->group, k->group, VN_BASE};
        return;
    }
}

void
vn_sites_find(vn_sites *s, const vn_sentence *in)
{
    int from = 0; /* the first word behind the last site */
    s->count = 0;
    memset(s->present, 0, sizeof s->present);
    for (int i = 0; i < in->words; i++) {
        if (in->word[i].kind == 'D' || in->word[i].kind == 'M')
            grow(s, in, i);
        if (vn_word_is(in->word[i].kind, "DXUCT")) /* no keyword starts with one of these */
            continue;
        match m = longest(in, i);
        int fixed = 0;
        m.last = VN_MAX(m.last, i);
        around a = look(in, &m);
        modifier(s, in, &m);
        vn_site *site = &s->site[s->count];
        memset(site, 0, sizeof *site);
        site->first = (uint8_t)i, site->last = (uint8_t)m.last;
        for (int64_t at = m.begin; at < m.end; at++) {
            const vn_keyword *k = vn_keywords_entry(at);
            s->present[k->sense / 64] |= 1ull << k->sense % 64;
            if (site->readings == VN_READINGS || !meant(in, &m, k, &a) ||
                (k->group == VN_COLORS_GROUP && m.end - m.begin > 1 && !vn_word_is(a.right, "NA")) ||
                (k->group == VN_FOOD_GROUP && m.end - m.begin > 1 && vn_word_is(a.right, "NA"))) /* orange */
                continue;
            fixed |= vn_groups_entry(k->group)->concept == VN_CONCEPT_FIXED;
            site->reading[site->readings++] = read_line(in, &m, k, &a);
        }
        if (site->readings == 0 && m.first == m.last)
            unlisted(site, in, &m, &a, from);
        if (site->readings > 0 && !fixed)
            s->count++;
        if (site->readings > 0)
            from = m.last + 1;
        i = m.last;
    }
}
