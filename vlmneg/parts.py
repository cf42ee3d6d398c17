"""Which of a CLIP's tensors train, and each one's share of the learning rate."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import numpy as np

from vlmneg import _core

if TYPE_CHECKING:
    from vlmneg.clip import Clip

PARTS = ("all", "text", "image", "head")
BETWEEN = ("logit_scale", "logit_bias")             # the towers
HEAD = ("text_projection", "visual.proj", *BETWEEN)
TOP = (*HEAD, "visual.ln_post.*", "ln_final.*")
BLOCK = re.compile(r"(visual\.)?transformer\.resblocks\.(\d+)\.")


class Trained:
    """The tensors of a model that an optimiser changes; the others neither change nor decay.

    Parameters
    ----------
    model : Clip
    train : {"all", "text", "image", "head"} or list of str
        Everything; one tower with its projection and ``logit_scale``; both projections and ``logit_scale``, each with
        ``logit_bias`` where there is one; or patterns of OpenAI's tensor names, such as
        ``["visual.transformer.resblocks.1?.*", "logit_scale"]``.
    layer_decay : float in (0, 1], default 1
        A block ``d`` places below a tower's projection learns at ``layer_decay ** d`` times the rate, its embeddings
        slowest; final norms, projections and ``logit_scale`` at the whole rate.

    Attributes
    ----------
    model : Clip
    names : list of str
        Of the tensors, in memory order.
    weights : ndarray, float32, flat
        All weights of the model; ``spans`` says which of them train.
    spans : ndarray of shape (S, 2), int64
        Offset and count of each trained tensor.
    speed : ndarray of shape (S,)
        Factor of the learning rate.
    decays : ndarray of shape (S,), bool
        Matrices and tables.
    logit_scale : ndarray or None
        A 0-d view where the scale trains.

    References
    ----------
    Bao et al., BEiT: BERT pre-training of image transformers, arXiv:2106.08254 (layer-wise decay).

    Examples
    --------
    >>> import vlmneg as vn
    >>> model = vn.Clip(vn.ClipConfig.tiny(vocab=600))
    >>> Trained(model, "head").names
    ['text_projection', 'logit_scale', 'visual.proj']
    >>> Trained(model, ["visual.pro"])
    Traceback (most recent call last):
    ValueError: train: no tensor is named visual.pro; near are visual.proj, visual.ln_pre.bias, visual.ln_post.bias
    """

    def __init__(self, model: Clip, train: str | Sequence[str] = "all", layer_decay: float = 1.0) -> None:
        core = getattr(model, "_core", None)
        if not isinstance(core, _core.Model):
            raise TypeError(f"model must be a vlmneg.Clip, got {type(model).__name__}")
        tensors = core.tensors()
        wanted = set(named([name for name, _, _ in tensors], train))
        kept = [(name, shape, at) for name, shape, at in tensors if name in wanted]
        self.model, self.names, self.weights = model, [name for name, _, _ in kept], core.weights()
        self.spans = np.array([(at, int(np.prod(shape))) for _, shape, at in kept], np.int64)
        self.speed = speeds(self.names, [name for name, _, _ in tensors], layer_decay)
        self.decays = np.array([len(shape) >= 2 for _, shape, _ in kept])
        self.logit_scale = model.logit_scale if "logit_scale" in wanted else None

    def gradients(self) -> np.ndarray:
        """The model's gradients, flat.

        Returns
        -------
        ndarray, float32
            As long as ``weights``.
        """
        return self.model._core.gradients()

    def changed(self) -> None:
        """Called after each step; the weights are the model's own, so there is nothing to do."""


def named(names: Sequence[str], train: str | Sequence[str]) -> list[str]:
    """The tensors that a part of a model or patterns mean, in memory order.

    Parameters
    ----------
    names : sequence of str
        Of all tensors, as OpenAI has them.
    train : {"all", "text", "image", "head"} or list of str

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        A pattern that fits no tensor; the sentence names near ones.

    Examples
    --------
    >>> named(["logit_scale", "visual.proj", "ln_final.bias"], "image")
    ['logit_scale', 'visual.proj']
    """
    if isinstance(train, str):
        if train not in PARTS:
            raise ValueError(f"train must be one of {', '.join(PARTS)}, or a list of patterns, got {train!r}")
        return [n for n in names if (n in HEAD if train == "head" else train == "all" or tower(n) in (train, ""))]
    return matching(names, train, "train")


def matching(names: Sequence[str], patterns: Sequence[str], setting: str) -> list[str]:
    """The names that fit one of the patterns, in the given order; each pattern must fit one.

    Parameters
    ----------
    names, patterns : sequence of str
    setting : str
        What the patterns are called in the error.

    Returns
    -------
    list of str

    Examples
    --------
    >>> matching(["a.weight", "a.bias"], ["*.bias"], "train")
    ['a.bias']
    """
    if not isinstance(patterns, (list, tuple)) or not all(isinstance(p, str) and p for p in patterns) or not patterns:
        raise ValueError(f"{setting} must be a list of tensor names or patterns, at least one, got {patterns!r}")
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            middle = pattern.strip("*.")
            near = difflib.get_close_matches(pattern, names, 3, 0.5) or [n for n in names if middle in n][:3]
            raise ValueError(f"{setting}: no tensor is named {pattern}; near are {', '.join(near or names[:3])}")
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]


def tower(name: str) -> str:
    """The tower whose tensor it is: "image", "text", or "" for the logit scale and bias.

    Parameters
    ----------
    name : str
        OpenAI's.

    Returns
    -------
    str

    Examples
    --------
    >>> tower("visual.conv1.weight"), tower("ln_final.bias"), tower("logit_scale")
    ('image', 'text', '')
    """
    return "" if name in BETWEEN else "image" if name.startswith("visual.") else "text"


def speeds(names: Sequence[str], everything: Sequence[str], layer_decay: float) -> np.ndarray:
    """Each tensor's factor of the learning rate under layer-wise decay.

    Parameters
    ----------
    names : sequence of str
        Tensors asked about.
    everything : sequence of str
        All tensors of the model, which say how deep its towers are.
    layer_decay : float in (0, 1]

    Returns
    -------
    ndarray of shape (len(names),), float64

    Examples
    --------
    >>> names = [f"transformer.resblocks.{n}.ln_1.bias" for n in range(3)] + ["positional_embedding", "logit_scale"]
    >>> speeds(names, names, 0.5).tolist()
    [0.125, 0.25, 0.5, 0.0625, 1.0]
    """
    if isinstance(layer_decay, bool) or not isinstance(layer_decay, (int, float)) or not 0 < layer_decay <= 1:
        raise ValueError(f"layer_decay must be above 0 and at most 1, got {layer_decay!r}")
    depth: dict[str, int] = {}
    for name in everything:
        if block := BLOCK.match(name):
            depth[tower(name)] = max(depth.get(tower(name), 0), int(block[2]) + 1)

    def below(name: str) -> int:
        if any(fnmatchcase(name, pattern) for pattern in TOP):
            return 0
        block, deep = BLOCK.match(name), depth.get(tower(name), 0)
        return deep - int(block[2]) if block else deep + 1

    return np.array([math.pow(layer_decay, below(name)) for name in names])


def target_of(given: Any) -> Any:
    """What an optimiser works on: parts of a model as they are given, or all of a model.

    Parameters
    ----------
    given : Clip, Trained or Lora

    Returns
    -------
    Trained or Lora
    """
    return given if hasattr(given, "spans") and hasattr(given, "changed") else Trained(given)
