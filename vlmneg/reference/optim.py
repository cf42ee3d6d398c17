"""Twin of csrc/ops/adamw.c."""

import numpy as np


def adamw(weight, m, v, grad, *, lr, betas, eps, decay, t, gain=1.0, l2=False):
    """One step with decoupled decay, or with the decay inside the gradient.

    Parameters
    ----------
    weight, m, v, grad : ndarray, float64
    t : int, the step, from 1
    l2 : bool, Adam's decay

    Returns
    -------
    weight, m, v : ndarray
    """
    b1, b2 = betas
    g = gain * grad + (decay * weight if l2 else 0)
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g * g
    step = lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
    return weight * (1 if l2 else 1 - lr * decay) - step, m, v
