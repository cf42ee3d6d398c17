/* Noun phrases, forms of verbs and mentions of objects, for generators that put new words in. */
#ifndef VN_GRAMMAR_H
#define VN_GRAMMAR_H

#include "../vn_negative.h"

/* 1 when word i is the last noun of a phrase */
int vn_phrase_ends(const vn_sentence *in, int i);
/* the first word of the phrase that ends in word i: determiners, numbers, adjectives, nouns */
int vn_phrase_start(const vn_sentence *in, int i);
/* 1 when "of" follows word i: "a cup of tea" */
int vn_phrase_measures(const vn_sentence *in, int i);
/* the base form of a verb; empty where the lexicon doesn't have it */
vn_span vn_verb_base(const vn_sentence *in, int i);
/* 1 when a true caption, this one too, mentions the object by this keyword or another with its sense */
int vn_object_mentioned(const vn_sentence *in, const char *object);

#endif
