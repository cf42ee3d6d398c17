"""Twin of csrc/image/vn_paint.h: boxes, masks, soft layers, fill and blur, all in integers."""

import numpy as np

SWEEPS, FRACTION, PASSES = 8, 6, 3


class Mask:
    """Which pixels of a frame an object covers: `full` (H, W), and the smallest box, (top, left, height, width)."""

    def __init__(self, at, top, left, kind, group, use, H, W):
        self.full = np.zeros((H, W), np.uint8)
        for i, j in np.argwhere(at):
            if 0 <= i + top < H and 0 <= j + left < W:
                self.full[i + top, j + left] = 1
        self.area, self.kind, self.group, self.use = int(self.full.sum()), kind, group, use
        self.box = 0, 0, 0, 0
        if self.area:
            y, x = np.flatnonzero(self.full.any(1)), np.flatnonzero(self.full.any(0))
            self.box = int(y[0]), int(x[0]), int(y[-1] - y[0]) + 1, int(x[-1] - x[0]) + 1


class Photo:
    """A picture (H, W, 3) and the masks of its objects."""

    def __init__(self, rgb, objects):
        self.rgb, (self.H, self.W) = rgb, rgb.shape[:2]
        self.masks = [Mask(*o, self.H, self.W) for o in objects]


class Canvas:
    """What is being painted."""

    def __init__(self, rgb):
        self.rgb, self.region = rgb.copy(), np.zeros(rgb.shape[:2], np.uint8)

    def paint(self, alpha, rgb):
        """rgb (H, W, 3) over the canvas, as much as alpha (H, W) says."""
        a = alpha[..., None].astype(int)
        self.rgb = ((self.rgb * (255 - a) + rgb.astype(int) * a + 127) // 255).astype(np.uint8)
        self.region |= (alpha != 0).astype(np.uint8)


def grown(box, margin, H, W):
    """A box with margin pixels more on each side, cut at the frame."""
    top, left, height, width = box
    bottom, right = min(top + height + margin, H), min(left + width + margin, W)
    top, left = max(top - margin, 0), max(left - margin, 0)
    return top, left, bottom - top, right - left


def part(box):
    """The slices of a box."""
    top, left, height, width = box
    return slice(top, top + height), slice(left, left + width)


def square_sums(x, r):
    """Sums over the squares of 2 r + 1 around each pixel; outside counts 0."""
    for axis in (0, 1):
        wide = np.pad(x.astype(int), [(r, r) if a == axis else (0, 0) for a in (0, 1)])
        x = sum(np.take(wide, range(d, d + x.shape[axis]), axis) for d in range(2 * r + 1))
    return x


def soft(mask, grow, feather):
    """Alpha (H, W) of a mask (H, W), grown and with soft edges."""
    hard = (square_sums(mask, grow) > 0).astype(int)
    count, inside = square_sums(hard, feather), square_sums(np.ones_like(hard), feather)
    return np.maximum((255 * count + inside // 2) // inside, count > 0).astype(np.uint8)


def fill(rgb, hole):
    """rgb (h, w, 3) with the hole (h, w) filled from around; None if nothing is around."""
    levels = [(rgb.astype(int) << FRACTION, hole == 0)]
    while not levels[-1][1].all() and levels[-1][1].size > 1:
        levels.append(_down(*levels[-1]))
    if not levels[-1][1].all():
        return None
    values = levels[-1][0]
    for fine, known in levels[-2::-1]:
        values = _up(fine, known, values)
    return np.where((hole != 0)[..., None], (values + (1 << FRACTION - 1)) >> FRACTION, rgb).astype(np.uint8)


def _down(values, known):
    h, w = (known.shape[0] + 1) // 2, (known.shape[1] + 1) // 2
    wide, mark = np.zeros((2 * h, 2 * w, 3), int), np.zeros((2 * h, 2 * w), int)
    wide[:known.shape[0], :known.shape[1]] = values * known[..., None]
    mark[:known.shape[0], :known.shape[1]] = known
    n = mark.reshape(h, 2, w, 2).sum((1, 3))
    total = wide.reshape(h, 2, w, 2, 3).sum((1, 3))
    return (total + n[..., None] // 2) // np.maximum(n, 1)[..., None], n > 0


def _up(values, known, coarse):
    h, w = known.shape
    values = np.where(known[..., None], values, coarse[np.arange(h)[:, None] // 2, np.arange(w) // 2])
    for _ in range(SWEEPS):
        wide = np.pad(values, ((1, 1), (1, 1), (0, 0)), "edge")
        mean = (wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:] + 2) >> 2
        values = np.where(known[..., None], values, mean)
    return values


def blur(rgb, radius):
    """rgb (h, w, 3), blurred."""
    width = 2 * radius + 1
    factor = (2**24 + width // 2) // width
    for axis in (0, 1):
        for _ in range(PASSES):
            wide = np.pad(rgb.astype(int), [(radius, radius) if a == axis else (0, 0) for a in range(3)], "edge")
            total = np.cumsum(np.pad(wide, [(1, 0) if a == axis else (0, 0) for a in range(3)]), axis)
            n = rgb.shape[axis]
            total = np.take(total, range(width, width + n), axis) - np.take(total, range(n), axis)
            rgb = ((total * factor + 2**23) >> 24).astype(np.uint8)
    return rgb
