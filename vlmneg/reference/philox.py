"""Twin of csrc/core/vn_philox.h: Philox4x32-10."""

import numpy as np

M32 = np.uint64(0xFFFFFFFF)


def philox(seed, row, draw, stream):
    """Four 32-bit words for each draw.

    Parameters
    ----------
    seed, row : int in [0, 2**64)
    draw : int or array of ints in [0, 2**32)
    stream : int in [0, 2**32)

    Returns
    -------
    ndarray of shape (..., 4), uint32

    References
    ----------
    Salmon et al., Parallel random numbers: as easy as 1, 2, 3. SC 2011.
    """
    draw = np.asarray(draw, np.uint64)
    c = [draw & M32, np.full_like(draw, stream), np.full_like(draw, row & 0xFFFFFFFF), np.full_like(draw, row >> 32)]
    key0, key1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        high = [(b >> np.uint64(32)) ^ c[1] ^ np.uint64(key0), (a >> np.uint64(32)) ^ c[3] ^ np.uint64(key1)]
        c = [high[0], b & M32, high[1], a & M32]
        key0, key1 = (key0 + 0x9E3779B9) & 0xFFFFFFFF, (key1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(c, -1).astype(np.uint32)


class Rng:
    """Twin of vn_rng: a row's sequence."""

    def __init__(self, seed, row, draw, stream):
        self.seed, self.row, self.draw, self.stream = seed, row, draw, stream

    def next(self):
        """The next 32-bit word."""
        word = int(philox(self.seed, self.row, self.draw, self.stream)[0])
        self.draw += 1
        return word

    def below(self, n):
        """An integer in [0, n)."""
        return self.next() * n >> 32

    def uniform(self):
        """A float32 in [0, 1) with 24 bits."""
        return (self.next() >> 8) * 2.0**-24
