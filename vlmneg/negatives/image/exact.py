"""Pictures that come with the data."""

import numpy as np

from vlmneg import _core
from vlmneg import images as pictures
from vlmneg.arrays import integer
from vlmneg.negatives.base import MAX_K
from vlmneg.negatives.image.base import ImageNegatives
from vlmneg.negatives.image.drawing import EMPTY, REPEAT, SAME, VALID, among, empty

STREAM_EXACT = 68  # reserved in csrc/vn_registry.def


class exact(ImageNegatives):
    """Pictures that come with the data, each with its caption: k of a sample's variants, others at each visit.

    Scenes have their edits, GNM's variations the other variations of the item, InpaintCOCO's pictures their
    counterparts. They need `samples` in the call.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a picture; where a sample has fewer, or a picture can't be read, slots aren't valid.
    kinds : None, str or tuple of str
        Kinds of variant to draw from; None: all.

    Examples
    --------
    >>> import vlmneg as vn
    >>> sample = vn.data.scenes(10)[6]
    >>> made = exact(k=1, kinds="object_swap")([sample.image], samples=[sample])
    >>> made.source[0][0], made.caption[0][0]
    ('a blue square above a brown triangle', 'a blue triangle above a brown square')
    """

    name = "exact"

    def __init__(self, *, k=1, kinds=None):
        self.k = integer(k, "k", 1, MAX_K + 1)
        if kinds is not None and not isinstance(kinds, (str, tuple, list)):
            raise TypeError(f"kinds must be None, a name or several, got {type(kinds).__name__}")
        self.parameters = {"k": k, "kinds": kinds}

    def draw(self, request, taken, first):
        """This part's slots.

        Parameters
        ----------
        request : Request
        taken : list of N lists of ndarray
            Each row's variants so far.
        first : int
            This part's first slot.

        Returns
        -------
        Drawn
        """
        if request.samples is None:
            raise ValueError("exact takes its pictures from samples; give samples=, one a picture")
        kinds = self.parameters["kinds"]
        kinds = (kinds,) if isinstance(kinds, str) else kinds
        made = empty(request, self.k)
        for i, sample in enumerate(request.samples):
            pool, earlier = [v for v in sample.variants if kinds is None or v.kind in kinds], list(taken[i])
            for k in range(self.k):
                draw = (first + k) << 16
                while pool and made.code[i, k] != VALID:
                    word = _core.philox(request.seed, int(request.rows[i]), draw, STREAM_EXACT)[0]
                    draw += 1
                    variant = pool.pop(word * len(pool) >> 32)
                    image, made.code[i, k] = _judged(variant, request.images[i], earlier)
                    made.kind[i][k] = variant.kind
                    if made.code[i, k] == VALID:
                        made.image[i][k], made.edits[i][k] = image, {"caption": variant.caption}
                        made.region[i][k] = _changed(request.images[i], image)
                        earlier.append(image)
        return made


def _judged(variant, source, earlier):
    """A variant's picture and its code."""
    try:
        image = np.ascontiguousarray(pictures.decode(variant.picture()).convert("RGB"))
    except (OSError, ValueError):
        return None, EMPTY
    return image, SAME if np.array_equal(image, source) else REPEAT if among(image, earlier) else VALID


def _changed(old, new):
    if old.shape != new.shape:
        return np.ones(old.shape[:2], np.uint8)
    return (old != new).any(2).astype(np.uint8)
