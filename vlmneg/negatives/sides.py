"""What a training step reads of its negatives: captions, pictures, both in pairs, and what embeddings are made into."""

from __future__ import annotations

import dataclasses
from typing import Any

from vlmneg.negatives.base import Negatives, distinct, type_of
from vlmneg.negatives.embed import Embed
from vlmneg.negatives.embed.base import WithMade
from vlmneg.negatives.image.base import ImageNegatives


class pairs:
    """Edited pictures that bring their captions into training: slot k's caption is true of slot k's picture alone.

    A slot is valid where the picture was edited and what became of a caption is known; else neither is used.

    Parameters
    ----------
    images : ImageNegatives
        As from `vlmneg.negatives.image`.

    Examples
    --------
    >>> from vlmneg.negatives import image
    >>> pairs(image.exact(k=2)).k
    2
    """

    def __init__(self, images: ImageNegatives) -> None:
        if not isinstance(images, ImageNegatives):
            raise TypeError(f"pairs are made of negatives of pictures, as image.recolour(), got {images!r:.80}")
        self.images, self.k = images, images.k

    def __repr__(self) -> str:
        return f"pairs({self.images!r})"


@dataclasses.dataclass(frozen=True, repr=False)
class Sides:
    """Negatives by what they are: each a sum of generators, or None."""

    text: Any = None
    pairs: ImageNegatives | None = None
    images: ImageNegatives | None = None
    made: Embed | None = None

    def __repr__(self) -> str:
        parts = [self.pairs and pairs(self.pairs), self.text, self.images, self.made]
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
        names = [type_of(p) for p in self.pairs.parts for _ in range(p.k)] if self.pairs else []
        if self.text is not None:
            names += getattr(self.text, "types", None) or ["slot"] * self.text.k
        return distinct(names)

    def annotated(self, annotations: Any) -> Sides:
        """The same, with these words of the captions; see `Negatives.annotated`."""
        return self if self.text is None else dataclasses.replace(self, text=self.text.annotated(annotations))


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
            if name in found and not (isinstance(found[name], Negatives | ImageNegatives | Embed)
                                      and hasattr(value, "parts")):
                raise TypeError(f"only generators of this package can be added, got {value!r:.80}")
            found[name] = found[name] + value if name in found else value
    return Sides(**found)


def _sorted(part: Any) -> list[tuple[str, Any]]:
    if isinstance(part, Sides):
        return [(f.name, getattr(part, f.name)) for f in dataclasses.fields(part) if getattr(part, f.name) is not None]
    if isinstance(part, WithMade):
        return [("text", part.captions), ("made", part.made)]
    for kind, name in ((pairs, "pairs"), (ImageNegatives, "images"), (Embed, "made")):
        if isinstance(part, kind):
            return [(name, part.images if isinstance(part, pairs) else part)]
    if callable(part) and hasattr(part, "k"):
        return [("text", part)]
    raise TypeError("negatives must be a callable with k, as vlmneg.negatives.text.swap(), or a list of such, "
                    f"got {type(part).__name__}")
