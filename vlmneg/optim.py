"""AdamW with decoupled decay, clipping by the global norm, and the clamp of the logit scale."""

from __future__ import annotations

import math
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from vlmneg import _core

if TYPE_CHECKING:
    from vlmneg.clip import Clip

MAX_LOGIT_SCALE = math.log(100.0)


class AdamW:
    """AdamW as open_clip trains with it.

    Tensors of fewer than two dimensions (biases, LayerNorms, the class embedding, ``logit_scale``) do not decay. After
    each update the stored logarithm of the scale is clamped to [0, ln 100].

    Parameters
    ----------
    lr : float, default 1e-5
        Learning rate, finite and at least 0.
    weight_decay : float, default 0.1
    betas : pair of floats in [0, 1), default (0.9, 0.98)
    eps : float, default 1e-6
    clip_norm : float, optional
        Gradients are scaled down to this global norm when they exceed it.

    References
    ----------
    Loshchilov and Hutter, Decoupled weight decay regularization. arXiv:1711.05101.

    Examples
    --------
    >>> AdamW(lr=1e-3, weight_decay=0.2)
    AdamW(lr=0.001, weight_decay=0.2, betas=(0.9, 0.98), eps=1e-06, clip_norm=None)
    """

    def __init__(
        self,
        lr: float = 1e-5,
        weight_decay: float = 0.1,
        betas: tuple[float, float] = (0.9, 0.98),
        eps: float = 1e-6,
        clip_norm: float | None = None,
    ):
        self.lr, self.weight_decay, self.betas, self.eps, self.clip_norm = lr, weight_decay, betas, eps, clip_norm
        self.t = 0
        self._m: np.ndarray | None = None
        self._v: np.ndarray | None = None
        self._owner: weakref.ref[Clip] | None = None
        self._check(lr)

    def __repr__(self) -> str:
        return (
            f"AdamW(lr={self.lr}, weight_decay={self.weight_decay}, betas={self.betas}, eps={self.eps}, "
            f"clip_norm={self.clip_norm})"
        )

    def _check(self, lr: float) -> None:
        if not isinstance(self.betas, (tuple, list)) or len(self.betas) != 2:
            raise ValueError(f"betas must be two numbers in [0, 1), got {self.betas!r}")
        settings = [lr, self.weight_decay, self.eps, *self.betas, 1.0 if self.clip_norm is None else self.clip_norm]
        for value in settings:
            if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
                raise TypeError(f"the settings of AdamW are numbers, got {value!r}")
        for name, value in (("lr", lr), ("weight_decay", self.weight_decay), ("eps", self.eps)):
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be finite and at least 0, got {value}")
        if not all(0 <= b < 1 for b in self.betas):
            raise ValueError(f"betas must be two numbers in [0, 1), got {self.betas}")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ValueError(f"clip_norm must be positive, or None for no clipping, got {self.clip_norm}")

    def update(self, model: Clip, lr: float | None = None) -> float:
        """Take one step with the gradients that the model holds.

        Parameters
        ----------
        model : Clip
            Always the same one: the moments belong to it.
        lr : float, optional
            The rate of this step, for schedules; ``self.lr`` when left out.

        Returns
        -------
        float
            Global norm of the gradients before clipping.

        Raises
        ------
        ValueError
            When a gradient is not finite (nothing is then changed), or for another model than before.
        """
        _core_of(model)
        rate = self.lr if lr is None else lr
        self._check(rate)
        weights, gradients = model._core.weights(), model._core.gradients()
        norm = math.sqrt(_core.square_sum(gradients))
        if not math.isfinite(norm):
            bad = [name for name, g in model.gradients().items() if not np.isfinite(g).all()]
            raise ValueError(f"the gradients are not finite, weights are unchanged; first: {', '.join(bad[:3])}")
        if self._owner is not None and self._owner() is not model:
            raise ValueError("this optimiser holds the moments of another model; make a new one for each model")
        self._take_moments(weights.size)
        self._owner = weakref.ref(model)
        gain = 1.0
        if self.clip_norm is not None and norm > self.clip_norm:
            gain = self.clip_norm / norm
        self.t += 1
        _core.adamw(
            weights, self._m, self._v, gradients, _spans(model),
            rate, *self.betas, self.eps, self.weight_decay, gain, self.t,
        )  # fmt: skip
        scale = model.logit_scale
        scale[...] = min(max(float(scale), 0.0), MAX_LOGIT_SCALE)
        return norm

    def _take_moments(self, size: int) -> None:
        if self._m is None or self._v is None:
            self._m, self._v = np.zeros(size, np.float32), np.zeros(size, np.float32)

    def state(self) -> dict[str, np.ndarray]:
        """Moments and step, for a checkpoint.

        Returns
        -------
        dict of str to ndarray
            ``m`` and ``v``, flat float32 copies in the model's memory order, and ``t``, int64.
        """
        if self._m is None or self._v is None:
            return {"t": np.array([self.t], np.int64)}
        return {"m": self._m.copy(), "v": self._v.copy(), "t": np.array([self.t], np.int64)}

    def load(self, model: Clip, state: dict[str, np.ndarray]) -> None:
        """Go on from a state.

        Parameters
        ----------
        model : Clip
        state : dict
            As ``state()`` gave it.

        Raises
        ------
        ValueError
            When it does not fit the model or is not finite.
        """
        size = _core_of(model).weights().size
        if not isinstance(state, Mapping) or "t" not in state:
            raise TypeError(f"an optimiser state is a dict as state() gives it, with m, v and t, got {state!r:.60}")
        step = np.asarray(state["t"]).reshape(-1)
        if step.dtype.kind not in "iu" or len(step) != 1 or step[0] < 0:
            raise ValueError(f"t of an optimiser state must be one step of at least 0, got {state['t']!r:.60}")
        t = int(step[0])
        moments = [np.array(state[k], np.float32) for k in ("m", "v") if k in state]
        if len(moments) not in (0, 2) or (t > 0) != (len(moments) == 2):
            raise ValueError("an optimiser state has m, v and t, or t = 0 alone")
        if any(x.shape != (size,) or not np.isfinite(x).all() for x in moments):
            raise ValueError(f"the optimiser state must hold {size} finite moments of this model")
        self.t = t
        self._m, self._v = moments if moments else (None, None)
        self._owner = weakref.ref(model)


def _core_of(model: Clip) -> _core.Model:
    if not isinstance(getattr(model, "_core", None), _core.Model):
        raise TypeError(f"model must be a vlmneg.Clip, got {type(model).__name__}")
    return model._core


def _spans(model: Clip) -> np.ndarray:
    """Offset, count and decay flag of each tensor (S, 3), int64."""
    rows = [(at, int(np.prod(shape)), int(len(shape) >= 2)) for _, shape, at in model._core.tensors()]
    return np.array(rows, np.int64)
