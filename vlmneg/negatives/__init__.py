"""Negatives: captions that are false of an image but close to what is true."""

from vlmneg.negatives import text
from vlmneg.negatives.base import Negatives, Result
from vlmneg.negatives.rules import key

__all__ = ["Negatives", "Result", "get", "key", "names", "text"]

_MAKERS = {"exact": text.exact, "replace": text.replace, "swap": text.swap}


def names():
    """Names of all negatives.

    Returns
    -------
    list of str

    Examples
    --------
    >>> names()
    ['exact', 'replace', 'swap']
    """
    return sorted(_MAKERS)


def get(name, **parameters):
    """Negatives by name.

    Parameters
    ----------
    name : str
        One of `names()`.
    **parameters
        Of that class.

    Returns
    -------
    Negatives

    Examples
    --------
    >>> get("swap", k=3)
    swap(k=3, kinds=None)
    """
    if not isinstance(name, str) or name not in _MAKERS:
        raise ValueError(f"there are no negatives {name!r}; there are {', '.join(names())}")
    return _MAKERS[name](**parameters)
