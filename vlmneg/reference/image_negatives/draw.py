"""Twin of csrc/negatives/image_draw.c: rows and slots one after the other."""

import numpy as np

from vlmneg.reference.image_negatives.paint import Canvas
from vlmneg.reference.philox import Rng

VALID, EMPTY, SAME, REPEAT, AREA, PLACE = range(6)
DRAWS, STRONG, MILLION = 11, 60, 1000000


class Variant:
    """What an edit makes: the canvas, its kind, its notes, and how many variants there are to draw from."""

    def __init__(self, photo):
        self.canvas, self.kind, self.variants, self.notes = Canvas(photo.rgb), 0, 0, {}


class Slot:
    """A slot's numbers, as the core gets them, behind the line of the registry."""

    def __init__(self, number, feather, least, most, change, variation, *param):
        self.number, self.feather, self.least, self.most, self.param = number, feather, least, most, param
        self.change, self.variation = change, variation


def choices(photo, slot, skip=-1):
    """Numbers of the objects that an edit may choose from."""
    frame = photo.H * photo.W
    return [m for m, mask in enumerate(photo.masks) if m != skip and mask.use and mask.area > 0
            and slot.least * frame <= mask.area * MILLION <= slot.most * frame]


def pick(photo, slot, rng, skip=-1):
    """(number of an object, VALID), or (-1, why there is none)."""
    found = choices(photo, slot, skip)
    if found:
        return found[rng.below(len(found))], VALID
    usable = any(mask.use and mask.area for m, mask in enumerate(photo.masks) if m != skip)
    return -1, AREA if usable else EMPTY


def judge(canvas, photo, slot):
    """The rules over what was painted."""
    here, frame = canvas.region.astype(bool), photo.H * photo.W
    change = np.abs(canvas.rgb.astype(int) - photo.rgb).sum(2)[here]
    area, strong = change.size, int((change > STRONG).sum())
    if area == 0:
        return SAME
    if not slot.least * frame <= area * MILLION <= slot.most * frame:
        return AREA
    if int(change.sum()) * 256 < slot.change * area * 3 or strong * MILLION <= slot.variation * area:
        return SAME
    return VALID


def draw_row(photo, other, row, seed, slots):
    """Variants and reasons of a row; slots are (make, stream, Slot)."""
    variants, reasons = [], []
    for make, stream, slot in slots:
        rng = Rng(seed, row, slot.number << 16, stream)
        for _ in range(DRAWS):
            v = Variant(photo)
            reason = make(v, photo, other, slot, rng)
            if reason == VALID:
                reason = judge(v.canvas, photo, slot)
            if reason == VALID and any(r == VALID and np.array_equal(e.canvas.rgb, v.canvas.rgb)
                                       for e, r in zip(variants, reasons, strict=True)):
                reason = REPEAT
            if reason in (VALID, EMPTY) or v.variants == 1:
                break
        variants.append(v)
        reasons.append(reason)
    return variants, reasons
