"""A run's folder: config.json, metrics.jsonl and checkpoints/step-000123, each checkpoint written whole or not at all.

A checkpoint holds the model in transformers' layout (so `Clip.from_pretrained` reads it), optimizer.safetensors and
state.json; with an average also ema/, a model too, and with LoRA lora.safetensors. A run that needs its first weights
(LoRA, a teacher) keeps them in start/.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from .build import VERSION
from .checkpoints import atomic_file, atomic_folder, load

STEP = re.compile(r"step-(\d{6,})")


def latest_checkpoint(folder: str | Path) -> Path | None:
    """The newest checkpoint in a run's folder, or None where it has none.

    Parameters
    ----------
    folder : str or Path
        The `out` of `vlmneg.train`.

    Returns
    -------
    Path or None
        A folder that `vlmneg.Clip.from_pretrained` reads.

    Examples
    --------
    >>> latest_checkpoint("no/such/run") is None
    True
    """
    found = checkpoints(Path(folder))
    return found[-1] if found else None


def checkpoints(folder: Path) -> list[Path]:
    """Complete checkpoints, oldest first."""
    folder = folder / "checkpoints"
    found = [p for p in folder.iterdir() if STEP.fullmatch(p.name)] if folder.is_dir() else []
    return sorted(found, key=step_of)


def step_of(checkpoint: Path) -> int:
    """The step whose number a checkpoint's name bears."""
    return int(checkpoint.name.partition("-")[2])


class Run:
    """Writes one run's folder; `Run.open` decides between a new run and one that goes on."""

    def __init__(self, folder: Path, config: dict[str, Any], keep: int) -> None:
        self.folder, self.config, self.keep = folder, config, keep
        self.step = 0                     # of the newest checkpoint
        self.metrics: Any = None

    @classmethod
    def open(cls, folder: str | Path, config: dict[str, Any], keep: int, resume: bool, free: set[str]) -> Run:
        """Check that the folder is new, or that its run has this config but for free names; nothing is written yet."""
        run = cls(Path(folder), config, keep)
        held = run.folder / "config.json"
        if run.folder.exists() and not run.folder.is_dir():
            raise FileExistsError(f"{folder} is a file; out must name a folder")
        if not held.exists() and not checkpoints(run.folder):
            return run
        newest = latest_checkpoint(run.folder)
        if not resume:
            done = f" (at step {step_of(newest)})" if newest else ""
            raise FileExistsError(f"{folder} already holds a run{done}; go on with resume=True (--resume), or choose "
                                  "another out")
        if newest:
            run.step = step_of(newest)
            state = json.loads((newest / "state.json").read_text(encoding="utf-8"))
            changed = differences(state["config"], json.loads(json.dumps(config)), free)
            if changed:
                raise ValueError(f"{folder} can't go on with another configuration: {'; '.join(changed)}. "
                                 "Use the old values, or another out")
        return run

    def rewind(self, model: Any) -> None:
        """Give the model the run's first weights, where the run goes on."""
        start = self.folder / "start"
        if self.step and not start.is_dir():
            raise ValueError(f"{start} is missing, and this run needs the weights it began with; start anew with "
                             "another out")
        if self.step:
            model.load_state_dict(load(start)[1])

    def restore(self, learner: Any) -> None:
        """Load the newest checkpoint, if there is one."""
        newest = latest_checkpoint(self.folder)
        if newest is not None:
            learner.load(newest)

    def begin(self, model: Any = None) -> None:
        """Make the folder, write config.json and open metrics.jsonl behind the newest checkpoint's record.

        A model is written into start/ if the run is new.
        """
        parts = self.folder / "checkpoints"
        parts.mkdir(parents=True, exist_ok=True)
        for leftover in [*parts.glob(".*"), *self.folder.glob(".start.*")]:
            shutil.rmtree(leftover, ignore_errors=True)
        if model is not None and not self.step:
            with atomic_folder(self.folder / "start") as part:
                model.save_pretrained(part, layout="transformers")
        _write(self.folder / "config.json", json.dumps(self.config, indent=2) + "\n")
        path = self.folder / "metrics.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        kept = [line for line in lines if _step_in(line) <= self.step]
        _write(path, "".join(line + "\n" for line in kept))
        self.metrics = open(path, "a", encoding="utf-8")

    def write(self, record: dict[str, Any]) -> None:
        """Append one record to metrics.jsonl."""
        self.metrics.write(json.dumps(record) + "\n")
        self.metrics.flush()

    def save(self, step: int, learner: Any) -> Path:
        """Write the checkpoint of a step and remove those beyond `keep`."""
        final = self.folder / "checkpoints" / f"step-{step:06d}"
        versions = {"vlmneg": VERSION, "numpy": np.__version__, "python": platform.python_version()}
        state = {"step": step, "config": self.config, "versions": versions}
        with atomic_folder(final) as part:
            state |= learner.save(part)
            (part / "state.json").write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
        self.step = step
        for old in checkpoints(self.folder)[:-self.keep]:
            _remove(old)
        return final

    def close(self) -> None:
        """Close metrics.jsonl."""
        if self.metrics is not None:
            self.metrics.close()


def differences(old: dict[str, Any], new: dict[str, Any], free: set[str], prefix: str = "") -> list[str]:
    """What differs between two configurations, a phrase for each name that isn't free to differ."""
    found = []
    for name in sorted({*old, *new}):
        a, b = old.get(name), new.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            found += differences(a, b, free, f"{prefix}{name}.")
        elif a != b and prefix + name not in free:
            found.append(f"{prefix}{name} was {a!r} and is now {b!r}")
    return found


def _remove(folder: Path) -> None:
    """Delete a folder in a way that an interruption can't leave half of it under its name."""
    gone = folder.with_name("." + folder.name + ".old")
    shutil.rmtree(gone, ignore_errors=True)
    os.rename(folder, gone)
    shutil.rmtree(gone)


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as part:
        part.write_text(text, encoding="utf-8")


def _step_in(line: str) -> float:
    """The step of a line of metrics.jsonl; infinite where a kill cut the line short."""
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return float("inf")
