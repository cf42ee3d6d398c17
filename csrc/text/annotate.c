/* Words of many captions on all threads: counted first, so that each is written where it stays. */
#include "vn_text.h"

#include "../core/vn_parallel.h"

enum { BLOCK = 64 }; /* captions an item of the parallel loop takes */

static void
count_block(void *arg, int64_t item, int worker)
{
    const vn_annotate_job *job = (const vn_annotate_job *)arg;
    vn_word word[VN_MAX_WORDS];
    (void)worker;
    for (int64_t i = item * BLOCK; i < job->N && i < (item + 1) * BLOCK; i++)
        job->offset[i + 1] = vn_words_cut(word, job->caption[i]);
}

void
vn_annotate_count(vn_annotate_job *job)
{
    job->offset[0] = 0;
    vn_parallel_for((job->N + BLOCK - 1) / BLOCK, count_block, job);
    for (int64_t i = 0; i < job->N; i++)
        job->offset[i + 1] += job->offset[i];
}

static void
tag_block(void *arg, int64_t item, int worker)
{
    const vn_annotate_job *job = (const vn_annotate_job *)arg;
    vn_word word[VN_MAX_WORDS];
    (void)worker;
    for (int64_t i = item * BLOCK; i < job->N && i < (item + 1) * BLOCK; i++) {
        int64_t first = job->tag == NULL ? 0 : job->tag_begin[i];
        int64_t tags = job->tag == NULL ? 0 : job->tag_begin[i + 1] - first;
        int words = vn_words_complete(word, job->caption[i], job->tag == NULL ? NULL : job->tag + first, tags);
        for (int k = 0; k < words; k++)
            job->word[job->offset[i] + k] = word[k];
    }
}

void
vn_annotate_tag(vn_annotate_job *job)
{
    vn_parallel_for((job->N + BLOCK - 1) / BLOCK, tag_block, job);
}
