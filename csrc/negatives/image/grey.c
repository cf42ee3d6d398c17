/* The picture, or one object of it, without colour: 0.299 R + 0.587 G + 0.114 B.
 *
 * param[0]: 1 for an object. */
#include "../../vn_picture.h"

VN_CLONES static void
grey(uint8_t *rgb, int64_t n)
{
    for (int64_t p = 0; p < n; p++)
        rgb[p * 3] = rgb[p * 3 + 1] = rgb[p * 3 + 2] = vn_grey(rgb + p * 3);
}

static vn_image_reason
make(vn_variant *out, const vn_photo *in, const vn_photo *other, const vn_image_slot *slot, vn_rng *rng,
     vn_arena *scratch)
{
    vn_layer layer;
    (void)other;
    if (slot->param[0]) {
        vn_image_reason why;
        int64_t m = vn_photo_pick(in, slot, -1, rng, &why);
        out->variants = (int)VN_MAX(vn_photo_choices(in, slot, -1), 1);
        if (m < 0)
            return why;
        out->note[0] = (int32_t)m;
        layer = vn_layer_of(&in->mask[m], in->H, in->W, 0, slot->feather, scratch);
    } else {
        out->variants = 1;
        layer = vn_layer_all(in->H, in->W, scratch);
    }
    int64_t pixels = layer.box.height * layer.box.width;
    uint8_t *rgb = vn_arena_take(scratch, (size_t)pixels * 3);
    vn_canvas_copy(rgb, &out->canvas, layer.box);
    grey(rgb, pixels);
    vn_paint(&out->canvas, &layer, rgb);
    return VN_IMAGE_VALID;
}

static const char *const kinds[] = {"grey", NULL};
static const char *const notes[] = {"object", NULL};

const vn_image_maker vn_image_grey = {
    "grey", "the picture or an object without colour", kinds, notes, {{0, 1}}, make,
};
