"""LoRA: linear layers learn a low-rank change, and the model always holds the merged weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vlmneg import _core
from vlmneg.parts import matching, named, speeds, tower

if TYPE_CHECKING:
    from vlmneg.clip import Clip

LAYERS = ("attn.in_proj_weight", "attn.out_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
OTHERS = ("text_projection", "visual.proj", "visual.conv1.weight")


class Lora:
    """Low-rank changes of a model's linear layers: W = W0 + alpha / rank B A, with A and B learnt in place of W.

    An optimiser takes it in the place of the model: ``optimizer.update(lora)``. The gradients of A and B follow from
    those of W, so the towers compute as ever; after each step W holds the merged weights, and what is saved is a plain
    checkpoint. The fused query, key and value weight of an attention is one layer of three times the width.

    Parameters
    ----------
    model : Clip
        Its weights are W0.
    rank : int, default 4
        Rows of A and columns of B, at least 1.
    alpha : float, optional
        By default ``rank``, so that the change counts as it is.
    on : list of str, optional
        Names or patterns of linear weights, as OpenAI has them, in the towers that ``train`` means: of attention and
        MLP, which are the default, both projections, and the patch embedding ``visual.conv1.weight``.
    train : {"all", "text", "image", "head"} or list of str, default "all"
        "all", "text" and "image" say in which towers A and B are; nothing else trains, not the logit scale either.
        "head", or patterns, trains those tensors in full beside A and B, where they aren't under LoRA themselves.
    layer_decay : float in (0, 1], default 1
        As of ``vlmneg.parts.Trained``.
    seed : int, default 0
        Of A, uniform in ``+-1 / sqrt(columns of W)``; B starts as 0, so the model starts as it was.

    Attributes
    ----------
    model : Clip
    layers : list of str
        Weights under LoRA.
    names : list of str
        What trains: two names a layer, ``NAME.lora_A`` and ``NAME.lora_B``, then the tensors that train in full.
    weights : ndarray, float32, flat
        All that trains, in that order.
    spans, speed, decays, logit_scale
        As of ``vlmneg.parts.Trained``.

    References
    ----------
    Hu et al., LoRA: low-rank adaptation of large language models, arXiv:2106.09685. TSVLC (Doveh et al., CVPR 2023)
    fine-tunes CLIP with rank 4.

    Examples
    --------
    >>> import vlmneg as vn
    >>> model = vn.Clip(vn.ClipConfig.tiny(vocab=600))
    >>> lora = Lora(model, rank=2, on=["*.mlp.c_fc.weight"], train="text")
    >>> lora.names[:2]
    ['transformer.resblocks.0.mlp.c_fc.weight.lora_A', 'transformer.resblocks.0.mlp.c_fc.weight.lora_B']
    """

    def __init__(self, model: Clip, rank: int = 4, alpha: float | None = None, on: Sequence[str] | None = None,
                 train: str | Sequence[str] = "all", layer_decay: float = 1.0, seed: int = 0) -> None:
        if isinstance(rank, bool) or not isinstance(rank, (int, np.integer)) or rank < 1:
            raise ValueError(f"rank must be an integer of at least 1, got {rank!r}")
        alpha = float(rank) if alpha is None else alpha
        if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not (0 < alpha < math.inf):
            raise ValueError(f"alpha must be a number above 0, got {alpha!r}")
        state = model.state_dict()
        self.model, self.rank, self.scale = model, int(rank), alpha / rank
        self.layers = layers(state, on, train)
        beside = [] if train in ("all", "text", "image") else named(list(state), train)
        self._beside = [name for name in beside if name not in self.layers]
        shapes: dict[str, tuple[int, ...]] = {}
        for name in self.layers:
            rows, columns = _matrix(state[name]).shape
            shapes |= {f"{name}.lora_A": (rank, columns), f"{name}.lora_B": (rows, rank)}
        shapes |= {name: state[name].shape for name in self._beside}
        self.names = list(shapes)
        counts = [int(np.prod(shape)) for shape in shapes.values()]
        starts = np.cumsum([0, *counts])
        self.spans = np.stack([starts[:-1], counts], 1).astype(np.int64)
        self.weights, self._gradient = (np.zeros(int(starts[-1]), np.float32) for _ in range(2))
        self._part, self._slope = ({name: flat[at : at + n].reshape(shapes[name])
                                    for name, (at, n) in zip(self.names, self.spans.tolist(), strict=True)}
                                   for flat in (self.weights, self._gradient))
        self.speed = speeds([name.partition(".lora_")[0] for name in self.names], list(state), layer_decay)
        self.decays = np.array([len(shape) >= 2 for shape in shapes.values()])
        self.logit_scale = self._part.get("logit_scale")
        self._base = {name: _matrix(state[name]).copy() for name in self.layers}
        for row, name in enumerate(self.layers):
            a = self._part[f"{name}.lora_A"]
            drawn = np.random.Generator(np.random.Philox(key=[seed, row])).random(a.shape)
            a[...] = (2 * drawn - 1) / math.sqrt(a.shape[1])
        self._read()

    def gradients(self) -> np.ndarray:
        """Gradients of all that trains, from those of the model's weights.

        Returns
        -------
        ndarray, float32
            As long as ``weights``: ``dA = alpha / rank B^T dW`` and ``dB = alpha / rank dW A^T``.
        """
        slopes = self.model.gradients()
        for name in self.layers:
            a, b = self._part[f"{name}.lora_A"], self._part[f"{name}.lora_B"]
            da, db = self._slope[f"{name}.lora_A"], self._slope[f"{name}.lora_B"]
            dw = _matrix(slopes[name])
            da[...] = 0                                     # it is added to
            _core.linear_backward(None, da, None, None, b, dw, a, 0)
            _core.linear_forward(db, None, dw, None, a, None, 0)
            da *= np.float32(self.scale)
            db *= np.float32(self.scale)
        for name in self._beside:
            self._slope[name][...] = slopes[name]
        return self._gradient

    def changed(self) -> None:
        """Write what trains into the model, merged; called after each step."""
        weights = self.model.state_dict()
        for name in self.layers:
            a, b = self._part[f"{name}.lora_A"], self._part[f"{name}.lora_B"]
            _core.linear_forward(_matrix(weights[name]), None, b * np.float32(self.scale), self._base[name],
                                 np.ascontiguousarray(a.T), None, 0)
        for name in self._beside:
            weights[name][...] = self._part[name]

    def state(self) -> dict[str, np.ndarray]:
        """A and B by name, for a checkpoint.

        Returns
        -------
        dict of str to ndarray, float32
            Copies.
        """
        return {name: part.copy() for name, part in self._part.items() if name not in self._beside}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state; the model must hold W0 when this object is made, and the trained tensors now.

        Parameters
        ----------
        state : mapping of str to ndarray
            As ``state()`` gave it.

        Raises
        ------
        ValueError
            When names or shapes don't fit, or a value isn't finite.
        """
        wanted = {name: part for name, part in self._part.items() if name not in self._beside}
        if set(state) != set(wanted):
            odd = sorted(set(state) ^ set(wanted))
            raise ValueError(f"a LoRA state must hold A and B of each of these layers; first that differs: {odd[0]}")
        for name, part in wanted.items():
            if state[name].shape != part.shape or not np.isfinite(state[name]).all():
                raise ValueError(f"{name} must have the shape {part.shape} and be finite, got {state[name].shape}")
        for name, part in wanted.items():
            part[...] = state[name]
        self._read()
        self.changed()

    def _read(self) -> None:
        weights = self.model.state_dict()
        for name in self._beside:
            self._part[name][...] = weights[name]


def _matrix(weight: np.ndarray) -> np.ndarray:
    """The weight with a row an output: a view, also of the patch embedding (C, 3, P, P)."""
    return weight.reshape(len(weight), -1)


def layers(state: Mapping[str, Any], on: Sequence[str] | None, train: str | Sequence[str]) -> list[str]:
    """The linear weights that patterns mean, or by default those of attention and MLP.

    Parameters
    ----------
    state : mapping
        The model's tensors by name.
    on, train
        As of ``Lora``.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        When no linear layer is meant.

    Examples
    --------
    >>> layers({"visual.proj": 0, "ln_final.bias": 0, "text_projection": 0}, ["*"], "text")
    ['text_projection']
    """
    linear = [n for n in state if n.endswith(LAYERS) or n in OTHERS]
    towers = (train,) if train in ("text", "image") else ("text", "image")
    if on is not None:
        known = [n for n in matching(list(state), on, "lora_on") if n in linear and tower(n) in towers]
        if not known:
            raise ValueError(f"lora_on names no linear layer in the {' or '.join(towers)} tower: {', '.join(on)}; "
                             f"linear are {', '.join(LAYERS)} of each block, {', '.join(OTHERS)}")
        return known
    return [n for n in linear if n.endswith(LAYERS) and tower(n) in towers]
