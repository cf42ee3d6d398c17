/* The table of phrases. */
#include "vn_phrases.h"

#define VN_PHRASE(text, list, number) {text, #list, VN_##list, number},
static const vn_phrase table[] = {
#include "phrases.def"
};

int64_t
vn_phrases_size(void)
{
    return sizeof table / sizeof table[0];
}

const vn_phrase *
vn_phrases_entry(int64_t index)
{
    return &table[index];
}
