/* The caption of a scene: "two small red stars left of an orange ring, and a blue heart"; objects
 * of one kind on one side have their place instead: "two red stars left of the middle". */
#include "vn_scene.h"

#include <string.h>

static const char *const shapes[VN_SHAPES][2] = {
    {"circle", "circles"}, {"square", "squares"}, {"triangle", "triangles"}, {"diamond", "diamonds"},
    {"star", "stars"},     {"heart", "hearts"},   {"cross", "crosses"},      {"ring", "rings"},
    {"moon", "moons"},     {"arrow", "arrows"},   {"house", "houses"},       {"hourglass", "hourglasses"},
    {"bow", "bows"},       {"tree", "trees"},     {"flag", "flags"},         {"drop", "drops"},
};

/* in the order of draw.c's palette */
static const char *const colours[VN_COLOURS] = {
    "red", "orange", "yellow", "lime", "green", "cyan", "blue", "purple", "pink", "brown", "white", "gray",
};

static const char *const sizes[3] = {"small", "medium", "big"};
static const char *const relations[4] = {" left of ", " right of ", " above ", " below "};
static const char *const counts[4] = {"", "a", "two", "three"};
static const char *const edits[VN_EDITS] = {
    "attribute_swap", "object_swap", "relation_swap", "replacement", "addition",
};

const char *
vn_scene_shape(int shape)
{
    return shapes[shape][0];
}

const char *
vn_scene_colour(int colour)
{
    return colours[colour];
}

const char *
vn_scene_size(int size)
{
    return sizes[size];
}

const char *
vn_scene_edit_name(int edit)
{
    return edits[edit];
}

static char *
append(char *end, const char *word)
{
    size_t n = strlen(word);
    memcpy(end, word, n + 1);
    return end + n;
}

static char *
say_group(char *end, const vn_scene *scene, int group)
{
    int count = 0;
    const vn_object *o = NULL;
    for (int i = 0; i < scene->objects; i++)
        if (scene->object[i].group == group) {
            o = &scene->object[i];
            count++;
        }
    const char *colour = colours[o->colour];
    int vowel = o->size == VN_MEDIUM && strchr("aeiou", colour[0]) != NULL;
    end = append(end, count == 1 && vowel ? "an" : counts[count]);
    if (o->size != VN_MEDIUM) {
        end = append(end, " ");
        end = append(end, sizes[o->size]);
    }
    end = append(append(end, " "), colour);
    return append(append(end, " "), shapes[o->shape][count > 1]);
}

int64_t
vn_scene_say(char text[VN_SCENE_TEXT], const vn_scene *scene)
{
    char *end = say_group(text, scene, 0);
    if (vn_scene_has_relation(scene))
        end = append(end, relations[scene->relation]);
    if (scene->groups > 1)
        end = say_group(end, scene, 1);
    else if (vn_scene_has_relation(scene))
        end = append(end, "the middle");
    if (scene->groups > 2)
        end = say_group(append(end, ", and "), scene, 2);
    return end - text;
}
