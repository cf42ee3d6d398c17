"""Twin of csrc/losses/intra.c."""

import numpy as np

from vlmneg.reference.losses.own import choose


def intra(rows, *, modality="image", duplicates="mask", validity="mask"):
    """A row's choice among itself, with cosine 1, and its own negatives of its modality.

    References
    ----------
    arXiv:2505.15576.
    """
    negatives = f"neg_{modality}"
    x = rows.x[modality]
    loss, _, dc, dlog = choose(rows.scale, np.ones(len(x), x.dtype), rows.own(modality, negatives),
                               rows.own_live(modality, negatives, duplicates, validity),
                               rows.valid(negatives, validity).any(1))
    return loss, {(modality, negatives): dc}, dlog, 0.0
