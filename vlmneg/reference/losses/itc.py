"""Twin of csrc/losses/itc.c."""

import numpy as np

from vlmneg.reference.losses.rows import log_softmax


def itc(rows, *, negatives="shared", image_to_text=0.5, text_to_image=0.5, images="none", false_negatives=2.0,
        duplicates="mask", validity="mask"):
    """Symmetric InfoNCE with negative captions as further candidates of an image, negative images of a caption.

    Another pair's cell is left out of both softmaxes when it exceeds the true pair of its row, or of its column, by
    more than false_negatives.

    References
    ----------
    arXiv:2103.00020, arXiv:2210.01936.
    """
    a, pair = rows.block("image", "text"), np.eye(rows.count, dtype=bool)
    live, own = rows.live("image", "text", duplicates, validity), np.diagonal(a)
    y = pair | rows.twins("image", "text") if duplicates == "soft" else pair
    seen = live & (y | ~(a > np.minimum(own[:, None], own) + a.dtype.type(false_negatives)))

    def further(anchor, cols, how):
        found = rows.live(anchor, cols, duplicates, validity) & (how != "none")
        return found & rows.inside(cols) if how == "own" else found

    c, u = rows.block("image", "neg_text"), rows.block("text", "neg_image")
    b = max(rows.count, 1)
    loss, ga, gc = direction(rows.scale, a, seen, y, c, further("image", "neg_text", negatives))
    loss_back, ga_back, gu = direction(rows.scale, a.T, seen.T, y.T, u, further("text", "neg_image", images))
    cells = {("image", "text"): (image_to_text * ga + text_to_image * ga_back.T) / b,
             ("image", "neg_text"): image_to_text * gc / b, ("text", "neg_image"): text_to_image * gu / b}
    dlog = sum((g * x).sum() for g, x in zip(cells.values(), (a, c, u), strict=True))
    return (image_to_text * loss + text_to_image * loss_back) / b, cells, dlog, 0.0


def direction(scale, a, live, y, c, further):
    """Sum over rows of the cross-entropy of the softmax over live cells of a and c; targets y, equal shares.

    Returns
    -------
    loss, dL/da, dL/dc
    """
    y = (y & live).astype(a.dtype)
    share = y / np.maximum(y.sum(1, keepdims=True), 1)
    log = log_softmax(scale * np.hstack([a, c]), np.hstack([live, further]), 1)
    n = a.shape[1]
    loss = -(share * np.where(share > 0, log[:, :n], 0)).sum()
    g = np.exp(log)
    return loss, scale * (g[:, :n] - share), scale * g[:, n:]
