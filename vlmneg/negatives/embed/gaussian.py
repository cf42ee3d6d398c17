"""Random directions around an image or a caption."""

from __future__ import annotations

from vlmneg.arrays import flag, number
from vlmneg.negatives.embed.base import Embed


class gaussian(Embed):
    """Negatives in random directions from a sample's image or caption.

    normalise(x_i + sigma g / |g|) with g Gaussian: the cosine with x_i is about 1 / sqrt(1 + sigma^2) in any width.

    Parameters
    ----------
    k : int in [1, 16]
        Directions a sample.
    side : "image" or "text"
        Around what, and what the rows are negatives of.
    sigma : float in [0, 100]
        Length of the direction, the row's own being 1.
    detach : bool
        The rows are constants.

    Examples
    --------
    >>> import numpy as np
    >>> v = np.eye(8, dtype=np.float32)
    >>> made = gaussian(k=2, sigma=1.0)(image=v, text=v, seed=1)
    >>> bool(np.allclose(np.linalg.norm(made.rows, axis=2), 1, atol=1e-5))
    True
    """

    name = "gaussian"

    def __init__(self, *, k: int = 1, side: str = "image", sigma: float = 0.5, detach: bool = False) -> None:
        self.side = side
        super().__init__(k=k, side=side, sigma=sigma, detach=detach)

    def slot(self) -> tuple[float, float, float]:
        """Parameters of a slot, as the C core wants them."""
        p = self.parameters
        return number(p["sigma"], "sigma", 0, 100), 1 - flag(p["detach"], "detach"), 0.0
