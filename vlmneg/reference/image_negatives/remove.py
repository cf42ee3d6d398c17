"""Twin of csrc/negatives/image/remove.c."""

from vlmneg.reference.image_negatives import paint
from vlmneg.reference.image_negatives.draw import AREA, VALID, choices, pick

MARGIN, MOST = 8, 32


def make(out, photo, other, slot, rng):
    """One variant."""
    m, why = pick(photo, slot, rng)
    out.variants = max(len(choices(photo, slot)), 1)
    if m < 0:
        return why
    mask, grow = photo.masks[m], 1
    while grow < MOST and (grow + 1) ** 2 * 1000000 <= slot.param[0] ** 2 * mask.area:
        grow += 1
    alpha = paint.soft(mask.full, grow, slot.feather)
    wide = paint.part(paint.grown(mask.box, grow + slot.feather + MARGIN, photo.H, photo.W))
    filled = paint.fill(photo.rgb[wide], alpha[wide])
    if filled is None:
        return AREA
    rgb = photo.rgb.copy()
    rgb[wide] = filled
    out.canvas.paint(alpha, rgb)
    out.notes.update(object=m, **dict(zip(("top", "left", "height", "width"), mask.box, strict=True)))
    return VALID
