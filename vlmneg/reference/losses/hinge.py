"""Twin of csrc/losses/hinge.c."""

import numpy as np


def hinge(rows, *, margin=0.2, reduce="sum", negatives="none", duplicates="mask", validity="mask"):
    """Triplet hinge on cosines inside the batch, both directions: over all wrong candidates, or over the hardest.

    References
    ----------
    arXiv:1707.05612.
    """
    a, c = rows.block("image", "text"), rows.block("image", "neg_text")
    pair = np.eye(rows.count, dtype=bool)
    live = rows.live("image", "text", "mask" if duplicates == "soft" else duplicates, validity) & ~pair
    seen = rows.live("image", "neg_text", duplicates, validity) & (negatives != "none")
    seen = seen & rows.inside("neg_text") if negatives == "own" else seen
    own, n = np.diagonal(a)[:, None], a.dtype.type(max(rows.count, 1))
    loss, g = over(np.hstack([a, c]), np.hstack([live, seen]), own, a.dtype.type(margin), reduce)
    loss_back, g_back = over(a.T, live.T, own, a.dtype.type(margin), reduce)
    ga = g[:, : rows.count] + g_back.T
    ga = ga - np.diag(g.sum(1) + g_back.sum(1))
    return (loss + loss_back) / n, {("image", "text"): ga / n, ("image", "neg_text"): g[:, rows.count :] / n}, 0.0, 0.0


def over(c, live, own, margin, reduce):
    """Sum over rows of [margin - own + c]+, summed or of the greatest c, equals sharing; and its derivative by c."""
    if reduce == "max":
        top = np.where(live, c, -np.inf).max(1, keepdims=True, initial=-np.inf)
        live = live & (c == top)
        share = live / np.maximum(live.sum(1, keepdims=True), 1).astype(c.dtype)
    else:
        share = live.astype(c.dtype)
    cost = margin - own + c
    return (share * np.maximum(cost, 0)).sum(), share * (cost > 0)
