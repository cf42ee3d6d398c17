"""Runs a comparison: one start, the same data and steps for each recipe and seed, a folder from which it can go on."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import data as datasets
from .. import experiment
from ..benchmarks.edits import edited
from ..build import VERSION, num_threads
from ..checkpoints import atomic_file, atomic_folder
from ..data import Dataset, scenes
from ..demo import make_model
from ..evaluation import evaluate
from ..loading import order
from ..negatives.recipe import for_training
from ..progress import Progress
from ..runs import differences, latest_checkpoint, step_of
from ..settings import (
    PARTS,
    RunSettings,
    SettingsError,
    as_json,
    check_keys,
    merged,
    on_scenes,
    read_table,
    run_settings,
)
from ..training import train, undisturbed
from . import write
from .figures import BASELINE, Answers, figures

PLAIN = {"objective": "infonce"}        # the baseline, where no recipe has its name
MARK, MAKER = "comparison.json", "vlmneg compare"
SCENES = {"kind": "scenes", "n": 4096}
# of every run; a crop of a scene may cut off what its caption says
ON_SCENES: dict[str, Any] = {"steps": 600, "batch": 32, "lr": 5e-4, "augment": False}
ON_PHOTOGRAPHS = {"steps": 200, "batch": 32, "lr": 1e-5, "augment": True}
START_STEPS, START_SCENES = 800, 16384  # of the small CLIP that recipes on scenes start from
HELD_OUT, APART = 1000, 10**6           # pictures to measure on; rows between the scenes of different uses
POINTS, FEW, FEWER = 8, 200, 50         # measurements on the way, held-out scenes in each, held-out photographs
log = logging.getLogger("vlmneg")


def compare(recipes: Sequence[str], *, seeds: int = 3, out: str | Path = "vlmneg-compare", steps: int | None = None,
            batch: int | None = None, lr: float | None = None, start: str | None = None,
            settings: Mapping[str, Any] | None = None, benchmark: str = "edits", annotations: Any = None,
            images: Any = None, bootstrap: int = 2000, progress: bool = False) -> dict[str, Any]:
    """Train recipes from one start on the same data, and say what each gains over plain fine-tuning, and costs.

    Plain fine-tuning is always among them. Runs have the same start, pictures, pairs a step, steps, learning rates and
    seeds; a recipe brings its objective, negatives, positives, composition of batches, optimiser and what it trains.
    What is done already in `out` isn't done again, so after an interruption the same call goes on, and later calls may
    add recipes and seeds.

    Parameters
    ----------
    recipes : sequence of str
        Recipes of the package or TOML files; ``"NAME:released"`` is the recipe as its authors' code has it.
    seeds : int
        Training runs of each recipe, of seeds 0 .. seeds - 1; at least 1.
    out : str or Path
        Folder for tables, report.html, pictures, and a run's folder a recipe and seed.
    steps, batch, lr : optional
        Of every run: 600 steps of 32 pictures at 5e-4 on drawn scenes, 200 of 32 at 1e-5 on other data.
    start : str, optional
        A checkpoint to start from. On drawn scenes, without it, a small CLIP that is first trained with InfoNCE.
    settings : mapping, optional
        Settings of every run: tables ``data``, ``model``, ``train`` and ``held_out``. ``held_out`` is a number of
        pictures, taken out of the data, or a table that describes other data.
    benchmark : {"edits", "sugarcrepe"}
        What accuracy is measured on: edited captions of the held-out pictures, or SugarCrepe.
    annotations, images : path, optional
        SugarCrepe's files and pictures.
    bootstrap : int
        Draws of pictures behind the intervals over pictures.
    progress : bool
        Show a bar where the standard error stream is a terminal.

    Returns
    -------
    dict
        What summary.json holds: "recipes", by name "figures" and "difference" (to plain fine-tuning, seed by seed),
        each by edit, "mean", "image_to_text" and "text_to_image": {"mean", "values", "seeds", "pictures"}, fractions
        with 95% intervals over seeds and over pictures; beside them "settings" and "failed".

    Raises
    ------
    SettingsError
        An unknown recipe or setting, with the nearest; a setting that runs can't share.
    FileExistsError
        `out` holds something else than a comparison.
    ValueError
        `out` holds a comparison of other data, steps or start.
    KeyboardInterrupt
        After Ctrl-C; the report of what was done is written.

    Examples
    --------
    >>> found = compare(["negclip"], seeds=1, steps=2, batch=8, out="compared", bootstrap=0,
    ...                 settings={"data": {"kind": "scenes", "n": 16}, "held_out": 50, "model": {"preset": "tiny"}})
    >>> list(found["recipes"])
    ['start', 'clip', 'negclip']
    >>> sorted(found["recipes"]["negclip"]["figures"])[:3]
    ['addition', 'attribute_swap', 'image_to_text']
    """
    plan = _Plan(recipes, seeds, Path(out), {"steps": steps, "batch": batch, "lr": lr}, start, settings or {},
                 {"benchmark": benchmark, "annotations": annotations, "images": images}, bootstrap)
    began = time.perf_counter()
    world, unseen = plan.world()
    _claim(plan.out, plan.identity)
    pending = [pair for pair in plan.runs if not plan.done(*pair)]
    first = START_STEPS - min(latest_step(plan.out / "start"), START_STEPS) if plan.small else 0
    with Progress(first + len(pending) * plan.common["steps"], "comparing", show=None if progress else False) as bar:
        model = _start(plan, world, bar)
        few = Dataset(list(unseen)[:FEW if plan.scenes else FEWER], {})
        try:
            _measure(experiment.make_model(model, world, 0), unseen, plan, plan.out / "start")
            for n, (label, seed) in enumerate(pending):
                _run(plan, label, seed, model, world, unseen, few, bar)
                if n + 1 < len(pending) and pending[n + 1][1] != seed:
                    _report(plan, began)
        except (KeyboardInterrupt, SystemExit):
            bar.close()
            with undisturbed():
                if any(plan.done(*pair) for pair in plan.runs):
                    _report(plan, began)
            raise
    return _report(plan, began)


class _Plan:
    """What was asked for, checked: settings of each run, where it goes, and what all have in common."""

    def __init__(self, recipes: Sequence[str], seeds: int, out: Path, given: dict[str, Any], start: str | None,
                 settings: Mapping[str, Any], benchmark: dict[str, Any], bootstrap: int) -> None:
        for name, value, low in (("seeds", seeds, 1), ("bootstrap", bootstrap, 0)):
            if isinstance(value, bool) or not hasattr(value, "__index__") or value < low:
                raise SettingsError(f"{name} must be an integer of at least {low}, got {value!r}")
        if isinstance(recipes, str):
            recipes = [recipes]
        self.out, self.seeds, self.bootstrap, self.benchmark = out, range(seeds), bootstrap, benchmark
        changes = {k: {"preset" if k == "model" else "kind": v} if isinstance(v, str) and k in ("model", "data") else v
                   for k, v in settings.items()}
        check_keys(changes, ["data", "model", "train", "held_out", "tagger"], "")
        if start is not None and "model" in changes:
            raise SettingsError("start and model are one thing; give one of them")
        self.data = changes.get("data", SCENES)
        self.scenes = on_scenes({"data": self.data})
        self.held_out = changes.get("held_out", HELD_OUT)
        self.model = {"checkpoint": start} if start is not None else changes.get("model", {})
        self.small = self.scenes and not self.model
        if not self.scenes and not self.model:
            raise SettingsError("photographs need a model to start from, as --start MODEL or model=MODEL")
        own = dict(changes.get("train", {}))
        if "seed" in own:
            raise SettingsError("train.seed can't be set: runs have the seeds 0, 1, ...; set their number by seeds")
        self.common = {"epochs": 1, "warmup": None, "schedule": "cosine", "save_every": None, "keep": 1,
                       **(ON_SCENES if self.scenes else ON_PHOTOGRAPHS), **own,
                       **{k: v for k, v in given.items() if v is not None}}
        self.tagger = {"tagger": changes["tagger"]} if "tagger" in changes else {}
        self.tables = self._tables(recipes)
        self.runs = [(label, seed) for seed in self.seeds for label in self.tables]
        for label in self.tables:
            self.parts(label)
        self.common = {k: getattr(self.settings(BASELINE, 0).train, k) for k in self.common}
        self.identity = json.loads(json.dumps({
            "data": self.data, "held_out": self.held_out, "start": self.model or "a small CLIP, trained with InfoNCE",
            "train": self.common, "benchmark": benchmark}, default=str))

    def _tables(self, recipes: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Settings of each recipe, by the name that it has in the tables; plain fine-tuning first."""
        tables: dict[str, dict[str, Any]] = {}
        for source in [BASELINE, *recipes]:
            name, colon, compat = str(source).rpartition(":")
            if not colon or Path(source).is_file():
                name, compat = str(source), ""
            if compat not in ("", "released"):
                raise SettingsError(f"{source}: after the colon stands released, got {compat!r}")
            label = Path(name).stem + (":released" if compat else "")
            if label in tables and source != BASELINE:
                raise SettingsError(f"two recipes are called {label}; rename a file, or name it once")
            try:
                table = read_table(name)
            except SettingsError:
                if name != BASELINE:
                    raise
                table = dict(PLAIN)
            parts = {part: table.pop(part, {}) for part in PARTS}
            table = merged(table, parts["scenes"]) if self.scenes else table
            tables[label] = {**merged(table, parts["released"]), "compat": compat} if compat else table
        return tables

    def settings(self, label: str, seed: int) -> RunSettings:
        """Settings of one run."""
        own = self.tables[label].get("model", {})
        begins = {k: v for k, v in own.items() if k in experiment.STARTS} if isinstance(own, Mapping) else {}
        table = {**self.tables[label], **self.tagger, "data": self.data, "model": {**self.model, **begins},
                 "out": str(self.folder(label, seed))}
        common = {**self.common, "seed": seed}
        compose = table.get("compose", {})          # as many pairs a step as all others have
        compose = {"kind": compose} if isinstance(compose, str) else compose
        if "n" in compose:
            table["compose"] = {**compose, "n": common["batch"]}
        if compose.get("kind") == "neighbours":
            common["batch"] = max(1, common["batch"] // 2)
        try:
            return run_settings(merged(table, {"train": common}))
        except SettingsError as error:
            raise SettingsError(f"{label}: {error}") from None

    def parts(self, label: str) -> dict[str, str]:
        """What distinguishes a recipe, as text; an error now rather than after an hour."""
        settings = self.settings(label, 0)
        try:
            objective = experiment.make_objective(settings.objective, settings.compat)
            negatives = for_training(settings.negatives)
            experiment.make_positives(settings.positives)
        except (ValueError, TypeError) as error:
            raise SettingsError(f"{label}: {error}") from None
        usual = {f.name: f.default for f in dataclasses.fields(settings.train)}
        other = {k: v for k, v in dataclasses.asdict(settings.train).items()
                 if v != usual[k] and k not in (*self.common, "seed")}
        return {"objective": repr(objective), "negatives": repr(negatives) or "none",
                "training": ", ".join(f"{k}={v}" for k, v in other.items()) or "AdamW, all weights"}

    def folder(self, label: str, seed: int) -> Path:
        """Where a run goes."""
        return self.out / "runs" / label.replace(":", "-") / f"seed-{seed}"

    def measured(self, folder: Path) -> list[Path]:
        """Where a model's answers are, questions of edits first."""
        return [folder / self.benchmark["benchmark"], folder / "retrieval"]

    def done(self, label: str, seed: int) -> bool:
        """Whether a run is there, trained and measured."""
        folder = self.folder(label, seed)
        if not all((place / "result.json").is_file() for place in self.measured(folder)):
            return False
        self.check(label, seed)
        return True

    def check(self, label: str, seed: int) -> None:
        """Refuse a run that other settings began."""
        folder = self.folder(label, seed)
        if not (folder / "run.json").is_file():
            return
        old, new = (json.loads(text) | {"model": None, "out": None} for text in (
            (folder / "run.json").read_text(encoding="utf-8"), as_json(self.settings(label, seed))))
        changed = differences(old, new, {"train.workers"})
        if changed:
            raise ValueError(f"{folder} was made with other settings: {'; '.join(changed)}. Delete it, or choose "
                             "another out")

    def world(self) -> tuple[Any, Dataset]:
        """Pictures to train on and pictures to measure on, none in both; those are edited."""
        data = experiment.make_data(self.data)
        if isinstance(self.held_out, Mapping):
            table = {"kind": self.data.get("kind", "coco"), **self.held_out}
            return data, edited(experiment.make_data(table))
        number = self.held_out
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise SettingsError(f"held_out must be a number of pictures or a table of data, got {number!r}")
        if self.scenes:
            others = scenes(number, seed=data.seed, size=data.size, first=data.first + max(APART, len(data)))
            return _Drawn(data), Dataset(list(others), {})
        return _apart(data, number)


class _Drawn(Dataset):
    """Scenes, each drawn once and kept."""

    def __init__(self, data: Any) -> None:
        super().__init__(list(data), {})
        self.variations = data.variations


def latest_step(folder: Path) -> int:
    """Steps that a run's newest checkpoint has behind it."""
    newest = latest_checkpoint(folder)
    return step_of(newest) if newest else 0


def _apart(data: Any, number: int) -> tuple[Dataset, Dataset]:
    """Take some pictures, at most a fifth, out of the data, with all samples of theirs."""
    samples = list(data)
    groups = list(dict.fromkeys(sample.group for sample in samples))
    if len(groups) < 5:
        raise SettingsError(f"{len(groups)} pictures are too few to hold some out; describe others by held_out")
    out = {groups[i] for i in order(len(groups), 0, 0)[:min(number, len(groups) // 5)]}
    return (Dataset([s for s in samples if s.group not in out], data.skipped),
            edited(Dataset([s for s in samples if s.group in out], {})))


def _start(plan: _Plan, world: Any, bar: Progress) -> dict[str, Any]:
    """The settings table of the model that all runs start from; a new one is made and kept in the folder."""
    folder = plan.out / "start"
    if plan.small:
        spec = datasets.open(plan.data)
        drawn = scenes(START_SCENES, seed=spec.seed, size=spec.size, first=spec.first + 2 * max(APART, len(spec)))
        model = make_model(drawn.captions(), 0)
        with contextlib.closing(train(model, drawn, steps=START_STEPS, batch=ON_SCENES["batch"], lr=1e-3, augment=False,
                                      out=folder, resume=True, keep=1)) as records:
            for record in records:
                bar.add(recipe="start", loss=record.loss)
        return {"checkpoint": str(latest_checkpoint(folder))}
    source = plan.model.get("checkpoint")
    if source is None and plan.model.get("preset") not in (None, *experiment.PRESETS):
        source = plan.model["preset"]
    if source is not None:
        return plan.model
    if not (folder / "model").is_dir():
        folder.mkdir(exist_ok=True)
        with atomic_folder(folder / "model") as part:
            experiment.make_model(plan.model, world, 0).save_pretrained(part, layout="transformers")
    return {"checkpoint": str(folder / "model")}


def _run(plan: _Plan, label: str, seed: int, model: dict[str, Any], world: Any, unseen: Dataset, few: Dataset,
         bar: Progress) -> None:
    """Train one recipe with one seed, unless that is done, and measure what it left in its folder."""
    folder, steps = plan.folder(label, seed), plan.common["steps"]
    settings = plan.settings(label, seed)
    begins = {k: v for k, v in settings.model.items() if k in experiment.STARTS}
    settings = dataclasses.replace(settings, model={**model, **begins})
    plan.check(label, seed)
    folder.mkdir(parents=True, exist_ok=True)
    bar.add(min(latest_step(folder), steps))
    try:
        if latest_step(folder) < steps:
            _train(settings, experiment.make_model(settings.model, world, 0), world, few, bar)
    except FloatingPointError as error:
        log.warning("%s, seed %d: %s", label, seed, error)
        _write(folder / "failed.json", json.dumps({"reason": str(error)}) + "\n")
        return
    (folder / "failed.json").unlink(missing_ok=True)
    _measure(experiment.load_model(str(folder)), unseen, plan, folder)
    for spare in folder.glob("checkpoints/*/optimizer.safetensors"):       # twice the model, of use to no one now
        spare.unlink()


def _train(settings: RunSettings, model: Any, world: Any, few: Dataset, bar: Progress) -> None:
    """Train, and note accuracy on the way."""
    folder, steps = Path(settings.out), settings.train.steps or 1
    records = experiment.train_from(settings, data=world, model=model, resume=True)
    with contextlib.closing(records), _points(folder) as note:
        for record in records:
            bar.add(recipe=f"{folder.parent.name}/{folder.name}", loss=record.loss)
            if record.step == steps or record.step % max(1, steps // POINTS) == 0:
                with undisturbed():
                    note(record.step, _accuracy(model, few))


@contextlib.contextmanager
def _points(folder: Path) -> Iterator[Any]:
    """A function that notes accuracy on the way; what was noted behind the newest checkpoint is forgotten."""
    path, done = folder / "held_out.jsonl", latest_step(folder)
    old = [line for line in write.lines(path) if line["step"] <= done]
    _write(path, "".join(json.dumps(line) + "\n" for line in old))
    with open(path, "a", encoding="utf-8") as file:
        def note(step: int, accuracy: float) -> None:
            file.write(json.dumps({"step": step, "accuracy": accuracy}) + "\n")
            file.flush()

        yield note


def _accuracy(model: Any, few: Dataset) -> float:
    return evaluate(model, "edits", data=few, bootstrap=0, progress=False)["macro"]


def _measure(model: Any, unseen: Dataset, plan: _Plan, folder: Path) -> None:
    """Leave a model's answers in its folder, unless they are there."""
    own, ways = plan.measured(folder)
    if not (own / "result.json").is_file():
        source = {"data": unseen} if own.name == "edits" else {
            "annotations": plan.benchmark["annotations"], "images": plan.benchmark["images"]}
        evaluate(model, own.name, **source, bootstrap=0, progress=False, out=own)
    if not (ways / "result.json").is_file():
        said = Counter(caption for sample in unseen for caption in set(sample.captions))
        different = [sample for sample in unseen if all(said[c] == 1 for c in sample.captions) or not plan.scenes]
        evaluate(model, "retrieval", data=Dataset(different, {}), bootstrap=0, progress=False, out=ways)


def _report(plan: _Plan, began: float) -> dict[str, Any]:
    """Tables, pictures and the page of what is done so far; summary.json's content."""
    done = {label: {seed: Answers.read(*plan.measured(plan.folder(label, seed))) for seed in plan.seeds
                    if plan.done(label, seed)} for label in plan.tables}
    found = figures(Answers.read(*plan.measured(plan.out / "start")), {k: v for k, v in done.items() if v},
                    plan.bootstrap)
    for label, own in done.items():
        if own:
            found[label] = {"seeds": sorted(own), **plan.parts(label), **found[label]}
    failed = {f"{label}, seed {seed}": json.loads(path.read_text(encoding="utf-8"))["reason"]
              for label, seed in plan.runs for path in [plan.folder(label, seed) / "failed.json"] if path.is_file()}
    missing = sum(len(plan.seeds) - len(own) for own in done.values()) - len(failed)
    summary = {"recipes": found, "failed": failed, "missing": missing, "settings": {
        **plan.identity, "recipes": list(plan.tables), "seeds": len(plan.seeds), "bootstrap": plan.bootstrap,
        "threads": num_threads(), "version": VERSION}, "seconds": round(time.perf_counter() - began, 1)}
    histories = {label: [write.history(plan.folder(label, seed)) for seed in own] for label, own in done.items() if own}
    write.folder(plan.out, summary, histories)
    return summary


def _claim(folder: Path, identity: dict[str, Any]) -> None:
    """Make the folder, or check that it holds this comparison."""
    mark = folder / MARK
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file; out must name a folder")
    if mark.is_file() and ((folder / "start").exists() or (folder / "runs").exists()):
        old = json.loads(mark.read_text(encoding="utf-8"))["settings"]
        changed = differences(old, identity, {"train.workers"})
        if changed:
            raise ValueError(f"{folder} holds another comparison: {'; '.join(changed)}. Choose another out")
        return
    if folder.is_dir() and any(path != mark for path in folder.iterdir()):
        raise FileExistsError(f"{folder} holds files that no comparison made; choose another out, or empty it")
    folder.mkdir(parents=True, exist_ok=True)
    _write(mark, json.dumps({"made_by": MAKER, "version": VERSION, "settings": identity}, indent=2) + "\n")


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as part:
        part.write_text(text, encoding="utf-8")
