"""Replaced words."""

from vlmneg.negatives.base import Negatives
from vlmneg.negatives.text.choice import bits


class replace(Negatives):
    """One word or phrase becomes another of its kind, in the same number or form.

    "a" and "an" and capital letters follow. Nothing is put in that another true caption mentions, nor a synonym, a
    broader or a narrower word. An object is replaced by one of its COCO supercategory; a man, woman, boy or girl by
    another of these four.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a caption.
    concept : None, str or tuple of str
        What to replace: one of several is drawn among those that the caption has. "color", "size", "location" and
        "object" are Roesch's, and what None means. "number" ("two" to "three", "a dog" to "four dogs"), "action"
        ("riding" to "pushing"), "relation" ("on" to "under"), "material", "state" ("open" to "closed") and
        "attribute" (other adjectives) have lists of their own. "noun", "verb" and "adjective" are any word of the
        class, the slots of CE-CLIP and AHNPL: of a list if one has it, else another common word.
    hardness : "same" or "any"
        "any" replaces an object by one of any supercategory.

    References
    ----------
    Roesch et al., Enhancing conceptual understanding in multimodal contrastive learning through hard negative
    samples. ALVR 2024, arXiv:2403.02875. Doveh et al., Teaching structured vision-language concepts to
    vision-language models. CVPR 2023, arXiv:2211.11733. Zhang et al., Contrasting intra-modal and ranking cross-modal
    hard negatives. CVPR 2024, arXiv:2306.08832.

    Examples
    --------
    >>> replace(k=1, concept="location")(["A bird behind the tree."]).text
    [['A bird in front of the tree.']]
    >>> replace(k=1, concept="state")(["an open window"]).text
    [['a closed window']]
    """

    name = "replace"
    CONCEPTS = ("color", "size", "location", "object", "number", "action", "relation", "material", "state", "attribute",
                "noun", "verb", "adjective")

    def __init__(self, *, k=2, concept=None, hardness="same"):
        super().__init__(k=k, concept=concept, hardness=hardness)
        self.slot()

    def slot(self):
        """Parameters of a slot, as the C core wants them."""
        hardness = self.parameters["hardness"]
        if hardness not in ("same", "any"):
            raise ValueError(f'hardness must be "same" or "any", got {hardness!r}')
        concept = self.CONCEPTS[:4] if self.parameters["concept"] is None else self.parameters["concept"]
        return bits(concept, self.CONCEPTS, "concept"), int(hardness == "any")
