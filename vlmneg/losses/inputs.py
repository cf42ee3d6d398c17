"""Arrays of a batch as the core takes them, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vlmneg.arrays import floats, mask

from .state import Notes
from .term import SETS, nearest


def sets_of(given: Sequence[Any]) -> dict[str, Any]:
    """Rows by the name of their set, in the order of `SETS`; None where there are none."""
    return {name: None if x is None else floats(x, name) for name, x in zip(SETS, given, strict=True)}


def masks_of(sets: Mapping[str, Any], valids: Mapping[str, Any], text_key: Any, neg_key: Any) -> dict[str, Any]:
    """Masks of the sets that have slots; what describes rows that are missing is refused."""
    for name, held in valids.items():
        if sets[name] is None and held is not None:
            raise ValueError(f"{mask_name(name)} describes {name}, which is missing")
    if sets["neg_text"] is None and neg_key is not None:
        raise ValueError("neg_key describes neg_text, which is missing")
    if neg_key is not None and text_key is None:
        raise ValueError("neg_key is compared with text_key, which is missing")
    return {name: mask(held, mask_name(name)) for name, held in valids.items()}


def score_slots(b: int, k: int, valid: np.ndarray | None, rows: np.ndarray | None) -> np.ndarray:
    """Which of the (B, 1 + K) scores there are: those of captions, and of valid negatives, of samples that exist."""
    for name, x, shape in (("valid", valid, (b, k)), ("rows", rows, (b,))):
        if x is not None and x.shape != shape:
            raise ValueError(f"{name} must have shape {shape}, got {x.shape}")
    live = np.ones((b, 1 + k), np.uint8)
    live[:, 1:] = 1 if valid is None else valid != 0
    return live if rows is None else live * (rows != 0)[:, None].astype(np.uint8)


def mask_name(name: str) -> str:
    """How the argument is called that says which slots of a set are valid."""
    return "valid" if name == "neg_text" else f"{name}_valid"


def notes_of(notes: np.ndarray, pairs: float, rows: int) -> Notes:
    """The core's (K, 5) notes."""
    count, gap, top, cosine, nonzero = notes.T
    return Notes(count.astype(int), gap, np.where(count > 0, top, -np.inf), cosine, nonzero.astype(int), pairs, rows)


def room(out: Mapping[str, np.ndarray] | None, name: str, like: np.ndarray | None) -> np.ndarray | None:
    """Where a gradient goes: the caller's array, or a new one like the rows."""
    known = ["dpatches", "dtokens", *(f"d{name}" for name in SETS if not name.startswith("teacher"))]
    for key in out or ():
        if key not in known:
            raise ValueError(f"out has no place for {key!r}{nearest(key, known)}")
    if like is None:
        return None
    if not out or name not in out:
        return np.empty_like(like)
    x = out[name]
    if not isinstance(x, np.ndarray) or x.dtype != np.float32 or x.shape != like.shape:
        got = f"{x.dtype} of shape {x.shape}" if isinstance(x, np.ndarray) else type(x).__name__
        raise ValueError(f"out[{name!r}] must be a float32 array of shape {like.shape}, got {got}")
    return x


def apart(out: Mapping[str, np.ndarray], given: Mapping[str, Any]) -> None:
    """Refuse a place for a gradient that is also an input's, or another gradient's."""
    written = {f"out[{name!r}]": x for name, x in out.items()}
    others = {**{name: x for name, x in given.items() if isinstance(x, np.ndarray)}, **written}
    for name, x in written.items():
        for other, y in others.items():
            if other != name and np.may_share_memory(x, y):
                raise ValueError(f"{name} shares memory with {other}: give each gradient an array of its own")


def names_of(types: Any, slots: int) -> None:
    """Refuse names of slots that are no strings, or more than there are slots."""
    if types is None:
        return
    if isinstance(types, str) or not isinstance(types, Sequence) or not all(isinstance(x, str) for x in types):
        raise TypeError(f"types must be a list of strings, one a slot, got {types!r:.80}")
    if len(types) > slots > 0:
        raise ValueError(f"types names {len(types)} slots, but there are {slots}")
