"""Something false that comes in."""

from vlmneg.negatives.base import Negatives
from vlmneg.negatives.text.choice import bits


class add(Negatives):
    """An object or an attribute comes in that none of the image's captions mentions.

    An object stands beside a noun phrase ("and a X", "with a X", "a X and"); a verb that the phrase is the subject of
    becomes plural. An attribute stands before a noun or another adjective, is of a kind that the noun doesn't have yet
    (no "red" for a blue car) and one that it can have (no "wooden" for a man). "a" and "an" follow. Neither is
    looked for in the picture: what no caption mentions may be there all the same.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a caption.
    kinds : None, str or tuple of str
        Of "object", "attribute"; None: drawn among those that the caption allows.

    References
    ----------
    Hsieh et al., SugarCrepe: fixing hackable benchmarks for vision-language compositionality. NeurIPS 2023,
    arXiv:2306.14610, section 3.

    Examples
    --------
    >>> add(k=1, kinds="object")(["A cat is sleeping on a sofa."]).text
    [['A cat with a spoon is sleeping on a sofa.']]
    >>> add(k=1, kinds="attribute")(["A cat is sleeping on a sofa."]).text
    [['A red cat is sleeping on a sofa.']]
    """

    name = "add"
    KINDS = ("object", "attribute")

    def __init__(self, *, k=1, kinds=None):
        super().__init__(k=k, kinds=kinds)
        self.slot()

    def slot(self):
        """Parameters of a slot, as the C core wants them."""
        return bits(self.parameters["kinds"], self.KINDS, "kinds"), 0
