"""An objective: a weighted sum of terms, evaluated on embeddings by the tile engine of the C core."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vlmneg import _core
from vlmneg.arrays import integer, mask, numbers, row_numbers

from .inputs import apart, masks_of, names_of, notes_of, room, score_slots, sets_of
from .result import Result
from .state import state_of
from .term import SETS, TERMS, Term, check_weight
from .tokens import TokenScores

if typing.TYPE_CHECKING:
    from vlmneg.negatives.embed import Embed


class Objective:
    """A weighted sum of terms over cosines between image and caption embeddings.

    Objectives add and scale: ``negclip() + 0.2 * infonce()``; ``repr`` writes that back.

    Parameters
    ----------
    terms : sequence of Term
        At least one, at most 16.

    Examples
    --------
    >>> import vlmneg as vn
    >>> import numpy as np
    >>> v = np.eye(2, dtype=np.float32)
    >>> r = vn.losses.infonce().on(image=v, text=v, scale=1.0)
    >>> round(r.loss, 4), r.rows
    (0.3133, 2)
    """

    def __init__(self, terms: Sequence[Term]) -> None:
        self.terms = tuple(terms)
        if not all(isinstance(t, Term) for t in self.terms):
            raise TypeError("an objective is made of Term objects; see vlmneg.losses.get")
        if not 1 <= len(self.terms) <= 16:
            raise ValueError(f"an objective has 1 to 16 terms, got {len(self.terms)}")
        self._core = _core.Loss(tuple(t.use() for t in self.terms))
        self._state = [state_of(t.name, t.params) for t in self.terms]
        self._shifts = any(t.name == "column" and t.params["modality"] == "image" for t in self.terms)
        self._tile: tuple[int, int] | None = None

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.terms))

    def __eq__(self, other: object) -> bool:
        return self.terms == other.terms if isinstance(other, Objective) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: Objective) -> Objective:
        return Objective(self.terms + other.terms) if isinstance(other, Objective) else NotImplemented

    def __mul__(self, factor: float) -> Objective:
        if isinstance(factor, Objective):
            return NotImplemented
        factor = check_weight(factor)
        return Objective([Term(t.name, factor * t.weight, t.params) for t in self.terms])

    __rmul__ = __mul__

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.terms, self.state_dict())

    def labels(self) -> list[str]:
        """Names of the terms, numbered from the second of a name on."""
        found: list[str] = []
        for t in self.terms:
            count = sum(u.name == t.name for u in self.terms[: len(found)])
            found.append(t.name if count == 0 else f"{t.name}_{count + 1}")
        return found

    @property
    def needs(self) -> frozenset[str]:
        """What the terms read besides images and captions.

        Returns
        -------
        frozenset of str
            Of "neg_text", "neg_image", "pos_text", "pos_image", "teacher_image", "teacher_text", "score" and "bias".

        Examples
        --------
        >>> sorted(Objective([Term("own")]).needs)
        ['neg_text']
        """
        found = {name for t in self.terms for pair in t.reads() for name in pair} - {"image", "text"}
        found |= {"bias" for t in self.terms if TERMS[t.name].biased}
        return frozenset((found - {"neg_image"}) | {"neg_text"} if self._shifts else found)

    def advance(self, result: Result) -> None:
        """Move what the terms remember, such as adaptive margins, by what a batch showed; nothing else moves it.

        Parameters
        ----------
        result : Result
            Of this objective's `on`, for the whole batch of an optimiser step.

        Raises
        ------
        ValueError, TypeError
            For another objective's result, and for anything else.
        """
        if not isinstance(result, Result):
            raise TypeError(f"advance takes the Result that `on` gave, got {type(result).__name__}")
        if result.objective != self:
            raise ValueError(f"advance takes a result of {self!r}, got one of {result.objective!r}")
        for term, state in zip(self.terms, self._state, strict=True):
            if state is not None and result.notes is not None:
                cosines = term.params.get("units") == "cosine"
                state.update(result.notes if cosines else result.notes.scaled(result.scale), result.types)

    def margins(self) -> dict[str, float]:
        """The adaptive margins, for logs.

        Returns
        -------
        dict of str to float
            By type of negative; of a second term of the kind, the names have its label in front.
        """
        found: dict[str, float] = {}
        for label, state in zip(self.labels(), self._state, strict=True):
            for name, theta in getattr(state, "theta", {}).items():
                found[name if name not in found else f"{label}.{name}"] = float(theta)
        return found

    def reset(self, when: str = "epoch") -> None:
        """Reset what the method resets then.

        Parameters
        ----------
        when : str
            "epoch": an epoch begins.

        Raises
        ------
        ValueError
            For anything else.
        """
        if when != "epoch":
            raise ValueError(f"an objective is reset when an epoch begins, 'epoch', got {when!r}")
        for state in self._state:
            if state is not None:
                state.reset(when)

    def state_dict(self) -> dict[str, Any]:
        """What the terms remember, as JSON can hold it; `load_state_dict` gives back the same bits.

        Returns
        -------
        dict
            By label of the term; empty for an objective that remembers nothing.

        Examples
        --------
        >>> import vlmneg as vn
        >>> vn.losses.infonce().state_dict()
        {}
        """
        return {label: state.to_dict() for label, state in zip(self.labels(), self._state, strict=True)
                if state is not None}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave; types of negatives are matched by name.

        Parameters
        ----------
        state : mapping

        Raises
        ------
        ValueError
            When it is of another objective, or holds what no state is. Nothing changes then.
        """
        labels = [label for label, own in zip(self.labels(), self._state, strict=True) if own is not None]
        if not isinstance(state, Mapping) or sorted(state) != sorted(labels):
            got = sorted(state) if isinstance(state, Mapping) else type(state).__name__
            raise ValueError(f"a state of this objective has the keys {labels}, got {got}")
        found = []
        for label, own in zip(self.labels(), self._state, strict=True):
            try:
                found.append(own if own is None else own.loaded(state[label]))
            except (KeyError, TypeError, ValueError) as e:
                raise ValueError(f"the state of {label} does not fit it: {e}") from e
        self._state = found

    def to_dict(self) -> dict[str, list[dict[str, Any]]]:
        """The form that TOML files and checkpoints hold; `from_dict` reads it.

        Examples
        --------
        >>> import vlmneg as vn
        >>> (0.5 * vn.losses.infonce()).to_dict()["terms"][0]["weight"]
        0.5
        """
        return {"terms": [{"name": t.name, "weight": t.weight, **t.params} for t in self.terms]}

    @classmethod
    def from_dict(cls, value: Any) -> Objective:
        """Read an objective from its TOML form.

        Parameters
        ----------
        value : str, mapping or sequence
            A name; a table with ``name``, perhaps ``weight``, and parameters; a list of these; or ``{"terms": list}``.

        Returns
        -------
        Objective

        Raises
        ------
        ValueError, TypeError
            For unknown names, with the nearest one, and values outside their range.

        Examples
        --------
        >>> Objective.from_dict([{"name": "negclip"}, {"name": "itc", "weight": 0.2, "negatives": "own"}])
        itc() + 0.2 * itc(negatives='own')
        """
        from . import named

        if isinstance(value, str):
            return named.get(value)
        if isinstance(value, Mapping) and "terms" in value:
            if len(value) > 1:
                raise ValueError(f"an objective with 'terms' has no other key, got {', '.join(map(repr, value))}")
            value = value["terms"]
        if isinstance(value, Mapping):
            if "name" not in value:
                raise ValueError(f"a term needs the key 'name', got {', '.join(map(repr, value)) or 'no key'}")
            params = {k: v for k, v in value.items() if k not in ("name", "weight")}
            return check_weight(value.get("weight", 1.0)) * named.get(value["name"], **params)
        if not isinstance(value, Sequence) or isinstance(value, (str, bytes)) or not value:
            raise TypeError(f"an objective is a name, a table or a list of tables, got {value!r}")
        total = cls.from_dict(value[0])
        for part in value[1:]:
            total = total + cls.from_dict(part)
        return total

    def on(
        self,
        *,
        image: np.ndarray,
        text: np.ndarray,
        neg_text: np.ndarray | None = None,
        valid: np.ndarray | None = None,
        neg_image: np.ndarray | None = None,
        neg_image_valid: np.ndarray | None = None,
        pos_text: np.ndarray | None = None,
        pos_text_valid: np.ndarray | None = None,
        pos_image: np.ndarray | None = None,
        pos_image_valid: np.ndarray | None = None,
        teacher_image: np.ndarray | None = None,
        teacher_text: np.ndarray | None = None,
        score: np.ndarray | None = None,
        patches: np.ndarray | None = None,
        tokens: np.ndarray | None = None,
        token_offsets: np.ndarray | None = None,
        rows: np.ndarray | None = None,
        group: np.ndarray | None = None,
        text_key: np.ndarray | None = None,
        neg_key: np.ndarray | None = None,
        types: Sequence[str] | None = None,
        made: Embed | None = None,
        made_seed: int = 0,
        made_rows: Any = None,
        scale: float = 100.0,
        bias: float = 0.0,
        backward: bool = True,
        out: Mapping[str, np.ndarray] | None = None,
    ) -> Result:
        """Evaluate the objective, and its gradients, on embeddings.

        Rows should have length 1 (a row that is not finite or longer than 1e6 is refused); gradients treat them as
        free variables. Invalid slots and absent rows are never read: they may hold anything, NaN too, unless a term
        has ``validity="off"``.

        Parameters
        ----------
        image, text : ndarray of shape (B, E), float32
            Sample i is image[i] with its true caption text[i].
        neg_text : ndarray of shape (B, K, E), float32, optional
            K negative captions a sample; K may be 0.
        valid : ndarray of shape (B, K), uint8 or bool, optional
            1 where a slot holds a negative; default all.
        neg_image : ndarray of shape (B, M, E), float32, optional
            M negative images a sample: of a picture that shows something else.
        neg_image_valid : ndarray of shape (B, M), uint8 or bool, optional
            1 where a slot holds a negative image; default all.
        pos_text, pos_image : ndarray of shape (B, P, E), (B, Q, E), float32, optional
            Further captions that are true of the image; further pictures that the caption is true of.
        pos_text_valid, pos_image_valid : ndarray of shape (B, P), (B, Q), uint8 or bool, optional
        teacher_image, teacher_text : ndarray of shape (B, E), float32, optional
            What a frozen model makes of the same images and captions; they get no gradient.
        score : ndarray of shape (B, 1 + K), float32, optional
            Logits of the caption and of each negative that come from elsewhere.
        patches : ndarray of shape (B, P, E), float32, optional
            Patch tokens of each image, of any length, from which scores are made with ...
        tokens : ndarray of shape (T, E), float32, optional
            ... the tokens of all captions laid end to end: sample 0's caption, its K negatives, sample 1's caption, ...
        token_offsets : ndarray of shape (B * (1 + K) + 1,), integer, optional
            Where each caption's tokens begin, and the end. A slot that is not valid may have none.
        rows : ndarray of shape (B,), uint8 or bool, optional
            0 where a sample is padding; default all 1.
        group : ndarray of shape (B,), integer, optional
            Equal for samples of one picture: their captions are true for each other's image.
        text_key, neg_key : ndarray of shape (B,) and (B, K), integer, optional
            Equal for equal captions. A caption is true for image i when its key is that of a caption of i's group.
        types : sequence of K str, optional
            What the slots hold, such as "noun": adaptive margins are kept by these names; default "0", "1", ...
        made : embedding negatives, optional
            As from `vlmneg.negatives.embed`: further negatives after those given, of images or captions as they say.
            Their rows exist only while a tile is computed, and gradients flow through them as they say.
        made_seed : int in [0, 2**64), default 0
        made_rows : sequence of B int in [0, 2**64), optional
            Numbers of the samples, from which their random numbers follow; default 0 to B - 1.
        scale : float above 0, default 100
            exp(logit_scale).
        bias : float, default 0
            What SigLIP's logits add.
        backward : bool, default True
            Whether to compute gradients too.
        out : mapping, optional
            Arrays for "dimage", "dtext", "dneg_text", "dneg_image", "dpatches", ... to write into instead of new ones.

        Returns
        -------
        Result

        Raises
        ------
        ValueError, TypeError
            For shapes or types that do not fit, something missing that a term reads, or values that are not finite;
            nothing is written then.

        Examples
        --------
        >>> import vlmneg as vn
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> unit = lambda *n: (x := rng.normal(size=n).astype("f4")) / np.linalg.norm(x, axis=-1, keepdims=True)
        >>> r = vn.losses.negclip().on(image=unit(4, 8), text=unit(4, 8), neg_text=unit(4, 3, 8), scale=10.0)
        >>> r.dneg_text.shape, list(r.terms)
        ((4, 3, 8), ['itc'])
        """
        sets = sets_of((image, text, neg_text, neg_image, pos_text, pos_image, teacher_image, teacher_text, score))
        masks = masks_of(sets, {"neg_text": valid, "neg_image": neg_image_valid, "pos_text": pos_text_valid,
                                "pos_image": pos_image_valid}, text_key, neg_key)
        unread = sets["neg_image"] if self._shifts else None        # such terms make their own
        if unread is not None:
            sets["neg_image"] = masks["neg_image"] = None
        count = 0 if sets["neg_text"] is None or sets["neg_text"].ndim != 3 else sets["neg_text"].shape[1]
        scores = None
        if "score" in self.needs and (patches is not None or tokens is not None or token_offsets is not None):
            if score is not None:
                raise ValueError("score is made of patches and tokens where those are given: leave one of them out")
            live = score_slots(len(sets["image"]), count, masks["neg_text"], mask(rows, "rows"))
            scores = TokenScores(patches, tokens, token_offsets, live, scale, self.terms)
            sets["score"], masks["score"] = scores.score, scores.live
        elif score is not None and masks["neg_text"] is not None:
            masks["score"] = score_slots(len(sets["image"]), count, masks["neg_text"], None)
        for name in sorted(self.needs - {"neg_text", "neg_image", "bias"}):
            if sets[name] is None:
                readers = [t.name for t in self.terms if any(name in pair for pair in t.reads())]
                give = "patches=, tokens= and token_offsets=, or score=" if name == "score" else f"{name}="
                raise ValueError(f"{', '.join(readers)} reads {name}, which is missing: give {give}")
        slots = None
        if self._shifts:
            made = self._shift(made)
        if made is not None:
            self.check_made(made)
            slots = (integer(made_seed, "made_seed", 0, 2**64), row_numbers(made_rows, len(sets["image"])),
                     made.slots(sets["neg_text"]))
            count += sum(slot[1] == 1 for slot in slots[2])     # the side is text
        names_of(types, count)
        if out and backward:
            apart(out, {**sets, "patches": patches, "tokens": tokens})
        gradients = tuple(room(out, f"d{name}", x) if backward and not name.startswith("teacher") else None
                          for name, x in sets.items())
        notes = np.zeros((count, 5)) if any(self._state) else None
        loss, terms, dlog_scale, dbias, pairs, seen, negatives, below = self._core.run(
            tuple(sets.values()), tuple(masks.get(name) for name in SETS), mask(rows, "rows"), numbers(group, "group"),
            numbers(text_key, "text_key"), numbers(neg_key, "neg_key"), slots, scale, bias,
            tuple(None if state is None else state.vector(types, max(count, 1)) for state in self._state), notes,
            gradients if backward else None, self._tile,
        )  # fmt: skip
        r = Result(loss, dict(zip(self.labels(), terms, strict=True)), seen, below / negatives if negatives else None,
                   scale=float(scale), types=types, objective=self,
                   notes=None if notes is None else notes_of(notes, pairs, seen))
        if not backward:
            return r
        found: dict[str, Any] = {f"d{name}": x for name, x in zip(SETS, gradients, strict=True)
                                 if not name.startswith("teacher")}
        if scores is not None:
            found["dpatches"], found["dtokens"], dscale = scores.backward(
                found["dscore"], *((out or {}).get(name) for name in ("dpatches", "dtokens")))
            dlog_scale += dscale * scale
        if unread is not None:
            found["dneg_image"] = room(out, "dneg_image", unread)
            found["dneg_image"][...] = 0
        return replace(r, **found, dlog_scale=dlog_scale, dscale=dlog_scale / scale, dbias=dbias)

    def _shift(self, made: Any) -> Any:
        """The shifted images that released image terms are about; no other term may see them."""
        from vlmneg.negatives.embed import shift

        others = [t.name for t in self.terms if t.name != "column" and any("neg_image" in p for p in t.reads())]
        if made is not None or others:
            raise ValueError("column(modality='image') makes shifted images of its own, which nothing else may see: "
                             + (f"leave out {', '.join(others)}" if others else "leave out made="))
        return shift()

    def check_made(self, made: Any) -> None:
        """Refuse embedding negatives that no term reads, or that would teach nothing here.

        Parameters
        ----------
        made : embedding negatives
            As from `vlmneg.negatives.embed`.

        Raises
        ------
        ValueError, TypeError

        Examples
        --------
        >>> import vlmneg as vn
        >>> from vlmneg.negatives import embed
        >>> vn.losses.get("intra").check_made(embed.shift())
        >>> vn.losses.negclip().check_made(embed.shift())
        Traceback (most recent call last):
        ValueError: shift(...) makes negatives of the image side, which no term of itc() reads; ...
        """
        if not callable(getattr(made, "slots", None)):
            raise TypeError(f"made must be of vlmneg.negatives.embed, got {made!r:.80}")
        reads = set().union(*(t.reads() for t in self.terms))
        for part in made.parts:
            anchors = {rows for rows, cols in reads if cols == f"neg_{part.side}"}
            if not anchors:
                raise ValueError(f"{part!r} makes negatives of the {part.side} side, which no term of {self!r} reads; "
                                 + ("add intra() or itc(images=...)" if part.side == "image" else "add negclip()"))
            part.refuse(anchors)

def _restored(terms: Sequence[Term], state: Mapping[str, Any]) -> Objective:
    objective = Objective(terms)
    objective.load_state_dict(state)
    return objective
