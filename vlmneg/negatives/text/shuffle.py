"""Words in random order."""

from vlmneg.negatives.base import Negatives
from vlmneg.negatives.text.choice import bits


class shuffle(Negatives):
    """Words exchange places at random: exactly the caption's words, nothing mended.

    Kinds are ARO's four, "nouns_adjectives" (nouns among themselves, adjectives among themselves), "others" (all
    words but these), "within_trigrams" (inside each group of three words), "trigrams" (the groups of three), and
    FSC-CLIP's "bigrams" (the groups of two). Punctuation and spacing stay where they are. A result that reads like
    the caption is drawn again.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a caption.
    kinds : None, str or tuple of str
        Kinds to draw from; None: all that the caption allows.

    References
    ----------
    Yuksekgonul et al., When and why vision-language models behave like bags-of-words. ICLR 2023, arXiv:2210.01936,
    section 2. Oh et al., Preserving multi-modal capabilities of pre-trained VLMs for improving vision-linguistic
    compositionality. EMNLP 2024, arXiv:2410.05210.

    Examples
    --------
    >>> shuffle(k=2, kinds="trigrams")(["A man is riding a horse on the beach."]).text
    [['on the beach A man is riding a horse.', 'on the beach riding a horse A man is.']]
    """

    name = "shuffle"
    KINDS = ("nouns_adjectives", "others", "within_trigrams", "trigrams", "bigrams")

    def __init__(self, *, k=1, kinds=None):
        super().__init__(k=k, kinds=kinds)
        self.slot()

    def slot(self):
        """Parameters of a slot, as the C core wants them."""
        return bits(self.parameters["kinds"], self.KINDS, "kinds"), 0
