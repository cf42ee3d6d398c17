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

static int
among(const vn_phrase *p, int lists)
{
    return p->number != 0 && (lists >> p->list & 1);
}

int
vn_phrases_choices(int lists)
{
    int count = 0;
    for (int64_t i = 0; i < vn_phrases_size(); i++)
        count += among(&table[i], lists);
    return count;
}

const vn_phrase *
vn_phrases_chosen(int lists, int64_t pick)
{
    int64_t i = 0;
    while (!among(&table[i], lists) || pick-- > 0)
        i++;
    return &table[i];
}
