"""`remove`: an object gone."""

from vlmneg.arrays import number
from vlmneg.negatives.image.base import ImageNegatives


class remove(ImageNegatives):
    """One object is gone: its place continues what is around it, by diffusion from the border.

    In `edits`: `object`, and its box `top`, `left`, `height`, `width`.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a picture.
    grow : float in [0, 1]
        How far the hole reaches beyond the mask, as a share of the square root of the object's area: outlines are
        rough, and what stays of an object shows. At least 1 pixel, at most 32.
    **rules
        `feather`, `min_area`, `max_area`, `min_change` and `variation`, as in `ImageNegatives`.

    Examples
    --------
    >>> import numpy as np
    >>> field, mask = np.full((12, 12, 3), (60, 160, 60), np.uint8), np.zeros((12, 12), bool)
    >>> mask[4:8, 4:8] = True
    >>> field[mask] = 255
    >>> made = remove()([field], objects=[[mask]])
    >>> np.unique(made.image[0][0].reshape(-1, 3), axis=0).tolist()
    [[60, 160, 60]]
    """

    name = "remove"

    def __init__(self, *, k=1, grow=0.03, **rules):
        number(grow, "grow", 0, 1)
        super().__init__({"grow": grow}, k=k, **rules)

    def slot(self):
        """The edit's own numbers, as the C core wants them."""
        return (round(self.parameters["grow"] * 1000),)
