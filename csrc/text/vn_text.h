/* Words of a caption: where they stand in the raw UTF-8 text, what class each has, and when two captions say the same.
 *
 * key(c): lower case, every run of characters other than letters and digits is one blank, ends stripped. Two texts
 * are compared by key without writing keys down. Bytes beyond ASCII are letters, taken as they are, but for the
 * punctuation blocks; Unicode's case and composition are the caller's business. */
#ifndef VN_TEXT_H
#define VN_TEXT_H

#include "../core/vn_build.h"

/* A token holds a word at most, so CLIP's 77 with their two ends never show a word beyond the 75th. */
enum { VN_MAX_WORDS = 75 };

/* of nouns, of verbs, and of the function words that rules ask for; VN_MUTUAL: "x and y" says what "y and x" says */
typedef enum vn_form {
    VN_BASE, VN_PLURAL, VN_EITHER, VN_THIRD, VN_ING, VN_PAST, VN_A, VN_AN, VN_OF, VN_MUTUAL
} vn_form;

/* kind: a letter of lexicon.def; form: a vn_form, VN_BASE for a singular noun; lemma: entry of the lexicon or -1 */
typedef struct vn_word {
    int32_t begin, end; /* bytes of the text */
    int16_t kind, form;
    int32_t lemma;
} vn_word;

typedef struct vn_span {
    const char *text; /* (bytes), not ended by 0 */
    int64_t bytes;
} vn_span;

typedef struct vn_entry {
    const char *text, *kinds, *lemma;
    int form;
} vn_entry;

/* what a word can be by itself: its classes, likeliest first, and its form as a noun, a verb, another class */
typedef struct vn_guess {
    char kinds[6];
    uint8_t noun, verb, other;
    int32_t lemma;
} vn_guess;

/* key.c */
int vn_text_letter(const char *p, const char *end); /* bytes of the letter or digit at p, 0 for any other character */
int vn_text_step(const char *p, const char *end); /* bytes of any character */
int vn_text_blank(const char *begin, const char *end); /* 1 when there is something and it is all blanks */
int vn_key_empty(vn_span a);
int vn_key_equal(vn_span a, vn_span b);
int vn_key_holds(vn_span a, const char *words); /* 1 when the key of a holds these words (a key) in a row */

/* lexicon.c */
int64_t vn_lexicon_size(void);
const vn_entry *vn_lexicon_entry(int64_t index);
void vn_lexicon_guess(vn_guess *guess, const char *word, int64_t bytes);
int vn_lexicon_has(int32_t lemma, char kind);

/* words.c: the first VN_MAX_WORDS words of the text, with class and form; returns how many */
int vn_words_tag(vn_word *word, vn_span text);
/* 1 when words i - 1 and i exist and only blanks part them */
int vn_words_joined(const char *text, const vn_word *word, int words, int i);
/* 1 when the word wants "an" before it */
int vn_words_vowel(const char *word, int64_t bytes);

#endif
