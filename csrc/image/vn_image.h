/* Pictures: Pillow's bicubic resize bit for bit, CLIP's tensor, random boxes for training, masks of objects. */
#ifndef VN_IMAGE_H
#define VN_IMAGE_H

#include "../core/vn_arena.h"

/* (H,W,C) uint8, channels side by side, rows stride bytes apart */
typedef struct vn_picture {
    const uint8_t *pixels;
    int64_t H, W, C, stride;
} vn_picture;

/* The part [top, top + rows) x [left, left + columns) of a picture resized to height x width. */
typedef struct vn_window {
    int64_t height, width, top, left, rows, columns;
} vn_window;

typedef enum vn_order {
    VN_ORDER_HORIZONTAL, /* the horizontal pass first: Pillow before 12.2 */
    VN_ORDER_PILLOW12,   /* the vertical one where a picture over 100 times as high as wide shrinks: 12.2 and 12.3 */
    VN_ORDER_PILLOW13    /* the vertical one where the height shrinks over twice as much as the width: since 13 */
} vn_order;

typedef struct vn_box {
    int64_t top, left, height, width;
} vn_box;

/* out (rows,columns,C). An arena without a base only counts what the call needs. */
void vn_picture_resize(uint8_t *out, const vn_picture *in, const vn_window *part, vn_order order, vn_arena *scratch);

/* out (3,rows,columns) float32: table (3,256) looked up for every pixel of the part, mirrored left to right if asked;
 * C is 1 (grey) or 3. The scratch as in vn_picture_resize. */
void vn_picture_tensor(float *out, const vn_picture *in, const vn_window *part, vn_order order, int mirror,
                     const float *table, vn_arena *scratch);

/* Box for a random resized crop of an H x W picture, a function of (seed, row). */
vn_box vn_box_draw(int64_t H, int64_t W, const double scale[2], const double ratio[2], uint64_t seed, uint64_t row);
/* Whether that row is mirrored: one in two. */
int vn_mirror_draw(uint64_t seed, uint64_t row);

/* Adds a polygon to mask (H,W), 1 inside; point (points,2): x, y, finite, at most 2^20 off. */
void vn_mask_polygon(uint8_t *mask, int64_t H, int64_t W, const double *point, int64_t points);
/* Adds runs of 0s and 1s in turn, down the columns; they end inside the mask. */
void vn_mask_runs(uint8_t *mask, int64_t H, int64_t W, const int64_t *run, int64_t runs);
/* run (bytes) gets the runs that are packed in text. */
vn_status vn_mask_unpack(int64_t *run, int64_t *runs, const char *text, int64_t bytes, vn_error *error);

#endif
