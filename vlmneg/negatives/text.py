"""Negatives made of words: `swap`, `replace`, and `exact`, which come with the data."""

import numpy as np

from vlmneg import _core
from vlmneg.negatives.base import Negatives
from vlmneg.negatives.rules import EMPTY, VALID, judge, key

STREAM_EXACT = 19  # reserved in csrc/vn_registry.def


def _bits(chosen, names, what):
    if chosen is None:
        return (1 << len(names)) - 1
    chosen = (chosen,) if isinstance(chosen, str) else chosen
    if not isinstance(chosen, (tuple, list)) or not chosen:
        raise TypeError(f"{what} must be None, a name or several of {', '.join(names)}, got {chosen!r}")
    for name in chosen:
        if name not in names:
            raise ValueError(f"{what} must be among {', '.join(names)}, got {name!r}")
    return sum(1 << i for i, name in enumerate(names) if name in chosen)


class swap(Negatives):
    """Two spans of one class exchange places: no word is lost or added.

    Classes are noun phrases of more than two words, verb phrases, singular nouns, plural nouns, adverbs and
    adjectives. Exchanges that would break a/an, number or verb form aren't made, nor those that change no meaning
    ("a cat and a dog").

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a caption.
    kinds : None, str or tuple of str
        Classes to use, of "phrase", "verb", "noun", "plural", "adverb", "adjective"; None: all.

    References
    ----------
    Yuksekgonul et al., When and why vision-language models behave like bags-of-words. ICLR 2023, arXiv:2210.01936.

    Examples
    --------
    >>> swap(k=1, kinds="adjective")(["A black dog sits next to a white cat."]).text
    [['A white dog sits next to a black cat.']]
    """

    name = "swap"
    CLASSES = ("phrase", "verb", "noun", "plural", "adverb", "adjective")

    def __init__(self, *, k=2, kinds=None):
        super().__init__(k=k, kinds=kinds)
        self.slot()

    def slot(self):
        """Parameters of a slot, as the C core wants them."""
        return _bits(self.parameters["kinds"], self.CLASSES, "kinds"), 0


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
        return _bits(self.parameters["concept"], self.CONCEPTS, "concept"), int(hardness == "any")


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
        rows = [self._row(request, i, taken[i] if taken else (), first) for i in range(len(request.captions))]
        text, kind, code = zip(*rows, strict=True)
        return list(text), list(kind), np.array(code, np.uint8)

    def _row(self, request, i, taken, first):
        kinds = self.parameters["kinds"]
        kinds = (kinds,) if isinstance(kinds, str) else kinds
        pool = [n for n in request.samples[i].negatives if kinds is None or n[0] in kinds]
        true, seen = set(map(key, (request.captions[i], *request.avoid[i]))), set(map(key, taken))
        text, kind, code = [""] * self.k, [""] * self.k, [EMPTY] * self.k
        for k in range(self.k):
            draw = (first + k) << 16
            while pool and code[k] != VALID:
                word = _core.philox(request.seed, int(request.rows[i]), draw, STREAM_EXACT)[0]
                draw += 1
                kind[k], text[k] = pool.pop(word * len(pool) >> 32)
                says = key(text[k])
                code[k] = judge(says, true, seen)
                seen.add(says)
        return text, kind, code
