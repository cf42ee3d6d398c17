"""Token-patch scores of a batch, from which the term `local` is computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vlmneg import _core
from vlmneg.arrays import floats, numbers

from .term import Term


class TokenScores:
    """How well the tokens of each sample's captions are found among the patches of its image.

    ``score = log sum_w exp(s cos(token_w, u_w))`` with u_w the patches, weighted by their similarity to token w; no
    gradient flows through the weights.

    Parameters
    ----------
    patches : ndarray of shape (B, P, E), float32
    tokens : ndarray of shape (T, E), float32
    offsets : ndarray of shape (B * (1 + K) + 1,), integer
        Where captions begin: sample 0's, its K negatives, sample 1's, ... One without tokens is no caption.
    live : ndarray of shape (B, 1 + K), uint8
        0: never read.
    scale : float in (0, 1e6]
    terms : sequence of Term
        Of an objective; those called "local" say how scores are made.

    Attributes
    ----------
    score : ndarray of shape (B, 1 + K), float32
    live : ndarray of shape (B, 1 + K), uint8
        As given, less captions without tokens, and all of a sample whose own caption is not live.

    Raises
    ------
    ValueError, TypeError
        For shapes or types that do not fit, values that are not finite, or terms that want different scores.

    References
    ----------
    FSC-CLIP, arXiv:2410.05210, section 3.2.

    Examples
    --------
    >>> patch = np.eye(2, dtype=np.float32)[None]
    >>> TokenScores(patch, patch[0], np.array([0, 1, 2]), np.ones((1, 2), np.uint8), 3.0, [Term("local")]).score
    array([[3., 3.]], dtype=float32)
    """

    def __init__(self, patches: Any, tokens: Any, offsets: Any, live: np.ndarray, scale: float,
                 terms: Sequence[Term]) -> None:
        made = {(str(t.params["threshold"]), str(t.params["length_norm"])) for t in terms if t.name == "local"}
        if len(made) != 1:
            raise ValueError("all local terms of an objective must read the same scores: give them one threshold and "
                             f"one length_norm, got {sorted(made)}")
        if patches is None or tokens is None or offsets is None:
            raise ValueError("patches, tokens and token_offsets belong together, and one is missing")
        self._patches, self._tokens = floats(patches, "patches"), floats(tokens, "tokens")
        offsets = numbers(offsets, "token_offsets")
        if offsets is None or offsets.ndim != 1 or len(offsets) != live.size + 1:
            raise ValueError(f"token_offsets must have shape ({live.size + 1},): where the caption and the "
                             f"{live.shape[1] - 1} negatives of each of {len(live)} samples begin, and the end, got "
                             f"{np.shape(offsets)}")
        if offsets[0] != 0 or offsets[-1] != len(self._tokens) or (np.diff(offsets) < 0).any():
            raise ValueError(f"token_offsets must rise from 0 to the number of tokens, {len(self._tokens)}")
        self.live = live & (np.diff(offsets) > 0).reshape(live.shape)
        self.live = np.ascontiguousarray(self.live & self.live[:, :1])
        self.score, self._mean = np.empty(live.shape, np.float32), np.empty(live.shape, np.float32)
        self._how = (offsets.astype(np.int32), self.live, float(scale), *(int(how == "on") for how in made.pop()))
        _core.local_forward(self.score, self._mean, self._patches, self._tokens, *self._how)
        if not np.isfinite(self.score).all():
            i, k = np.argwhere(~np.isfinite(self.score))[0]
            raise ValueError(f"patches of sample {i}, or tokens of its caption in slot {k}, are not finite or too long")

    def backward(self, dscore: np.ndarray, dpatches: np.ndarray | None = None,
                 dtokens: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, float]:
        """Gradients from those of the scores.

        Parameters
        ----------
        dscore : ndarray of shape (B, 1 + K), float32
        dpatches, dtokens : ndarray, optional
            Where to write; default new arrays.

        Returns
        -------
        dpatches, dtokens : ndarray of the shapes of patches and tokens, float32
            0 where nothing was read.
        dscale : float
        """
        dpatches = np.empty_like(self._patches) if dpatches is None else dpatches
        dtokens = np.empty_like(self._tokens) if dtokens is None else dtokens
        dscale = _core.local_backward(dpatches, dtokens, self.score, self._mean, dscore, self._patches, self._tokens,
                                      *self._how)
        return dpatches, dtokens, dscale
