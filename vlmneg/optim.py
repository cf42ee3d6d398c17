"""AdamW, Adam with L2 decay, clipping by the global norm, and the clamp of the logit scale."""

from __future__ import annotations

import math
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from vlmneg import _core
from vlmneg.parts import target_of

if TYPE_CHECKING:
    from vlmneg.clip import Clip
    from vlmneg.lora import Lora
    from vlmneg.parts import Trained

MAX_LOGIT_SCALE = math.log(100.0)
PADDING = 16  # floats; fewer lie between two neighbours in the model's memory


class AdamW:
    """AdamW as open_clip trains with it.

    Tensors of fewer than two dimensions (biases, LayerNorms, the class embedding, ``logit_scale``) do not decay, unless
    ``decay_all``. After each update the stored logarithm of the scale is clamped to [0, ln 100].

    Parameters
    ----------
    lr : float, default 1e-5
        Learning rate, finite and at least 0.
    weight_decay : float, default 0.1
    betas : pair of floats in [0, 1), default (0.9, 0.98)
    eps : float, default 1e-6
    clip_norm : float, optional
        Gradients are scaled down to this global norm when they exceed it.
    decay_all : bool, default False
        Let every tensor decay, as GNM-CLIP's released code does.
    clamp : bool, default True
        False leaves the logit scale as the step made it.

    References
    ----------
    Loshchilov and Hutter, Decoupled weight decay regularization. arXiv:1711.05101.

    Examples
    --------
    >>> AdamW(lr=1e-3, weight_decay=0.2)
    AdamW(lr=0.001, weight_decay=0.2, betas=(0.9, 0.98), eps=1e-06, clip_norm=None, decay_all=False, clamp=True)
    """

    _l2 = False

    def __init__(
        self,
        lr: float = 1e-5,
        weight_decay: float = 0.1,
        betas: tuple[float, float] = (0.9, 0.98),
        eps: float = 1e-6,
        clip_norm: float | None = None,
        decay_all: bool = False,
        clamp: bool = True,
    ):
        self.lr, self.weight_decay, self.betas, self.eps, self.clip_norm = lr, weight_decay, betas, eps, clip_norm
        self.decay_all, self.clamp = decay_all, clamp
        self.t = 0
        self._m: np.ndarray | None = None
        self._v: np.ndarray | None = None
        self._owner: weakref.ref[Clip] | None = None
        self._check(lr)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(lr={self.lr}, weight_decay={self.weight_decay}, betas={self.betas}, "
            f"eps={self.eps}, clip_norm={self.clip_norm}, decay_all={self.decay_all}, clamp={self.clamp})"
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

    def update(self, model: Clip | Trained | Lora, lr: float | None = None) -> float:
        """Take one step with the gradients that the model holds.

        Parameters
        ----------
        model : Clip, Trained or Lora
            Always the same one: the moments belong to it. Parts of a model are made by ``vlmneg.parts.Trained``,
            low-rank changes by ``vlmneg.lora.Lora``.
        lr : float, optional
            The rate of this step, for schedules; ``self.lr`` when left out.

        Returns
        -------
        float
            Global norm of the gradients that train, before clipping.

        Raises
        ------
        ValueError
            When a gradient is not finite (nothing is then changed), or for another model than before.
        """
        target = target_of(model)
        rate = self.lr if lr is None else lr
        self._check(rate)
        gradients = target.gradients()
        norm = math.sqrt(math.fsum(_core.square_sum(gradients[a:b]) for a, b in _runs(target.spans)))
        if not math.isfinite(norm):
            bad = [n for n, (at, count) in zip(target.names, target.spans, strict=True)
                   if not np.isfinite(gradients[at : at + count]).all()]  # fmt: skip
            raise ValueError(f"the gradients are not finite, weights are unchanged; first: {', '.join(bad[:3])}")
        if self._owner is not None and self._owner() is not target.model:
            raise ValueError("this optimiser holds the moments of another model; make a new one for each model")
        self._take_moments(target.weights.size)
        self._owner = weakref.ref(target.model)
        gain = 1.0
        if self.clip_norm is not None and norm > self.clip_norm:
            gain = self.clip_norm / norm
        rates = np.empty((len(target.spans), 2), np.float32)
        rates[:, 0] = rate * target.speed
        rates[:, 1] = np.where(target.decays | self.decay_all, self.weight_decay, 0.0)
        self.t += 1
        _core.adamw(
            target.weights, self._m, self._v, gradients, target.spans, rates, *self.betas, self.eps, gain, self.t,
            int(self._l2),
        )  # fmt: skip
        scale = target.logit_scale
        if self.clamp and scale is not None:
            scale[...] = min(max(float(scale), 0.0), MAX_LOGIT_SCALE)
        target.changed()
        return norm

    def _take_moments(self, size: int) -> None:
        if self._m is None or self._v is None:
            self._m, self._v = np.zeros(size, np.float32), np.zeros(size, np.float32)

    def state(self) -> dict[str, np.ndarray]:
        """Moments and step, for a checkpoint.

        Returns
        -------
        dict of str to ndarray
            ``m`` and ``v``, flat float32 copies in the order of what trains, and ``t``, int64.
        """
        if self._m is None or self._v is None:
            return {"t": np.array([self.t], np.int64)}
        return {"m": self._m.copy(), "v": self._v.copy(), "t": np.array([self.t], np.int64)}

    def load(self, model: Clip | Trained | Lora, state: dict[str, np.ndarray]) -> None:
        """Go on from a state.

        Parameters
        ----------
        model : Clip, Trained or Lora
        state : dict
            As ``state()`` gave it.

        Raises
        ------
        ValueError
            When it does not fit the model or is not finite.
        """
        target = target_of(model)
        size = target.weights.size
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
        self._owner = weakref.ref(target.model)


class Adam(AdamW):
    """Adam with L2 decay inside the gradient, as ``torch.optim.Adam(weight_decay=...)`` has it.

    Parameters
    ----------
    **settings
        Of ``AdamW``.

    References
    ----------
    Kingma and Ba, Adam: a method for stochastic optimization. arXiv:1412.6980.

    Examples
    --------
    >>> Adam(lr=1e-6, decay_all=True, clamp=False).decay_all
    True
    """

    _l2 = True


def _runs(spans: np.ndarray) -> list[tuple[int, int]]:
    """First and last place of neighbouring spans taken together; the few floats between tensors are always 0."""
    runs: list[tuple[int, int]] = []
    for at, count in spans.tolist():
        if runs and at - runs[-1][1] < PADDING:
            runs[-1] = runs[-1][0], at + count
        else:
            runs.append((at, at + count))
    return runs
