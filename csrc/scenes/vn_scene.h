/* Captioned scenes: a world of many shapes, colours and places whose negatives are exact.
 *
 * A scene is a pure function of (seed, row). The picture has four cells, two by two; an object never leaves its cell.
 * Objects of one group share shape, colour and size and are named by one phrase of the caption, which lists all that
 * the picture holds. An edit makes another scene, so it has a caption and a picture of its own: both captions are
 * false of the other picture. Lengths are in 1/4096 of the picture's side, so every size shows the same scene.
 * All arithmetic is in integers: the NumPy twin gives the same bytes. */
#ifndef VN_SCENE_H
#define VN_SCENE_H

#include "../core/vn_philox.h"

enum { VN_SHAPES = 16, VN_COLOURS = 12, VN_SCENE_OBJECTS = 4, VN_SCENE_SIDE = 4096, VN_SCENE_MAX = 1024,
       VN_SCENE_TEXT = 160 };
enum { VN_CIRCLE, VN_SQUARE, VN_TRIANGLE, VN_DIAMOND, VN_STAR, VN_HEART, VN_CROSS, VN_RING, VN_MOON, VN_ARROW,
       VN_HOUSE, VN_HOURGLASS, VN_BOW, VN_TREE, VN_FLAG, VN_DROP };
enum { VN_SMALL, VN_MEDIUM, VN_BIG }; /* medium is not said */
enum { VN_LEFT, VN_RIGHT, VN_ABOVE, VN_BELOW };
enum { VN_EDIT_NONE = -1, VN_ATTRIBUTE_SWAP, VN_OBJECT_SWAP, VN_RELATION_SWAP, VN_REPLACEMENT, VN_ADDITION, VN_EDITS };

typedef struct vn_object {
    uint8_t shape, colour, size, group;
    uint8_t side, lane;               /* side: along the axis of the relation; lane: across it */
    uint8_t dx, dy, dr, dcolour[3];   /* 0..255, the middle is no deviation */
} vn_object;

typedef struct vn_scene {
    uint64_t seed, row;
    int32_t objects, groups, relation; /* of group 0 to group 1 or the middle */
    vn_object object[VN_SCENE_OBJECTS];
    uint8_t ground[4][3];              /* colours of the corners: top left, top right, bottom left, bottom right */
} vn_scene;

typedef struct vn_place {
    int32_t x, y, r; /* the object lies within x-r..x+r, y-r..y+r */
} vn_place;

void vn_scene_sample(vn_scene *out, uint64_t seed, uint64_t row);
/* Adds a group of count objects where there is room: up to three objects in all. */
void vn_scene_add(vn_scene *scene, int count, vn_rng *rng);
/* A shape that no object has. */
int vn_scene_new_shape(const vn_scene *scene, vn_rng *rng);
vn_place vn_scene_place(const vn_scene *scene, const vn_object *object);
/* Whether the caption says where group 0 stands: to group 1, or to the middle if it is alone on one side. */
int vn_scene_has_relation(const vn_scene *scene);

/* 1 and the edited scene, or 0 and a copy where no exact edit of this kind exists. */
int vn_scene_edit(vn_scene *out, const vn_scene *in, int edit);
/* 1 if the caption of said can be taken as true of seen; "a" counts at least one, and what is not said is free. */
int vn_scene_holds(const vn_scene *said, const vn_scene *seen);

/* The caption, UTF-8 with a final 0; returns its bytes without it, always below VN_SCENE_TEXT. */
int64_t vn_scene_say(char text[VN_SCENE_TEXT], const vn_scene *scene);
const char *vn_scene_shape(int shape);
const char *vn_scene_colour(int colour);
const char *vn_scene_size(int size);
const char *vn_scene_edit_name(int edit);

/* size in [1, VN_SCENE_MAX]; rgb (size,size,3); mask (size,size) number of the object from 1, 0 = ground, or NULL */
void vn_scene_draw(uint8_t *rgb, uint8_t *mask, const vn_scene *scene, int64_t size);

#endif
