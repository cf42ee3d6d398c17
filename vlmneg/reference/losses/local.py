"""Twin of csrc/losses/local.c."""

import numpy as np

from vlmneg.reference.losses.focal import smoothed
from vlmneg.reference.losses.own import mean, missing


def local(rows, *, gamma=2.0, smoothing=0.02, invalid="drop", threshold="off", length_norm="off", duplicates="mask",
          validity="mask"):
    """(1+K)-way choice by given scores, focal as `focal`; threshold and length_norm are of how scores are made.

    References
    ----------
    arXiv:2410.05210, sections 3.2 and 3.3.
    """
    k = rows.score.shape[1] - 1
    live = np.concatenate([np.ones((rows.count, 1), bool),
                           rows.own_live("image", "neg_text", duplicates, validity)[:, :k]], 1)
    z = np.where(live, rows.score, 0)
    loss, g = smoothed(z, live, missing(rows, "neg_text", invalid, validity), gamma, smoothing)
    loss, g = mean(rows.valid("neg_text", validity)[:, :k].any(1), loss, g)
    return loss, {"score": g}, 0.0, 0.0
