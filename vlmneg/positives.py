"""Further true captions of each picture: others of its own, and the same said otherwise."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import _core
from .arrays import integer
from .negatives.embed import Embed
from .negatives.image import ImageNegatives
from .negatives.rules import key

POSITIVE = 7            # VN_STREAM_POSITIVE of vn_philox.h
MOST = 64               # captions a picture


@dataclasses.dataclass(frozen=True)
class Positives:
    """What a training step reads as further true captions of a picture; see `positives`.

    Attributes
    ----------
    captions : int
        So many of the picture's other captions, or all where it has fewer.
    made : Negatives or None
        What says the caption otherwise, as `vlmneg.negatives.text.positive`.
    """

    captions: int = 0
    made: Any = None

    @property
    def k(self) -> int:
        """At most so many a picture."""
        return self.captions + (self.made.k if self.made is not None else 0)

    def __call__(self, captions: Sequence[str], true: Sequence[Sequence[str]], *, seed: int, visits: Sequence[int],
                 ids: Sequence[int]) -> list[list[str]]:
        """Positives of a batch; those of a sample depend on (seed, visit, id), its captions and nothing else.

        Parameters
        ----------
        captions : list of B str
            What the batch says of the pictures.
        true : list of B lists of str
            All captions of each picture.
        seed : int in [0, 2**64)
        visits, ids : sequence of B int in [0, 2**32)

        Returns
        -------
        list of B lists of str
            No two of a row say the same, nor what its caption says.

        Examples
        --------
        >>> own = ["a dog", "A dog!", "one brown dog", "a dog on grass"]
        >>> Positives(captions=3)(["a dog"], [own], seed=0, visits=[0], ids=[0])
        [['one brown dog', 'a dog on grass']]
        """
        said: list[list[str]] = [[] for _ in captions]
        if self.made is not None:
            result = self.made(list(captions), seed=seed, visit=np.asarray(visits), ids=np.asarray(ids))
            said = [[t for t, v in zip(row, valid, strict=True) if v]
                    for row, valid in zip(result.text, result.valid.tolist(), strict=True)]
        found = []
        for caption, own, more, visit, i in zip(captions, true, said, visits, ids, strict=True):
            seen = {key(caption)}
            others = [c for c in own if not (key(c) in seen or seen.add(key(c)))]   # type: ignore[func-returns-value]
            chosen = []
            for draw in range(min(self.captions, len(others))):
                word = _core.philox(seed, int(visit) << 32 | int(i), draw, POSITIVE)[0]
                chosen.append(others.pop(word * len(others) >> 32))
            seen = {key(caption), *map(key, chosen)}
            found.append(chosen + [c for c in more if not (key(c) in seen or seen.add(key(c)))])  # type: ignore[func-returns-value]
        return found


def positives(wanted: Any) -> Positives | None:
    """Positives of a number of other captions, of what says captions otherwise, or of a list of both.

    Parameters
    ----------
    wanted : None, int, Negatives, Positives, or a list of those

    Returns
    -------
    Positives or None
        None where nothing is wanted.

    Raises
    ------
    TypeError, ValueError
        Something else, or a number out of range.

    Examples
    --------
    >>> from vlmneg.negatives import text
    >>> positives([4, text.positive(k=2)]).k
    6
    """
    captions, made = 0, None
    for part in wanted if isinstance(wanted, (list, tuple)) else [wanted]:
        if isinstance(part, Positives):
            captions, part = captions + part.captions, part.made
        if isinstance(part, int) and not isinstance(part, bool):
            captions += integer(part, "positives", 0, MOST + 1)
        elif callable(part) and hasattr(part, "k") and not isinstance(part, (ImageNegatives, Embed)):
            made = part if made is None else made + part
        elif part is not None:
            raise TypeError("positives must be a number of captions, vlmneg.negatives.text.positive(), or a list of "
                            f"both, got {type(part).__name__}")
    return Positives(captions, made) if captions or made is not None else None
