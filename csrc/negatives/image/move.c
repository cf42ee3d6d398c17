/* An object goes to the other side: its box to where it would be in the mirrored picture, and its place is filled.
 *
 * It must get away by half its width or more, and hide no other object. param[0]: as in remove; param[1]: 1 to mirror
 * the object itself too. */
#include "../../image/vn_piece.h"
#include "../../vn_picture.h"

static vn_image_reason
make(vn_variant *out, const vn_photo *in, const vn_photo *other, const vn_image_slot *slot, vn_rng *rng,
     vn_arena *scratch)
{
    vn_image_reason why;
    int64_t m = vn_photo_pick(in, slot, -1, rng, &why);
    (void)other;
    out->variants = (int)VN_MAX(vn_photo_choices(in, slot, -1), 1);
    if (m < 0)
        return why;
    const vn_mask *mask = &in->mask[m];
    int64_t from = mask->box.left, to = in->W - from - mask->box.width, way = to > from ? to - from : from - to;
    if (2 * way < mask->box.width)
        return VN_IMAGE_PLACE;
    vn_piece piece = vn_piece_cut(in->rgb, in->W, mask, scratch);
    if (slot->param[1])
        vn_piece_mirror(&piece);
    vn_mask there = vn_piece_mask(&piece, mask->box.top, to, in->H, in->W);
    if (vn_photo_hides(in, &there, m, -1))
        return VN_IMAGE_PLACE;
    if (!vn_erase(&out->canvas, mask, vn_erase_grow(mask, slot->param[0]), slot->feather, scratch))
        return VN_IMAGE_AREA;
    vn_piece_paste(&out->canvas, &piece, mask->box.top, to, slot->feather, scratch);
    out->note[0] = (int32_t)m;
    out->note[1] = (int32_t)(to - from);
    return VN_IMAGE_VALID;
}

static const char *const kinds[] = {"move", NULL};
static const char *const notes[] = {"object", "right", NULL}; /* pixels to the right, negative to the left */

const vn_image_maker vn_image_move = {
    "move", "an object on the other side", kinds, notes, {{0, 1000}, {0, 1}}, make,
};
