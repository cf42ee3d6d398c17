/* The tables of keywords.def. */
#include "vn_keywords.h"

#include <string.h>

#define VN_GROUP(name, concept, instead, ...) {#name, VN_CONCEPT_##concept, VN_##instead##_GROUP, {__VA_ARGS__}},
static const vn_group group[] = {
#include "keywords.def"
};

#define VN_FOUND(text, group, sense, form) {text, sense, VN_##group##_GROUP, form},
static const vn_keyword keyword[] = {
#include "keywords.def"
};

#define VN_PUT(text, group, sense, home, mass) {text, sense, VN_##group##_GROUP, VN_##home##_GROUP, mass},
static const vn_put put[] = {
#include "keywords.def"
};

#define VN_SENSE(name, start) start,
static const uint16_t sense_start[] = {
#include "keywords.def"
};

#define VN_MEMBER(at) at,
static const uint16_t member[] = {
#include "keywords.def"
};

#define VN_PAIR(start) start,
static const uint16_t pair_start[] = {
#include "keywords.def"
};

_Static_assert(sizeof sense_start / sizeof sense_start[0] <= VN_SENSES, "a bit a sense");

int64_t
vn_keywords_size(void)
{
    return sizeof keyword / sizeof keyword[0];
}

const vn_keyword *
vn_keywords_entry(int64_t index)
{
    return &keyword[index];
}

const vn_keyword *
vn_keywords_find(const char *text)
{
    int64_t low = 0, high = vn_keywords_size();
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (strcmp(keyword[middle].text, text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < vn_keywords_size() && strcmp(keyword[low].text, text) == 0 ? &keyword[low] : NULL;
}

static int
letter(const char *word, int bytes, int i)
{
    int c = i < bytes ? word[i] | (word[i] >= 'A' && word[i] <= 'Z' ? 32 : 0) : 0;
    return c < 'a' ? 0 : c > 'z' ? 27 : c - 'a' + 1;
}

void
vn_keywords_near(const char *word, int bytes, int *begin, int *end)
{
    int at = 28 * letter(word, bytes, 0) + letter(word, bytes, 1);
    *begin = pair_start[at];
    *end = pair_start[at + 1];
}

int64_t
vn_puts_size(void)
{
    return sizeof put / sizeof put[0];
}

const vn_put *
vn_puts_entry(int64_t index)
{
    return &put[index];
}

const vn_group *
vn_groups_entry(int64_t index)
{
    return &group[index];
}

const uint16_t *
vn_keywords_of(int sense, int *begin, int *end)
{
    *begin = sense_start[sense];
    *end = sense_start[sense + 1];
    return member;
}

void
vn_puts_of(int g, int form, int *begin, int *end)
{
    static const int8_t column[VN_MUTUAL + 1] = {
        [VN_BASE] = 0, [VN_PLURAL] = 1, [VN_EITHER] = -1, [VN_THIRD] = 2, [VN_ING] = 3, [VN_PAST] = 4,
        [VN_A] = -1, [VN_AN] = -1, [VN_OF] = -1, [VN_MUTUAL] = -1, /* not of nouns and verbs: nothing */
    };
    *begin = *end = 0;
    if (column[form] >= 0) {
        *begin = group[g].start[column[form]];
        *end = group[g + 1].start[column[form]];
    }
}
