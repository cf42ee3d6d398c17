"""The image moved by what a negative caption changes in the text."""

from __future__ import annotations

from vlmneg.arrays import flag, number
from vlmneg.negatives.embed.base import Embed


class shift(Embed):
    """Image negatives: each image moved by the difference of a negative caption and the true one.

    v-_ik = v_i + factor (t-_ik - t_i), the texts being constants unless ``detach=False``.

    Parameters
    ----------
    k : int in [1, 16], optional
        The first k negative captions; default: a slot for each.
    factor : float in [0, 100]
        How far.
    unit : bool
        Bring the rows back to length 1. A shift that is not brought back is longer the more the caption changes.
    detach : bool
        Keep gradients from the texts, as AHNPL does.
    allow_degenerate : bool
        Admit caption anchors for un-normalised rows.

    Notes
    -----
    Un-normalised, t_i.v-_ik = t_i.v_i - factor (1 - t_i.t-_ik): the gap does not depend on the image, so a softmax of a
    caption over such images only weakens the pull on the image and the image tower learns no new direction. This is
    refused unless ``unit=True`` or ``allow_degenerate=True``. With the image as anchor, un-normalised, the term `intra`
    equals `own` with constant texts.

    References
    ----------
    Huang et al., AHNPL: negatives carried from text to the visual space. IJCAI 2025, arXiv:2505.15576.

    Examples
    --------
    >>> import numpy as np
    >>> v = np.array([[1, 0], [0, 1]], np.float32)
    >>> shift(factor=0.5)(image=v, text=v, neg_text=v[::-1, None]).rows[:, 0]
    array([[0.5, 0.5],
           [0.5, 0.5]], dtype=float32)
    """

    name = "shift"

    def __init__(self, *, k: int | None = None, factor: float = 1.0, unit: bool = False, detach: bool = True,
                 allow_degenerate: bool = False) -> None:
        super().__init__(k=k, factor=factor, unit=unit, detach=detach, allow_degenerate=allow_degenerate)

    def slot(self) -> tuple[float, float, float]:
        """Parameters of a slot, as the C core wants them."""
        p = self.parameters
        flag(p["allow_degenerate"], "allow_degenerate")
        return (number(p["factor"], "factor", 0, 100), flag(p["unit"], "unit"), 1 - flag(p["detach"], "detach"))

    def refuse(self, anchors: set[str]) -> None:
        """Say no to captions as anchors of un-normalised rows.

        Parameters
        ----------
        anchors : set of str
            Of "image" and "text".
        """
        if "text" in anchors and not (self.parameters["unit"] or self.parameters["allow_degenerate"]):
            raise ValueError(
                "an un-normalised shift leaves a caption the gap factor * (1 - t.t-), which does not depend on the "
                "image, so the image tower learns no new direction from it (Notes of embed.shift); use unit=True, an "
                "image anchor, or allow_degenerate=True")
