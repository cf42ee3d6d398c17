"""Boxes, windows and masks: which boxes survive, what the painter sees, and how its work is put back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from PIL import Image


class Window(NamedTuple):
    """A square of pixels; where it leaves the picture, the picture is continued."""

    left: int
    top: int
    side: int


def nms(boxes: Any, scores: Any, *, iou: float = 0.25) -> list[int]:
    """Boxes that no better box covers.

    Parameters
    ----------
    boxes : array_like of shape (n, 4)
        (left, top, right, bottom).
    scores : array_like of shape (n,)
    iou : float in [0, 1]
        A box whose intersection over union with a better one that survives is larger goes.

    Returns
    -------
    list of int
        Positions of the survivors, best first; of equal scores the earlier counts as better.

    References
    ----------
    Sahin et al., Enhancing multimodal compositional reasoning of visual language models with generative negative
    mining. WACV 2024, section 3.

    Examples
    --------
    >>> nms([[0, 0, 10, 10], [1, 1, 10, 10], [20, 0, 30, 10]], [0.5, 0.9, 0.6])
    [1, 2]
    """
    boxes, scores = np.asarray(boxes, np.float64).reshape(-1, 4), np.asarray(scores, np.float64).reshape(-1)
    if len(boxes) != len(scores):
        raise ValueError(f"each box needs a score: got {len(boxes)} boxes and {len(scores)} scores")
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        raise ValueError("boxes and scores must be finite numbers")
    if not 0 <= iou <= 1:
        raise ValueError(f"iou must be in [0, 1], got {iou}")
    area = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable").tolist():
        low, high = np.maximum(boxes[kept, :2], boxes[i, :2]), np.minimum(boxes[kept, 2:], boxes[i, 2:])
        both = np.prod(np.maximum(high - low, 0), axis=1)
        if not (both > iou * (area[kept] + area[i] - both)).any():
            kept.append(i)
    return kept


def crop_window(mask: Any, *, size: int = 512) -> Window:
    """The square that a painter sees: at least `size` wide, centred on the mask, shifted into the picture.

    A mask larger than `size` gets a square as wide as its longer extent. Where the picture is smaller than the square,
    the square leaves it equally on both sides.

    Parameters
    ----------
    mask : array_like of shape (H, W)
        Pixels to change are not 0.
    size : int, at least 1

    Returns
    -------
    Window

    Raises
    ------
    ValueError
        If the mask is empty.

    Notes
    -----
    The released code cuts each axis by itself and so loses the aspect of masks larger than 512 pixels. Where both
    extents are below `size` and the picture is not, its window is this one.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((600, 800), bool)
    >>> mask[10:30, 500:560] = True
    >>> crop_window(mask)
    Window(left=274, top=0, side=512)
    """
    mask = _mask(mask)
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}")
    if not mask.any():
        raise ValueError("the mask is empty: there is nothing to cut out")
    spans = []
    for axis in (1, 0):                     # columns, rows
        at = np.flatnonzero(mask.any(1 - axis))
        spans.append((int(at[0]), int(at[-1]) + 1, mask.shape[axis]))
    side = max(size, *(stop - start for start, stop, _ in spans))
    left, top = (_place(start, stop, length, side) for start, stop, length in spans)
    return Window(left, top, side)


def _place(start, stop, length, side):
    if side >= length:
        return -((side - length) // 2)
    return min(max((start + stop - side) // 2, 0), length - side)


def cut(picture: Any, window: Window, size: int = 512) -> Image.Image:
    """The window of a picture, its edges continued where it leaves the picture, resized to a square.

    Parameters
    ----------
    picture : PIL.Image.Image or ndarray of shape (H, W) or (H, W, C), uint8
    window : Window
    size : int
        Width of the result.

    Returns
    -------
    PIL.Image.Image
        Bicubic; a mask of dtype bool is resized to its nearest pixels, and is empty outside the picture.

    Examples
    --------
    >>> import numpy as np
    >>> cut(np.zeros((30, 40, 3), np.uint8), Window(-4, -9, 48), 512).size
    (512, 512)
    """
    pixels = np.asarray(picture)
    (height, width), (left, top, side) = pixels.shape[:2], window
    rows, columns = np.arange(top, top + side), np.arange(left, left + side)
    square = pixels[np.clip(rows, 0, height - 1)][:, np.clip(columns, 0, width - 1)]
    if pixels.dtype == bool:
        inside = ((rows >= 0) & (rows < height))[:, None] & (columns >= 0) & (columns < width)
        return Image.fromarray((square & inside).astype(np.uint8) * 255).resize((size, size), Image.Resampling.NEAREST)
    return Image.fromarray(square).resize((size, size), Image.Resampling.BICUBIC)


def soft(mask: Any, feather: int = 8) -> np.ndarray:
    """Weights that are 1 in the mask and fall to 0 in steps of 1 / (feather + 1) outside it.

    Parameters
    ----------
    mask : array_like of shape (H, W)
    feather : int, at least 0
        Pixels of the fall, counted along rows, columns and diagonals.

    Returns
    -------
    ndarray of shape (H, W), float32

    Examples
    --------
    >>> import numpy as np
    >>> soft(np.array([[0, 0, 0, 1, 1]]), 1).tolist()
    [[0.0, 0.0, 0.5, 1.0, 1.0]]
    """
    grown = _mask(mask)
    if feather < 0:
        raise ValueError(f"feather must be at least 0, got {feather}")
    total = grown.astype(np.float32)
    for _ in range(feather):
        wide = np.pad(grown, 1)
        wide = wide[:-2] | wide[1:-1] | wide[2:]
        grown = wide[:, :-2] | wide[:, 1:-1] | wide[:, 2:]
        total += grown
    return total / np.float32(feather + 1)


def paste(picture: Any, painted: Any, mask: Any, window: Window, *, feather: int = 8) -> np.ndarray:
    """A picture with the masked pixels of a painted window put back.

    Parameters
    ----------
    picture : PIL.Image.Image or ndarray of shape (H, W, 3), uint8
    painted : PIL.Image.Image or ndarray of shape (S, S, 3), uint8
        What became of `cut(picture, window, S)`.
    mask : array_like of shape (H, W)
    window : Window
    feather : int
        As in `soft`.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
        Pixels farther than `feather` from the mask are those of the picture, bit for bit.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((4, 4), bool)
    >>> mask[1, 1] = True
    >>> white = np.full((8, 8, 3), 255, np.uint8)
    >>> paste(np.zeros((4, 4, 3), np.uint8), white, mask, Window(0, 0, 4), feather=0)[..., 0].sum()
    np.uint64(255)
    """
    old, mask = np.asarray(picture), _mask(mask)
    if old.shape != (*mask.shape, 3) or old.dtype != np.uint8:
        raise ValueError(f"the picture must be RGB and as large as the mask {mask.shape}, got {old.shape} {old.dtype}")
    new = painted if isinstance(painted, Image.Image) else Image.fromarray(np.asarray(painted))
    fresh = np.asarray(new.convert("RGB").resize((window.side, window.side), Image.Resampling.BICUBIC))
    top, left = max(window.top, 0), max(window.left, 0)
    bottom, right = min(window.top + window.side, mask.shape[0]), min(window.left + window.side, mask.shape[1])
    fresh = fresh[top - window.top : bottom - window.top, left - window.left : right - window.left].astype(np.float32)
    weight = soft(mask[top:bottom, left:right], feather)[..., None]
    out = old.copy()
    mixed = out[top:bottom, left:right] * (1 - weight) + fresh * weight
    out[top:bottom, left:right] = (mixed + np.float32(0.5)).astype(np.uint8)
    return out


def _mask(mask: Any) -> np.ndarray:
    mask = np.asarray(mask)
    if mask.ndim != 2 or 0 in mask.shape or mask.dtype.kind not in "biu":
        raise ValueError(f"a mask must have shape (H, W) and be bool or uint8, got {mask.shape} {mask.dtype}")
    return mask != 0
