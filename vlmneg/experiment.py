"""Makes the parts that a run's settings name: data, model, objective and negatives; `train_from` trains with them."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Generator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from . import data as datasets
from . import losses
from .arrays import number
from .clip import Clip
from .composition import Joined, grouped
from .config import ClipConfig
from .negatives.annotations import annotate
from .negatives.recipe import for_training, recipe
from .positives import Positives, positives
from .runs import latest_checkpoint
from .settings import RunSettings, SettingsError, as_json, check_keys
from .tokenizer import Tokenizer
from .training import Record, train

PRESETS = ("tiny", "vit_b_32", "vit_b_16", "vit_l_14")
LEARNED = 8192                    # tokens that are learned from the captions, unless model.vocab says more or fewer
log = logging.getLogger("vlmneg")
MODEL_KEYS = ("checkpoint", "activation", "preset", "tokenizer")
STARTS = {"logit_scale": (1.0, 100.0), "logit_bias": (-100.0, 100.0)}   # the factor, not its logarithm; the bias


def train_from(settings: RunSettings, *, data: Any = None, model: Clip | None = None, resume: bool = False,
               progress: bool = False) -> Generator[Record, None, None]:
    """Train as settings say, yielding one record a step; run.json in `settings.out` repeats them.

    Parameters
    ----------
    settings : RunSettings
        As from `vlmneg.settings.run_settings`.
    data : Dataset, optional
        Instead of what `settings.data` describes.
    model : Clip, optional
        Trained in place, instead of what `settings.model` describes.
    resume : bool
        Go on with the run in `settings.out`, if there is one.
    progress : bool
        Show a bar on a terminal.

    Returns
    -------
    generator of Record

    Raises
    ------
    SettingsError
        A name that doesn't exist, with the nearest.
    """
    data = make_data(settings.data, settings.compat) if data is None else data
    left_out = ", ".join(f"{count} {reason}" for reason, count in data.skipped.items() if count)
    if left_out:
        log.warning("%d samples; left out: %s", len(data), left_out)
    objective = make_objective(settings.objective, settings.compat)
    negatives = for_training(settings.negatives)
    if negatives.captions and settings.tagger != "lexicon":
        negatives = negatives.annotated(make_annotations(settings, data, progress))
    model = make_model(settings.model, data, settings.train.seed) if model is None else model
    records = train(model, data, objective, negatives, positives=make_positives(settings.positives),
                    compose=settings.compose, **asdict(settings.train), out=settings.out, resume=resume,
                    progress=progress)
    folder = Path(settings.out)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(as_json(settings), encoding="utf-8")
    return records


def make_data(table: Mapping[str, Any], compat: str | None = None) -> Any:
    """The data set that `vlmneg.data.open` makes of a table, GNM's as released where the run is."""
    if compat == "released" and (table.get("kind") == "gnm" or "annotations" in table):
        table = {"compat": compat, **table}
    try:
        return datasets.open(table)
    except ValueError as error:
        raise SettingsError(f"data: {error}") from None


def make_objective(wanted: str | Mapping[str, Any] | list, compat: str | None = None) -> Any:
    """The objective of a name, a table {name, weight, ...}, or a list or {terms = list} of such, which are added up."""
    if isinstance(wanted, Mapping) and wanted.keys() == {"terms"} and isinstance(wanted["terms"], list):
        wanted = wanted["terms"]                     # as Objective.to_dict writes it
    if compat is not None:
        if isinstance(wanted, list):
            raise SettingsError(f"compat={compat!r} needs one named objective, got a list of terms")
        wanted = {**({"name": wanted} if isinstance(wanted, str) else wanted), "compat": compat}
    if isinstance(wanted, list):
        if not wanted:
            raise SettingsError('objective must name at least one term, as objective = "negclip"')
        first, *others = [make_objective(w) for w in wanted]
        try:
            return sum(others, first)
        except ValueError as error:
            raise SettingsError(f"objective: {error}") from None
    name, options = _split({"name": wanted} if isinstance(wanted, str) else wanted, "name", "objective", losses.names())
    weight = options.pop("weight", 1.0)
    try:
        objective = losses.get(name, **options)
        return objective if weight == 1.0 else weight * objective
    except (ValueError, TypeError) as error:
        raise SettingsError(f"objective: {error}") from None


def make_positives(listed: list) -> Positives | None:
    """The positives of tables {captions} and {name, k, ...}.

    Examples
    --------
    >>> make_positives([{"captions": 4}, {"name": "text.positive", "k": 2}]).k
    6
    """
    parts: list[Any] = []
    for table in listed:
        if not isinstance(table, Mapping):
            raise SettingsError(f"positives must be tables, as {{ captions = 4 }}, got {table!r}")
        if "captions" in table:
            check_keys(table, ["captions"], "positives.")
        parts.append(table["captions"] if "captions" in table else recipe([table]))
    try:
        return positives(parts)
    except (ValueError, TypeError) as error:
        raise SettingsError(f"positives: {error}") from None


def _captions(settings: RunSettings, data: Any) -> list[str]:
    """All that batches may say of pictures."""
    source = grouped(data) if settings.compose.get("kind") == "groups" else None
    return data.captions() if source is None else Joined(source, source.photos).captions()


def make_annotations(settings: RunSettings, data: Any, progress: bool) -> Any:
    """Words of the data's captions by the tagger that settings name; kept beside the data, or with the run."""
    source = Path(settings.data.get("captions") or settings.data.get("path") or Path(settings.out) / "captions")
    if not os.access(source.parent, os.W_OK):
        source = Path(settings.out) / source.name
        source.parent.mkdir(parents=True, exist_ok=True)
    try:
        return annotate(_captions(settings, data), settings.tagger, cache=source, progress=progress)
    except (ValueError, TypeError) as error:
        raise SettingsError(f"tagger: {error}") from None


def make_model(table: Mapping[str, Any], data: Any, seed: int) -> Clip:
    """A checkpoint's model, or a new one of the preset's sizes; without a named tokenizer it learns its captions'.

    Scale and bias start where model.logit_scale and model.logit_bias say; a model without a bias then gets one.
    """
    sizes = [f.name for f in fields(ClipConfig) if f.name not in STARTS]
    check_keys(table, [*MODEL_KEYS, *STARTS, *sizes], "model.")
    changes = {k: v for k, v in table.items() if k in sizes}
    source = table.get("checkpoint")
    if source == "":
        raise SettingsError("model.checkpoint must be set, as by model=FOLDER")
    if source is None and table.get("preset") not in (None, *PRESETS):
        source = table["preset"]                     # model = "folder"
    if source is not None:
        if changes:
            raise SettingsError(f"model.{next(iter(changes))} can't be set: a checkpoint has its own sizes")
        return _started(load_model(source, table.get("activation"), table.get("tokenizer")), table)
    try:
        config = getattr(ClipConfig, table.get("preset") or "tiny")(**changes)
        named = table.get("tokenizer")
        tokenizer = load_tokenizer(named) if named else Tokenizer.learn(data.captions(), changes.get("vocab", LEARNED))
        config = config.replace(vocab=tokenizer.vocab_size, start=tokenizer.start, end=tokenizer.end)
    except (ValueError, TypeError) as error:
        raise SettingsError(f"model: {error}") from None
    return _started(Clip(config, seed=seed, tokenizer=tokenizer), table)


def _started(model: Clip, table: Mapping[str, Any]) -> Clip:
    try:
        start = {key: number(table[key], f"model.{key}", *span) for key, span in STARTS.items() if key in table}
    except (ValueError, TypeError) as error:
        raise SettingsError(str(error)) from None
    if "logit_bias" in start:
        model = model if model.config.logit_bias else model.with_bias()
        model.state_dict()["logit_bias"][...] = start["logit_bias"]
    if "logit_scale" in start:
        model.logit_scale[...] = math.log(start["logit_scale"])
    return model


def load_model(source: str, activation: str | None = None, tokenizer: str | None = None) -> Clip:
    """The model of a checkpoint folder or hub name, or of a run's newest checkpoint; RUN/ema is the run's average."""
    path = Path(source)
    if path.name == "ema" and not path.is_dir():
        newest = latest_checkpoint(path.parent)
        path = newest / "ema" if newest else path
    model = Clip.from_pretrained(latest_checkpoint(path) or (path if path.is_dir() else source), activation=activation)
    if tokenizer:
        model.tokenizer = load_tokenizer(tokenizer)
    return model


def load_tokenizer(source: str) -> Tokenizer:
    """The tokenizer of a file, or of a folder's tokenizer files."""
    return Tokenizer.from_folder(source) if Path(source).is_dir() else Tokenizer.from_file(source)


def _split(table: Mapping[str, Any], key: str, section: str, known: Any) -> tuple[str, dict[str, Any]]:
    """The name under key, which must be known, and the other entries."""
    if not isinstance(table, Mapping) or not isinstance(table.get(key), str):
        raise SettingsError(f"{section} must name its {key}, one of {', '.join(sorted(known))}, got {table!r}")
    check_keys([table[key]], known, f"{section} ")
    return table[key], {k: v for k, v in table.items() if k != key}
