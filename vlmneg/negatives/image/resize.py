"""`resize`: an object larger or smaller."""

from vlmneg.arrays import number
from vlmneg.negatives.image.base import ImageNegatives

SIZES = ("any", "bigger", "smaller")


class resize(ImageNegatives):
    """One object becomes 1.6 to 2.2 times as large, or 0.35 to 0.6 times, about the middle of its base line.

    Its place is filled as in `remove`. At least three quarters of a larger object stay in the frame, and it hides no
    more than a quarter of any other.

    In `edits`: `object`, and `scale`, in thousandths. The kinds are "bigger" and "smaller".

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a picture.
    to : {"any", "bigger", "smaller"}
    grow : float in [0, 1]
        As in `remove`.
    **rules
        `feather`, `min_area`, `max_area`, `min_change` and `variation`, as in `ImageNegatives`.

    Examples
    --------
    >>> import numpy as np
    >>> field, mask = np.full((40, 40, 3), (60, 160, 60), np.uint8), np.zeros((40, 40), bool)
    >>> mask[20:30, 15:25] = True
    >>> field[mask] = 255
    >>> made = resize(to="smaller")([field], objects=[[mask]])
    >>> made.kind[0][0], made.edits[0][0]["object"]
    ('smaller', 0)
    """

    name = "resize"

    def __init__(self, *, k=1, to="any", grow=0.03, **rules):
        if to not in SIZES:
            raise ValueError(f"to must be one of {', '.join(SIZES)}, got {to!r}")
        number(grow, "grow", 0, 1)
        super().__init__({"to": to, "grow": grow}, k=k, **rules)

    def slot(self):
        """The edit's own numbers, as the C core wants them."""
        return round(self.parameters["grow"] * 1000), SIZES.index(self.parameters["to"])
