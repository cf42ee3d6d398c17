"""What this build is and what it runs on: instruction level, matrix product, threads, CUDA."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import numpy as np


def _load_core() -> Any:
    """Load the core with threads that soon sleep while they wait.

    libgomp lets waiting threads spin for milliseconds, which makes small steps many times slower as soon as anything
    else runs on the cores. It reads its settings once, when it is loaded, so they are in the environment only then.
    What the user has set stands.
    """
    choose = "OMP_WAIT_POLICY" not in os.environ and "GOMP_SPINCOUNT" not in os.environ
    if choose:
        os.environ["GOMP_SPINCOUNT"] = "3000"
    try:
        from vlmneg import _core as core
    finally:
        if choose:
            del os.environ["GOMP_SPINCOUNT"]
    return core


_core = _load_core()

VERSION = "0.1.0"
_BLAS = Path(__file__).parent / "lib" / "libvlmneg_blas.so"

if _BLAS.exists():
    _core.open_blas(str(_BLAS))


def set_num_threads(n: int) -> int:
    """Set the number of threads that the core computes with.

    Parameters
    ----------
    n : int
        At least 1, or 0 for the default: the physical cores that the process may use, at most ``OMP_NUM_THREADS``.

    Returns
    -------
    int
        The number now in use, at most 64.

    Raises
    ------
    ValueError
        When ``n`` is negative.

    Notes
    -----
    Results do not depend on it, to the last bit.

    Examples
    --------
    >>> set_num_threads(1)
    1
    >>> set_num_threads(0) >= 1
    True
    """
    return _core.set_threads(n)


def num_threads() -> int:
    """Number of threads that the core computes with.

    Returns
    -------
    int
    """
    return _core.threads()


def cuda_status() -> str:
    """One sentence on CUDA: what can be used, or what is missing.

    Returns
    -------
    str
    """
    return "not available: this build has no CUDA library, all operations run on the CPU"


def build_info() -> dict[str, Any]:
    """What this build is and what it runs on.

    Returns
    -------
    dict
        ``version``, ``python``, ``numpy``, ``machine``, ``level`` (instruction level in use), ``levels`` (those that
        this CPU runs), ``blas`` and ``blas_kernel``, ``blas_held_back`` (a sentence when ``OPENBLAS_CORETYPE``
        chooses the kernel, else ""), ``threads`` and ``cuda``.

    Examples
    --------
    >>> build_info()["level"] in build_info()["levels"]
    True
    """
    kernel, config = _core.blas()
    forced = os.environ.get("OPENBLAS_CORETYPE", "")
    held = ""
    if kernel and forced:
        held = (
            f"OPENBLAS_CORETYPE={forced} chooses the kernel {kernel} instead of the CPU's best; "
            "unset it for full speed"
        )
    return {
        "version": VERSION,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        "level": _core.level(),
        "levels": _core.levels(),
        "blas": " ".join(config.split()[:2]) if kernel else "builtin",
        "blas_kernel": kernel or f"builtin ({_core.level()})",
        "blas_held_back": held,
        "threads": _core.threads(),
        "cuda": cuda_status(),
    }
