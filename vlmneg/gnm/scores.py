"""What makes a variation worth training on: its caption fits, and it differs from the other variations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def variation_area(pictures: Sequence[Any], *, threshold: float = 10.0) -> float:
    """Share of pixels in which the variations of one item differ, in percent.

    The population standard deviation of each pixel and channel over the variations, its mean over the channels,
    the share of pixels where that is above the threshold, times 100.

    Parameters
    ----------
    pictures : sequence of PIL.Image.Image or ndarray of shape (H, W, 3), uint8
        All of one size. One alone does not vary: 0.
    threshold : float
        In grey levels, 0 to 255.

    Returns
    -------
    float in [0, 100]

    References
    ----------
    Sahin et al., Enhancing multimodal compositional reasoning of visual language models with generative negative
    mining. WACV 2024, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> a = np.zeros((10, 10, 3), np.uint8)
    >>> b = a.copy()
    >>> b[:2] = 21
    >>> variation_area([a, b])
    20.0
    """
    if not len(pictures):
        raise ValueError("the variation area needs at least one picture, got none")
    arrays = [np.asarray(p) for p in pictures]
    for array in arrays:
        if array.shape != arrays[0].shape or array.ndim != 3 or array.dtype != np.uint8:
            raise ValueError("pictures must be uint8 of one shape (H, W, 3), got "
                             f"{', '.join(f'{a.shape} {a.dtype}' for a in arrays)}")
    n = len(arrays)
    whole: Any = np.int32 if n <= 128 else np.int64     # exact, so that the order of the pictures changes nothing
    total, square = np.zeros(arrays[0].shape, whole), np.zeros(arrays[0].shape, whole)
    for array in arrays:
        wide = array.astype(whole)
        total += wide
        square += wide * wide
    deviation = np.sqrt(n * square - total * total) / n
    return float((deviation.mean(2) > threshold).mean() * 100)


def reason(itm: Sequence[float], area: float, *, min_itm: float = 0.0, min_area: float = 14.0) -> str | None:
    """Why a variation is not trained on, if it is not.

    Parameters
    ----------
    itm : sequence of float
        The match logit of each of its captions.
    area : float
        Its `variation_area`.
    min_itm, min_area : float
        The mean logit and the area must be above these.

    Returns
    -------
    str or None

    Examples
    --------
    >>> reason([1.5, -0.5], 20.0) is None
    True
    >>> reason([1.5, -0.5], 14.0)
    'variation area not above 14'
    """
    if not len(itm):
        return "no caption"
    if not float(np.mean(itm)) > min_itm:
        return f"mean match logit not above {min_itm:g}"
    return None if area > min_area else f"variation area not above {min_area:g}"
