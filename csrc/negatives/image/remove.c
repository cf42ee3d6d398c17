/* One object is gone: its place, a little grown because outlines are rough, continues its surroundings.
 *
 * param[0]: pixels to grow by, in thousandths of the square root of the object's area; at least 1. The hole is filled
 * from the pixels of a box MARGIN pixels larger. */
#include "../../vn_picture.h"

enum { MARGIN = 8, MOST = 32 };

static int64_t
grow_of(const vn_mask *mask, int32_t share)
{
    int64_t g = 1; /* the largest with g^2 10^6 <= share^2 area */
    while (g < MOST && (g + 1) * (g + 1) * 1000000 <= (int64_t)share * share * mask->area)
        g++;
    return g;
}

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
    vn_layer layer = vn_layer_of(mask, in->H, in->W, grow_of(mask, slot->param[0]), slot->feather, scratch);
    vn_layer wide = vn_layer_in(&layer, vn_box_grown(layer.box, MARGIN, in->H, in->W), scratch);
    uint8_t *rgb = vn_arena_take(scratch, (size_t)(wide.box.height * wide.box.width) * 3);
    vn_canvas_copy(rgb, &out->canvas, wide.box);
    if (!vn_fill(rgb, wide.alpha, wide.box.height, wide.box.width, scratch))
        return VN_IMAGE_AREA;
    vn_paint(&out->canvas, &wide, rgb);
    const int32_t note[] = {(int32_t)m, (int32_t)mask->box.top, (int32_t)mask->box.left, (int32_t)mask->box.height,
                            (int32_t)mask->box.width};
    for (int n = 0; n < 5; n++)
        out->note[n] = note[n];
    return VN_IMAGE_VALID;
}

static const char *const kinds[] = {"remove", NULL};
static const char *const notes[] = {"object", "top", "left", "height", "width", NULL};

const vn_image_maker vn_image_remove = {"remove", "an object gone, its place filled from around", kinds, notes, make};
