"""The terms of the C core: their parameters with ranges, and a term with its weight."""

from __future__ import annotations

import difflib
import functools
import typing
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vlmneg import _core


@dataclass(frozen=True)
class Parameter:
    """A parameter of a term.

    Attributes
    ----------
    name : str
    choices : tuple of str or None
        The values that it takes; None: a number.
    start : float or str
        Its value unless one is given.
    low, high : float
        Its range.
    doc : str
        What it does.
    """

    name: str
    choices: tuple[str, ...] | None
    start: float | str
    low: float
    high: float
    doc: str

    def check(self, value: Any, term: str) -> float | str:
        """Refuse what is out of range.

        Parameters
        ----------
        value : float or str
        term : str
            Whose parameter it is, for the message.

        Returns
        -------
        float or str
            The value.
        """
        if self.choices is not None:
            if isinstance(value, str) and value in self.choices:
                return typing.cast(str, value)
            raise ValueError(f"{self.name} of {term} must be one of {', '.join(map(repr, self.choices))}, "
                             f"got {value!r}{nearest(value, self.choices)}")
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise TypeError(f"{self.name} of {term} must be a number in {self.range}, got {value!r}")
        if not self.low <= value <= self.high:
            raise ValueError(f"{self.name} of {term} must be in {self.range}, got {value!r}")
        return float(value)

    def number(self, value: float | str) -> float:
        """The value as the core takes it.

        Parameters
        ----------
        value : float or str

        Returns
        -------
        float
        """
        return float(self.choices.index(typing.cast(str, value))) if self.choices is not None else float(value)

    @property
    def range(self) -> str:
        """The admitted values, for people."""
        return f"[{self.low:g}, {self.high:g}]" if self.choices is None else "{" + ", ".join(self.choices) + "}"


SETS = ("image", "text", "neg_text", "neg_image", "pos_text", "pos_image", "teacher_image", "teacher_text", "score")


@dataclass(frozen=True)
class Kind:
    """A term of the core: what it is, its parameters and readings, what it remembers, whether it has the bias."""

    doc: str
    params: tuple[Parameter, ...]
    reads: tuple[tuple[int, ...], ...]
    memory: str                             # "", "margins" or "last_pair"
    biased: bool


def _read_terms() -> dict[str, Kind]:
    terms = {}
    for name, doc, params, reads, memory, biased in _core.loss_terms():
        read = []
        for key, choices, start, low, high, text in params:
            names = tuple(choices.split("|")) if choices else None
            read.append(Parameter(key, names, names[int(start)] if names else start, low, high, text))
        terms[name] = Kind(doc, tuple(read), tuple(reads), ("", "margins", "last_pair")[memory], bool(biased))
    return terms


TERMS = _read_terms()


def nearest(word: Any, known: Sequence[str]) -> str:
    """The end of an error message: which known word may have been meant, if any."""
    near = difflib.get_close_matches(str(word), known, 1, 0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


@dataclass(frozen=True)
class Term:
    """One summand of an objective.

    Parameters
    ----------
    name : str
        A term of the core; see `names`.
    weight : float in [0, 1e6], default 1
    params : mapping, default all start values
        Values by parameter name; missing ones start as the term says.

    Raises
    ------
    ValueError, TypeError
        For an unknown name or parameter, with the nearest one; for a value outside its range.

    Examples
    --------
    >>> Term("itc", 0.5, {"negatives": "own"}).params["duplicates"]
    'mask'
    """

    name: str
    weight: float = 1.0
    params: Mapping[str, float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in TERMS:
            raise ValueError(f"there is no term {self.name!r}{nearest(self.name, list(TERMS))} "
                             f"(terms: {', '.join(sorted(TERMS))})")
        known = {p.name: p for p in TERMS[self.name].params}
        for key in self.params:
            if key not in known:
                raise ValueError(f"{self.name} has no parameter {key!r}{nearest(key, list(known))} "
                                 f"(it has {', '.join(f'{p.name} in {p.range}' for p in known.values())})")
        object.__setattr__(self, "weight", check_weight(self.weight))
        object.__setattr__(self, "params", {key: p.check(self.params.get(key, p.start), self.name)
                                            for key, p in known.items()})
        if self.name == "intra" and self.params["positive"] == "cross" and self.params["scale"] == 0:
            warn_of_cross()

    def __repr__(self) -> str:
        changed = [p for p in TERMS[self.name].params if self.params[p.name] != p.start]
        text = f"{self.name}({', '.join(f'{p.name}={self.params[p.name]!r}' for p in changed)})"
        if self.weight == 1:
            return text
        short = f"{self.weight:g}"
        return f"{short if float(short) == self.weight else repr(self.weight)} * {text}"

    def use(self) -> tuple[int, float, tuple[float, ...]]:
        """What the core takes: place, weight, numbers of the parameters."""
        return (list(TERMS).index(self.name), self.weight,
                tuple(p.number(self.params[p.name]) for p in TERMS[self.name].params))

    def reads(self) -> set[tuple[str, str]]:
        """The pairs of sets whose cosines the term reads, by the names of `SETS`.

        Examples
        --------
        >>> sorted(Term("own", 1.0, {"anchor": "text"}).reads())
        [('image', 'text'), ('text', 'neg_image')]
        """
        values = self.use()[2]
        return {(SETS[rows], SETS[cols]) for rows, cols, *conditions in TERMS[self.name].reads
                if all(param < 0 or values[param] == value
                       for param, value in zip(conditions[::2], conditions[1::2], strict=True))}


@functools.cache  # once a process
def warn_of_cross() -> None:
    """Say what a softmax over two kinds of cosines does."""
    warnings.warn("intra(positive='cross') sets cosines of images with captions, which most models keep small, against "
                  "cosines inside a modality, near 1, at one scale: a pull that never ends. positive='self' ends when "
                  "negatives are apart; or give scale=", stacklevel=6)


def check_weight(weight: Any) -> float:
    """A term's weight, or an error."""
    if isinstance(weight, bool) or not isinstance(weight, (int, float, np.integer, np.floating)):
        raise TypeError(f"a weight must be a number in [0, 1e6], got {weight!r}")
    if not 0 <= weight <= 1e6:
        raise ValueError(f"a weight must be in [0, 1e6], got {weight!r}")
    return float(weight)
