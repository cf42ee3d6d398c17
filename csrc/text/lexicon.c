/* The built-in lexicon of captions: a sorted table, and rules for regular endings and for unknown words. */
#include "vn_text.h"

#include <string.h>

#define VN_WORD(text, kinds, lemma, form) {text, kinds, lemma, form},
static const vn_entry table[] = {
#include "lexicon.def"
};
#undef VN_WORD

enum { SIZE = sizeof table / sizeof table[0], LONGEST = 31 };

int64_t
vn_lexicon_size(void)
{
    return SIZE;
}

const vn_entry *
vn_lexicon_entry(int64_t index)
{
    return &table[index];
}

int
vn_lexicon_has(int32_t lemma, char kind)
{
    return lemma >= 0 && strchr(table[lemma].kinds, kind) != NULL;
}

uint64_t
vn_lexicon_hash(void)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a of the fields, each ended by 0 */
    for (int32_t i = 0; i < SIZE; i++) {
        const char *field[] = {table[i].text, table[i].kinds, table[i].lemma};
        for (int k = 0; k < 3; k++) {
            const char *p = field[k];
            do
                hash = (hash ^ (unsigned char)*p) * 0x100000001b3u;
            while (*p++ != 0);
        }
        hash = (hash ^ (uint64_t)table[i].form) * 0x100000001b3u;
    }
    return hash;
}

static int32_t
find(const char *word)
{
    int32_t low = 0, high = SIZE;
    while (low < high) {
        int32_t middle = (low + high) / 2;
        int order = strcmp(word, table[middle].text);
        if (order == 0)
            return middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

/* Regular inflection: the ending is cut and the rest put on; '=' undoes a doubled last letter. */
static const struct ending {
    const char *text;
    int cut;
    const char *put;
    char kind; /* of the word that the ending was added to; 'S': noun or verb */
    uint8_t form;
} endings[] = {
    {"s", 1, "", 'S', VN_PLURAL},   {"es", 2, "", 'S', VN_PLURAL},   {"ies", 3, "y", 'S', VN_PLURAL},
    {"ing", 3, "e", 'V', VN_ING},   {"ing", 3, "", 'V', VN_ING},     {"ing", 3, "=", 'V', VN_ING},
    {"ed", 1, "", 'V', VN_PAST},    {"ed", 2, "", 'V', VN_PAST},     {"ied", 3, "y", 'V', VN_PAST},
    {"ed", 2, "=", 'V', VN_PAST},   {"er", 1, "", 'A', VN_BASE},     {"er", 2, "", 'A', VN_BASE},
    {"ier", 3, "y", 'A', VN_BASE},  {"er", 2, "=", 'A', VN_BASE},    {"est", 2, "", 'A', VN_BASE},
    {"est", 3, "", 'A', VN_BASE},   {"iest", 4, "y", 'A', VN_BASE},  {"est", 3, "=", 'A', VN_BASE},
};

static const struct suffix {
    const char *text;
    char kind;
    uint8_t form;
} suffixes[] = {
    {"ly", 'R', VN_BASE},   {"ing", 'V', VN_ING},   {"ed", 'V', VN_PAST},   {"ous", 'A', VN_BASE},
    {"ful", 'A', VN_BASE},  {"less", 'A', VN_BASE}, {"ish", 'A', VN_BASE},  {"able", 'A', VN_BASE},
    {"ible", 'A', VN_BASE}, {"ive", 'A', VN_BASE},  {"ic", 'A', VN_BASE},   {"al", 'A', VN_BASE},
    {"ss", 'N', VN_BASE},   {"us", 'N', VN_BASE},   {"is", 'N', VN_BASE},   {"s", 'N', VN_PLURAL},
};

static int
ends(const char *word, int n, const char *ending)
{
    int k = (int)strlen(ending);
    return n > k && memcmp(word + n - k, ending, (size_t)k) == 0;
}

static void
set(vn_guess *g, const char *kinds, int noun, int verb, int32_t lemma)
{
    memset(g, 0, sizeof *g);
    strncpy(g->kinds, kinds, sizeof g->kinds - 1);
    g->noun = (uint8_t)noun;
    g->verb = (uint8_t)verb;
    g->lemma = lemma;
}

static void
set_one(vn_guess *g, char kind, int form)
{
    char kinds[2] = {kind, 0};
    set(g, kinds, form, form, -1);
}

static void
set_entry(vn_guess *g, int32_t at)
{
    const vn_entry *e = &table[at];
    int noun = e->form == VN_PLURAL || e->form == VN_EITHER ? e->form : VN_BASE;
    int verb = e->form == VN_PLURAL ? VN_THIRD : e->form == VN_EITHER ? VN_BASE : e->form;
    set(g, e->kinds, noun, verb, at);
    g->other = (uint8_t)(e->form >= VN_A ? e->form : VN_BASE);
}

/* The base word under an ending: its classes that take the ending. */
static int
strip(vn_guess *g, const char *word, int n, const struct ending *e)
{
    char stem[LONGEST + 2], kinds[3];
    int k = n - e->cut, used = 0;
    if (k < 2 || !ends(word, n, e->text) || ends(word, n, "ss"))
        return 0;
    memcpy(stem, word, (size_t)k);
    if (*e->put == '=') {
        if (stem[k - 1] != stem[k - 2])
            return 0;
        k--;
    }
    else if (*e->put != 0)
        stem[k++] = *e->put;
    stem[k] = 0;
    int32_t at = find(stem);
    if (at < 0 || table[at].form == VN_PLURAL)
        return 0;
    for (const char *p = table[at].kinds; *p && used < 2; p++)
        if (*p == e->kind || (e->kind == 'S' && (*p == 'N' || *p == 'V')))
            kinds[used++] = *p;
    kinds[used] = 0;
    if (used > 0)
        set(g, kinds, e->form, e->kind == 'S' ? VN_THIRD : e->form, at);
    return used > 0;
}

/* The part behind the last hyphen decides: red-haired, t-shirt; before a noun it may be "two-story", "walk-in". */
static int
hyphened(vn_guess *g, const char *word)
{
    const char *dash = strrchr(word, '-');
    if (dash == NULL || dash[1] == 0)
        return 0;
    vn_lexicon_guess(g, dash + 1, (int64_t)strlen(dash + 1));
    if (g->kinds[0] == 'V' || g->kinds[0] == 'A')
        set_one(g, 'A', VN_BASE);
    else if (g->noun == VN_PLURAL)
        set_one(g, 'N', VN_PLURAL);
    else
        set(g, "NA", VN_BASE, VN_BASE, -1);
    return 1;
}

void
vn_lexicon_guess(vn_guess *g, const char *word, int64_t bytes)
{
    char low[LONGEST + 1];
    int n = (int)bytes;
    if (bytes > LONGEST) {
        set_one(g, 'N', VN_BASE);
        return;
    }
    for (int i = 0; i < n; i++)
        low[i] = (char)(word[i] >= 'A' && word[i] <= 'Z' ? word[i] + 32 : word[i]);
    low[n] = 0;
    int32_t at = find(low);
    if (at >= 0) {
        set_entry(g, at);
        return;
    }
    if (low[0] >= '0' && low[0] <= '9') {
        set_one(g, 'M', VN_BASE);
        return;
    }
    if (ends(low, n, "'s") || ends(low, n, "\xE2\x80\x99s")) { /* a possessive stands where a determiner does */
        set_one(g, 'D', VN_BASE);
        return;
    }
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (strip(g, low, n, &endings[i]))
            return;
    if (hyphened(g, low))
        return;
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (ends(low, n, suffixes[i].text)) {
            set_one(g, suffixes[i].kind, suffixes[i].form);
            return;
        }
    set_one(g, 'N', VN_BASE);
}
