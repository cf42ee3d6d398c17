/* Text negatives on made-up captions, for the sanitizers: any bytes that are UTF-8, any words in any order, in buffers
 * of exactly the size that the contract promises. Exit status 0: no rule was broken. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../csrc/negatives/words/vn_keywords.h"
#include "../../csrc/vn_negative.h"

enum { ROWS = 400, SLOTS = 6, AVOID = 2, LONGEST = 1500 };

static char *
caption(vn_rng *rng, int64_t *bytes)
{
    static const char *const glue[] = {" ", " ", " ", ", ", "-", "'", "\xE2\x80\x99",
                                       "\xF0\x9F\x9A\x8C", "\xC3\xA9", ""};
    char *text = malloc(LONGEST);
    int64_t n = 0, words = vn_rng_below(rng, vn_rng_below(rng, 4) == 0 ? 120 : 14);
    if (text == NULL)
        exit(2);
    for (int64_t i = 0; i < words && n < LONGEST - 64; i++) {
        const char *word = vn_rng_below(rng, 3) == 0 ? vn_keywords_entry(vn_rng_below(rng, vn_keywords_size()))->text
                                                     : vn_lexicon_entry(vn_rng_below(rng, vn_lexicon_size()))->text;
        const char *space = glue[vn_rng_below(rng, 10)];
        memcpy(text + n, word, strlen(word));
        if (vn_rng_below(rng, 5) == 0 && text[n] >= 'a' && text[n] <= 'z')
            text[n] = (char)(text[n] - 32);
        n += (int64_t)strlen(word);
        memcpy(text + n, space, strlen(space));
        n += (int64_t)strlen(space);
    }
    *bytes = n;
    char *exact = realloc(text, (size_t)n + (n == 0)); /* a read behind the end is then seen */
    return exact != NULL ? exact : text;
}

int
main(void)
{
    static vn_span captions[ROWS], avoid[ROWS * AVOID];
    static int64_t avoid_begin[ROWS + 1], taken_begin[ROWS + 1], at[ROWS], bytes[ROWS * SLOTS];
    static uint64_t row[ROWS];
    static uint8_t reason[ROWS * SLOTS], kind[ROWS * SLOTS], by[ROWS * SLOTS], places[ROWS * SLOTS];
    static vn_place place[ROWS * SLOTS * VN_TEXT_PLACES];
    vn_text_slot slot[SLOTS];
    vn_rng rng = {1, 2, 0, 3};
    int64_t total = 0, valid = 0, broken = 0;
    for (int i = 0; i < ROWS; i++) {
        captions[i].text = caption(&rng, &captions[i].bytes);
        row[i] = (uint64_t)i;
        at[i] = total;
        total += SLOTS * (captions[i].bytes + VN_TEXT_GROWTH);
        for (int j = 0; j < AVOID; j++)
            avoid[i * AVOID + j].text = caption(&rng, &avoid[i * AVOID + j].bytes);
        avoid_begin[i + 1] = (i + 1) * AVOID;
    }
    for (int k = 0; k < SLOTS; k++) {
        slot[k].maker = vn_text_listed(k % 2, &slot[k].stream);
        slot[k].param[0] = k % 2 == 0 ? 63 : 8191;
        slot[k].param[1] = k > 3;
        slot[k].number = (uint32_t)k;
    }
    char *text = malloc((size_t)total);
    vn_text_job job = {
        .caption = captions, .avoid = avoid, .avoid_begin = avoid_begin, .taken_begin = taken_begin, .row = row,
        .slot = slot, .N = ROWS, .K = SLOTS, .P = 1, .seed = 7, .text = text, .at = at, .bytes = bytes,
        .reason = reason, .kind = kind, .by = by, .place = place, .places = places,
    };
    vn_text_draw(&job);
    for (int64_t i = 0; i < ROWS * SLOTS; i++) {
        vn_span source = captions[i / SLOTS];
        vn_span made = {text + at[i / SLOTS] + i % SLOTS * (source.bytes + VN_TEXT_GROWTH), bytes[i]};
        valid += reason[i] == VN_VALID;
        broken += reason[i] == VN_VALID && (vn_key_equal(source, made) || bytes[i] > source.bytes + VN_TEXT_GROWTH ||
                                            (i % SLOTS % 2 == 0 && bytes[i] != source.bytes));
    }
    for (int i = 0; i < ROWS * AVOID; i++)
        free((void *)(uintptr_t)avoid[i].text);
    for (int i = 0; i < ROWS; i++)
        free((void *)(uintptr_t)captions[i].text);
    free(text);
    printf("%lld of %d valid, %lld broken\n", (long long)valid, ROWS * SLOTS, (long long)broken);
    return broken > 0 || valid < ROWS;
}
