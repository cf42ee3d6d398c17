"""Twin of csrc/negatives/image/duplicate.c."""

from vlmneg.reference.image_negatives import piece
from vlmneg.reference.image_negatives.draw import PLACE, VALID, choices, pick


def make(out, photo, other, slot, rng):
    """One variant."""
    m, why = pick(photo, slot, rng)
    out.variants = 16 * max(len(choices(photo, slot)), 1)
    if m < 0:
        return why
    mask = photo.masks[m]
    top, left, _, width = mask.box
    side = 1 - 2 * rng.below(2)
    way = width + rng.below(width // 2 + 1)
    for right in (side * way, -side * way):
        if not 0 <= left + right <= photo.W - width:
            continue
        p = piece.cut(photo.rgb, mask)
        if not piece.hides(photo, piece.placed(p, top, left + right, photo.H, photo.W)):
            piece.paste(out.canvas, p, top, left + right, slot.feather)
            out.notes.update(object=m, right=right)
            return VALID
    return PLACE
