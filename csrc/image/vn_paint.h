/* Painting on pictures with soft masks, in integers: the same bits everywhere. */
#ifndef VN_PAINT_H
#define VN_PAINT_H

#include "vn_image.h"

/* The part of a frame that an object covers: 0 is outside, anything else inside. */
typedef struct vn_mask {
    const uint8_t *at; /* (box.height,box.width), rows stride bytes apart */
    vn_box box;        /* the smallest one, inside its frame */
    int64_t stride, area;
    int32_t kind, group; /* numbers of its category and supercategory, -1: unknown */
    int32_t use;         /* 0: seen, but never edited */
} vn_mask;

/* What is being painted. */
typedef struct vn_canvas {
    uint8_t *rgb;    /* (H,W,3) */
    uint8_t *region; /* (H,W): 1 where something was painted */
    int64_t H, W;
    vn_box touched; /* holds all that was painted */
} vn_canvas;

/* How much of each pixel of a box is painted over: 0 nothing, 255 all. */
typedef struct vn_layer {
    vn_box box;
    uint8_t *alpha; /* (box.height,box.width) */
} vn_layer;

/* at (height,width), placed at (top, left) of an H x W frame, which it may leave. */
vn_mask vn_mask_of(const uint8_t *at, int64_t stride, vn_box placed, int64_t H, int64_t W);

/* A box with margin pixels more on each side, cut at the frame. */
vn_box vn_box_grown(vn_box b, int64_t margin, int64_t H, int64_t W);
/* The smallest box that holds both; an empty one counts for nothing. */
vn_box vn_box_union(vn_box a, vn_box b);

/* The mask, grown by grow pixels, with edges feather pixels soft on both sides: alpha is the mean of the grown mask in
 * a square of 2 feather + 1 pixels, of which those outside the frame don't count. */
vn_layer vn_layer_of(const vn_mask *mask, int64_t H, int64_t W, int64_t grow, int64_t feather, vn_arena *scratch);
/* The same layer over a box that holds its own, 0 around it. */
vn_layer vn_layer_in(const vn_layer *layer, vn_box box, vn_arena *scratch);
/* A layer over the whole frame, all 255. */
vn_layer vn_layer_all(int64_t H, int64_t W, vn_arena *scratch);
/* rgb (box.height,box.width,3) over the canvas: c + (rgb - c) alpha / 255, rounded. Marks where alpha is not 0. */
void vn_paint(vn_canvas *canvas, const vn_layer *layer, const uint8_t *rgb);
/* out (box.height,box.width,3): that part of a frame (of.height,of.width,3) which lies at of; box lies inside it. */
void vn_cut(uint8_t *out, vn_box box, const uint8_t *rgb, vn_box of);
void vn_canvas_copy(uint8_t *out, const vn_canvas *canvas, vn_box box);

/* Grey of a pixel as Pillow's convert("L"): ITU-R 601-2. */
static inline uint8_t
vn_grey(const uint8_t *p)
{
    return (uint8_t)((19595u * p[0] + 38470u * p[1] + 7471u * p[2] + 32768u) >> 16);
}

/* rgb (h,w,3) blurred in place: three means over 2 radius + 1 pixels along each axis, near a Gaussian. */
void vn_blur(uint8_t *rgb, int64_t h, int64_t w, int64_t radius, vn_arena *scratch);

/* rgb (h,w,3): pixels where hole (h,w) is not 0 become a smooth continuation of the others; 0 if there are none. */
int vn_fill(uint8_t *rgb, const uint8_t *hole, int64_t h, int64_t w, vn_arena *scratch);

#endif
