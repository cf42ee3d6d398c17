/* Which slots take part, how they are cut into groups, and whether the rows given are finite. */
#include "vn_cells.h"

static int
exists(const vn_rows *in, int64_t i)
{
    return in->exists == NULL || in->exists[i];
}

void
VN_FN(live_find)(vn_tiles *t)
{
    int64_t n = 0;
    for (int64_t i = 0; i < t->in.B; i++) {
        if (!exists(&t->in, i))
            continue;
        if (t->live_row[VN_IMAGE] != NULL)
            t->live_row[VN_IMAGE][n] = t->live_row[VN_TEXT][n] = (int32_t)i;
        n++;
    }
    t->groups = VN_MIN(VN_MAX(n / 256, 1), VN_MAX_GROUPS);
    int64_t size = ((n + t->groups - 1) / t->groups + 15) & ~(int64_t)15;
    for (int set = VN_IMAGE; set <= VN_TEXT; set++) {
        vn_live *live = &t->live[set];
        live->n = live->samples = live->valid = live->valid_samples = n;
        live->row = t->live_row[set];
        for (int64_t l = 0; l <= t->groups; l++)
            live->cut[l] = VN_MIN(n, l * size);
    }
}

int
VN_FN(slot_taken)(const vn_tiles *t, int set, int64_t i, int64_t k)
{
    const vn_rows *in = &t->in;
    int64_t have = in->given[set];
    vn_blend b;
    if (k < have)
        return t->open || in->valid[set] == NULL || in->valid[set][i * have + k];
    return VN_FN(made_of)(t, t->live[set].made[k - have], i, &b);
}

int
VN_FN(slot_valid)(const vn_tiles *t, int set, int64_t i, int64_t k)
{
    int64_t have = t->in.given[set];
    return k >= have || t->in.valid[set] == NULL || t->in.valid[set][i * have + k];
}

int
VN_FN(slot_paired)(const vn_tiles *t, int64_t i, int64_t k)
{
    return k < t->in.given[VN_NEG_TEXT] && k < t->in.given[VN_NEG_IMAGE] && VN_FN(slot_valid)(t, VN_NEG_TEXT, i, k) &&
           VN_FN(slot_valid)(t, VN_NEG_IMAGE, i, k);
}

/* the slots of one sample, from live->n on */
static void
find_slots(vn_tiles *t, int set, int64_t i)
{
    vn_live *live = &t->live[set];
    int64_t taken = live->n, valid = live->valid;
    for (int64_t k = 0; k < live->per; k++) {
        if (!VN_FN(slot_taken)(t, set, i, k))
            continue;
        if (live->row != NULL)
            t->live_row[set][live->n] = (int32_t)(i * live->per + k);
        live->n++;
        if (set == VN_SCORE && k == 0) /* the caption's own score makes no sample one with negatives */
            taken++;
        live->valid += VN_FN(slot_valid)(t, set, i, k);
        t->paired += set == VN_NEG_TEXT && VN_FN(slot_paired)(t, i, k);
    }
    live->samples += live->n > taken;
    live->valid_samples += live->valid > valid + (set == VN_SCORE && VN_FN(slot_valid)(t, set, i, 0));
}

/* whether sample i has a slot of a set that use u may see */
static int
has(const vn_tiles *t, int u, int set, int64_t i)
{
    for (int64_t k = 0; k < t->live[set].per; k++)
        if (VN_FN(slot_taken)(t, set, i, k) && (t->objective->use[u].open || VN_FN(slot_valid)(t, set, i, k)))
            return 1;
    return 0;
}

static void
count_both(vn_tiles *t)
{
    const vn_live *image = &t->live[VN_IMAGE];
    for (int u = 0; u < t->objective->terms; u++) {
        t->both[u] = 0;
        for (int64_t p = 0; t->with[u] != 0 && p < image->n; p++) {
            int64_t i = vn_live_row(image, p);
            t->both[u] += has(t, u, t->mean[u], i) && has(t, u, t->with[u], i);
        }
    }
}

void
VN_FN(live_find_negatives)(vn_tiles *t)
{
    const vn_live *image = &t->live[VN_IMAGE];
    t->paired = 0;
    for (int set = VN_NEG_TEXT; set < VN_SETS; set++) {
        vn_live *live = &t->live[set];
        live->n = live->samples = live->valid = live->valid_samples = 0;
        live->row = t->live_row[set];
        for (int64_t l = 0; l < t->groups; l++) {
            live->cut[l] = live->n;
            for (int64_t p = image->cut[l]; p < image->cut[l + 1]; p++)
                find_slots(t, set, vn_live_row(image, p));
        }
        live->cut[t->groups] = live->n;
    }
    count_both(t);
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
    int64_t E = job->t->in.E, begin, end, given;
    (void)worker;
    vn_group_range(job->t, job->set, l, &begin, &end);
    job->t->counts[l] = -1;
    for (int64_t p = begin; p < end && job->t->counts[l] < 0; p++) {
        int64_t number = vn_live_row(live, p);
        if (vn_made_number(job->t, job->set, number, &given) >= 0)
            continue;
        const float *x = job->t->in.x[job->set] + given * E;
        if (!(vn_dot(x, x, E) <= 1e12f))
            job->t->counts[l] = number / live->per;
    }
}

vn_status
VN_FN(live_check)(const vn_tiles *t, int set, vn_error *error)
{
    static const char *const name[VN_SETS] = {"image",     "text",          "neg_text",     "neg_image", "pos_text",
                                              "pos_image", "teacher_image", "teacher_text", "score"};
    check_job job = {t, set};
    vn_parallel_for(t->groups, check_group, &job);
    for (int64_t l = 0; l < t->groups; l++)
        if (t->counts[l] >= 0)
            return vn_fail(error, VN_EVALUE,
                           "%s of sample %lld holds NaN, infinity or numbers far too large for a "
                           "unit row; normalise rows to length 1 and mask those that hold nothing",
                           name[set], (long long)t->counts[l]);
    return VN_OK;
}
