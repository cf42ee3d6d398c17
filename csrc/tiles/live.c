/* Which rows take part, and whether they are finite. */
#include "vn_cells.h"

void
VN_FN(live_find)(vn_tiles *t)
{
    const vn_rows *in = &t->in;
    int64_t n = 0, negatives = 0;
    for (int64_t i = 0; i < in->B; i++) {
        if (in->exists != NULL && !in->exists[i])
            continue;
        if (in->exists != NULL)
            t->live_row[VN_IMAGE][n] = t->live_row[VN_TEXT][n] = (int32_t)i;
        n++;
        for (int64_t k = i * in->K; k < (i + 1) * in->K; k++) {
            if (in->valid != NULL && !in->valid[k])
                continue;
            if (t->live_row[VN_NEG_TEXT] != NULL)
                t->live_row[VN_NEG_TEXT][negatives] = (int32_t)k;
            negatives++;
        }
    }
    for (int set = 0; set < VN_SETS; set++) {
        t->live[set].n = set == VN_NEG_TEXT ? negatives : n;
        t->live[set].row = t->live_row[set];
    }
    t->groups = VN_MIN(VN_MAX(n / 256, 1), VN_MAX_GROUPS);
}

typedef struct check_job {
    const vn_tiles *t;
    int set;
} check_job;

/* the first bad row of a group, or -1 */
static void
check_group(void *arg, int64_t l, int worker)
{
    const check_job *job = arg;
    const vn_live *live = &job->t->live[job->set];
    int64_t E = job->t->in.E, begin, end;
    (void)worker;
    vn_group_range(job->t, live->n, l, &begin, &end);
    job->t->counts[l] = -1;
    for (int64_t p = begin; p < end && job->t->counts[l] < 0; p++) {
        int64_t row = vn_live_row(live, p);
        const float *x = job->t->in.x[job->set] + row * E;
        if (!(vn_dot(x, x, E) <= 1e12f))
            job->t->counts[l] = row;
    }
}

vn_status
VN_FN(live_check)(const vn_tiles *t, vn_error *error)
{
    static const char *const name[VN_SETS] = {"image", "text", "neg_text"};
    for (int set = 0; set < VN_SETS; set++) {
        check_job job = {t, set};
        vn_parallel_for(t->groups, check_group, &job);
        for (int64_t l = 0; l < t->groups; l++)
            if (t->counts[l] >= 0)
                return vn_fail(error, VN_EVALUE,
                               "%s of sample %lld holds NaN, infinity or numbers far too large for a "
                               "unit row; normalise rows to length 1 and mask those that hold nothing",
                               name[set], (long long)(t->counts[l] / t->live[set].per));
    }
    return VN_OK;
}
