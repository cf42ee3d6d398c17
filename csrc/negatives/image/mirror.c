/* The whole picture, left to right. */
#include <string.h>

#include "../../vn_picture.h"

static vn_image_reason
make(vn_variant *out, const vn_photo *in, const vn_photo *other, const vn_image_slot *slot, vn_rng *rng,
     vn_arena *scratch)
{
    (void)other;
    (void)slot;
    (void)rng;
    out->variants = 1;
    vn_layer layer = vn_layer_all(in->H, in->W, scratch);
    uint8_t *rgb = vn_arena_take(scratch, (size_t)(in->H * in->W * 3));
    for (int64_t i = 0; i < in->H; i++)
        for (int64_t j = 0; j < in->W; j++)
            memcpy(rgb + (i * in->W + j) * 3, in->rgb + (i * in->W + in->W - 1 - j) * 3, 3);
    vn_paint(&out->canvas, &layer, rgb);
    return VN_IMAGE_VALID;
}

static const char *const kinds[] = {"mirror", NULL};
static const char *const notes[] = {NULL};

const vn_image_maker vn_image_mirror = {
    "mirror", "the whole picture, left to right", kinds, notes, {{0, 0}}, make,
};
