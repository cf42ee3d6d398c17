/* The plan of one call: which rows live, which blocks the terms read, and where everything lies. */
#include "vn_cells.h"

static int
holds(const vn_use *use, int param, int value)
{
    return param == 0 || use->param[param - 1] == (float)value;
}

static int
is_read(const vn_reading *r, const vn_use *use)
{
    return holds(use, r->param, r->value) && holds(use, r->param2, r->value2);
}

/* the block of these sets, a new one when there is none */
static vn_block *
find_block(vn_tiles *t, const vn_reading *r)
{
    int kind = r->how & (VN_BLOCK | VN_DIAG | VN_OWN);
    for (int i = 0; i < t->blocks; i++)
        if (t->block[i].rows == r->rows && t->block[i].cols == r->cols && t->block[i].kind == kind)
            return &t->block[i];
    vn_block *b = &t->block[t->blocks++];
    memset(b, 0, sizeof *b);
    b->rows = r->rows;
    b->cols = r->cols;
    b->kind = kind;
    return b;
}

/* readers stand by their scaling: see cells_grad */
static void
add_reader(vn_tiles *t, vn_block *b, vn_reader reader)
{
    const vn_use *use = t->objective->use;
    int k = b->readers++;
    for (; k > 0 && VN_FN(scaling_of)(&use[b->reader[k - 1].use]) > VN_FN(scaling_of)(&use[reader.use]); k--)
        b->reader[k] = b->reader[k - 1];
    b->reader[k] = reader;
    b->how |= reader.how;
}

static void
plan_blocks(vn_tiles *t)
{
    for (int u = 0; u < t->objective->terms; u++) {
        const vn_use *use = &t->objective->use[u];
        const vn_reading *r = VN_FN(terms)[use->term]->reads;
        t->twins |= use->twins != VN_TWINS_OFF && (t->in.group != NULL || t->in.text_key != NULL);
        t->open |= use->open;
        for (int i = 0; r[i].how != 0; i++) {
            if (!is_read(&r[i], use))
                continue;
            vn_reader reader = {u, i, r[i].how};
            t->bare |= (r[i].how & VN_BARE) != 0 && r[i].cols == VN_NEG_IMAGE;
            add_reader(t, find_block(t, &r[i]), reader);
            if ((r[i].how & VN_MEAN) != 0) {
                t->with[u] = t->mean[u];
                t->mean[u] = (r[i].how & VN_PAIRED) != 0 ? VN_SETS : r[i].cols;
            }
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

/* where each made slot stands, and how many partners are asked for */
static void
plan_made(vn_tiles *t)
{
    const vn_made *made = t->in.made;
    for (int set = 0; set < VN_SETS; set++)
        t->live[set].per = t->in.given[set];
    for (int m = 0; made != NULL && m < made->slots; m++) {
        const vn_made_slot *s = &made->slot[m];
        int set = s->side == VN_IMAGE ? VN_NEG_IMAGE : VN_NEG_TEXT;
        t->live[set].made[t->live[set].per++ - t->in.given[set]] = (uint8_t)m;
        if (s->maker->partners)
            t->partners[s->side] = VN_MAX(t->partners[s->side], s->slot + 1);
    }
    t->twins |= (t->partners[0] > 0 || t->partners[1] > 0) && (t->in.group != NULL || t->in.text_key != NULL);
}

static void
take_sets(vn_tiles *t, vn_arena *arena, int64_t *count)
{
    const vn_rows *in = &t->in;
    for (int set = 0; set < VN_SETS; set++) {
        int whole = in->valid[set] == NULL || t->open, given = t->live[set].per == in->given[set];
        int all = in->exists == NULL && whole && given;
        count[set] = in->B * t->live[set].per;
        t->live_row[set] = all ? NULL : vn_arena_take(arena, (size_t)count[set] * sizeof(int32_t));
        int labelled = t->twins && set >= VN_TEXT && set <= VN_NEG_IMAGE;
        t->twin[set] = labelled ? vn_arena_take(arena, (size_t)count[set]) : NULL;
    }
    for (int side = VN_IMAGE; side <= VN_TEXT; side++) {
        int64_t n = in->B * t->partners[side];
        t->partner[side] = n > 0 ? vn_arena_take(arena, (size_t)n * sizeof(int32_t)) : NULL;
        t->near[side] = n > 0 ? vn_arena_floats(arena, n) : NULL;
        t->made_dx[side] = in->made != NULL ? vn_arena_floats(arena, in->B * in->E) : NULL;
    }
    t->pair = vn_arena_floats(arena, in->B);
    t->sorted = t->twins ? vn_arena_take(arena, (size_t)in->B * sizeof(int32_t)) : NULL;
}

static int
is_taught(const vn_tiles *t)
{
    int how = 0;
    for (int b = 0; b < t->blocks; b++)
        how |= t->block[b].how;
    return (how & VN_TEACHER) != 0;
}

static int
is_soft(const vn_tiles *t)
{
    int soft = 0;
    for (int u = 0; u < t->objective->terms; u++)
        soft |= t->objective->use[u].twins == VN_TWINS_SOFT;
    return soft;
}

void
VN_FN(tiles_layout)(vn_tiles *t, vn_arena *arena, const vn_objective *objective, const vn_rows *in)
{
    int64_t count[VN_SETS];
    memset(t, 0, sizeof *t);
    t->in = *in;
    t->objective = objective;
    plan_blocks(t);
    plan_made(t);
    take_sets(t, arena, count);
    take_stats(t, arena, count);
    t->own_cells = VN_FN(own_floats)(t) / 15;
    for (int s = 0; s < 2 && is_soft(t); s++)
        t->share[s] = vn_arena_floats(arena, in->B);
    t->loss = vn_arena_take(arena, VN_MAX_GROUPS * (size_t)objective->terms * sizeof(double));
    t->joined = vn_arena_take(arena, VN_MAX_GROUPS * (size_t)objective->terms * sizeof(double));
    t->dlog = vn_arena_take(arena, VN_MAX_GROUPS * sizeof(double));
    t->dbias = vn_arena_take(arena, VN_MAX_GROUPS * sizeof(double));
    t->counts = vn_arena_take(arena, VN_MAX_GROUPS * 2 * sizeof(int64_t));
    if (in->notes != NULL)
        t->notes = vn_arena_take(arena, VN_MAX_GROUPS * VN_NOTES * (size_t)t->live[VN_NEG_TEXT].per * sizeof(double));
    t->one = vn_arena_floats(arena, VN_TILE_PITCH);
    t->zero = vn_arena_floats(arena, VN_TILE_PITCH);
    t->infinity = vn_arena_floats(arena, VN_TILE_PITCH);
    /* last, and by worker: pages of workers that never run are never touched */
    size_t tile = VN_TILE_ROWS * VN_TILE_PITCH, gathered = (VN_TILE_ROWS + VN_TILE_COLS) * (size_t)in->E;
    t->scratch_floats = 2 * tile + tile / 4 + 3 * VN_TILE_PITCH + 2 * gathered + VN_TILE_ROWS + VN_TILE_COLS;
    t->scratch_floats += (size_t)VN_FN(own_floats)(t) + (is_taught(t) ? tile + gathered : 0);
    t->scratch = vn_arena_take(arena, VN_MAX_THREADS * t->scratch_floats * sizeof(float));
}
