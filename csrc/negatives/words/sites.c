/* Where a caption has words that can be replaced: keywords, other nouns, verbs and adjectives, and "a" before a noun,
 * which can become a number. */
#include "vn_readings.h"

#include <string.h>

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

static vn_match
longest(const vn_sentence *in, int i)
{
    vn_match m = {i, -1, 0, 0, 0};
    const char *word = in->text.text + in->word[i].begin;
    int bytes = in->word[i].end - in->word[i].begin;
    int low, high, end;
    vn_keywords_near(word, bytes, &low, &end);
    high = end;
    while (low < high) {
        int middle = (low + high) / 2;
        if (order(middle, word, bytes) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    m.low = low;
    for (int at = low; at < end && order(at, word, bytes) == 0; at++) {
        int last = reads(in, i, vn_keywords_entry(at)->text);
        if (last > m.last)
            m.last = last, m.begin = at;
        if (last >= 0 && last == m.last)
            m.end = at + 1;
    }
    return m;
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
    if (vn_sentence_joined(in, i + 2) && (vn_word_is(in->word[i + 2].kind, "NA") || in->word[i + 2].form == VN_OF))
        return;
    if (vn_sentence_joined(in, i) && in->word[i - 1].kind == 'X') /* there is a dog */
        return;
    for (int j = i + 2; j < in->words; j++)
        if (in->word[j].kind == 'X' || in->word[j].kind == 'U' ||
            (in->word[j].kind == 'V' && in->word[j].form == VN_THIRD) || vn_sentence_reads(in, j, "his") ||
            vn_sentence_reads(in, j, "her") || vn_sentence_reads(in, j, "its"))
            return;
    memset(site, 0, sizeof *site);
    site->first = (uint8_t)i, site->last = (uint8_t)(i + 1), site->grow = 1;
    site->readings = 1;
    site->reading[0] = (vn_reading){1 << VN_CONCEPT_NUMBER, 0, VN_NUMBERS_GROUP, VN_GROUPS_GROUP, VN_BASE, 0};
    s->count++;
}

/* A word that no list has, or not in this sense; nouns before a noun go with it. */
static void
unlisted(vn_site *site, const vn_sentence *in, vn_match *m, const vn_near *a, int from)
{
    if (!vn_word_is(a->kind, "NVA") || (a->kind == 'N' && a->right == 'N') ||
        (vn_sentence_joined(in, m->last + 1) && in->word[m->last + 1].form == VN_OF))
        return;
    while (a->kind == 'N' && m->first > from && vn_sentence_joined(in, m->first) && in->word[m->first - 1].kind == 'N')
        m->first--;
    site->reading[site->readings++] = vn_reading_stand_in(in, m, VN_GROUPS_GROUP, VN_ANY_NOUN_GROUP, a);
    site->first = (uint8_t)m->first;
}

/* "tennis" in "tennis court", which is a keyword too: a site inside another */
static void
modifier(vn_sites *s, const vn_sentence *in, const vn_match *m)
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
        site->reading[0] = (vn_reading){1 << VN_CONCEPT_ATTRIBUTE | 1 << VN_CONCEPT_ADJECTIVE, k->sense, k->group,
                                        k->group, VN_BASE, 0};
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
        vn_match m = longest(in, i);
        int fixed = 0;
        m.last = VN_MAX(m.last, i);
        vn_near a = vn_near_match(in, &m);
        modifier(s, in, &m);
        vn_site *site = &s->site[s->count];
        memset(site, 0, sizeof *site);
        site->first = (uint8_t)i, site->last = (uint8_t)m.last;
        for (int64_t at = m.begin; at < m.end; at++) {
            const vn_keyword *k = vn_keywords_entry(at);
            s->present[k->sense / 64] |= 1ull << k->sense % 64;
            if (site->readings == VN_SITE_READINGS || !vn_keyword_meant(in, &m, k, &a) ||
                (k->group == VN_COLORS_GROUP && m.end - m.begin > 1 && !vn_word_is(a.right, "NA")) ||
                (k->group == VN_FOOD_GROUP && m.end - m.begin > 1 && vn_word_is(a.right, "NA"))) /* orange */
                continue;
            fixed |= vn_groups_entry(k->group)->concept == VN_CONCEPT_FIXED;
            site->reading[site->readings++] = vn_reading_of(in, &m, k, &a);
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
