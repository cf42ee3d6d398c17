"""Twin of csrc/losses/pos.c."""

import numpy as np


def pos(rows, *, margin="batch_mean", fixed=20.0, duplicates="mask", validity="mask"):
    """Hinge that keeps a pair's logit above a margin; rows.state holds the margin that follows the batch.

    References
    ----------
    arXiv:2505.15576.
    """
    alpha = fixed if margin == "fixed" else rows.state
    a = rows.own("image", "text")
    if alpha is None:
        return 0.0, {}, 0.0, 0.0
    below = a.dtype.type(np.ravel(alpha)[0]) - rows.scale * a
    n = max(rows.count, 1)
    g = -rows.scale * (below > 0).astype(a.dtype) / a.dtype.type(n)
    return float(np.maximum(below, 0).sum()) / n, {("image", "text"): g}, float((g * a).sum()), 0.0
