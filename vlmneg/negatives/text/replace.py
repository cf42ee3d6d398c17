"""Replaced keywords."""

from vlmneg.negatives.base import Negatives
from vlmneg.negatives.text.choice import bits


class replace(Negatives):
    """One keyword becomes another of its kind: a colour, size, place or object.

    "a" and "an", number and capital letters follow. An object is replaced by one of its COCO supercategory that the
    image's captions don't mention, a man, woman, boy or girl by another of these four.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a caption.
    concept : None, str or tuple of str
        Of "color", "size", "location", "object"; None: drawn among those that the caption has.
    hardness : "same" or "any"
        "any" replaces an object by one of any supercategory.

    References
    ----------
    Roesch et al., Enhancing conceptual understanding in multimodal contrastive learning through hard negative
    samples. ALVR 2024, arXiv:2403.02875.

    Examples
    --------
    >>> replace(k=1, concept="location")(["A bird behind the tree."]).text
    [['A bird in front of the tree.']]
    """

    name = "replace"
    CONCEPTS = ("color", "size", "location", "object")

    def __init__(self, *, k=2, concept=None, hardness="same"):
        super().__init__(k=k, concept=concept, hardness=hardness)
        self.slot()

    def slot(self):
        """Parameters of a slot, as the C core wants them."""
        hardness = self.parameters["hardness"]
        if hardness not in ("same", "any"):
            raise ValueError(f'hardness must be "same" or "any", got {hardness!r}')
        return bits(self.parameters["concept"], self.CONCEPTS, "concept"), int(hardness == "any")
