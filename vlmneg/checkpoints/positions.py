"""Position tables of another image size: bicubic over the grid of patches, with PyTorch's two filters."""

from __future__ import annotations

import numpy as np


def resize_grid(table: np.ndarray, grid: int, antialias: bool) -> np.ndarray:
    """Resize the image tower's position table to another grid, bicubic; the class token's row is kept.

    Parameters
    ----------
    table : ndarray of shape (G*G + 1, C), float32
    grid : int
        New number of patches along a side.
    antialias : bool
        Whether shrinking widens the filter (open_clip's rule) or not (transformers').

    Returns
    -------
    ndarray of shape (grid*grid + 1, C), float32
        The table itself where the grid does not change.
    """
    old = round((len(table) - 1) ** 0.5)
    if old == grid:
        return table
    weight = _bicubic(old, grid, antialias)
    square = table[1:].reshape(old, old, -1).astype(np.float64)
    square = np.einsum("ri,cj,ijk->rck", weight, weight, square, optimize=True)
    return np.concatenate([table[:1], square.reshape(grid * grid, -1).astype(np.float32)])


def _bicubic(size: int, to: int, antialias: bool) -> np.ndarray:
    """(to, size) weights as PyTorch has them: a = -0.5 with antialiasing, else -0.75 and the border repeated."""
    scale = size / to
    wide, a = (max(scale, 1.0), -0.5) if antialias else (1.0, -0.75)
    centre = (np.arange(to) + 0.5) * scale - 0.5
    reach = int(np.ceil(2 * wide)) + 1
    places = np.floor(centre)[:, None] + np.arange(-reach, reach + 1)
    t = np.abs(places - centre[:, None]) / wide
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((t - 5) * t + 8) * t * a - 4 * a
    weight = np.where(t < 1, near, np.where(t < 2, far, 0.0))
    if antialias:
        weight *= (places >= 0) & (places < size)
        weight /= weight.sum(1, keepdims=True)
    out = np.zeros((to, size))
    np.add.at(out, (np.arange(to)[:, None], np.clip(places, 0, size - 1).astype(int)), weight)
    return out
