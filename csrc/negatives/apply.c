/* Writes the variant that a list of edits describes, and mends what they would break.
 *
 * Articles: "a" or "an" before an edit agrees with the word that now follows; it then counts as edited too. Capitals: a
 * word that is put in follows the word that stood there (Red, RED); the capital that opens the text stays at its
 * opening, and a known word that is moved away from there loses it. A moved word keeps its case elsewhere. */
#include "../vn_negative.h"

#include <string.h>

typedef struct writer {
    char *text;
    int64_t bytes, room;
    int full;
} writer;

static int
upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static int
lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static void
put(writer *w, const char *text, int64_t bytes)
{
    if (w->bytes + bytes > w->room)
        w->full = 1;
    if (w->full)
        return;
    memcpy(w->text + w->bytes, text, (size_t)bytes);
    w->bytes += bytes;
}

int
vn_sentence_reads(const vn_sentence *in, int i, const char *word)
{
    if (i < 0 || i >= in->words)
        return 0;
    const char *p = in->text.text + in->word[i].begin;
    int64_t n = in->word[i].end - in->word[i].begin;
    for (int64_t k = 0; k < n; k++)
        if (word[k] == 0 || (upper(p[k]) ? p[k] + 32 : p[k]) != word[k])
            return 0;
    return word[n] == 0;
}

int
vn_sentence_opens(const vn_sentence *in)
{
    if (in->words == 0)
        return 0;
    const char *p = in->text.text + in->word[0].begin, *end = in->text.text + in->text.bytes;
    if (!upper(*p))
        return 0;
    int one = in->word[0].end - in->word[0].begin == 1; /* "A TV on a table": any small letter behind says so */
    for (p++; p < end && !lower(*p); p += vn_text_step(p, end))
        if (!one && vn_text_letter(p, end) != 0 && !(*p >= '0' && *p <= '9'))
            break;
    return p < end && lower(*p);
}

/* the first word that ends behind this byte, or words */
static int
word_at(const vn_sentence *in, int64_t byte)
{
    int i = 0;
    while (i < in->words && in->word[i].end <= byte)
        i++;
    return i;
}

/* What follows the article before edit e in the variant: the text put in, else what stands behind it. */
static vn_span
following(const vn_sentence *in, const vn_edit *e)
{
    vn_span s = {e->text, e->bytes};
    int i = word_at(in, e->end);
    if (e->bytes == 0 && i < in->words)
        s = vn_sentence_part(in, i, i);
    return s;
}

/* The word number of an article before edit e that has to change, or -1; nothing before from may change. */
static int
wrong_article(const vn_sentence *in, const vn_edit *e, int64_t from)
{
    int i = word_at(in, e->begin) - 1;
    if (i < 0 || in->word[i].begin < from ||
        !((in->word[i].form == VN_A && vn_sentence_reads(in, i, "a")) ||
          (in->word[i].form == VN_AN && vn_sentence_reads(in, i, "an"))) ||
        !vn_text_blank(in->text.text + in->word[i].end, in->text.text + e->begin))
        return -1;
    vn_span next = following(in, e);
    return next.bytes > 0 && vn_words_vowel(next.text, next.bytes) != (in->word[i].form == VN_AN) ? i : -1;
}

static void
put_article(writer *w, const vn_sentence *in, int i, int vowel)
{
    const char *a = in->text.text + in->word[i].begin;
    int64_t next = i + 1 < in->words ? in->word[i + 1].begin : in->text.bytes;
    int shout = next + 1 < in->text.bytes && upper(in->text.text[next]) && upper(in->text.text[next + 1]);
    put(w, a, 1);
    if (vowel)
        put(w, upper(*a) && shout ? "N" : "n", 1);
}

/* 1 when word i exists and opens with two capitals */
static int
shouts(const vn_sentence *in, int i)
{
    const char *p = i >= 0 && i < in->words ? in->text.text + in->word[i].begin : "";
    return upper(p[0]) && in->word[i].end - in->word[i].begin > 1 && upper(p[1]);
}

/* Letters put in at [from, end of text) follow those that stand at word i; where that says nothing, those around. */
static void
follow_case(writer *w, int64_t from, const vn_sentence *in, int i, int inserted)
{
    if (w->full || (i >= in->words && !inserted))
        return;
    int first = i < in->words && upper(in->text.text[in->word[i].begin]);
    int looks = i == in->words || (first && (inserted || in->word[i].end - in->word[i].begin == 1));
    int all = shouts(in, i) || (looks && (shouts(in, i - 1) || shouts(in, i + 1)));
    for (int64_t k = from; k < w->bytes; k++)
        if ((all || (first && !inserted && k == from)) && lower(w->text[k]))
            w->text[k] = (char)(w->text[k] - 32);
}

/* The text of one edit, in the case that its place asks for. */
static void
put_edit(writer *w, const vn_sentence *in, const vn_edit *e, int opens)
{
    const char *text = in->text.text;
    int64_t from = w->bytes;
    int moved = e->text >= text && e->text < text + in->text.bytes, first = word_at(in, e->begin);
    put(w, e->text, e->bytes);
    if (w->full || e->bytes == 0)
        return;
    if (!moved)
        follow_case(w, from, in, first, e->begin == e->end);
    else if (opens && e->text == text + in->word[0].begin && in->word[0].lemma >= 0) /* an unknown word may be a name */
        w->text[from] = (char)(w->text[from] + 32);
}

/* The first edit takes in the word behind it, of which this byte of the variant got another case. */
static void
widen(vn_place *place, int places, const vn_sentence *in, int64_t at)
{
    if (at < place[0].made_end || (places > 1 && at >= place[1].made))
        return;
    int i = word_at(in, place[0].end + at - place[0].made_end);
    int32_t more = in->word[i].end - place[0].end;
    if (places > 1 && place[1].begin < place[0].end + more)
        return;
    place[0].end += more;
    place[0].made_end += more;
}

/* The capital that opens the text: on its first letter, and not on a known word that now stands behind another. */
static void
open_text(writer *w, const vn_sentence *in, const vn_text *made, int64_t after, vn_place *place, int places)
{
    char *p = w->text, *end = w->text + w->bytes;
    while (p < end && vn_text_letter(p, end) == 0)
        p += vn_text_step(p, end);
    if (p < end && lower(*p)) {
        *p = (char)(*p - 32);
        widen(place, places, in, p - w->text);
    }
    const vn_edit *e = &made->edit[0];
    int pushed = e->begin == e->end && e->bytes > 0 && e->begin == in->word[0].begin && in->word[0].lemma >= 0;
    if (pushed && after < w->bytes && upper(w->text[after])) {
        w->text[after] = (char)(w->text[after] + 32);
        widen(place, places, in, after);
    }
}

int64_t
vn_text_apply(char *text, int64_t room, vn_place *place, uint8_t *places, const vn_sentence *in, const vn_text *made)
{
    writer w = {text, 0, room, 0};
    int opens = !made->raw && vn_sentence_opens(in);
    int64_t from = 0, first_end = 0;
    vn_place all = {0, 0, 0, 0};
    for (int i = 0; i < made->edits; i++) {
        vn_edit e = made->edit[i];
        int article = made->raw ? -1 : wrong_article(in, &e, from);
        int64_t begin = article < 0 ? e.begin : in->word[article].begin;
        put(&w, in->text.text + from, begin - from);
        vn_place p = {(int32_t)begin, e.end, (int32_t)w.bytes, 0};
        if (article >= 0) {
            put_article(&w, in, article, in->word[article].form == VN_A);
            put(&w, in->text.text + in->word[article].end, e.begin - in->word[article].end);
        }
        if (made->raw)
            put(&w, e.text, e.bytes);
        else
            put_edit(&w, in, &e, opens);
        p.made_end = (int32_t)w.bytes;
        first_end = i == 0 ? w.bytes : first_end;
        if (i == 0)
            all = p;
        all.end = p.end, all.made_end = p.made_end;
        if (i < VN_TEXT_PLACES)
            place[i] = p;
        from = e.end;
    }
    put(&w, in->text.text + from, in->text.bytes - from);
    if (opens && !w.full && made->edits > 0)
        open_text(&w, in, made, first_end, place, VN_MIN(made->edits, VN_TEXT_PLACES));
    *places = (uint8_t)VN_MIN(made->edits, VN_TEXT_PLACES);
    if (made->edits > VN_TEXT_PLACES) {
        place[0] = all;
        *places = 1;
    }
    return w.full ? -1 : w.bytes;
}
