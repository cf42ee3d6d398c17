/* What a word at a site stands for: whether its neighbours leave a keyword the sense it is listed for, and by which
 * group a word is replaced that has no group or means a whole one. */
#include "vn_readings.h"

enum { ADJECTIVES = 1 << VN_CONCEPT_ADJECTIVE, NOUNS = 1 << VN_CONCEPT_NOUN, VERBS = 1 << VN_CONCEPT_VERB };

vn_near
vn_near_match(const vn_sentence *in, const vn_match *m)
{
    vn_near a = {in->word[m->last].kind, in->word[m->last].form, 0, 0, 0};
    if (vn_sentence_joined(in, m->first))
        a.left = in->word[m->first - 1].kind, a.left_form = in->word[m->first - 1].form;
    if (vn_sentence_joined(in, m->last + 1))
        a.right = in->word[m->last + 1].kind;
    return a;
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

static int
means_place(const vn_sentence *in, const vn_match *m, int group, const vn_near *a)
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
    if (group == VN_TO_DOWN_GROUP || group == VN_TO_UP_GROUP) /* up a hill, not a close up */
        return a->kind == 'P' && a->right == 'D';
    return m->last > m->first || a->kind == 'P';
}

static int
means_quality(const vn_sentence *in, const vn_match *m, int group, const vn_near *a)
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
int
vn_keyword_meant(const vn_sentence *in, const vn_match *m, const vn_keyword *k, const vn_near *a)
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

/* 1 when "a" stands before the nouns and adjectives that end at word i */
static int
counted(const vn_sentence *in, int i)
{
    while (vn_sentence_joined(in, i) && vn_word_is(in->word[i - 1].kind, "AN"))
        i--;
    return vn_sentence_joined(in, i) && (in->word[i - 1].form == VN_A || in->word[i - 1].form == VN_AN);
}

/* The reading of a word whose group, if it has one, puts nothing in its place. */
vn_reading
vn_reading_stand_in(const vn_sentence *in, const vn_match *m, int home, int instead, const vn_near *a)
{
    vn_reading r = {0, 0, (uint8_t)instead, (uint8_t)home, VN_BASE, 0};
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

vn_reading
vn_reading_of(const vn_sentence *in, const vn_match *m, const vn_keyword *k, const vn_near *a)
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
    vn_reading r = {(uint16_t)(1 << g->concept | wider[g->concept]), k->sense, k->group, k->group, (uint8_t)form, 0};
    if (k->sense == 0 || begin == end) {
        uint16_t own = r.concepts;
        r = vn_reading_stand_in(in, m, k->group, g->instead, a);
        r.concepts = g->concept == VN_CONCEPT_OBJECT ? own : r.concepts;
    }
    if (a->kind == 'V')
        r.concepts &= (uint16_t)~ADJECTIVES;
    r.counted = (uint8_t)counted(in, m->first);
    return r;
}
