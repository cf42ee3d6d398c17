/* Drives the generators: every row and slot, on all threads with up to ten further draws when a rule fails.
 *
 * A slot's result depends on its caption, the true captions, the earlier slots of its row, the seed and the row's
 * number alone, so batches, threads and order change nothing. */
#include "../vn_negative.h"

#include <string.h>

#include "../core/vn_parallel.h"

enum { BLOCK = 32, DRAWS = 11 }; /* rows an item of the parallel loop takes; one draw and ten more */

#define VN_TEXT(name, number) extern const vn_text_maker vn_text_##name;
#include "../vn_registry.def"

const vn_text_maker *
vn_text_listed(int i, uint32_t *stream)
{
    static const struct {
        const vn_text_maker *maker;
        uint32_t stream;
    } list[] = {
#define VN_TEXT(name, number) {&vn_text_##name, number},
#include "../vn_registry.def"
    };
    if (i < 0 || i >= (int)(sizeof list / sizeof list[0]))
        return NULL;
    *stream = list[i].stream;
    return list[i].maker;
}

static int
holds(vn_span text, const char *part)
{
    int64_t n = (int64_t)strlen(part);
    const char *p = text.text, *end = text.text + text.bytes;
    while (end - p >= n && (p = memchr(p, *part, (size_t)(end - p - n + 1))) != NULL) {
        if (memcmp(p, part, (size_t)n) == 0)
            return 1;
        p++;
    }
    return 0;
}

static int
among(vn_span text, const vn_span *list, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (vn_key_equal(text, list[i]))
            return 1;
    return 0;
}

/* Whether a word now stands right behind itself: "a train train". */
static int
stutters(const vn_sentence *in, vn_span made)
{
    int doubled = vn_key_doubled(made);
    return doubled > 0 && doubled > vn_key_doubled(in->text);
}

/* Whether what was drawn for slot (i,k) is a negative: the rules that need the rest of the row. */
static vn_reason
judge(const vn_text_job *job, const vn_sentence *in, vn_span made, int64_t i, int64_t k)
{
    int64_t room = in->text.bytes + VN_TEXT_GROWTH;
    if (vn_key_empty(made))
        return VN_EMPTY;
    if (vn_key_equal(made, in->text) || among(made, in->truth, in->truths))
        return VN_SAME;
    if (among(made, job->taken + job->taken_begin[i], job->taken_begin[i + 1] - job->taken_begin[i]))
        return VN_REPEAT;
    for (int64_t j = 0; j < k; j++) {
        vn_span earlier = {job->text + job->at[i] + j * room, job->bytes[i * job->K + j]};
        if (job->reason[i * job->K + j] == VN_VALID && vn_key_equal(made, earlier))
            return VN_REPEAT;
    }
    return VN_VALID;
}

/* How many variants of this generator, with its parameters, the row has before slot k. */
static int
used(const vn_text_job *job, const vn_text_slot *slot, int64_t i, int64_t k)
{
    int n = 0;
    for (int64_t j = 0; j < k; j++) {
        const vn_text_slot *s = &job->slot[j * job->P + job->by[i * job->K + j]];
        n += s->maker == slot->maker && memcmp(s->param, slot->param, sizeof s->param) == 0 &&
             job->reason[i * job->K + j] == VN_VALID;
    }
    return n;
}

static vn_reason
draw_from(const vn_text_job *job, const vn_text_slot *slot, const vn_sentence *in, vn_text *made, int64_t i, int64_t k)
{
    int64_t at = i * job->K + k, room = in->text.bytes + VN_TEXT_GROWTH;
    vn_span out = {job->text + job->at[i] + k * room, 0};
    vn_rng rng = {job->seed, job->row[i], slot->number << 16, slot->stream};
    vn_reason reason = VN_EMPTY;
    int most = VN_MAX(used(job, slot, i, k), 1); /* as many variants are all drawn */
    for (int draw = 0; draw < DRAWS; draw++) {
        made->edits = made->raw = made->kind = made->variants = made->said = 0;
        reason = slot->maker->make(made, in, slot->param, &rng);
        if (reason == VN_VALID) {
            out.bytes = vn_text_apply(job->text + job->at[i] + k * room, room, job->place + at * VN_TEXT_PLACES,
                                      &job->places[at], in, made);
            reason = out.bytes < 0 ? VN_EMPTY : judge(job, in, out, i, k);
            if (reason == VN_VALID && !made->raw && stutters(in, out))
                reason = VN_REPEAT;
        }
        if ((made->variants > 0 && made->variants <= most) ||
            (reason != VN_SAME && reason != VN_REPEAT && reason != VN_ABSENT))
            break;
    }
    job->bytes[at] = VN_MAX(out.bytes, 0);
    return reason;
}

static void
draw_slot(const vn_text_job *job, const vn_sentence *in, vn_text *made, int64_t i, int64_t k)
{
    int64_t at = i * job->K + k;
    vn_reason reason = VN_EMPTY;
    for (int64_t t = 0; t < job->P && (t == 0 || reason != VN_VALID); t++) {
        job->by[at] = job->order == NULL ? (uint8_t)t : job->order[at * job->P + t];
        reason = draw_from(job, &job->slot[k * job->P + job->by[at]], in, made, i, k);
    }
    job->reason[at] = (uint8_t)reason;
    job->kind[at] = (uint8_t)made->kind;
}

static void
draw_row(const vn_text_job *job, int64_t i)
{
    vn_word word[VN_MAX_WORDS];
    vn_text made;
    made.keep[0].author = made.keep[1].author = NULL;
    made.kept_last = 0;
    const vn_span *truth = job->avoid + job->avoid_begin[i];
    vn_sentence in = {job->caption[i], word, 0, truth, job->avoid_begin[i + 1] - job->avoid_begin[i]};
    if (!holds(in.text, "<mask>") && !holds(in.text, "###")) { /* no words: nothing to edit */
        if (job->word != NULL) {
            in.word = job->word + job->word_begin[i];
            in.words = (int)(job->word_begin[i + 1] - job->word_begin[i]);
        }
        else
            in.words = vn_words_tag(word, in.text);
    }
    for (int64_t k = 0; k < job->K; k++)
        draw_slot(job, &in, &made, i, k);
}

static void
draw_block(void *arg, int64_t item, int worker)
{
    const vn_text_job *job = (const vn_text_job *)arg;
    (void)worker;
    for (int64_t i = item * BLOCK; i < job->N && i < (item + 1) * BLOCK; i++)
        draw_row(job, i);
}

void
vn_text_draw(vn_text_job *job)
{
    vn_parallel_for((job->N + BLOCK - 1) / BLOCK, draw_block, job);
}
