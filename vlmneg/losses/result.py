"""What an objective says of a batch."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .state import Notes

if typing.TYPE_CHECKING:
    from .objective import Objective


@dataclass(frozen=True, eq=False)
class Result:
    """What an objective says of a batch.

    Attributes
    ----------
    loss : float
    terms : dict of str to float
        Unweighted value of each term; the second of one name is called name_2.
    rows : int
        Samples in the mean.
    accuracy : float or None
        Share of valid negatives whose cosine with their own image is below the true caption's; a tie counts as wrong.
        None when there is no valid negative.
    dimage, dtext : ndarray of shape (B, E), float32, or None without backward
    dneg_text, dneg_image, dpos_text, dpos_image : ndarray of the shape of their set, float32, or None
        0 in invalid slots.
    dscore : ndarray of shape (B, 1 + K), float32, or None
    dpatches, dtokens : ndarray of the shapes of patches and tokens, float32, or None
    dlog_scale, dscale, dbias : float or None
        Derivatives by the logarithm of the scale, as checkpoints store it, by the scale, and by the bias.
    scale : float
        As given.
    notes : Notes or None
        What the state moves by; None for an objective that remembers nothing.
    types : sequence of str or None
        Names of the slots, as given.
    objective : Objective or None
    """

    loss: float
    terms: dict[str, float]
    rows: int
    accuracy: float | None
    dimage: np.ndarray | None = None
    dtext: np.ndarray | None = None
    dneg_text: np.ndarray | None = None
    dneg_image: np.ndarray | None = None
    dpos_text: np.ndarray | None = None
    dpos_image: np.ndarray | None = None
    dscore: np.ndarray | None = None
    dpatches: np.ndarray | None = None
    dtokens: np.ndarray | None = None
    dlog_scale: float | None = None
    dscale: float | None = None
    dbias: float | None = None
    scale: float = 1.0
    notes: Notes | None = None
    types: Sequence[str] | None = None
    objective: Objective | None = field(default=None, repr=False)

    def advance(self) -> None:
        """Move the state of the objective by this batch, as once an optimiser step; see `Objective.advance`."""
        if self.objective is not None:
            self.objective.advance(self)
