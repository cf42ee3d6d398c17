/* Plural of a noun: irregular ones from a table, the others by their ending. */
#include "vn_text.h"

#include <string.h>

int
vn_words_plural(char *out, vn_span noun)
{
    /* an ending and what it becomes; the first that fits counts */
    static const char *const rules[][2] = {
        {"human", "humans"}, {"german", "germans"}, {"ottoman", "ottomans"}, {"man", "men"}, {"child", "children"},
        {"person", "people"}, {"foot", "feet"}, {"tooth", "teeth"}, {"goose", "geese"}, {"mouse", "mice"},
        {"knife", "knives"}, {"wife", "wives"}, {"shelf", "shelves"}, {"leaf", "leaves"}, {"loaf", "loaves"},
        {"calf", "calves"}, {"scarf", "scarves"}, {"half", "halves"}, {"wolf", "wolves"}, {"thief", "thieves"},
        {"potato", "potatoes"}, {"tomato", "tomatoes"}, {"hero", "heroes"}, {"cactus", "cacti"},
        {"aircraft", "aircraft"}, {"sheep", "sheep"}, {"deer", "deer"}, {"bison", "bison"}, {"series", "series"},
        {"hoof", "hooves"}, {"wildlife", "wildlife"}, {"life", "lives"}, {"mango", "mangoes"},
        {"stomach", "stomachs"}, {"sis", "ses"}, {"sh", "shes"}, {"ch", "ches"}, {"s", "ses"}, {"x", "xes"},
        {"z", "zes"}, {"ay", "ays"}, {"ey", "eys"}, {"oy", "oys"}, {"uy", "uys"}, {"y", "ies"}, {"", "s"},
    };
    int n = (int)noun.bytes;
    for (int i = 0; i < n; i++)
        out[i] = (char)(noun.text[i] >= 'A' && noun.text[i] <= 'Z' ? noun.text[i] + 32 : noun.text[i]);
    for (int i = 0;; i++) {
        int k = (int)strlen(rules[i][0]);
        if (k > n || memcmp(out + n - k, rules[i][0], (size_t)k) != 0)
            continue;
        memcpy(out + n - k, rules[i][1], strlen(rules[i][1]));
        return n - k + (int)strlen(rules[i][1]);
    }
}
