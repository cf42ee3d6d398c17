"""What a training step reads of its negatives: captions, pictures, both in pairs, and what embeddings are made into."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from vlmneg import _core
from vlmneg.arrays import integer
from vlmneg.negatives.base import Negatives, distinct, type_of
from vlmneg.negatives.embed import Embed
from vlmneg.negatives.embed.base import WithMade
from vlmneg.negatives.image.base import ImageNegatives
from vlmneg.negatives.image.result import ImageResult

STREAM_PAIR = 69        # reserved in csrc/vn_registry.def


class pairs:
    """Edited pictures that bring their captions into training: slot k's caption is true of slot k's picture alone.

    A slot is valid where the picture was edited and what became of a caption is known; else neither is used.

    Parameters
    ----------
    images : ImageNegatives
        As from `vlmneg.negatives.image`.
    k : int, optional
        Pairs a picture, drawn from the slots of `images` that are valid. For many photographs it isn't clear what an
        edit makes of the caption, so that one pair of several edits is there more often than that of one edit. By
        default all slots.
    text : Negatives, optional
        What fills the caption slots of pairs that aren't valid; their pictures stay invalid.

    Examples
    --------
    >>> from vlmneg.negatives import image
    >>> pairs(image.exact(k=2)).k, pairs(image.recolour() + image.swap() + image.remove(), k=1).k
    (2, 1)
    """

    def __init__(self, images: ImageNegatives, *, k: int | None = None, text: Any = None) -> None:
        if not isinstance(images, ImageNegatives):
            raise TypeError(f"pairs are made of negatives of pictures, as image.recolour(), got {images!r:.80}")
        self.images, self.parts = images, images.parts
        self.k = images.k if k is None else integer(k, "k", 1, images.k + 1)
        if text is not None and not (isinstance(text, Negatives) and text.k >= self.k):
            raise TypeError(f"text must be negatives of captions with at least {self.k} slots, got {text!r:.80}")
        self.text = text

    def __repr__(self) -> str:
        drawn = "" if self.k == self.images.k else f", k={self.k}"
        return f"pairs({self.images!r}{drawn}{'' if self.text is None else f', text={self.text!r}'})"

    def annotated(self, annotations: Any) -> pairs:
        """The same, with these words of the captions; see `Negatives.annotated`.

        Parameters
        ----------
        annotations : Annotations

        Returns
        -------
        pairs
        """
        return self if self.text is None else pairs(self.images, k=self.k, text=self.text.annotated(annotations))

    @property
    def types(self) -> list[str]:
        """Names of the slots, before they are numbered."""
        if self.k < self.images.k:
            return ["pair"] * self.k
        return [type_of(p) for p in self.parts for _ in range(p.k)]

    def __call__(self, images: Any, seed: int, **options: Any) -> ImageResult:
        """What the edits give, only with the slots that were drawn, valid where there is a caption too.

        Parameters
        ----------
        images, seed, **options
            As `ImageNegatives` takes them; `visit` and `ids` for all pictures.

        Returns
        -------
        ImageResult

        Examples
        --------
        >>> import vlmneg as vn
        >>> from vlmneg.negatives import image
        >>> s = vn.data.scenes(1)[0]
        >>> pairs(image.exact(k=3), k=1)([s.image], 0, visit=[0], ids=[0], samples=[s]).caption
        [['a big gray house above a brown flag']]
        """
        made = self.images(images, seed, **options)
        valid = made.valid & np.array([[c is not None for c in row] for row in made.caption], np.uint8)
        rows = [int(v) << 32 | int(i) for v, i in zip(options["visit"], options["ids"], strict=True)]
        slots = np.arange(self.k)[None].repeat(len(rows), 0)
        if self.k < self.images.k:
            words = [[_core.philox(seed, row, k, STREAM_PAIR)[0] for k in range(self.images.k)] for row in rows]
            slots = np.lexsort((words, 1 - valid))[:, : self.k]

        def taken(values: list) -> list:
            return [[row[k] for k in chosen] for row, chosen in zip(values, slots.tolist(), strict=True)]
        fields = {f: taken(getattr(made, f)) for f in ("image", "kind", "reason", "region", "edits", "caption",
                                                       "source")}
        return dataclasses.replace(made, valid=np.take_along_axis(valid, slots, 1), **fields)


@dataclasses.dataclass(frozen=True, repr=False)
class Sides:
    """Negatives by what they are: each a sum of generators, or None."""

    text: Any = None
    pairs: Any = None
    images: ImageNegatives | None = None
    made: Embed | None = None

    def __repr__(self) -> str:
        parts = [self.pairs, self.text, self.images, self.made]
        return " + ".join(repr(p) for p in parts if p is not None)

    @property
    def captions(self) -> int:
        """Negative captions a picture."""
        return sum(p.k for p in (self.pairs, self.text) if p is not None)

    @property
    def pictures(self) -> int:
        """Negative pictures a picture."""
        return sum(p.k for p in (self.pairs, self.images) if p is not None)

    @property
    def types(self) -> tuple[str, ...]:
        """Names of the slots of negative captions, no two alike: first those of pairs."""
        names = list(self.pairs.types) if self.pairs is not None else []
        if self.text is not None:
            parts = getattr(self.text, "parts", None)
            names += ["slot"] * self.text.k if parts is None else [type_of(p) for p in parts for _ in range(p.k)]
        return distinct(names)

    def annotated(self, annotations: Any) -> Sides:
        """The same, with these words of the captions; see `Negatives.annotated`."""
        read = {n: getattr(self, n) for n in ("pairs", "text")}
        return dataclasses.replace(self, **{n: p and p.annotated(annotations) for n, p in read.items()})


def sides(negatives: Any) -> Sides:
    """Negatives of one or several kinds, sorted.

    Parameters
    ----------
    negatives : None, a generator, a sum of them, or a list of those
        Of captions, of pictures, of embeddings, `pairs`, or a callable with `k` that makes captions.

    Returns
    -------
    Sides

    Raises
    ------
    TypeError
        Something else.

    Examples
    --------
    >>> from vlmneg.negatives import image, text
    >>> found = sides([text.swap(k=2), pairs(image.exact())])
    >>> found.captions, found.pictures, found.types
    (3, 1, ('exact', 'swap', 'swap_2'))
    """
    if isinstance(negatives, Sides):
        return negatives
    found: dict[str, Any] = {}
    for part in negatives if isinstance(negatives, (list, tuple)) else [] if negatives is None else [negatives]:
        for name, value in _sorted(part):
            if name in found and not isinstance(found[name], Negatives | ImageNegatives | Embed):
                raise TypeError(f"{found[name]!r:.80} can't stand beside {value!r:.80}; give one of them")
            found[name] = found[name] + value if name in found else value
    return Sides(**found)


def _sorted(part: Any) -> list[tuple[str, Any]]:
    if isinstance(part, Sides):
        return [(f.name, getattr(part, f.name)) for f in dataclasses.fields(part) if getattr(part, f.name) is not None]
    if isinstance(part, WithMade):
        return [("text", part.captions), ("made", part.made)]
    for kind, name in ((pairs, "pairs"), (ImageNegatives, "images"), (Embed, "made")):
        if isinstance(part, kind):
            return [(name, part)]
    if callable(part) and hasattr(part, "k"):
        return [("text", part)]
    raise TypeError("negatives must be a callable with k, as vlmneg.negatives.text.swap(), or a list of such, "
                    f"got {type(part).__name__}")
