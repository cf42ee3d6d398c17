/* The tokenizer's C interface on valid, malformed and long text; run under sanitizers. Exit status 0: all held. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../csrc/core/vn_parallel.h"
#include "../../csrc/core/vn_philox.h"
#include "../../csrc/text/vn_bpe.h"
#include "../../csrc/text/vn_split.h"

enum { START = 515, END = 516, VOCAB = 517 };

static int failures;

static void
expect(int held, const char *what)
{
    if (!held) {
        fprintf(stderr, "failed: %s\n", what);
        failures++;
    }
}

/* Bytes are their own ids; "ab" 512, "abc" at a word's end 513, "aa" 514. */
static vn_bpe_plan
plan(int32_t *symbol, const char *start, const char *end)
{
    static const int32_t merge[9] = {'a', 'b', 512, 512, 256 + 'c', 513, 'a', 'a', 514};
    for (int i = 0; i < 512; i++)
        symbol[i] = i;
    vn_bpe_plan p = {symbol, merge, 3, VOCAB, START, END, END, start, end, 1};
    return p;
}

static void
encode(const vn_bpe *b, const char *text, int64_t bytes, int raw, int64_t context, int32_t *ids, vn_bpe_text *t)
{
    /* a copy of the exact size, so that a read past its end shows */
    unsigned char *copy = malloc((size_t)bytes + 1);
    unsigned char *tight = malloc(bytes > 0 ? (size_t)bytes : 1);
    memcpy(copy, text, (size_t)bytes);
    memcpy(tight, copy, (size_t)bytes);
    vn_bpe_text one = {tight, bytes, raw, 0, 0, 0};
    void *scratch = malloc(vn_bpe_scratch(&one, 1));
    vn_bpe_encode(b, &one, 1, context, ids, scratch);
    *t = one;
    free(scratch);
    free(tight);
    free(copy);
}

static void
test_rows(const vn_bpe *b)
{
    int32_t ids[32];
    vn_bpe_text t;
    encode(b, "ABC ab\x1b[31m!", 12, 1, 32, ids, &t);
    const int32_t expected[5] = {START, 513, 'a', 256 + 'b', 256 + '!'};
    expect(t.length == 6 && memcmp(ids, expected, sizeof expected) == 0 && ids[5] == END, "row of a raw text");
    encode(b, "abc", 3, 0, 2, ids, &t);
    expect(t.length == 2 && ids[0] == START && ids[1] == END, "context of 2");
    encode(b, "", 0, 1, 2, ids, &t);
    expect(t.length == 2 && ids[1] == END, "empty text");
    encode(b, "a<e>b", 5, 0, 32, ids, &t);
    expect(t.length == 5 && t.special == 1 && ids[2] == END, "special token in a text");
    encode(b, "\xff\xfe", 2, 0, 32, ids, &t);
    expect(t.length == 4 && ids[1] == END && ids[2] == START, "bytes that stand for special tokens");
    encode(b, "a\xf0\x9f\x98", 4, 0, 32, ids, &t);
    expect(t.length == 6, "character cut short");
}

static void
test_noise(const vn_bpe *b)
{
    static const char alphabet[] = "aabc'<e>s\x1b[;1mZ \xc5\xbf\xcd\x85\xe3\x80\xf0\x9f\xff\x80\xc2\xa0";
    vn_rng r = {7, 0, 0, 0};
    char text[400];
    int32_t ids[402];
    for (int round = 0; round < 3000; round++) {
        int64_t n = vn_rng_below(&r, 400), context = 2 + vn_rng_below(&r, 400);
        vn_bpe_text t;
        for (int64_t i = 0; i < n; i++)
            text[i] = alphabet[vn_rng_below(&r, (int64_t)sizeof alphabet)];
        encode(b, text, n, (int)vn_rng_below(&r, 2), context, ids, &t);
        int held =
            t.length >= 2 && t.length <= context && t.length <= n + 2 && ids[0] == START && ids[t.length - 1] == END;
        for (int32_t i = 0; i < t.length; i++)
            held = held && ids[i] >= 0 && ids[i] < VOCAB;
        expect(held, "ids of noise");
    }
}

static void
test_long(const vn_bpe *b)
{
    enum { N = 10001 };
    char *text = malloc(N);
    int32_t *ids = malloc((N + 2) * sizeof *ids);
    vn_bpe_text t;
    memset(text, 'a', N);
    encode(b, text, N, 0, N + 2, ids, &t);
    expect(t.length == N / 2 + 3 && ids[1] == 514 && ids[t.length - 2] == 256 + 'a', "a long piece");
    free(text);
    free(ids);
}

static void
test_threads(const vn_bpe *b)
{
    enum { N = 300, L = 12 };
    static vn_bpe_text t[N];
    static int32_t one[N * L], many[N * L];
    for (int i = 0; i < N; i++) {
        t[i].text = (const unsigned char *)"abc aab <e> abcab" + i % 9;
        t[i].bytes = 17 - i % 9;
        t[i].raw = i % 2;
        t[i].row = i * L;
    }
    void *scratch = malloc(vn_bpe_scratch(t, N));
    vn_parallel_set_threads(1);
    vn_bpe_encode(b, t, N, L, one, scratch);
    vn_parallel_set_threads(4);
    vn_bpe_encode(b, t, N, L, many, scratch);
    expect(memcmp(one, many, sizeof one) == 0, "the same ids for 1 and 4 threads");
    free(scratch);
}

static void
test_refusals(void)
{
    int32_t symbol[512];
    vn_bpe *b = NULL;
    vn_error error;
    vn_bpe_plan p = plan(symbol, "<s>", "<e>");
    p.end = VOCAB;
    expect(vn_bpe_init(&b, &p, &error) == VN_EVALUE, "an end token outside the vocabulary");
    p = plan(symbol, "<s>", "<e>");
    symbol[3] = -2;
    expect(vn_bpe_init(&b, &p, &error) == VN_EVALUE, "a symbol outside the vocabulary");
    p = plan(symbol, "<s>", "<e>");
    p.vocab = 514;
    expect(vn_bpe_init(&b, &p, &error) == VN_EVALUE && b == NULL, "a merge outside the vocabulary");
    vn_bpe_free(NULL);
}

int
main(void)
{
    int32_t symbol[512];
    vn_bpe *b = NULL;
    vn_error error;
    vn_bpe_plan p = plan(symbol, "<s>", "<e>");
    expect(vn_bpe_init(&b, &p, &error) == VN_OK, "a vocabulary");
    test_rows(b);
    test_noise(b);
    test_long(b);
    test_threads(b);
    test_refusals();
    vn_bpe_free(b);
    return failures != 0;
}
