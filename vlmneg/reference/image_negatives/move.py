"""Twin of csrc/negatives/image/move.c."""

from vlmneg.reference.image_negatives import piece
from vlmneg.reference.image_negatives.draw import AREA, PLACE, VALID, choices, pick


def make(out, photo, other, slot, rng):
    """One variant."""
    m, why = pick(photo, slot, rng)
    out.variants = max(len(choices(photo, slot)), 1)
    if m < 0:
        return why
    mask = photo.masks[m]
    top, left, _, width = mask.box
    to = photo.W - left - width
    if 2 * abs(to - left) < width:
        return PLACE
    p = piece.cut(photo.rgb, mask)
    p = p.mirrored() if slot.param[1] else p
    if piece.hides(photo, piece.placed(p, top, to, photo.H, photo.W), m):
        return PLACE
    if not piece.erase(out.canvas, mask, slot.param[0], slot.feather):
        return AREA
    piece.paste(out.canvas, p, top, to, slot.feather)
    out.notes.update(object=m, right=to - left)
    return VALID
