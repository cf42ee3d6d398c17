"""Twin of csrc/image/piece.c and csrc/negatives/image_place.c."""

import numpy as np

from vlmneg.reference.image_negatives import paint
from vlmneg.reference.images import resize

MARGIN, MOST, PIXEL = 8, 32, np.uint8


class Piece:
    """An object cut out: rgb (h, w, 3) and mask (h, w), 0 or 1."""

    def __init__(self, rgb, mask):
        self.rgb, self.mask, (self.h, self.w) = rgb, mask, mask.shape
        self.area = int(mask.sum())

    def scaled(self, h, w):
        """Another size."""
        mask = resize((self.mask * PIXEL(255))[..., None], h, w, "horizontal")[..., 0]
        return Piece(resize(self.rgb, h, w, "horizontal"), mask >> 7)

    def mirrored(self):
        """Left to right."""
        return Piece(self.rgb[:, ::-1], self.mask[:, ::-1])


def cut(rgb, mask):
    """The object of a mask, its colours continued in the rest of its box."""
    here = paint.part(mask.box)
    own = mask.full[here]
    return Piece(paint.fill(rgb[here], own == 0), own)


def placed(piece, top, left, H, W):
    """Mask of a piece that is put on a frame."""
    return paint.Mask(piece.mask, top, left, -1, -1, 1, H, W)


def paste(canvas, piece, top, left, feather):
    """Paints it."""
    H, W = canvas.region.shape
    y = np.clip(np.arange(H) - top, 0, piece.h - 1)
    x = np.clip(np.arange(W) - left, 0, piece.w - 1)
    canvas.paint(paint.soft(placed(piece, top, left, H, W).full, 0, feather), piece.rgb[y[:, None], x])


def erase(canvas, mask, share, feather):
    """Fills the place of a mask; False if nothing is around it."""
    grow = 1
    while grow < MOST and (grow + 1) ** 2 * 1000000 <= share**2 * mask.area:
        grow += 1
    alpha = paint.soft(mask.full, grow, feather)
    wide = paint.part(paint.grown(mask.box, grow + feather + MARGIN, *mask.full.shape))
    filled = paint.fill(canvas.rgb[wide], alpha[wide])
    if filled is None:
        return False
    rgb = canvas.rgb.copy()
    rgb[wide] = filled
    canvas.paint(alpha, rgb)
    return True


def pair(found, masks, rng):
    """Two of the objects found, of different categories, and how many such pairs there are."""
    pairs = [(a, b) for i, a in enumerate(found) for b in found[i + 1:]
             if masks[a].kind < 0 or masks[a].kind != masks[b].kind]
    return (*pairs[rng.below(len(pairs))], len(pairs)) if pairs else (-1, -1, 0)


def hides(photo, mask, *but):
    """Whether a mask covers over a quarter of some other object."""
    return any(m not in but and 4 * int((mask.full & other.full).sum()) > other.area
               for m, other in enumerate(photo.masks) if other.area)
