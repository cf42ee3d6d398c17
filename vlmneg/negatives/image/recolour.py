"""`recolour`: an object in another colour."""

from vlmneg.arrays import number
from vlmneg.negatives.image.base import ImageNegatives

COLOURS = ("black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")


class recolour(ImageNegatives):
    """One object gets another colour: a new hue at the same brightness, so that its shading stays.

    The new colour is drawn from `colours`, without the one that most of the object has. Black, white and grey take all
    saturation and move the brightness towards 0.15, 0.9 and 0.5; brown is a dark orange, its brightness goes
    towards 0.4. An object that would hardly change, such as a black one made red, isn't valid in that colour, nor one
    of which over half would be called by another name, such as a dark one made orange, which is brown.

    In `edits`: `object`, `old`, a colour, where one covers more than half of the object, and `new`.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a picture.
    colours : None, str or tuple of str
        Colours to draw from; None: black, white, grey, red, orange, yellow, green, blue, purple, pink and brown.
    saturation : float in [0, 1]
        The least saturation of a colour other than black, white and grey.
    **rules
        `feather`, `min_area`, `max_area`, `min_change` and `variation`, as in `ImageNegatives`.

    Examples
    --------
    >>> import numpy as np
    >>> red, mask = np.full((10, 10, 3), (200, 20, 20), np.uint8), np.zeros((10, 10), bool)
    >>> mask[2:8, 2:8] = True
    >>> made = recolour(k=1, colours="blue", feather=0)([red], objects=[[mask]])
    >>> made.edits[0][0], made.image[0][0][5, 5].tolist()
    ({'object': 0, 'old': 'red', 'new': 'blue'}, [20, 20, 200])
    """

    name = "recolour"

    def __init__(self, *, k=1, colours=None, saturation=0.35, **rules):
        _set(colours)
        number(saturation, "saturation", 0, 1)
        super().__init__({"colours": colours, "saturation": saturation}, k=k, **rules)

    def slot(self):
        """The edit's own numbers, as the C core wants them."""
        return _set(self.parameters["colours"]), round(self.parameters["saturation"] * 1000)

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


def _set(chosen):
    """Colours as bits."""
    chosen = COLOURS if chosen is None else (chosen,) if isinstance(chosen, str) else chosen
    if not isinstance(chosen, (tuple, list)) or not chosen:
        raise TypeError(f"colours must be None, a name or several of {', '.join(COLOURS)}, got {chosen!r}")
    for name in chosen:
        if name not in COLOURS:
            raise ValueError(f"colours must be among {', '.join(COLOURS)}, got {name!r}")
    return sum(1 << i for i, name in enumerate(COLOURS) if name in chosen)
