"""What an objective remembers from step to step: adaptive margins by type of negative, and pos's margin of all pairs.

Nothing here is learned. A state moves once an optimiser step, on what the engine noted about the step's whole batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vlmneg.arrays import integer


@dataclass(frozen=True)
class Notes:
    """What one batch showed of a term with a margin, in the term's units; parts of a batch add up with ``+``.

    Parameters
    ----------
    count : ndarray of shape (K,)
        Samples whose slot k is valid.
    gap, top : ndarray of shape (K,)
        Sum and largest of what the true logit is above the negative's, over them; top is -inf where there are none.
    logit, nonzero : ndarray of shape (K,)
        Sum of the negatives' logits over them, and how many are not exactly 0.
    true : float
        Sum of the true logits over all samples.
    rows : int
        Samples.

    Examples
    --------
    >>> half = Notes(np.array([1]), np.array([2.0]), np.array([2.0]), np.array([5.0]), np.array([1]), 7.0, 1)
    >>> (half + half).gap
    array([4.])
    """

    count: np.ndarray
    gap: np.ndarray
    top: np.ndarray
    logit: np.ndarray
    nonzero: np.ndarray
    true: float
    rows: int

    def __add__(self, other: Notes) -> Notes:
        return Notes(self.count + other.count, self.gap + other.gap, np.maximum(self.top, other.top),
                     self.logit + other.logit, self.nonzero + other.nonzero, self.true + other.true,
                     self.rows + other.rows)

    def scaled(self, scale: float) -> Notes:
        """The notes of logits, where these are of cosines.

        Parameters
        ----------
        scale : float

        Returns
        -------
        Notes
        """
        return Notes(self.count, self.gap * scale, self.top * scale, self.logit * scale, self.nonzero,
                     self.true * scale, self.rows)


def slot_names(types: Sequence[str] | None, slots: int) -> list[str]:
    """Names of the slots; those that have none are called by their number.

    Parameters
    ----------
    types : sequence of str or None
    slots : int

    Returns
    -------
    list of str

    Examples
    --------
    >>> slot_names(["noun"], 3)
    ['noun', '1', '2']
    """
    types = list(types or ())
    return [types[k] if k < len(types) else str(k) for k in range(slots)]


@dataclass
class Margins:
    """Margins of a `rank` term, one a type of negative; slots of one type share theirs.

    Parameters
    ----------
    kind : {"mean", "max", "fixed"}
        What a margin follows: the mean gap of its type, a fifth of the largest, or nothing.
    rule : {"paired", "released", "released_keep"}
        How gaps are counted: pair by pair over valid slots, or as CE-CLIP's and AHNPL's code does. There, a type
        without a valid slot gets the mean true logit (AHNPL) or keeps its margin (released_keep, CE-CLIP).
    beta : float in [0, 1)
        Share of the old margin in the new one.
    upper : float
        Largest margin; the smallest is 0.
    fixed : float
        The margin of kind "fixed", which is not cut.
    units : {"logit", "cosine"}
        What a margin is counted in.
    resets : {"never", "epoch"}
        When margins go back to 0.
    theta : dict of float32 by type name
        The margins so far. A type that is not known yet starts at 0.
    step : int
        Updates so far.

    Notes
    -----
    ``theta <- clip(beta theta + (1 - beta) gap, 0, upper)``; a type without a valid slot keeps its margin, so that
    no update gives NaN. The new margin is used from the next step on.

    References
    ----------
    arXiv:2306.08832 (CE-CLIP), section 3.3; arXiv:2505.15576 (AHNPL).

    Examples
    --------
    >>> margins = Margins(upper=10.0)
    >>> notes = Notes(np.array([2, 0]), np.array([5.0, 0.0]), np.array([3.0, -np.inf]), np.array([41.0, 0.0]),
    ...               np.array([2, 0]), 46.0, 2)
    >>> margins.update(notes, ["noun", "verb"])
    >>> margins.vector(["verb", "noun"], 2)
    array([0. , 2.5], dtype=float32)
    """

    kind: str = "mean"
    rule: str = "paired"
    beta: float = 0.0
    upper: float = 10.0
    fixed: float = 8.0
    units: str = "logit"
    resets: str = "never"
    theta: dict[str, np.float32] = field(default_factory=dict)
    step: int = 0

    def vector(self, types: Sequence[str] | None, slots: int) -> np.ndarray:
        """The margins of a batch's slots.

        Parameters
        ----------
        types : sequence of str or None
            Names of the slots, in order.
        slots : int
            K.

        Returns
        -------
        ndarray of shape (K,), float32
        """
        if self.kind == "fixed":
            return np.full(slots, self.fixed, np.float32)
        return np.array([self.theta.get(name, 0.0) for name in slot_names(types, slots)], np.float32)

    def update(self, notes: Notes, types: Sequence[str] | None = None) -> None:
        """Move the margins by a step.

        Parameters
        ----------
        notes : Notes
            Of the whole batch of the step.
        types : sequence of str or None
            Names of the slots, in order.
        """
        self.step += 1
        names = slot_names(types, len(notes.count))
        for name in dict.fromkeys(names) if self.kind != "fixed" else ():
            old = float(self.theta.get(name, 0.0))
            gap = self._gap(notes, [k for k, other in enumerate(names) if other == name])
            new = old if gap is None else float(np.clip(self.beta * old + (1 - self.beta) * gap, 0.0, self.upper))
            self.theta[name] = np.float32(new)

    def _gap(self, notes: Notes, slots: list[int]) -> float | None:
        """What the batch says about one type; None: nothing."""
        count, top = int(notes.count[slots].sum()), float(notes.top[slots].max())
        if notes.rows == 0 or (count == 0 and self.rule == "paired"):
            return None
        if self.kind == "max":  # a released maximum takes a missing slot for a gap of 0
            return max(top, 0.0 if count < notes.rows * len(slots) else top) / 5
        if self.rule == "paired":
            return float(notes.gap[slots].sum()) / count
        nonzero, true = int(notes.nonzero[slots].sum()), float(notes.true) / notes.rows
        if nonzero == 0:
            return true if self.rule == "released" else None
        return true - float(notes.logit[slots].sum()) / nonzero

    def reset(self, when: str) -> None:
        """Go back to 0 if that is what the method does then.

        Parameters
        ----------
        when : str
            "epoch": an epoch begins.
        """
        if when == self.resets:
            self.theta = {}

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON; `from_dict` gives back the same bits.

        Returns
        -------
        dict
        """
        return {"kind": self.kind, "rule": self.rule, "beta": self.beta, "upper": self.upper, "fixed": self.fixed,
                "units": self.units, "reset": self.resets, "step": self.step, "types": list(self.theta),
                "theta": [float(x) for x in self.theta.values()]}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Margins:
        """What `to_dict` wrote.

        Parameters
        ----------
        saved : mapping

        Returns
        -------
        Margins
        """
        theta = {name: np.float32(x) for name, x in zip(saved["types"], saved["theta"], strict=True)}
        return cls(saved["kind"], saved["rule"], saved["beta"], saved["upper"], saved["fixed"], saved["units"],
                   saved["reset"], theta, saved["step"])

    def loaded(self, saved: Mapping[str, Any]) -> Margins:
        """What `to_dict` wrote of margins with the same settings.

        Parameters
        ----------
        saved : mapping

        Returns
        -------
        Margins

        Raises
        ------
        ValueError
            For other settings, and for numbers that no margin can be.
        """
        own, new = self.to_dict(), self.from_dict(saved)
        for key in sorted(own.keys() - {"step", "types", "theta"}):
            if saved[key] != own[key]:
                raise ValueError(f"its {key} is {own[key]!r}, that of the state {saved[key]!r}")
        if not all(isinstance(name, str) and np.isfinite(x) for name, x in new.theta.items()):
            raise ValueError(f"margins are finite numbers by name, got {saved['theta']!r:.80}")
        integer(new.step, "step", 0, 2**63)
        return new


@dataclass
class Level:
    """The margin of a `pos` term that follows the batch: the mean true logit of the step before.

    Parameters
    ----------
    alpha : float32 or None
        None before the first step, when the term is 0.
    step : int
        Updates so far.

    Notes
    -----
    A learned alpha would only ever fall: its derivative is the share of pairs below it.

    References
    ----------
    arXiv:2505.15576 (AHNPL).

    Examples
    --------
    >>> level = Level()
    >>> none = np.zeros(0)
    >>> level.update(Notes(none, none, none, none, none, 46.0, 2))
    >>> level.vector(None, 1)
    array([23.], dtype=float32)
    """

    alpha: np.float32 | None = None
    step: int = 0

    def vector(self, types: Sequence[str] | None, slots: int) -> np.ndarray:
        """The margin as `Margins.vector` gives it; before the first step one below every logit.

        Parameters
        ----------
        types : sequence of str or None
            Not read.
        slots : int

        Returns
        -------
        ndarray of shape (K,), float32
        """
        return np.full(slots, np.finfo(np.float32).min if self.alpha is None else self.alpha, np.float32)

    def update(self, notes: Notes, types: Sequence[str] | None = None) -> None:
        """Move by a step; a batch without samples says nothing.

        Parameters
        ----------
        notes : Notes
        types : sequence of str or None
            Not read.
        """
        self.step += 1
        if notes.rows:
            self.alpha = np.float32(notes.true / notes.rows)

    def reset(self, when: str) -> None:
        """Nothing: no epoch changes it.

        Parameters
        ----------
        when : str
        """

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON.

        Returns
        -------
        dict
        """
        return {"alpha": None if self.alpha is None else float(self.alpha), "step": self.step}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Level:
        """What `to_dict` wrote.

        Parameters
        ----------
        saved : mapping

        Returns
        -------
        Level
        """
        return cls(None if saved["alpha"] is None else np.float32(saved["alpha"]), saved["step"])

    def loaded(self, saved: Mapping[str, Any]) -> Level:
        """What `to_dict` wrote.

        Parameters
        ----------
        saved : mapping

        Returns
        -------
        Level

        Raises
        ------
        ValueError
            For numbers that no margin can be.
        """
        new = self.from_dict(saved)
        if new.alpha is not None and not np.isfinite(new.alpha):
            raise ValueError(f"alpha must be finite, got {saved['alpha']!r}")
        integer(new.step, "step", 0, 2**63)
        return new


def state_of(name: str, params: Mapping[str, Any]) -> Margins | Level | None:
    """A fresh state for a term, None for one that has none.

    Parameters
    ----------
    name : str
        The term.
    params : mapping
        Its parameters.

    Returns
    -------
    Margins, Level or None

    Examples
    --------
    >>> state_of("own", {}) is None
    True
    """
    if name == "rank":
        return Margins(params["margin"], params["rule"], params["beta"], params["bound"], params["fixed"],
                       params["units"], params["reset"])
    return Level() if name == "pos" and params["margin"] == "batch_mean" else None
