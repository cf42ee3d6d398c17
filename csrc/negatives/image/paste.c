/* An object of another picture is put in, or takes the place of one.
 *
 * Put in: it is scaled with the frame's height, stands as high as it stood there, anywhere across, and hides nothing;
 * only a category that the picture lacks. In place of another: of the same supercategory, of another category, scaled
 * to the height of what it replaces, on the same base line. It stays in the frame but for a tenth.
 * param[0]: as in remove; param[1]: 1 to replace. */
#include "../../image/vn_piece.h"
#include "../../vn_picture.h"

enum { PASTE, REPLACE };

static int
has(const vn_photo *in, int32_t kind)
{
    for (int64_t m = 0; m < in->masks; m++)
        if (kind >= 0 && in->mask[m].kind == kind)
            return 1;
    return 0;
}

/* Where it goes; an empty box if it does not fit. */
static vn_box
place(const vn_photo *in, const vn_photo *other, const vn_mask *from, const vn_mask *old, vn_rng *rng)
{
    vn_box b = {0, 0, 0, 0}, was = from->box;
    int64_t height = old != NULL ? old->box.height : VN_MAX((was.height * in->H + other->H / 2) / other->H, 1);
    int64_t width = VN_MAX((was.width * height + was.height / 2) / was.height, 1);
    if (width > in->W)
        return b;
    b.height = height;
    b.width = width;
    b.top =
        (old != NULL ? old->box.top + old->box.height : ((was.top + was.height) * in->H + other->H / 2) / other->H) -
        height;
    b.left = old != NULL ? old->box.left + (old->box.width - width) / 2 : vn_rng_below(rng, in->W - width + 1);
    return b;
}

static vn_image_reason
make(vn_variant *out, const vn_photo *in, const vn_photo *other, const vn_image_slot *slot, vn_rng *rng,
     vn_arena *scratch)
{
    vn_image_reason why;
    out->kind = slot->param[1];
    out->variants = 1;
    int64_t n = other == NULL ? -1 : vn_photo_pick(other, slot, -1, rng, &why);
    int64_t m = out->kind == PASTE || n < 0 ? -1 : vn_photo_pick(in, slot, -1, rng, &why);
    if (n < 0 || (m < 0 && out->kind == REPLACE))
        return VN_IMAGE_EMPTY;
    out->variants = 1000;
    const vn_mask *from = &other->mask[n], *old = m < 0 ? NULL : &in->mask[m];
    if (has(in, from->kind) || (old != NULL && old->group != from->group))
        return VN_IMAGE_PLACE;
    vn_box at = place(in, other, from, old, rng);
    if (at.width == 0)
        return VN_IMAGE_PLACE;
    vn_piece piece = vn_piece_cut(other->rgb, other->W, from, scratch);
    piece = vn_piece_scaled(&piece, at.height, at.width, scratch);
    vn_mask there = vn_piece_mask(&piece, at.top, at.left, in->H, in->W);
    if (there.area == 0 || 10 * there.area < 9 * vn_piece_mask(&piece, 0, 0, piece.h, piece.w).area ||
        vn_photo_hides(in, &there, m, -1))
        return VN_IMAGE_PLACE;
    if (old != NULL && !vn_erase(&out->canvas, old, vn_erase_grow(old, slot->param[0]), slot->feather, scratch))
        return VN_IMAGE_AREA;
    vn_piece_paste(&out->canvas, &piece, at.top, at.left, slot->feather, scratch);
    out->note[0] = old != NULL ? (int32_t)m : INT32_MIN;
    out->note[1] = (int32_t)n;
    return VN_IMAGE_VALID;
}

static const char *const kinds[] = {"paste", "replace", NULL};
static const char *const notes[] = {"object", "other", NULL};

const vn_image_maker vn_image_paste = {
    "paste", "an object of another picture", kinds, notes, {{0, 1000}, {0, 1}}, make,
};
