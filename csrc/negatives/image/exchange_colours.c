/* Two objects of different categories get each other's colour: the one that over half of its pixels have.
 *
 * param[0]: least saturation in thousandths. */
#include "../../image/vn_colour.h"
#include "../../vn_picture.h"

static void
give(vn_variant *out, const vn_photo *in, const vn_mask *mask, int colour, const vn_image_slot *slot, vn_arena *scratch)
{
    size_t mark = scratch->used;
    vn_layer layer = vn_layer_of(mask, in->H, in->W, 0, slot->feather, scratch);
    int64_t pixels = layer.box.height * layer.box.width;
    uint8_t *rgb = vn_arena_take(scratch, (size_t)pixels * 3);
    vn_canvas_copy(rgb, &out->canvas, layer.box);
    vn_colour_give(rgb, layer.alpha, pixels, (vn_colour)colour, slot->param[0]);
    vn_paint(&out->canvas, &layer, rgb);
    scratch->used = mark;
}

static vn_image_reason
make(vn_variant *out, const vn_photo *in, const vn_photo *other, const vn_image_slot *slot, vn_rng *rng,
     vn_arena *scratch)
{
    int64_t a = -1, b = -1, n = vn_photo_pair(in, slot, rng, &a, &b);
    (void)other;
    out->variants = (int)VN_MIN(n, 1000);
    if (n == 0)
        return VN_IMAGE_EMPTY;
    int colour_a = vn_photo_colour(in, a), colour_b = vn_photo_colour(in, b);
    if (colour_a < 0 || colour_b < 0 || colour_a == colour_b)
        return VN_IMAGE_SAME;
    give(out, in, &in->mask[a], colour_b, slot, scratch);
    give(out, in, &in->mask[b], colour_a, slot, scratch);
    if (!vn_canvas_shows(&out->canvas, in, a, colour_b) || !vn_canvas_shows(&out->canvas, in, b, colour_a))
        return VN_IMAGE_SAME;
    const int32_t note[] = {(int32_t)a, (int32_t)b, colour_a, colour_b};
    for (int i = 0; i < 4; i++)
        out->note[i] = note[i];
    return VN_IMAGE_VALID;
}

static const char *const kinds[] = {"exchange_colours", NULL};
static const char *const notes[] = {"object", "with", "old", "new", NULL};

const vn_image_maker vn_image_exchange_colours = {
    "exchange_colours", "two objects in each other's colour", kinds, notes, {{0, 1000}}, make,
};
