"""Parts that change places, with grammar."""

from vlmneg.negatives.base import Negatives
from vlmneg.negatives.text.choice import bits


class exchange(Negatives):
    """Two parts of the caption change places, and articles, verbs and plurals around them follow.

    Kinds are "attribute" (words before two different nouns), "phrase" (two noun phrases, of whatever number),
    "number" (the counts of two nouns: "two dogs and a cat" becomes "a dog and two cats") and "transfer" (an adjective
    goes to a noun that has none). `swap` makes the exchanges that need no mending.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a caption.
    kinds : None, str or tuple of str
        Kinds to draw from; None: all that the caption allows.

    References
    ----------
    Hsieh et al., SugarCrepe: fixing hackable benchmarks for vision-language compositionality. NeurIPS 2023,
    arXiv:2306.14610, section 3.

    Examples
    --------
    >>> exchange(k=1, kinds="phrase")(["People watch a man on a screen."], seed=1).text
    [['A man watches people on a screen.']]
    >>> exchange(k=1, kinds="number")(["two dogs and a cat"]).text
    [['a dog and two cats']]
    """

    name = "exchange"
    KINDS = ("attribute", "phrase", "number", "transfer")

    def __init__(self, *, k=1, kinds=None):
        super().__init__(k=k, kinds=kinds)
        self.slot()

    def slot(self):
        """Parameters of a slot, as the C core wants them."""
        return bits(self.parameters["kinds"], self.KINDS, "kinds"), 0
