"""Which samples meet in a batch: plain, with their neighbours, or in groups that are hard negatives of each other.

A composition has `data`, `n`, the most pairs of a batch, `per_epoch`, and `fetch`, which is a function of (seed, epoch,
place) and of which pictures can be read.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import _core
from .arrays import integer
from .checkpoints import atomic_file
from .data import Dataset
from .gnm.sampler import GroupSampler
from .progress import Progress
from .settings import SettingsError, check_keys

ORDER, NEIGHBOUR = 2, 8         # VN_STREAM_ORDER and VN_STREAM_NEIGHBOUR of vn_philox.h
EMBEDDED = 32                   # pictures at once
BLOCK = 2**23                   # cosines at once
AGAIN = 2**31                   # what is added to the visit of a picture that comes as a neighbour
KINDS = {"plain": (), "groups": ("mode", "per_group", "fill", "n"), "neighbours": ("k",)}
log = logging.getLogger("vlmneg")

Decode = Callable[[Iterable[int]], Sequence[Any]]
"""Rows of the data to (sample, picture) each, or None where the picture can't be read."""


class Taken(NamedTuple):
    """A sample in a batch."""

    row: int
    visit: int                      # random numbers follow from visit * 2**32 + key
    sample: Any
    picture: Any
    captions: Sequence[str]         # those that the batch may take


def below(n: int, seed: int, row: int, draw: int, stream: int) -> int:
    """An integer in [0, n) for n < 2**32, from Philox."""
    return _core.philox(seed, row, draw, stream)[0] * n >> 32


def order(n: int, seed: int, epoch: int) -> list[int]:
    """The permutation of range(n) in which an epoch visits the data (Fisher and Yates' shuffle).

    Examples
    --------
    >>> sorted(order(5, seed=1, epoch=0))
    [0, 1, 2, 3, 4]
    """
    places = list(range(n))
    for i in range(n - 1, 0, -1):
        j = below(i + 1, seed, epoch, i, ORDER)
        places[i], places[j] = places[j], places[i]
    return places


class Plain:
    """An epoch visits the data in one permutation.

    The last samples, too few for a batch, are left out; a data set smaller than a batch is one batch. An unreadable
    picture is replaced by the next readable one in the order.
    """

    def __init__(self, data: Any, batch: int, seed: int) -> None:
        self.data, self.seed = data, seed
        self.n = min(batch, len(data))
        self.per_epoch = len(data) // self.n
        self.epoch, self.order = -1, [0]

    def fetch(self, epoch: int, place: int, decode: Decode) -> list[Taken]:
        """The samples of a batch."""
        if epoch != self.epoch:
            self.epoch, self.order = epoch, order(len(self.data), self.seed, epoch)
        start = place * self.n
        taken: list[Taken] = []
        following = iter(self.order[start:] + self.order[:start])
        while len(taken) < self.n:
            wanted = [i for i, _ in zip(following, range(self.n - len(taken)), strict=False)]
            if not wanted:
                break
            taken += _taken(wanted, [epoch] * len(wanted), decode(wanted))
        return taken


class Neighbours:
    """Each sample of a plain batch brings one of its k most similar other pictures, drawn anew at each visit.

    Similarity is the cosine of image embeddings by the model that training starts from; samples of the same group are
    no neighbours. A batch has up to twice as many pairs: first the samples, then what they brought.

    References
    ----------
    Yuksekgonul et al., When and why vision-language models behave like bags-of-words. ICLR 2023, section 4.
    """

    def __init__(self, data: Any, batch: int, seed: int, k: int = 3) -> None:
        self.plain, self.data, self.seed = Plain(data, batch, seed), data, seed
        self.k = integer(k, "k", 1, 101)
        self.n, self.per_epoch = 2 * self.plain.n, self.plain.per_epoch
        self.rows = np.zeros((0, 0), np.int32)      # (N, k), most similar first; -1 where there are fewer

    def prepare(self, model: Any, decode: Decode, folder: Path | None, going_on: bool, progress: bool) -> None:
        """Find the neighbours, or read them from a run's folder, where they are kept."""
        file = folder / "neighbours.npz" if folder else None
        mark = _mark(model, self.data)
        rows, marked = _kept(file)
        if rows is not None and rows.shape == (len(self.data), self.k) and (going_on or marked == mark):
            self.rows = rows
            return
        vectors, group = embedded(model, self.data, decode, progress)
        self.rows = nearest(vectors, group, self.k)
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(file) as part, open(part, "wb") as stream:
                np.savez(stream, rows=self.rows, mark=np.array(mark))

    def fetch(self, epoch: int, place: int, decode: Decode) -> list[Taken]:
        """The samples of a batch, then the neighbours of those that have any."""
        own = self.plain.fetch(epoch, place, decode)
        lists = []
        for t in own:
            rows = [int(r) for r in self.rows[t.row] if r >= 0]
            first = below(max(len(rows), 1), self.seed, t.visit << 32 | t.sample.key, 0, NEIGHBOUR)
            lists.append(rows[first:] + rows[:first])
        brought: list[Taken | None] = [None] * len(own)
        for turn in range(self.k):          # further ones only for what can't be read
            at = [i for i, rows in enumerate(lists) if brought[i] is None and turn < len(rows)]
            for i, row, found in zip(at, [lists[i][turn] for i in at], decode([lists[i][turn] for i in at]),
                                     strict=True):
                brought[i] = next(iter(_taken([row], [epoch + AGAIN], [found])), None)
        return own + [t for t in brought if t is not None]


class Groups:
    """From each group some variations that are hard negatives of each other, and photographs among them.

    See `vlmneg.gnm.GroupSampler`. Every group comes once an epoch; what can't be read is left out.

    Parameters
    ----------
    source : Dataset with `groups` and `photos`
        As from `vlmneg.data.gnm`. Its photographs' captions are those of `captions_beside`, where it has that.
    mode, per_group, fill, n
        As `vlmneg.gnm.GroupSampler` has them; by default those of GNM's modes.
    """

    def __init__(self, source: Any, batch: int, seed: int, mode: str = "item", per_group: int | None = None,
                 fill: int | None = None, n: int | None = None) -> None:
        alone = mode == "all"
        per_group = (1 if alone else 2) if per_group is None else per_group
        fill = (1 if alone else 8) if fill is None else fill
        if fill and not len(source.photos):
            raise ValueError("there are no photographs to fill groups with: say where they are, as by "
                             "data.photographs, or set fill = 0")
        self.sampler = GroupSampler(source.groups(mode), per_group, fill, batch if n is None else n, seed,
                                    photos=len(source.photos) or None)
        self.source, self.data = source, Joined(source, source.photos)
        self.n, self.per_epoch = self.sampler.n, len(self.sampler)

    def fetch(self, epoch: int, place: int, decode: Decode) -> list[Taken]:
        """The samples of a batch: variations, then photographs."""
        batch = self.sampler.batch(epoch, place)
        rows, v = batch.variations.tolist(), len(self.source)
        visits = [epoch] * len(rows) + batch.photo_visits.tolist()
        photos = [v + i for i in batch.photos.tolist()]
        taken = _taken(rows + photos, visits, decode(rows + photos))
        beside = getattr(self.source, "captions_beside", None)
        if beside is not None:
            taken = [t._replace(captions=beside(t.row - v, rows)) if t.row >= v else t for t in taken]
        return [t for t in taken if t.captions]


class Joined(Dataset):
    """Variations, then photographs, with keys and groups of their own."""

    def __init__(self, variations: Any, photos: Any) -> None:
        super().__init__([], {})
        self.parts = variations, photos

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def sample(self, i: int) -> Any:
        """One sample; a photograph's group is a negative number."""
        first, photos = self.parts
        if i < len(first):
            return first[i]
        sample = photos[i - len(first)]
        return dataclasses.replace(sample, key=len(first) + sample.key, group=-1 - sample.group)

    def captions(self) -> list[str]:
        """All captions in order."""
        return [c for part in self.parts for c in part.captions()]


Composition = Plain | Neighbours | Groups


def compose(wanted: Mapping[str, Any] | str | None, data: Any, batch: int, seed: int) -> Composition:
    """The composition that a table {kind, ...} describes.

    Parameters
    ----------
    wanted : None, str or mapping
        Kind "plain" (the default), "neighbours" or "groups", and its parameters.
    data : Dataset
        Groups need one that has `groups` and `photos`, or makes it of itself by `variations`; of other data batches
        are plain, which the log says.
    batch : int
    seed : int

    Returns
    -------
    Plain, Neighbours or Groups

    Raises
    ------
    SettingsError
        An unknown kind or parameter, naming the nearest, or one that doesn't fit.

    Examples
    --------
    >>> import vlmneg as vn
    >>> made = compose({"kind": "groups", "fill": 2}, vn.data.scenes(20), batch=12, seed=0)
    >>> made.n, made.per_epoch
    (12, 7)
    """
    table = {"kind": wanted} if isinstance(wanted, str) else dict(wanted or {})
    kind = table.pop("kind", "plain")
    check_keys([kind], KINDS, "compose.kind ")
    check_keys(table, KINDS[kind], "compose.")
    try:
        return _composed(kind, table, data, batch, seed)
    except (ValueError, TypeError) as error:
        raise SettingsError(f"compose: {error}") from None


def _composed(kind: str, table: dict[str, Any], data: Any, batch: int, seed: int) -> Composition:
    if kind == "neighbours":
        return Neighbours(data, batch, seed, **table)
    if kind == "groups":
        source = grouped(data)
        if source is not None:
            return Groups(source, batch, seed, **table)
        batch = integer(table.get("n", batch), "n", 1, 2**31)
        log.warning("this data has no variations to group, so batches are plain, of %d pairs; data.annotations would "
                    "name them, as vlmneg gnm writes them", min(batch, len(data)))
    return Plain(data, batch, seed)


def grouped(data: Any) -> Any:
    """What groups are drawn from: data with `groups` and `photos`, or what its `variations` gives; None without."""
    source = data.variations() if hasattr(data, "variations") else data
    return source if hasattr(source, "groups") and hasattr(source, "photos") else None


def embedded(model: Any, data: Any, decode: Decode, progress: bool) -> tuple[np.ndarray, np.ndarray]:
    """Unit image embeddings (N, E) of all the data, zeros where a picture can't be read, and the groups (N,)."""
    vectors, group = np.zeros((len(data), model.config.embed), np.float32), np.full(len(data), -1, np.int64)
    with Progress(len(data), "neighbours", unit="image", show=None if progress else False) as bar:
        for start in range(0, len(data), EMBEDDED):
            rows = range(start, min(start + EMBEDDED, len(data)))
            good = [(i, *found) for i, found in zip(rows, decode(rows), strict=True) if found is not None]
            if good:
                at = [i for i, *_ in good]
                vectors[at] = model.encode_image(_pixels(model, [p for *_, p in good]), normalize=True)
                group[at] = [s.group for _, s, _ in good]
            bar.add(len(rows))
    return vectors, group


def nearest(vectors: np.ndarray, group: np.ndarray, k: int) -> np.ndarray:
    """The k rows with the largest cosine to each row, those of its own group and rows of zeros left out.

    Parameters
    ----------
    vectors : ndarray of shape (N, E), float32
        Unit rows, or zeros.
    group : ndarray of shape (N,), int64
    k : int

    Returns
    -------
    ndarray of shape (N, k), int32
        Largest first, of equal ones the first; -1 where there are fewer.

    Examples
    --------
    >>> v = np.array([[1, 0], [0.8, 0.6], [0, 1], [0, 0]], np.float32)
    >>> nearest(v, np.arange(4), 2).tolist()
    [[1, 2], [0, 2], [1, 0], [-1, -1]]
    """
    n = len(vectors)
    usable = np.asarray(vectors.any(1))
    found = np.full((n, k), -1, np.int32)
    step = max(1, BLOCK // n)
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        cosine = vectors[rows] @ vectors.T
        cosine[(group[rows, None] == group) | ~usable] = -np.inf
        cosine[~usable[rows]] = -np.inf
        take = min(k, n - 1)
        if take == 0:
            continue
        kth = -np.partition(-cosine, take - 1, axis=1)[:, take - 1]
        for i, row in enumerate(cosine):
            candidates = np.flatnonzero((row >= kth[i]) & (row > -np.inf))
            best = candidates[np.argsort(-row[candidates], kind="stable")][:take]
            found[start + i, : len(best)] = best
    return found


def _taken(rows: list[int], visits: list[int], found: Sequence[Any]) -> list[Taken]:
    """What could be read."""
    return [Taken(row, visit, pair[0], pair[1], pair[0].captions)
            for row, visit, pair in zip(rows, visits, found, strict=True) if pair is not None]


def _pixels(model: Any, pictures: list) -> np.ndarray:
    """Pixels of pictures, which may be pixels already."""
    ready = getattr(pictures[0], "dtype", None) == np.float32
    return np.stack(pictures) if ready else model.preprocess(pictures)


def _kept(file: Path | None) -> tuple[np.ndarray | None, str]:
    """Neighbours of a file and what they follow from; None where it isn't there or not whole."""
    try:
        if file is not None:
            with np.load(file) as kept:
                return kept["rows"], str(kept["mark"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass
    return None, ""


def _mark(model: Any, data: Any) -> str:
    """What neighbours follow from: weights, how many pictures there are, the first and the last."""
    digest = hashlib.sha256(repr((len(data), data[0].name, data[len(data) - 1].name)).encode())
    for name, weight in model.state_dict().items():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(weight).data)
    return digest.hexdigest()
