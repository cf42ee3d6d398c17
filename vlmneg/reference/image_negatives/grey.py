"""Twin of csrc/negatives/image/grey.c."""

import numpy as np

from vlmneg.reference.image_negatives.draw import VALID, choices, pick
from vlmneg.reference.image_negatives.paint import soft


def make(out, photo, other, slot, rng):
    """One variant."""
    out.variants, alpha = 1, np.full((photo.H, photo.W), 255, np.uint8)
    if slot.param[0]:
        m, why = pick(photo, slot, rng)
        out.variants = max(len(choices(photo, slot)), 1)
        if m < 0:
            return why
        out.notes["object"] = m
        alpha = soft(photo.masks[m].full, 0, slot.feather)
    grey = (photo.rgb.astype(int) @ (19595, 38470, 7471) + 32768) >> 16
    out.canvas.paint(alpha, np.repeat(grey[..., None], 3, 2))
    return VALID
