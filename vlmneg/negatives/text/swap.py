"""Exchanged spans."""

from vlmneg.negatives.base import Negatives
from vlmneg.negatives.text.choice import bits


class swap(Negatives):
    """Two spans of one class exchange places: no word is lost or added.

    NegCLIP's classes are noun phrases of more than two words, verb phrases, singular nouns, plural nouns, adverbs and
    adjectives. "attribute" takes whatever stands before two different nouns, AHNPL's adjective-swap: "a wood chair
    and a red car". "relation" is CE-CLIP's slot: the first two of at least three nouns. Exchanges that would break
    a/an, number or verb form aren't made, nor those that change no meaning ("a cat and a dog").

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a caption.
    kinds : None, str or tuple of str
        Classes to use, of "phrase", "verb", "noun", "plural", "adverb", "adjective", "attribute", "relation"; None:
        NegCLIP's, the first six.

    References
    ----------
    Yuksekgonul et al., When and why vision-language models behave like bags-of-words. ICLR 2023, arXiv:2210.01936.
    Zhang et al., Contrasting intra-modal and ranking cross-modal hard negatives. CVPR 2024, arXiv:2306.08832. Huang et
    al., AHNPL. IJCAI 2025, arXiv:2505.15576.

    Examples
    --------
    >>> swap(k=1, kinds="adjective")(["A black dog sits next to a white cat."]).text
    [['A white dog sits next to a black cat.']]
    """

    name = "swap"
    CLASSES = ("phrase", "verb", "noun", "plural", "adverb", "adjective", "attribute", "relation")

    def __init__(self, *, k=2, kinds=None):
        super().__init__(k=k, kinds=kinds)
        self.slot()

    def slot(self):
        """Parameters of a slot, as the C core wants them."""
        kinds = self.parameters["kinds"]
        return bits(self.CLASSES[:6] if kinds is None else kinds, self.CLASSES, "kinds"), 0
