/* An object becomes larger, 1.6 to 2.2 times, or smaller, 0.35 to 0.6 times, about the middle of its base line.
 *
 * At least three quarters of a larger one stay in the frame, and it hides no other object. param[0]: as in remove;
 * param[1]: 0 either, 1 larger, 2 smaller. */
#include "../../image/vn_piece.h"
#include "../../vn_picture.h"

enum { BIGGER, SMALLER };

static int64_t
times(int64_t length, int64_t thousandths)
{
    return VN_MAX((length * thousandths + 500) / 1000, 1);
}

static int64_t
area_of(const vn_piece *piece)
{
    return vn_piece_mask(piece, 0, 0, piece->h, piece->w).area;
}

static vn_image_reason
make(vn_variant *out, const vn_photo *in, const vn_photo *other, const vn_image_slot *slot, vn_rng *rng,
     vn_arena *scratch)
{
    vn_image_reason why;
    int64_t m = vn_photo_pick(in, slot, -1, rng, &why);
    (void)other;
    out->variants = (int)VN_MIN(100 * VN_MAX(vn_photo_choices(in, slot, -1), 1), 1000);
    if (m < 0)
        return why;
    const vn_mask *mask = &in->mask[m];
    out->kind = slot->param[1] > 0 ? slot->param[1] - 1 : (int)vn_rng_below(rng, 2);
    int64_t scale = out->kind == BIGGER ? 1600 + vn_rng_below(rng, 601) : 350 + vn_rng_below(rng, 251);
    int64_t h = times(mask->box.height, scale), w = times(mask->box.width, scale);
    int64_t top = mask->box.top + mask->box.height - h, left = mask->box.left + (mask->box.width - w) / 2;
    if (h > 2 * in->H || w > 2 * in->W)
        return VN_IMAGE_PLACE;
    vn_piece piece = vn_piece_cut(in->rgb, in->W, mask, scratch);
    piece = vn_piece_scaled(&piece, h, w, scratch);
    vn_mask there = vn_piece_mask(&piece, top, left, in->H, in->W);
    if (there.area == 0 || 4 * there.area < 3 * area_of(&piece) || vn_photo_hides(in, &there, m, -1))
        return VN_IMAGE_PLACE;
    if (!vn_erase(&out->canvas, mask, vn_erase_grow(mask, slot->param[0]), slot->feather, scratch))
        return VN_IMAGE_AREA;
    vn_piece_paste(&out->canvas, &piece, top, left, slot->feather, scratch);
    out->note[0] = (int32_t)m;
    out->note[1] = (int32_t)scale;
    return VN_IMAGE_VALID;
}

static const char *const kinds[] = {"bigger", "smaller", NULL};
static const char *const notes[] = {"object", "scale", NULL}; /* in thousandths */

const vn_image_maker vn_image_resize = {
    "resize", "an object larger or smaller", kinds, notes, {{0, 1000}, {0, 2}}, make,
};
