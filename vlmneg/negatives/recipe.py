"""Negatives as a recipe describes them: one TOML file a method."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vlmneg.negatives.base import Negatives, mix
from vlmneg.negatives.embed import Embed
from vlmneg.negatives.image import ImageNegatives
from vlmneg.negatives.registry import find, names
from vlmneg.negatives.sides import Sides, pairs, sides
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
        whose slots follow one another; a name may also be one of `recipes()`. A table {mix = [tables with a weight],
        k} is a mix by weight. In a table, `type` names its slots. Negatives come back as they are.

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
    made = None
    for part in _parts(source):
        if isinstance(part, pairs):
            raise SettingsError(f"{part!r} is for training; take {part.images!r}, which tells the captions too")
        try:
            made = part if made is None else made + part
        except TypeError:
            raise SettingsError(f"{part.name} can't stand beside {made}: one makes captions and the other pictures; "
                                "take two recipes") from None
    if made is None:
        raise SettingsError("a recipe must name at least one generator")
    return made


def for_training(source: Any) -> Sides:
    """The negatives that a run's settings describe: of captions, pictures and embeddings, in any order.

    Parameters
    ----------
    source : str, path, mapping or list
        As `recipe` takes them, and tables {pairs = negatives of pictures, k, text}, whose captions
        are used too.

    Returns
    -------
    Sides

    Raises
    ------
    SettingsError
        As in `recipe`.

    Examples
    --------
    >>> for_training([{"pairs": "image.exact"}, {"name": "text.swap", "k": 1}]).types
    ('exact', 'swap')
    """
    try:
        return sides(list(_parts(source)))
    except TypeError as error:
        raise SettingsError(f"negatives: {error}") from None


def _parts(source: Any) -> Iterator[Any]:
    """The generators that a recipe names, one after the other."""
    if isinstance(source, (str, Path)):
        source = read_table(source, FOLDER)
    if isinstance(source, Mapping) and not {"name", "mix", "pairs"} & set(source):
        if "negatives" not in source:
            raise SettingsError('a recipe must have negatives, such as negatives = [{ name = "text.swap", k = 2 }]')
        source = source["negatives"]
    for entry in source if isinstance(source, list) else [source]:
        if isinstance(entry, str) and entry in recipes() and entry not in _known():
            yield from _parts(entry)
        elif isinstance(entry, Mapping) and "pairs" in entry:
            yield _pairs(entry)
        else:
            yield _mix(entry) if isinstance(entry, Mapping) and "mix" in entry else _generator(entry)


def _pairs(table: Mapping[str, Any]) -> pairs:
    check_keys(table, ["pairs", "k", "text"], "negatives.")
    inner = table["pairs"]
    images = recipe(inner if isinstance(inner, list) else [inner])
    try:
        return pairs(images, k=table.get("k"), text=recipe([table["text"]]) if "text" in table else None)
    except (ValueError, TypeError) as error:
        raise SettingsError(f"negatives.pairs: {error}") from None


def _known() -> list[str]:
    """Names of generators, with their modality and without."""
    return [*{n.split(".", 1)[1] for n in names()}, *names()]


def _generator(entry: str | Mapping[str, Any]) -> Any:
    table = {"name": entry} if isinstance(entry, str) else entry
    if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
        raise SettingsError(f"negatives must have a name, one of {', '.join(names())}, got {entry!r}")
    check_keys([table["name"]], _known(), "negatives ")
    options = {k: v for k, v in table.items() if k not in ("name", "type")}
    made = call(find(table["name"]), options, f"negatives.{table['name']}.")
    if "type" in table:
        if not isinstance(table["type"], str) or not table["type"]:
            raise SettingsError(f"negatives.{table['name']}.type must be a name, got {table['type']!r}")
        made.slot_type = table["type"]
    return made


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
