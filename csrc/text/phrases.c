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

/* the first line whose first two bytes aren't before these */
static int
seek(int a, int b)
{
    int low = 0, high = (int)vn_phrases_size();
    while (low < high) {
        int middle = (low + high) / 2;
        const unsigned char *t = (const unsigned char *)table[middle].text;
        if (t[0] < a || (t[0] == a && t[1] < b))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : (unsigned char)c;
}

void
vn_phrases_like(vn_span word, int *begin, int *end)
{
    int a = lower(word.text[0]), b = word.bytes > 1 ? lower(word.text[1]) : ' ';
    *begin = seek(a, b);
    *end = *begin;
    while (*end < (int)vn_phrases_size() && table[*end].text[0] == a && table[*end].text[1] == b)
        (*end)++;
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
