"""`exchange_colours`: two objects in each other's colour."""

from vlmneg.arrays import number
from vlmneg.negatives.image.base import ImageNegatives
from vlmneg.negatives.image.recolour import COLOURS


class exchange_colours(ImageNegatives):
    """Two objects of different categories get each other's colour: the one that over half of its pixels have.
    Afterwards over half of each must have the new one.

    In `edits`: `object`, `with`, `old`, the colour that the first had, and `new`, the second's.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a picture.
    saturation : float in [0, 1]
        As in `recolour`.
    **rules
        `feather`, `min_area`, `max_area`, `min_change` and `variation`, as in `ImageNegatives`.

    Examples
    --------
    >>> import vlmneg as vn
    >>> scene = vn.data.scenes(10)[8]
    >>> scene.captions[0]
    'a small blue flag left of a purple tree'
    >>> exchange_colours()([scene.image], objects=[scene.objects]).edits[0][0]
    {'object': 0, 'with': 1, 'old': 'blue', 'new': 'purple'}
    """

    name = "exchange_colours"

    def __init__(self, *, k=1, saturation=0.35, **rules):
        number(saturation, "saturation", 0, 1)
        super().__init__({"saturation": saturation}, k=k, **rules)

    def slot(self):
        """The edit's own numbers, as the C core wants them."""
        return (round(self.parameters["saturation"] * 1000),)

    def describe(self, notes, named, other_named):
        """What an edit did, with colours by name.

        Parameters
        ----------
        notes : dict of str to int
        named, other_named : Objects, list of masks or None

        Returns
        -------
        dict
        """
        return {k: COLOURS[v] if k in ("old", "new") else v for k, v in notes.items()}
