"""Twin of csrc/negatives/image/background.c."""

import numpy as np

from vlmneg.reference.image_negatives import paint
from vlmneg.reference.image_negatives.draw import EMPTY, VALID
from vlmneg.reference.images import resize


def make(out, photo, other, slot, rng):
    """One variant."""
    out.variants = 1
    union = np.bitwise_or.reduce([np.zeros((photo.H, photo.W), np.uint8), *(m.full for m in photo.masks)])
    if other is None or not union.any():
        return EMPTY
    height, width = photo.H, photo.W
    if height * other.W > width * other.H:
        width = -(-other.W * height // other.H)
    else:
        height = -(-other.H * width // other.W)
    top, left = rng.below(height - photo.H + 1), rng.below(width - photo.W + 1)
    out.variants = height - photo.H + width - photo.W + 1
    rgb = resize(other.rgb, height, width, "horizontal")[top:top + photo.H, left:left + photo.W]
    out.canvas.paint(255 - paint.soft(union, 0, slot.feather), rgb)
    return VALID
