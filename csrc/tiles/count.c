/* What is known of a batch beside its loss: cosines of true pairs, how many negatives are told apart, and the notes
 * from which margins adapt. */
#include "vn_cells.h"

static void
pair_group(void *arg, int64_t l, int worker)
{
    const vn_tiles *t = arg;
    int64_t E = t->in.E, begin, end;
    (void)worker;
    vn_group_range(t, VN_IMAGE, l, &begin, &end);
    for (int64_t p = begin; p < end; p++) {
        int64_t i = vn_live_row(&t->live[VN_IMAGE], p);
        t->pair[i] = vn_dot(t->in.x[VN_IMAGE] + i * E, t->in.x[VN_TEXT] + i * E, E);
    }
}

void
VN_FN(pairs_find)(const vn_tiles *t)
{
    vn_parallel_for(t->groups, pair_group, (void *)t);
}

/* one negative caption, of cosine c with its image */
static void
note(double *notes, double pair, double c)
{
    notes[1] += pair - c;
    notes[2] = notes[0] == 0.0 ? pair - c : VN_MAX(notes[2], pair - c);
    notes[3] += c;
    notes[4] += c != 0.0 ? 1.0 : 0.0;
    notes[0] += 1.0;
}

/* given negative captions whose cosine with the image is below the true caption's; notes of all of them */
static void
count_group(void *arg, int64_t l, int worker)
{
    const vn_tiles *t = arg;
    const vn_live *live = &t->live[VN_NEG_TEXT];
    vn_cells x = VN_FN(cells_of)(t, worker);
    int64_t E = t->in.E, begin, end, given;
    vn_group_range(t, VN_NEG_TEXT, l, &begin, &end);
    for (int64_t p = begin; p < end; p++) {
        int64_t number = vn_live_row(live, p), i = number / live->per, k = number % live->per;
        const float *row = x.right;
        vn_blend b;
        int made = vn_made_number(t, VN_NEG_TEXT, number, &given);
        if (!VN_FN(slot_valid)(t, VN_NEG_TEXT, i, k) || (made >= 0 && t->notes == NULL))
            continue;
        if (made < 0)
            row = t->in.x[VN_NEG_TEXT] + given * E;
        else if (VN_FN(made_of)(t, made, i, &b))
            VN_FN(made_row)(t, &b, x.right);
        float c = vn_dot(t->in.x[VN_IMAGE] + i * E, row, E);
        if (t->notes != NULL)
            note(t->notes + (l * live->per + k) * VN_NOTES, (double)t->pair[i], (double)c);
        if (made < 0) {
            t->counts[2 * l] += 1;
            t->counts[2 * l + 1] += c < t->pair[i];
        }
    }
}

/* the groups' notes, in their order, to one */
static void
merge_notes(const vn_tiles *t)
{
    int64_t K = t->live[VN_NEG_TEXT].per;
    memset(t->in.notes, 0, (size_t)K * VN_NOTES * sizeof(double));
    for (int64_t l = 0; l < t->groups; l++)
        for (int64_t k = 0; k < K; k++) {
            double *to = t->in.notes + k * VN_NOTES, *of = t->notes + (l * K + k) * VN_NOTES;
            if (of[0] > 0.0)
                to[2] = to[0] == 0.0 ? of[2] : VN_MAX(to[2], of[2]);
            to[0] += of[0];
            to[1] += of[1];
            to[3] += of[3];
            to[4] += of[4];
        }
}

void
VN_FN(count_run)(const vn_tiles *t)
{
    size_t noted = (size_t)(t->groups * t->live[VN_NEG_TEXT].per) * VN_NOTES * sizeof(double);
    memset(t->counts, 0, 2 * (size_t)t->groups * sizeof *t->counts);
    if (t->notes != NULL)
        memset(t->notes, 0, noted);
    if (t->live[VN_NEG_TEXT].n > 0)
        vn_parallel_for(t->groups, count_group, (void *)t);
    if (t->notes != NULL)
        merge_notes(t);
}
