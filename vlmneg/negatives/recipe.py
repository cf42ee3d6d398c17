"""Negatives as a recipe describes them: one TOML file a method."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vlmneg.negatives.base import Negatives, mix
from vlmneg.negatives.embed import Embed
from vlmneg.negatives.image import ImageNegatives
from vlmneg.negatives.registry import find, names
from vlmneg.settings import SettingsError, check_keys, read_table
from vlmneg.settings import recipes as listed

FOLDER = Path(__file__).with_name("recipes")


def recipes() -> list[str]:
    """Names of the package's recipes.

    Returns
    -------
    list of str

    Examples
    --------
    >>> "negclip" in recipes()
    True
    """
    return listed(FOLDER)


def recipe(source: Any) -> Any:
    """The negatives that a recipe describes.

    Parameters
    ----------
    source : str, path, mapping, list or Negatives
        A name of `recipes()`; a TOML file whose `negatives` is such a list; a list of names and tables {name, k, ...},
        whose slots follow one another. A table {mix = [tables with a weight], k} is a mix by weight. Negatives come
        back as they are.

    Returns
    -------
    Negatives

    Raises
    ------
    SettingsError
        A name or parameter that doesn't exist, with the nearest, or one out of range.

    Examples
    --------
    >>> recipe("negclip")
    swap(k=1, kinds=None)
    >>> recipe([{"name": "text.swap", "k": 1}, {"mix": ["text.swap", "text.replace"], "k": 2}]).k
    3
    """
    if isinstance(source, (Negatives, ImageNegatives, Embed)):
        return source
    if isinstance(source, (str, Path)):
        source = read_table(source, FOLDER)
    if isinstance(source, Mapping) and "name" not in source and "mix" not in source:
        if "negatives" not in source:
            raise SettingsError('a recipe must have negatives, such as negatives = [{ name = "text.swap", k = 2 }]')
        source = source["negatives"]
    made = None
    for entry in source if isinstance(source, list) else [source]:
        part = _mix(entry) if isinstance(entry, Mapping) and "mix" in entry else _generator(entry)
        try:
            made = part if made is None else made + part
        except TypeError:
            raise SettingsError(f"{part.name} can't stand beside {made}: one makes captions and the other pictures; "
                                "take two recipes") from None
    if made is None:
        raise SettingsError("a recipe must name at least one generator")
    return made


def _generator(entry: str | Mapping[str, Any]) -> Any:
    known = names()
    short = {n.split(".", 1)[1] for n in known}
    table = {"name": entry} if isinstance(entry, str) else entry
    if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
        raise SettingsError(f"negatives must have a name, one of {', '.join(known)}, got {entry!r}")
    check_keys([table["name"]], [*sorted(short), *known], "negatives ")
    return call(find(table["name"]), {k: v for k, v in table.items() if k != "name"}, f"negatives.{table['name']}.")


def _mix(table: Mapping[str, Any]) -> Any:
    check_keys(table, ["mix", "k"], "negatives.")
    if not isinstance(table["mix"], list) or not all(isinstance(e, (str, Mapping)) for e in table["mix"]):
        raise SettingsError(f"negatives.mix must be a list of names and tables, got {table['mix']!r}")
    entries = [{"name": e} if isinstance(e, str) else dict(e) for e in table["mix"]]
    weights = [e.pop("weight", 1.0) for e in entries]
    try:
        return mix(*map(_generator, entries), weights=weights, k=table.get("k", 1))
    except (ValueError, TypeError) as error:
        raise SettingsError(f"negatives.mix: {error}") from None


def call(make: Callable, options: dict[str, Any], prefix: str) -> Any:
    """make(**options), unknown or missing options refused by name."""
    parameters = inspect.signature(make).parameters
    check_keys(options, parameters, prefix)
    missing = [n for n, p in parameters.items() if p.default is p.empty and n not in options
               and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if missing:
        raise SettingsError(f"{prefix}{missing[0]} must be set")
    try:
        return make(**options)
    except (ValueError, TypeError) as error:
        raise SettingsError(f"{prefix.rstrip('.')}: {error}") from None
