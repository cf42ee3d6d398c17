"""Twin of csrc/losses/own.c."""

import numpy as np

from vlmneg.reference.losses.rows import log_softmax


def choose(scale, positive, cosines, live, weight):
    """Softmax over one positive cosine and a sample's own negatives; the mean is over samples with weight.

    Parameters
    ----------
    scale : float
    positive : ndarray of shape (B,)
        Cosines with what is right.
    cosines : ndarray of shape (B, n)
    live : ndarray of shape (B, n), bool
    weight : ndarray of shape (B,), bool
        Samples that have a negative.

    Returns
    -------
    loss, dpositive (B, 1), dcosines (B, n), dlog_scale
    """
    n = max(int(weight.sum()), 1)
    z = scale * np.concatenate([positive[:, None], cosines], 1)
    log = log_softmax(z, np.concatenate([np.ones((len(z), 1), bool), live], 1), 1)
    p = np.exp(log)
    p[:, 0] -= 1
    p *= weight[:, None] / z.dtype.type(n)
    return -(log[:, 0] * weight).sum() / n, scale * p[:, :1], scale * p[:, 1:], float((p * z).sum())


def own(rows, *, anchor="image", duplicates="mask", validity="mask"):
    """(1+K)-way choice of an image among its captions, or of a caption among its images.

    References
    ----------
    arXiv:2211.11733.
    """
    other = {"image": "text", "text": "image"}[anchor]
    negatives = f"neg_{other}"
    loss, dp, dc, dlog = choose(rows.scale, rows.own(anchor, other)[:, 0], rows.own(anchor, negatives),
                                rows.own_live(anchor, negatives, duplicates, validity),
                                rows.valid(negatives, validity).any(1))
    return loss, {(anchor, other): dp, (anchor, negatives): dc}, dlog, 0.0
