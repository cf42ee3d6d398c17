"""Objectives: weighted sums of named terms, computed by the tile engine of the C core.

>>> import vlmneg as vn
>>> {'itc', 'negclip', 'own'} <= set(vn.losses.names())
True
>>> vn.losses.negclip() + 0.2 * vn.losses.infonce()
itc() + 0.2 * itc(negatives='none')

Every term of the core is a function of this module, with its parameters as keywords: ``itc(negatives="own")``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from .named import (
    NAMED,
    ahnpl,
    ce_clip,
    clip,
    dac,
    fsc,
    get,
    gnm,
    infonce,
    names,
    negclip,
    roesch,
    siglip,
    tripletclip,
    tsvlc,
)
from .objective import Objective, Result
from .term import TERMS, Parameter, Term

__all__ = ["NAMED", "Objective", "Parameter", "Result", "Term", "ahnpl", "ce_clip", "clip", "dac", "fsc", "get", "gnm",
           "infonce", "names", "negclip", "roesch", "siglip", "tripletclip", "tsvlc"]


def __getattr__(name: str) -> Callable[..., Objective]:
    if name not in TERMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    doc, params = TERMS[name].doc, TERMS[name].params

    def term(**values: Any) -> Objective:
        return get(name, **values)

    lines = [f"{p.name} : {p.range}, default {p.start!r}\n        {p.doc[0].upper() + p.doc[1:]}." for p in params]
    term.__name__ = term.__qualname__ = name
    term.__doc__ = (f"{doc[0].upper() + doc[1:]}.\n\n    Parameters\n    ----------\n    "
                    + "\n    ".join(lines) + "\n\n    Returns\n    -------\n    Objective\n    ")
    term.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(p.name, inspect.Parameter.KEYWORD_ONLY, default=p.start) for p in params])
    globals()[name] = term
    return term


def __dir__() -> Iterator[str]:
    return iter(sorted({*globals(), *TERMS}))
