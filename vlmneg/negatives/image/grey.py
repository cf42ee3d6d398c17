"""`grey`: a picture, or an object of it, without colour."""

from vlmneg.arrays import flag
from vlmneg.negatives.image.base import ImageNegatives


class grey(ImageNegatives):
    """The picture, or one object of it, loses its colour: each pixel becomes its luminance, as Pillow computes it.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a picture; there is one of the whole picture, and one an object.
    of_object : bool
        Grey an object instead of the whole picture.
    **rules
        `feather`, `min_area`, `max_area`, `min_change` and `variation`, as in `ImageNegatives`.

    Examples
    --------
    >>> import numpy as np
    >>> red = np.full((4, 6, 3), (200, 0, 0), np.uint8)
    >>> grey()([red]).image[0][0][0, 0]
    array([60, 60, 60], dtype=uint8)
    """

    name = "grey"

    def __init__(self, *, k=1, of_object=False, **rules):
        whole = {} if flag(of_object, "of_object") else {"min_area": 0, "max_area": 1}
        super().__init__({"of_object": of_object}, k=k, **({"min_change": 8} | whole | rules))

    def slot(self):
        """The edit's own numbers, as the C core wants them."""
        return (int(self.parameters["of_object"]),)
