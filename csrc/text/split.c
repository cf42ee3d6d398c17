/* Captions to pieces: see vn_split.h. Letters and numbers are Unicode's L and N, from vn_unicode.h. */
#include "vn_split.h"

#include <string.h>

#include "vn_unicode.h"

enum { SPACE, LETTER, NUMBER, OTHER, NOTHING, TOKEN };

static int
within(const vn_range *range, int count, uint32_t c)
{
    int low = 0, high = count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (c > range[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && c >= range[low].first;
}

/* Code point at p, its length in *n; malformed: U+FFFD and 1. */
static uint32_t
decode(const unsigned char *p, const unsigned char *end, int *n)
{
    int more = *p >= 0xF0 ? 3 : *p >= 0xE0 ? 2 : 1;
    *n = 1;
    if (*p < 0xC2 || *p > 0xF4 || end - p <= more)
        return 0xFFFD;
    uint32_t c = *p & (0x3Fu >> more);
    for (int i = 1; i <= more; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0xFFFD;
        c = c << 6 | (p[i] & 0x3F);
    }
    *n = more + 1;
    return c;
}

static int
kind_at(const unsigned char *p, const unsigned char *end, int fold, int *n)
{
    unsigned c = *p;
    *n = 1;
    if (c < 0x80) {
        if ((c | 32) - 'a' < 26)
            return LETTER;
        if (c - '0' < 10)
            return NUMBER;
        return c == ' ' || c - 9 < 5 ? SPACE : OTHER;
    }
    if (c >= 0xFE)
        return TOKEN;
    uint32_t code = decode(p, end, n);
    if (within(vn_unicode_letter, sizeof vn_unicode_letter / sizeof *vn_unicode_letter, code))
        return LETTER;
    if (within(vn_unicode_number, sizeof vn_unicode_number / sizeof *vn_unicode_number, code))
        return NUMBER;
    if (within(vn_unicode_space, sizeof vn_unicode_space / sizeof *vn_unicode_space, code))
        return SPACE;
    return fold && code == 0x345 ? NOTHING : OTHER;
}

/* Bytes of text that match the pattern, 0: it does not. */
static int64_t
match(const vn_split *s, const char *pattern)
{
    const unsigned char *p = s->at;
    for (; *pattern; pattern++) {
        if (p < s->end && *p == (unsigned char)*pattern)
            p++;
        else if (s->fold && *pattern == 's' && s->end - p >= 2 && p[0] == 0xC5 && p[1] == 0xBF)
            p += 2;
        else
            return 0;
    }
    return p - s->at;
}

/* The alternatives that begin with neither letter nor number; 0: none. */
static int64_t
match_literal(const vn_split *s, int *special)
{
    static const char contraction[7][4] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    const char *token[2] = {s->start_text, s->end_text};
    int64_t n;
    for (int i = 0; i < 2; i++)
        if (token[i] != NULL && (n = match(s, token[i])) > 0) {
            /* spelled with a long s it matches, yet is no token: one piece of text */
            *special = n == (int64_t)strlen(token[i]) ? i + 1 : 0;
            return n;
        }
    for (int i = 0; i < 7 && *s->at == '\''; i++)
        if ((n = match(s, contraction[i])) > 0)
            return n;
    return 0;
}

int
vn_split_next(vn_split *s, vn_piece *piece)
{
    int kind = SPACE, n = 0;
    while (s->at < s->end) {
        kind = kind_at(s->at, s->end, s->fold, &n);
        if (kind != SPACE && kind != NOTHING)
            break;
        s->at += n;
    }
    if (s->at >= s->end)
        return 0;
    piece->text = s->at;
    piece->bytes = 0;
    piece->special = kind == TOKEN ? *s->at - 0xFD : 0;
    if (kind == OTHER)
        piece->bytes = match_literal(s, &piece->special);
    if (piece->bytes == 0)
        piece->bytes = n;
    else
        kind = TOKEN;
    s->at += piece->bytes;
    while (kind <= OTHER && kind != NUMBER && s->at < s->end && kind_at(s->at, s->end, s->fold, &n) == kind) {
        s->at += n;
        piece->bytes += n;
    }
    return 1;
}

/* Bytes of the terminal escape that begins at p: ESC [, digits and semicolons, a letter; 0: none. */
static int64_t
escape(const unsigned char *p, const unsigned char *end)
{
    const unsigned char *q = p + 2;
    if (end - p < 3 || p[1] != '[')
        return 0;
    while (q < end && ((*q >= '0' && *q <= '9') || *q == ';'))
        q++;
    return q < end && (*q | 32u) - 'a' < 26 ? q + 1 - p : 0;
}

int64_t
vn_split_clean(unsigned char *out, const unsigned char *in, int64_t n)
{
    const unsigned char *end = in + n;
    unsigned char *o = out;
    while (in < end) {
        unsigned c = *in;
        int64_t skip = c == 0x1B ? escape(in, end) : 0;
        if (c >= 0x20 ? c != 0x7F : c == '\t' || c == '\n' || c == '\f' || c == '\r')
            *o++ = (unsigned char)(c - 'A' < 26 ? c + 32 : c);
        in += skip > 0 ? skip : 1;
    }
    return o - out;
}
