/* Builds the tables of a vn_bpe from a vocabulary. */
#include <stdlib.h>
#include <string.h>

#include "vn_bpe_table.h"

/* The bytes of a token; n = 0: too many to be looked up whole. */
typedef struct spelling {
    unsigned char text[VN_BPE_WORD];
    int n, last; /* last: a word ends here */
} spelling;

static vn_status
check(const vn_bpe_plan *plan, vn_error *error)
{
    const int32_t ids[3] = {plan->start, plan->end, plan->unknown};
    const char *text[2] = {plan->start_text, plan->end_text};
    if (plan->vocab < 1 || plan->vocab > INT32_MAX || plan->M < 0 || plan->M > INT32_MAX / 4)
        return vn_fail(error, VN_EVALUE, "a vocabulary of %lld tokens and %lld merges is out of range",
                       (long long)plan->vocab, (long long)plan->M);
    for (int i = 0; i < 3; i++)
        if (ids[i] < 0 || ids[i] >= plan->vocab)
            return vn_fail(error, VN_EVALUE, "start, end and unknown must be in [0, %lld), got %d",
                           (long long)plan->vocab, ids[i]);
    for (int i = 0; i < 512; i++)
        if (plan->symbol[i] < -1 || plan->symbol[i] >= plan->vocab)
            return vn_fail(error, VN_EVALUE, "symbol[%d] must be in [-1, %lld), got %d", i, (long long)plan->vocab,
                           plan->symbol[i]);
    for (int64_t i = 0; i < 3 * plan->M; i++)
        if (plan->merge[i] < 0 || plan->merge[i] >= plan->vocab)
            return vn_fail(error, VN_EVALUE, "merge[%lld] holds %d, which is not an id in [0, %lld)",
                           (long long)(i / 3), plan->merge[i], (long long)plan->vocab);
    for (int i = 0; i < 2; i++)
        if (text[i] != NULL && strlen(text[i]) >= sizeof((vn_bpe *)0)->text[i])
            return vn_fail(error, VN_EVALUE, "a special token is spelled with %zu bytes, at most 63 are possible",
                           strlen(text[i]));
    return VN_OK;
}

/* At most half full. */
static uint64_t
places(int64_t items)
{
    uint64_t n = 16;
    while (n < 2 * (uint64_t)items)
        n *= 2;
    return n;
}

static void
fill_pairs(vn_bpe *b, const vn_bpe_plan *plan)
{
    for (uint64_t i = 0; i <= b->pair_mask; i++)
        b->pairs[i].key = UINT64_MAX;
    for (int64_t r = 0; r < plan->M; r++) {
        const int32_t *m = plan->merge + 3 * r;
        vn_pair *p = vn_bpe_pair_place(b, m[0], m[1]);
        p->key = (uint64_t)(uint32_t)m[0] << 32 | (uint32_t)m[1];
        p->rank = (int32_t)r;
        p->id = m[2];
    }
}

/* A token is a whole word when the merges, run on its bytes, end in it alone. */
static void
add_word(vn_bpe *b, const spelling *token, int32_t id)
{
    int32_t row[VN_BPE_WORD];
    uint64_t key[2] = {UINT64_MAX, UINT64_MAX};
    if (token->n == 0 || !token->last || vn_bpe_merge_short(b, token->text, token->n, row) != 1 || row[0] != id)
        return;
    memcpy(key, token->text, (size_t)token->n);
    vn_whole *w = vn_bpe_word_place(b, key);
    memcpy(w->key, key, sizeof key);
    w->id = id;
}

static void
fill_words(vn_bpe *b, const vn_bpe_plan *plan, spelling *token)
{
    for (uint64_t i = 0; i <= b->word_mask; i++)
        b->words[i].id = -1;
    for (int i = 0; i < 512; i++)
        if (plan->symbol[i] >= 0) {
            spelling s = {{(unsigned char)(i & 255)}, 1, i >= 256};
            token[plan->symbol[i]] = s;
        }
    for (int i = 256; i < 512; i++)
        if (plan->symbol[i] >= 0)
            add_word(b, &token[plan->symbol[i]], plan->symbol[i]);
    for (int64_t r = 0; r < plan->M; r++) {
        const int32_t *m = plan->merge + 3 * r;
        const spelling *left = &token[m[0]], *right = &token[m[1]];
        spelling s = {{0}, left->n + right->n, right->last};
        if (left->n == 0 || right->n == 0 || left->last || s.n > VN_BPE_WORD)
            s.n = 0;
        else {
            memcpy(s.text, left->text, (size_t)left->n);
            memcpy(s.text + left->n, right->text, (size_t)right->n);
        }
        token[m[2]] = s;
        add_word(b, &s, m[2]);
    }
}

void
vn_bpe_free(vn_bpe *b)
{
    if (b != NULL) {
        free(b->pairs);
        free(b->words);
        free(b);
    }
}

vn_status
vn_bpe_init(vn_bpe **out, const vn_bpe_plan *plan, vn_error *error)
{
    VN_TRY(check(plan, error));
    uint64_t pairs = places(plan->M), words = places(plan->M + 256);
    vn_bpe *b = calloc(1, sizeof *b);
    spelling *token = calloc((size_t)plan->vocab, sizeof *token);
    if (b != NULL) {
        b->pairs = malloc(pairs * sizeof *b->pairs);
        b->words = malloc(words * sizeof *b->words);
    }
    if (b == NULL || token == NULL || b->pairs == NULL || b->words == NULL) {
        vn_bpe_free(b);
        free(token);
        return vn_fail(error, VN_ENOMEM, "no memory for a vocabulary of %lld tokens", (long long)plan->vocab);
    }
    b->pair_mask = pairs - 1;
    b->word_mask = words - 1;
    b->start = plan->start;
    b->end = plan->end;
    b->fold = plan->fold;
    if (plan->start_text != NULL)
        strcpy(b->text[0], plan->start_text);
    if (plan->end_text != NULL)
        strcpy(b->text[1], plan->end_text);
    for (int i = 0; i < 512; i++)
        b->symbol[i] = plan->symbol[i] >= 0 ? plan->symbol[i] : plan->unknown;
    fill_pairs(b, plan);
    fill_words(b, plan, token);
    free(token);
    *out = b;
    return VN_OK;
}
