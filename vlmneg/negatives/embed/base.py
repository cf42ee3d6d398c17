"""What embedding negatives share: a call on rows, gradients, cosines, sums."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vlmneg import _core
from vlmneg.arrays import floats, integer, mask, numbers, row_numbers
from vlmneg.negatives.base import Negatives
from vlmneg.negatives.result import Result

MAX_MADE = 64  # VN_MAX_MADE of csrc/vn_embed.h
SIDES = ("image", "text")


@dataclass(eq=False)
class EmbedResult:
    """Made rows of a batch.

    Parameters
    ----------
    rows : ndarray of shape (B, S, E), float32
        0 in a slot that isn't valid.
    valid : ndarray of shape (B, S), uint8
        1 where a row could be made.
    kind : list of B lists of S str
        The generator of each row; of a mixture the one that was drawn, "mix" where none could make a row.
    sides : tuple of S str
        "image" or "text": what the slot's rows are negatives of.
    mu : ndarray of shape (B, S), float32
        The factor that was drawn; 0 where none is.
    partner : ndarray of shape (B, S), int32
        The other sample (`hardest`) or slot (`interpolate`) that was taken; -1 where none is.
    call, chosen : tuple, ndarray of shape (B, S)
        What it was made from, for `backward`, and which of the core's slots each row is.
    """

    rows: np.ndarray
    valid: np.ndarray
    kind: list[list[str]]
    sides: tuple[str, ...]
    mu: np.ndarray
    partner: np.ndarray
    call: Any = field(repr=False)
    chosen: np.ndarray = field(repr=False)

    @property
    def side(self) -> str:
        """What the rows are negatives of; ValueError if some are of images and some of captions."""
        if len(set(self.sides)) > 1:
            raise ValueError(f"these rows are negatives of both sides: {', '.join(self.sides)}")
        return self.sides[0] if self.sides else "image"

    def backward(self, drows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Gradients of what the rows were made from.

        Parameters
        ----------
        drows : ndarray of shape (B, S, E), float32
            Of the rows; what stands in slots that aren't valid is never read.

        Returns
        -------
        dimage, dtext : ndarray of shape (B, E), float32
        dneg_text : ndarray of shape (B, K, E), float32, or None without negatives

        Examples
        --------
        >>> from vlmneg.negatives.embed import gaussian
        >>> v = np.eye(2, dtype=np.float32)
        >>> made = gaussian(k=1)(image=v, text=v)
        >>> made.backward(np.ones_like(made.rows))[1]
        array([[0., 0.],
               [0., 0.]], dtype=float32)
        """
        image, text, neg_text = self.call[:3]
        out = np.empty_like(image), np.empty_like(text), None if neg_text is None else np.empty_like(neg_text)
        drows, slots = floats(drows, "drows"), len(self.call[-1][2])
        if slots != self.chosen.shape[1]:
            if drows.shape != self.rows.shape:
                raise ValueError(f"drows must have shape {self.rows.shape}, got {drows.shape}")
            spread = np.zeros((len(drows), slots, drows.shape[2]), drows.dtype)
            np.put_along_axis(spread, self.chosen[:, :, None], drows, 1)
            drows = spread
        arguments: Any = (*self.call, drows, *out)
        _core.made_backward(*arguments)
        return out


class Embed:
    """What makes negatives of embeddings: call it on rows, hand it to an objective as ``made``, or add it to others.

    A subclass has a `name`, a `side` and `slot()`, the numbers that the C core takes under that name; one of another
    name says by `maker` which of the core's it is.

    Parameters
    ----------
    **parameters
        ``k``, the number of slots in [1, 16] or None for one a negative caption, and what else the subclass takes.
    """

    name = ""
    maker = ""
    side = "image"
    mixture: type | None = None

    def __init__(self, **parameters: Any) -> None:
        self.parameters = parameters
        self.k = parameters["k"]
        if self.k is not None:
            integer(self.k, "k", 1, 17)
        if self.side not in SIDES:
            raise ValueError(f'side must be "image" or "text", got {self.side!r}')
        self.slot()

    def slot(self) -> tuple[float, float, float]:
        """Parameters of a slot, as the C core wants them."""
        raise NotImplementedError

    @property
    def parts(self) -> tuple[Embed, ...]:
        """The generators whose slots follow one another."""
        return (self,)

    @property
    def choices(self) -> tuple[tuple[Embed, float], ...]:
        """What a slot is drawn from, with weights."""
        return ((self, 1.0),)

    def refuse(self, anchors: set[str]) -> None:
        """Say no to an anchor with which these negatives teach nothing.

        Parameters
        ----------
        anchors : set of str
            Of "image" and "text": whose cosines with the rows are to be used.
        """

    def __add__(self, other: Any) -> Any:
        if isinstance(other, Negatives):
            return WithMade(other, self)
        return EmbedSum(self.parts + other.parts) if isinstance(other, Embed) else NotImplemented

    def __radd__(self, other: Any) -> Any:
        return WithMade(other, self) if isinstance(other, Negatives) else NotImplemented

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash((type(self), repr(self)))

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in self.parameters.items())})"

    def __call__(self, *, image: np.ndarray, text: np.ndarray, neg_text: np.ndarray | None = None,
                 valid: np.ndarray | None = None, seed: int = 0, rows: Any = None, group: np.ndarray | None = None,
                 text_key: np.ndarray | None = None) -> EmbedResult:
        """Made rows: those of a sample depend on (seed, its row number, slot) and what it is made from alone.

        Parameters
        ----------
        image, text : ndarray of shape (B, E), float32
            Unit rows; sample i is image[i] with its true caption text[i].
        neg_text : ndarray of shape (B, K, E), float32, optional
            K negative captions a sample.
        valid : ndarray of shape (B, K), uint8 or bool, optional
            1 where a slot holds a negative; others are never read. Default all.
        seed : int in [0, 2**64)
        rows : sequence of B int in [0, 2**64), optional
            Numbers of the samples, from which random numbers follow; default 0 to B - 1.
        group, text_key : ndarray of shape (B,), integer, optional
            Equal for samples of one picture, for equal captions: such samples are never each other's `hardest`.

        Returns
        -------
        EmbedResult

        Raises
        ------
        ValueError, TypeError
            For shapes or types that do not fit, or rows that are not finite.

        Examples
        --------
        >>> from vlmneg.negatives.embed import shift
        >>> v = np.eye(2, dtype=np.float32)
        >>> shift()(image=v, text=v, neg_text=v[::-1, None]).rows[0]
        array([[0., 1.]], dtype=float32)
        """
        call = self._bind(image, text, neg_text, valid, seed, rows, group, text_key)
        rows_made, *rest = _core.made_rows(*call)
        known: list[Any] = rest
        slots = self.slots(call[2])
        parts = [p for p in self.parts for _ in range(p.count(call[2]))]
        firsts = sorted({first for *_, first, _, _ in slots})
        chosen = np.zeros((len(rows_made), len(firsts)), np.int64)
        for column, first in enumerate(firsts):
            chosen[:, column] = first + known[0][:, first:first + slots[first][5]].argmax(1)
        makers = [q.name for p in parts for q, _ in p.choices]
        valid, mu, partner = (np.take_along_axis(x, chosen, 1) for x in known)
        kind = [[makers[m] if ok else p.name for m, ok, p in zip(*row, parts, strict=True)]
                for row in zip(chosen.tolist(), valid.tolist(), strict=True)]
        if len(slots) != len(firsts):
            rows_made = np.take_along_axis(rows_made, chosen[:, :, None], 1)
        return EmbedResult(rows_made, valid, kind, tuple(p.side for p in parts), mu, partner, call, chosen)

    def cosines(self, anchor: str = "image", *, image: np.ndarray, text: np.ndarray,
                neg_text: np.ndarray | None = None, valid: np.ndarray | None = None, seed: int = 0, rows: Any = None,
                group: np.ndarray | None = None, text_key: np.ndarray | None = None) -> np.ndarray:
        """Cosines of a sample's made rows with its image or its caption, without making rows where sums suffice.

        An un-normalised `shift` needs the cosines of the batch alone: v_i.v-_ik = v_i.v_i + f (v_i.t-_ik - v_i.t_i).

        Parameters
        ----------
        anchor : "image" or "text"
        image, text, neg_text, valid, seed, rows, group, text_key
            As of a call.

        Returns
        -------
        ndarray of shape (B, S), float32; 0 where no row could be made

        Raises
        ------
        ValueError, TypeError
            As of a call; for a text-anchored un-normalised `shift` too.

        Examples
        --------
        >>> from vlmneg.negatives.embed import shift
        >>> v = np.eye(2, dtype=np.float32)
        >>> shift().cosines("image", image=v, text=v, neg_text=v[::-1, None])
        array([[0.],
               [0.]], dtype=float32)
        """
        if anchor not in SIDES:
            raise ValueError(f'anchor must be "image" or "text", got {anchor!r}')
        for part in self.parts:
            part.refuse({anchor})
        call = self._bind(image, text, neg_text, valid, seed, rows, group, text_key)
        found = _core.made_cosines(*(*call, SIDES.index(anchor)))
        firsts = sorted({first for *_, first, _, _ in self.slots(call[2])})
        return found if len(firsts) == found.shape[1] else np.add.reduceat(found, firsts, 1)  # alternatives hold 0

    def count(self, neg_text: np.ndarray | None) -> int:
        """Slots that these negatives have beside such negative captions.

        Parameters
        ----------
        neg_text : ndarray of shape (B, K, E) or None

        Returns
        -------
        int
        """
        k: int | None = self.k
        return k if k is not None else 0 if neg_text is None or neg_text.ndim < 2 else neg_text.shape[1]

    def slots(self, neg_text: np.ndarray | None) -> tuple[tuple[Any, ...], ...]:
        """All slots as the C core wants them.

        Parameters
        ----------
        neg_text : ndarray of shape (B, K, E) or None

        Returns
        -------
        tuple of (generator, side, place, numbers, first alternative, alternatives, weight)
        """
        listed = [name for name, *_ in _core.made_listed()]
        found: tuple[tuple[Any, ...], ...] = ()
        for p in self.parts:
            for k in range(p.count(neg_text)):
                found += tuple((listed.index(q.maker or q.name), SIDES.index(q.side), k, q.slot(), len(found),
                                len(p.choices), weight) for q, weight in p.choices)
        if len(found) > MAX_MADE:
            raise ValueError(f"at most {MAX_MADE} negatives a sample can be made, got {len(found)}; give a smaller k")
        return found

    def _bind(self, image: Any, text: Any, neg_text: Any, valid: Any, seed: Any, rows: Any, group: Any,
              text_key: Any) -> Any:
        image, text = floats(image, "image"), floats(text, "text")
        neg_text = None if neg_text is None else floats(neg_text, "neg_text")
        if neg_text is None and valid is not None:
            raise ValueError("valid describes neg_text, which is missing")
        return (image, text, neg_text, mask(valid, "valid"), numbers(group, "group"), numbers(text_key, "text_key"),
                (integer(seed, "seed", 0, 2**64), row_numbers(rows, len(image)), self.slots(neg_text)))


class EmbedSum(Embed):
    """The slots of several generators, one after the other."""

    def __init__(self, parts: tuple[Embed, ...]) -> None:
        self._parts = tuple(parts)

    parts = property(lambda self: self._parts, doc="The generators whose slots follow one another.")

    def count(self, neg_text: np.ndarray | None) -> int:
        """Slots of all parts.

        Parameters
        ----------
        neg_text : ndarray of shape (B, K, E) or None

        Returns
        -------
        int
        """
        return sum(p.count(neg_text) for p in self.parts)

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.parts))


class EmbedMix(Embed):
    """Each slot is drawn from one of several generators of one side; see `vlmneg.negatives.mix`."""

    name = "mix"

    def __init__(self, parts: tuple[Embed, ...], weights: tuple[float, ...], k: int) -> None:
        sides = {p.side for p in parts}
        if len(sides) > 1:
            raise ValueError("what is mixed must be of one side, got negatives of images and of captions; add them")
        self.side = sides.pop()
        super().__init__(parts=parts, weights=weights, k=integer(k, "k", 1, 17))

    def slot(self) -> tuple[float, float, float]:
        """It has none of its own."""
        return 0.0, 0.0, 0.0

    @property
    def choices(self) -> tuple[tuple[Embed, float], ...]:
        """What a slot is drawn from, with weights."""
        return tuple(zip(self.parameters["parts"], map(float, self.parameters["weights"]), strict=True))

    def refuse(self, anchors: set[str]) -> None:
        """Say no where one of the generators does.

        Parameters
        ----------
        anchors : set of str
            Of "image" and "text".
        """
        for part, _ in self.choices:
            part.refuse(anchors)

    def __repr__(self) -> str:
        parts = ", ".join(map(repr, self.parameters["parts"]))
        return f"mix({parts}, weights={self.parameters['weights']}, k={self.k})"


class WithMade(Negatives):
    """Negative captions, and embedding negatives made beside them in training: ``text.swap() + embed.shift()``."""

    def __init__(self, captions: Negatives, made: Embed) -> None:
        self.captions, self.made, self.k = captions, made, captions.k

    @property
    def parts(self) -> tuple[Negatives, ...]:
        """The generators of negative captions."""
        return self.captions.parts

    def annotated(self, annotations: Any) -> WithMade:
        """The same, with the words of these annotations.

        Parameters
        ----------
        annotations : Annotations

        Returns
        -------
        WithMade
        """
        return WithMade(self.captions.annotated(annotations), self.made)

    def __call__(self, *args: Any, **options: Any) -> Result:
        """The negative captions alone.

        Parameters
        ----------
        *args, **options
            Of the generator of negative captions.

        Returns
        -------
        Result

        Examples
        --------
        >>> from vlmneg.negatives import text
        >>> from vlmneg.negatives.embed import shift
        >>> (text.swap(k=1) + shift())(["a red dog and a blue cat"]).valid.shape
        (1, 1)
        """
        return self.captions(*args, **options)

    def __add__(self, other: Any) -> Any:
        if isinstance(other, Embed):
            return WithMade(self.captions, self.made + other)
        return WithMade(self.captions + other, self.made) if isinstance(other, Negatives) else NotImplemented

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WithMade) and (self.captions, self.made) == (other.captions, other.made)

    __hash__ = Negatives.__hash__

    def __repr__(self) -> str:
        return f"{self.captions!r} + {self.made!r}"


Embed.mixture = EmbedMix    # what mixes embedding negatives; sums and mixtures aren't mixed
EmbedSum.mixture = EmbedMix.mixture = None
