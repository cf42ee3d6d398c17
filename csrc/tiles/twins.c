/* Which captions are true for which images, beyond each sample's own.
 *   caption with key k is true for image i  <=>  k is the key of a caption of a sample of i's group
 * Without keys only the group counts; without groups every sample is its own. Labels (key, group) are sorted once;
 * columns whose key or group occurs once, nearly all, cost nothing in a tile. */
#include "vn_cells.h"

#include <string.h>

static inline int
before(vn_label a, vn_label b)
{
    return a.key != b.key ? a.key < b.key : a.group < b.group;
}

static void
sink(vn_label *x, int64_t i, int64_t n)
{
    vn_label top = x[i];
    for (int64_t child = 2 * i + 1; child < n; child = 2 * i + 1) {
        if (child + 1 < n && before(x[child], x[child + 1]))
            child++;
        if (!before(top, x[child]))
            break;
        x[i] = x[child];
        i = child;
    }
    x[i] = top;
}

/* heap sort: the library's qsort may allocate */
static void
sort(vn_label *x, int64_t n)
{
    for (int64_t i = n / 2 - 1; i >= 0; i--)
        sink(x, i, n);
    for (int64_t end = n - 1; end > 0; end--) {
        vn_label t = x[0];
        x[0] = x[end];
        x[end] = t;
        sink(x, 0, end);
    }
}

static inline int64_t
group_of(const vn_rows *in, int64_t sample)
{
    return in->group != NULL ? in->group[sample] : sample;
}

/* the first label not before (key, group) */
static int64_t
find(const vn_tiles *t, int64_t key, int64_t group)
{
    vn_label want = {key, group, 0};
    int64_t low = 0, high = t->live[VN_IMAGE].n;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (before(t->label[middle], want))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int
holds(const vn_tiles *t, int64_t key, int64_t group)
{
    int64_t at = find(t, key, group);
    return at < t->live[VN_IMAGE].n && t->label[at].key == key && t->label[at].group == group;
}

/* marks the samples whose group, or whose caption's key, occurs more than once; leaves the labels sorted by it */
static void
mark_repeats(vn_tiles *t, int by_key)
{
    const vn_live *live = &t->live[VN_IMAGE];
    for (int64_t p = 0; p < live->n; p++) {
        int64_t i = vn_live_row(live, p), group = group_of(&t->in, i);
        vn_label label = {by_key ? t->in.text_key[i] : group, group, (int32_t)i};
        t->label[p] = label;
    }
    sort(t->label, live->n);
    for (int64_t p = 1; p < live->n; p++)
        if (t->label[p].key == t->label[p - 1].key)
            t->twin[VN_TEXT][t->label[p].sample] = t->twin[VN_TEXT][t->label[p - 1].sample] = 1;
}

void
VN_FN(twins_find)(vn_tiles *t)
{
    memset(t->twin[VN_TEXT], 0, (size_t)t->in.B);
    if (t->in.group != NULL)
        mark_repeats(t, 0);
    if (t->in.text_key != NULL)
        mark_repeats(t, 1);
}

/* the key of the caption that a negative slot is, or that a made image would have; 0: there is none */
static int
find_key(const vn_tiles *t, int set, int64_t number, int64_t *key)
{
    int64_t given;
    int made = vn_made_number(t, set, number, &given);
    vn_blend b;
    if (set == VN_NEG_TEXT && made < 0) {
        *key = t->in.neg_key[given];
        return 1;
    }
    for (int p = made >= 0 && set == VN_NEG_IMAGE ? VN_FN(made_of)(t, made, number / t->live[set].per, &b) : 0; p > 0;)
        if (b.part[--p].set == VN_NEG_TEXT) {
            *key = t->in.neg_key[b.part[p].row];
            return 1;
        }
    return 0;
}

void
VN_FN(twins_find_negatives)(vn_tiles *t)
{
    for (int set = VN_NEG_TEXT; set < VN_SETS; set++) {
        const vn_live *live = &t->live[set];
        memset(t->twin[set], 0, (size_t)(t->in.B * live->per));
        for (int64_t p = 0; t->in.text_key != NULL && t->in.neg_key != NULL && p < live->n; p++) {
            int64_t r = vn_live_row(live, p), key, at;
            if (!find_key(t, set, r, &key))
                continue;
            at = find(t, key, INT64_MIN);
            t->twin[set][r] = at < t->live[VN_IMAGE].n && t->label[at].key == key;
        }
    }
}

/* whether the caption in this slot of the set is true for the sample's image; of an image that was made, whether it
 * is said to show what the sample's caption says */
static int
is_true(const vn_tiles *t, int64_t sample, int set, int64_t number)
{
    const vn_rows *in = &t->in;
    int64_t group = group_of(in, sample), key;
    if (set == VN_TEXT)
        return group_of(in, number) == group || (in->text_key != NULL && holds(t, in->text_key[number], group));
    if (!find_key(t, set, number, &key))
        return 0;
    return set == VN_NEG_IMAGE ? key == in->text_key[sample] : holds(t, key, group);
}

int
VN_FN(twins_own)(const vn_tiles *t, int64_t sample, int set, int64_t number)
{
    return t->twins && t->twin[set][number] && is_true(t, sample, set, number);
}

int
VN_FN(twins_pair)(const vn_tiles *t, int64_t i, int64_t j)
{
    return t->twins &&
           ((t->twin[VN_TEXT][j] && is_true(t, i, VN_TEXT, j)) || (t->twin[VN_TEXT][i] && is_true(t, j, VN_TEXT, i)));
}

void
VN_FN(twins_mark)(const vn_tiles *t, const vn_block *b, uint8_t *kind, const vn_place *at)
{
    int pairs = b->rows == VN_IMAGE && b->cols == VN_TEXT;
    for (int64_t i = 0; i < at->rows; i++)
        memset(kind + i * VN_TILE_PITCH, VN_OTHER, (size_t)at->cols);
    for (int64_t j = 0; j < at->cols; j++) {
        int64_t column = vn_live_row(&t->live[b->cols], at->c0 + j);
        for (int64_t i = 0; t->twins && t->twin[b->cols][column] && i < at->rows; i++) {
            int64_t row = vn_live_row(&t->live[b->rows], at->r0 + i);
            if (is_true(t, row / t->live[b->rows].per, b->cols, column))
                kind[i * VN_TILE_PITCH + j] = VN_TWIN;
        }
        int64_t i = at->c0 + j - at->r0; /* an image and its caption have the same place */
        if (pairs && i >= 0 && i < at->rows)
            kind[i * VN_TILE_PITCH + j] = VN_PAIR;
    }
}
