"""Twin of csrc/ops/local.c: how well a caption's tokens are found among an image's patches, in float64."""

import numpy as np


def local_forward(patches, tokens, offsets, live=None, *, scale, threshold=False, length_norm=False):
    """Scores of the captions of each image.

    Parameters
    ----------
    patches : ndarray of shape (B, P, E)
    tokens : ndarray of shape (T, E)
    offsets : ndarray of shape (B * S + 1,)
        Caption s of image b has the tokens from offsets[b * S + s] on.
    live : ndarray of shape (B, S), optional
        0: the caption is never read.
    scale : float
    threshold : bool
        Weights below 1/P count as 0.
    length_norm : bool
        Take the logarithm of the number of tokens off the score.

    Returns
    -------
    score, mean : ndarray of shape (B, S)
        mean is dscore/dscale; both are 0 where there is no caption.

    References
    ----------
    FSC-CLIP, arXiv:2410.05210, section 3.2.
    """
    slots = (len(offsets) - 1) // len(patches)
    score, mean = np.zeros((2, len(patches), slots), tokens.dtype)
    for b, s, run in _runs(len(patches), offsets, live):
        _, _, c = _look(patches[b], tokens[run], threshold)
        z = scale * c
        score[b, s] = z.max() + np.log(np.exp(z - z.max()).sum()) - (np.log(len(c)) if length_norm else 0)
        mean[b, s] = _softmax(z) @ c
    return score, mean


def local_backward(dscore, patches, tokens, offsets, live=None, *, scale, threshold=False, length_norm=False):
    """dpatches (B, P, E), dtokens (T, E), dscale; no gradient through the weights."""
    dpatches, dtokens, dscale = np.zeros_like(patches), np.zeros_like(tokens), 0.0
    for b, s, run in _runs(len(patches), offsets, live):
        o, u, c = _look(patches[b], tokens[run], threshold)
        share = dscore[b, s] * _softmax(scale * c)
        a, per_u = _unit(u)
        t, per_token = _unit(tokens[run])
        g = (scale * share)[:, None]
        dtokens[run] = g * (a - c[:, None] * t) * per_token
        dpatches[b] += o.T @ (g * (t - c[:, None] * a) * per_u)
        dscale += share @ c
    return dpatches, dtokens, float(dscale)


def _runs(images, offsets, live):
    slots = (len(offsets) - 1) // images
    for i, (first, last) in enumerate(zip(offsets[:-1], offsets[1:], strict=True)):
        b, s = divmod(i, slots)
        if last > first and (live is None or live[b, s]):
            yield b, s, slice(first, last)


def _look(patches, tokens, threshold):
    """Weights (W, P), weighted patches (W, E), cosines (W)."""
    o = tokens @ patches.T
    low, top = o.min(1, keepdims=True), o.max(1, keepdims=True)
    spread = top - low
    flat = spread <= 1e-6 * np.maximum(np.abs(low), np.abs(top))
    o = np.where(flat, 1, (o - low) / np.where(flat, 1, spread))
    if threshold:
        o = np.where(o < 1 / len(patches), 0, o)
    o /= o.sum(1, keepdims=True)
    u = o @ patches
    return o, u, (_unit(u)[0] * _unit(tokens)[0]).sum(1)


def _unit(x):
    length = np.linalg.norm(x, axis=1, keepdims=True)
    inverse = np.where(length < 1e-12, 0, 1 / np.maximum(length, 1e-12))
    return x * inverse, inverse


def _softmax(z):
    p = np.exp(z - z.max())
    return p / p.sum()
