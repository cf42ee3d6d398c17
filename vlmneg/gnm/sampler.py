"""GNM's batches: variations of one item side by side, and photographs among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from vlmneg import _core

STREAM_ORDER, STREAM_MEMBER, STREAM_PHOTO, STREAM_CAPTION = 203, 204, 205, 206


class Batch(NamedTuple):
    """Rows of variations and of photographs, and for each a word that draws one of its captions.

    `word * len(captions) >> 32` is the drawn caption's number. A photograph's visit counts the passes over all of them.
    """

    variations: np.ndarray
    photos: np.ndarray
    variation_words: np.ndarray
    photo_words: np.ndarray
    photo_visits: np.ndarray


class GroupSampler:
    """Batches of n pairs: from each group some variations that are hard negatives of each other, and photographs.

    A group's variations are drawn without replacement, with probability proportional to score - the group's least
    score + 0.5. A group that has no more than `per_group` gives all, so a batch may be smaller than n. Every group
    comes once an epoch. Photographs come from shuffled passes over all of them. Everything is a function of
    (seed, epoch).

    Parameters
    ----------
    groups : mapping of key to sequence of (row, score) or (row, score, part)
        Of one group no two members with the same part are drawn. `vlmneg.data.gnm(...).groups(mode)` gives this.
    per_group : int, at least 1
        Variations of each group.
    fill : int, at least 0
        Photographs for each group.
    n : int
        Pairs of a batch: it holds n // (per_group + fill) groups.
    seed : int in [0, 2**64)
    photos : int, optional
        How many photographs there are; needed where fill is above 0.

    Notes
    -----
    All-in-one: groups of one variation, per_group=1, fill=1, n=200. Item-based, the default, and image-based:
    per_group=2, fill=8, n=200.

    References
    ----------
    Sahin et al., Enhancing multimodal compositional reasoning of visual language models with generative negative
    mining. WACV 2024, section 3.3.

    Examples
    --------
    >>> groups = {"dog": [(0, 1.0), (1, 2.0), (2, 0.0)], "cat": [(3, 1.0)]}
    >>> sampler = GroupSampler(groups, per_group=2, fill=1, n=6, seed=0, photos=5)
    >>> batch = next(iter(sampler))
    >>> sorted(batch.variations.tolist())[-1], len(batch.variations), len(batch.photos)
    (3, 3, 2)
    """

    def __init__(self, groups: Mapping[Any, Sequence[tuple]], per_group: int = 2, fill: int = 8, n: int = 200,
                 seed: int = 0, *, photos: int | None = None) -> None:
        for name, value, low in (("per_group", per_group, 1), ("fill", fill, 0), ("n", n, 1), ("seed", seed, 0),
                                 *((("photos", photos, 1),) if photos is not None else ())):
            if isinstance(value, bool) or not isinstance(value, int) or value < low:
                raise ValueError(f"{name} must be an integer of at least {low}, got {value!r}")
        if seed >= 2**64:
            raise ValueError(f"seed must be below 2**64, got {seed}")
        if n < per_group + fill:
            raise ValueError(f"a batch of n={n} has no room for a group, which takes {per_group + fill} pairs")
        if fill and photos is None:
            raise ValueError(f"fill={fill} asks for photographs: say how many there are with photos=, or set fill=0")
        if not isinstance(groups, Mapping) or not groups:
            raise ValueError(f"groups must be a mapping of key to members that is not empty, got {groups!r:.80}")
        self.members = [_members(key, members) for key, members in groups.items()]
        self.per_group, self.fill, self.n, self.seed, self.photos = per_group, fill, n, seed, photos or 0
        self.at_once = n // (per_group + fill)
        self._orders: dict[int, tuple[int, np.ndarray]] = {}

    def __len__(self) -> int:
        return -(-len(self.members) // self.at_once)

    def __iter__(self) -> Iterator[Batch]:
        return self.epoch(0)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Batches of one pass over the groups.

        Parameters
        ----------
        epoch : int in [0, 2**31)

        Yields
        ------
        Batch
        """
        if isinstance(epoch, bool) or not isinstance(epoch, int) or not 0 <= epoch < 2**31:
            raise ValueError(f"epoch must be an integer in [0, 2**31), got {epoch!r}")
        return (self.batch(epoch, place) for place in range(len(self)))

    def batch(self, epoch: int, place: int) -> Batch:
        """One of an epoch's batches, whichever came before it.

        Parameters
        ----------
        epoch : int in [0, 2**31)
        place : int in [0, len)

        Returns
        -------
        Batch
        """
        count, start = len(self.members), place * self.at_once
        chosen = self._order(epoch, count, STREAM_ORDER)[start : start + self.at_once].tolist()
        rows = [row for g in chosen for row in self._draw(epoch, g)]
        first = (epoch * count + start) * self.fill
        turns = range(first, first + len(chosen) * self.fill)
        passes = [divmod(turn, self.photos) for turn in turns]
        photos = [self._order(visit, self.photos, STREAM_PHOTO)[at] for visit, at in passes]
        return Batch(np.array(rows, np.int64), np.array(photos, np.int64),
                     self._words(0, [(epoch << 32) + row for row in rows]), self._words(1, turns),
                     np.array([visit for visit, _ in passes], np.int64))

    def _draw(self, epoch, g):
        rows, weights, parts = self.members[g]
        if len(rows) <= self.per_group and len(set(parts)) == len(parts):
            return list(rows)
        left, taken = dict(enumerate(weights)), []
        for draw in range(self.per_group):
            if not left:
                break
            a, b, _, _ = _core.philox(self.seed, (epoch << 32) + g, draw, STREAM_MEMBER)
            place = (a << 21 | b >> 11) * 2.0**-53 * sum(left.values())
            for i, weight in left.items():                                  # noqa: B007, the last where rounding asks
                place -= weight
                if place < 0:
                    break
            taken.append(rows[i])
            left = {j: w for j, w in left.items() if parts[j] != parts[i]}
        return taken

    def _order(self, visit, n, stream):
        """The numbers below n as a visit goes through them; the last one's is kept."""
        if stream not in self._orders or self._orders[stream][0] != visit:
            self._orders[stream] = visit, _shuffled(self.seed, visit, n, stream)
        return self._orders[stream][1]

    def _words(self, draw, rows):
        return np.array([_core.philox(self.seed, row, draw, STREAM_CAPTION)[0] for row in rows], np.uint64)


def _members(key, members):
    rows, scores, parts = [], [], []
    for i, member in enumerate(members):
        if not isinstance(member, (tuple, list)) or len(member) not in (2, 3):
            raise ValueError(f"a member of group {key!r} must be (row, score) or (row, score, part), got {member!r}")
        rows.append(int(member[0]))
        scores.append(float(member[1]))
        parts.append(member[2] if len(member) == 3 else i)
    if not rows or not np.isfinite(scores).all():
        raise ValueError(f"group {key!r} needs members with finite scores, got {list(members)!r:.80}")
    least = min(scores)
    return rows, [s - least + 0.5 for s in scores], parts


def _shuffled(seed, row, n, stream):
    """The numbers below n in random order."""
    words = np.array([_core.philox(seed, row, draw, stream) for draw in range(-(-n // 2))], np.uint64)
    return np.argsort((words[:, ::2] << np.uint64(32) | words[:, 1::2]).ravel()[:n], kind="stable")
