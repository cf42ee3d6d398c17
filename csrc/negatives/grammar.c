/* What a sentence says about phrases, verbs and objects. */
#include "vn_grammar.h"

#include <string.h>

#include "words/vn_keywords.h"

enum { LONGEST = 40 }; /* bytes of a verb that is turned */

int
vn_phrase_ends(const vn_sentence *in, int i)
{
    return in->word[i].kind == 'N' && !(vn_sentence_joined(in, i + 1) && in->word[i + 1].kind == 'N');
}

int
vn_phrase_start(const vn_sentence *in, int i)
{
    while (vn_sentence_joined(in, i)) {
        int kind = in->word[i].kind; /* a noun comes only before nouns, a determiner only behind determiners */
        if (!vn_word_is(in->word[i - 1].kind, kind == 'N' ? "NAMD" : kind == 'D' ? "D" : "AMD"))
            break;
        i--;
    }
    return i;
}

int
vn_phrase_measures(const vn_sentence *in, int i)
{
    return vn_sentence_joined(in, i + 1) && in->word[i + 1].form == VN_OF;
}

vn_span
vn_word_base(const vn_sentence *in, int i)
{
    vn_span s = {NULL, 0};
    if (in->word[i].lemma < 0)
        return s;
    const vn_entry *e = vn_lexicon_entry(in->word[i].lemma);
    s.text = e->lemma[0] != 0 ? e->lemma : e->text;
    s.bytes = (int64_t)strlen(s.text);
    return s;
}

int
vn_phrase_verb(const vn_sentence *in, int first, int last)
{
    int starts = !vn_sentence_joined(in, first);
    if (!starts && in->word[first - 1].kind != 'C')
        return VN_NO_VERB;
    for (int i = last + 1; vn_sentence_joined(in, i); i++) {
        int kind = in->word[i].kind, form = in->word[i].form;
        if (kind == 'U')
            return VN_NEVER;
        if (kind == 'V' && (form == VN_THIRD || form == VN_BASE))
            return in->word[i].lemma >= 0 && in->word[i].end - in->word[i].begin <= LONGEST ? i : VN_NEVER;
        if (kind == 'X')
            return i;
        if (kind == 'C' || (!starts && kind != 'R'))
            return VN_NO_VERB;
    }
    return VN_NO_VERB;
}

vn_span
vn_verb_turned(vn_text *out, const vn_sentence *in, int i, int plural)
{
    static const char *const forms[][2] = {
        {"is", "are"},         {"was", "were"},       {"has", "have"},      {"does", "do"}, {"isn't", "aren't"},
        {"wasn't", "weren't"}, {"hasn't", "haven't"}, {"doesn't", "don't"}, {"goes", "go"},
    };
    vn_span made = {"", 0};
    for (size_t k = 0; k < sizeof forms / sizeof forms[0]; k++)
        if (vn_sentence_reads(in, i, forms[k][!plural])) {
            made.text = forms[k][plural];
            made.bytes = (int64_t)strlen(made.text);
            return made;
        }
    if (in->word[i].kind == 'X' || (in->word[i].form == VN_BASE) == plural) /* can, will; agrees already */
        return made;
    if (plural)
        return vn_word_base(in, i);
    made.text = out->room + out->said; /* the endings of verbs are those of nouns */
    made.bytes = vn_words_plural(out->room + out->said, vn_sentence_part(in, i, i));
    out->said += (int)made.bytes;
    return made;
}

int
vn_words_mutual(const vn_sentence *in, int first, int last, const char *classes)
{
    for (int i = first; i <= last; i++)
        if (in->word[i].form != VN_MUTUAL && !vn_word_is(in->word[i].kind, classes))
            return 0;
    return 1;
}

int
vn_object_mentioned(const vn_sentence *in, const char *object)
{
    int begin, end;
    const uint16_t *member = vn_keywords_of(vn_keywords_find(object)->sense, &begin, &end);
    for (int at = begin; at < end; at++) {
        const char *word = vn_keywords_entry(member[at])->text;
        if (vn_key_holds(in->text, word))
            return 1;
        for (int64_t i = 0; i < in->truths; i++)
            if (vn_key_holds(in->truth[i], word))
                return 1;
    }
    return 0;
}
