"""Settings of a run: frozen dataclasses, read from TOML, overridden by key=value, refused where they don't fit."""

from __future__ import annotations

import copy
import dataclasses
import difflib
import json
import math
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

RECIPES = Path(__file__).parent / "recipes"
NAMED = {"model": "preset", "data": "kind", "compose": "kind"}     # what a string in a table's place stands for
PARTS = ("scenes", "released")      # of a file: what goes before the rest there


class SettingsError(ValueError):
    """A setting that is unknown, of the wrong type or out of range."""


def ranged(default: Any, low: float = -math.inf, high: float = math.inf, above: float = -math.inf,
           below: float = math.inf, choices: tuple[str, ...] = ()) -> Any:
    """A dataclass field with its default and range: low <= value <= high, above < value < below, or one of choices."""
    return dataclasses.field(default=default, metadata={"low": low, "high": high, "above": above, "below": below,
                                                        "choices": choices})


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """Keyword arguments of `vlmneg.train`, with their ranges."""

    batch: int = ranged(32, low=1)
    epochs: int = ranged(1, low=1)
    steps: int | None = ranged(None, low=1)
    lr: float = ranged(1e-5, low=0)
    weight_decay: float = ranged(0.1, low=0)
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = ranged(1e-6, above=0)
    clip_norm: float | None = ranged(None, above=0)
    warmup: int | None = ranged(None, low=0)
    schedule: str = ranged("cosine", choices=("cosine", "constant"))
    augment: bool = True
    seed: int = ranged(0, low=0, high=2**64 - 1)
    save_every: int | None = ranged(None, low=1)
    keep: int = ranged(2, low=1)
    workers: int = ranged(2, low=1, high=64)
    optimizer: str = ranged("adamw", choices=("adamw", "adam_l2"))
    decay_all: bool = False
    clamp: bool = True
    train: str | tuple[str, ...] = ranged("all", choices=("all", "text", "image", "head"))
    layer_decay: float = ranged(1.0, high=1, above=0)
    lora: int = ranged(0, low=0, high=1024)
    lora_alpha: float | None = ranged(None, above=0)
    lora_on: tuple[str, ...] | None = None
    ema: float = ranged(0.0, low=0, below=1)
    teacher: str = ranged("none", choices=("none", "start", "ema"))
    accumulate: int = ranged(1, low=1)

    def __post_init__(self) -> None:
        for name, value in checked(self, "").items():
            object.__setattr__(self, name, value)
        if not all(0 <= beta < 1 for beta in self.betas):
            raise SettingsError(f"betas must be two numbers in [0, 1), got {list(self.betas)}")
        if self.teacher == "ema" and self.ema == 0:
            raise SettingsError("teacher must be none or start where ema is 0, got 'ema'; set ema, as ema=0.9996")


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """What `vlmneg train` reads: where results go, the model, the data, what batches hold, what is trained, how.

    `compat="released"` asks the objective for what its authors' code did where that differs from the paper.
    """

    out: str = "runs/train"
    model: Mapping[str, Any] = dataclasses.field(default_factory=lambda: {"preset": "tiny"})
    data: Mapping[str, Any] = dataclasses.field(default_factory=lambda: {"kind": "scenes", "n": 4096})
    objective: str | Mapping[str, Any] | list = "infonce"
    negatives: list = dataclasses.field(default_factory=list)
    positives: list = dataclasses.field(default_factory=list)
    compose: Mapping[str, Any] = dataclasses.field(default_factory=lambda: {"kind": "plain"})
    tagger: str = "lexicon"
    compat: str | None = None
    train: TrainSettings = dataclasses.field(default_factory=TrainSettings)


def checked(settings: Any, prefix: str) -> dict[str, Any]:
    """Values of a settings dataclass by name, each of its declared type and in its range."""
    hints = typing.get_type_hints(type(settings))
    return {f.name: check_value(prefix + f.name, getattr(settings, f.name), hints[f.name], f.metadata)
            for f in dataclasses.fields(settings)}


def check_value(name: str, value: Any, hint: Any, limits: Mapping[str, Any]) -> Any:
    """The value as the type that hint names, or SettingsError with a sentence."""
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if value is None and type(None) in options:
        return None
    if tuple[str, ...] in options and not isinstance(value, str):
        if isinstance(value, (list, tuple)) and value and all(isinstance(v, str) and v for v in value):
            return tuple(value)
        one_of = f"one of {', '.join(limits['choices'])}, or " if limits.get("choices") else ""
        raise SettingsError(f"{name} must be {one_of}a list of patterns of tensor names, got {value!r}")
    kind = options[0]
    if kind == tuple[str, ...]:
        raise SettingsError(f"{name} must be a list of patterns of tensor names, as [{value!r}], got {value!r}")
    if kind == tuple[float, float]:
        if not isinstance(value, (list, tuple)) or len(value) != 2:
            raise SettingsError(f"{name} must be two numbers, got {value!r}")
        return tuple(check_value(name, v, float, {}) for v in value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    kind_name = {int: "an integer", float: "a number", bool: "true or false", str: "a string"}[kind]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise SettingsError(f"{name} must be {kind_name}{' or left out' if len(options) > 1 else ''}, got {value!r}")
    if limits.get("choices") and value not in limits["choices"]:
        listed = ", or a list of patterns of tensor names" if len(options) > 1 else ""
        raise SettingsError(f"{name} must be one of {', '.join(limits['choices'])}{listed}, got {value!r}")
    if kind in (int, float):
        _check_range(name, value, limits)
    return value


def _check_range(name: str, value: float, limits: Mapping[str, Any]) -> None:
    if not math.isfinite(value):
        raise SettingsError(f"{name} must be finite, got {value}")
    low, above = (limits.get(k, -math.inf) for k in ("low", "above"))
    high, below = (limits.get(k, math.inf) for k in ("high", "below"))
    if low <= value <= high and above < value < below:
        return
    if math.inf not in (-low, high):
        raise SettingsError(f"{name} must be in [{low}, {high}], got {value}")
    limit = [f"{word} {end}" for word, end in (("at least", low), ("above", above), ("below", below), ("at most", high))
             if math.isfinite(end)]
    raise SettingsError(f"{name} must be {' and '.join(limit)}, got {value}")


def check_keys(given: Iterable[str], known: Iterable[str], prefix: str = "", elsewhere: Iterable[str] = ()) -> None:
    """Refuse a key that isn't known, naming the nearest; elsewhere are full names of other sections."""
    known, elsewhere = sorted(known), sorted(elsewhere)
    for key in given:
        if key in known:
            continue
        near = [prefix + k for k in difflib.get_close_matches(key, known, 1, 0.5)]
        near = near or [k for k in elsewhere if k.rpartition(".")[2] == key]
        near = near or [k for k in difflib.get_close_matches(prefix + key, elsewhere, 1, 0.5)]
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(prefix + k for k in known)}"
        raise SettingsError(f"unknown key {prefix + key}: {hint}")


def recipes(folder: Path = RECIPES) -> list[str]:
    """Names of the settings files that come with the package, or of another folder.

    Examples
    --------
    >>> "negclip" in recipes()
    True
    """
    return sorted(p.stem for p in folder.glob("*.toml"))


def read_table(path: str | Path, folder: Path = RECIPES) -> dict[str, Any]:
    """A TOML file, a JSON file, or a recipe of the package (or another folder) by its name, as a dictionary."""
    file = Path(path)
    recipe = folder / f"{path}.toml"
    if not file.is_file() and file.suffix == "" and recipe.is_file():
        file = recipe
    if not file.is_file():
        known = recipes(folder)
        near = difflib.get_close_matches(str(path), known, 1, 0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise SettingsError(f"no settings file {path}, and no recipe of that name{hint} (recipes: {', '.join(known)})")
    try:
        text = file.read_text(encoding="utf-8")
        table = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except ValueError as error:
        raise SettingsError(f"{file} can't be read: {error}") from None
    if not isinstance(table, dict):
        raise SettingsError(f"{file} must hold a table of settings, got {type(table).__name__}")
    return table


def override(table: dict[str, Any], assignments: Iterable[str]) -> dict[str, Any]:
    """A copy of table with each key=value set; keys are dotted, values TOML or plain strings.

    Examples
    --------
    >>> override({"train": {"lr": 1e-5}}, ["train.lr=1e-4", "out=runs/b"])
    {'train': {'lr': 0.0001}, 'out': 'runs/b'}
    """
    table = copy.deepcopy(table)
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or not key.strip():
            raise SettingsError(f"expected key=value, as in train.lr=1e-4, got {assignment!r}")
        *folders, last = key.strip().split(".")
        place = table
        for folder in folders:
            if isinstance(place.get(folder), str):   # model = "tiny" in the file, model.image_size=32 beside it
                place[folder] = {NAMED.get(folder, "name"): place[folder]}
            place = place.setdefault(folder, {})
            if not isinstance(place, dict):
                raise SettingsError(f"{key.strip()} can't be set: {folder} is no table")
        chosen = _literal(value.strip())
        if place is table and last == "model" and isinstance(chosen, str) and isinstance(table.get("model"), Mapping):
            kept = {k: v for k, v in table["model"].items() if k not in ("checkpoint", "preset")}
            chosen = {"preset": chosen, **kept}     # another model, what the recipe asks of it stays
        place[last] = chosen
    return table


def settled(source: str | Path, assignments: Iterable[str] = ()) -> dict[str, Any]:
    """The table of a file or recipe with key=value set, and with those of its parts [scenes] and [released] that apply.

    [scenes] is for drawn scenes, [released] for compat = "released".

    Examples
    --------
    >>> settled("scenes", ["data.n=64"])["data"]
    {'kind': 'scenes', 'n': 64}
    """
    table, assignments = read_table(source), list(assignments)
    parts = {name: table.pop(name, {}) for name in PARTS}
    changed = override(table, assignments)
    for name, applies in (("scenes", on_scenes(changed)), ("released", changed.get("compat") == "released")):
        if applies:
            table = merged(table, parts[name])
    return override(table, assignments)


def on_scenes(table: Mapping[str, Any]) -> bool:
    """Whether the data of a settings table are drawn scenes.

    Examples
    --------
    >>> on_scenes({"data": {"kind": "coco"}}), on_scenes({})
    (False, True)
    """
    data = table.get("data", "scenes")
    return (data if isinstance(data, str) else data.get("kind", "scenes" if "n" in data else "")) == "scenes"


def merged(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of table in which changes go first, tables entry by entry.

    Examples
    --------
    >>> merged({"train": {"lr": 1e-5, "batch": 8}}, {"train": {"lr": 1e-3}, "objective": "negclip"})
    {'train': {'lr': 0.001, 'batch': 8}, 'objective': 'negclip'}
    """
    made = copy.deepcopy(dict(table))
    for key, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(made.get(key), Mapping)
        made[key] = merged(made[key], value) if both else copy.deepcopy(value)
    return made


def _literal(text: str) -> Any:
    try:
        value = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return value["value"] if set(value) == {"value"} else text


def run_settings(table: Mapping[str, Any]) -> RunSettings:
    """RunSettings of a dictionary as a file gives it; every key and value is checked.

    Raises
    ------
    SettingsError
        An unknown key (the sentence names the nearest), a wrong type, a value out of range.

    Examples
    --------
    >>> run_settings({"train": {"batch": 8}}).train.batch
    8
    >>> run_settings({"train": {"bacth": 8}})
    Traceback (most recent call last):
    vlmneg.settings.SettingsError: unknown key train.bacth: did you mean train.batch?
    """
    table = {key: value for key, value in table.items() if key not in PARTS}    # `settled` has read them
    fields = [f.name for f in dataclasses.fields(RunSettings)]
    train_names = [f.name for f in dataclasses.fields(TrainSettings)]
    check_keys(table, fields, "", [f"train.{n}" for n in train_names])
    values = dict(table)
    for name, key in NAMED.items():
        if isinstance(values.get(name), str):
            values[name] = {key: values[name]}
    parts = (str, dict, list)
    kinds: dict[str, Any] = {"out": str, "model": dict, "data": dict, "objective": parts, "negatives": parts,
                             "positives": (dict, list), "compose": dict, "tagger": str, "compat": str, "train": dict}
    for name, value in values.items():
        if not isinstance(value, kinds[name]) and (name, value) != ("compat", None):
            raise SettingsError(f"{name} must be {_wanted(kinds[name])}, got {value!r}")
    if values.get("compat") not in (None, "corrected", "released"):
        raise SettingsError(f'compat must be "corrected" or "released", got {values["compat"]!r}')
    if values.get("compat") == "corrected":
        values["compat"] = None
    for name in ("negatives", "positives"):
        if name in values and not isinstance(values[name], list):
            values[name] = [values[name]]
    train = values.pop("train", {})
    check_keys(train, train_names, "train.")
    try:
        return RunSettings(**values, train=TrainSettings(**train))
    except SettingsError as error:
        raise SettingsError(f"train.{error}") from None


def _wanted(kinds: Any) -> str:
    names = {str: "a string", dict: "a table", list: "a list"}
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    return " or ".join(names[k] for k in kinds)


def as_json(settings: Any) -> str:
    """The settings as JSON text; `read_table` reads it back."""
    return json.dumps(dataclasses.asdict(settings), indent=2, default=str) + "\n"
