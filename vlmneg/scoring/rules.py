"""What counts as right: from scores to the credit of each example, under every rule for ties."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

TIES = ("strict", "half", "lenient", "first")

Floats = NDArray[np.float64]
Row = dict[str, Any]


@dataclass(frozen=True)
class Credit:
    """What each of N examples earns under every rule for ties.

    Attributes
    ----------
    strict, half, lenient : ndarray of shape (N,), float64
        A tie is wrong; worth its expected value when equal scores are put into random order; right.
    first : ndarray of shape (N,), float64, or None
        A tie goes to the lower index, as with argmax. None where the order of the options is not known.
    ties : ndarray of shape (N,), int64
        Wrong options that share the first place with the right one.
    """

    strict: Floats
    half: Floats
    lenient: Floats
    first: Floats | None
    ties: NDArray[np.int64]

    def under(self, ties: str) -> Floats:
        """The credit under one rule.

        Parameters
        ----------
        ties : {"strict", "half", "lenient", "first"}

        Returns
        -------
        ndarray of float64
        """
        values = getattr(self, check_ties(ties))
        if values is None:
            raise ValueError("ties='first' needs the order of the options, which ranks do not keep; "
                             "use 'strict', 'half' or 'lenient'")
        return values


def check_ties(ties: str) -> str:
    """The name of a rule for ties, or a ValueError that lists them."""
    if ties not in TIES:
        raise ValueError(f"ties must be one of {', '.join(TIES)}, got {ties!r}")
    return ties


def _scores(scores: ArrayLike, shape: str) -> Floats:
    """float64 keeps every comparison of float32 scores as it is."""
    try:
        s = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"scores must be an array of numbers of shape {shape}: {error}") from None
    if s.size == 0:
        raise ValueError(f"scores must be an array of shape {shape} with at least one row, got shape {s.shape}")
    if np.isnan(s).any():
        raise ValueError(f"{int(np.isnan(s).sum())} of the scores are NaN; NaN compares with nothing, find its cause")
    return s


def caption_choice(scores: ArrayLike) -> Credit:
    """One picture, one true caption and K false ones: right when the true one scores highest.

    Parameters
    ----------
    scores : array of shape (N, 1 + K)
        The true option's score first. Rows with fewer false options are filled up with -inf. No NaN.

    Returns
    -------
    Credit
        Of N examples.

    Raises
    ------
    ValueError
        When the shape is wrong or a score is NaN.

    Examples
    --------
    >>> from vlmneg import scoring
    >>> credit = scoring.caption_choice([[0.3, 0.2], [0.1, 0.2], [0.2, 0.2]])
    >>> credit.strict.tolist(), credit.half.tolist(), credit.lenient.tolist()
    ([1.0, 0.0, 0.0], [1.0, 0.0, 0.5], [1.0, 0.0, 1.0])
    """
    s = _scores(scores, "(N, 1 + K)")
    if s.ndim != 2 or s.shape[1] < 2:
        raise ValueError(f"scores must have shape (N, 1 + K) with at least one false option, got {s.shape}")
    if (s[:, 0] == -np.inf).any():
        raise ValueError("the true option, scores[:, 0], must be finite; -inf only fills up rows of false options")
    top = s[:, 0] >= s[:, 1:].max(1)
    ties = np.where(top, (s[:, 1:] == s[:, :1]).sum(1), 0)
    return from_ties(top & (ties == 0), ties)


def from_ties(strict: ArrayLike, ties: ArrayLike) -> Credit:
    """A choice's credit from what a row of the table keeps."""
    right, n = np.asarray(strict, np.float64), np.asarray(ties, np.int64)
    lenient = np.maximum(right, n > 0)
    return Credit(right, np.where(n > 0, 1.0 / (1 + n), right), lenient, lenient, n)


def image_choice(scores: ArrayLike) -> Credit:
    """One caption, one true picture and M false ones: right when the true one scores highest.

    Parameters
    ----------
    scores : array of shape (N, 1 + M)
        The true picture's score first.

    Returns
    -------
    Credit
        Of N examples.

    Raises
    ------
    ValueError
        As for `caption_choice`, whose rule this is with pictures in the captions' place.

    Examples
    --------
    >>> from vlmneg import scoring
    >>> scoring.image_choice([[0.3, 0.2, 0.1]]).strict.tolist()
    [1.0]
    """
    return caption_choice(scores)


def two_by_two(scores: ArrayLike) -> dict[str, Credit]:
    """Two pictures and two captions that belong together one by one, as in Winoground and BiVLC.

    Parameters
    ----------
    scores : array of shape (N, 2, 2) or (N, 4)
        ``scores[n, i, j]`` of picture i with caption j; flat rows are s00, s01, s10, s11.

    Returns
    -------
    dict of str to Credit
        ``"text"``: each picture prefers its own caption. ``"image"``: each caption prefers its own picture.
        ``"group"``: both. With random scores 1/4, 1/4 and 1/6.

    Raises
    ------
    ValueError
        When the shape is wrong or a score is NaN.

    Examples
    --------
    >>> from vlmneg import scoring
    >>> credit = scoring.two_by_two([[[0.9, 0.1], [0.95, 0.96]]])
    >>> {name: c.strict.tolist() for name, c in credit.items()}
    {'text': [1.0], 'image': [0.0], 'group': [0.0]}
    >>> equal = scoring.two_by_two([[0.5, 0.5, 0.5, 0.5]])
    >>> [round(float(c.half[0]), 4) for c in equal.values()]
    [0.25, 0.25, 0.1667]
    """
    s = _scores(scores, "(N, 2, 2)")
    if s.ndim < 2 or s.shape[1:] not in ((2, 2), (4,)):
        raise ValueError(f"scores must have shape (N, 2, 2) or (N, 4), got {s.shape}")
    s = s.reshape(-1, 4)

    def wins(above: Any) -> dict[str, NDArray[np.bool_]]:
        """By a relation above(a, b) of two of the four scores."""
        text, image = above(0, 1) & above(3, 2), above(0, 2) & above(3, 1)
        return {"text": text, "image": image, "group": text & image}

    strict = wins(lambda a, b: s[:, a] > s[:, b])
    lenient = wins(lambda a, b: s[:, a] >= s[:, b])
    first = wins(lambda a, b: (s[:, a] > s[:, b]) | ((s[:, a] == s[:, b]) & (a < b)))
    orders = list(itertools.permutations(range(4)))  # every way to put equal scores into order
    half = {name: np.zeros(len(s)) for name in strict}
    for order in orders:
        drawn = wins(lambda a, b, o=order: (s[:, a] > s[:, b]) | ((s[:, a] == s[:, b]) & (o[a] > o[b])))
        for name in half:
            half[name] += drawn[name]
    return {name: Credit(strict[name].astype(float), half[name] / len(orders), lenient[name].astype(float),
                         first[name].astype(float), (lenient[name] & ~strict[name]).astype(np.int64))
            for name in strict}


def ranks(scores: ArrayLike, positives: Sequence[Iterable[int]]) -> tuple[NDArray[np.int64], ...]:
    """The counters behind recall, from a matrix of scores small enough to be at hand.

    Parameters
    ----------
    scores : array of shape (N, M)
        Of N queries with M candidates.
    positives : sequence of N iterables of int
        The candidates that answer each query, at least one, each in [0, M).

    Returns
    -------
    better, equal, tied : three ndarrays of shape (N,), int64
        Candidates that are no answer and score above the query's best answer; those that score the same; answers that
        share that best score.

    Raises
    ------
    ValueError
        When shapes disagree, a score is NaN, or a query has no answer or one out of range.

    Examples
    --------
    >>> from vlmneg import scoring
    >>> better, equal, tied = scoring.ranks([[0.1, 0.9, 0.5], [0.5, 0.5, 0.2]], [[2], [0]])
    >>> better.tolist(), equal.tolist()
    ([1, 0], [0, 1])
    >>> scoring.recall(better, equal, k=1).strict.tolist()
    [0.0, 0.0]
    """
    s = _scores(scores, "(N, M)")
    if s.ndim != 2 or len(positives) != len(s):
        raise ValueError(f"scores must have shape (N, M) with N = {len(positives)} as in positives, got {s.shape}")
    counts = np.zeros((3, len(s)), np.int64)
    for n, answers in enumerate(positives):
        own = np.unique(np.fromiter(answers, np.int64))
        if not len(own) or own[0] < 0 or own[-1] >= s.shape[1]:
            raise ValueError(f"positives[{n}] must name at least one candidate in [0, {s.shape[1]})")
        best = s[n, own].max()
        tied = (s[n, own] == best).sum()
        counts[:, n] = (s[n] > best).sum(), (s[n] == best).sum() - tied, tied
    return counts[0], counts[1], counts[2]


def recall(better: ArrayLike, equal: ArrayLike, tied: ArrayLike | None = None, *, k: int = 1) -> Credit:
    """Recall at k: an answer stands among the first k candidates.

    Parameters
    ----------
    better, equal : array of shape (N,), int
        Wrong candidates that score above the query's best answer, and the same as it.
    tied : array of shape (N,), int, optional
        Answers that share the best answer's score; 1 unless given.
    k : int
        At least 1.

    Returns
    -------
    Credit
        Of N queries. Under ``half``, the share of the orders of equal scores that put an answer among the first k.

    Raises
    ------
    ValueError
        When the counters disagree in shape or are out of range.

    Examples
    --------
    >>> from vlmneg import scoring
    >>> credit = scoring.recall([0, 0, 4], [0, 3, 1], k=1)
    >>> credit.strict.tolist(), credit.half.tolist(), credit.lenient.tolist()
    ([1.0, 0.0, 0.0], [1.0, 0.25, 0.0], [1.0, 1.0, 0.0])
    """
    b, e = np.asarray(better, np.int64), np.asarray(equal, np.int64)
    p = np.ones_like(b) if tied is None else np.asarray(tied, np.int64)
    if not b.shape == e.shape == p.shape or b.ndim != 1:
        raise ValueError(f"better, equal and tied must have one shape (N,), got {b.shape}, {e.shape} and {p.shape}")
    if (b < 0).any() or (e < 0).any() or (p < 1).any() or k < 1:
        raise ValueError("better and equal must be at least 0, tied and k at least 1")
    places = k - b  # left for the tied group of e wrong ones and p answers
    miss = np.ones(len(b))  # C(e, places) / C(e + p, places), factor by factor
    for t in range(1, int(p.max(initial=0)) + 1):
        miss *= np.where(t <= p, (e - places + t) / (e + t), 1.0)
    half = np.where(places <= 0, 0.0, np.where(places > e, 1.0, 1.0 - miss))
    strict, lenient = (b + e < k).astype(float), (b < k).astype(float)
    return Credit(strict, half, lenient, None, np.where(lenient > strict, e, 0))


def recalls(rows: Iterable[Mapping[str, Any]], ks: Sequence[int] = (1, 5, 10)) -> list[Row]:
    """Rows for `summarise` from a retrieval table: every query once for each k, in sub-tasks like ``i2t_r5``.

    Parameters
    ----------
    rows : iterable of dict
        With ``subset``, ``rank`` (1 + better + equal), ``ties`` (equal), ``tied`` (1 unless given) and ``image``.
    ks : sequence of int

    Returns
    -------
    list of dict

    Raises
    ------
    ValueError
        When there are no rows, or a row lacks a key.

    Examples
    --------
    >>> from vlmneg import scoring
    >>> rows = [{"subset": "i2t", "image": "a.jpg", "rank": 3, "ties": 0}]
    >>> [(r["subset"], r["correct"]) for r in scoring.recalls(rows)]
    [('i2t_r1', 0.0), ('i2t_r5', 1.0), ('i2t_r10', 1.0)]
    """
    table = list(rows)
    lacking = [(n, key) for n, row in enumerate(table) for key in ("subset", "rank", "ties", "image") if key not in row]
    if lacking or not table:
        raise ValueError("row {} of the retrieval table has no {!r}".format(*lacking[0]) if lacking else
                         "there are no rows of a retrieval table")
    equal = np.array([int(r["ties"]) for r in table], np.int64)
    better = np.array([int(r["rank"]) for r in table], np.int64) - 1 - equal
    tied = np.array([int(r.get("tied", 1)) for r in table], np.int64)
    credit = {k: recall(better, equal, tied, k=k) for k in ks}
    return [{"subset": f"{row['subset']}_r{k}", "image": row["image"], "correct": float(c.strict[n]),
             "half": float(c.half[n]), "lenient": float(c.lenient[n]), "ties": int(c.ties[n])}
            for n, row in enumerate(table) for k, c in credit.items()]
