/* Everything but the objects from another picture, which is scaled to cover the frame and cropped at a random place. */
#include <string.h>

#include "../../vn_picture.h"

/* Over the whole frame: 255 where no object is. */
static vn_layer
around(const vn_photo *in, int32_t feather, vn_arena *scratch)
{
    vn_box frame = {0, 0, in->H, in->W};
    uint8_t *all = vn_arena_take(scratch, (size_t)(in->H * in->W));
    memset(all, 0, (size_t)(in->H * in->W));
    for (int64_t m = 0; m < in->masks; m++) {
        const vn_mask *mask = &in->mask[m];
        for (int64_t i = 0; mask->area > 0 && i < mask->box.height; i++)
            for (int64_t j = 0; j < mask->box.width; j++)
                all[(mask->box.top + i) * in->W + mask->box.left + j] |= mask->at[i * mask->stride + j] != 0;
    }
    vn_mask mask = vn_mask_of(all, in->W, frame, in->H, in->W);
    vn_layer layer = {frame, NULL};
    if (mask.area == 0)
        return layer;
    layer = vn_layer_of(&mask, in->H, in->W, 0, feather, scratch);
    layer = vn_layer_in(&layer, frame, scratch);
    for (int64_t p = 0; p < in->H * in->W; p++)
        layer.alpha[p] = (uint8_t)(255 - layer.alpha[p]);
    return layer;
}

static vn_image_reason
make(vn_variant *out, const vn_photo *in, const vn_photo *other, const vn_image_slot *slot, vn_rng *rng,
     vn_arena *scratch)
{
    out->variants = 1;
    if (other == NULL)
        return VN_IMAGE_EMPTY;
    vn_layer layer = around(in, slot->feather, scratch);
    if (layer.alpha == NULL)
        return VN_IMAGE_EMPTY;
    vn_window part = {in->H, in->W, 0, 0, in->H, in->W};
    if (in->H * other->W > in->W * other->H)
        part.width = (other->W * in->H + other->H - 1) / other->H;
    else
        part.height = (other->H * in->W + other->W - 1) / other->W;
    part.top = vn_rng_below(rng, part.height - in->H + 1);
    part.left = vn_rng_below(rng, part.width - in->W + 1);
    out->variants = (int)VN_MIN(part.height - in->H + part.width - in->W + 1, 1000);
    uint8_t *rgb = vn_arena_take(scratch, (size_t)(in->H * in->W * 3));
    const vn_picture whole = {other->rgb, other->H, other->W, 3, other->W * 3};
    vn_picture_resize(rgb, &whole, &part, VN_ORDER_HORIZONTAL, scratch);
    vn_paint(&out->canvas, &layer, rgb);
    return VN_IMAGE_VALID;
}

static const char *const kinds[] = {"background", NULL};
static const char *const notes[] = {NULL};

const vn_image_maker vn_image_background = {
    "background", "the objects before another picture", kinds, notes, {{0, 0}}, make,
};
