"""Twin of csrc/image: Pillow's bicubic resize, CLIP's crop and normalisation, the random box, spelled out."""

import math

import numpy as np

from .philox import philox

BITS = 22
TRIES = 10
STREAM = 3  # VN_STREAM_AUGMENT


def cubic(t):
    """Keys' kernel with a = -0.5."""
    a, t = -0.5, np.abs(t)
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = (((t - 5) * t + 8) * t - 4) * a
    return np.where(t < 1, near, np.where(t < 2, far, 0.0))


def weights(N, M):
    """Integer weights, in units of 2**-22, that make M pixels of N.

    Returns
    -------
    ndarray of shape (M, N), int64
    """
    matrix = np.zeros((M, N), np.int64)
    scale = N / M
    stretch = max(scale, 1.0)
    for i in range(M):
        centre, support = (i + 0.5) * scale, 2 * stretch
        first, last = max(int(centre - support + 0.5), 0), min(int(centre + support + 0.5), N)
        w = cubic((np.arange(first, last) - centre + 0.5) * (1 / stretch))
        w = w / np.cumsum(w)[-1]  # cumsum adds in index order, sum does not
        matrix[i, first:last] = np.trunc(w * 2**BITS + np.where(w < 0, -0.5, 0.5))
    return matrix


def vertical_first(H, W, h, w, order):
    """Whether the vertical pass comes first."""
    tall = {"horizontal": False, "pillow12": H > 100 * W, "pillow13": H - h > 2 * (W - w)}
    return H > h and tall[order]


def resize(image, height, width, order):
    """Resize to height x width, each of the two passes rounded to 8 bits.

    Parameters
    ----------
    image : ndarray of shape (H, W, C), uint8
    height, width : int
    order : {"horizontal", "pillow12", "pillow13"}

    Returns
    -------
    ndarray of shape (height, width, C), uint8
    """
    H, W = image.shape[:2]
    x = image.astype(np.int64)

    def along(axis, N, M):
        total = np.moveaxis(np.tensordot(weights(N, M), x, (1, axis)), 0, axis)
        return np.clip((total + (1 << (BITS - 1))) >> BITS, 0, 255)

    passes = [(1, W, width), (0, H, height)]
    for axis, N, M in passes[::-1] if vertical_first(H, W, height, width, order) else passes:
        x = along(axis, N, M)
    return x.astype(np.uint8)


def normalise(image, mean, std):
    """(H, W, 3) uint8 -> (3, H, W) float32, by true float32 divisions."""
    x = np.moveaxis(image, 2, 0).astype(np.float32) / np.float32(255)
    return (x - np.float32(mean)[:, None, None]) / np.float32(std)[:, None, None]


def preprocess(image, size, mean, std, order):
    """CLIP's preprocessing of one (H, W, 3) uint8 picture: (3, size, size) float32."""
    H, W = image.shape[:2]
    long = int(size * max(H, W) / min(H, W))
    h, w = (size, long) if H <= W else (long, size)
    top, left = round((h - size) / 2), round((w - size) / 2)
    return normalise(resize(image, h, w, order)[top : top + size, left : left + size], mean, std)


def box(H, W, scale, ratio, seed, row):
    """Box of a random resized crop: (top, left, height, width).

    Ten tries; then the largest centred box of an allowed aspect.
    """
    for t in range(TRIES):
        r = [int(word) for word in philox(seed, row, t, STREAM)]
        u, v = (r[0] >> 8) * 2.0**-24, (r[1] >> 8) * 2.0**-24
        low, high = math.log(ratio[0]), math.log(ratio[1])
        area, aspect = H * W * (scale[0] + u * (scale[1] - scale[0])), math.exp(low + v * (high - low))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 1 <= w <= W and 1 <= h <= H:
            return r[2] * (H - h + 1) >> 32, r[3] * (W - w + 1) >> 32, h, w
    h, w = H, W
    if W / H < ratio[0]:
        h = max(1, round(W / ratio[0]))
    elif W / H > ratio[1]:
        w = max(1, round(H * ratio[1]))
    return (H - h) // 2, (W - w) // 2, h, w


def mirror(seed, row):
    """Whether a row is mirrored."""
    return int(philox(seed, row, TRIES, STREAM)[0]) >> 31


def augment(image, size, seed, row, scale, ratio, flip, mean, std, order):
    """Random resized crop of one (H, W, 3) uint8 picture: (3, size, size) float32."""
    top, left, h, w = box(*image.shape[:2], scale, ratio, seed, row)
    out = resize(image[top : top + h, left : left + w], size, size, order)
    return normalise(out[:, ::-1] if flip and mirror(seed, row) else out, mean, std)
