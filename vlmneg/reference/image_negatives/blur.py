"""Twin of csrc/negatives/image/blur.c."""

import numpy as np

from vlmneg.reference.image_negatives import paint
from vlmneg.reference.image_negatives.draw import VALID, choices, pick


def radius_of(height, width, share):
    """Pixels, from millionths of the shorter side."""
    return max((share * min(height, width) + 500000) // 1000000, 1)


def make(out, photo, other, slot, rng):
    """One variant."""
    share = slot.param[1]
    if not slot.param[0]:
        out.variants, out.notes["radius"] = 1, radius_of(photo.H, photo.W, share)
        blurred = paint.blur(photo.rgb, out.notes["radius"])
        out.canvas.paint(np.full((photo.H, photo.W), 255, np.uint8), blurred)
        return VALID
    m, why = pick(photo, slot, rng)
    out.variants = max(len(choices(photo, slot)), 1)
    if m < 0:
        return why
    top, left, height, width = photo.masks[m].box
    radius = radius_of(height, width, share)
    out.notes.update(object=m, radius=radius)
    wide = paint.part(paint.grown(photo.masks[m].box, slot.feather + 3 * radius, photo.H, photo.W))
    blurred = photo.rgb.copy()
    blurred[wide] = paint.blur(photo.rgb[wide], radius)
    out.canvas.paint(paint.soft(photo.masks[m].full, 0, slot.feather), blurred)
    return VALID
