"""Negatives that come with the data."""

from vlmneg.negatives.base import Negatives
from vlmneg.negatives.text.pool import draw_from

STREAM_EXACT = 19  # reserved in csrc/vn_registry.def


class exact(Negatives):
    """Negatives that come with the data: k of a sample's, drawn without replacement, others at each visit.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a caption; where a sample has fewer, the remaining slots aren't valid.
    kinds : None, str or tuple of str
        Kinds of edit to draw from; None: all.

    Examples
    --------
    >>> from types import SimpleNamespace as Sample
    >>> s = Sample(captions=("a red cube",), negatives=(("color", "a blue cube"), ("shape", "a red ball")))
    >>> exact(k=1, kinds="shape")(["a red cube"], samples=[s]).text
    [['a red ball']]
    """

    name = "exact"

    def __init__(self, *, k=3, kinds=None):
        super().__init__(k=k, kinds=kinds)
        if kinds is not None and not isinstance(kinds, (str, tuple, list)):
            raise TypeError(f"kinds must be None, a name or several, got {type(kinds).__name__}")

    def draw(self, request, taken, first):
        """This part's slots.

        Parameters
        ----------
        request : Request
            Captions, what is true of their images, random rows.
        taken : list of N lists of str
            Each row's negatives so far.
        first : int
            This part's first slot.

        Returns
        -------
        text, kind : list of N lists of k str
        code : ndarray of shape (N, k), uint8
        """
        if request.samples is None:
            raise ValueError("exact takes its negatives from samples; give samples=, one a caption")
        kinds = self.parameters["kinds"]
        kinds = (kinds,) if isinstance(kinds, str) else kinds
        pools = [[n for n in s.negatives if kinds is None or n[0] in kinds] for s in request.samples]
        return draw_from(pools, self.k, request, taken, first, STREAM_EXACT)
