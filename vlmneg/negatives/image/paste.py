"""`paste` and `replace`: an object of another picture."""

from vlmneg.arrays import number
from vlmneg.negatives.image.base import ImageNegatives


class paste(ImageNegatives):
    """An object of a second picture is put into the picture, which has none of its category.

    It is scaled with the frame's height and stands as high as it stood there, anywhere across, where it hides no more
    than a quarter of any other object and at least nine tenths of it are in the frame. Second pictures are given in
    the call, with their objects, as `others`.

    In `edits`: `other`, the object's number in the second picture.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a picture.
    **rules
        `feather`, `min_area`, `max_area`, `min_change` and `variation`, as in `ImageNegatives`.

    Examples
    --------
    >>> import vlmneg as vn
    >>> here, there = vn.data.scenes(10)[6], vn.data.scenes(10)[3]
    >>> there.captions[0]
    'a white hourglass left of the middle'
    >>> made = paste()([here.image], objects=[here.objects], others=[(there.image, there.objects)])
    >>> there.objects.names[made.edits[0][0]["other"]]
    'hourglass'
    """

    name = "paste"

    def __init__(self, *, k=1, **rules):
        super().__init__(k=k, **rules)

    def slot(self):
        """The edit's own numbers, as the C core wants them."""
        return 0, 0


class replace(ImageNegatives):
    """An object of a second picture takes the place of one of the same supercategory and another category.

    What it replaces is erased as in `remove`; it is scaled to the same height and stands on the same base line. The
    picture has none of its category.

    In `edits`: `object`, and `other`, the new object's number in the second picture.

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
    >>> here, there = vn.data.scenes(10)[6], vn.data.scenes(10)[3]
    >>> made = replace()([here.image], objects=[here.objects], others=[(there.image, there.objects)])
    >>> made.kind[0][0], made.valid.tolist()
    ('replace', [[1]])
    """

    name, maker = "replace", "paste"

    def __init__(self, *, k=1, grow=0.03, **rules):
        number(grow, "grow", 0, 1)
        super().__init__({"grow": grow}, k=k, **rules)

    def slot(self):
        """The edit's own numbers, as the C core wants them."""
        return round(self.parameters["grow"] * 1000), 1
