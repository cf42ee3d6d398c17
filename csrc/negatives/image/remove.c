/* One object is gone: its place, a little grown because outlines are rough, continues its surroundings.
 *
 * param[0]: pixels to grow by, in thousandths of the square root of the object's area. */
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
    if (!vn_erase(&out->canvas, mask, vn_erase_grow(mask, slot->param[0]), slot->feather, scratch))
        return VN_IMAGE_AREA;
    const int32_t note[] = {(int32_t)m, (int32_t)mask->box.top, (int32_t)mask->box.left, (int32_t)mask->box.height,
                            (int32_t)mask->box.width};
    for (int n = 0; n < 5; n++)
        out->note[n] = note[n];
    return VN_IMAGE_VALID;
}

static const char *const kinds[] = {"remove", NULL};
static const char *const notes[] = {"object", "top", "left", "height", "width", NULL};

const vn_image_maker vn_image_remove = {
    "remove", "an object gone, its place filled from around", kinds, notes, {{0, 1000}}, make,
};
