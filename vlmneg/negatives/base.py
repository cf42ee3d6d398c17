"""What all negatives share: checks of a call, the order of slots, sums, mixtures."""

import copy
import functools
import itertools
import zlib
from dataclasses import dataclass

import numpy as np

from vlmneg import _core
from vlmneg.arrays import integer
from vlmneg.negatives.arguments import by_row, random_rows, strings
from vlmneg.negatives.result import UNKNOWN, Result
from vlmneg.negatives.rules import REASONS, VALID, check_tokens, check_unicode

MAX_K = 16
STREAM_MIX = 20  # reserved in csrc/vn_registry.def
LEAST_WEIGHT = 1e-100   # of a mix: a Gumbel draw over weights stays finite
PLACES = 8      # VN_TEXT_PLACES of csrc/vn_negative.h


@dataclass
class Request:
    """A checked call."""

    captions: tuple
    seed: int
    rows: np.ndarray  # (N,) uint64: visit * 2**32 + id
    avoid: tuple | None  # N tuples of str
    samples: list | None
    words: np.ndarray | None    # (T,4) int32, the memory of vn_word, with the offsets of each caption's (N+1)
    offsets: np.ndarray | None

    def __getitem__(self, at):
        """The same for the captions at these places."""
        def chosen(values):
            return None if values is None else type(values)(map(values.__getitem__, at.tolist()))
        words = offsets = None
        if self.words is not None:
            lengths = np.diff(self.offsets)[at]
            offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
            words = self.words[np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][at] - offsets[:-1], lengths)]
        return Request(chosen(self.captions), self.seed, self.rows[at], chosen(self.avoid), chosen(self.samples),
                       words, offsets)


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
    mixture: type | None = None
    annotations = None
    slot_type = ""

    def __init__(self, **parameters):
        self.parameters = parameters
        self.k = parameters["k"]
        integer(self.k, "k", 1, MAX_K + 1)

    @property
    def parts(self):
        """The generators whose slots follow one another."""
        return (self,)

    def annotated(self, annotations):
        """The same, with the words of these annotations instead of the built-in tagger's.

        Parameters
        ----------
        annotations : Annotations
            Of every caption that will be asked for.

        Returns
        -------
        Negatives

        Examples
        --------
        >>> from vlmneg.negatives import annotate, text
        >>> captions = ["a red dog"]
        >>> text.replace(k=1, concept="color").annotated(annotate(captions))(captions).kind
        [['replace_color']]
        """
        made = copy.copy(self)
        made.annotations = annotations
        return made

    def one(self):
        """The same with a single slot."""
        made = copy.copy(self)
        made.parameters, made.k = {**self.parameters, "k": 1}, 1
        return made

    @property
    def kinds(self):
        """Name of the generator of each slot."""
        return tuple(p.name for p in self.parts for _ in range(p.k))

    @property
    def types(self):
        """A name of each slot, no two alike, by which adaptive margins are kept.

        A part's `slot_type` where it has one, else its name with what it changes, where that is one thing.

        Examples
        --------
        >>> from vlmneg.negatives import text
        >>> (text.swap(k=2, kinds="relation") + text.replace(k=1)).types
        ('swap_relation', 'swap_relation_2', 'replace')
        """
        return distinct([type_of(p) for p in self.parts for _ in range(p.k)])

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

    def __call__(self, captions, seed=0, *, visit=0, ids=None, avoid=None, samples=None, tokenizer=None,
                 annotations=None):
        """Negatives of captions: the same for the same caption, seed and visit, whatever else is in the batch.

        Parameters
        ----------
        captions : list of N str
        seed : int in [0, 2**64)
        visit : int in [0, 2**32), or N of them
            Another visit gives other negatives: the epoch, in training.
        ids : sequence of N int in [0, 2**32), optional
            Random numbers are those of (seed, visit, id, slot); by default the id is a hash of the caption, so equal
            captions get equal negatives.
        avoid : list of N lists of str, optional
            Further true captions of the same image, which are never a valid negative.
        samples : list of N Sample, optional
            Their captions and what their objects are called are avoided too, and `exact` takes their negatives.
        tokenizer : callable from list of str to ndarray of shape (n, L), optional
            A negative whose ids are those of its caption, as when the edit lies behind the context, isn't valid then.
        annotations : Annotations, optional
            Words of the captions, as from `vlmneg.negatives.annotate`; without them those of `annotated`, or the
            built-in tagger reads each.

        Returns
        -------
        Result

        Raises
        ------
        TypeError, ValueError
            When an argument isn't what is described here.
        """
        request = self._request(captions, seed, visit, ids, avoid, samples, annotations)
        first, *more = self._steps()
        made = first(request, None, 0)
        for draw in more:
            made = made.beside(draw(request, made.taken(), made.code.shape[1]))
        text, kind, code = made.text, made.kind, made.code
        check_unicode(request, text, code)
        if tokenizer is not None:
            check_tokens(request, text, code, tokenizer)
        kinds = self.kinds
        for i, k in np.argwhere(code).tolist():
            text[i][k], kind[i][k] = request.captions[i], kinds[k]
        reason = np.array(REASONS, object)[code].tolist()
        return Result(text, (code == VALID).astype(np.uint8), kind, reason, list(request.captions),
                      (made.places, made.counts))

    def _steps(self):
        """What draws the slots, in order; adjacent parts that the C core makes are one call."""
        steps = []
        for in_core, parts in itertools.groupby(self.parts, key=lambda p: hasattr(p, "slot")):
            parts = list(parts)
            steps += [functools.partial(_draw_in_core, parts)] if in_core else [
                functools.partial(_draw_in_python, p) for p in parts]
        return steps

    def _request(self, captions, seed, visit, ids, avoid, samples, annotations):
        captions = strings(captions, "captions")
        if not captions:
            raise ValueError("captions is empty; at least one is needed")
        n = len(captions)
        seed = integer(seed, "seed", 0, 2**64)
        true = [()] * n
        if avoid is not None:
            true = [strings(row, f"avoid[{i}]") for i, row in enumerate(by_row(avoid, "avoid", n, "caption"))]
        if samples is not None:
            by_row(samples, "samples", n, "caption")
            for i, s in enumerate(samples):
                if not hasattr(s, "captions") or not hasattr(s, "negatives"):
                    raise TypeError(f"samples[{i}] must be a vlmneg.data.Sample, got {type(s).__name__}")
            true = [row + tuple(s.captions) + tuple(getattr(s, "objects", None) and s.objects.names or ())
                    for row, s in zip(true, samples, strict=True)]
        known = avoid is not None or samples is not None
        words = offsets = None
        annotations = self.annotations if annotations is None else annotations
        if annotations is not None:
            if not hasattr(annotations, "of"):
                raise TypeError("annotations must be what vlmneg.negatives.annotate gives, got "
                                f"{type(annotations).__name__}")
            found = annotations.of(captions)
            words, offsets = found.words, found.offsets
        rows = random_rows(n, visit, ids, lambda: map(zlib.crc32, map(str.encode, captions)), "caption")
        return Request(captions, seed, rows, tuple(true) if known else None, samples, words, offsets)


def distinct(names):
    """The names, numbered from the second of equal ones on."""
    found = []
    for name in names:
        number, free = 1, name
        while free in found:
            number += 1
            free = f"{name}_{number}"
        found.append(free)
    return tuple(found)


def type_of(part):
    """What a generator's slots are called, before they are numbered.

    Parameters
    ----------
    part : Negatives or ImageNegatives
        A single generator.

    Returns
    -------
    str

    Examples
    --------
    >>> from vlmneg.negatives import text
    >>> type_of(text.replace(concept="noun")), type_of(text.replace())
    ('replace_noun', 'replace')
    """
    changed = part.parameters.get("kinds") or part.parameters.get("concept")
    return part.slot_type or (f"{part.name}_{changed}" if isinstance(changed, str) else part.name)


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


class Mix(Negatives):
    """Each slot is drawn from one of several generators; see `mix`."""

    name = "mix"

    def __init__(self, parts, weights, k):
        super().__init__(parts=parts, weights=weights, k=k)

    def __repr__(self):
        parts = ", ".join(map(repr, self.parameters["parts"]))
        return f"mix({parts}, weights={self.parameters['weights']}, k={self.k})"

    def draw(self, request, taken, first):
        """This part's slots: rows go to the generators they drew, those without a negative to their next ones."""
        parts, weights = [p.one() for p in self.parameters["parts"]], np.array(self.parameters["weights"], float)
        if all(hasattr(p, "slot") for p in parts):
            order = [self._order(request, first + k, weights) for k in range(self.k)]
            return _draw_in_core(parts * self.k, request, taken, first, np.stack(order, 1).astype(np.uint8))
        n = len(request.captions)
        made = Drawn([[] for _ in range(n)], [[] for _ in range(n)], np.zeros((n, 0), np.uint8),
                     np.zeros((n, 0, PLACES, 4), np.int32), np.zeros((n, 0), np.uint8))
        for k in range(self.k):
            earlier, own = taken, made.taken()
            if own is not None:
                earlier = own if taken is None else [a + b for a, b in zip(taken, own, strict=True)]
            order = self._order(request, first + k, weights)
            slot, open_rows = None, np.arange(n)
            for turn in range(len(parts)):
                for j, part in enumerate(parts):
                    at = open_rows[order[open_rows, turn] == j]
                    if len(at):
                        known = None if earlier is None else tuple(earlier[i] for i in at.tolist())
                        drawn = draw_part(part, request[at], known, first + k)
                        slot = drawn.spread(at, n) if slot is None else slot.filled(at, drawn)
                open_rows = np.flatnonzero(slot.code[:, 0] != VALID)
            made = made.beside(slot)
        return made

    @staticmethod
    def _order(request, slot, weights):
        """Numbers of the generators in the order of a draw by weight without replacement, a line a caption."""
        words = [_core.philox_rows(request.seed, request.rows, (slot << 16) + j, STREAM_MIX)
                 for j in range(len(weights))]
        return np.argsort(-np.log((np.stack(words, 1) + 0.5) / 2**32) / weights, axis=1, kind="stable")


Negatives.mixture = Mix     # what mixes generators of the modality; sums and mixtures aren't mixed
Sum.mixture = Mix.mixture = None


def mix(*parts, weights=None, k=1):
    """Each slot is drawn from one of several generators, by weight; one without a negative passes on to the others.

    Parameters
    ----------
    *parts : Negatives
        At least two, each a single generator, all of one modality; their own k doesn't count.
    weights : sequence of float, optional
        One a generator, above 0; None: all equal.
    k : int in [1, 16]
        Negatives a caption.

    Returns
    -------
    Negatives

    Examples
    --------
    >>> from vlmneg.negatives import text
    >>> mixed = mix(text.swap(), text.replace(), weights=(1, 3), k=1)
    >>> mixed(["a black dog on the red sofa of a white cat"], seed=2).text
    [['a black dog on the red sofa of a blue cat']]
    """
    if len(parts) < 2:
        raise ValueError(f"mix takes at least two generators, got {len(parts)}")
    mixture = getattr(parts[0], "mixture", None)
    for p in parts:
        if mixture is None or getattr(p, "mixture", None) is not mixture:
            raise TypeError(f"mix takes single generators of one modality, such as text.swap(), got {p!r}")
    try:
        numbers = [1.0] * len(parts) if weights is None else [*map(float, () if isinstance(weights, str) else weights)]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != len(parts) or not all(LEAST_WEIGHT <= w <= 1 / LEAST_WEIGHT for w in numbers):
        raise ValueError(f"weights must be {len(parts)} numbers above 0, one a generator, got {weights!r}")
    shown = (1,) * len(parts) if weights is None else tuple(int(w) if w == int(w) else w for w in numbers)
    return mixture(tuple(parts), shown, k)


@dataclass
class Drawn:
    """Slots of N rows as they are being made."""

    text: list          # N lists of K str
    kind: list          # N lists of K str
    code: np.ndarray    # (N,K) uint8
    places: np.ndarray  # (N,K,8,4) int32
    counts: np.ndarray  # (N,K) uint8

    def taken(self):
        """Each row's valid negatives; None before the first slot."""
        if not self.code.shape[1]:
            return None
        if not self.code.any():
            return tuple(map(tuple, self.text))
        rows = zip(self.text, self.code.tolist(), strict=True)
        return tuple(tuple(t for t, c in zip(*row, strict=True) if c == VALID) for row in rows)

    def beside(self, other):
        """These slots, then the other's."""
        return Drawn([a + b for a, b in zip(self.text, other.text, strict=True)],
                     [a + b for a, b in zip(self.kind, other.kind, strict=True)],
                     *(np.concatenate([getattr(self, f), getattr(other, f)], 1) for f in ("code", "places", "counts")))

    def spread(self, at, n):
        """Slots of n rows, of which those at these places are filled."""
        k = self.code.shape[1]
        made = Drawn([[""] * k for _ in range(n)], [[""] * k for _ in range(n)], np.ones((n, k), np.uint8),
                     np.zeros((n, k, PLACES, 4), np.int32), np.zeros((n, k), np.uint8))
        return made.filled(at, self)

    def filled(self, at, other):
        """The other's rows put in at these places."""
        for i, text, kind in zip(at.tolist(), other.text, other.kind, strict=True):
            self.text[i], self.kind[i] = text, kind
        for f in ("code", "places", "counts"):
            getattr(self, f)[at] = getattr(other, f)
        return self


def draw_part(part, request, taken, first):
    """One generator's slots."""
    return _draw_in_core([part], request, taken, first) if hasattr(part, "slot") else _draw_in_python(
        part, request, taken, first)


def _draw_in_python(part, request, taken, first):
    made = part.draw(request, taken, first)
    if isinstance(made, Drawn):
        return made
    text, kind, code = made
    n, k = code.shape
    return Drawn(text, kind, code, np.zeros((n, k, PLACES, 4), np.int32), np.full((n, k), UNKNOWN, np.uint8))


def _draw_in_core(parts, request, taken, first, order=None):
    """Slots of adjacent parts, in one call; order (N,K,P): each slot is of the first of P parts that has a negative."""
    listed = {name: (i, kinds) for i, (name, _, kinds, _) in enumerate(_core.text_listed())}
    made_by = [p for p in parts for _ in range(p.k)]
    each = 1 if order is None else order.shape[2]
    slots = tuple((listed[p.name][0], *p.slot(), first + k // each) for k, p in enumerate(made_by))
    text, code, edit, places, counts, by = _core.text_draw(request.captions, request.avoid, taken, request.rows,
                                                           request.seed, slots, request.words, request.offsets, order)
    kinds = np.empty((len(made_by), edit.max(initial=0) + 1), object)
    for k, p in enumerate(made_by):
        kinds[k, :len(listed[p.name][1])] = listed[p.name][1][:kinds.shape[1]]
    return Drawn(text, kinds[np.arange(0, len(made_by), each) + by, edit].tolist(), code, places, counts)
