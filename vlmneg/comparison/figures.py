"""From right and wrong answers to figures with two intervals: over training seeds, and over held-out pictures.

Over seeds: Student's t on the runs' figures, which says what another training run would give. Over pictures: the seeds'
answers are averaged, whole pictures are drawn with replacement, and the interval says what other pictures would give.
Differences to the baseline are taken seed by seed and answer by answer before either.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core

RETRIEVAL = {"i2t": "image_to_text", "t2i": "text_to_image"}
BASELINE, MEAN = "clip", "mean"     # plain fine-tuning; the mean of all edits


@dataclass(frozen=True)
class Answers:
    """The answers of one model: for each question its subset (an edit or a way of retrieval), picture, right or not."""

    subset: list[str]
    picture: list[str]
    right: NDArray[np.float64]

    @classmethod
    def read(cls, *folders: Path) -> Answers:
        """What `vlmneg.evaluate` left in these folders."""
        rows = []
        for folder in folders:
            with open(folder / "examples.tsv", encoding="utf-8", newline="") as file:
                rows += list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        return cls([RETRIEVAL.get(row["subset"], row["subset"]) for row in rows], [row["image"] for row in rows],
                   np.array([float(row["correct"]) for row in rows]))


def names_of(answers: Answers) -> list[str]:
    """Names of the figures: each edit, their mean, retrieval both ways."""
    subsets = list(dict.fromkeys(answers.subset))
    return [*(s for s in subsets if s not in RETRIEVAL.values()), MEAN, *RETRIEVAL.values()]


def figures(start: Answers, runs: Mapping[str, Mapping[int, Answers]], bootstrap: int = 2000,
            seed: int = 0) -> dict[str, dict[str, Any]]:
    """Means and intervals of a start and of runs, and of their differences to the baseline.

    Parameters
    ----------
    start : Answers
    runs : mapping of str to mapping of int to Answers
        By recipe and seed; all to the same questions. "clip" is what the others are compared with.
    bootstrap : int
        Draws of pictures; 0 for no interval over pictures.
    seed : int
        Of the draws.

    Returns
    -------
    dict of str to dict
        "start", then by recipe: "figures" and "difference", each a mapping from names to {"mean", "values" by seed,
        "seeds" and "pictures": [low, high] or None}.
    """
    questions = _Questions(start)
    for own in runs.values():
        for answers in own.values():
            questions.check(answers)
    plain = runs.get(BASELINE, {})
    groups = {"start": {s: start for s in plain} or {0: start}, **{name: dict(own) for name, own in runs.items()}}
    credits: dict[tuple[str, str], list[NDArray[np.float64]]] = {}
    for name, own in groups.items():
        credits[name, "figures"] = [own[s].right for s in sorted(own)][:1 if name == "start" else None]
        common = sorted(set(own) & set(plain)) if name != BASELINE else []
        credits[name, "difference"] = [own[s].right - plain[s].right for s in common]
    found = {key: rows for key, rows in credits.items() if rows}
    drawn = questions.draw([np.mean(rows, 0) for rows in found.values()], bootstrap, seed)
    out: dict[str, dict[str, Any]] = {name: {"figures": {}, "difference": {}} for name in groups}
    for (name, part), rows, quantiles in zip(found, found.values(), drawn, strict=True):
        values = np.array([questions.figures(row) for row in rows])
        for n, figure in enumerate(questions.names):
            mean, low, high = over_seeds(values[:, n])
            out[name][part][figure] = {"mean": mean, "values": values[:, n].tolist(),
                                       "seeds": _pair(low, high), "pictures": _pair(*quantiles[:, n].tolist())}
    return out


def over_seeds(values: Sequence[float] | NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean of independent runs and its 95% interval by Student's t; the interval of one run is NaN.

    Parameters
    ----------
    values : sequence of N floats

    Returns
    -------
    tuple of mean, low, high

    Examples
    --------
    >>> [round(v, 3) for v in over_seeds([0.5, 0.6, 0.7])]
    [0.6, 0.352, 0.848]
    """
    x = np.asarray(values, np.float64)
    mean = float(x.mean())
    if len(x) < 2:
        return mean, math.nan, math.nan
    half = student(len(x) - 1) * float(x.std(ddof=1)) / math.sqrt(len(x))
    return mean, mean - half, mean + half


def student(freedom: int) -> float:
    """The 97.5% quantile of Student's t with so many degrees of freedom.

    Parameters
    ----------
    freedom : int
        At least 1.

    Returns
    -------
    float

    References
    ----------
    Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.

    Examples
    --------
    >>> round(student(2), 3), round(student(9), 3)
    (4.303, 2.262)
    """
    low, high = 0.0, math.pi / 2                     # of the angle whose tangent is t / sqrt(freedom)
    for _ in range(60):
        angle = (low + high) / 2
        cosine, odd = math.cos(angle), freedom % 2
        term = total = (cosine if odd else 1.0) * (freedom > 1)
        for n in range(2 + odd, freedom - 1, 2):
            term *= (n - 1) / n * cosine**2
            total += term
        within = math.sin(angle) * total
        within = 2 / math.pi * (angle + within) if odd else within
        low, high = (angle, high) if within < 0.95 else (low, angle)
    return math.sqrt(freedom) * math.tan((low + high) / 2)


class _Questions:
    """What all models were asked, and sums of their answers by picture and subset."""

    def __init__(self, answers: Answers) -> None:
        self.asked = answers
        self.names = names_of(answers)
        self.subsets = [name for name in self.names if name != MEAN]
        self.edits = len(self.subsets) - len(RETRIEVAL)
        numbers = {name: n for n, name in enumerate(self.subsets)}
        self.subset = np.array([numbers[s] for s in answers.subset])
        pictures = {name: n for n, name in enumerate(dict.fromkeys(answers.picture))}
        self.picture = np.array([pictures[p] for p in answers.picture])
        self.count = self.sums(np.ones(len(self.subset)))

    def check(self, answers: Answers) -> None:
        """Refuse answers to other questions."""
        if answers.subset != self.asked.subset or answers.picture != self.asked.picture:
            raise ValueError("two models of the comparison were measured on different questions; choose another out")

    def sums(self, right: NDArray[np.float64]) -> NDArray[np.float64]:
        """(pictures, subsets)."""
        out = np.zeros((self.picture.max() + 1, len(self.subsets)))
        np.add.at(out, (self.picture, self.subset), right)
        return out

    def combine(self, total: NDArray[np.float64], count: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., figures) from sums (..., subsets); a subset that a draw left empty is NaN and not in the mean."""
        share = total / np.where(count > 0, count, math.nan)
        edits, there = share[..., :self.edits], count[..., :self.edits] > 0
        mean = np.where(there, edits, 0).sum(-1) / np.maximum(there.sum(-1), 1)
        return np.concatenate([edits, mean[..., None], share[..., self.edits:]], -1)

    def figures(self, right: NDArray[np.float64]) -> NDArray[np.float64]:
        """All figures of one model's answers."""
        return self.combine(self.sums(right).sum(0), self.count.sum(0))

    def draw(self, rights: list[NDArray[np.float64]], draws: int, seed: int) -> NDArray[np.float64]:
        """(models, 2, figures): the 2.5% and 97.5% quantiles of each, all over the same draws of pictures."""
        if draws == 0:
            return np.full((len(rights), 2, len(self.names)), math.nan)
        width = len(self.subsets)
        sums = _core.resample(np.concatenate([self.count, *map(self.sums, rights)], 1), draws, seed)
        return np.array([np.nanquantile(self.combine(sums[:, at:at + width], sums[:, :width]), [0.025, 0.975], axis=0)
                         for at in range(width, sums.shape[1], width)])


def _pair(low: float, high: float) -> list[float] | None:
    return None if math.isnan(low + high) else [low, high]
