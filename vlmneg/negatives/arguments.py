"""Arguments that negatives of captions and of pictures share: strings, a value a row, random rows."""

from collections.abc import Callable

import numpy as np

from vlmneg.arrays import integer


def strings(values, name):
    """Strings that UTF-8 can hold.

    Parameters
    ----------
    values : list of str
    name : str
        For the message.

    Returns
    -------
    tuple of str

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> strings(["a dog"], "captions")
    ('a dog',)
    """
    if isinstance(values, str) or not hasattr(values, "__len__"):
        raise TypeError(f"{name} must be a list of str, got {type(values).__name__}; put one caption into a list")
    values = tuple(values)
    if _ascii(values):
        return values
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


def _ascii(values):
    """Whether all are strings of plain ASCII, found out fast."""
    try:
        return all(map(str.isascii, values))
    except TypeError:
        return False


def by_row(values, name, n, what):
    """A list with one item a row.

    Parameters
    ----------
    values : list of n
    name : str
        For the message.
    n : int
    what : str
        What a row is: "caption" or "picture".

    Returns
    -------
    list
        As it came.

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> by_row([None, None], "objects", 2, "picture")
    [None, None]
    """
    if isinstance(values, str) or not hasattr(values, "__len__") or hasattr(values, "masks"):
        raise TypeError(f"{name} must be a list with one item a {what}, got {type(values).__name__}")
    if len(values) != n:
        raise ValueError(f"{name} must have one item a {what}, {n}, got {len(values)}")
    return values


def random_rows(n: int, visit: int, ids, own: Callable, what: str) -> np.ndarray:
    """Rows of the random sequence: visit * 2**32 + id.

    Parameters
    ----------
    n : int
    visit : int in [0, 2**32), or n of them
    ids : sequence of n int in [0, 2**32), or None
    own : callable
        Gives an iterator over n ids where none are given.
    what : str
        What a row is: "caption" or "picture".

    Returns
    -------
    ndarray of shape (n,), uint64

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> random_rows(2, 1, [5, 6], None, "caption") - 2**32
    array([5, 6], dtype=uint64)
    """
    if isinstance(visit, (list, tuple, np.ndarray)):
        visits = _words(visit, "visit", n, what)
    else:
        visits = np.uint64(integer(visit, "visit", 0, 2**32))
    ids = np.fromiter(own(), np.uint64, n) if ids is None else _words(ids, "ids", n, what)
    return (visits << np.uint64(32)) + ids


def _words(values, name: str, n: int, what: str) -> np.ndarray:
    values = np.asarray(values)
    if values.shape != (n,):
        raise ValueError(f"{name} must hold one integer a {what}, {n}, got shape {values.shape}")
    if values.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, got {values.dtype}")
    if values.min() < 0 or values.max() >= 2**32:
        raise ValueError(f"{name} must be in [0, 2**32), got {values.min()} to {values.max()}")
    return values.astype(np.uint64)
