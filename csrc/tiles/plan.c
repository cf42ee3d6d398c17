/* The plan of one call: which rows live, which blocks the terms read, and where everything lies. */
#include "vn_cells.h"

static int
is_read(const vn_reading *r, const vn_use *use)
{
    return r->param == 0 || use->param[r->param - 1] == (float)r->value;
}

/* the block of these sets, a new one when there is none */
static vn_block *
find_block(vn_tiles *t, const vn_reading *r)
{
    int diag = (r->how & VN_DIAG) != 0;
    for (int i = 0; i < t->blocks; i++)
        if (t->block[i].rows == r->rows && t->block[i].cols == r->cols && t->block[i].diag == diag)
            return &t->block[i];
    vn_block *b = &t->block[t->blocks++];
    b->rows = r->rows;
    b->cols = r->cols;
    b->diag = diag;
    b->readers = 0;
    return b;
}

static void
plan_blocks(vn_tiles *t)
{
    t->blocks = 0;
    t->twins = 0;
    for (int u = 0; u < t->objective->terms; u++) {
        const vn_use *use = &t->objective->use[u];
        const vn_reading *r = VN_FN(terms)[use->term]->reads;
        t->twins |= use->twins != VN_TWINS_OFF && (t->in.group != NULL || t->in.text_key != NULL);
        for (int i = 0; r[i].how != 0; i++) {
            if (!is_read(&r[i], use))
                continue;
            vn_block *b = find_block(t, &r[i]);
            vn_reader reader = {u, i, r[i].how};
            b->reader[b->readers++] = reader;
        }
    }
}

/* statistics of every set that a term joins, each once */
static void
take_stats(vn_tiles *t, vn_arena *arena, const int64_t *count)
{
    uint8_t joined[VN_MAX_TERMS][VN_SETS] = {{0}};
    for (int b = 0; b < t->blocks; b++)
        for (int i = 0; i < t->block[b].readers; i++) {
            vn_reader r = t->block[b].reader[i];
            joined[r.use][t->block[b].rows] |= (r.how & VN_BY_ROW) != 0;
            joined[r.use][t->block[b].cols] |= (r.how & VN_BY_COL) != 0;
        }
    for (int u = 0; u < t->objective->terms; u++)
        for (int set = 0; set < VN_SETS; set++)
            if (joined[u][set]) {
                t->stat[u][set].top = vn_arena_floats(arena, count[set] + 16); /* whole vectors past the end */
                t->stat[u][set].sum = vn_arena_floats(arena, count[set] + 16);
            }
}

void
VN_FN(tiles_layout)(vn_tiles *t, vn_arena *arena, const vn_objective *objective, const vn_rows *in)
{
    int64_t count[VN_SETS] = {in->B, in->B, in->B * in->K};
    memset(t, 0, sizeof *t);
    t->in = *in;
    t->objective = objective;
    plan_blocks(t);
    for (int set = 0; set < VN_SETS; set++) {
        int some = in->exists != NULL || (set == VN_NEG_TEXT && in->valid != NULL);
        t->live_row[set] = some ? vn_arena_take(arena, (size_t)count[set] * sizeof(int32_t)) : NULL;
        t->live[set].per = set == VN_NEG_TEXT ? in->K : 1;
        t->twin[set] = t->twins && set != VN_IMAGE ? vn_arena_take(arena, (size_t)count[set]) : NULL;
    }
    take_stats(t, arena, count);
    t->share[0] = vn_arena_floats(arena, in->B);
    t->share[1] = vn_arena_floats(arena, in->B);
    t->label = t->twins ? vn_arena_take(arena, (size_t)in->B * sizeof(vn_label)) : NULL;
    t->loss = vn_arena_take(arena, VN_MAX_GROUPS * (size_t)objective->terms * sizeof(double));
    t->dlog = vn_arena_take(arena, VN_MAX_GROUPS * sizeof(double));
    t->counts = vn_arena_take(arena, VN_MAX_GROUPS * 2 * sizeof(int64_t));
    t->one = vn_arena_floats(arena, VN_TILE_COLS);
    t->zero = vn_arena_floats(arena, VN_TILE_COLS);
    t->infinity = vn_arena_floats(arena, VN_TILE_COLS);
    /* last, and by worker: pages of workers that never run are never touched */
    size_t tile = VN_TILE_ROWS * VN_TILE_PITCH, gathered = (VN_TILE_ROWS + VN_TILE_COLS) * (size_t)in->E;
    t->scratch_floats = 2 * tile + tile / 4 + 2 * VN_TILE_PITCH + 2 * gathered;
    t->scratch = vn_arena_take(arena, VN_MAX_THREADS * t->scratch_floats * sizeof(float));
}
