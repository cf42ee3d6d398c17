"""`duplicate`: a copy of an object beside it."""

from vlmneg.negatives.image.base import ImageNegatives


class duplicate(ImageNegatives):
    """A copy of one object beside it, on the same base line, wholly in the frame, where it hides no other object.

    In `edits`: `object`, and `right`, how many pixels the copy is to the right, negative to the left.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a picture.
    **rules
        `feather`, `min_area`, `max_area`, `min_change` and `variation`, as in `ImageNegatives`.

    Examples
    --------
    >>> import numpy as np
    >>> field, mask = np.full((12, 30, 3), (60, 160, 60), np.uint8), np.zeros((12, 30), bool)
    >>> mask[4:8, 2:6] = True
    >>> field[mask] = 255
    >>> made = duplicate()([field], objects=[[mask]])
    >>> int((field == 255).sum()), int((made.image[0][0] == 255).sum())
    (48, 60)
    """

    name = "duplicate"

    def __init__(self, *, k=1, **rules):
        super().__init__(k=k, **rules)
