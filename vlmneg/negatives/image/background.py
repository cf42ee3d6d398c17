"""`background`: the objects before another picture."""

from vlmneg.negatives.image.base import ImageNegatives


class background(ImageNegatives):
    """Everything but the objects from a second picture, scaled to cover the frame and cropped at a random place.

    Second pictures are given in the call, as `others`.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a picture.
    **rules
        `feather`, `min_area`, `max_area`, `min_change` and `variation`, as in `ImageNegatives`.

    Examples
    --------
    >>> import numpy as np
    >>> grey, mask = np.full((8, 8, 3), 100, np.uint8), np.zeros((8, 8), bool)
    >>> mask[2:6, 2:6] = True
    >>> made = background(feather=0)([grey], objects=[[mask]], others=[np.full((20, 30, 3), 255, np.uint8)])
    >>> made.image[0][0][3, :, 0]
    array([255, 255, 100, 100, 100, 100, 255, 255], dtype=uint8)
    """

    name = "background"

    def __init__(self, *, k=1, **rules):
        super().__init__(k=k, **({"max_area": 1} | rules))
