"""All that a step of training changes beside the model, in one place: what trains, moments, averages, the teacher."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from . import optim
from .checkpoints import load
from .ensemble import Average, copy
from .lora import Lora, layers
from .parts import Trained, named, tower
from .settings import SettingsError, TrainSettings

OPTIMIZERS = {"adamw": optim.AdamW, "adam_l2": optim.Adam}
TEACHERS = {"teacher_image", "teacher_text"}


class Learner:
    """Takes the steps of one run and knows what a checkpoint must hold to go on to the same bits.

    Parameters
    ----------
    model : Clip
        As the run starts, also where the run goes on: LoRA and a teacher need the first weights.
    objective : Objective or None
    plan : TrainSettings
    """

    def __init__(self, model: Any, objective: Any, plan: TrainSettings) -> None:
        self.model, self.objective, self._plan = model, objective, plan
        self.optimizer = OPTIMIZERS[plan.optimizer](
            lr=plan.lr, weight_decay=plan.weight_decay, betas=plan.betas, eps=plan.eps, clip_norm=plan.clip_norm,
            decay_all=plan.decay_all, clamp=plan.clamp)
        self.target = target(model, plan)
        self.average = Average(model, plan.ema) if plan.ema else None
        self.teacher = None
        if taught(objective, plan):
            self.teacher = self.average.model if plan.teacher == "ema" and self.average else copy(model)
        self.epoch: int | None = None

    @property
    def towers(self) -> tuple[str, ...]:
        """The towers in which something trains, "image" before "text"."""
        found = {tower(name) for name in self.target.names}
        return tuple(t for t in ("image", "text") if t in found)

    def options(self) -> dict[str, Any]:
        """What `Clip.loss` is to be told beside the batch."""
        options: dict[str, Any] = {}
        if self.teacher is not None:
            options["teacher"] = self.teacher
        if self._plan.accumulate > 1:
            options["accumulate"] = self._plan.accumulate
        if len(self.towers) < 2:
            options["towers"] = self.towers
        return options

    def enter(self, epoch: int) -> None:
        """Reset what the objective resets when an epoch starts."""
        if epoch != self.epoch and hasattr(self.objective, "reset"):
            self.objective.reset("epoch")
        self.epoch = epoch

    def step(self, result: Any, rate: float) -> float:
        """Change the weights by the gradients that the model holds, then averages and the objective's state.

        Parameters
        ----------
        result : LossResult
        rate : float
            Learning rate.

        Returns
        -------
        float
            Norm of the gradients that train.
        """
        norm = self.optimizer.update(self.target, lr=rate)
        if self.average:
            self.average.update(self.model)
        if hasattr(result, "advance"):
            result.advance()
        return norm

    def margins(self) -> dict[str, float]:
        """The objective's adaptive margins by type of negative; empty where it has none."""
        return dict(self.objective.margins()) if hasattr(self.objective, "margins") else {}

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the model and all beside it.

        Parameters
        ----------
        folder : Path

        Returns
        -------
        dict
            What belongs into state.json.
        """
        self.model.save_pretrained(folder, layout="transformers")
        save_file(self.optimizer.state(), folder / "optimizer.safetensors")
        if isinstance(self.target, Lora):
            save_file(self.target.state(), folder / "lora.safetensors")
        if self.average:
            self.average.model.save_pretrained(folder / "ema", layout="transformers")
        state = {"epoch": self.epoch}
        if hasattr(self.objective, "state_dict"):
            state["objective"] = self.objective.state_dict()
        return state

    def load(self, folder: Path) -> None:
        """Go on from what ``save`` wrote; the model changes after everything has been read.

        Parameters
        ----------
        folder : Path
        """
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        moments = arrays(folder / "optimizer.safetensors")
        low = arrays(folder / "lora.safetensors") if isinstance(self.target, Lora) else {}
        average = load(folder / "ema")[1] if self.average else {}
        self.model.load_state_dict(load(folder)[1])
        if isinstance(self.target, Lora):
            self.target.load(low)
        if self.average:
            self.average.model.load_state_dict(average)
        self.optimizer.load(self.target, moments)
        if "objective" in state and hasattr(self.objective, "load_state_dict"):
            self.objective.load_state_dict(state["objective"])
        self.epoch = state.get("epoch")


def target(model: Any, plan: TrainSettings) -> Trained | Lora:
    """What the settings let train: parts of the model, or low-rank changes.

    Parameters
    ----------
    model : Clip
    plan : TrainSettings

    Returns
    -------
    Trained or Lora

    Examples
    --------
    >>> import vlmneg as vn
    >>> model = vn.Clip(vn.ClipConfig.tiny(vocab=600))
    >>> len(target(model, TrainSettings(train="head")).names)
    3
    """
    if not plan.lora:
        return Trained(model, plan.train, plan.layer_decay)
    return Lora(model, plan.lora, plan.lora_alpha, plan.lora_on, plan.train, plan.layer_decay, plan.seed)


def needs_start(objective: Any, plan: TrainSettings) -> bool:
    """Whether a run that goes on needs the weights it began with.

    Examples
    --------
    >>> needs_start(None, TrainSettings()), needs_start(None, TrainSettings(lora=4))
    (False, True)
    """
    return plan.lora > 0 or (plan.teacher == "start" and taught(objective, plan))


def taught(objective: Any, plan: TrainSettings) -> bool:
    """Whether an objective reads embeddings of a teacher; one that doesn't say what it needs is given what there is.

    Examples
    --------
    >>> taught(None, TrainSettings(teacher="start"))
    False
    """
    needs = getattr(objective, "needs", None)
    return bool(TEACHERS & set(needs)) if needs is not None else objective is not None and plan.teacher != "none"


def check(model: Any, objective: Any, plan: TrainSettings) -> None:
    """Refuse what the settings can't mean for this model and objective, before anything is made.

    Parameters
    ----------
    model : Clip
    objective : Objective or None
    plan : TrainSettings

    Raises
    ------
    SettingsError
        A pattern that fits no tensor; an objective that needs a teacher where there is none.
    """
    state = model.state_dict()
    try:
        if plan.lora:
            layers(state, plan.lora_on, plan.train)
        named(list(state), plan.train)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    if plan.teacher == "none" and taught(objective, plan):
        raise SettingsError('the objective compares with a teacher: teacher must be "start" (the model before '
                            'training) or "ema" (its average, with ema=0.9996), got "none"')


def arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file of a checkpoint.

    Raises
    ------
    ValueError
        When the file is damaged or missing.
    """
    try:
        return load_file(path)
    except (SafetensorError, FileNotFoundError) as error:
        raise ValueError(f"{path} is damaged ({error}); delete {path.parent} to go on from an older checkpoint, or "
                         "start anew with another out") from None
