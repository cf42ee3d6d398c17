/* Cuts a caption into words and gives each a class: the lexicon proposes, a tagger or the neighbours decide.
 *
 * A word is a run of letters and digits, with apostrophes and hyphens inside. Only the word to the left, already
 * decided, and what the word to the right can be are looked at, so one pass is enough. */
#include "vn_text.h"

#include <string.h>

static int
inner(const char *p, const char *end)
{
    int n = *p == '\'' || *p == '-' ? 1 : end - p > 2 && memcmp(p, "\xE2\x80\x99", 3) == 0 ? 3 : 0;
    return n > 0 && vn_text_letter(p + n, end) > 0 ? n : 0;
}

int
vn_words_cut(vn_word *word, vn_span text)
{
    const char *p = text.text, *end = p + text.bytes;
    int words = 0;
    while (p < end && words < VN_MAX_WORDS) {
        int n = vn_text_letter(p, end);
        if (n == 0) {
            p += vn_text_step(p, end);
            continue;
        }
        word[words].begin = (int32_t)(p - text.text);
        while (p < end && n > 0) {
            p += n;
            n = p < end ? vn_text_letter(p, end) : 0;
            if (n == 0 && p < end)
                n = inner(p, end);
        }
        word[words++].end = (int32_t)(p - text.text);
    }
    return words;
}

int
vn_words_joined(const char *text, const vn_word *word, int words, int i)
{
    return i > 0 && i < words && vn_text_blank(text + word[i - 1].end, text + word[i].begin);
}

int
vn_words_vowel(const char *word, int64_t bytes)
{
    static const char *const no[] = {"uni", "use", "usu", "eu", "one", "once", NULL};
    static const char *const yes[] = {"hour", "honest", "heir", "8", "11", "18", NULL};
    char low[8] = {0};
    for (int i = 0; i < 7 && i < bytes; i++)
        low[i] = (char)(word[i] >= 'A' && word[i] <= 'Z' ? word[i] + 32 : word[i]);
    for (int i = 0; no[i] != NULL; i++)
        if (strncmp(low, no[i], strlen(no[i])) == 0)
            return 0;
    for (int i = 0; yes[i] != NULL; i++)
        if (strncmp(low, yes[i], strlen(yes[i])) == 0)
            return 1;
    return low[0] != 0 && strchr("aeiou", low[0]) != NULL;
}

/* Prepositions of several words, each of which then counts as one. */
static void
join_prepositions(vn_word *word, int words, const char *text)
{
    static const char *const phrases[] = {
        "next to", "in front of", "on top of", "close to", "far from", "out of", "in between", "instead of", "ahead of",
        "in back of", "inside of", "outside of", "because of", "such as", "along with", NULL,
    };
    for (int i = 0; i + 1 < words; i++)
        for (int k = 0; phrases[k] != NULL; k++) {
            const char *p = phrases[k], *t = text + word[i].begin, *end = text + word[words - 1].end;
            while (*p != 0 && t < end && (*t == *p || (*p != ' ' && (*t | 32) == *p)))
                p++, t++;
            int j = i;
            while (*p == 0 && j < words && word[j].end < t - text)
                j++;
            if (*p != 0 || j == words || word[j].end != t - text)
                continue;
            for (; i <= j; i++)
                word[i].kind = 'P', word[i].form = k == 0 ? VN_MUTUAL : VN_BASE;
            i--;
            break;
        }
}

/* "a sheep" is one, "two sheep" are more */
static int
count(const vn_word *word, int i, const char *text)
{
    static const char *const singular[] = {"a", "an", "one", "this", "that", "each", "every", "another", NULL};
    int j = i - 1;
    while (j >= 0 && (word[j].kind == 'A' || word[j].kind == 'N') && vn_words_joined(text, word, i + 1, j + 1))
        j--;
    if (j >= 0 && vn_words_joined(text, word, i + 1, j + 1))
        for (int k = 0; singular[k] != NULL; k++) {
            vn_span s = {text + word[j].begin, word[j].end - word[j].begin};
            vn_span t = {singular[k], (int64_t)strlen(singular[k])};
            if (vn_key_equal(s, t))
                return VN_BASE;
        }
    return VN_PLURAL;
}

/* 1 when no class of the word is open to a tagger's opinion */
static int
closed(const vn_guess *g)
{
    return strpbrk(g->kinds, "NVAR") == NULL;
}

static int
has_apostrophe(const char *p, const char *end)
{
    for (; p < end; p++)
        if (*p == '\'' || (end - p > 2 && memcmp(p, "\xE2\x80\x99", 3) == 0))
            return 1;
    return 0;
}

/* Leaves the tagger's class as the only one. */
static void
narrow(vn_guess *g, int kind)
{
    if (kind == 'V' && strchr(g->kinds, 'X') != NULL)
        kind = 'X';
    if (kind == 'V' && g->verb == VN_PLURAL)
        g->verb = VN_THIRD;
    g->kinds[0] = (char)kind;
    g->kinds[1] = 0;
}

/* "to brush his teeth": a verb where an article, a possessive or the like follows, whatever else it can be */
static int
infinitive(const vn_guess *g, int after)
{
    return g[1].kinds[0] == 'V' || (strchr(g[1].kinds, 'V') != NULL && g[1].verb == VN_BASE && after == 'D');
}

/* "has been", "have stopped", but "has painted walls" */
static int
helps(const vn_word *word, int i, const vn_guess *g, int after, const char *text)
{
    static const char *const have[] = {"have", "has", "had"};
    vn_span own = {text + word[i].begin, word[i].end - word[i].begin};
    int is_have = 0;
    for (int k = 0; k < 3; k++) {
        vn_span h = {have[k], (int64_t)strlen(have[k])};
        is_have = is_have || vn_key_equal(own, h);
    }
    return is_have && (g[1].kinds[0] == 'X' || (g[1].kinds[0] == 'V' && g[1].verb == VN_PAST && after != 'N' &&
                                                after != 'A'));
}

static void
decide(vn_word *word, int i, int words, const vn_guess *g, int fixed, int *verb_seen, const char *text)
{
    vn_around a = {0, 0, 0, 0, *verb_seen};
    if (vn_words_joined(text, word, words, i))
        a.left = word[i - 1].kind, a.left_form = word[i - 1].form;
    if (vn_words_joined(text, word, words, i + 1)) {
        a.right = g[1].kinds[0];
        a.right_noun = a.right == 'N' || a.right == 'A' ||
                       (strchr(g[1].kinds, 'N') != NULL && a.right != 'P' && a.right != 'V');
        if (g->kinds[0] == 'A' && g[1].other == VN_MUTUAL && vn_words_joined(text, word, words, i + 2))
            a.right_noun = g[2].kinds[0] == 'A'; /* an orange and brown cat */
    }
    int kind = fixed ? g->kinds[0] : vn_word_choose(g, &a);
    int after = a.right != 0 && vn_words_joined(text, word, words, i + 2) ? g[2].kinds[0] : 0;
    if (kind == 'T' && (a.right == 0 || !infinitive(g, after)))
        kind = 'P';
    if (kind == 'V' && a.right != 0 && helps(word, i, g, after, text))
        kind = 'X';
    word[i].kind = (int16_t)kind;
    const int noun = g->noun > VN_EITHER ? VN_BASE : g->noun;
    word[i].form = (int16_t)(kind == 'N' ? noun : kind == 'V' ? g->verb : g->other);
    word[i].lemma = g->lemma;
    if (kind == 'N' && g->noun == VN_EITHER)
        word[i].form = (int16_t)count(word, i, text);
    if (kind == 'C')
        *verb_seen = 0;
    else if (kind == 'X' || (kind == 'V' && word[i].form != VN_ING && word[i].form != VN_PAST))
        *verb_seen = 1;
}

int
vn_words_complete(vn_word *word, vn_span text, const vn_tag *tag, int64_t tags)
{
    vn_guess guess[VN_MAX_WORDS];
    uint8_t fixed[VN_MAX_WORDS];
    int words = vn_words_cut(word, text), verb_seen = 0;
    int64_t first = 0;
    for (int i = 0; i < words; i++) {
        const char *p = text.text + word[i].begin, *end = text.text + word[i].end;
        int kind = 0;
        vn_lexicon_guess(&guess[i], p, end - p);
        for (int64_t k = first; k < tags && tag[k].begin < word[i].end; k++)
            if (tag[k].end > word[i].begin && tag[k].kind != 0)
                kind = tag[k].kind;
        while (first < tags && tag[first].end <= word[i].end)
            first++;
        fixed[i] = kind != 0 && !closed(&guess[i]) && !has_apostrophe(p, end);
        if (fixed[i])
            narrow(&guess[i], kind);
    }
    for (int i = 0; i < words; i++)
        decide(word, i, words, &guess[i], fixed[i], &verb_seen, text.text);
    join_prepositions(word, words, text.text);
    return words;
}

int
vn_words_tag(vn_word *word, vn_span text)
{
    return vn_words_complete(word, text, NULL, 0);
}
