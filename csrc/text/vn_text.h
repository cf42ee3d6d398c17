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

/* what a tagger says: bytes [begin, end) of the text are of this class, a letter of lexicon.def */
typedef struct vn_tag {
    int32_t begin, end, kind;
} vn_tag;

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
int vn_key_doubled(vn_span a); /* how many words of the key stand right behind themselves */
int vn_key_holds(vn_span a, const char *words); /* 1 when the key of a holds these words (a key) in a row */

/* lexicon.c */
int64_t vn_lexicon_size(void);
const vn_entry *vn_lexicon_entry(int64_t index);
void vn_lexicon_guess(vn_guess *guess, const char *word, int64_t bytes);
int vn_lexicon_has(int32_t lemma, char kind);
uint64_t vn_lexicon_hash(void); /* of the table: lemmas of words are places in it */

/* what a choice may look at */
typedef struct vn_around {
    int left, left_form; /* of the joined word before; 0 for none */
    int right;           /* likeliest class of the joined word after; 0 for none */
    int right_noun;      /* 1: it belongs to a noun phrase that goes on */
    int verb_seen;       /* 1: the clause has its finite verb */
} vn_around;

/* choose.c: the class of a word among its neighbours */
int vn_word_choose(const vn_guess *g, const vn_around *a);

/* words.c: the first VN_MAX_WORDS words of the text; returns how many */
int vn_words_cut(vn_word *word, vn_span text);
/* the same with class and form */
int vn_words_tag(vn_word *word, vn_span text);
/* the same with the classes of a tagger, in order of begin, where it has a say: not for closed classes (articles,
 * auxiliaries, ...), nor for words with an apostrophe. The last tag that overlaps a word counts. */
int vn_words_complete(vn_word *word, vn_span text, const vn_tag *tag, int64_t tags);
/* 1 when words i - 1 and i exist and only blanks part them */
int vn_words_joined(const char *text, const vn_word *word, int words, int i);
/* plural.c: the plural of a singular noun in lower case, at most two bytes longer; returns its bytes */
int vn_words_plural(char *out, vn_span noun);
/* words.c: 1 when the word wants "an" before it */
int vn_words_vowel(const char *word, int64_t bytes);

/* annotate.c: the words of N captions on all threads. Counting fills offset, then word has room for offset[N]. */
typedef struct vn_annotate_job {
    const vn_span *caption;   /* (N) */
    const vn_tag *tag;        /* NULL: the built-in tagger's */
    const int64_t *tag_begin; /* (N+1) */
    int64_t N;
    int64_t *offset; /* (N+1) */
    vn_word *word;
} vn_annotate_job;

void vn_annotate_count(vn_annotate_job *job);
void vn_annotate_tag(vn_annotate_job *job);

#endif
