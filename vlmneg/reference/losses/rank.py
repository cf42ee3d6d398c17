"""Twin of csrc/losses/rank.c."""

import numpy as np


def hinge(rows, anchor, margin, scale, cells, duplicates, validity):
    """Sum over cells of [margin + scale (negative - pair)]+, over the number of cells.

    Parameters
    ----------
    anchor : str
        "image" among captions, "text" among images.
    margin : ndarray of shape (B, n), (n,) or ()
    scale : float
    cells : int

    Returns
    -------
    loss, dict of dL/dcosine, dL/dlog scale
    """
    other = {"image": "text", "text": "image"}[anchor]
    a, c = rows.own(anchor, other), rows.own(anchor, f"neg_{other}")
    above = np.where(rows.own_live(anchor, f"neg_{other}", duplicates, validity), margin + scale * (c - a), 0)
    g = scale * (above > 0).astype(c.dtype) / c.dtype.type(max(cells, 1))
    gone = -g.sum(1, keepdims=True)
    return float(np.maximum(above, 0).sum()) / max(cells, 1), {(anchor, other): gone, (anchor, f"neg_{other}"): g}, \
        float((g * c).sum() + (gone * a).sum())


def rank(rows, *, margin="mean", bound=10.0, beta=0.0, fixed=8.0, rule="paired", reduce="valid", units="logit",
         reset="never", duplicates="mask", validity="mask"):
    """Hinge of the image's own negative captions; rows.state holds the margin of each slot.

    References
    ----------
    arXiv:2306.08832, section 3.3.
    """
    slots = rows.per("neg_text")
    theta = np.zeros(slots) if rows.state is None else np.asarray(rows.state)
    theta = np.full(slots, fixed) if margin == "fixed" else theta
    valid = rows.valid("neg_text", validity)
    scale = rows.scale if units == "logit" else rows.x["image"].dtype.type(1)
    loss, cells, dlog = hinge(rows, "image", theta.astype(rows.x["image"].dtype), scale,
                              valid.size if reduce == "all" else int(valid.sum()), duplicates, validity)
    return loss, cells, dlog if units == "logit" else 0.0, 0.0
