/* Words and annotations of noise, with a tagger's noise; run under sanitizers. Exit status 0: all held. */
#include <stdlib.h>
#include <string.h>

#include "../../csrc/core/vn_parallel.h"
#include "../../csrc/core/vn_philox.h"
#include "../../csrc/text/vn_text.h"
#include "check.h"

enum { N = 500, LONGEST = 90 };

static const char *const piece[] = {
    "a", "an", "dogs", "red", "orange", "and", "next to", "in front of", " ", " ", " ", "-", "'", "'s", "\xE2\x80\x99",
    "\xE2\x80", "\xC3\xA9", "\xF0\x9F\x9A\x8C", "\xFF", "running", "sheep", "right", "lean", "it's", "x-ray", "8th", "\n",
};

/* a caption in memory of its exact size, so that a read past its end shows */
static vn_span
draw(vn_rng *rng)
{
    char text[LONGEST * 12];
    int64_t n = vn_rng_below(rng, LONGEST), bytes = 0;
    for (int64_t i = 0; i < n; i++) {
        const char *p = piece[vn_rng_below(rng, (int64_t)(sizeof piece / sizeof piece[0]))];
        memcpy(text + bytes, p, strlen(p));
        bytes += (int64_t)strlen(p);
    }
    char *tight = fresh((size_t)bytes);
    memcpy(tight, text, (size_t)bytes);
    vn_span span = {tight, bytes};
    return span;
}

static void
check_words(const vn_annotate_job *job)
{
    for (int64_t i = 0; i < job->N; i++) {
        int32_t before = 0;
        CHECK(job->offset[i + 1] - job->offset[i] <= VN_MAX_WORDS);
        for (int64_t k = job->offset[i]; k < job->offset[i + 1]; k++) {
            const vn_word *w = &job->word[k];
            CHECK(w->begin >= before && w->end > w->begin && w->end <= job->caption[i].bytes);
            CHECK(strchr("NVARPDCMXUT", w->kind) != NULL && w->form >= VN_BASE && w->form <= VN_MUTUAL);
            CHECK(w->lemma >= -1 && w->lemma < vn_lexicon_size());
            before = w->end;
        }
    }
}

/* the same bits with 1 and 4 threads */
static void
annotate(vn_annotate_job *job)
{
    int64_t offset[N + 1];
    job->offset = offset;
    vn_parallel_set_threads(4);
    vn_annotate_count(job);
    size_t bytes = (size_t)(offset[N] + 1) * sizeof(vn_word);
    vn_word *many = calloc(1, bytes), *one = calloc(1, bytes);
    job->word = many;
    vn_annotate_tag(job);
    check_words(job);
    vn_parallel_set_threads(1);
    job->word = one;
    vn_annotate_tag(job);
    CHECK(memcmp(one, many, bytes) == 0);
    free(many), free(one);
}

int
main(void)
{
    vn_rng rng = {11, 0, 0, 0};
    vn_span caption[N];
    int64_t begin[N + 1] = {0};
    vn_tag *tag = fresh(N * 20 * sizeof *tag);
    for (int i = 0; i < N; i++) {
        caption[i] = draw(&rng);
        int32_t at = 0;
        begin[i + 1] = begin[i];
        for (int64_t k = vn_rng_below(&rng, 20); k > 0; k--) {
            at += (int32_t)vn_rng_below(&rng, 12); /* in order; some overlap, some lie behind the caption */
            vn_tag t = {at, at + (int32_t)vn_rng_below(&rng, 15), "NVARPDCMXUT"[vn_rng_below(&rng, 12)]};
            tag[begin[i + 1]++] = t;
        }
    }
    vn_annotate_job job = {caption, NULL, NULL, N, NULL, NULL};
    annotate(&job);
    job.tag = tag, job.tag_begin = begin;
    annotate(&job);
    for (int i = 0; i < N; i++)
        free((void *)caption[i].text);
    free(tag);
    return failures != 0;
}
