/* Objects cut out, scaled, mirrored, pasted; and the place they leave, filled.
 *
 * A mask is scaled as a picture of 0 and 255, Pillow's bicubic, and cut at 128. A pasted piece is blended by the soft
 * layer of its scaled mask; beyond the piece's box its rim is continued. */
#include <string.h>

#include "vn_piece.h"

enum { MARGIN = 8, MOST = 32 }; /* pixels of surroundings that a hole is filled from; the most it grows */

static vn_piece
take(int64_t h, int64_t w, vn_arena *scratch)
{
    vn_piece p = {NULL, NULL, h, w};
    p.rgb = vn_arena_take(scratch, (size_t)(h * w * 3));
    p.mask = vn_arena_take(scratch, (size_t)(h * w));
    return p;
}

vn_piece
vn_piece_cut(const uint8_t *rgb, int64_t W, const vn_mask *mask, vn_arena *scratch)
{
    vn_box b = mask->box;
    vn_piece p = take(b.height, b.width, scratch);
    size_t mark = scratch->used;
    uint8_t *hole = vn_arena_take(scratch, (size_t)(p.h * p.w));
    for (int64_t i = 0; i < p.h; i++) {
        memcpy(p.rgb + i * p.w * 3, rgb + ((b.top + i) * W + b.left) * 3, (size_t)p.w * 3);
        for (int64_t j = 0; j < p.w; j++) {
            p.mask[i * p.w + j] = mask->at[i * mask->stride + j] != 0;
            hole[i * p.w + j] = !p.mask[i * p.w + j];
        }
    }
    vn_fill(p.rgb, hole, p.h, p.w, scratch);
    scratch->used = mark;
    return p;
}

vn_piece
vn_piece_scaled(const vn_piece *in, int64_t h, int64_t w, vn_arena *scratch)
{
    vn_piece out = take(h, w, scratch);
    size_t mark = scratch->used;
    uint8_t *full = vn_arena_take(scratch, (size_t)(in->h * in->w));
    for (int64_t p = 0; p < in->h * in->w; p++)
        full[p] = in->mask[p] ? 255 : 0;
    const vn_window all = {h, w, 0, 0, h, w};
    const vn_picture rgb = {in->rgb, in->h, in->w, 3, in->w * 3}, mask = {full, in->h, in->w, 1, in->w};
    size_t before = scratch->used;
    vn_picture_resize(out.mask, &mask, &all, VN_ORDER_HORIZONTAL, scratch);
    scratch->used = before;
    vn_picture_resize(out.rgb, &rgb, &all, VN_ORDER_HORIZONTAL, scratch);
    for (int64_t p = 0; p < h * w; p++)
        out.mask[p] >>= 7;
    scratch->used = mark;
    return out;
}

void
vn_piece_mirror(vn_piece *piece)
{
    for (int64_t i = 0; i < piece->h; i++)
        for (int64_t j = 0; j < piece->w / 2; j++) {
            int64_t a = i * piece->w + j, b = i * piece->w + piece->w - 1 - j;
            uint8_t rgb[3], mask = piece->mask[a];
            memcpy(rgb, piece->rgb + a * 3, 3);
            memcpy(piece->rgb + a * 3, piece->rgb + b * 3, 3);
            memcpy(piece->rgb + b * 3, rgb, 3);
            piece->mask[a] = piece->mask[b];
            piece->mask[b] = mask;
        }
}

vn_mask
vn_piece_mask(const vn_piece *piece, int64_t top, int64_t left, int64_t H, int64_t W)
{
    return vn_mask_of(piece->mask, piece->w, (vn_box){top, left, piece->h, piece->w}, H, W);
}

void
vn_piece_paste(vn_canvas *canvas, const vn_piece *piece, int64_t top, int64_t left, int64_t feather, vn_arena *scratch)
{
    size_t mark = scratch->used;
    vn_mask mask = vn_piece_mask(piece, top, left, canvas->H, canvas->W);
    vn_layer layer = vn_layer_of(&mask, canvas->H, canvas->W, 0, feather, scratch);
    uint8_t *rgb = vn_arena_take(scratch, (size_t)(layer.box.height * layer.box.width * 3)), *to = rgb;
    for (int64_t i = 0; i < layer.box.height; i++) {
        int64_t y = VN_MIN(VN_MAX(layer.box.top + i - top, 0), piece->h - 1);
        for (int64_t j = 0; j < layer.box.width; j++, to += 3) {
            int64_t x = VN_MIN(VN_MAX(layer.box.left + j - left, 0), piece->w - 1);
            memcpy(to, piece->rgb + (y * piece->w + x) * 3, 3);
        }
    }
    vn_paint(canvas, &layer, rgb);
    scratch->used = mark;
}

int64_t
vn_erase_grow(const vn_mask *mask, int64_t share)
{
    int64_t g = 1; /* the largest with g^2 10^6 <= share^2 area */
    while (g < MOST && (g + 1) * (g + 1) * 1000000 <= share * share * mask->area)
        g++;
    return g;
}

int
vn_erase(vn_canvas *canvas, const vn_mask *mask, int64_t grow, int64_t feather, vn_arena *scratch)
{
    size_t mark = scratch->used;
    vn_layer layer = vn_layer_of(mask, canvas->H, canvas->W, grow, feather, scratch);
    vn_layer wide = vn_layer_in(&layer, vn_box_grown(layer.box, MARGIN, canvas->H, canvas->W), scratch);
    uint8_t *rgb = vn_arena_take(scratch, (size_t)(wide.box.height * wide.box.width) * 3);
    vn_canvas_copy(rgb, canvas, wide.box);
    int filled = vn_fill(rgb, wide.alpha, wide.box.height, wide.box.width, scratch);
    if (filled)
        vn_paint(canvas, &wide, rgb);
    scratch->used = mark;
    return filled;
}
