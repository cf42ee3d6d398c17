/* CLIP's byte-pair encoding (Sennrich et al., ACL 2016; Radford et al., ICML 2021): UTF-8 captions to ids.
 *
 * A caption is split into pieces; a piece starts as the symbols of its bytes, the last one marked as a word's end;
 * the adjacent pair that stands first in the merge table is joined, leftmost first, until none is in the table.
 * Row = start, ids, end; a row longer than the context keeps its first ids and ends in the end token. */
#ifndef VN_BPE_H
#define VN_BPE_H

#include "../core/vn_build.h"
#include "../core/vn_status.h"

typedef struct vn_bpe vn_bpe; /* never changes once made: threads may share it */

typedef struct vn_bpe_plan {
    const int32_t *symbol; /* (512) id of each byte, then of each byte at a word's end; -1: none */
    const int32_t *merge;  /* (M,3) left, right, and the id of both joined; the first row goes first */
    int64_t M, vocab;
    int32_t start, end, unknown;       /* unknown stands for a byte without a symbol */
    const char *start_text, *end_text; /* how captions spell the two, in lower case; NULL: they cannot */
    int fold;                          /* split as OpenAI's pattern does, which ignores case */
} vn_bpe_plan;

vn_status vn_bpe_init(vn_bpe **bpe, const vn_bpe_plan *plan, vn_error *error);
void vn_bpe_free(vn_bpe *bpe);

typedef struct vn_bpe_text {
    const unsigned char *text; /* UTF-8; a byte FE is the start token, FF the end token */
    int64_t bytes;
    int raw;         /* ASCII as it came: controls and terminal escapes still in it, upper case too */
    int64_t row;     /* where its ids go: at most min(context, bytes + 2) of them */
    int32_t length;  /* out: ids of the row */
    int32_t special; /* out: special tokens that the text spelled */
} vn_bpe_text;

enum { VN_BPE_LONGEST = 1 << 30 }; /* bytes of a text */

/* Bytes of scratch for a call with these texts. */
size_t vn_bpe_scratch(const vn_bpe_text *text, int64_t N);
/* context >= 2. Ids beyond a row's length are left as they are. */
void vn_bpe_encode(const vn_bpe *bpe, vn_bpe_text *text, int64_t N, int64_t context, int32_t *ids, void *scratch);

#endif
