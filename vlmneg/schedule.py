"""How long a run lasts and the learning rate of each of its steps."""

from __future__ import annotations

import dataclasses
import math

from .settings import TrainSettings


def planned(settings: TrainSettings, length: int) -> TrainSettings:
    """The settings with steps, warmup and save_every worked out for a data set of this length."""
    steps = settings.steps or settings.epochs * max(1, length // settings.batch)
    warmup = min(50, math.ceil(0.05 * steps)) if settings.warmup is None else settings.warmup
    every = settings.save_every or max(50, steps // 10)
    return dataclasses.replace(settings, steps=steps, warmup=warmup, save_every=every)


def learning_rate(settings: TrainSettings, step: int) -> float:
    """The rate of a step, counted from 0: linear warm-up, then half a cosine to 0 or constant.

    Examples
    --------
    >>> plan = TrainSettings(lr=1.0, steps=6, warmup=2)
    >>> [round(learning_rate(plan, step), 3) for step in range(6)]
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146]
    """
    assert settings.steps is not None and settings.warmup is not None
    if step < settings.warmup:
        return settings.lr * (step + 1) / settings.warmup
    if settings.schedule == "constant":
        return settings.lr
    return settings.lr * 0.5 * (1 + math.cos(math.pi * (step - settings.warmup) / (settings.steps - settings.warmup)))
