"""Twin of csrc/losses/uniform.c."""

import numpy as np

from vlmneg.reference.losses.rows import log_softmax


def uniform(rows, *, modality="text", t=2.0, duplicates="mask", validity="mask"):
    """log of the mean of exp(-t |x_i - x_j|^2) over pairs of samples.

    References
    ----------
    arXiv:2005.10242.
    """
    c = rows.block(modality, modality)
    live = rows.live(modality, modality, duplicates, validity) & ~np.eye(rows.count, dtype=bool)
    if not live.any():
        return 0.0, {}, 0.0, 0.0
    z = (2 * t * (c - 1)).astype(c.dtype)
    log = log_softmax(z[live], np.ones(live.sum(), bool), 0)
    g = np.zeros_like(c)
    g[live] = 2 * t * np.exp(log)
    return float(z[live][0] - log[0] - np.log(len(log))), {(modality, modality): g}, 0.0, 0.0
