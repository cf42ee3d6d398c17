/* A copy of an object beside it, on the same base line, inside the frame, where it hides no other object.
 *
 * The gap is up to half the object's width; the side is drawn, the other one taken where the copy does not fit. */
#include "../../image/vn_piece.h"
#include "../../vn_picture.h"

static vn_image_reason
make(vn_variant *out, const vn_photo *in, const vn_photo *other, const vn_image_slot *slot, vn_rng *rng,
     vn_arena *scratch)
{
    vn_image_reason why;
    int64_t m = vn_photo_pick(in, slot, -1, rng, &why);
    (void)other;
    out->variants = (int)VN_MIN(16 * VN_MAX(vn_photo_choices(in, slot, -1), 1), 1000);
    if (m < 0)
        return why;
    const vn_mask *mask = &in->mask[m];
    int64_t side = 1 - 2 * vn_rng_below(rng, 2), width = mask->box.width;
    int64_t way = width + vn_rng_below(rng, width / 2 + 1);
    for (int turn = 0; turn < 2; turn++, side = -side) {
        int64_t left = mask->box.left + side * way;
        if (left < 0 || left + width > in->W)
            continue;
        size_t mark = scratch->used;
        vn_piece piece = vn_piece_cut(in->rgb, in->W, mask, scratch);
        vn_mask there = vn_piece_mask(&piece, mask->box.top, left, in->H, in->W);
        if (!vn_photo_hides(in, &there, -1, -1)) {
            vn_piece_paste(&out->canvas, &piece, mask->box.top, left, slot->feather, scratch);
            out->note[0] = (int32_t)m;
            out->note[1] = (int32_t)(side * way);
            return VN_IMAGE_VALID;
        }
        scratch->used = mark;
    }
    return VN_IMAGE_PLACE;
}

static const char *const kinds[] = {"duplicate", NULL};
static const char *const notes[] = {"object", "right", NULL}; /* pixels to the right, negative to the left */

const vn_image_maker vn_image_duplicate = {
    "duplicate", "a copy of an object beside it", kinds, notes, {{0, 0}}, make,
};
