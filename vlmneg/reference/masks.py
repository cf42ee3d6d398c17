"""Twin of csrc/image/mask.c: polygons and runs to masks, one pixel at a time."""

import numpy as np

FINE, MIDDLE = 5, 2


def polygon(points, height, width):
    """(height, width) uint8: 1 inside the polygon with these corners (n, 2)."""
    toggle = np.zeros((height, width), np.uint8)
    corners = [(int(FINE * x + 0.5), int(FINE * y + 0.5)) for x, y in np.asarray(points, np.float64).tolist()]
    for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
        path = _walk(a, b)
        for (x0, y0), (x1, y1) in zip(path, path[1:], strict=False):
            x, row = min(x0, x1), (max(min(y0, y1), 0) + MIDDLE) // FINE
            if x0 != x1 and x >= 0 and x % FINE == MIDDLE and x // FINE < width and row < height:
                toggle[row, x // FINE] ^= 1
    return np.bitwise_xor.accumulate(toggle, 0)


def _walk(a, b):
    """Points from a to b, a fifth of a pixel apart along the longer axis."""
    along = 0 if abs(b[0] - a[0]) >= abs(b[1] - a[1]) else 1
    if a[along] > b[along]:
        a, b = b, a
    n = b[along] - a[along]
    slope = (b[1 - along] - a[1 - along]) / n if n else 0.0
    path = []
    for t in range(n + 1):
        other = int(a[1 - along] + slope * t + 0.5)
        path.append((a[0] + t, other) if along == 0 else (other, a[1] + t))
    return path


def polygons(parts, height, width):
    """The union of several."""
    return np.bitwise_or.reduce([np.zeros((height, width), np.uint8), *(polygon(p, height, width) for p in parts)])


def runs(counts, height, width):
    """(height, width) uint8 from lengths of 0s and 1s in turn, down the columns."""
    values = np.arange(len(counts)) % 2
    return np.repeat(values, counts).reshape(width, height).T.astype(np.uint8)


def unpack(text):
    """Runs from COCO's packed text."""
    out, value, shift = [], 0, 0
    for c in text:
        c -= 48
        value |= (c & 31) << shift
        shift += 5
        if not c & 32:
            value -= (1 << shift) if c & 16 else 0
            out.append(value + (out[-2] if len(out) > 2 else 0))
            value, shift = 0, 0
    return out


def pack(counts):
    """COCO's packed text from runs."""
    text = bytearray()
    for i, n in enumerate(counts):
        value, more = int(n) - (int(counts[i - 2]) if i > 2 else 0), True
        while more:
            c, value = value & 31, value >> 5
            more = value != (-1 if c & 16 else 0)
            text.append(48 + c + 32 * more)
    return bytes(text)
