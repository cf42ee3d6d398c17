"""`blur`: a picture, or an object of it, out of focus."""

from vlmneg.arrays import flag, number
from vlmneg.negatives.image.base import ImageNegatives


class blur(ImageNegatives):
    """The picture, or one object of it, is blurred by three running means along each axis, close to a Gaussian.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a picture; there is one of the whole picture, and one an object.
    of_object : bool
        Blur an object instead of the whole picture.
    radius : float in (0, 1]
        Of a running mean, as a share of the shorter side of what is blurred; at least one pixel.
    **rules
        `feather`, `min_area`, `max_area`, `min_change` and `variation`, as in `ImageNegatives`.

    References
    ----------
    Wells, Efficient synthesis of Gaussian filters by cascaded uniform filters. IEEE TPAMI, 1986.

    Examples
    --------
    >>> import numpy as np
    >>> stripes = np.zeros((8, 8, 3), np.uint8)
    >>> stripes[:, ::2] = 255
    >>> blur(radius=0.25)([stripes]).image[0][0][0, :, 0].tolist()
    [174, 163, 151, 135, 120, 104, 92, 81]
    """

    name = "blur"

    def __init__(self, *, k=1, of_object=False, radius=0.04, **rules):
        whole = {} if flag(of_object, "of_object") else {"min_area": 0, "max_area": 1}
        if number(radius, "radius", 0, 1) == 0:
            raise ValueError("radius must be above 0")
        super().__init__({"of_object": of_object, "radius": radius}, k=k, **({"min_change": 8} | whole | rules))

    def slot(self):
        """The edit's own numbers, as the C core wants them."""
        return int(self.parameters["of_object"]), round(self.parameters["radius"] * 1e6)
