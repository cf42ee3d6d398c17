/* replace: one word or phrase of the caption becomes another of its kind, in the same number or form.
 *
 * A concept is drawn among those present, then a site, then what replaces it: a word of the same group with another
 * sense, or for objects one of any group. Keywords are whole words, the longest first, and count where their neighbours
 * say that the sense is meant (sites.c). Four concepts, n = 1, 2, 3: Roesch et al. (ALVR 2024), arXiv:2403.02875;
 * relations, materials, states: TSVLC (Doveh et al., CVPR 2023), arXiv:2211.11733; noun, verb, adjective: CE-CLIP's
 * slots (Zhang et al., CVPR 2024), arXiv:2306.08832. */
#include <string.h>

#include "../words/vn_keywords.h"

static const char *const kinds[] = {
    "replace_color", "replace_size", "replace_location", "replace_object", "replace_number", "replace_action",
    "replace_relation", "replace_material", "replace_state", "replace_attribute", "replace_noun", "replace_verb",
    "replace_adjective", NULL,
};

/* of these concepts, what the caption mentions elsewhere is not put in: "a black and black cat" */
enum {
    ONCE = 1 << VN_CONCEPT_COLOR | 1 << VN_CONCEPT_OBJECT | 1 << VN_CONCEPT_NUMBER | 1 << VN_CONCEPT_ACTION |
           1 << VN_CONCEPT_MATERIAL | 1 << VN_CONCEPT_NOUN | 1 << VN_CONCEPT_VERB
};

/* [begin,end) of what may replace a reading; any: objects of any group, but a person only by no human */
static void
range(const vn_reading *r, int any, int *begin, int *end)
{
    const vn_group *home = vn_groups_entry(r->home);
    int from, to;
    vn_puts_of(r->group, r->form, begin, end);
    if (!any || home->concept != VN_CONCEPT_OBJECT || r->home == VN_HUMAN_GROUP)
        return;
    vn_puts_of(r->home == VN_PERSON_GROUP ? VN_PERSON_GROUP : VN_HUMAN_GROUP, r->form, &from, &to);
    *begin = from;
    vn_puts_of(VN_CHILD_GROUP, r->form, end, &to);
}

static int
fits(const vn_put *t, const vn_site *site, const vn_reading *r, const vn_sites *sites)
{
    if (r->concepts & ONCE && sites->present[t->sense / 64] >> t->sense % 64 & 1)
        return 0;
    for (int i = 0; i < site->readings; i++)
        if (t->sense == site->reading[i].sense)
            return 0;
    return (r->sense != 0 || t->home != r->home) && !(t->mass && r->counted);
}

/* How many can stand at a site under a concept; the pick-th of them in put. */
static int
choices(const vn_site *site, const vn_sites *sites, int concept, int any, int64_t pick, const vn_put **put)
{
    int n = 0;
    for (int i = 0; i < site->readings; i++) {
        const vn_reading *r = &site->reading[i];
        int begin, end;
        if (!(r->concepts >> concept & 1) || (concept == VN_CONCEPT_OBJECT && r->sense == 0 && !any))
            continue;
        range(r, any, &begin, &end);
        for (int at = begin; at < end; at++)
            if (fits(vn_puts_entry(at), site, r, sites) && n++ == pick) {
                *put = vn_puts_entry(at);
                return n;
            }
    }
    return n;
}

/* Whether another true caption mentions what t stands for, by whatever word. */
static int
mentioned(const vn_put *t, const vn_sentence *in, int concept)
{
    int begin, end;
    const uint16_t *member = vn_keywords_of(t->sense, &begin, &end);
    if (concept == VN_CONCEPT_LOCATION || concept == VN_CONCEPT_RELATION)
        return 0;
    for (int64_t i = 0; i < in->truths; i++)
        for (int at = begin; at < end; at++)
            if (vn_key_holds(in->truth[i], vn_keywords_entry(member[at])->text))
                return 1;
    return 0;
}

/* number and the plural of a noun, in the variant's room */
static vn_span
grown(vn_text *out, const char *number, vn_span noun)
{
    int64_t n = (int64_t)strlen(number);
    memcpy(out->room, number, (size_t)n);
    out->room[n] = ' ';
    vn_span made = {out->room, n + 1 + vn_words_plural(out->room + n + 1, noun)};
    return made;
}

/* The sites of a caption, and how much there is to draw from. */
typedef struct found {
    vn_sites sites;
    uint16_t number[VN_CONCEPTS][VN_SITES]; /* what can stand at a site under a concept */
    int present[VN_CONCEPTS];               /* sites where something can */
    int concept[VN_CONCEPTS], concepts, variants;
} found;

_Static_assert(sizeof(found) <= VN_TEXT_KEPT, "kept between draws");

static void
find(found *f, const vn_sentence *in, const int32_t *param)
{
    vn_sites_find(&f->sites, in);
    f->concepts = f->variants = 0;
    for (int c = 0; c < VN_CONCEPTS; c++) {
        if (!(param[0] >> c & 1))
            continue;
        f->present[c] = 0;
        for (int i = 0; i < f->sites.count; i++) {
            int n = choices(&f->sites.site[i], &f->sites, c, param[1], -1, NULL);
            f->number[c][i] = (uint16_t)n;
            f->present[c] += n > 0;
            f->variants += n;
        }
        if (f->present[c] > 0)
            f->concept[f->concepts++] = c;
    }
}

/* param[0]: bits of the concepts that may be drawn; param[1]: 1: objects of any group */
static vn_reason
make(vn_text *out, const vn_sentence *in, const int32_t *param, vn_rng *rng)
{
    int fresh, i = 0;
    found *f = vn_text_keep(out, kinds, param, &fresh);
    const vn_put *put = NULL;
    if (fresh)
        find(f, in, param);
    out->variants = f->variants;
    if (f->concepts == 0)
        return VN_EMPTY;
    out->kind = f->concept[vn_rng_below(rng, f->concepts)];
    const uint16_t *number = f->number[out->kind];
    int64_t which = vn_rng_below(rng, f->present[out->kind]);
    while (number[i] == 0 || which-- > 0)
        i++;
    const vn_site *site = &f->sites.site[i];
    choices(site, &f->sites, out->kind, param[1], vn_rng_below(rng, number[i]), &put);
    vn_span target = {put->text, (int64_t)strlen(put->text)};
    if (site->grow)
        target = grown(out, put->text, vn_sentence_part(in, site->last, site->last));
    vn_text_put(out, in, site->first, site->last, target);
    return mentioned(put, in, out->kind) ? VN_ABSENT : VN_VALID;
}

const vn_text_maker vn_text_replace = {
    "replace", "a word becomes another of its kind, number and form", kinds, make,
};
