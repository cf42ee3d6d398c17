"""Twin of csrc/negatives/image/resize.c."""

from vlmneg.reference.image_negatives import piece
from vlmneg.reference.image_negatives.draw import AREA, PLACE, VALID, choices, pick

BIGGER = 0


def make(out, photo, other, slot, rng):
    """One variant."""
    m, why = pick(photo, slot, rng)
    out.variants = 100 * max(len(choices(photo, slot)), 1)
    if m < 0:
        return why
    mask = photo.masks[m]
    out.kind = slot.param[1] - 1 if slot.param[1] else rng.below(2)
    scale = 1600 + rng.below(601) if out.kind == BIGGER else 350 + rng.below(251)
    top, left, height, width = mask.box
    h, w = (max((n * scale + 500) // 1000, 1) for n in (height, width))
    top, left = top + height - h, left + int((width - w) / 2)
    if h > 2 * photo.H or w > 2 * photo.W:
        return PLACE
    p = piece.cut(photo.rgb, mask).scaled(h, w)
    there = piece.placed(p, top, left, photo.H, photo.W)
    if not there.area or 4 * there.area < 3 * p.area or piece.hides(photo, there, m):
        return PLACE
    if not piece.erase(out.canvas, mask, slot.param[0], slot.feather):
        return AREA
    piece.paste(out.canvas, p, top, left, slot.feather)
    out.notes.update(object=m, scale=scale)
    return VALID
