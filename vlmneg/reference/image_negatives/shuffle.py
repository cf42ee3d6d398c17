"""Twin of csrc/negatives/image/shuffle.c."""

import numpy as np

from vlmneg.reference.image_negatives.draw import EMPTY, VALID


def make(out, photo, other, slot, rng):
    """One variant."""
    rows, columns = min(slot.param[0], photo.H), min(slot.param[1], photo.W)
    out.kind = 2 if slot.param[0] == 1 else int(slot.param[1] == 1)
    if rows * columns < 2:
        return EMPTY
    out.variants = rows * columns
    order = list(range(rows * columns))
    for i in range(len(order) - 1, 0, -1):
        j = rng.below(i + 1)
        order[i], order[j] = order[j], order[i]
    h, w = photo.H // rows, photo.W // columns
    alpha, rgb = np.zeros((photo.H, photo.W), np.uint8), photo.rgb.copy()
    for to, at in enumerate(order):
        here, there = (np.s_[n // columns * h:(n // columns + 1) * h, n % columns * w:(n % columns + 1) * w]
                       for n in (to, at))
        rgb[here], alpha[here] = photo.rgb[there], 255 * (to != at)
    out.canvas.paint(alpha, rgb)
    return VALID
