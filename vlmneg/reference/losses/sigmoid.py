"""Twin of csrc/losses/sigmoid.c."""

import numpy as np


def sigmoid(rows, *, negatives="shared", duplicates="mask", validity="mask"):
    """Each image with each caption: a pair or not, by a logistic loss; negative captions are none.

    References
    ----------
    arXiv:2303.15343.
    """
    pair = np.eye(rows.count, dtype=bool)
    label = pair | rows.twins("image", "text") if duplicates == "soft" else pair
    seen = rows.live("image", "neg_text", duplicates, validity) & (negatives != "none")
    seen = seen & rows.inside("neg_text") if negatives == "own" else seen
    n, cells, loss, dlog, dbias = max(rows.count, 1), {}, 0.0, 0.0, 0.0
    for cols, live, yes in (("text", rows.live("image", "text", duplicates, validity), label),
                            ("neg_text", seen, np.zeros_like(seen))):
        c = rows.block("image", cols)
        sign = np.where(yes, 1, -1).astype(c.dtype)
        z = sign * (rows.scale * c + rows.bias)
        loss += (live * (np.maximum(-z, 0) + np.log1p(np.exp(-np.abs(z))))).sum() / n
        g = live * -sign * np.where(z > 0, np.exp(-np.abs(z)), 1) / (1 + np.exp(-np.abs(z))) / c.dtype.type(n)
        cells["image", cols] = rows.scale * g
        dlog, dbias = dlog + (cells["image", cols] * c).sum(), dbias + g.sum()
    return loss, cells, dlog, dbias
