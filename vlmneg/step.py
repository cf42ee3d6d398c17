"""A training step: pixels and captions through the towers, an objective on their rows, gradients back.

Rows of a tower stand in one order: pictures, valid negative pictures, further pictures of the same; captions, valid
negatives, further true captions. `accumulate` cuts each tower's rows into chunks of its own, so a sample's rows may lie
in several.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from vlmneg import losses
from vlmneg.arrays import integer
from vlmneg.captions import integers, slot_mask, text_keys, valid_slots

if TYPE_CHECKING:
    from vlmneg.clip import Clip

# What an objective may need, and what its caller must then give.
_GIVE = {
    "neg_image": "give neg_images=, pictures (B, M, 3, S, S) that show something else",
    "pos_text": "give positives=, B lists of further true captions",
    "pos_image": "give pos_images=, further pictures (B, P, 3, S, S) of the same, such as other crops",
    "teacher_image": "give teacher=, a frozen Clip",
    "teacher_text": "give teacher=, a frozen Clip",
    "bias": "make it of this one by model.with_bias(), in a run's settings by model.logit_bias=-10",
}


@dataclass(frozen=True)
class LossResult:
    """What one evaluation of an objective gave.

    Attributes
    ----------
    loss : float
    terms : dict of str to float
        The unweighted value of each term.
    accuracy : float or None
        Share of the valid negatives that score below the true caption of their own image; None without negatives.
    tokens : int
        Text tokens that were encoded.
    margins : dict of str to float
        The adaptive margins that the objective used, by type of negative; empty where it has none.
    objective : object
        What was evaluated, and
    rows : object
        what it said of the embeddings; for `advance`.
    """

    loss: float
    terms: dict[str, float]
    accuracy: float | None
    tokens: int
    margins: dict[str, float] = field(default_factory=dict)
    objective: Any = field(default=None, repr=False, compare=False)
    rows: Any = field(default=None, repr=False, compare=False)

    def advance(self) -> None:
        """Move the objective's state, such as adaptive margins, by this batch; call it once, after the update."""
        if callable(getattr(self.objective, "advance", None)):
            self.objective.advance(self.rows)


class Towers:
    """The rows of a batch in both towers, encoded in chunks and differentiated chunk by chunk.

    The last chunk is encoded with its activations kept, the others without. Backward begins with the last one and
    encodes the others again: one chunk alone is the plain step, and no more than one chunk's activations are held.

    Parameters
    ----------
    model : Clip
    x : ndarray of shape (B, 3, S, S), float32
    more : list of ndarray of shape (3, S, S), float32
        Further pictures.
    ids, offsets : ndarray
        Packed captions.
    chunks : int
        At least 1, at most B.
    learn : collection of str
        The towers that backward goes through, of "image" and "text"; the other keeps no activations.
    tokens : bool
        Whether all tokens of both are wanted, not only their embeddings.

    References
    ----------
    Gao et al., Scaling deep contrastive learning batch size under memory limited setup. arXiv:2101.06983, section 3.
    """

    def __init__(self, model: Clip, x: np.ndarray, more: list[np.ndarray], ids: np.ndarray, offsets: np.ndarray,
                 chunks: int, learn: Collection[str], tokens: bool) -> None:
        self.model, self.x, self.more, self.ids, self.offsets = model, x, more, ids, offsets
        self.image, self.text, self.tokens = "image" in learn, "text" in learn, tokens
        rows = len(x) + len(more), len(offsets) - 1
        self.bounds = [tuple(n * i // chunks for n in rows) for i in range(chunks + 1)]

    def encode(self, keep: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Unit embeddings of all pictures and captions, and their tokens in the joint space, if they are wanted.

        Parameters
        ----------
        keep : bool
            Whether backward follows.

        Returns
        -------
        image, text : ndarray of shape (rows, E), float32
        patches : ndarray of shape (rows, P, E), float32, or None
        tokens : ndarray of shape (T, E), float32, or None
            As packed.
        """
        last = len(self.bounds) - 2
        parts = zip(*(self._chunk(i, keep and i == last) for i in range(last + 1)), strict=True)
        image, text, patches, tokens = (p[0] if last == 0 or p[0] is None else np.concatenate(p) for p in parts)
        return self.model._finite(image, "image"), self.model._finite(text, "text"), patches, tokens

    def backward(self, dimage: np.ndarray, dtext: np.ndarray, dpatches: np.ndarray | None,
                 dtokens: np.ndarray | None) -> None:
        """Gradients of the weights, in place of those that the model holds.

        Parameters
        ----------
        dimage, dtext : ndarray of shape (rows, E), float32
        dpatches, dtokens : ndarray of shape (rows, P, E), (T, E), float32, or None
        """
        last = len(self.bounds) - 2
        if not (self.image or self.text):
            self.model._core.gradients()[...] = 0
            return
        for i in range(last, -1, -1):
            if i < last:
                self._encode(i, self.image, self.text, 1)
            (a, c), (b, d) = self.bounds[i : i + 2]
            first, end = self.offsets[c], self.offsets[d]
            self.model._core.backward(dimage[a:b] if self.image else None, dtext[c:d] if self.text else None,
                                      int(i < last), dpatches[a:b] if self.image and dpatches is not None else None,
                                      dtokens[first:end] if self.text and dtokens is not None else None)

    def _chunk(self, i: int, keep: bool) -> tuple[Any, Any, Any, Any]:
        if keep and self.image != self.text:      # the frozen tower first: what is kept is the last call's
            frozen, learning = (self._encode(i, self.image == own, self.text == own, int(own)) for own in (False, True))
            seen, said = (learning, frozen) if self.image else (frozen, learning)
            return seen[0], said[1], seen[2], said[3]
        return self._encode(i, True, True, int(keep and self.image))

    def _encode(self, i: int, image: bool, text: bool, keep: int) -> tuple[Any, Any, Any, Any]:
        """Rows and tokens of a chunk in the towers asked for, None for the other."""
        (a, c), (b, d) = self.bounds[i : i + 2]
        begin = self.offsets[c]
        x = self._pixels(a, b) if image else None
        ids = self.ids[begin : self.offsets[d]] if text else None
        offsets = self.offsets[c : d + 1] - begin if text else None
        return self.model._core.encode(x, ids, offsets, keep, 1, int(self.tokens))

    def _pixels(self, a: int, b: int) -> np.ndarray:
        n = len(self.x)
        if b <= n:
            return self.x[a:b]
        return np.stack([*self.x[a:n], *self.more[max(a - n, 0) : b - n]])


class Places:
    """Where a tower's rows belong: the first B to the samples, then one for each valid slot, set after set.

    Parameters
    ----------
    name : {"image", "text"}
    b : int
    **masks : ndarray of shape (B, K), uint8
        Valid slots, by the name of their set.
    """

    def __init__(self, name: str, b: int, **masks: np.ndarray) -> None:
        self.b, self.shapes = b, {name: (b,)} | {set_: mask.shape for set_, mask in masks.items()}
        self.slots = {name: np.arange(b)} | {set_: np.flatnonzero(mask) for set_, mask in masks.items()}

    def spread(self, rows: np.ndarray, empty: float = 0) -> dict[str, np.ndarray]:
        """Rows (n, ...) as sets (B, ...) and (B, K, ...), by name; slots that are not valid hold `empty`."""
        sets, first = {}, 0
        for name, shape in self.shapes.items():
            slots, size = self.slots[name], int(np.prod(shape))
            part = rows[first : first + len(slots)]
            first += len(slots)
            if len(slots) < size:
                part, valid = np.full((size, *rows.shape[1:]), empty, rows.dtype), part
                part[slots] = valid
            sets[name] = part.reshape(*shape, *rows.shape[1:])
        return sets

    def gather(self, result: Any, e: int) -> np.ndarray:
        """The inverse for the gradients of a result, such as ``result.dneg_text``; None there stands for 0."""
        parts = []
        for name, slots in self.slots.items():
            part = getattr(result, f"d{name}", None)
            parts.append(np.zeros((len(slots), e), np.float32) if part is None else part.reshape(-1, e)[slots])
        return np.concatenate(parts, dtype=np.float32, casting="same_kind")  # one's own may be float64


def evaluate(
    model: Clip,
    x: np.ndarray,
    captions: Any,
    *,
    negatives: Any,
    valid: Any,
    neg_images: Any,
    neg_image_valid: Any,
    positives: Any,
    pos_images: Any,
    pos_image_valid: Any,
    group: Any,
    objective: Any,
    teacher: Clip | None,
    types: Any,
    made: Any,
    made_seed: int,
    made_rows: Any,
    accumulate: int,
    towers: Collection[str],
    backward: bool,
) -> LossResult:
    """An objective on one batch, and its gradients; the parameters are those of ``Clip.loss``."""
    objective = _objective(objective)
    x = model._pixels(x)
    b = len(x)
    chunks = min(integer(accumulate, "accumulate", 1, 2**31), b)
    if isinstance(towers, str) or not set(towers) <= {"image", "text"}:
        raise ValueError(f'towers must be of "image" and "text", as ["text"], got {towers!r}')
    reads = _reads(objective, {"neg_image": neg_images if made is None else made, "pos_text": positives,
                               "pos_image": pos_images, "teacher_image": teacher, "teacher_text": teacher,
                               "bias": model.logit_bias})  # fmt: skip
    masks: dict[str, np.ndarray] = {}
    neg, masks["neg_text"] = valid_slots(negatives, valid, b)
    pos, masks["pos_text"] = valid_slots(positives if "pos_text" in reads else None, None, b, "positives")
    other, masks["neg_image"] = _pictures(model, "neg_image", neg_images, neg_image_valid, b, reads)
    same, masks["pos_image"] = _pictures(model, "pos_image", pos_images, pos_image_valid, b, reads)
    ids, offsets = _pack(model, captions, b, neg, pos)
    seen = Places("image", b, neg_image=masks["neg_image"], pos_image=masks["pos_image"])
    said = Places("text", b, neg_text=masks["neg_text"], pos_text=masks["pos_text"])

    rows = Towers(model, x, other + same, ids, offsets, chunks, towers, "score" in reads)
    image, text, patches, tokens = rows.encode(backward)
    given = _sets(seen.spread(image) | said.spread(text), masks, said.spread(text_keys(ids, offsets), -1), reads)
    if patches is not None and tokens is not None:
        own, starts = _own_tokens(said, offsets)
        given |= {"patches": patches[:b], "tokens": tokens[own], "token_offsets": starts}
    if types is not None:
        given["types"] = types
    if model.logit_bias is not None and "bias" in reads:
        given["bias"] = float(model.logit_bias)
    if teacher is not None:
        given |= _teach(teacher, model, x, captions, reads)
    margins = dict(objective.margins()) if callable(getattr(objective, "margins", None)) else {}
    r = objective.on(made=made, made_seed=made_seed, made_rows=made_rows, scale=float(np.exp(model.logit_scale)),
                     group=None if group is None else integers(group, "group"), backward=backward, **given)
    if backward:
        dpatches = dtokens = None
        if patches is not None and tokens is not None:
            dpatches, dtokens = np.zeros_like(patches), np.zeros_like(tokens)
            dpatches[:b], dtokens[own] = r.dpatches, r.dtokens
        e = model.config.embed
        rows.backward(seen.gather(r, e), said.gather(r, e), dpatches, dtokens)
        model.gradients()["logit_scale"][...] = r.dlog_scale
        if "bias" in reads:
            model.gradients()["logit_bias"][...] = r.dbias
    return LossResult(float(r.loss), dict(r.terms), r.accuracy, int(offsets[-1]), margins, objective, r)


def _sets(rows: dict[str, np.ndarray], masks: dict[str, np.ndarray], keys: dict[str, np.ndarray],
          reads: set[str]) -> dict[str, Any]:
    """Sets of rows, with masks and keys, as ``Objective.on`` takes them; a negative that is a positive is none."""
    given: dict[str, Any] = {"image": rows["image"], "text": rows["text"], "text_key": keys["text"]}
    for name, mask in masks.items():
        if mask.shape[1] or name in reads:
            given |= {name: rows[name], "valid" if name == "neg_text" else f"{name}_valid": mask}
    if "neg_text" in given:
        true = (keys["neg_text"][:, :, None] == keys["pos_text"][:, None, :]).any(2)
        given |= {"valid": masks["neg_text"] & ~true, "neg_key": keys["neg_text"]}
    return given


def _own_tokens(said: Places, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of the tokens of each sample's caption, then of its negatives, and where each of these begins."""
    place = said.spread(np.arange(len(offsets) - 1), -1)
    row = np.concatenate([place["text"][:, None], place["neg_text"]], 1).reshape(-1)
    length = np.where(row < 0, 0, offsets[row + 1] - offsets[row])
    starts = np.concatenate([[0], np.cumsum(length)])
    return np.repeat(offsets[row] - starts[:-1], length) + np.arange(starts[-1]), starts


def _objective(objective: Any) -> Any:
    if objective is None or isinstance(objective, str):
        return losses.get(objective or "infonce")
    if not callable(getattr(objective, "on", None)):
        raise TypeError(f"objective must be an Objective of vlmneg.losses, its name, or have .on, got {objective!r}")
    return objective


def _reads(objective: Any, given: dict[str, Any]) -> set[str]:
    """What the objective reads of what may be given; all of it where the objective doesn't say what it needs."""
    needs = getattr(objective, "needs", None)
    if needs is None:
        return {name for name, value in given.items() if value is not None}
    for name, value in given.items():
        if name in needs and value is None:
            who = "the model has none" if name == "bias" else "none was given"
            raise ValueError(f"{objective!r} reads {name}, and {who}: {_GIVE[name]}")
    return set(needs)


def _pictures(model: Clip, name: str, given: Any, valid: Any, b: int,
              reads: set[str]) -> tuple[list[np.ndarray], np.ndarray]:
    """The valid ones of pictures (B, M, 3, S, S) and their mask (B, M); nothing else is looked at."""
    if given is None and valid is not None:
        raise ValueError(f"{name}_valid describes {name}s, which are missing")
    if given is None or name not in reads:
        return [], np.zeros((b, 0), np.uint8)
    size = model.config.image_size
    shape = f"(B, M, 3, {size}, {size})"
    if not isinstance(given, np.ndarray) or given.dtype != np.float32:
        raise TypeError(f"{name}s must be a float32 array of shape {shape}, as preprocess gives pixels, got "
                        f"{getattr(given, 'dtype', type(given).__name__)}")
    if given.ndim != 5 or given.shape[0] != b or given.shape[2:] != (3, size, size):
        raise ValueError(f"{name}s must have shape {shape} with B = {b}, got {given.shape}")
    mask = slot_mask(valid, given.shape[:2], f"{name}_valid")
    return [model._pixels(given[i, j][None])[0] for i, j in np.argwhere(mask)], mask


def _pack(model: Clip, captions: Any, b: int, *further: Any) -> tuple[np.ndarray, np.ndarray]:
    """Captions and further ones, where there are any, as packed ids one after another."""
    ids, offsets = model.pack(captions)
    if len(offsets) - 1 != b:
        raise ValueError(f"there must be one caption per picture, got {len(offsets) - 1} for {b} pictures")
    for more in further:
        if more is not None and len(more):
            packed, ends = model.pack(more)
            ids, offsets = np.concatenate([ids, packed]), np.concatenate([offsets, ends[1:] + offsets[-1]])
    return ids, offsets


def _teach(teacher: Any, model: Clip, x: np.ndarray, captions: Any, reads: set[str]) -> dict[str, np.ndarray]:
    """Unit embeddings of the same pictures and captions by the teacher, which keeps nothing for a backward pass."""
    given = {}
    if not all(hasattr(teacher, name) for name in ("config", "encode_image", "encode_text")):
        raise TypeError(f"teacher must be a Clip, got {type(teacher).__name__}")
    if "teacher_image" in reads:
        ours, theirs = model.config, teacher.config
        if (ours.image_size, ours.mean, ours.std) != (theirs.image_size, theirs.mean, theirs.std):
            raise ValueError("the teacher must read the same pixels: image_size, mean and std of the model are "
                             f"{ours.image_size, ours.mean, ours.std}, and the teacher's "
                             f"{theirs.image_size, theirs.mean, theirs.std}")
        given["teacher_image"] = teacher.encode_image(x, normalize=True)
    if "teacher_text" in reads:
        given["teacher_text"] = teacher.encode_text(captions, normalize=True)
    return given
