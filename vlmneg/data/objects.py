"""Objects of a picture: what they are called and which pixels they cover."""

import functools
import numbers
from collections.abc import Mapping

import numpy as np

from vlmneg import _core

MAX_SIDE = 1 << 20


class Objects:
    """The annotated objects of a picture.

    Parameters
    ----------
    names : sequence of M str
        Categories, such as "dog".
    shapes : sequence of M shapes
        Where each object is, in one of COCO's forms or as a mask:

        - polygons: a list of lists of numbers x, y, x, y, ..., whose insides are united;
        - runs: a mapping with "size" (height, width) and "counts", lengths of 0s and 1s in turn down the columns, as a
          list or packed in a str or bytes;
        - a box: four numbers, left, top, width, height;
        - a mask: ndarray of shape (height, width), other than 0 inside.

        What lies outside the frame is cut off.
    size : (height, width)
        Of the picture, in pixels.
    groups : sequence of M str, optional
        Supercategories, such as "animal".
    crowd : sequence of M bool, optional
        True for a shape that covers several objects at once; such a shape is never edited.

    Raises
    ------
    TypeError, ValueError
        When an argument isn't what is described here.

    References
    ----------
    Lin et al., Microsoft COCO: common objects in context. ECCV 2014, arXiv:1405.0312.

    Examples
    --------
    >>> import vlmneg as vn
    >>> objects = vn.data.Objects(["dog", "ball"], [[[1, 1, 5, 1, 5, 4, 1, 4]], (6, 2, 2, 2)], (6, 9))
    >>> objects.names, objects.areas.tolist(), objects.boxes.tolist()
    (('dog', 'ball'), [12, 4], [[1, 1, 5, 4], [6, 2, 8, 4]])
    >>> objects.masks[1]
    array([[0, 0, 0, 0, 0, 0, 0, 0, 0],
           [0, 0, 0, 0, 0, 0, 0, 0, 0],
           [0, 0, 0, 0, 0, 0, 1, 1, 0],
           [0, 0, 0, 0, 0, 0, 1, 1, 0],
           [0, 0, 0, 0, 0, 0, 0, 0, 0],
           [0, 0, 0, 0, 0, 0, 0, 0, 0]], dtype=uint8)
    """

    def __init__(self, names, shapes, size, *, groups=None, crowd=None):
        self.size = _size(size)
        self.names = _strings(names, "names", None)
        if not hasattr(shapes, "__len__") or isinstance(shapes, str | Mapping):
            raise TypeError(f"shapes must be a list with one shape an object, got {type(shapes).__name__}")
        if len(shapes) != len(self.names):
            raise ValueError(f"shapes must have one shape a name, {len(self.names)}, got {len(shapes)}")
        self.groups = _strings(groups, "groups", len(self)) if groups is not None else ("",) * len(self)
        self.crowd = tuple(map(bool, crowd)) if crowd is not None else (False,) * len(self)
        if len(self.crowd) != len(self):
            raise ValueError(f"crowd must have one value an object, {len(self)}, got {len(self.crowd)}")
        self._shapes = [_shape(s, f"shapes[{m}]", self.size) for m, s in enumerate(shapes)]

    def __len__(self):
        return len(self.names)

    def __repr__(self):
        return f"<{len(self)} objects in {self.size[0]} x {self.size[1]}: {', '.join(self.names) or 'none'}>"

    @property
    def masks(self):
        """Which pixels each object covers: ndarray of shape (M, height, width), uint8, drawn anew each time."""
        out = np.zeros((len(self), *self.size), np.uint8)
        polygons = [m for m, s in enumerate(self._shapes) if s[0] == "polygons"]
        runs = [m for m, s in enumerate(self._shapes) if s[0] == "runs"]
        if polygons:
            parts = [p for m in polygons for p in self._shapes[m][1]]
            out[polygons] = _core.mask_polygons(np.concatenate([np.zeros((0, 2)), *parts]), _starts(parts),
                                                _starts([self._shapes[m][1] for m in polygons]), *self.size)
        if runs:
            counts = [self._shapes[m][1] for m in runs]
            out[runs] = _core.mask_runs(np.concatenate(counts), _starts(counts), *self.size)
        for m, (kind, content) in enumerate(self._shapes):
            if kind == "mask":
                out[m] = content
        return out

    @functools.cached_property
    def areas(self):
        """Pixels of each object: ndarray of shape (M), int64."""
        return self.masks.sum((1, 2), dtype=np.int64)

    @functools.cached_property
    def boxes(self):
        """The smallest box around each object: ndarray of shape (M, 4), int64.

        Left, top, right, bottom, the last two exclusive; zeros for an object without pixels in the frame.
        """
        out = np.zeros((len(self), 4), np.int64)
        for m, mask in enumerate(self.masks):
            columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
            if len(columns):
                out[m] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
        return out


def _starts(items):
    return np.cumsum([0, *map(len, items)], dtype=np.int64)


def _size(size):
    try:
        height, width = (int(n) for n in size if not isinstance(n, bool) and n == int(n))
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"size must be (height, width) in pixels, got {size!r}") from None
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise ValueError(f"size must be in [1, {MAX_SIDE}], got {height} x {width}")
    return height, width


def _strings(values, name, n):
    if isinstance(values, str) or not hasattr(values, "__len__"):
        raise TypeError(f"{name} must be a list of str, got {type(values).__name__}")
    for i, text in enumerate(values):
        if not isinstance(text, str):
            raise TypeError(f"{name}[{i}] must be a str, got {type(text).__name__}")
    if n is not None and len(values) != n:
        raise ValueError(f"{name} must have one str an object, {n}, got {len(values)}")
    return tuple(values)


def _shape(shape, name, size):
    """(kind, content): "polygons" with arrays (n, 2), "runs" with lengths, or "mask" with an array (height, width)."""
    if isinstance(shape, np.ndarray) and shape.ndim == 2:
        if shape.shape != size or shape.dtype.kind not in "biu":
            raise ValueError(f"{name} must be a mask of bool or integers of shape {size}, got {shape.dtype} of shape "
                             f"{shape.shape}")
        return "mask", shape != 0
    if isinstance(shape, Mapping):
        return "runs", _runs(shape, name, size)
    if isinstance(shape, str) or not hasattr(shape, "__len__"):
        raise TypeError(f"{name} must be polygons, runs, a box or a mask, got {type(shape).__name__}")
    if len(shape) == 4 and all(isinstance(x, numbers.Real) for x in shape):
        left, top, width, height = _numbers(shape, name)
        if width < 0 or height < 0:
            raise ValueError(f"{name}: a box is left, top, width, height, got a width of {width}, a height of {height}")
        right, bottom = left + width, top + height
        shape = [(left, top, left, bottom, right, bottom, right, top)]
    return "polygons", [_polygon(part, f"{name}[{i}]") for i, part in enumerate(shape)]


def _polygon(part, name):
    if isinstance(part, str) or not hasattr(part, "__len__"):
        raise TypeError(f"{name} must be a polygon, a list of numbers x, y, x, y, ..., got {part!r}")
    if len(part) < 6 or len(part) % 2:
        raise ValueError(f"{name} must hold an even number of coordinates, at least 6, got {len(part)}")
    return _numbers(part, name).reshape(-1, 2)


def _numbers(values, name):
    try:
        out = np.array(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{name} must hold numbers, got {str(values)[:80]}") from None
    if out.ndim != 1 or not (np.abs(out) <= MAX_SIDE).all():
        raise ValueError(f"{name} must hold finite numbers within {MAX_SIDE} pixels, got {str(values)[:80]}")
    return out


def _runs(shape, name, size):
    if "counts" not in shape:
        raise ValueError(f"{name} has no 'counts'; runs are a mapping with size and counts")
    counts, own = shape["counts"], shape.get("size", size)
    if _size(own) != size:
        raise ValueError(f"{name} has the size {list(own)}, the picture {list(size)} (height, width)")
    try:
        if isinstance(counts, str | bytes):
            packed = counts.encode("ascii") if isinstance(counts, str) else counts
            counts = _core.mask_unpack(packed)
        elif not all(isinstance(n, numbers.Integral) for n in counts):
            raise ValueError("counts must hold integers")
        runs = np.array(counts, np.int64).reshape(-1)
    except UnicodeEncodeError:
        raise ValueError(f"{name}: packed runs are ASCII text") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name}: {error}") from None
    if (runs < 0).any() or (runs > size[0] * size[1]).any() or runs.sum() != size[0] * size[1]:
        raise ValueError(f"{name}: runs must be lengths of at least 0 that fill {size[0]} x {size[1]} pixels exactly, "
                         f"got {len(runs)} runs")
    return runs
