"""What all negatives share: checks of a call, rules of validity that need Unicode, sums, results."""

import itertools
import unicodedata
import zlib
from dataclasses import dataclass, field

import numpy as np

from vlmneg import _core

REASONS = ("", "EMPTY", "SAME", "REPEAT", "SYMMETRIC", "ABSENT")  # vn_reason of csrc/vn_negative.h
MAX_K = 16


def key(text):
    """What a caption says, without case, punctuation and spacing: two captions with one key are the same.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        NFC, lower case, every run of characters other than letters and digits one blank, ends stripped.

    Examples
    --------
    >>> key("A  Dog, on a sofa!")
    'a dog on a sofa'
    """
    text = unicodedata.normalize("NFC", text).lower()
    return " ".join("".join(c if c.isalnum() else " " for c in text).split())


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

    A subclass has `name`, `k` and either `slot()` (made by the C core) or `draw(request, taken, first)`.
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
        tokenizer : Tokenizer, optional
            A negative whose token ids, cut to the context, are those of its caption is then not valid.

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
        text, kind, reason = [[] for _ in range(n)], [[] for _ in range(n)], [[] for _ in range(n)]
        first = 0
        for in_core, group in itertools.groupby(self.parts, key=lambda p: hasattr(p, "slot")):
            group = list(group)
            taken = tuple(tuple(t for t, r in zip(text[i], reason[i], strict=True) if not r) for i in range(n))
            if in_core:
                made = [_draw_in_core(group, request, taken, first)]
            else:
                made = [group[0].draw(request, taken, first)]
            for t, k, r in made:
                for i in range(n):
                    text[i] += t[i]
                    kind[i] += k[i]
                    reason[i] += r[i]
            first += sum(p.k for p in group)
        _check_unicode(request, text, reason)
        if tokenizer is not None:
            _check_tokens(request, text, reason, tokenizer)
        for i, caption in enumerate(request.captions):
            for k, name in enumerate(self.kinds):
                if reason[i][k]:
                    text[i][k], kind[i][k] = caption, name
        valid = np.array([[not r for r in row] for row in reason], np.uint8)
        return Result(text, valid, kind, reason, list(request.captions))

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


def _draw_in_core(parts, request, taken, first):
    listed = {name: (i, kinds) for i, (name, _, kinds, _) in enumerate(_core.text_listed())}
    slots, edits = [], []
    for p in parts:
        line, kinds = listed[p.name]
        for _ in range(p.k):
            slots.append((line, *p.slot(), first + len(slots)))
            edits.append(kinds)
    text, code, edit = _core.text_draw(request.captions, request.avoid, taken if first else None, request.rows,
                                       request.seed, tuple(slots))
    code, edit = code.tolist(), edit.tolist()
    reason = [[REASONS[c] for c in row] for row in code]
    kind = [[kinds[e] for e, kinds in zip(row, edits, strict=True)] for row in edit]
    return text, kind, reason


def _check_unicode(request, text, reason):
    """Case and composition beyond ASCII: the core takes such letters as they are, so equal captions can look different
    to it. They are judged again by `key`; a negative that fails is lost, not drawn again."""
    for i, caption in enumerate(request.captions):
        true = (caption, *(request.avoid[i] if request.avoid else ()))
        if all(map(str.isascii, true)) and all(map(str.isascii, text[i])):
            continue
        true, seen = set(map(key, true)), set()
        for k, made in enumerate(text[i]):
            if not reason[i][k]:
                says = key(made)
                reason[i][k] = "EMPTY" if not says else "SAME" if says in true else "REPEAT" if says in seen else ""
                seen.add(says)


def _check_tokens(request, text, reason, tokenizer):
    """TOKENS: the edit lies behind the last token. A token holds at least one byte, so short captions cannot fail."""
    for i, caption in enumerate(request.captions):
        if len(caption.encode()) < 70:
            continue
        slots = [k for k, r in enumerate(reason[i]) if not r]
        ids = np.asarray(tokenizer([caption] + [text[i][k] for k in slots]))
        for k, row in zip(slots, ids[1:], strict=True):
            if (row == ids[0]).all():
                reason[i][k] = "TOKENS"
