"""Shuffles: parts of the picture in another order. They are ARO's probes; with other numbers they are negatives."""

from vlmneg.arrays import integer
from vlmneg.negatives.image.base import ImageNegatives

MOST = 16


class _Shuffle(ImageNegatives):
    maker = "shuffle"

    def __init__(self, *, k, n, rules):
        integer(n, "n", 2, MOST + 1)
        super().__init__({"n": n}, k=k, **({"min_area": 0, "max_area": 1, "min_change": 8} | rules))


class shuffle_patches(_Shuffle):
    """A grid of n by n patches in another order.

    Patches have equal sizes; what is left over at the right and at the bottom stays where it is.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a picture.
    n : int in [2, 16]
        Patches a side; fewer where the picture has fewer pixels.
    **rules
        `min_area`, `max_area`, `min_change` and `variation`, as in `ImageNegatives`.

    References
    ----------
    Yuksekgonul et al., When and why vision-language models behave like bags-of-words. ICLR 2023, arXiv:2210.01936.

    Examples
    --------
    >>> import numpy as np
    >>> shuffle_patches(n=2)([np.uint8([[0, 80], [160, 240]])], seed=5).image[0][0][..., 0].tolist()
    [[80, 240], [160, 0]]
    """

    name = "shuffle_patches"

    def __init__(self, *, k=1, n=3, **rules):
        super().__init__(k=k, n=n, rules=rules)

    def slot(self):
        """The edit's own numbers, as the C core wants them."""
        return self.parameters["n"], self.parameters["n"]


class shuffle_rows(_Shuffle):
    """n horizontal bands in another order.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a picture.
    n : int in [2, 16]
        Bands; fewer where the picture has fewer pixels.
    **rules
        As in `shuffle_patches`.

    References
    ----------
    Yuksekgonul et al., When and why vision-language models behave like bags-of-words. ICLR 2023, arXiv:2210.01936.

    Examples
    --------
    >>> import numpy as np
    >>> shuffle_rows()([np.uint8([[0], [80], [160], [240]])]).image[0][0][..., 0].tolist()
    [[0], [240], [80], [160]]
    """

    name = "shuffle_rows"

    def __init__(self, *, k=1, n=4, **rules):
        super().__init__(k=k, n=n, rules=rules)

    def slot(self):
        """The edit's own numbers, as the C core wants them."""
        return self.parameters["n"], 1


class shuffle_columns(_Shuffle):
    """n vertical bands in another order.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a picture.
    n : int in [2, 16]
        Bands; fewer where the picture has fewer pixels.
    **rules
        As in `shuffle_patches`.

    References
    ----------
    Yuksekgonul et al., When and why vision-language models behave like bags-of-words. ICLR 2023, arXiv:2210.01936.

    Examples
    --------
    >>> import numpy as np
    >>> shuffle_columns(n=2)([np.uint8([[0, 80]])]).image[0][0][..., 0].tolist()
    [[80, 0]]
    """

    name = "shuffle_columns"

    def __init__(self, *, k=1, n=4, **rules):
        super().__init__(k=k, n=n, rules=rules)

    def slot(self):
        """The edit's own numbers, as the C core wants them."""
        return 1, self.parameters["n"]
