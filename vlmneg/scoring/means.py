"""From a table of examples to figures: sub-tasks, types and named means, with intervals over pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .rules import TIES, Credit, Floats, caption_choice, check_ties, from_ties

RESERVED = ("micro", "macro", "type_micro", "type_macro")
FLAGS = {"1": 1.0, "0": 0.0, "true": 1.0, "false": 0.0}

# A figure is a weighted sum of means over pools: [(weight, numbers of the sub-tasks in the pool)].
Pools = list[tuple[float, list[int]]]


@dataclass(frozen=True)
class Figure:
    """One figure of a benchmark: a sub-task, a type or a mean, as fractions in [0, 1].

    Attributes
    ----------
    name : str
    rows : int
        Examples behind it.
    value : float
        Under the rule for ties that was asked for: one of the next four.
    strict, half, lenient, first : float
        Under each rule; ``first`` is NaN where the order of the options is unknown.
    ties : int
        Examples that a tie decides.
    low, high : float
        2.5% and 97.5% quantiles of ``value`` over the bootstrap draws; NaN without bootstrap.
    error : float
        Cluster standard error of ``value``; NaN with fewer than two pictures.
    pictures : int
        Clusters behind it.
    """

    name: str
    rows: int
    value: float
    strict: float
    half: float
    lenient: float
    first: float
    ties: int
    low: float
    high: float
    error: float
    pictures: int


def summarise(rows: Iterable[Mapping[str, Any]], *, ties: str = "strict",
              types: Mapping[str, Sequence[str]] | None = None, averages: bool = True, bootstrap: int = 2000,
              seed: int = 0) -> dict[str, Figure]:
    """Averages a table of examples.

    Parameters
    ----------
    rows : iterable of dict
        One per example. ``scores``: the options' scores, the true one first; or ``correct``: 0, 1, a bool, or one of
        the words ``"0"``, ``"1"``, ``"True"``, ``"False"``, and then optionally ``ties`` (wrong options that share
        the first place) or ``half`` and ``lenient`` (fractions). ``subset``: the sub-task, ``"all"`` unless given.
        ``image``: rows of one picture form a cluster; without it each row is its own. Other keys are ignored.
    ties : {"strict", "half", "lenient", "first"}
        What a tie is worth in ``value`` and its interval: nothing, its expected value, everything, or what argmax
        says.
    types : dict of str to list of str, optional
        Groups of sub-tasks that have a figure over their rows.
    averages : bool
        Whether the means over sub-tasks make sense; with False only sub-tasks and types are given.
    bootstrap : int
        Draws of whole pictures, with replacement, behind the interval; 0 leaves it out.
    seed : int
        Of the draws, in [0, 2**64).

    Returns
    -------
    dict of str to Figure
        Sub-tasks in their order of appearance, types, then ``micro`` (over rows) and ``macro`` (mean of the
        sub-tasks); with types also ``type_micro`` and ``type_macro`` (mean of the types, each over its rows or first
        averaged over its sub-tasks).

    Raises
    ------
    ValueError
        When there are no rows, or a row says neither ``scores`` nor ``correct``, or says it in another form.

    Notes
    -----
    The standard error is that of clusters, ``sqrt(G / (G - 1) * sum_g (sum_{i in g} w_i (x_i - m_i))**2)`` over G
    pictures, where ``w_i`` is the row's weight in the figure and ``m_i`` the mean that it goes into.

    Examples
    --------
    >>> from vlmneg import scoring
    >>> rows = [{"subset": "swap_obj", "image": "a.jpg", "correct": True},
    ...         {"subset": "swap_obj", "image": "b.jpg", "correct": False},
    ...         {"subset": "swap_att", "image": "b.jpg", "correct": True}]
    >>> figures = scoring.summarise(rows, types={"swap": ["swap_obj", "swap_att"]})
    >>> {name: round(f.value, 4) for name, f in figures.items() if name in ("swap_obj", "swap", "macro")}
    {'swap_obj': 0.5, 'swap': 0.6667, 'macro': 0.75}
    """
    table = list(rows)
    if not table:
        raise ValueError("there are no rows to average")
    if bootstrap < 0:
        raise ValueError(f"bootstrap must be at least 0, got {bootstrap}")
    earned = _earned(table)
    earned.under(check_ties(ties))
    names = list(dict.fromkeys(str(row.get("subset", "all")) for row in table))
    figures = _figures(names, types or {}, averages)
    number = {name: n for n, name in enumerate(names)}
    subset = np.array([number[str(row.get("subset", "all"))] for row in table])
    cluster = _numbers([row.get("image", ("row", n)) for n, row in enumerate(table)])
    count = _sums(np.ones(len(table)), subset, cluster, len(names))
    sums = {rule: _sums(earned.under(rule), subset, cluster, len(names))
            for rule in TIES if rule != "first" or earned.first is not None}
    draws = _core.resample(np.concatenate([sums[ties], count], 1), bootstrap, seed)
    out = {}
    for name, pools in figures.items():
        own = np.isin(subset, [s for _, pool in pools for s in pool])
        points = {rule: float(_combine(x.sum(0), count.sum(0), pools)) for rule, x in sums.items()}
        drawn = _combine(draws[:, :len(names)], draws[:, len(names):], pools)
        drawn = drawn[~np.isnan(drawn)]
        low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (math.nan, math.nan)
        out[name] = Figure(name, int(own.sum()), points[ties], points["strict"], points["half"], points["lenient"],
                           points.get("first", math.nan), int((earned.ties[own] > 0).sum()), float(low), float(high),
                           _error(sums[ties], count, pools), len(np.unique(cluster[own])))
    return out


def _earned(table: list[Mapping[str, Any]]) -> Credit:
    """The credit of every row, from its scores where it has them."""
    scored = [n for n, row in enumerate(table) if "scores" in row]
    alone = [n for n in scored if len(table[n]["scores"]) < 2]
    if alone:
        raise ValueError(f"row {alone[0]}: 'scores' must hold the true option's score and at least one false one's")
    width = max((len(table[n]["scores"]) for n in scored), default=2)
    scores = np.full((len(scored), max(width, 2)), -np.inf)
    for at, n in enumerate(scored):
        scores[at, :len(table[n]["scores"])] = table[n]["scores"]
    choice = caption_choice(scores) if scored else None
    strict, ties = np.zeros(len(table)), np.zeros(len(table), np.int64)
    if choice is not None:
        strict[scored], ties[scored] = choice.strict, choice.ties
    known = set(scored)
    for n, row in enumerate(table):
        if n not in known:
            strict[n], ties[n] = _flag(row, n), int(row.get("ties", 0))
    plain = from_ties(strict, ties)
    if not any("lenient" in row for row in table):
        return plain
    half, lenient = ([row.get(rule, own) for row, own in zip(table, getattr(plain, rule), strict=True)]
                     for rule in ("half", "lenient"))
    return Credit(strict, np.array(half, float), np.array(lenient, float), None, ties)


def _flag(row: Mapping[str, Any], n: int) -> float:
    if "correct" not in row:
        raise ValueError(f"row {n} has neither 'scores' nor 'correct'; its keys are {', '.join(map(str, row))}")
    word = row["correct"]
    value = FLAGS.get(word.strip().lower()) if isinstance(word, str) else float(word)
    if value not in (0.0, 1.0):
        raise ValueError(f"row {n}: 'correct' must be 0, 1, True or False, got {word!r}")
    return value


def _numbers(keys: list[Any]) -> NDArray[np.int64]:
    """Equal keys get equal numbers, counted in order of appearance."""
    seen: dict[Any, int] = {}
    return np.array([seen.setdefault(key, len(seen)) for key in keys], np.int64)


def _figures(names: list[str], types: Mapping[str, Sequence[str]], averages: bool) -> dict[str, Pools]:
    taken = [name for name in names if name in RESERVED or name in types]
    if taken:
        raise ValueError(f"a sub-task is called {taken[0]!r}, which is the name of a mean; rename it")
    single: dict[str, Pools] = {name: [(1.0, [n])] for n, name in enumerate(names)}
    groups = {t: [names.index(s) for s in members if s in names] for t, members in types.items()}
    groups = {t: members for t, members in groups.items() if members}
    out = single | {t: [(1.0, members)] for t, members in groups.items()}
    if averages:
        out["micro"] = [(1.0, list(range(len(names))))]
        out["macro"] = [(1.0 / len(names), [n]) for n in range(len(names))]
    if averages and groups:
        out["type_micro"] = [(1.0 / len(groups), members) for members in groups.values()]
        out["type_macro"] = [(1.0 / len(groups) / len(members), [n]) for members in groups.values() for n in members]
    return out


def _sums(values: Floats, subset: NDArray[Any], cluster: NDArray[Any], subsets: int) -> Floats:
    """(G, S): totals of each picture in each sub-task."""
    out = np.zeros((cluster.max() + 1, subsets))
    np.add.at(out, (cluster, subset), values)
    return out


def _combine(total: Floats, count: Floats, pools: Pools) -> Any:
    """The figure from totals and counts (..., S); pools that a draw left empty drop out, all empty is NaN."""
    value, weight = np.zeros(total.shape[:-1]), np.zeros(total.shape[:-1])
    for w, pool in pools:
        n = count[..., pool].sum(-1)
        value += np.where(n > 0, w * total[..., pool].sum(-1) / np.maximum(n, 1), 0.0)
        weight += np.where(n > 0, w, 0.0)
    return value / np.where(weight > 0, weight, math.nan)


def _error(total: Floats, count: Floats, pools: Pools) -> float:
    residual, present = np.zeros(len(total)), np.zeros(len(total), bool)
    for w, pool in pools:
        x, n = total[:, pool].sum(1), count[:, pool].sum(1)
        residual += w * (x - x.sum() / n.sum() * n) / n.sum()
        present |= n > 0
    pictures = int(present.sum())
    return math.sqrt(pictures / (pictures - 1) * float((residual**2).sum())) if pictures > 1 else math.nan
