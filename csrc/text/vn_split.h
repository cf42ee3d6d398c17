/* Captions to pieces, by the pattern of CLIP's tokenizer.
 *
 * The first that matches: a special token; 's 't 're 've 'm 'll 'd; a run of letters; one number character; a run of
 * anything else but whitespace. With fold the long s (U+017F) counts as s and U+0345 matches nothing, as in a
 * pattern that ignores case. Text is in lower case. */
#ifndef VN_SPLIT_H
#define VN_SPLIT_H

#include "../core/vn_build.h"

typedef struct vn_split {
    const unsigned char *at, *end;     /* what is left */
    const char *start_text, *end_text; /* NULL: no special tokens */
    int fold;
} vn_split;

typedef struct vn_piece {
    const unsigned char *text;
    int64_t bytes;
    int special; /* 1: the start token, 2: the end token */
} vn_piece;

/* 0 when nothing is left. Malformed UTF-8 counts as "anything else", byte by byte. */
int vn_split_next(vn_split *s, vn_piece *piece);

/* Cleans ASCII as ftfy and lower-casing do: terminal escapes, then controls vanish. out holds n bytes; the rest of
 * the length is returned. */
int64_t vn_split_clean(unsigned char *out, const unsigned char *in, int64_t n);

#endif
