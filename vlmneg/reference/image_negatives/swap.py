"""Twin of csrc/negatives/image/swap.c."""

from vlmneg.reference.image_negatives import piece
from vlmneg.reference.image_negatives.draw import AREA, EMPTY, PLACE, VALID, choices

SCALE = 4


def entwined(a, b):
    """Whether boxes share over half of the smaller one."""
    h = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    w = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return h > 0 and w > 0 and 2 * h * w > min(a[2] * a[3], b[2] * b[3])


def fitted(shape, into):
    """A box of the shape of one, inside another, on its base line."""
    (_, _, h, w), (top, left, height, width) = shape, into
    if w * height > width * h:
        new_h, new_w = max((2 * h * width + w) // (2 * w), 1), width
    else:
        new_h, new_w = height, max((2 * w * height + h) // (2 * h), 1)
    return top + height - new_h, left + int((width - new_w) / 2), new_h, new_w


def far_off(a, b):
    """Whether one would be scaled too much."""
    return any(y > SCALE * x or SCALE * y < x for x, y in zip(a[2:], b[2:], strict=True))


def make(out, photo, other, slot, rng):
    """One variant."""
    a, b, out.variants = piece.pair(choices(photo, slot), photo.masks, rng)
    if not out.variants:
        return EMPTY
    masks = photo.masks[a], photo.masks[b]
    boxes = [m.box for m in masks]
    to_b, to_a = fitted(*boxes), fitted(*boxes[::-1])
    if entwined(*boxes) or far_off(boxes[0], to_b) or far_off(boxes[1], to_a):
        return PLACE
    pieces = [piece.cut(photo.rgb, m) for m in masks]
    if not all([piece.erase(out.canvas, m, slot.param[0], slot.feather) for m in masks]):
        return AREA
    order = [(pieces[0], to_b), (pieces[1], to_a)]
    if boxes[0][0] + boxes[0][2] <= boxes[1][0] + boxes[1][2]:
        order.reverse()
    for p, (top, left, h, w) in order:
        scaled = p.scaled(h, w)
        if scaled.area:
            piece.paste(out.canvas, scaled, top, left, slot.feather)
    out.notes.update({"object": a, "with": b})
    return VALID
