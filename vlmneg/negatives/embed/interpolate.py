"""Harder captions between embeddings."""

from __future__ import annotations

from vlmneg.arrays import flag, number
from vlmneg.negatives.embed.base import Embed


class interpolate(Embed):
    """Text negatives between a negative caption and the true one, or between two negative captions of a sample.

    t*_ik = normalise(mu t-_ik + (1 - mu) y), mu ~ U(low, 1) drawn for each slot; y is t_i, or another valid negative.

    Parameters
    ----------
    k : int in [1, 16], optional
        The first k negative captions; default: a slot for each.
    low : float in [0, 1]
        Least share of the negative; towards 0 the row becomes the true caption itself.
    between : "true" or "negatives"
        What lies at the other end. With "negatives" a sample needs two valid ones.
    detach_mix : bool
        The rows are constants.

    References
    ----------
    Kalantidis et al., Hard negative mixing for contrastive learning. NeurIPS 2020, arXiv:2010.01028.

    Examples
    --------
    >>> import numpy as np
    >>> v = np.array([[1, 0], [0, 1]], np.float32)
    >>> made = interpolate(low=0.5)(image=v, text=v, neg_text=v[::-1, None])
    >>> made.side, bool((made.mu >= 0.5).all())
    ('text', True)
    """

    name = "interpolate"
    side = "text"
    BETWEEN = ("true", "negatives")

    def __init__(self, *, k: int | None = None, low: float = 0.5, between: str = "true",
                 detach_mix: bool = False) -> None:
        super().__init__(k=k, low=low, between=between, detach_mix=detach_mix)

    def slot(self) -> tuple[float, float, float]:
        """Parameters of a slot, as the C core wants them."""
        p = self.parameters
        if p["between"] not in self.BETWEEN:
            raise ValueError(f'between must be "true" or "negatives", got {p["between"]!r}')
        return (number(p["low"], "low", 0, 1), 1 - flag(p["detach_mix"], "detach_mix"),
                float(self.BETWEEN.index(p["between"])))
