"""Negations."""

from vlmneg.negatives.base import Negatives
from vlmneg.negatives.text.choice import bits


class negate(Negatives):
    """The caption says the opposite: a negation comes in or goes away.

    Kinds are "noun" ("no dog on a sofa"), "exists" ("There is no dog on a sofa"; captions without a verb), "verb"
    ("is not sitting", "does not sit", "not sitting"), "with" ("without"), "remove" ("not", "no", "n't" and "without"
    taken away), and NegBench's sentences in place of the caption: "features" (an object that no caption mentions),
    "not_feature" (one of the caption's things denied) and "but_not" (both).

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a caption.
    kinds : None, str or tuple of str
        Kinds to draw from; None: the first five.

    References
    ----------
    Ma et al., CREPE: can vision-language foundation models reason compositionally? CVPR 2023, arXiv:2212.07796,
    section 3. Alhamoud et al., Vision-language models do not understand negation. CVPR 2025, arXiv:2501.09425,
    section 3.

    Examples
    --------
    >>> negate(k=1, kinds="verb")(["A dog sits on a sofa."]).text
    [['A dog does not sit on a sofa.']]
    >>> negate(k=1, kinds="exists")(["Two dogs on a sofa."]).text
    [['There are no dogs on a sofa.']]
    >>> negate(k=1, kinds="not_feature")(["A dog."]).text
    [['This image does not feature a dog.']]
    """

    name = "negate"
    KINDS = ("noun", "exists", "verb", "with", "remove", "features", "not_feature", "but_not")

    def __init__(self, *, k=1, kinds=None):
        super().__init__(k=k, kinds=kinds)
        self.slot()

    def slot(self):
        """Parameters of a slot, as the C core wants them."""
        kinds = self.parameters["kinds"]
        return bits(self.KINDS[:5] if kinds is None else kinds, self.KINDS, "kinds"), 0
