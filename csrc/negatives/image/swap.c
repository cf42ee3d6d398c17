/* Two objects of different categories exchange places.
 *
 * Both are cut out, their places filled, and each is scaled, keeping its shape, to fit the other's box: in the middle,
 * on its base line. The one whose box reaches further down is painted last. Objects whose boxes share over half of the
 * smaller one stay, as do pairs that would be scaled by over SCALE.
 * param[0]: as in remove. */
#include "../../image/vn_piece.h"
#include "../../vn_picture.h"

enum { SCALE = 4 };

/* Whether the boxes share over half of the smaller one. */
static int
entwined(vn_box a, vn_box b)
{
    int64_t h = VN_MIN(a.top + a.height, b.top + b.height) - VN_MAX(a.top, b.top);
    int64_t w = VN_MIN(a.left + a.width, b.left + b.width) - VN_MAX(a.left, b.left);
    return h > 0 && w > 0 && 2 * h * w > VN_MIN(a.height * a.width, b.height * b.width);
}

/* A box of the shape of one, inside another. */
static vn_box
fitted(vn_box shape, vn_box into)
{
    vn_box out = into;
    if (shape.width * into.height > into.width * shape.height)
        out.height = VN_MAX((2 * shape.height * into.width + shape.width) / (2 * shape.width), 1);
    else
        out.width = VN_MAX((2 * shape.width * into.height + shape.height) / (2 * shape.height), 1);
    out.top = into.top + into.height - out.height;
    out.left = into.left + (into.width - out.width) / 2;
    return out;
}

static int
far_off(vn_box from, vn_box to)
{
    return to.width > SCALE * from.width || to.height > SCALE * from.height || SCALE * to.width < from.width ||
           SCALE * to.height < from.height;
}

static void
paste(vn_variant *out, const vn_piece *piece, vn_box at, int32_t feather, vn_arena *scratch)
{
    size_t mark = scratch->used;
    vn_piece scaled = vn_piece_scaled(piece, at.height, at.width, scratch);
    if (vn_piece_mask(&scaled, at.top, at.left, out->canvas.H, out->canvas.W).area > 0)
        vn_piece_paste(&out->canvas, &scaled, at.top, at.left, feather, scratch);
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
    const vn_mask *ma = &in->mask[a], *mb = &in->mask[b];
    vn_box to_b = fitted(ma->box, mb->box), to_a = fitted(mb->box, ma->box);
    if (entwined(ma->box, mb->box) || far_off(ma->box, to_b) || far_off(mb->box, to_a))
        return VN_IMAGE_PLACE;
    vn_piece pa = vn_piece_cut(in->rgb, in->W, ma, scratch), pb = vn_piece_cut(in->rgb, in->W, mb, scratch);
    if (!vn_erase(&out->canvas, ma, vn_erase_grow(ma, slot->param[0]), slot->feather, scratch) ||
        !vn_erase(&out->canvas, mb, vn_erase_grow(mb, slot->param[0]), slot->feather, scratch))
        return VN_IMAGE_AREA;
    int first = ma->box.top + ma->box.height > mb->box.top + mb->box.height; /* what goes to b's place is behind */
    for (int turn = 0; turn < 2; turn++)
        if ((turn == 0) == first)
            paste(out, &pa, to_b, slot->feather, scratch);
        else
            paste(out, &pb, to_a, slot->feather, scratch);
    out->note[0] = (int32_t)a;
    out->note[1] = (int32_t)b;
    return VN_IMAGE_VALID;
}

static const char *const kinds[] = {"swap", NULL};
static const char *const notes[] = {"object", "with", NULL};

const vn_image_maker vn_image_swap = {
    "swap", "two objects exchange places", kinds, notes, {{0, 1000}}, make,
};
