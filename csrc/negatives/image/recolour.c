/* One object gets another colour.
 *
 * The source colour is the one that more than half of the object's pixels have, if there is one; the new one is drawn
 * from the others, and most of the object must have it then. param: bit set of colours to draw from; least saturation
 * in thousandths. */
#include "../../image/vn_colour.h"
#include "../../vn_picture.h"

/* The n-th colour of a set; n is below their number. */
static int
nth(int32_t set, int64_t n)
{
    int c = 0;
    while (!(set >> c & 1) || n-- > 0)
        c++;
    return c;
}

static int
size_of(int32_t set)
{
    int n = 0;
    for (int c = 0; c < VN_COLOURS; c++)
        n += set >> c & 1;
    return n;
}

static vn_image_reason
make(vn_variant *out, const vn_photo *in, const vn_photo *other, const vn_image_slot *slot, vn_rng *rng,
     vn_arena *scratch)
{
    vn_image_reason why;
    int64_t m = vn_photo_pick(in, slot, -1, rng, &why);
    (void)other;
    out->variants = 1;
    if (m < 0)
        return why;
    const vn_mask *mask = &in->mask[m];
    int from = vn_photo_colour(in, m);
    int32_t set = slot->param[0] & ~(from >= 0 ? 1 << from : 0);
    int colours = size_of(set);
    out->variants = (int)VN_MIN(vn_photo_choices(in, slot, -1) * VN_MAX(colours, 1), 1000);
    if (colours == 0)
        return VN_IMAGE_SAME;
    int to = nth(set, vn_rng_below(rng, colours));
    vn_layer layer = vn_layer_of(mask, in->H, in->W, 0, slot->feather, scratch);
    int64_t pixels = layer.box.height * layer.box.width;
    uint8_t *rgb = vn_arena_take(scratch, (size_t)pixels * 3);
    vn_canvas_copy(rgb, &out->canvas, layer.box);
    vn_colour_give(rgb, layer.alpha, pixels, (vn_colour)to, slot->param[1]);
    vn_paint(&out->canvas, &layer, rgb);
    if (!vn_canvas_shows(&out->canvas, in, m, to))
        return VN_IMAGE_SAME;
    out->note[0] = (int32_t)m;
    out->note[1] = from >= 0 ? from : INT32_MIN;
    out->note[2] = to;
    return VN_IMAGE_VALID;
}

static const char *const kinds[] = {"recolour", NULL};
static const char *const notes[] = {"object", "old", "new", NULL};

const vn_image_maker vn_image_recolour = {
    "recolour", "an object in another colour", kinds, notes, {{0, (1 << VN_COLOURS) - 1}, {0, 1000}}, make,
};
