"""Twin of csrc/losses/own.c."""

import numpy as np

from vlmneg.reference.losses.rows import log_softmax


def log_shares(z, live, zeros):
    """Logarithms of the shares in each sample's softmax over live cells and zeros[i] further cells of value 0.

    Parameters
    ----------
    z, live : ndarray of shape (B, n)
    zeros : ndarray of shape (B,)

    Returns
    -------
    ndarray of shape (B, n)
    """
    most = int(zeros.max(initial=0))
    void = np.arange(most) < zeros[:, None]
    wide = np.concatenate([z, np.zeros(void.shape, z.dtype)], 1)
    return log_softmax(wide, np.concatenate([live, void], 1), 1)[:, : z.shape[1]]


def missing(rows, name, invalid, validity):
    """How many given slots of each sample hold nothing, if those are candidates of value 0."""
    return (rows.valid(name, "off") & ~rows.valid(name, validity)).sum(1) * (invalid == "zero")


def chosen(z, positive, live, zeros):
    """-log of what the positive cells have of each sample's softmax.

    Parameters
    ----------
    z, positive, live : ndarray of shape (B, n)
        Values; whether a cell is right; whether it takes part.
    zeros : ndarray of shape (B,)

    Returns
    -------
    loss (B,), dz (B, n)
    """
    if z.shape[1] == 0:
        return np.zeros(len(z), z.dtype), z
    log, right = log_shares(z, live, zeros), log_softmax(z, live & positive, 1)
    pick = (live & positive).argmax(1)[:, None]
    loss = [np.take_along_axis(np.where(live & positive, x, 0), pick, 1)[:, 0] for x in (right, log)]
    return loss[0] - loss[1], np.exp(log) - np.exp(right)


def mean(weight, loss, *gradients):
    """Mean of the losses (B,) over samples with weight (B,), and its gradients (B, n)."""
    n = max(int(weight.sum()), 1)
    return float(loss[weight].sum()) / n, *(np.where(weight[:, None], g, 0) / loss.dtype.type(n) for g in gradients)


def own(rows, *, anchor="image", positive="pair", scale=0.0, invalid="drop", duplicates="mask", validity="mask"):
    """(1+K)-way choice of an image among its captions, or of a caption among its images; or of a bag of true ones.

    References
    ----------
    arXiv:2211.11733, arXiv:2305.19595.
    """
    other = {"image": "text", "text": "image"}[anchor]
    right, wrong, s = other if positive == "pair" else f"pos_{other}", f"neg_{other}", scale or rows.scale
    c = np.concatenate([rows.own(anchor, right), rows.own(anchor, wrong)], 1)
    n = rows.per(right)
    held = rows.valid(right, validity)
    live = np.concatenate([held, rows.own_live(anchor, wrong, duplicates, validity)], 1)
    weight = rows.valid(wrong, validity).any(1) & held.any(1)
    loss, g = chosen(s * c, np.arange(c.shape[1])[None] < n, live, missing(rows, wrong, invalid, validity))
    loss, g = mean(weight, loss, s * g)
    return loss, {(anchor, right): g[:, :n], (anchor, wrong): g[:, n:]}, 0.0 if scale else float((g * c).sum()), 0.0
