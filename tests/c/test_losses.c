/* Every instruction level: an objective over given and made negatives, by differences, by threads; masked rows are left
 * unwritten, so that Valgrind sees whoever reads them. */
#include <math.h>
#include <string.h>

#include "../../csrc/core/vn_parallel.h"
#include "../../csrc/core/vn_philox.h"
#include "../../csrc/vn_backend.h"
#include "check.h"

typedef struct problem {
    vn_rows rows;
    float *x[VN_SETS], *dx[VN_SETS];
    uint8_t *exists, *valid;
    int64_t *group, *text_key, *neg_key;
    uint64_t *row;
    vn_made_slot slot[6];
    vn_made made;
} problem;

/* each generator once, some on both sides; the last number says that gradients flow */
static void
add_made(problem *p, int64_t B)
{
    static const struct {
        int maker, side;
        float param[VN_EMBED_PARAMS];
    } list[6] = {{0, VN_IMAGE, {1.0f, 0.0f, 1.0f}}, {0, VN_IMAGE, {0.5f, 1.0f, 1.0f}},
                 {1, VN_TEXT, {0.5f, 1.0f, 0.0f}},  {1, VN_TEXT, {0.5f, 1.0f, 1.0f}},
                 {2, VN_IMAGE, {0.5f, 1.0f, 0.0f}}, {3, VN_TEXT, {0.4f, 1.0f, 0.0f}}};
    p->row = fresh((size_t)B * 8);
    for (int64_t i = 0; i < B; i++)
        p->row[i] = (uint64_t)(i * 3);
    for (uint32_t m = 0; m < 6; m++) {
        vn_made_slot *s = &p->slot[m];
        memset(s, 0, sizeof *s);
        s->maker = vn_embed_listed(list[m].maker, &s->stream);
        s->number = m, s->side = list[m].side;
        s->first = m < 2 ? 0 : (int)m, s->choices = m < 2 ? 2 : 1, s->weight = 1.0f;
        memcpy(s->param, list[m].param, sizeof s->param);
    }
    p->made.slots = 6, p->made.seed = 5;
}

static problem
make(int64_t B, int64_t K, int64_t E)
{
    problem p;
    vn_rng r = {3, 0, 0, 9};
    int64_t per[VN_SETS] = {1, 1, K, K, K, K, 1, 1, 1 + K};
    memset(&p, 0, sizeof p);
    p.exists = fresh((size_t)B), p.valid = fresh((size_t)(B * K));
    p.group = fresh((size_t)B * 8), p.text_key = fresh((size_t)B * 8), p.neg_key = fresh((size_t)(B * K) * 8);
    for (int64_t i = 0; i < B; i++) {
        p.exists[i] = B < 4 || vn_rng_below(&r, 8) > 0;
        p.group[i] = vn_rng_below(&r, B), p.text_key[i] = vn_rng_below(&r, B);
        for (int64_t k = i * K; k < (i + 1) * K; k++) {
            p.valid[k] = vn_rng_below(&r, 4) > 0;
            p.neg_key[k] = vn_rng_below(&r, 2 * B);
        }
    }
    for (int set = 0; set < VN_SCORE; set++) {
        int64_t count = B * per[set];
        p.x[set] = fresh((size_t)(count * E) * sizeof(float));
        p.dx[set] = set < VN_TEACHER_IMAGE ? fresh((size_t)(count * E) * sizeof(float)) : NULL;
        p.rows.given[set] = per[set];
        p.rows.valid[set] = set >= VN_NEG_TEXT && set <= VN_POS_IMAGE ? p.valid : NULL;
        for (int64_t i = 0; i < count; i++) {
            if (!p.exists[i / per[set]] || (p.rows.valid[set] != NULL && !p.valid[i]))
                continue;
            for (int64_t e = 0; e < E; e++)
                p.x[set][i * E + e] = vn_rng_uniform(&r) - 0.4f;
        }
        p.rows.x[set] = p.x[set], p.rows.dx[set] = p.dx[set];
    }
    p.rows.exists = p.exists, p.rows.group = p.group;
    p.rows.text_key = p.text_key, p.rows.neg_key = p.neg_key;
    p.rows.B = B, p.rows.E = E, p.rows.scale = 3.0f;
    p.rows.tile_rows = 48, p.rows.tile_cols = 80;
    add_made(&p, B);
    return p;
}

static void
discard(problem *p)
{
    for (int set = 0; set < VN_SETS; set++)
        free(p->x[set]), free(p->dx[set]);
    free(p->exists), free(p->valid), free(p->group), free(p->text_key), free(p->neg_key), free(p->row);
}

/* itc: negatives, image_to_text, text_to_image, images, false_negatives; own: anchor; intra: modality */
static const vn_objective first = {
    {{0, VN_TWINS_MASK, 0, 1.0f, {1.0f, 0.5f, 0.5f, 1.0f, 100.0f}},
     {0, VN_TWINS_SOFT, 0, 0.5f, {2.0f, 1.0f, 0.0f, 0.0f, 100.0f}},
     {0, VN_TWINS_OFF, 0, 0.25f, {0.0f, 0.0f, 1.0f, 2.0f, 100.0f}},
     {1, VN_TWINS_MASK, 0, 0.3f, {0.0f}},
     {2, VN_TWINS_MASK, 0, 0.3f, {0.0f}}},
    5,
};

typedef struct listed {
    const char *name;
    int twins;
    float weight, param[4];
} listed;

/* each of the other terms over a batch; a teacher's scale of its own, since the student's gives it no gradient */
static const listed others[] = {{"sigmoid", VN_TWINS_SOFT, 0.3f, {0.0f}},
                                {"sigmoid", VN_TWINS_MASK, 0.2f, {1.0f}},
                                {"mil", VN_TWINS_MASK, 0.5f, {0.0f}},
                                {"mil", VN_TWINS_OFF, 0.5f, {1.0f}},
                                {"hinge", VN_TWINS_MASK, 0.01f, {2.0f, 0.0f, 1.0f}},
                                {"hinge", VN_TWINS_OFF, 0.01f, {2.0f, 1.0f, 2.0f}},
                                {"distil", VN_TWINS_MASK, 0.4f, {0.5f, 0.5f, 5.0f}},
                                {"uniform", VN_TWINS_MASK, 0.4f, {0.0f, 0.2f}},
                                {"uniform", VN_TWINS_OFF, 0.4f, {1.0f, 0.3f}},
                                {"mirror", VN_TWINS_MASK, 0.5f, {0.0f}},
                                {"column", VN_TWINS_OFF, 0.1f, {0.0f, 1.0f}}};

/* those inside a sample, hinges far from their corners: own: anchor, bag, scale, invalid; focal: gamma, smoothing,
 * scale, invalid; rank: margin, -, -, fixed; intra: modality, positive, scale, factor */
static const listed inside[] = {{"own", VN_TWINS_MASK, 0.3f, {0.0f, 1.0f, 0.0f, 1.0f}},
                                {"own", VN_TWINS_OFF, 0.3f, {1.0f, 1.0f, 2.0f, 0.0f}},
                                {"focal", VN_TWINS_MASK, 0.3f, {2.0f, 0.1f, 0.0f, 1.0f}},
                                {"focal", VN_TWINS_MASK, 0.3f, {0.5f, 0.0f, 2.0f, 0.0f}},
                                {"rank", VN_TWINS_MASK, 0.01f, {2.0f, 0.0f, 0.0f, 90.0f}},
                                {"pos", VN_TWINS_MASK, 0.01f, {1.0f, 90.0f}},
                                {"triplet", VN_TWINS_MASK, 0.02f, {90.0f, 1.0f}},
                                {"intra", VN_TWINS_MASK, 0.2f, {1.0f, 0.0f, 0.0f, 1.0f}},
                                {"intra", VN_TWINS_MASK, 0.2f, {1.0f, 1.0f, 2.0f, 1.0f}},
                                {"intra", VN_TWINS_MASK, 0.1f, {0.0f, 2.0f, 0.0f, 1.0f}},
                                {"intra", VN_TWINS_OFF, 0.1f, {0.0f, 3.0f, 0.0f, 1.0f}},
                                {"intra", VN_TWINS_MASK, 0.1f, {1.0f, 4.0f, 0.0f, 1.0f}},
                                {"align", VN_TWINS_MASK, 0.1f, {2.0f, 1.0f}},
                                {"align", VN_TWINS_MASK, 0.1f, {3.0f, 0.0f}}};

static vn_objective
objective_of(const vn_backend *be, const listed *list, size_t n)
{
    vn_objective o = {{{0}}, 0};
    for (size_t i = 0; i < n; i++) {
        vn_use *use = &o.use[o.terms++];
        while (strcmp(be->terms[use->term]->name, list[i].name) != 0)
            use->term++;
        use->twins = list[i].twins, use->weight = list[i].weight;
        memcpy(use->param, list[i].param, sizeof list[i].param);
    }
    return o;
}

static vn_record
run(const vn_backend *be, const vn_objective *objective, const vn_rows *rows, int backward)
{
    vn_tiles t;
    vn_arena arena = {NULL, 0, 0};
    vn_record record;
    vn_error error;
    be->tiles_layout(&t, &arena, objective, rows);
    arena.size = arena.used, arena.used = 0;
    arena.base = fresh(arena.size);
    be->tiles_layout(&t, &arena, objective, rows);
    CHECK(arena.used == arena.size);
    CHECK(be->tiles_statistics(&t, &error) == VN_OK);
    be->tiles_gradients(&t, &record, backward);
    free(arena.base);
    return record;
}

static void
test_objective(const vn_backend *be, const vn_objective *o, int64_t B, int64_t K, int64_t E)
{
    problem p = make(B, K, E);
    vn_rows rows;
    p.made.slot = p.slot, p.made.row = p.row, p.rows.made = &p.made;
    rows = p.rows;
    vn_record r = run(be, o, &rows, 1);
    CHECK(isfinite(r.loss) && r.rows >= 1 && r.below <= r.valid);
    rows.scale = 3.0f * expf(0.01f);
    double up = run(be, o, &rows, 0).loss;
    rows.scale = 3.0f * expf(-0.01f);
    double down = run(be, o, &rows, 0).loss;
    CHECK(fabs((up - down) / 0.02 - r.dlog_scale) < 1e-3);
    for (int set = 0; set < VN_TEACHER_IMAGE; set++)
        for (int64_t i = 0; i < VN_MIN(3, B) * p.rows.given[set]; i++) {
            float *x = p.x[set] + i * E, was = x[0];
            if (!p.exists[i / p.rows.given[set]] || (p.rows.valid[set] != NULL && !p.valid[i])) {
                CHECK(p.dx[set][i * E] == 0.0f);
                continue;
            }
            x[0] = was + 0.02f, up = run(be, o, &p.rows, 0).loss;
            x[0] = was - 0.02f, down = run(be, o, &p.rows, 0).loss;
            x[0] = was;
            CHECK(fabs((up - down) / 0.04 - (double)p.dx[set][i * E]) < 1e-3);
        }
    discard(&p);
}

static void
test_threads(const vn_backend *be, const vn_objective *o)
{
    problem p = make(530, 1, 5), q = make(530, 1, 5);
    p.made.slot = p.slot, p.made.row = p.row, p.rows.made = &p.made;
    q.made.slot = q.slot, q.made.row = q.row, q.rows.made = &q.made;
    vn_parallel_set_threads(1);
    vn_record one = run(be, o, &p.rows, 1);
    vn_parallel_set_threads(3);
    vn_record three = run(be, o, &q.rows, 1);
    CHECK(one.loss == three.loss && one.dlog_scale == three.dlog_scale && one.below == three.below);
    for (int set = 0; set < VN_TEACHER_IMAGE; set++)
        CHECK(memcmp(p.dx[set], q.dx[set], 530 * 5 * sizeof(float)) == 0);
    discard(&p), discard(&q);
}

int
main(void)
{
    const vn_backend *be;
    for (int i = 0; (be = vn_backend_at(i)) != NULL; i++) {
        const vn_objective all[3] = {first, objective_of(be, others, sizeof others / sizeof *others),
                                     objective_of(be, inside, sizeof inside / sizeof *inside)};
        for (int k = 0; k < 3; k++) {
            test_objective(be, &all[k], 1, 0, 3);
            test_objective(be, &all[k], 2, 3, 1);
            test_objective(be, &all[k], 37, 2, 17);
            test_threads(be, &all[k]);
        }
    }
    return failures;
}
