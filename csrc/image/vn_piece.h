/* Objects cut out of a picture, to be put elsewhere. */
#ifndef VN_PIECE_H
#define VN_PIECE_H

#include "vn_paint.h"

/* An object in its box: what it looks like, also a little beyond its outline, and its mask, 0 or 1. */
typedef struct vn_piece {
    uint8_t *rgb;  /* (h,w,3) */
    uint8_t *mask; /* (h,w) */
    int64_t h, w;
} vn_piece;

/* The object of mask in a picture rgb (.,W,3). Pixels of its box that aren't its own continue its colours, so that soft
 * edges show nothing of where it stood. */
vn_piece vn_piece_cut(const uint8_t *rgb, int64_t W, const vn_mask *mask, vn_arena *scratch);
vn_piece vn_piece_scaled(const vn_piece *in, int64_t h, int64_t w, vn_arena *scratch);
/* In place, left to right. */
void vn_piece_mirror(vn_piece *piece);
/* The piece's mask where it is put on an H x W frame, which it may leave; its area counts what is inside. */
vn_mask vn_piece_mask(const vn_piece *piece, int64_t top, int64_t left, int64_t H, int64_t W);
/* Paints it there; at least one pixel is inside. */
void vn_piece_paste(vn_canvas *canvas, const vn_piece *piece, int64_t top, int64_t left, int64_t feather,
                    vn_arena *scratch);

/* The place of a mask, grown by grow pixels, continues its surroundings; 0 if there are none. */
int vn_erase(vn_canvas *canvas, const vn_mask *mask, int64_t grow, int64_t feather, vn_arena *scratch);
/* How far to grow where outlines are rough: the square root of the area times share thousandths, 1 to 32 pixels. */
int64_t vn_erase_grow(const vn_mask *mask, int64_t share);

#endif
