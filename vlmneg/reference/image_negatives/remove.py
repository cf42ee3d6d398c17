"""Twin of csrc/negatives/image/remove.c."""

from vlmneg.reference.image_negatives import piece
from vlmneg.reference.image_negatives.draw import AREA, VALID, choices, pick


def make(out, photo, other, slot, rng):
    """One variant."""
    m, why = pick(photo, slot, rng)
    out.variants = max(len(choices(photo, slot)), 1)
    if m < 0:
        return why
    mask = photo.masks[m]
    if not piece.erase(out.canvas, mask, slot.param[0], slot.feather):
        return AREA
    out.notes.update(object=m, **dict(zip(("top", "left", "height", "width"), mask.box, strict=True)))
    return VALID
