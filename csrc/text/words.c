/* Cuts a caption into words and gives each a class: the lexicon proposes, the neighbours decide.
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

static int
cut(vn_word *word, vn_span text)
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

static int
is(int kind, const char *kinds)
{
    return kind != 0 && strchr(kinds, kind) != NULL;
}

static int
can(const vn_guess *g, char kind)
{
    return strchr(g->kinds, kind) != NULL;
}

/* What a choice may look at. left: class of the joined word before, 0 for none; right: 0 likewise. */
typedef struct around {
    int left, left_form;
    int right; /* likeliest class of the joined word after */
    int right_noun; /* 1: it belongs to a noun phrase that goes on */
    int verb_seen;  /* 1: the clause has its finite verb */
} around;

static int
noun_or_verb(const vn_guess *g, const around *a)
{
    int verb = g->kinds[0] == 'V';
    if (is(a->left, "DAM") || (a->left == 'P' && g->verb != VN_ING))
        return g->kinds[0] == 'A' && a->right_noun ? 'A' : 'N';
    if (is(a->left, "TXU"))
        return 'V';
    if (g->verb == VN_ING)
        return verb || is(a->right, "DU") ? 'V' : 'N';
    if (g->verb == VN_PAST)
        return verb || is(a->right, "DU") ? 'V' : 'N';
    if (g->verb == VN_THIRD)
        return (a->left == 'N' || a->left == 'R') && (verb || (is(a->right, "DM") && !a->verb_seen)) ? 'V' : 'N';
    if (a->left == 'N' && a->left_form == VN_PLURAL)
        return verb || (is(a->right, "DPR") && !a->verb_seen) ? 'V' : 'N';
    if (a->left == 'N')
        return verb && is(a->right, "DPR") && !a->verb_seen ? 'V' : 'N';
    return verb && is(a->left, "RC") ? 'V' : g->kinds[0] == 'A' ? 'A' : 'N';
}

static int
adjective_or_noun(const vn_guess *g, const around *a)
{
    if (a->right_noun)
        return 'A';
    return is(a->left, "DAMP") && !(a->left == 'P' && g->kinds[0] == 'A') ? 'N' : g->kinds[0];
}

static int
choose(const vn_guess *g, const around *a)
{
    if (strcmp(g->kinds, "V") == 0 && g->verb == VN_PAST) /* a parked car */
        return a->right_noun && !is(a->left, "XNURC") ? 'A' : 'V';
    if (strcmp(g->kinds, "V") == 0 && g->verb != VN_THIRD) /* a dumpling */
        return a->left == 'D' && !a->right_noun && (a->right == 0 || is(a->right, "PCXVR")) ? 'N' : 'V';
    if (g->kinds[1] == 0 || g->kinds[1] == 'h')
        return g->kinds[0];
    if (can(g, 'P') && a->left == 'D' && (can(g, 'A') || can(g, 'N')))
        return can(g, 'A') && a->right_noun ? 'A' : can(g, 'N') ? 'N' : 'A';
    if (can(g, 'P'))
        return is(a->right, "DANMU") ? 'P' : can(g, 'R') ? 'R' : can(g, 'C') ? 'C' : 'P';
    if (can(g, 'D') && can(g, 'U'))
        return a->right_noun || a->right == 'M' ? 'D' : 'U';
    if (can(g, 'X'))
        return is(a->left, "DA") ? 'N' : 'X';
    if (can(g, 'N') && can(g, 'V'))
        return noun_or_verb(g, a);
    if (can(g, 'A') && can(g, 'N'))
        return adjective_or_noun(g, a);
    if (can(g, 'A') && can(g, 'V'))
        return is(a->left, "TU") || (a->left == 'N' && a->left_form == VN_PLURAL && a->right == 'D') ? 'V' : 'A';
    if (can(g, 'A') && can(g, 'R'))
        return a->right_noun || a->left == 'X' ? 'A' : 'R';
    return g->kinds[0];
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

int
vn_words_tag(vn_word *word, vn_span text)
{
    vn_guess guess[VN_MAX_WORDS];
    int words = cut(word, text), verb_seen = 0;
    for (int i = 0; i < words; i++)
        vn_lexicon_guess(&guess[i], text.text + word[i].begin, word[i].end - word[i].begin);
    for (int i = 0; i < words; i++) {
        around a = {0, 0, 0, 0, verb_seen};
        const vn_guess *g = &guess[i];
        if (vn_words_joined(text.text, word, words, i))
            a.left = word[i - 1].kind, a.left_form = word[i - 1].form;
        if (vn_words_joined(text.text, word, words, i + 1)) {
            a.right = g[1].kinds[0];
            a.right_noun = is(a.right, "NA") || (can(&g[1], 'N') && a.right != 'P' && a.right != 'V');
        }
        int kind = choose(g, &a);
        if (kind == 'T' && a.right != 'V')
            kind = 'P';
        word[i].kind = (int16_t)kind;
        const int noun = g->noun > VN_EITHER ? VN_BASE : g->noun;
        word[i].form = (int16_t)(kind == 'N' ? noun : kind == 'V' ? g->verb : g->other);
        word[i].lemma = g->lemma;
        if (kind == 'N' && g->noun == VN_EITHER)
            word[i].form = (int16_t)count(word, i, text.text);
        if (kind == 'C')
            verb_seen = 0;
        else if (kind == 'X' || (kind == 'V' && word[i].form != VN_ING && word[i].form != VN_PAST))
            verb_seen = 1;
    }
    join_prepositions(word, words, text.text);
    return words;
}
