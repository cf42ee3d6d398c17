"""Twin of csrc/losses/column.c."""

import numpy as np

from vlmneg.reference.losses.rows import log_softmax


def column(rows, *, modality="text", target="row", duplicates="mask", validity="mask"):
    """Cross-entropy over all negative captions of the batch, or images shifted by them, whose target is a fixed column:
    0, or in row i column i. Nothing is masked: slots that hold nothing take part. What CE-CLIP and AHNPL released.

    References
    ----------
    arXiv:2306.08832, arXiv:2505.15576.
    """
    b, k = rows.count, rows.per("neg_text")
    if k == 0:
        return 0.0, {}, 0.0, 0.0
    c = rows.block(modality, "neg_text")
    if modality == "image":  # v_i.(v_j + t-_jk - t_j), captions without gradient
        c = c + np.repeat(rows.block("image", "image") - rows.block("image", "text"), k, 1)
    log = log_softmax(rows.scale * c, np.ones(c.shape, bool), 1)
    at = np.arange(b), np.arange(b) * (target == "row")
    g = np.exp(log)
    g[at] -= 1
    g = rows.scale * g / c.dtype.type(b)
    cells = {("text", "neg_text"): g}
    if modality == "image":
        of = g.reshape(b, b, k).sum(2)
        cells = {("image", "neg_text", "left"): g, ("image", "text", "left"): -of, ("image", "image"): of}
    return -log[at].sum() / b, cells, (g * c).sum(), 0.0
