"""Negatives of a batch: what was made, whether it is valid, what was edited where."""

import functools
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from vlmneg.negatives.rules import differences

UNKNOWN = 255   # places of a negative that wasn't made in the core: found by comparing


class Edit(NamedTuple):
    """What was changed, where: characters start to stop of the caption, `old`, are `new` in the negative.

    Parameters
    ----------
    start, stop : int
        Characters of the caption.
    old : str
        What stood there.
    new_start : int
        Where the new text begins in the negative.
    new : str
        What stands there now.
    """

    start: int
    stop: int
    old: str
    new_start: int
    new: str


@dataclass
class Result:
    """Negative captions of a batch.

    Parameters
    ----------
    text : list of N lists of K str
        A slot that isn't valid holds the caption itself.
    valid : ndarray of shape (N, K), uint8
        1 where the slot holds a negative.
    kind : list of N lists of K str
        The edit, such as "swap_noun"; the generator's name where nothing was made.
    reason : list of N lists of K str
        "" where valid, else the rule that failed last: EMPTY, SAME, REPEAT, SYMMETRIC, ABSENT, TOKENS, SYNONYM.
    captions : list of N str
        What the negatives were made from.
    places : ndarray of shape (N, K, 8, 4), int32, and counts of shape (N, K), uint8
        Edits in bytes, as the core reports them; `edits` reads them.
    """

    text: list
    valid: np.ndarray
    kind: list
    reason: list
    captions: list = field(repr=False)
    places: tuple = field(repr=False)

    def __len__(self):
        return len(self.text)

    def _repr_html_(self):
        """In a notebook: some captions with their negatives, what was changed marked."""
        from vlmneg.negatives.html import html_of

        return html_of(self)

    @functools.cached_property
    def edits(self):
        """N lists of K tuples of `Edit`, in the order of the caption; () for a slot that isn't valid."""
        return [[self._edits(i, k) if self.valid[i, k] else () for k in range(len(row))]
                for i, row in enumerate(self.text)]

    def _edits(self, i, k):
        old, new = self.captions[i], self.text[i][k]
        places, counts = self.places
        if counts[i, k] == UNKNOWN:
            spans = differences(old, new)
        else:
            spans = places[i, k, :counts[i, k]].tolist()
            if not (old.isascii() and new.isascii()):
                a, b = old.encode(), new.encode()
                spans = [(*(len(a[:x].decode()) for x in s[:2]), *(len(b[:x].decode()) for x in s[2:])) for s in spans]
        return tuple(Edit(a, b, old[a:b], c, new[c:d]) for a, b, c, d in spans)

    def __repr__(self):
        n, k = self.valid.shape
        lines = [f"{n} captions, {k} slots each, {int(self.valid.sum())} of {n * k} valid"]
        for i in range(min(n, 3)):
            lines.append(f"  {self.captions[i]}")
            lines += [f"    {kind}: {text if not reason else '(' + reason + ')'}"
                      for text, kind, reason in zip(self.text[i], self.kind[i], self.reason[i], strict=True)]
        return "\n".join(lines)
