"""Arguments on their way to the core: arrays contiguous and never cast, numbers in their range."""

from __future__ import annotations

from typing import Any

import numpy as np


def floats(x: Any, name: str) -> np.ndarray:
    """Rows of numbers.

    Parameters
    ----------
    x : ndarray
    name : str
        For the message.

    Returns
    -------
    ndarray, contiguous

    Raises
    ------
    TypeError
        It is no array.

    Examples
    --------
    >>> floats(np.zeros((2, 4), "f4")[:, ::2], "image").flags.c_contiguous
    True
    """
    return np.ascontiguousarray(_array(x, name, "float32"))


def mask(x: Any, name: str) -> np.ndarray | None:
    """Ones and zeros, as uint8 or bool; None stays None.

    Parameters
    ----------
    x : ndarray or None
    name : str
        For the message.

    Returns
    -------
    ndarray of uint8, or None

    Raises
    ------
    TypeError
        It is no array.

    Examples
    --------
    >>> mask(np.array([True, False]), "valid")
    array([1, 0], dtype=uint8)
    """
    if x is None:
        return None
    x = _array(x, name, "uint8")
    return np.ascontiguousarray(x.view(np.uint8) if x.dtype == np.bool_ else x)


def numbers(x: Any, name: str) -> np.ndarray | None:
    """Integers of any width; None stays None.

    Parameters
    ----------
    x : ndarray or None
    name : str
        For the message.

    Returns
    -------
    ndarray of int64, or None

    Raises
    ------
    TypeError
        It is no array, or holds no integers.

    Examples
    --------
    >>> numbers(np.array([3], "i2"), "group").dtype
    dtype('int64')
    """
    if x is None:
        return None
    x = _array(x, name, "integers")
    if x.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, got {x.dtype}")
    return np.ascontiguousarray(x).astype(np.int64, copy=False)


def integer(value: Any, name: str, low: int, high: int) -> int:
    """An integer in [low, high).

    Parameters
    ----------
    value : int
    name : str
        For the message.
    low, high : int

    Returns
    -------
    int

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> integer(np.int64(3), "k", 1, 17)
    3
    """
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an integer, got {value!r:.40}")
    if not low <= value.__index__() < high:
        raise ValueError(f"{name} must be in [{low}, {high}), got {value}")
    return int(value.__index__())


def number(value: Any, name: str, low: float, high: float) -> float:
    """A number in [low, high].

    Parameters
    ----------
    value : float
    name : str
        For the message.
    low, high : float

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> number(1, "factor", 0, 10)
    1.0
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} must be a number, got {value!r:.40}")
    if not low <= value <= high:
        raise ValueError(f"{name} must be in [{low:g}, {high:g}], got {value}")
    return float(value)


def row_numbers(rows: Any, count: int) -> np.ndarray:
    """Numbers of the samples.

    Parameters
    ----------
    rows : sequence of count int in [0, 2**64), or None
    count : int

    Returns
    -------
    ndarray of shape (count,), uint64

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> row_numbers(None, 3)
    array([0, 1, 2], dtype=uint64)
    """
    if rows is None:
        return np.arange(count, dtype=np.uint64)
    rows = np.asarray(rows)
    if rows.dtype.kind not in "iu":
        raise TypeError(f"rows must hold integers, one a sample, got {rows.dtype}")
    if rows.shape != (count,):
        raise ValueError(f"rows must hold one integer a sample, {count}, got shape {rows.shape}")
    if rows.dtype.kind == "i" and (rows < 0).any():
        raise ValueError(f"rows must be in [0, 2**64), got {rows.min()}")
    return np.ascontiguousarray(rows, np.uint64)


def flag(value: Any, name: str) -> float:
    """A bool as the core takes it.

    Parameters
    ----------
    value : bool
    name : str
        For the message.

    Returns
    -------
    float

    Raises
    ------
    TypeError

    Examples
    --------
    >>> flag(True, "detach")
    1.0
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r:.40}")
    return float(value)


def _array(x: Any, name: str, wanted: str) -> np.ndarray:
    if not isinstance(x, np.ndarray):
        raise TypeError(f"{name} must be a NumPy array of {wanted}, got {type(x).__name__}")
    return x
