/* Letters of UTF-8, and captions compared by key. */
#include "vn_text.h"

#include <string.h>

int
vn_text_letter(const char *p, const char *end)
{
    const unsigned char *s = (const unsigned char *)p;
    if (p >= end)
        return 0;
    if (s[0] < 0x80)
        return (s[0] >= '0' && s[0] <= '9') || ((s[0] | 32) >= 'a' && (s[0] | 32) <= 'z');
    int n = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    if (end - p < n)
        return 0;
    /* Latin-1's signs, general punctuation, that of East Asia, emoji: the signs that stand beside words. Others count
     * as letters, which joins them to a word but never parts one. */
    if ((s[0] == 0xC2 && (s[1] < 0xAA || s[1] == 0xAB || s[1] == 0xB7 || s[1] == 0xBB || s[1] == 0xBF)) ||
        (s[0] == 0xE2 && (s[1] == 0x80 || (s[1] == 0x81 && s[2] < 0xB0))) ||
        (s[0] == 0xE3 && s[1] == 0x80 && (s[2] < 0x85 || (s[2] > 0x87 && s[2] < 0xA1))) ||
        (s[0] == 0xF0 && s[1] == 0x9F && s[2] > 0x8B && s[2] < 0xA8))
        return 0;
    return n;
}

int
vn_text_step(const char *p, const char *end)
{
    unsigned char c = (unsigned char)*p;
    int n = c < 0xC0 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    return (int)VN_MIN((int64_t)n, (int64_t)(end - p));
}

int
vn_text_blank(const char *begin, const char *end)
{
    const char *p = begin;
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    return p == end && p > begin;
}

/* A key, read byte by byte: next() gives ' ' between words and 0 at the end. */
typedef struct reader {
    const char *p, *end;
    int inside, left; /* left: bytes still to give of a letter longer than one */
} reader;

static int
next(reader *r)
{
    if (r->left > 0) {
        r->left--;
        return (unsigned char)*r->p++;
    }
    int n = vn_text_letter(r->p, r->end), parted = 0;
    while (n == 0) {
        if (r->p >= r->end)
            return 0;
        r->p += vn_text_step(r->p, r->end);
        parted = r->inside;
        n = vn_text_letter(r->p, r->end);
    }
    if (parted) {
        r->inside = 0;
        return ' ';
    }
    r->inside = 1;
    r->left = n - 1;
    int c = (unsigned char)*r->p++;
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

static reader
read(vn_span a)
{
    reader r = {a.text, a.text + a.bytes, 0, 0};
    return r;
}

/* Bytes with which both begin, up to and with an ASCII letter or digit. */
static int64_t
common(vn_span a, vn_span b)
{
    int64_t n = VN_MIN(a.bytes, b.bytes), i = 0;
    while (i + 8 <= n && memcmp(a.text + i, b.text + i, 8) == 0)
        i += 8;
    while (i < n && a.text[i] == b.text[i])
        i++;
    while (i > 0 && ((unsigned char)a.text[i - 1] >= 0x80 || vn_text_letter(a.text + i - 1, a.text + i) == 0))
        i--;
    return i;
}

int
vn_key_empty(vn_span a)
{
    reader r = read(a);
    return next(&r) == 0;
}

int
vn_key_equal(vn_span a, vn_span b)
{
    reader r = read(a), s = read(b);
    int64_t same = common(a, b);
    if (same > 0) { /* both are inside a word there */
        r.p += same, s.p += same;
        r.inside = s.inside = 1;
    }
    for (;;) {
        int c = next(&r);
        if (c != next(&s))
            return 0;
        if (c == 0)
            return 1;
    }
}

static int
same_word(reader a, reader b, int bytes)
{
    while (bytes-- > 0)
        if (next(&a) != next(&b))
            return 0;
    return 1;
}

int
vn_key_doubled(vn_span a)
{
    reader r = read(a), word = r, before = r;
    int count = 0, bytes = 0, earlier = -1;
    for (;;) {
        int c = next(&r);
        if (c != ' ' && c != 0) {
            bytes++;
            continue;
        }
        count += bytes == earlier && same_word(before, word, bytes);
        if (c == 0)
            return count;
        before = word, word = r;
        earlier = bytes, bytes = 0;
    }
}

/* 0 when a lacks the first two letters of the words, which is quickly seen */
static int
may_hold(vn_span a, const char *words)
{
    int x = words[0], y = x == 0 ? 0 : words[1];
    if (x < 'a' || x > 'z' || y < 'a' || y > 'z')
        return 1;
    for (int64_t i = 0; i + 1 < a.bytes; i++)
        if ((a.text[i] | 32) == x && (a.text[i + 1] | 32) == y)
            return 1;
    return 0;
}

int
vn_key_holds(vn_span a, const char *words)
{
    if (!may_hold(a, words))
        return 0;
    reader r = read(a);
    int c = next(&r);
    while (c != 0) {
        reader s = r;
        const char *w = words;
        int d = c;
        while (*w != 0 && d == (unsigned char)*w) {
            d = next(&s);
            w++;
        }
        if (*w == 0 && (d == 0 || d == ' '))
            return 1;
        while (c != 0 && c != ' ')
            c = next(&r);
        c = c == 0 ? 0 : next(&r);
    }
    return 0;
}
