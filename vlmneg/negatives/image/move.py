"""`move`: an object on the other side."""

from vlmneg.arrays import flag, number
from vlmneg.negatives.image.base import ImageNegatives


class move(ImageNegatives):
    """One object goes to the other side, where it would be in the mirrored picture, and its place is filled.

    It gets away by half its width or more, and hides no more than a quarter of any other object.

    In `edits`: `object`, and `right`, how many pixels it went to the right, negative to the left.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a picture.
    mirror : bool
        Mirror the object itself too, so that what the frame cuts off is cut off on the other side.
    grow : float in [0, 1]
        As in `remove`.
    **rules
        `feather`, `min_area`, `max_area`, `min_change` and `variation`, as in `ImageNegatives`.

    Examples
    --------
    >>> import numpy as np
    >>> field, mask = np.full((12, 20, 3), (60, 160, 60), np.uint8), np.zeros((12, 20), bool)
    >>> mask[4:8, 2:6] = True
    >>> field[mask] = 255
    >>> made = move()([field], objects=[[mask]])
    >>> made.edits[0][0], made.image[0][0][5, [3, 15], 0].tolist()
    ({'object': 0, 'right': 12}, [60, 255])
    """

    name = "move"

    def __init__(self, *, k=1, mirror=True, grow=0.03, **rules):
        number(grow, "grow", 0, 1)
        super().__init__({"mirror": bool(flag(mirror, "mirror")), "grow": grow}, k=k, **rules)

    def slot(self):
        """The edit's own numbers, as the C core wants them."""
        return round(self.parameters["grow"] * 1000), int(self.parameters["mirror"])
