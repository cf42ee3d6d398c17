"""Twin of csrc/negatives/image/paste.c."""

from vlmneg.reference.image_negatives import piece
from vlmneg.reference.image_negatives.draw import AREA, EMPTY, PLACE, VALID, pick

PASTE, REPLACE = 0, 1


def place(photo, other, mask, old, rng):
    """(top, left, height, width) where it goes, or None."""
    top, _, height, width = mask.box
    h = old.box[2] if old else max((height * photo.H + other.H // 2) // other.H, 1)
    w = max((width * h + height // 2) // height, 1)
    if w > photo.W:
        return None
    base = old.box[0] + old.box[2] if old else ((top + height) * photo.H + other.H // 2) // other.H
    left = old.box[1] + int((old.box[3] - w) / 2) if old else rng.below(photo.W - w + 1)
    return base - h, left, h, w


def make(out, photo, other, slot, rng):
    """One variant."""
    out.kind, out.variants = slot.param[1], 1
    n = pick(other, slot, rng)[0] if other else -1
    m = -1 if out.kind == PASTE or n < 0 else pick(photo, slot, rng)[0]
    if n < 0 or (m < 0 and out.kind == REPLACE):
        return EMPTY
    out.variants = 1000
    mask, old = other.masks[n], photo.masks[m] if m >= 0 else None
    if (mask.kind >= 0 and mask.kind in [x.kind for x in photo.masks]) or (old and old.group != mask.group):
        return PLACE
    at = place(photo, other, mask, old, rng)
    if at is None:
        return PLACE
    top, left, h, w = at
    p = piece.cut(other.rgb, mask).scaled(h, w)
    there = piece.placed(p, top, left, photo.H, photo.W)
    if not there.area or 10 * there.area < 9 * p.area or piece.hides(photo, there, m):
        return PLACE
    if old and not piece.erase(out.canvas, old, slot.param[0], slot.feather):
        return AREA
    piece.paste(out.canvas, p, top, left, slot.feather)
    out.notes.update(other=n, **({} if m < 0 else {"object": m}))
    return VALID
