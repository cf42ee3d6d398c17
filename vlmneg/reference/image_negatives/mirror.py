"""Twin of csrc/negatives/image/mirror.c."""

import numpy as np

from vlmneg.reference.image_negatives.draw import VALID


def make(out, photo, other, slot, rng):
    """One variant."""
    out.variants = 1
    out.canvas.paint(np.full((photo.H, photo.W), 255, np.uint8), photo.rgb[:, ::-1])
    return VALID
