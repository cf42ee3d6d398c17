"""What the pipeline asks of models: plain callables.

`name`, `version` and `settings`, a dict of what its answers depend on, go into the key of every answer that is kept;
`concurrency` is the number of calls a plug-in takes at a time. All four may be missing. A picture is an RGB
`PIL.Image.Image`; of a photograph, `picture.info["name"]` is its file's name.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np


class Tags(NamedTuple):
    """What a picture shows: names of things, and one sentence."""

    tags: tuple[str, ...]
    caption: str


class Boxes(NamedTuple):
    """Where phrases were found: (n, 4) boxes (left, top, right, bottom) in pixels, n scores, n phrases."""

    boxes: Any
    scores: Any
    phrases: tuple[str, ...]


class Portrayal(NamedTuple):
    """What an item could be instead: a description to paint from, and two or three words of what is seen."""

    long: str
    short: str


class Tagger(Protocol):
    """Names what a picture shows."""

    def __call__(self, picture: Any, /) -> Tags: ...


class Grounder(Protocol):
    """Finds phrases in a picture, best first for each."""

    def __call__(self, picture: Any, phrases: tuple[str, ...], /) -> Boxes: ...


class Writer(Protocol):
    """Thinks of portrayals of an item of a sentence."""

    def __call__(self, sentence: str, item: str, /) -> list[Portrayal]: ...


class Segmenter(Protocol):
    """The mask (H, W), bool, of what a box (left, top, right, bottom) holds."""

    def __call__(self, picture: Any, box: tuple[float, ...], /) -> np.ndarray: ...


class Inpainter(Protocol):
    """The picture with what is under the mask (H, W), bool, painted anew."""

    def __call__(self, picture: Any, mask: np.ndarray, prompt: str, seed: int, /) -> Any: ...


class Matcher(Protocol):
    """How well a caption fits a picture, as a logit: above 0 it does."""

    def __call__(self, picture: Any, caption: str, /) -> float: ...


class Dropped(Exception):
    """What a plug-in raises, with its reason, where it has no answer and never will: no failure, nothing to repeat."""


class Unavailable(RuntimeError):
    """What a plug-in raises when it cannot work at all, such as a model that is not there: the run stops at once."""


def identity(plugin: Any) -> dict[str, Any]:
    """What tells one plug-in's answers from another's.

    Parameters
    ----------
    plugin : callable
        With `name`, `version` and `settings` where it has them; a dataclass has its fields as settings.

    Returns
    -------
    dict

    Examples
    --------
    >>> def tag(picture): return Tags(("dog",), "a dog")
    >>> identity(tag)
    {'name': 'tag', 'version': '', 'settings': {}}
    """
    settings = getattr(plugin, "settings", None)
    if settings is None and dataclasses.is_dataclass(plugin):
        settings = {f.name: getattr(plugin, f.name) for f in dataclasses.fields(plugin) if f.repr}
    name = getattr(plugin, "name", None) or getattr(plugin, "__name__", type(plugin).__name__)
    settings = dict(settings) if isinstance(settings, Mapping) else {}
    try:
        json.dumps(settings, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TypeError(f"settings of {name} must be what JSON holds, as answers are kept by them: {error}") from None
    return {"name": str(name), "version": str(getattr(plugin, "version", "")), "settings": settings}
