/* What edits ask about the objects of a picture: pairs, colours, and whether something would hide another object. */
#include "../image/vn_colour.h"
#include "../vn_picture.h"

static int
pairs(const vn_photo *in, const vn_image_slot *slot, int64_t a, int64_t b)
{
    return vn_photo_allows(in, slot, a) && vn_photo_allows(in, slot, b) &&
           (in->mask[a].kind < 0 || in->mask[a].kind != in->mask[b].kind);
}

int64_t
vn_photo_pair(const vn_photo *in, const vn_image_slot *slot, vn_rng *rng, int64_t *a, int64_t *b)
{
    int64_t n = 0;
    for (int64_t i = 0; i < in->masks; i++)
        for (int64_t j = i + 1; j < in->masks; j++)
            n += pairs(in, slot, i, j);
    int64_t left = n > 0 ? vn_rng_below(rng, n) : -1;
    for (int64_t i = 0; i < in->masks && left >= 0; i++)
        for (int64_t j = i + 1; j < in->masks && left >= 0; j++)
            if (pairs(in, slot, i, j) && left-- == 0) {
                *a = i;
                *b = j;
            }
    return n;
}

/* Pixels of both. */
static int64_t
shared(const vn_mask *a, const vn_mask *b)
{
    int64_t top = VN_MAX(a->box.top, b->box.top), left = VN_MAX(a->box.left, b->box.left), n = 0;
    int64_t bottom = VN_MIN(a->box.top + a->box.height, b->box.top + b->box.height);
    int64_t right = VN_MIN(a->box.left + a->box.width, b->box.left + b->box.width);
    for (int64_t i = top; i < bottom; i++)
        for (int64_t j = left; j < right; j++)
            n += a->at[(i - a->box.top) * a->stride + j - a->box.left] != 0 &&
                 b->at[(i - b->box.top) * b->stride + j - b->box.left] != 0;
    return n;
}

int
vn_photo_hides(const vn_photo *in, const vn_mask *mask, int64_t a, int64_t b)
{
    for (int64_t m = 0; m < in->masks; m++)
        if (m != a && m != b && in->mask[m].area > 0 && 4 * shared(mask, &in->mask[m]) > in->mask[m].area)
            return 1;
    return 0;
}

int
vn_photo_colour(const vn_photo *in, int64_t m)
{
    const vn_mask *mask = &in->mask[m];
    int64_t count[VN_COLOURS] = {0};
    for (int64_t i = 0; i < mask->box.height; i++)
        for (int64_t j = 0; j < mask->box.width; j++)
            if (mask->at[i * mask->stride + j])
                count[vn_colour_of(in->rgb + ((mask->box.top + i) * in->W + mask->box.left + j) * 3)]++;
    for (int c = 0; c < VN_COLOURS; c++)
        if (2 * count[c] > mask->area)
            return c;
    return -1;
}

int
vn_canvas_shows(const vn_canvas *canvas, const vn_photo *in, int64_t m, int colour)
{
    vn_photo after = *in;
    after.rgb = canvas->rgb;
    return colour <= VN_GREY || vn_photo_colour(&after, m) == colour;
}
