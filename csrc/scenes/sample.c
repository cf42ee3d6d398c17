/* A scene from (seed, row): groups, places, deviations, ground. Draws 0, 1, ... of stream VN_STREAM_SCENE. */
#include "vn_scene.h"

/* Objects per group; most scenes are two different objects. */
static const uint8_t layouts[16][3] = {
    {1, 1, 0}, {1, 1, 0}, {1, 1, 0}, {1, 1, 0}, {1, 1, 0}, {1, 1, 0}, {1, 1, 0}, {1, 1, 0},
    {1, 0, 0}, {1, 0, 0}, {1, 0, 0}, {2, 0, 0}, {3, 0, 0}, {2, 1, 0}, {1, 2, 0}, {1, 1, 1},
};

/* Each corner has its colour, so that a patch shows where it lies as well as what is on it. */
static const uint8_t grounds[4][3] = {{10, 10, 90}, {90, 10, 50}, {10, 70, 30}, {80, 70, 10}};

static const uint8_t sizes[8] = {VN_SMALL, VN_BIG, VN_SMALL, VN_BIG, VN_MEDIUM, VN_MEDIUM, VN_MEDIUM, VN_MEDIUM};

int
vn_scene_new_shape(const vn_scene *scene, vn_rng *rng)
{
    for (;;) {
        int shape = (int)vn_rng_below(rng, VN_SHAPES), seen = 0;
        for (int i = 0; i < scene->objects; i++)
            seen |= scene->object[i].shape == shape;
        if (!seen)
            return shape;
    }
}

/* Cell of object i of a new group: group 1 faces group 0, a third group takes the lane that they leave free. */
static void
put(vn_object *o, const vn_scene *scene, int i, int count, int coin)
{
    const vn_object *first = &scene->object[0];
    int start = scene->relation & 1;
    if (o->group == 0) {
        o->side = (uint8_t)(i < 2 ? start : 1 - start);
        o->lane = (uint8_t)(i == 1 ? 1 - first->lane : coin);
    } else if (o->group == 1) {
        o->side = (uint8_t)(1 - start);
        o->lane = (uint8_t)(count == 2 ? i : scene->objects == 1 ? first->lane : coin);
    } else {
        o->side = (uint8_t)coin;
        o->lane = (uint8_t)(1 - first->lane);
    }
}

void
vn_scene_add(vn_scene *scene, int count, vn_rng *rng)
{
    vn_object o = {0};
    o.shape = (uint8_t)vn_scene_new_shape(scene, rng);
    o.colour = (uint8_t)vn_rng_below(rng, VN_COLOURS);
    o.size = sizes[vn_rng_below(rng, 8)];
    o.group = (uint8_t)scene->groups;
    for (int i = 0; i < count; i++) {
        put(&o, scene, i, count, (int)vn_rng_below(rng, 2));
        uint32_t bits = vn_rng_next(rng), tint = vn_rng_next(rng);
        o.dx = (uint8_t)bits;
        o.dy = (uint8_t)(bits >> 8);
        o.dr = (uint8_t)(bits >> 16);
        for (int c = 0; c < 3; c++)
            o.dcolour[c] = (uint8_t)(tint >> (8 * c));
        scene->object[scene->objects + i] = o;
    }
    scene->objects += count;
    scene->groups++;
}

void
vn_scene_sample(vn_scene *out, uint64_t seed, uint64_t row)
{
    vn_rng rng = {seed, row, 0, VN_STREAM_SCENE};
    *out = (vn_scene){.seed = seed, .row = row};
    const uint8_t *counts = layouts[vn_rng_below(&rng, 16)];
    out->relation = (int32_t)vn_rng_below(&rng, 4);
    for (int g = 0; g < 3 && counts[g] > 0; g++)
        vn_scene_add(out, counts[g], &rng);
    for (int corner = 0; corner < 4; corner++)
        for (int c = 0; c < 3; c++)
            out->ground[corner][c] = (uint8_t)(grounds[corner][c] + vn_rng_below(&rng, 21));
}

int
vn_scene_has_relation(const vn_scene *scene)
{
    return scene->groups > 1 || scene->objects < 3;
}

static int
column(const vn_scene *scene, const vn_object *object)
{
    return scene->relation < VN_ABOVE ? object->side : object->lane;
}

static int
line(const vn_scene *scene, const vn_object *object)
{
    return scene->relation < VN_ABOVE ? object->lane : object->side;
}

vn_place
vn_scene_place(const vn_scene *scene, const vn_object *object)
{
    static const int32_t radius[3] = {480, 690, 930};
    const int32_t half = VN_SCENE_SIDE / 4;
    vn_place p = {.r = radius[object->size] + object->dr / 4};
    int32_t room = (half - p.r) / 2; /* so that half of the free way stays free */
    p.x = half * (1 + 2 * column(scene, object)) - room + 2 * room * object->dx / 255;
    p.y = half * (1 + 2 * line(scene, object)) - room + 2 * room * object->dy / 255;
    return p;
}
