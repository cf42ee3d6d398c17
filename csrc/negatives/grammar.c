/* What a sentence says about phrases, verbs and objects. */
#include "vn_grammar.h"

#include <string.h>

#include "words/vn_keywords.h"

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
vn_verb_base(const vn_sentence *in, int i)
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
