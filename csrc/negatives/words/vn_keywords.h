/* Keywords: words that are found, what may stand in their place, and where a caption has them.
 *
 * A group holds senses that replace one another; what is put in lies together by form and group. Sense 0 means the
 * whole group ("animal"); it and nouns, verbs and adjectives without a group are replaced by a group that stands in. */
#ifndef VN_KEYWORDS_H
#define VN_KEYWORDS_H

#include "../../vn_negative.h"

typedef enum vn_concept {
    VN_CONCEPT_COLOR, VN_CONCEPT_SIZE, VN_CONCEPT_LOCATION, VN_CONCEPT_OBJECT, VN_CONCEPT_NUMBER, VN_CONCEPT_ACTION,
    VN_CONCEPT_RELATION, VN_CONCEPT_MATERIAL, VN_CONCEPT_STATE, VN_CONCEPT_ATTRIBUTE, VN_CONCEPT_NOUN,
    VN_CONCEPT_VERB, VN_CONCEPT_ADJECTIVE, VN_CONCEPTS,
    /* of groups alone: what stands in for others, and what is never replaced */
    VN_CONCEPT_ANY = VN_CONCEPTS, VN_CONCEPT_FIXED
} vn_concept;

typedef enum vn_group_name {
#define VN_GROUP(name, ...) VN_##name##_GROUP,
#include "keywords.def"
} vn_group_name;

enum { VN_WORD_FORMS = 5 }; /* base or singular, plural, third person, -ing, past */

typedef struct vn_group {
    const char *name;
    uint8_t concept, instead;
    uint16_t start[VN_WORD_FORMS]; /* its first vn_put of each form; they end where the next group starts */
} vn_group;

typedef struct vn_keyword {
    const char *text;
    uint16_t sense;
    uint8_t group, form; /* VN_EITHER: the word's own */
} vn_keyword;

typedef struct vn_put {
    const char *text;
    uint16_t sense;
    uint8_t group, home, mass; /* home: where it is found; mass: 1 where "a" never stands before it */
} vn_put;

int64_t vn_keywords_size(void);
const vn_keyword *vn_keywords_entry(int64_t index);
const vn_keyword *vn_keywords_find(const char *text); /* the first line that is this text, NULL: none */
/* [begin,end) of the lines that start with the word's first two letters, in any case */
void vn_keywords_near(const char *word, int bytes, int *begin, int *end);
int64_t vn_puts_size(void);
const vn_put *vn_puts_entry(int64_t index);
const vn_group *vn_groups_entry(int64_t index); /* one more than there are groups, which ends the last */
/* the keywords of a sense: vn_keywords_of()[begin] to [end] are their numbers */
const uint16_t *vn_keywords_of(int sense, int *begin, int *end);
/* [begin,end) of what group puts in in a form */
void vn_puts_of(int group, int form, int *begin, int *end);

/* One reading of a site: it may be replaced by what group puts in in this form, but by nothing found in home */
typedef struct vn_reading {
    uint16_t concepts; /* bits of the concepts under which it is drawn */
    uint16_t sense;
    uint8_t group, home, form, counted; /* counted: 1 behind "a" */
} vn_reading;

enum { VN_SITE_READINGS = 5, VN_SITES = 3 * VN_MAX_WORDS, VN_SENSES = 2048 };

/* words [first,last] can be replaced; grow: they are "a" and a noun, and what is put in is a number: "two dogs" */
typedef struct vn_site {
    uint8_t first, last, readings, grow;
    vn_reading reading[VN_SITE_READINGS];
} vn_site;

typedef struct vn_sites {
    vn_site site[VN_SITES];
    int count;
    uint64_t present[VN_SENSES / 64]; /* a bit a sense that the caption mentions */
} vn_sites;

/* sites.c: from left to right, the longest first */
void vn_sites_find(vn_sites *sites, const vn_sentence *in);

#endif
