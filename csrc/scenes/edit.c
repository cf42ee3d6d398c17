/* Edits of a scene, and when a caption holds. An edit stands only if both captions are false of the other picture;
 * it is drawn again up to ten times. Edit e draws from e+1 times 2^16 on. */
#include "vn_scene.h"

static int
matches(const vn_object *said, const vn_object *seen)
{
    return said->shape == seen->shape && said->colour == seen->colour &&
           (said->size == VN_MEDIUM || said->size == seen->size);
}

static const vn_object *
first_of(const vn_scene *scene, int group)
{
    for (int i = 0; i < scene->objects; i++)
        if (scene->object[i].group == group)
            return &scene->object[i];
    return NULL;
}

static const vn_place middle = {VN_SCENE_SIDE / 2, VN_SCENE_SIDE / 2, 0};

static int
related(int relation, vn_place a, vn_place b)
{
    switch (relation) {
    case VN_LEFT: return a.x < b.x;
    case VN_RIGHT: return a.x > b.x;
    case VN_ABOVE: return a.y < b.y;
    default: return a.y > b.y;
    }
}

/* Some object of the first phrase stands so to some object of the second, or to the middle. */
static int
relation_holds(const vn_scene *said, const vn_scene *seen)
{
    const vn_object *a = first_of(said, 0), *b = first_of(said, 1);
    for (int i = 0; i < seen->objects; i++) {
        vn_place place = vn_scene_place(seen, &seen->object[i]);
        if (!matches(a, &seen->object[i]))
            continue;
        if (b == NULL && related(said->relation, place, middle))
            return 1;
        for (int j = 0; b != NULL && j < seen->objects; j++)
            if (i != j && matches(b, &seen->object[j]) &&
                related(said->relation, place, vn_scene_place(seen, &seen->object[j])))
                return 1;
    }
    return 0;
}

int
vn_scene_holds(const vn_scene *said, const vn_scene *seen)
{
    for (int g = 0; g < said->groups; g++) {
        int wanted = 0, found = 0;
        const vn_object *phrase = first_of(said, g);
        for (int i = 0; i < said->objects; i++)
            wanted += said->object[i].group == g;
        for (int i = 0; i < seen->objects; i++)
            found += matches(phrase, &seen->object[i]);
        if (found < wanted)
            return 0;
    }
    return !vn_scene_has_relation(said) || relation_holds(said, seen);
}

/* Colours or sizes, whichever differ. */
static void
exchange_attribute(vn_scene *scene, int a, int b, vn_rng *rng)
{
    vn_object p = *first_of(scene, a), q = *first_of(scene, b);
    int coin = (int)vn_rng_below(rng, 2), by_size = p.colour == q.colour || (p.size != q.size && coin);
    for (int i = 0; i < scene->objects; i++) {
        vn_object *o = &scene->object[i];
        if (o->group != a && o->group != b)
            continue;
        const vn_object *other = o->group == a ? &q : &p;
        if (by_size)
            o->size = other->size;
        else
            o->colour = other->colour;
    }
}

static void
exchange_shape(vn_scene *scene, int a, int b)
{
    uint8_t p = first_of(scene, a)->shape, q = first_of(scene, b)->shape;
    for (int i = 0; i < scene->objects; i++) {
        vn_object *o = &scene->object[i];
        o->shape = o->group == a ? q : o->group == b ? p : o->shape;
    }
}

static void
exchange_sides(vn_scene *scene)
{
    scene->relation ^= 1;
    for (int i = 0; i < scene->objects; i++)
        if (scene->object[i].group < 2)
            scene->object[i].side ^= 1;
}

static void
replace_word(vn_scene *scene, vn_rng *rng)
{
    int group = (int)vn_rng_below(rng, scene->groups);
    vn_object new = *first_of(scene, group);
    if (vn_rng_below(rng, 2))
        new.shape = (uint8_t)vn_scene_new_shape(scene, rng);
    else
        new.colour = (uint8_t)((new.colour + 1 + vn_rng_below(rng, VN_COLOURS - 1)) % VN_COLOURS);
    for (int i = 0; i < scene->objects; i++)
        if (scene->object[i].group == group) {
            scene->object[i].shape = new.shape;
            scene->object[i].colour = new.colour;
        }
}

/* Two different groups */
static void
draw_pair(int *a, int *b, int groups, vn_rng *rng)
{
    *a = (int)vn_rng_below(rng, groups);
    *b = (*a + 1 + (int)vn_rng_below(rng, groups - 1)) % groups;
}

static void
edit_once(vn_scene *scene, int edit, vn_rng *rng)
{
    int a, b;
    switch (edit) {
    case VN_ATTRIBUTE_SWAP:
        draw_pair(&a, &b, scene->groups, rng);
        exchange_attribute(scene, a, b, rng);
        break;
    case VN_OBJECT_SWAP:
        draw_pair(&a, &b, scene->groups, rng);
        exchange_shape(scene, a, b);
        break;
    case VN_RELATION_SWAP:
        exchange_sides(scene);
        break;
    case VN_REPLACEMENT:
        replace_word(scene, rng);
        break;
    default:
        vn_scene_add(scene, 1, rng);
    }
}

int
vn_scene_edit(vn_scene *out, const vn_scene *in, int edit)
{
    vn_rng rng = {in->seed, in->row, (uint32_t)(edit + 1) << 16, VN_STREAM_SCENE};
    int possible = edit == VN_REPLACEMENT || (edit == VN_ADDITION && in->objects < 3) ||
                   (edit == VN_RELATION_SWAP ? vn_scene_has_relation(in) : edit < VN_RELATION_SWAP && in->groups > 1);
    for (int attempt = 0; possible && attempt < 10; attempt++) {
        *out = *in;
        edit_once(out, edit, &rng);
        /* the caption lists all that the picture holds: with one object more it is false */
        if (!vn_scene_holds(out, in) && (edit == VN_ADDITION || !vn_scene_holds(in, out)))
            return 1;
    }
    *out = *in;
    return 0;
}
