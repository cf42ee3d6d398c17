"""Hard positives."""

from vlmneg.negatives.base import Negatives
from vlmneg.negatives.text.choice import bits


class positive(Negatives):
    """The same said otherwise, for tests of brittleness: a model should score these like the caption.

    They are **not** negatives: `valid` says that a slot holds a true sentence other than the caption. Don't train
    against them. Kinds are "synonym" ("sofa" for "couch"), "reorder" (noun phrases around "and", "or", "next to",
    "beside" or "near" change places) and "front" ("On a sofa, a cat sleeps.").

    Parameters
    ----------
    k : int in [1, 16]
        Positives a caption.
    kinds : None, str or tuple of str
        Kinds to draw from; None: all that the caption allows.

    References
    ----------
    Kamath et al., The hard positive truth about vision-language compositionality. ECCV 2024, arXiv:2409.17958,
    section 3.

    Examples
    --------
    >>> positive(k=1, kinds="synonym")(["A cat on a sofa."]).text
    [['A cat on a couch.']]
    >>> positive(k=1, kinds="reorder")(["A cat and a dog on a sofa."]).text
    [['A dog and a cat on a sofa.']]
    >>> positive(k=1, kinds="front")(["A cat is sleeping on a sofa."]).text
    [['On a sofa, a cat is sleeping.']]
    """

    name = "positive"
    KINDS = ("synonym", "reorder", "front")

    def __init__(self, *, k=1, kinds=None):
        super().__init__(k=k, kinds=kinds)
        self.slot()

    def slot(self):
        """Parameters of a slot, as the C core wants them."""
        return bits(self.parameters["kinds"], self.KINDS, "kinds"), 0
