"""`swap`: two objects exchange places."""

from vlmneg.arrays import number
from vlmneg.negatives.image.base import ImageNegatives


class swap(ImageNegatives):
    """Two objects of different categories exchange places, each scaled, keeping its shape, to fit the other's box.

    Their places are filled as in `remove`. Objects whose boxes share over half of the smaller one stay, and pairs
    that would have to be scaled over four times.

    In `edits`: `object` and `with`.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a picture.
    grow : float in [0, 1]
        As in `remove`.
    **rules
        `feather`, `min_area`, `max_area`, `min_change` and `variation`, as in `ImageNegatives`.

    Examples
    --------
    >>> import vlmneg as vn
    >>> scene = vn.data.scenes(10)[6]
    >>> scene.captions[0], scene.objects.boxes.tolist()
    ('a blue square above a brown triangle', [[6, 7, 25, 27], [4, 40, 24, 59]])
    >>> made = swap()([scene.image], objects=[scene.objects])
    >>> made.kind[0][0], made.edits[0][0]
    ('swap', {'object': 0, 'with': 1})
    """

    name = "swap"

    def __init__(self, *, k=1, grow=0.03, **rules):
        number(grow, "grow", 0, 1)
        super().__init__({"grow": grow}, k=k, **rules)

    def slot(self):
        """The edit's own numbers, as the C core wants them."""
        return (round(self.parameters["grow"] * 1000),)
