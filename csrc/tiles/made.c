/* Made rows: the arithmetic of a blend, forward and backward.
 *   y = sum of factor x + noise g / |g|        row = rho y,  rho = 1 / max(|y|, 1e-3)  if unit, else 1
 *   dy = rho (d - (d.row) row)                 dx += factor dy
 * Where |y| is below 1e-3, rho is a constant. */
#include "vn_cells.h"

static const float most = 999.9f; /* a rho above means that the length was bounded */

static int
make(const vn_tiles *t, int m, int64_t i, vn_blend *b)
{
    const vn_made *made = t->in.made;
    const vn_made_slot *s = &made->slot[m];
    const uint8_t *valid = t->bare ? NULL : t->in.valid[VN_NEG_TEXT];
    int64_t K = t->in.given[VN_NEG_TEXT];
    vn_rng rng = {made->seed, made->row[i], s->number << 16, s->stream};
    vn_embed in = {s->side, i, s->slot, K, valid != NULL ? valid + i * K : NULL, NULL};
    if (s->maker->partners)
        in.partner = t->partner[s->side] + i * t->partners[s->side];
    memset(b, 0, sizeof *b);
    b->partner = -1;
    s->maker->make(b, &in, s->param, &rng);
    b->rng = rng;
    return b->parts;
}

/* which alternative of a mixed slot is made: of those that can be, the one whose exponential clock rings first */
static int
choose(const vn_tiles *t, const vn_made_slot *s, int64_t i, vn_blend *b)
{
    const vn_made *made = t->in.made;
    float best = INFINITY;
    int chosen = -1;
    for (int j = 0; j < s->choices; j++) {
        uint32_t draw = ((uint32_t)s->first << 16) + (uint32_t)j;
        uint32_t word = vn_philox(made->seed, made->row[i], draw, VN_STREAM_EMBED_MIX).x[0];
        float rings = -logf(((float)(word >> 8) + 0.5f) * 5.9604644775390625e-8f) / made->slot[s->first + j].weight;
        if (rings < best && make(t, s->first + j, i, b)) {
            best = rings;
            chosen = s->first + j;
        }
    }
    return chosen;
}

int
VN_FN(made_of)(const vn_tiles *t, int m, int64_t i, vn_blend *b)
{
    const vn_made_slot *s = &t->in.made->slot[m];
    if (s->choices > 1 && choose(t, s, i, b) != m)
        return b->parts = 0;
    return make(t, m, i, b);
}

/* out (E) = a direction of this length, by Box and Muller: four words make four numbers */
static void
random_direction(float *out, vn_rng rng, float length, int64_t E)
{
    for (int64_t e = 0; e < E; e += 4) {
        vn_philox4 word = vn_philox(rng.seed, rng.row, rng.draw++, rng.stream);
        for (int64_t h = 0; h < 4 && e + h < E; h += 2) {
            float u = (float)((word.x[h] >> 8) + 1) * 5.9604644775390625e-8f;
            float angle = (float)(word.x[h + 1] >> 8) * (5.9604644775390625e-8f * 6.28318530717958648f);
            float radius = sqrtf(-2.0f * logf(u));
            out[e + h] = radius * cosf(angle);
            if (e + h + 1 < E)
                out[e + h + 1] = radius * sinf(angle);
        }
    }
    float scale = length / sqrtf(VN_MAX(vn_dot(out, out, E), 1e-12f));
    for (int64_t e = 0; e < E; e++)
        out[e] *= scale;
}

float
VN_FN(made_row)(const vn_tiles *t, const vn_blend *b, float *out)
{
    int64_t E = t->in.E;
    if (b->noise > 0.0f)
        random_direction(out, b->rng, b->noise, E);
    else
        memset(out, 0, (size_t)E * sizeof(float));
    for (int p = 0; p < b->parts; p++)
        vn_add_scaled(out, b->part[p].factor, t->in.x[b->part[p].set] + b->part[p].row * E, E);
    if (!b->unit)
        return 1.0f;
    float rho = 1.0f / sqrtf(VN_MAX(vn_dot(out, out, E), 1e-6f));
    for (int64_t e = 0; e < E; e++)
        out[e] *= rho;
    return rho;
}

void
VN_FN(made_pull)(const vn_tiles *t, const vn_blend *b, const float *row, float rho, float *d, float *const *dx)
{
    int64_t E = t->in.E;
    if (b->unit) {
        float along = rho < most ? vn_dot(d, row, E) : 0.0f;
        for (int64_t e = 0; e < E; e++)
            d[e] = rho * (d[e] - along * row[e]);
    }
    for (int p = 0; p < b->parts; p++)
        if (b->part[p].flows)
            vn_add_scaled(dx[b->part[p].set] + b->part[p].row * E, b->part[p].factor, d, E);
}

/* a sum that stays as it is has sums of cosines for cosines */
static int
is_linear(const vn_blend *b)
{
    return !b->unit && b->noise == 0.0f;
}

static int
is_shared(const vn_anchor *a, const vn_part *p)
{
    return p->set <= VN_TEXT && p->row == a->sample;
}

float
VN_FN(anchor_cosine)(const vn_tiles *t, vn_anchor *a, const vn_blend *b, float *row, float *rho)
{
    int64_t E = t->in.E;
    if (!is_linear(b)) {
        *rho = VN_FN(made_row)(t, b, row);
        return vn_dot(a->x, row, E);
    }
    float c = 0.0f;
    for (int i = 0; i < b->parts; i++) {
        const vn_part *p = &b->part[i];
        const float *x = t->in.x[p->set] + p->row * E;
        if (is_shared(a, p) && !a->known[p->set]) {
            a->with[p->set] = vn_dot(a->x, x, E);
            a->known[p->set] = 1;
        }
        c += p->factor * (is_shared(a, p) ? a->with[p->set] : vn_dot(a->x, x, E));
    }
    return c;
}

void
VN_FN(anchor_pull)(const vn_tiles *t, vn_anchor *a, const vn_blend *b, float g, const float *row, float rho,
                   float *room, float *da)
{
    int64_t E = t->in.E;
    if (!is_linear(b)) {
        vn_add_scaled(da, g, row, E);
        for (int64_t e = 0; e < E; e++)
            room[e] = g * a->x[e];
        VN_FN(made_pull)(t, b, row, rho, room, t->in.dx);
        return;
    }
    for (int i = 0; i < b->parts; i++) {
        const vn_part *p = &b->part[i];
        float w = g * p->factor;
        if (is_shared(a, p)) {
            a->pull[p->set] += w;
            a->push[p->set] += p->flows ? w : 0.0f;
            continue;
        }
        vn_add_scaled(da, w, t->in.x[p->set] + p->row * E, E);
        if (p->flows)
            vn_add_scaled(t->in.dx[p->set] + p->row * E, w, a->x, E);
    }
}

void
VN_FN(anchor_finish)(const vn_tiles *t, const vn_anchor *a, float *da)
{
    int64_t E = t->in.E;
    for (int set = VN_IMAGE; set <= VN_TEXT; set++) {
        if (a->pull[set] != 0.0f)
            vn_add_scaled(da, a->pull[set], t->in.x[set] + a->sample * E, E);
        if (a->push[set] != 0.0f)
            vn_add_scaled(t->in.dx[set] + a->sample * E, a->push[set], a->x, E);
    }
}
