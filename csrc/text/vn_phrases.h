/* Phrases that generators put in or look for, for them and for whoever shows them: phrases.def line by line. */
#ifndef VN_PHRASES_H
#define VN_PHRASES_H

#include "vn_text.h"

/* attributes in the order in which English puts them (age and years are one), before what else there is */
enum {
    VN_SIZE, VN_AGE, VN_YEARS, VN_LOOK, VN_STATE, VN_COLOR, VN_MATERIAL, VN_ATTRIBUTES,
    VN_OBJECT = VN_ATTRIBUTES, VN_PERSON, VN_SAME_NOUN, VN_SAME_ADJECTIVE, VN_SAME_WORD
};

enum { VN_SAME_MOST = 8 }; /* phrases that say the same, at most */

typedef struct vn_phrase {
    const char *text, *list_name;
    uint8_t list, number;
} vn_phrase;

int64_t vn_phrases_size(void);
const vn_phrase *vn_phrases_entry(int64_t index);
/* [begin,end) of the phrases that may begin with this word: their first two letters are its own */
void vn_phrases_like(vn_span word, int *begin, int *end);
/* Phrases of these lists, as bits, with a number other than 0: how many, and one of them. */
int vn_phrases_choices(int lists);
const vn_phrase *vn_phrases_chosen(int lists, int64_t pick);

#endif
