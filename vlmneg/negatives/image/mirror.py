"""`mirror`: the whole picture, left to right."""

from vlmneg.negatives.image.base import ImageNegatives


class mirror(ImageNegatives):
    """The whole picture, left to right. It is a negative only of captions that say left or right.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a picture; there is one.
    **rules
        `feather`, `min_area`, `max_area`, `min_change` and `variation`, as in `ImageNegatives`.

    Examples
    --------
    >>> import numpy as np
    >>> half = np.repeat([[[0], [255]]], 3, 2).astype(np.uint8)
    >>> mirror()([half]).image[0][0][..., 0]
    array([[255,   0]], dtype=uint8)
    """

    name = "mirror"

    def __init__(self, *, k=1, **rules):
        super().__init__(k=k, **({"min_area": 0, "max_area": 1, "min_change": 8} | rules))
