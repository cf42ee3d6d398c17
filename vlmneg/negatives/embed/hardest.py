"""Between a row and the hardest others of the batch."""

from __future__ import annotations

from vlmneg.arrays import flag, number
from vlmneg.negatives.embed.base import Embed


class hardest(Embed):
    """Negatives between a sample's own row and that of the other sample which its counterpart likes best.

    normalise(mu v_j + (1 - mu) v_i), mu ~ U(low, 1), where slot k takes the sample j with the k-th highest t_i.v_j;
    with ``side="text"`` captions and images exchange places. Samples of one picture, or whose captions are true for
    each other's image, are never taken.

    Parameters
    ----------
    k : int in [1, 16]
        The k hardest. A slot is not valid when the batch has no such sample.
    side : "image" or "text"
        What is mixed, and what the rows are negatives of.
    low : float in [0, 1]
        Least share of the other row.
    detach_mix : bool
        The rows are constants.

    References
    ----------
    Kalantidis et al., Hard negative mixing for contrastive learning. NeurIPS 2020, arXiv:2010.01028.

    Examples
    --------
    >>> import numpy as np
    >>> v = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    >>> hardest()(image=v, text=v).partner[:, 0]
    array([2, 2, 1], dtype=int32)
    """

    name = "hardest"

    def __init__(self, *, k: int = 1, side: str = "image", low: float = 0.5, detach_mix: bool = False) -> None:
        self.side = side
        super().__init__(k=k, side=side, low=low, detach_mix=detach_mix)

    def slot(self) -> tuple[float, float, float]:
        """Parameters of a slot, as the C core wants them."""
        p = self.parameters
        return number(p["low"], "low", 0, 1), 1 - flag(p["detach_mix"], "detach_mix"), 0.0
