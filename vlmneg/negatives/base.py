"""What all negatives share: checks of a call, the order of slots, sums, results."""

import functools
import itertools
import zlib
from dataclasses import dataclass, field

import numpy as np

from vlmneg import _core
from vlmneg.negatives.rules import REASONS, VALID, check_tokens, check_unicode

MAX_K = 16


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
        "" where valid, else the rule that failed last: EMPTY, SAME, REPEAT, SYMMETRIC, ABSENT, TOKENS.
    captions : list of N str
        What the negatives were made from.
    """

    text: list
    valid: np.ndarray
    kind: list
    reason: list
    captions: list = field(repr=False)

    def __len__(self):
        return len(self.text)

    def __repr__(self):
        n, k = self.valid.shape
        lines = [f"{n} captions, {k} slots each, {int(self.valid.sum())} of {n * k} valid"]
        for i in range(min(n, 3)):
            lines.append(f"  {self.captions[i]}")
            lines += [f"    {kind}: {text if not reason else '(' + reason + ')'}"
                      for text, kind, reason in zip(self.text[i], self.kind[i], self.reason[i], strict=True)]
        return "\n".join(lines)


@dataclass
class Request:
    """A checked call."""

    captions: tuple
    seed: int
    rows: np.ndarray  # (N,) uint64: visit * 2**32 + id
    avoid: tuple | None  # N tuples of str
    samples: list | None


def _strings(values, name):
    if isinstance(values, str) or not hasattr(values, "__len__"):
        raise TypeError(f"{name} must be a list of str, got {type(values).__name__}; put one caption into a list")
    values = tuple(values)
    for i, text in enumerate(values):
        if not isinstance(text, str):
            raise TypeError(f"{name}[{i}] must be a str, got {type(text).__name__}")
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                raise ValueError(f"{name}[{i}] holds half of a surrogate pair, which is no Unicode text: "
                                 f"{text[:40]!r}") from None
    return values


def _integer(value, name, low, high):
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an integer, got {type(value).__name__}")
    if not low <= value.__index__() < high:
        raise ValueError(f"{name} must be in [{low}, {high}), got {value}")
    return value.__index__()


def _rows(captions, visit, ids):
    visit = _integer(visit, "visit", 0, 2**32)
    if ids is None:
        ids = np.fromiter((zlib.crc32(c.encode()) for c in captions), np.uint64, len(captions))
    else:
        ids = np.asarray(ids)
        if ids.shape != (len(captions),):
            raise ValueError(f"ids must hold one integer a caption, {len(captions)}, got shape {ids.shape}")
        if ids.dtype.kind not in "iu":
            raise TypeError(f"ids must be integers, got {ids.dtype}")
        if ids.min() < 0 or ids.max() >= 2**32:
            raise ValueError(f"ids must be in [0, 2**32), got {ids.min()} to {ids.max()}")
        ids = ids.astype(np.uint64)
    return np.uint64(visit << 32) + ids


def _by_row(values, name, n):
    if isinstance(values, str) or not hasattr(values, "__len__"):
        raise TypeError(f"{name} must be a list with one item a caption, got {type(values).__name__}")
    if len(values) != n:
        raise ValueError(f"{name} must have one item a caption, {n}, got {len(values)}")
    return values


class Negatives:
    """What makes negatives of captions: call it, or add two to have the slots of both.

    A subclass has a `name` and either `slot()`, the parameters of what the C core makes under that name, or
    `draw(request, taken, first)`, which gives texts, kinds and codes of its slots; taken: the row's negatives so far.

    Parameters
    ----------
    **parameters
        ``k``, the number of slots in [1, 16], and what else the subclass takes.
    """

    name = ""

    def __init__(self, **parameters):
        self.parameters = parameters
        self.k = parameters["k"]
        _integer(self.k, "k", 1, MAX_K + 1)

    @property
    def parts(self):
        """The generators whose slots follow one another."""
        return (self,)

    @property
    def kinds(self):
        """Name of the generator of each slot."""
        return tuple(p.name for p in self.parts for _ in range(p.k))

    def __add__(self, other):
        if not isinstance(other, Negatives):
            return NotImplemented
        return Sum(self.parts + other.parts)

    def __eq__(self, other):
        return type(self) is type(other) and self.parameters == other.parameters

    def __hash__(self):
        return hash((type(self), repr(self)))

    def __repr__(self):
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in self.parameters.items())})"

    def __call__(self, captions, seed=0, *, visit=0, ids=None, avoid=None, samples=None, tokenizer=None):
        """Negatives of captions: the same for the same caption, seed and visit, whatever else is in the batch.

        Parameters
        ----------
        captions : list of N str
        seed : int in [0, 2**64)
        visit : int in [0, 2**32)
            Another visit gives other negatives: the epoch, in training.
        ids : sequence of N int in [0, 2**32), optional
            Random numbers are those of (seed, visit, id, slot); by default the id is a hash of the caption, so equal
            captions get equal negatives.
        avoid : list of N lists of str, optional
            Further true captions of the same image, which are never a valid negative.
        samples : list of N Sample, optional
            Their captions are avoided too, and `exact` takes their negatives.
        tokenizer : callable from list of str to ndarray of shape (n, L), optional
            A negative whose ids are those of its caption, as when the edit lies behind the context, isn't valid then.

        Returns
        -------
        Result

        Raises
        ------
        TypeError, ValueError
            When an argument isn't what is described here.
        """
        request = self._request(captions, seed, visit, ids, avoid, samples)
        n = len(request.captions)
        text, kind, code = [[] for _ in range(n)], [[] for _ in range(n)], np.zeros((n, 0), np.uint8)
        for draw in self._steps():
            taken = _valid_texts(text, code) if code.shape[1] else None
            made = draw(request, taken, code.shape[1])
            text, kind = _beside(text, made[0]), _beside(kind, made[1])
            code = np.concatenate([code, made[2]], 1)
        check_unicode(request, text, code)
        if tokenizer is not None:
            check_tokens(request, text, code, tokenizer)
        for i, k in np.argwhere(code).tolist():
            text[i][k], kind[i][k] = request.captions[i], self.kinds[k]
        reason = np.array(REASONS, object)[code].tolist()
        return Result(text, (code == VALID).astype(np.uint8), kind, reason, list(request.captions))

    def _steps(self):
        """What draws the slots, in order; adjacent parts that the C core makes are one call."""
        steps = []
        for in_core, parts in itertools.groupby(self.parts, key=lambda p: hasattr(p, "slot")):
            parts = list(parts)
            steps += [functools.partial(_draw_in_core, parts)] if in_core else [p.draw for p in parts]
        return steps

    def _request(self, captions, seed, visit, ids, avoid, samples):
        captions = _strings(captions, "captions")
        if not captions:
            raise ValueError("captions is empty; at least one is needed")
        n = len(captions)
        seed = _integer(seed, "seed", 0, 2**64)
        true = [()] * n
        if avoid is not None:
            true = [_strings(row, f"avoid[{i}]") for i, row in enumerate(_by_row(avoid, "avoid", n))]
        if samples is not None:
            _by_row(samples, "samples", n)
            for i, s in enumerate(samples):
                if not hasattr(s, "captions") or not hasattr(s, "negatives"):
                    raise TypeError(f"samples[{i}] must be a vlmneg.data.Sample, got {type(s).__name__}")
            true = [row + tuple(s.captions) for row, s in zip(true, samples, strict=True)]
        known = avoid is not None or samples is not None
        return Request(captions, seed, _rows(captions, visit, ids), tuple(true) if known else None, samples)


class Sum(Negatives):
    """The slots of several generators, one after the other."""

    def __init__(self, parts):
        self._parts = tuple(parts)
        self.k = sum(p.k for p in parts)

    parts = property(lambda self: self._parts, doc="The generators whose slots follow one another.")

    def __eq__(self, other):
        return type(self) is type(other) and self.parts == other.parts

    __hash__ = Negatives.__hash__

    def __repr__(self):
        return " + ".join(map(repr, self.parts))


def _beside(left, right):
    return [a + b for a, b in zip(left, right, strict=True)]


def _valid_texts(text, code):
    rows = zip(text, code.tolist(), strict=True)
    return tuple(tuple(t for t, c in zip(*row, strict=True) if c == VALID) for row in rows)


def _draw_in_core(parts, request, taken, first):
    """Texts, kinds and codes of adjacent parts, in one call."""
    listed = {name: (i, kinds) for i, (name, _, kinds, _) in enumerate(_core.text_listed())}
    made_by = [p for p in parts for _ in range(p.k)]
    slots = tuple((listed[p.name][0], *p.slot(), first + k) for k, p in enumerate(made_by))
    text, code, edit = _core.text_draw(request.captions, request.avoid, taken, request.rows, request.seed, slots)
    columns = [np.array(listed[p.name][1], object)[edit[:, k]] for k, p in enumerate(made_by)]
    return text, np.stack(columns, 1).tolist(), code
