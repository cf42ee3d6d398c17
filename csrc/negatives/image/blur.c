/* The picture, or one object of it, blurred.
 *
 * param: 1 for an object; radius in millionths of the shorter side of what is blurred, at least one pixel. */
#include "../../vn_picture.h"

static int64_t
radius_of(vn_box b, int32_t share)
{
    return VN_MAX((share * VN_MIN(b.height, b.width) + 500000) / 1000000, 1);
}

static vn_image_reason
make(vn_variant *out, const vn_photo *in, const vn_photo *other, const vn_image_slot *slot, vn_rng *rng,
     vn_arena *scratch)
{
    vn_layer layer;
    vn_box wide = {0, 0, in->H, in->W}; /* what the blurred pixels are made of */
    int64_t radius;
    (void)other;
    if (slot->param[0]) {
        vn_image_reason why;
        int64_t m = vn_photo_pick(in, slot, -1, rng, &why);
        out->variants = (int)VN_MAX(vn_photo_choices(in, slot, -1), 1);
        if (m < 0)
            return why;
        out->note[0] = (int32_t)m;
        layer = vn_layer_of(&in->mask[m], in->H, in->W, 0, slot->feather, scratch);
        radius = radius_of(in->mask[m].box, slot->param[1]);
        wide = vn_box_grown(layer.box, 3 * radius, in->H, in->W);
    } else {
        out->variants = 1;
        layer = vn_layer_all(in->H, in->W, scratch);
        radius = radius_of(wide, slot->param[1]);
    }
    out->note[1] = (int32_t)radius;
    uint8_t *rgb = vn_arena_take(scratch, (size_t)(wide.height * wide.width) * 3);
    vn_canvas_copy(rgb, &out->canvas, wide);
    vn_blur(rgb, wide.height, wide.width, radius, scratch);
    uint8_t *part = vn_arena_take(scratch, (size_t)(layer.box.height * layer.box.width) * 3);
    vn_cut(part, layer.box, rgb, wide);
    vn_paint(&out->canvas, &layer, part);
    return VN_IMAGE_VALID;
}

static const char *const kinds[] = {"blur", NULL};
static const char *const notes[] = {"object", "radius", NULL};

const vn_image_maker vn_image_blur = {
    "blur", "the picture or an object blurred", kinds, notes, {{0, 1}, {0, 1000000}}, make,
};
