"""Objectives by name: the terms of the core, and the settings of them that papers use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .objective import Objective
from .term import TERMS, Term, nearest


def infonce(**params: Any) -> Objective:
    """Symmetric InfoNCE, as CLIP trains: `itc` with ``negatives="none"``.

    Parameters
    ----------
    **params
        Parameters of `itc`.

    Returns
    -------
    Objective

    References
    ----------
    Radford et al., Learning transferable visual models from natural language supervision. arXiv:2103.00020.

    Examples
    --------
    >>> infonce(duplicates="off")
    itc(negatives='none', duplicates='off')
    """
    return _one("itc", {"negatives": "none", **params})


def negclip(**params: Any) -> Objective:
    """InfoNCE whose images also see negative captions: `itc` with ``negatives="shared"``, or "own" on request.

    Parameters
    ----------
    **params
        Parameters of `itc`.

    Returns
    -------
    Objective

    References
    ----------
    Yuksekgonul et al., When and why vision-language models behave like bags-of-words. arXiv:2210.01936.

    Examples
    --------
    >>> negclip(negatives="own")
    itc(negatives='own')
    """
    return _one("itc", {"negatives": "shared", **params})


_NAMED: dict[str, Callable[..., Objective]] = {"infonce": infonce, "negclip": negclip}


def _one(name: str, params: Mapping[str, Any]) -> Objective:
    return Objective([Term(name, 1.0, params)])


def names() -> list[str]:
    """Names that `get` takes: the terms of the core and named settings of them.

    Returns
    -------
    list of str

    Examples
    --------
    >>> "negclip" in names()
    True
    """
    return sorted([*TERMS, *_NAMED])


def get(name: str, **params: Any) -> Objective:
    """An objective by name.

    Parameters
    ----------
    name : str
        One of `names`.
    **params
        Parameters of the term.

    Returns
    -------
    Objective

    Raises
    ------
    ValueError, TypeError
        For an unknown name or parameter, with the nearest one; for a value outside its range.

    Examples
    --------
    >>> get("itc", negatives="own", image_to_text=1, text_to_image=0)
    itc(negatives='own', image_to_text=1.0, text_to_image=0.0)
    """
    if not isinstance(name, str):
        raise TypeError(f"an objective's name must be a string, got {name!r:.80}")
    if name in _NAMED:
        return _NAMED[name](**params)
    if name in TERMS:
        return _one(name, params)
    raise ValueError(f"there is no objective {name!r}{nearest(name, names())} (names: {', '.join(names())})")
