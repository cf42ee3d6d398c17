"""Twin of csrc/negatives/image/exchange_colours.c."""

from vlmneg.reference.image_negatives import paint, piece
from vlmneg.reference.image_negatives.draw import EMPTY, SAME, VALID, choices
from vlmneg.reference.image_negatives.recolour import COLOURS, give, main_colour, shows


def make(out, photo, other, slot, rng):
    """One variant."""
    a, b, out.variants = piece.pair(choices(photo, slot), photo.masks, rng)
    if not out.variants:
        return EMPTY
    old, new = (main_colour(photo, photo.masks[m]) for m in (a, b))
    if old is None or new is None or old == new:
        return SAME
    for m, colour in ((a, new), (b, old)):
        alpha = paint.soft(photo.masks[m].full, 0, slot.feather)
        out.canvas.paint(alpha, give(out.canvas.rgb, colour, slot.param[0]))
    if not all(shows(out.canvas, photo.masks[m], colour) for m, colour in ((a, new), (b, old))):
        return SAME
    out.notes.update({"object": a, "with": b, "old": COLOURS.index(old), "new": COLOURS.index(new)})
    return VALID
