"""Averages of weights: over the steps of a run (EMA), and between a start and what it was tuned to (WiSE-FT)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from vlmneg.clip import Clip

CHUNK = 1 << 16             # floats that stay in cache between the three sweeps of an average


class Average:
    """A model beside a model, whose weights are the exponential moving average of the other's.

    Parameters
    ----------
    model : Clip
        The average starts as a copy of it.
    decay : float in (0, 1)
        Each update keeps this much of the average: ``average += (1 - decay) (weights - average)``.

    Attributes
    ----------
    model : Clip
        The average; encodes and saves as any other.

    Examples
    --------
    >>> import vlmneg as vn
    >>> model = vn.Clip(vn.ClipConfig.tiny(vocab=600))
    >>> average = Average(model, decay=0.75)
    >>> model.logit_scale[...] += 1
    >>> average.update(model)
    >>> round(float(model.logit_scale - average.model.logit_scale), 2)
    0.75
    """

    def __init__(self, model: Clip, decay: float) -> None:
        if isinstance(decay, bool) or not isinstance(decay, (int, float)) or not 0 < decay < 1:
            raise ValueError(f"the decay of an average must be above 0 and below 1, got {decay!r}")
        self.decay, self.model = decay, copy(model)
        self.model.path = None                      # its weights come from no file

    def update(self, model: Clip) -> None:
        """Move towards the model's weights.

        Parameters
        ----------
        model : Clip
            Of the same configuration.
        """
        _same(self.model, model)
        average, weights, share = self.model._core.weights(), model._core.weights(), np.float32(1 - self.decay)
        for at in range(0, len(weights), CHUNK):
            step = weights[at : at + CHUNK] - average[at : at + CHUNK]
            step *= share
            average[at : at + CHUNK] += step


def copy(model: Clip) -> Clip:
    """Another model with the same configuration, weights and tokenizer.

    Parameters
    ----------
    model : Clip

    Returns
    -------
    Clip

    Examples
    --------
    >>> import vlmneg as vn
    >>> model = vn.Clip(vn.ClipConfig.tiny(vocab=600))
    >>> other = copy(model)
    >>> other.logit_scale[...] += 1
    >>> round(float(model.logit_scale), 2)
    2.66
    """
    other = type(model)(model.config, tokenizer=model._tokenizer)
    other._core.weights()[...] = model._core.weights()
    other.path = model.path
    return other


def interpolate(start: Clip, tuned: Clip, alpha: float) -> Clip:
    """The model whose weights are ``(1 - alpha) start + alpha tuned``.

    Parameters
    ----------
    start, tuned : Clip
        Of one configuration, best a model and what it was fine-tuned to: weights of separate trainings don't mix.
    alpha : float in [0, 1]
        0 gives the start, 1 the tuned model, to the bit.

    Returns
    -------
    Clip
        A new one; neither changes.

    Raises
    ------
    ValueError
        For an alpha out of range, or models of different configuration or vocabulary.

    References
    ----------
    Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022, arXiv:2109.01903, section 3.

    Examples
    --------
    >>> import vlmneg as vn
    >>> config = vn.ClipConfig.tiny(vocab=600)
    >>> start, tuned = vn.Clip(config, seed=0), vn.Clip(config, seed=0)
    >>> tuned.logit_scale[...] = start.logit_scale + 1
    >>> round(float(interpolate(start, tuned, 0.25).logit_scale - start.logit_scale), 2)
    0.25
    """
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be in [0, 1], got {alpha!r}")
    _same(start, tuned)
    mixed = copy(tuned)
    mixed.path = None
    weights, first = mixed._core.weights(), start._core.weights()
    weights *= np.float32(alpha)
    weights += np.float32(1 - alpha) * first
    return mixed


def _same(a: Clip, b: Clip) -> None:
    """Refuse two models whose weights don't belong together."""
    for model in (a, b):
        if not hasattr(model, "_core"):
            raise TypeError(f"models must be vlmneg.Clip, got {type(model).__name__}")
    one, other = dataclasses.asdict(a.config), dataclasses.asdict(b.config)
    differ = [f"{name} ({one[name]} and {other[name]})" for name in one if one[name] != other[name]]
    if differ:
        raise ValueError(f"weights can be averaged between models of one configuration; these differ in "
                         f"{', '.join(differ[:4])}")
    first, second = a._tokenizer, b._tokenizer
    if first is not None and second is not None and first.hash != second.hash:
        raise ValueError("weights can be averaged between models with one tokenizer; these two have different ones")
