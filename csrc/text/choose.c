/* The class of a word that can have several: what stands beside it decides. */
#include "vn_text.h"

#include <string.h>

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

static int
noun_or_verb(const vn_guess *g, const vn_around *a)
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
    if (g->verb == VN_THIRD) { /* a cat drinks water */
        int object = is(a->right, "DM") || (is(a->right, "NA") && a->left_form != VN_PLURAL);
        return (a->left == 'N' || a->left == 'R') && (verb || (object && !a->verb_seen)) ? 'V' : 'N';
    }
    if (a->left == 'N' && a->left_form == VN_PLURAL)
        return verb || (is(a->right, "DPR") && !a->verb_seen) ? 'V' : 'N';
    if (a->left == 'N')
        return verb && is(a->right, "DPR") && !a->verb_seen ? 'V' : 'N';
    return verb && is(a->left, "RC") ? 'V' : g->kinds[0] == 'A' ? 'A' : 'N';
}

static int
adjective_or_noun(const vn_guess *g, const vn_around *a)
{
    if (a->right_noun)
        return 'A';
    if (a->left == 'V' && can(g, 'R')) /* turns right */
        return 'R';
    return is(a->left, "DAMP") && !(a->left == 'P' && g->kinds[0] == 'A') ? 'N' : g->kinds[0];
}

int
vn_word_choose(const vn_guess *g, const vn_around *a)
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
    if (can(g, 'A') && g->kinds[0] == 'V') /* two lean dogs lean on a wall */
        return a->right_noun && is(a->left, "DMA") ? 'A' : 'V';
    if (can(g, 'A') && can(g, 'V'))
        return is(a->left, "TU") || (a->left == 'N' && a->left_form == VN_PLURAL && a->right == 'D') ? 'V' : 'A';
    if (can(g, 'A') && can(g, 'R'))
        return a->right_noun || a->left == 'X' ? 'A' : 'R';
    return g->kinds[0];
}
