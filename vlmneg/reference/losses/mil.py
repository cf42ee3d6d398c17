"""Twin of csrc/losses/mil.c."""

import numpy as np

from vlmneg.reference.losses.rows import log_softmax


def mil(rows, *, own_bag="once", duplicates="mask", validity="mask"):
    """An image with its bag of captions, against all captions and the other images with that bag.

    L_i = log(sum over all captions of e^(s c_i.) + sum over j != i, and with own_bag="twice" i, of e^(s c_j,i.))
    - log(sum over its own). The mean is over images whose bag is not empty.

    References
    ----------
    arXiv:1912.06430, arXiv:2305.19595.
    """
    c = rows.block("image", "pos_text")
    b, m = rows.count, rows.per("pos_text")
    live, mine = rows.live("image", "pos_text", duplicates, validity), rows.inside("pos_text")
    z, weight = rows.scale * c, rows.valid("pos_text", validity).any(1)

    def turn(x):  # row i: what stands at images j with the captions of i
        return x.reshape(b, b, m).transpose(1, 0, 2).reshape(b, b * m)

    back = live & (~mine | (own_bag == "twice"))
    den = log_softmax(np.hstack([z, turn(z)]), np.hstack([live, turn(back)]), 1)
    num = log_softmax(z, live & mine, 1)
    n = c.dtype.type(max(int(weight.sum()), 1))
    p = np.exp(den) * weight[:, None]
    g = rows.scale * (p[:, : b * m] + turn(p[:, b * m :]) - np.exp(num)) / n
    at = np.flatnonzero(weight)
    one = (live & mine)[at].argmax(1) if len(at) else at  # of any cell of one's bag, log p + log-sum-exp is its logit
    return (num[at, one] - den[at, one]).sum() / n, {("image", "pos_text"): g}, (g * c).sum(), 0.0
