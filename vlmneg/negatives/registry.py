"""Generators by name: the package's, those that a notebook registers, and those of installed packages."""

import importlib
import importlib.metadata
from typing import Any

GROUP = "vlmneg.negatives"
MODALITIES = ("text", "image", "embed")
_registered: dict[str, Any] = {}


def register(modality):
    """Decorator that makes a generator's class known by its `name`.

    Parameters
    ----------
    modality : str
        One of "text", "image", "embed".

    Returns
    -------
    callable
        Takes the class and gives it back.

    Raises
    ------
    ValueError
        The class has no name, or the name is taken.

    Examples
    --------
    >>> import numpy as np
    >>> from vlmneg.negatives import Negatives, register
    >>> @register("text")
    ... class shout(Negatives):
    ...     name = "shout"
    ...     def __init__(self, *, k=1):
    ...         super().__init__(k=k)
    ...     def draw(self, request, taken, first):
    ...         text = [[f"not {c}"] * self.k for c in request.captions]
    ...         return text, [["shout"] * self.k] * len(text), np.zeros((len(text), self.k), np.uint8)
    >>> from vlmneg.negatives import get
    >>> get("text.shout")(["a dog"]).text
    [['not a dog']]
    """
    _check_modality(modality)

    def known(maker):
        name = getattr(maker, "name", "")
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(f"a generator needs a name that is an identifier, got {name!r}")
        if name in _built_in(modality):
            raise ValueError(f"{modality}.{name} is a generator of the package; choose another name")
        _registered[f"{modality}.{name}"] = maker
        return maker

    return known


def names(modality=None):
    """Names of all generators: the package's, registered ones, and installed packages' (which aren't imported for it).

    Parameters
    ----------
    modality : str, optional
        "text", "image" or "embed": its generators alone, without the prefix.

    Returns
    -------
    list of str

    Examples
    --------
    >>> [name for name in names("text") if name in ("exact", "replace", "swap")]
    ['exact', 'replace', 'swap']
    """
    if modality is not None:
        _check_modality(modality)
    found = {f"{m}.{name}" for m in MODALITIES for name in _built_in(m)} | set(_registered) | set(_entry_points())
    return sorted(found) if modality is None else sorted(
        name.split(".", 1)[1] for name in found if name.startswith(f"{modality}."))


def find(name):
    """The class behind a name, "text.swap" or, where one modality alone or text has it, "swap".

    Parameters
    ----------
    name : str
        One of `names()`.

    Returns
    -------
    type

    Raises
    ------
    ValueError
        There is no such generator, or the package it comes from can't be imported.

    Examples
    --------
    >>> find("swap").__name__
    'swap'
    """
    known = names()
    full = name
    if isinstance(name, str) and "." not in name:
        having = [n for n in known if n.split(".", 1)[1] == name]
        full = f"text.{name}" if f"text.{name}" in having or len(having) != 1 else having[0]
    if full not in known:
        raise ValueError(f"there are no negatives {name!r}; there are {', '.join(known)}")
    modality, last = full.split(".", 1)
    if last in _built_in(modality):
        return getattr(importlib.import_module(f"vlmneg.negatives.{modality}"), last)
    if full in _registered:
        return _registered[full]
    point = _entry_points()[full]
    try:
        return point.load()
    except Exception as error:
        raise ValueError(f"{full} of {point.value} can't be imported: {type(error).__name__}: {error}") from error


def get(name, **parameters):
    """Negatives by name.

    Parameters
    ----------
    name : str
        One of `names()`; the modality may be left out: text is looked at first.
    **parameters
        Of that class.

    Returns
    -------
    Negatives

    Examples
    --------
    >>> get("text.swap", k=3)
    swap(k=3, kinds=None)
    """
    return find(name)(**parameters)


def _check_modality(modality):
    if modality not in MODALITIES:
        raise ValueError(f"modality must be one of {', '.join(MODALITIES)}, got {modality!r}")


def _built_in(modality):
    """Names of a package's generators."""
    package = importlib.import_module(f"vlmneg.negatives.{modality}")
    return [n for n in package.__all__ if getattr(getattr(package, n), "name", "") == n]


def _entry_points():
    """Those of installed packages, by name; a name without a modality or of the package's own is left out."""
    return {p.name: p for p in importlib.metadata.entry_points(group=GROUP)
            if p.name.split(".")[0] in MODALITIES and p.name.count(".") == 1}
