"""Twin of csrc/losses/focal.c."""

import numpy as np

from vlmneg.reference.losses.own import log_shares, mean, missing


def focal(rows, *, gamma=2.0, smoothing=0.02, scale=0.0, invalid="drop", duplicates="mask", validity="mask"):
    """(1+K)-way choice that weighs what is decided less, and never asks for certainty.

    References
    ----------
    arXiv:2410.05210, section 3.3.
    """
    s = scale or rows.scale
    c = np.concatenate([rows.own("image", "text"), rows.own("image", "neg_text")], 1)
    seen = rows.own_live("image", "neg_text", duplicates, validity)
    live = np.concatenate([np.ones((rows.count, 1), bool), seen], 1)
    loss, g = smoothed(s * c, live, missing(rows, "neg_text", invalid, validity), gamma, smoothing)
    loss, g = mean(rows.valid("neg_text", validity).any(1), loss, s * g)
    return loss, {("image", "text"): g[:, :1], ("image", "neg_text"): g[:, 1:]}, \
        0.0 if scale else float((g * c).sum()), 0.0


def smoothed(z, live, zeros, gamma, smoothing):
    """Focal loss of each sample's softmax; column 0 is right, and a share of the target goes to all live cells.

    Returns
    -------
    loss (B,), dz (B, n)
    """
    y = live * z.dtype.type(smoothing) / live.sum(1, keepdims=True)
    y[:, 0] += z.dtype.type(1 - smoothing)
    log = np.where(live, log_shares(z, live, zeros), 0)
    p, rest = np.where(live, np.exp(log), 0), np.where(live, -np.expm1(log), 1)
    loss = -(y * rest**gamma * log).sum(1)
    phi = -(rest**gamma)
    if gamma > 0:
        phi = phi + gamma * p * np.where(rest > 0, rest, 1) ** (gamma - 1) * log * (rest > 0)
    phi = y * phi
    return loss, phi - p * phi.sum(1, keepdims=True)
