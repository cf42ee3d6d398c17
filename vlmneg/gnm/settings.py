"""What a run goes by, and what it reports."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What the model-free parts go by; the defaults are the paper's. Models' thresholds are settings of plug-ins.

    Parameters
    ----------
    nms_iou : float
        Boxes that a better one covers by more than this go.
    portrayals : int
        Asked for per item.
    size : int
        Least width of the window that is painted, and the width that the painter sees.
    feather : int
        Pixels over which painted pixels blend into the photograph.
    area_threshold : float
        Grey levels from which on a pixel counts as varied.
    min_itm, min_area : float
        Variations need a mean match logit and a variation area, in percent, above these.
    match_codec : bool
        Write photographs and variations through the same JPEG encoder; otherwise variations are PNG files and
        photographs are not written.
    quality : int
        Of that JPEG encoder.
    max_failures : float
        Share of a stage's units that may fail.

    Examples
    --------
    >>> Settings(min_area=20).min_itm
    0.0
    """

    nms_iou: float = 0.25
    portrayals: int = 4
    size: int = 512
    feather: int = 8
    area_threshold: float = 10.0
    min_itm: float = 0.0
    min_area: float = 14.0
    match_codec: bool = True
    quality: int = 95
    max_failures: float = 0.01

    def __post_init__(self) -> None:
        ranges = {"nms_iou": (0, 1), "portrayals": (2, 64), "size": (8, 8192), "feather": (0, 512),
                  "area_threshold": (0, 255), "min_itm": (-np.inf, np.inf), "min_area": (-1, 100), "quality": (1, 100),
                  "max_failures": (0, 1)}
        if not isinstance(self.match_codec, bool):
            raise TypeError(f"match_codec must be True or False, got {self.match_codec!r}")
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            whole = type(type(self).__dataclass_fields__[name].default) is int
            if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
                raise TypeError(f"{name} must be {'an integer' if whole else 'a number'}, got {value!r}")
            if not low <= value <= high:
                raise ValueError(f"{name} must be in [{low}, {high}], got {value}")


@dataclasses.dataclass
class Summary:
    """What a run did.

    Parameters
    ----------
    out : str
        Folder of the run.
    stages : dict
        Stage -> {"units", "computed", "cached", "failed": int, "dropped": {reason: int}}.
    kept : int
        Variations in records.json.
    failures : dict
        "stage: input" -> reason.
    """

    out: str
    stages: dict[str, dict[str, Any]]
    kept: int
    failures: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        lines = [f"{'stage':10} {'units':>7} {'computed':>9} {'kept from before':>17} {'failed':>7}  dropped"]
        for name, s in self.stages.items():
            dropped = ", ".join(f"{n} {reason}" for reason, n in sorted(s["dropped"].items()))
            lines.append(f"{name:10} {s['units']:7} {s['computed']:9} {s['cached']:17} {s['failed']:7}  {dropped}"
                         .rstrip())
        return "\n".join([*lines, f"{self.kept} variations in {os.path.join(self.out, 'records.json')}"])


class PipelineError(RuntimeError):
    """Too much failed; what did not is in the folder, and another run does only what is left. `summary` has it all."""

    def __init__(self, message: str, summary: Summary) -> None:
        super().__init__(message)
        self.summary = summary
