"""Captions in every accepted form as packed ids, more of them beside each picture, and numbers that tell equal ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vlmneg.config import ClipConfig


def integers(x: Any, name: str) -> np.ndarray:
    """An array of integers, whatever their width.

    Parameters
    ----------
    x : array_like
    name : str
        What it is, for the message.

    Returns
    -------
    ndarray of integers

    Raises
    ------
    TypeError
        For anything else.
    """
    array = np.asarray(x)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, got {array.dtype}")
    return array


def _ids(x: Any, name: str) -> np.ndarray:
    try:
        array = np.asarray(x)
    except ValueError as error:  # rows of different lengths, or strings among them
        raise TypeError(f"{name} must be strings or integers in rows of one length") from error
    if array.dtype.kind not in "iu" or array.size == 0:
        raise TypeError(f"{name} must be integers or strings, and not empty; got {array.dtype} of shape {array.shape}")
    if array.min() < -(2**31) or array.max() >= 2**31:
        raise ValueError(f"{name} must fit into 32 bits, got {array.min()} to {array.max()}")
    return array


def check_packed(text: tuple[Any, Any], c: ClipConfig) -> tuple[np.ndarray, np.ndarray]:
    """Packed ids that were handed in, checked.

    Parameters
    ----------
    text : pair of arrays of integers
        Ids (T,) and offsets (N + 1,): caption n is ``ids[offsets[n]:offsets[n + 1]]``, its end token last.
    c : ClipConfig

    Returns
    -------
    ids : ndarray of shape (T,), int32
    offsets : ndarray of shape (N + 1,), int32

    Raises
    ------
    ValueError, TypeError
        When they are not that.
    """
    ids, offsets = _ids(text[0], "packed ids"), _ids(text[1], "offsets").astype(np.int64)
    if ids.ndim != 1 or offsets.ndim != 1 or len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != len(ids):
        raise ValueError(
            "packed captions are (ids (T,), offsets (N + 1,)) with offsets from 0 to T, "
            f"got shapes {ids.shape} and {offsets.shape}"
        )
    if (np.diff(offsets) < 1).any():
        raise ValueError("offsets must rise: a packed caption has at least its end token")
    if not np.array_equal(np.flatnonzero(ids == c.end), offsets[1:] - 1):
        raise ValueError(f"each packed caption must hold the end token {c.end} once, as its last id")
    return np.ascontiguousarray(ids, np.int32), np.ascontiguousarray(offsets, np.int32)


def pack_padded(text: Any, c: ClipConfig) -> tuple[np.ndarray, np.ndarray]:
    """Padded rows as packed ids, each cut at its first end token.

    Parameters
    ----------
    text : array_like of shape (N, L), integers
        L is at most the context.
    c : ClipConfig

    Returns
    -------
    ids : ndarray of shape (T,), int32
    offsets : ndarray of shape (N + 1,), int32

    Raises
    ------
    ValueError, TypeError
        For another shape, or a row without an end token.

    Examples
    --------
    >>> ids, offsets = pack_padded([[598, 3, 599, 0], [598, 4, 5, 599]], ClipConfig.tiny(vocab=600))
    >>> ids.tolist(), offsets.tolist()
    ([598, 3, 599, 598, 4, 5, 599], [0, 3, 7])
    """
    rows = _ids(text, "caption ids")
    if rows.ndim != 2 or rows.shape[1] > c.context:
        raise ValueError(f"ids must have shape (N, L) with L at most {c.context}, got {rows.shape}")
    is_end = rows == c.end
    if not is_end.any(1).all():
        raise ValueError(
            f"row {int(np.argmin(is_end.any(1)))} has no end token {c.end}; "
            "pooling would be undefined: use the tokenizer that belongs to the model"
        )
    lengths = is_end.argmax(1) + 1
    inside = np.arange(rows.shape[1]) < lengths[:, None]
    offsets = np.zeros(len(rows) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return np.ascontiguousarray(rows[inside], np.int32), offsets


def valid_slots(given: Any, valid: Any, b: int, name: str = "negatives") -> tuple[Any, np.ndarray]:
    """Captions beside each picture, those that count in order, and the mask that says where they belong.

    Parameters
    ----------
    given : list of b lists of str, result of a negatives object, ids (b, K, L), or None
    valid : array_like of shape (b, K), uint8 or bool, or None
        0 takes a caption out.
    b : int
        Number of pictures.
    name : str
        What the captions are, for the message.

    Returns
    -------
    captions : list of str, ids (n, L), or None
    mask : ndarray of shape (b, K), uint8

    Raises
    ------
    ValueError, TypeError
        For another shape or type.

    Examples
    --------
    >>> captions, mask = valid_slots([["a cat"], ["two dogs", ""]], None, 2)
    >>> captions, mask.tolist()
    (['a cat', 'two dogs'], [[1, 0], [1, 0]])
    """
    if given is None:
        if valid is not None:
            raise ValueError(f"valid says which {name} count, and no {name} are given")
        return None, np.zeros((b, 0), np.uint8)
    if hasattr(given, "text") and hasattr(given, "valid"):
        valid = given.valid if valid is None else valid
        given = given.text
    if isinstance(given, str) or not isinstance(given, (Sequence, np.ndarray)):
        raise TypeError(f"{name} must be a list of lists of strings, got {type(given).__name__}")
    if len(given) != b:
        raise ValueError(f"{name} must have one row per picture, got {len(given)} rows for {b} pictures")
    if isinstance(given, np.ndarray):
        if given.ndim != 3:
            raise ValueError(f"ids of {name} must have shape (B, K, L), got {given.shape}")
        mask = np.ones(given.shape[:2], np.uint8)
    else:
        rows = all(isinstance(row, Sequence) and not isinstance(row, (str, bytes)) for row in given)
        if not rows or not all(isinstance(caption, str) for row in given for caption in row):
            raise TypeError(f'{name} must be a list of lists of strings, such as [["a cat"], ["two dogs"]]')
        k = max((len(row) for row in given), default=0)
        mask = np.array([[int(j < len(row) and bool(row[j])) for j in range(k)] for row in given], np.uint8)
        mask = mask.reshape(b, k)
    if valid is not None:
        mask = mask & slot_mask(valid, mask.shape, "valid")
    if isinstance(given, np.ndarray):
        return given[mask != 0], mask
    return [row[j] for row, m in zip(given, mask, strict=True) for j in np.flatnonzero(m)], mask


def slot_mask(valid: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Ones and zeros of a shape.

    Parameters
    ----------
    valid : array_like of uint8, bool or another integer; None for ones
    shape : tuple of int
    name : str
        For the message.

    Returns
    -------
    ndarray of uint8

    Raises
    ------
    ValueError, TypeError
        For another shape or type.

    Examples
    --------
    >>> slot_mask([[True, False]], (1, 2), "valid")
    array([[1, 0]], dtype=uint8)
    """
    if valid is None:
        return np.ones(shape, np.uint8)
    valid = np.asarray(valid)
    if valid.dtype.kind not in "biu":
        raise TypeError(f"{name} must be uint8 or bool, got {valid.dtype}")
    if valid.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {valid.shape}")
    return (valid != 0).astype(np.uint8)


def text_keys(ids: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """A number per caption, equal exactly when the token ids are.

    Parameters
    ----------
    ids : ndarray of shape (T,), int32
    offsets : ndarray of shape (N + 1,), int32

    Returns
    -------
    ndarray of shape (N,), int64
    """
    seen: dict[bytes, int] = {}
    raw, ends = ids.tobytes(), (offsets * 4).tolist()
    keys = [seen.setdefault(raw[a:z], len(seen)) for a, z in zip(ends[:-1], ends[1:], strict=True)]
    return np.array(keys, np.int64)
