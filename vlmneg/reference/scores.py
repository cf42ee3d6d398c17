"""Twins of csrc/scores: pair scores, rank counters, resampled sums."""

import numpy as np

from .philox import philox

STREAM = 5  # VN_STREAM_BOOTSTRAP


def pairs(image, text, i, j):
    """Dot products of ``image[i]`` and ``text[j]`` in float64, shape (P,)."""
    return np.einsum("pe,pe->p", np.asarray(image, np.float64)[i], np.asarray(text, np.float64)[j])


def ranks(score, best):
    """How many entries of each row of ``score`` (N, M) lie above, and exactly at, ``best`` (N,)."""
    best = np.asarray(best)[:, None]
    return (score > best).sum(1), (score == best).sum(1)


def resample(x, draws, seed):
    """Sums of rows of ``x`` (G, C) drawn with replacement, shape (draws, C)."""
    n = len(x)
    out = np.zeros((draws, x.shape[1]))
    for b in range(draws):
        words = philox(seed, b, np.arange(n), STREAM)[:, 0].astype(np.uint64)
        for row in x[(words * np.uint64(n) >> np.uint64(32)).astype(np.int64)]:
            out[b] += row
    return out
