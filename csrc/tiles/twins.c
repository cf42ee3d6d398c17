/* Which captions are true for which images, beyond each sample's own.
 *   caption with key k is true for image i  <=>  k is the key of a caption of a sample of i's group
 * Without keys only the group counts; without groups every sample is its own. Samples are sorted by (key, group) once;
 * columns whose key or group occurs once, nearly all, cost nothing in a tile. */
#include "vn_cells.h"

#include <string.h>

static inline int64_t
group_of(const vn_rows *in, int64_t sample)
{
    return in->group != NULL ? in->group[sample] : sample;
}

/* of a sample; samples are sorted by these, and not these themselves, which would take six times the room */
static inline vn_label
label_of(const vn_rows *in, int64_t sample, int by_key)
{
    int64_t group = group_of(in, sample);
    vn_label label = {by_key ? in->text_key[sample] : group, group};
    return label;
}

static inline int
before(vn_label a, vn_label b)
{
    return a.key != b.key ? a.key < b.key : a.group < b.group;
}

static void
sink(const vn_rows *in, int by_key, int32_t *x, int64_t i, int64_t n)
{
    int32_t top = x[i];
    vn_label sinking = label_of(in, top, by_key);
    for (int64_t child = 2 * i + 1; child < n; child = 2 * i + 1) {
        vn_label next = label_of(in, x[child], by_key);
        if (child + 1 < n && before(next, label_of(in, x[child + 1], by_key)))
            next = label_of(in, x[++child], by_key);
        if (!before(sinking, next))
            break;
        x[i] = x[child];
        i = child;
    }
    x[i] = top;
}

/* heap sort: the library's qsort may allocate */
static void
sort(const vn_rows *in, int by_key, int32_t *x, int64_t n)
{
    for (int64_t i = n / 2 - 1; i >= 0; i--)
        sink(in, by_key, x, i, n);
    for (int64_t end = n - 1; end > 0; end--) {
        int32_t t = x[0];
        x[0] = x[end];
        x[end] = t;
        sink(in, by_key, x, 0, end);
    }
}

/* the place of the first sample whose label is not before (key, group) */
static int64_t
find(const vn_tiles *t, int64_t key, int64_t group)
{
    vn_label want = {key, group};
    int64_t low = 0, high = t->live[VN_IMAGE].n;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (before(label_of(&t->in, t->sorted[middle], 1), want))
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
    if (at == t->live[VN_IMAGE].n)
        return 0;
    vn_label found = label_of(&t->in, t->sorted[at], 1);
    return found.key == key && found.group == group;
}

/* marks the samples whose group, or whose caption's key, occurs more than once; leaves them sorted by it */
static void
mark_repeats(vn_tiles *t, int by_key)
{
    const vn_live *live = &t->live[VN_IMAGE];
    for (int64_t p = 0; p < live->n; p++)
        t->sorted[p] = (int32_t)vn_live_row(live, p);
    sort(&t->in, by_key, t->sorted, live->n);
    for (int64_t p = 1; p < live->n; p++) {
        int32_t i = t->sorted[p], j = t->sorted[p - 1];
        if (label_of(&t->in, i, by_key).key == label_of(&t->in, j, by_key).key)
            t->twin[VN_TEXT][i] = t->twin[VN_TEXT][j] = 1;
    }
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
    for (int set = VN_NEG_TEXT; set <= VN_NEG_IMAGE; set++) {
        const vn_live *live = &t->live[set];
        memset(t->twin[set], 0, (size_t)(t->in.B * live->per));
        for (int64_t p = 0; t->in.text_key != NULL && t->in.neg_key != NULL && p < live->n; p++) {
            int64_t r = vn_live_row(live, p), key, at;
            if (!find_key(t, set, r, &key))
                continue;
            at = find(t, key, INT64_MIN);
            t->twin[set][r] = at < t->live[VN_IMAGE].n && t->in.text_key[t->sorted[at]] == key;
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
VN_FN(own_kind)(const vn_tiles *t, int64_t sample, int set, int64_t k)
{
    if (set == VN_IMAGE || set == VN_TEXT || (set == VN_SCORE && k == 0))
        return VN_PAIR;
    if (t->open && !VN_FN(slot_valid)(t, set, sample, k))
        return VN_VOID;
    if (set == VN_SCORE) { /* what is scored is a negative caption */
        set = VN_NEG_TEXT;
        k--;
    }
    int64_t number = sample * t->live[set].per + k;
    return t->twins && t->twin[set] != NULL && t->twin[set][number] && is_true(t, sample, set, number) ? VN_TWIN
                                                                                                      : VN_OTHER;
}

int
VN_FN(twins_pair)(const vn_tiles *t, int64_t i, int64_t j)
{
    return t->twins &&
           ((t->twin[VN_TEXT][j] && is_true(t, i, VN_TEXT, j)) || (t->twin[VN_TEXT][i] && is_true(t, j, VN_TEXT, i)));
}

/* What a tile's cells have to know of one of its rows or columns: the pair it belongs to, and its caption's key. */
typedef struct edited {
    int64_t pair, key;
    int masked, keyed;
} edited;

/* of a slot: one of a pair is masked where the other is missing, if only pairs are wanted */
static edited
edited_of(const vn_tiles *t, const vn_block *b, int set, int64_t number)
{
    int64_t per = t->live[set].per, sample = number / per, k = number % per, have = t->in.given[VN_NEG_TEXT];
    int64_t width = VN_MAX(t->live[VN_NEG_TEXT].per, t->live[VN_NEG_IMAGE].per);
    edited e = {set == VN_TEXT ? -1 : sample * width + k, 0, 0, 0};
    e.masked = set != VN_TEXT && (b->how & VN_PAIRED) != 0 && !VN_FN(slot_paired)(t, sample, k);
    if (!t->twins || t->in.text_key == NULL || t->in.neg_key == NULL)
        return e;
    e.keyed = set == VN_TEXT || k < have;
    e.key = set == VN_TEXT ? t->in.text_key[sample] : e.keyed ? t->in.neg_key[sample * have + k] : 0;
    return e;
}

/* Kinds of a block between edited images and captions. The pair is the caption of the same slot; an image is said to
 * show another caption when its own has that caption's key. */
static void
mark_edited(const vn_tiles *t, const vn_block *b, uint8_t *kind, const vn_place *at)
{
    edited column[VN_TILE_COLS];
    for (int64_t j = 0; j < at->cols; j++)
        column[j] = edited_of(t, b, b->cols, vn_live_row(&t->live[b->cols], at->c0 + j));
    for (int64_t i = 0; i < at->rows; i++) {
        edited row = edited_of(t, b, VN_NEG_IMAGE, vn_live_row(&t->live[VN_NEG_IMAGE], at->r0 + i));
        for (int64_t j = 0; j < at->cols; j++) {
            const edited *c = &column[j];
            int twin = row.keyed && c->keyed && row.key == c->key;
            int seen = row.pair == c->pair ? VN_PAIR : twin ? VN_TWIN : VN_OTHER;
            kind[i * VN_TILE_PITCH + j] = (uint8_t)(row.masked || c->masked ? VN_MASKED : seen);
        }
    }
}

/* what cell (row, column) is, of a column that some row may have for a twin */
static int
is_twin(const vn_tiles *t, const vn_block *b, int64_t row, int64_t column)
{
    int64_t i = row / t->live[b->rows].per, j = column / t->live[b->cols].per;
    if (b->rows == b->cols)
        return VN_FN(twins_pair)(t, i, j);
    if (b->cols == VN_TEACHER_TEXT)
        return is_true(t, i, VN_TEXT, column);
    if (b->cols == VN_POS_TEXT || b->cols == VN_POS_IMAGE)
        return i != j && group_of(&t->in, i) == group_of(&t->in, j);
    return is_true(t, i, b->cols, column);
}

static int
may_be_twin(const vn_tiles *t, const vn_block *b, int64_t column)
{
    int own = b->cols == VN_NEG_TEXT || b->cols == VN_NEG_IMAGE;
    return t->twins && t->twin[own ? b->cols : VN_TEXT][own ? column : column / t->live[b->cols].per];
}

/* kinds of one column; stride VN_TILE_PITCH */
static void
mark_column(const vn_tiles *t, const vn_block *b, uint8_t *kind, const vn_place *at, int64_t column)
{
    const vn_live *left = &t->live[b->rows];
    int64_t j = column / t->live[b->cols].per, k = column % t->live[b->cols].per;
    int hollow = t->open && !VN_FN(slot_valid)(t, b->cols, j, k);
    if (!hollow && !may_be_twin(t, b, column))
        return;
    for (int64_t i = 0; i < at->rows; i++) {
        int64_t row = vn_live_row(left, at->r0 + i);
        if (hollow || is_twin(t, b, row, column))
            kind[i * VN_TILE_PITCH] = hollow ? VN_VOID : VN_TWIN;
    }
}

static int
is_single(int set)
{
    return set == VN_IMAGE || set == VN_TEXT || set == VN_TEACHER_IMAGE || set == VN_TEACHER_TEXT;
}

/* An image and its caption, or a teacher's, have the same place; of a set with itself, a row is no pair with itself. */
static void
mark_pairs(const vn_block *b, uint8_t *kind, const vn_place *at)
{
    int pairs = is_single(b->rows) && is_single(b->cols);
    int64_t first = VN_MAX(at->r0, at->c0), end = VN_MIN(at->r0 + at->rows, at->c0 + at->cols);
    for (int64_t p = first; pairs && p < end; p++)
        kind[(p - at->r0) * VN_TILE_PITCH + p - at->c0] = b->rows == b->cols ? VN_MASKED : VN_PAIR;
}

void
VN_FN(twins_mark)(const vn_tiles *t, const vn_block *b, uint8_t *kind, const vn_place *at)
{
    if (b->rows == VN_NEG_IMAGE) {
        mark_edited(t, b, kind, at);
        return;
    }
    for (int64_t i = 0; i < at->rows; i++)
        memset(kind + i * VN_TILE_PITCH, VN_OTHER, (size_t)at->cols);
    for (int64_t j = 0; (t->twins || t->open) && j < at->cols; j++)
        mark_column(t, b, kind + j, at, vn_live_row(&t->live[b->cols], at->c0 + j));
    mark_pairs(b, kind, at);
}
