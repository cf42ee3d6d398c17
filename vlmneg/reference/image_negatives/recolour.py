"""Twin of csrc/negatives/image/recolour.c and csrc/image/colour.c."""

import numpy as np

from vlmneg.reference.image_negatives.draw import SAME, VALID, choices, pick
from vlmneg.reference.image_negatives.paint import soft

COLOURS = ("black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")
TONES = {"black": (None, 38), "white": (None, 230), "grey": (None, 128), "red": (0, 0), "orange": (128, 0),
         "yellow": (256, 0), "green": (512, 0), "blue": (1024, 0), "purple": (1216, 0), "pink": (1408, 0),
         "brown": (107, 102)}


def colour_of(rgb):
    """Name of a pixel's colour."""
    r, g, b = map(int, rgb)
    high, low = max(r, g, b), min(r, g, b)
    chroma = high - low
    if high < 51:
        return "black"
    if chroma * 100 < high * 15:
        return "white" if high > 200 else "grey"
    if high == r:
        hue = (256 * (g - b) + 1536 * chroma) // chroma % 1536
    elif high == g:
        hue = (256 * (b - r) + 512 * chroma) // chroma
    else:
        hue = (256 * (r - g) + 1024 * chroma) // chroma
    if 43 <= hue < 179:
        return "brown" if high < 153 else "red" if hue < 64 else "orange"
    if hue < 64 or hue >= 1472:
        return "pink" if high > 180 and chroma * 100 < high * 55 else "red"
    return next(name for name, end in (("yellow", 299), ("green", 725), ("blue", 1109), ("purple", 1280),
                                       ("pink", 1472)) if hue < end)


def give(rgb, colour, saturation):
    """rgb (..., 3) in another colour; the least saturation is in thousandths."""
    hue, towards = TONES[colour]
    rgb = rgb.astype(int)
    was = rgb.max(-1)
    value = (was + 5 * towards + 3) // 6 if towards else was
    if hue is None:
        return np.repeat(value[..., None], 3, -1).astype(np.uint8)
    chroma = np.maximum((was - rgb.min(-1)) * value // np.maximum(was, 1), (value * saturation + 500) // 1000)
    pure = np.clip((abs(hue - 768) - 256, 512 - abs(hue - 512), 512 - abs(hue - 1024)), 0, 256)
    return (value[..., None] - (chroma[..., None] * (256 - pure) + 128) // 256).astype(np.uint8)


def main_colour(photo, mask):
    """The colour of more than half of an object's pixels in a photo or on a canvas, or None."""
    names = [colour_of(p) for p in photo.rgb[mask.full != 0]]
    return next((c for c in COLOURS if 2 * names.count(c) > len(names)), None)


def shows(canvas, mask, colour):
    """Whether an object that was given a colour can be called by it."""
    return colour in COLOURS[:3] or main_colour(canvas, mask) == colour


def make(out, photo, other, slot, rng):
    """One variant."""
    m, why = pick(photo, slot, rng)
    out.variants = 1
    if m < 0:
        return why
    mask = photo.masks[m]
    old = main_colour(photo, mask)
    colours = [c for i, c in enumerate(COLOURS) if slot.param[0] >> i & 1 and c != old]
    out.variants = len(choices(photo, slot)) * max(len(colours), 1)
    if not colours:
        return SAME
    new = colours[rng.below(len(colours))]
    out.canvas.paint(soft(mask.full, 0, slot.feather), give(photo.rgb, new, slot.param[1]))
    if not shows(out.canvas, mask, new):
        return SAME
    out.notes.update(object=m, new=COLOURS.index(new), **({} if old is None else {"old": COLOURS.index(old)}))
    return VALID
