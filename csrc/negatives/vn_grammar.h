/* Noun phrases, forms of verbs and mentions of objects, for generators that put new words in. */
#ifndef VN_GRAMMAR_H
#define VN_GRAMMAR_H

#include "../vn_negative.h"

enum { VN_NO_VERB = -1, VN_NEVER = -2 };

/* 1 when word i is the last noun of a phrase */
int vn_phrase_ends(const vn_sentence *in, int i);
/* the first word of the phrase that ends in word i: determiners, numbers, adjectives, nouns */
int vn_phrase_start(const vn_sentence *in, int i);
/* 1 when "of" follows word i: "a cup of tea" */
int vn_phrase_measures(const vn_sentence *in, int i);
/* the base form of a verb, the singular of a noun; empty where the lexicon doesn't have it */
vn_span vn_word_base(const vn_sentence *in, int i);
/* the verb that agrees with the noun phrase, VN_NO_VERB, or VN_NEVER where it can't be turned or a clause hides it */
int vn_phrase_verb(const vn_sentence *in, int first, int last);
/* that verb in the plural or the singular; empty where it needs no change */
vn_span vn_verb_turned(vn_text *out, const vn_sentence *in, int i, int plural);
/* 1 when what stands on both sides of words [first, last] can be exchanged without a change of meaning: each of them
 * reads both ways or is of these classes */
int vn_words_mutual(const vn_sentence *in, int first, int last, const char *classes);
/* 1 when a true caption, this one too, mentions the object by this keyword or another with its sense */
int vn_object_mentioned(const vn_sentence *in, const char *object);

#endif
