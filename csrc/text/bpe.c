/* Byte-pair encoding: see vn_bpe.h.
 *
 * A word that the merges make into one id, as most are, is found by its bytes. Short pieces keep their pairs in a
 * row, long ones in a linked list with a heap of (rank, place), so that a piece of n bytes costs n log n. */
#include "vn_bpe_table.h"

#include <string.h>

#include "../core/vn_parallel.h"
#include "vn_split.h"

enum { NO_RANK = INT32_MAX };

/* What a long piece needs, n of each, the heap 3n. */
typedef struct scratch {
    unsigned char *text;
    int32_t *id, *prev, *next, *rank;
    uint64_t *heap;
} scratch;

static inline int32_t
symbol_at(const vn_bpe *b, const unsigned char *text, int64_t n, int64_t i)
{
    return b->symbol[text[i] + (i + 1 == n ? 256 : 0)];
}

int64_t
vn_bpe_merge_short(const vn_bpe *b, const unsigned char *text, int64_t n, int32_t *id)
{
    const vn_pair *join[VN_BPE_SHORT];
    for (int64_t i = 0; i < n; i++)
        id[i] = symbol_at(b, text, n, i);
    for (int64_t i = 0; i + 1 < n; i++)
        join[i] = vn_bpe_pair_find(b, id[i], id[i + 1]);
    for (;;) {
        int64_t best = -1;
        for (int64_t i = 0; i + 1 < n; i++)
            if (join[i] != NULL && (best < 0 || join[i]->rank < join[best]->rank))
                best = i;
        if (best < 0)
            return n;
        id[best] = join[best]->id;
        n--;
        for (int64_t i = best + 1; i < n; i++) {
            id[i] = id[i + 1];
            join[i] = i + 1 < n ? join[i + 1] : NULL;
        }
        if (best + 1 < n)
            join[best] = vn_bpe_pair_find(b, id[best], id[best + 1]);
        if (best > 0)
            join[best - 1] = vn_bpe_pair_find(b, id[best - 1], id[best]);
    }
}

static void
heap_push(uint64_t *heap, int64_t *size, uint64_t x)
{
    int64_t i = (*size)++;
    for (; i > 0 && heap[(i - 1) / 2] > x; i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = x;
}

static uint64_t
heap_pop(uint64_t *heap, int64_t *size)
{
    uint64_t top = heap[0], x = heap[--*size];
    int64_t i = 0;
    for (int64_t child = 1; child < *size; child = 2 * i + 1) {
        child += child + 1 < *size && heap[child + 1] < heap[child];
        if (heap[child] >= x)
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = x;
    return top;
}

/* The pair that begins at i: its rank now, and on the heap when it has one. */
static void
offer(const vn_bpe *b, scratch *s, int32_t i, int64_t n, int64_t *size)
{
    const vn_pair *p = s->next[i] < n ? vn_bpe_pair_find(b, s->id[i], s->id[s->next[i]]) : NULL;
    s->rank[i] = p != NULL ? p->rank : NO_RANK;
    if (p != NULL)
        heap_push(s->heap, size, (uint64_t)(uint32_t)p->rank << 32 | (uint32_t)i);
}

static int64_t
merge_long(const vn_bpe *b, scratch *s, const unsigned char *text, int64_t n)
{
    int64_t size = 0, count = 0;
    for (int32_t i = 0; i < n; i++) {
        s->id[i] = symbol_at(b, text, n, i);
        s->prev[i] = i - 1;
        s->next[i] = i + 1;
    }
    for (int32_t i = 0; i < n; i++)
        offer(b, s, i, n, &size);
    while (size > 0) {
        uint64_t top = heap_pop(s->heap, &size);
        int32_t i = (int32_t)(uint32_t)top, j = s->next[i];
        if (s->rank[i] != (int32_t)(top >> 32))
            continue; /* the pair changed since */
        s->id[i] = vn_bpe_pair_find(b, s->id[i], s->id[j])->id;
        s->rank[j] = NO_RANK;
        s->next[i] = s->next[j];
        if (s->next[i] < n)
            s->prev[s->next[i]] = i;
        offer(b, s, i, n, &size);
        if (s->prev[i] >= 0)
            offer(b, s, s->prev[i], n, &size);
    }
    for (int32_t i = 0; i < n; i = s->next[i])
        s->id[count++] = s->id[i];
    return count;
}

/* Ids of one piece, at most room of them. */
static int64_t
encode_piece(const vn_bpe *b, scratch *s, const vn_piece *piece, int32_t *out, int64_t room)
{
    int32_t row[VN_BPE_SHORT], *id = row;
    int64_t n = piece->bytes;
    if (n <= VN_BPE_WORD) {
        uint64_t key[2] = {UINT64_MAX, UINT64_MAX};
        memcpy(key, piece->text, (size_t)n);
        const vn_whole *w = vn_bpe_word_place(b, key);
        if (w->id >= 0) {
            *out = (int32_t)w->id;
            return 1;
        }
    }
    if (n <= VN_BPE_SHORT) {
        n = vn_bpe_merge_short(b, piece->text, n, row);
    } else {
        n = merge_long(b, s, piece->text, n);
        id = s->id;
    }
    n = VN_MIN(n, room);
    memcpy(out, id, (size_t)n * sizeof *out);
    return n;
}

static void
encode_text(const vn_bpe *b, scratch *s, vn_bpe_text *t, int64_t context, int32_t *row)
{
    vn_split rest = {t->text, t->text + t->bytes, b->text[0][0] ? b->text[0] : NULL, b->text[1][0] ? b->text[1] : NULL,
                     b->fold};
    int64_t n = 1;
    vn_piece piece;
    if (t->raw) {
        rest.at = s->text;
        rest.end = s->text + vn_split_clean(s->text, t->text, t->bytes);
    }
    row[0] = b->start;
    t->special = 0;
    while (n < context && vn_split_next(&rest, &piece)) {
        if (piece.special)
            row[n++] = piece.special == 1 ? b->start : b->end;
        else
            n += encode_piece(b, s, &piece, row + n, context - n);
        t->special += piece.special != 0;
    }
    n = VN_MIN(n, context - 1);
    row[n] = b->end;
    t->length = (int32_t)n + 1;
}

/* Texts are cut into a few runs, each with scratch of its own, whatever the number of threads; long texts into fewer,
 * so that scratch stays in bounds. */
enum { RUNS = 16, RUN_TEXTS = 32, RUN_BYTES = 1 << 22 };

static int64_t
count_runs(int64_t N, int64_t longest)
{
    int64_t most = VN_MAX(1, VN_MIN(RUNS, RUN_BYTES / (longest + 1)));
    return VN_MIN(most, (N + RUN_TEXTS - 1) / RUN_TEXTS);
}

static size_t
scratch_size(int64_t longest)
{
    return ((size_t)longest + 8) / 8 * 8 * 41;
}

static scratch
scratch_bind(unsigned char *base, int64_t longest)
{
    size_t n = ((size_t)longest + 8) / 8 * 8;
    int32_t *word = (int32_t *)(void *)(base + 24 * n);
    scratch s = {base + 40 * n, word, word + n, word + 2 * n, word + 3 * n, (uint64_t *)(void *)base};
    return s;
}

typedef struct job {
    const vn_bpe *bpe;
    vn_bpe_text *text;
    unsigned char *scratch;
    int32_t *ids;
    int64_t N, context, longest;
} job;

static void
encode_run(void *arg, int64_t run, int worker)
{
    const job *j = arg;
    int64_t runs = count_runs(j->N, j->longest);
    scratch s = scratch_bind(j->scratch + (size_t)run * scratch_size(j->longest), j->longest);
    (void)worker;
    for (int64_t n = j->N * run / runs; n < j->N * (run + 1) / runs; n++)
        encode_text(j->bpe, &s, &j->text[n], j->context, j->ids + j->text[n].row);
}

static int64_t
find_longest(const vn_bpe_text *text, int64_t N)
{
    int64_t longest = 0;
    for (int64_t n = 0; n < N; n++)
        longest = VN_MAX(longest, text[n].bytes);
    return longest;
}

size_t
vn_bpe_scratch(const vn_bpe_text *text, int64_t N)
{
    int64_t longest = find_longest(text, N);
    return scratch_size(longest) * (size_t)count_runs(N, longest);
}

void
vn_bpe_encode(const vn_bpe *b, vn_bpe_text *text, int64_t N, int64_t context, int32_t *ids, void *room)
{
    job j = {b, text, room, ids, N, context, find_longest(text, N)};
    vn_parallel_for(count_runs(N, j.longest), encode_run, &j);
}
