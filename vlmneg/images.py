"""Pictures to CLIP's tensors: decode with Pillow; resize, crop and normalise in C, the resize equal to Pillow's."""

from __future__ import annotations

import functools
import io
import operator
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import PIL
from PIL import Image

from vlmneg import _core
from vlmneg.config import MEAN, STD

__all__ = ["ImageError", "augment", "decode", "preprocess", "resize"]

MAX_SIZE = 16384
MAX_PIXELS = 2**31 - 1
ORDERS = ("horizontal", "pillow12", "pillow13")

# Modes of one byte a channel that the C code resizes, and the mode in which Pillow resizes those with alpha.
PLAIN = ("L", "La", "RGB", "RGBa", "CMYK", "YCbCr")
PREMULTIPLIED = {"LA": "La", "RGBA": "RGBa"}


class ImageError(ValueError):
    """A file or buffer that does not hold a whole picture."""


class Window(NamedTuple):
    """The part [top, top + rows) x [left, left + columns) of a picture resized to height x width."""

    height: int
    width: int
    top: int
    left: int
    rows: int
    columns: int


def decode(source: Any) -> Image.Image:
    """Open a picture and load its pixels.

    EXIF rotation is not applied.

    Parameters
    ----------
    source : path, bytes, binary file object, PIL.Image.Image, or ndarray
        An array is uint8 of shape (H, W) or (H, W, 1), grey, (H, W, 3), RGB, or (H, W, 4), RGBA.

    Returns
    -------
    PIL.Image.Image

    Raises
    ------
    ImageError
        If the data is not a picture, is cut short, or claims more pixels than Pillow's limit against bombs.
    OSError
        If the file cannot be opened.
    TypeError, ValueError
        For another kind of source, or an array of another dtype or shape.

    Examples
    --------
    >>> import numpy as np, vlmneg as vn
    >>> vn.images.decode(np.zeros((4, 6, 3), np.uint8)).size
    (6, 4)
    """
    if isinstance(source, np.ndarray):
        pixels = _pixels(source)
        return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    if isinstance(source, Image.Image):
        return _load(source, "the picture")
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _load(io.BytesIO(source), "the picture's bytes")
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            return _load(file, os.fspath(source))
    if hasattr(source, "read"):
        return _load(source, str(getattr(source, "name", "the file object")))
    raise TypeError(f"a picture must be a path, bytes, binary file, PIL image or uint8 array, got {_kind(source)}")


def resize(image: Any, size: int, *, order: str | None = None) -> np.ndarray:
    """Resize a picture with Pillow's antialiased bicubic filter, bit for bit.

    The shorter side becomes `size`, the longer one ``int(size * longer / shorter)``.

    Parameters
    ----------
    image : uint8 array, or whatever `decode` takes
        An array has shape (H, W) or (H, W, C); C = 1 is grey, 3 is RGB, 4 is RGBA, whose colours Pillow multiplies by
        alpha before it resizes.
    size : int in [1, 16384]
    order : {"horizontal", "pillow12", "pillow13"}, optional
        Which of the two passes comes first: always the horizontal one, as in Pillow before 12.2; the vertical one for
        pictures over 100 times as high as wide, as in Pillow 12.2 and 12.3; or for pictures that shrink over twice as
        much in height as in width, as in Pillow 13. By default as in the Pillow that is installed.

    Returns
    -------
    ndarray of shape (h, w) or (h, w, C), uint8
        The values of ``numpy.asarray(image.resize((w, h), PIL.Image.BICUBIC))``. For a palette those are its indices,
        which Pillow resizes by nearest neighbour; 1-bit, 16-bit, 32-bit and float pictures keep their own type.

    Raises
    ------
    ImageError, TypeError, ValueError
        As in `decode`; ValueError also if the result would have more than 2**31 pixels.

    References
    ----------
    Keys, Cubic convolution interpolation for digital image processing. IEEE TASSP, 1981.

    Examples
    --------
    >>> import numpy as np, vlmneg as vn
    >>> vn.images.resize(np.zeros((480, 640, 3), np.uint8), 224).shape
    (224, 298, 3)
    """
    size, rule = _size(size), _order(order)
    if not isinstance(image, np.ndarray) or (image.ndim == 3 and image.shape[2] == 4):
        image = decode(image)
        return np.asarray(_resize(image, _whole(*_shape(image), size), rule))
    pixels = _pixels(image)
    out = _core.image_resize(pixels, np.array(_whole(*_shape(pixels), size), np.int64), rule)
    return out[..., 0] if image.ndim == 2 else out


def preprocess(images: Any, size: int = 224, *, mean: Sequence[float] = MEAN, std: Sequence[float] = STD,
               convert_first: bool = False, order: str | None = None) -> np.ndarray:
    """CLIP's preprocessing: resize, centre crop, convert to RGB, scale to [0, 1], normalise.

    Files are decoded on several threads. Bit-equal to the same steps by Pillow and float32 divisions.

    Parameters
    ----------
    images : list of pictures, one picture, or ndarray of shape (B, H, W, 3), uint8
        A picture is whatever `decode` takes.
    size : int in [1, 16384]
    mean, std : three floats
    convert_first : bool
        Convert to RGB on opening, as some benchmarks do; it matters for palettes and alpha only.
    order : {"horizontal", "pillow12", "pillow13"}, optional
        As in `resize`.

    Returns
    -------
    ndarray of shape (B, 3, size, size), float32

    Raises
    ------
    ImageError, OSError, TypeError, ValueError
        As in `decode`; ValueError also for an empty batch.

    References
    ----------
    Radford et al., Learning transferable visual models from natural language supervision. ICML 2021.

    Examples
    --------
    >>> import numpy as np, vlmneg as vn
    >>> vn.images.preprocess([np.zeros((50, 70, 3), np.uint8)], 32).shape
    (1, 3, 32, 32)
    """
    size, rule, table = _size(size), _order(order), _table(_three(mean, "mean"), _three(std, "std"))
    pictures = _open(images, convert_first)
    windows = [_centre(*_shape(p), size) for p in pictures]
    return _tensor(pictures, windows, np.zeros(len(pictures), np.uint8), table, rule)


def augment(images: Any, size: int = 224, *, seed: int, rows: Sequence[int], scale: Sequence[float] = (0.9, 1.0),
            ratio: Sequence[float] = (3 / 4, 4 / 3), flip: bool = False, mean: Sequence[float] = MEAN,
            std: Sequence[float] = STD, convert_first: bool = False, order: str | None = None) -> np.ndarray:
    """Random resized crop for training, then conversion to RGB and normalisation.

    The crop of a picture is a function of (seed, row) alone: the same bits in any batch, on any number of threads.

    Parameters
    ----------
    images, size, mean, std, convert_first, order
        As in `preprocess`.
    seed : int in [0, 2**64)
    rows : B ints in [0, 2**64)
        One a picture: visit * 2**32 + its index in the data.
    scale : two floats, 0 < low <= high <= 1
        Range of the crop's share of the picture's area.
    ratio : two floats, 0 < low <= high
        Range of the crop's width over its height.
    flip : bool
        Mirror one picture in two. Off by default: captions say left and right.

    Returns
    -------
    ndarray of shape (B, 3, size, size), float32

    Raises
    ------
    ImageError, OSError, TypeError, ValueError
        As in `preprocess`.

    References
    ----------
    Szegedy et al., Going deeper with convolutions. CVPR 2015.

    Examples
    --------
    >>> import numpy as np, vlmneg as vn
    >>> vn.images.augment([np.zeros((50, 70, 3), np.uint8)], 32, seed=0, rows=[7]).shape
    (1, 3, 32, 32)
    """
    size, rule, table = _size(size), _order(order), _table(_three(mean, "mean"), _three(std, "std"))
    ranges, numbers = (_range(scale, "scale", 1.0), _range(ratio, "ratio", np.inf)), _rows(rows)
    pictures = _open(images, convert_first)
    if len(numbers) != len(pictures):
        raise ValueError(f"rows must hold one number a picture: got {len(numbers)} rows and {len(pictures)} pictures")
    boxes, mirror = _core.image_boxes(np.array([_shape(p) for p in pictures], np.int64), *ranges, seed, numbers)
    crops = [_crop(p, *box) for p, box in zip(pictures, boxes.tolist(), strict=True)]
    windows = [Window(size, size, 0, 0, size, size)] * len(crops)
    return _tensor(crops, windows, mirror if flip else np.zeros_like(mirror), table, rule)


def _kind(x):
    return f"{type(x).__module__}.{type(x).__qualname__}".removeprefix("builtins.")


def _load(source, name):
    """A PIL image with its pixels in memory; whatever Pillow raises on bad data becomes one error."""
    try:
        image = source if isinstance(source, Image.Image) else Image.open(source)
        image.load()
    except Exception as error:
        reason = re.sub(r" <[^>]*>", "", str(error))  # the address of a file object says nothing
        raise ImageError(f"{name} is not a whole picture that Pillow can read: {reason}") from error
    if 0 in image.size:
        raise ImageError(f"{name} has no pixels: its size is {image.size}")
    return image


def _pixels(array):
    """Checked view (H, W, C) of an array, its rows contiguous."""
    if array.dtype != np.uint8:
        advice = "; scale to [0, 255], round and use .astype('uint8')" if array.dtype.kind == "f" else ""
        raise TypeError(f"a picture's array must be uint8, got {array.dtype}{advice}")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ValueError(f"a picture's array must have shape (H, W) or (H, W, C) with C in 1, 3, 4, got {array.shape}")
    if array.size == 0:
        raise ValueError(f"a picture must have at least one pixel, got shape {array.shape}")
    pixels = array if array.ndim == 3 else array[..., None]
    ready = pixels.strides[2] == 1 and pixels.strides[1] == pixels.shape[2]
    return pixels if ready else np.ascontiguousarray(pixels)


def _size(size):
    if isinstance(size, bool) or not hasattr(size, "__index__"):
        raise TypeError(f"size must be an integer, got {_kind(size)}")
    if not 1 <= size <= MAX_SIZE:
        raise ValueError(f"size must be in [1, {MAX_SIZE}], got {size}")
    return int(size)


def _order(order):
    if order is None:
        version = tuple(int(part) for part in PIL.__version__.split(".")[:2])
        order = "pillow13" if version >= (13, 0) else "pillow12" if version >= (12, 2) else "horizontal"
    if order not in ORDERS:
        raise ValueError(f"order must be None or one of {', '.join(ORDERS)}, got {order!r}")
    return ORDERS.index(order)


def _three(values, name):
    try:
        values = tuple(float(v) for v in values)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be three numbers, got {values!r}") from None
    if len(values) != 3 or not np.isfinite(values).all() or (name == "std" and min(values) <= 0):
        positive = ", all positive" if name == "std" else ""
        raise ValueError(f"{name} must be three finite numbers{positive}, got {values}")
    return values


def _range(values, name, top):
    try:
        values = np.array(values, np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be two numbers, got {values!r}") from None
    if values.shape != (2,) or not 0 < values[0] <= values[1] <= top or not np.isfinite(values).all():
        limit = " <= 1" if top == 1 else ""
        raise ValueError(f"{name} must be (low, high) with 0 < low <= high{limit}, got {values.tolist()}")
    return values


def _rows(rows):
    try:
        return np.array([operator.index(row) for row in rows], np.uint64)
    except (TypeError, OverflowError):
        raise ValueError(f"rows must be a list of integers in [0, 2**64), one a picture, got {rows!r}") from None


@functools.lru_cache(maxsize=16)
def _table(mean, std):
    """(3, 256) float32: what each byte of each channel becomes."""
    mean, std = (np.array(x, np.float32)[:, None] for x in (mean, std))
    table = (np.arange(256, dtype=np.float32) / np.float32(255) - mean) / std
    table.flags.writeable = False
    return table


def _open(images, convert_first):
    """Each picture as an array (H, W, 1 or 3), or, in a mode that is converted after the resize, as a PIL image."""
    if isinstance(images, np.ndarray) and images.ndim == 4:
        images = list(images)
    elif not isinstance(images, (list, tuple)):
        images = [images]
    if not images:
        raise ValueError("images must hold at least one picture, got none")

    def ready(source):
        if isinstance(source, np.ndarray) and source.shape[2:] != (4,):
            return _pixels(source)
        image = decode(source)
        if convert_first and image.mode != "L":
            image = image.convert("RGB")
        return _pixels(np.asarray(image)) if image.mode in ("L", "RGB") else image

    unique = {id(source): source for source in images}  # one lazy PIL image must not be loaded by two threads
    workers = min(_core.threads(), len(unique))
    if workers == 1 or all(isinstance(source, np.ndarray) for source in images):
        done = [ready(source) for source in unique.values()]
    else:
        with ThreadPoolExecutor(workers) as pool:
            done = list(pool.map(ready, unique.values()))
    by_id = dict(zip(unique, done, strict=True))
    return [by_id[id(source)] for source in images]


def _shape(picture) -> tuple[int, int]:
    if isinstance(picture, np.ndarray):
        return picture.shape[0], picture.shape[1]
    return picture.height, picture.width


def _whole(height, width, size):
    """Window of a whole picture whose shorter side becomes size."""
    long = int(size * max(height, width) / min(height, width))
    h, w = (size, long) if height <= width else (long, size)
    if h * w > MAX_PIXELS:
        raise ValueError(f"a picture of {height} x {width} resized to {h} x {w} is larger than {MAX_PIXELS} pixels")
    return Window(h, w, 0, 0, h, w)


def _centre(height, width, size):
    """Window of the centre crop after that resize; an odd margin rounds half to even."""
    h, w = _whole(height, width, size)[:2]
    return Window(h, w, round((h - size) / 2), round((w - size) / 2), size, size)


def _crop(picture, top, left, height, width):
    if isinstance(picture, np.ndarray):
        return picture[top : top + height, left : left + width]
    return picture.crop((left, top, left + width, top + height))


def _resize(image, window, order):
    """PIL image of the window of a resized PIL image, as Pillow would make it, passes in the given order."""
    size = (window.width, window.height)
    mode = PREMULTIPLIED.get(image.mode, image.mode)
    if mode in PLAIN and size != image.size:
        pixels = np.asarray(image.convert(mode))
        pixels = pixels if pixels.ndim == 3 else pixels[..., None]
        out = _core.image_resize(pixels, np.array(window, np.int64), order)
        return Image.frombytes(mode, (window.columns, window.rows), out.tobytes()).convert(image.mode)
    between = (image.width, window.height) if _vertical_first(image, window, order) else (window.width, image.height)
    done = image.resize(between, Image.Resampling.BICUBIC).resize(size, Image.Resampling.BICUBIC)
    return _crop(done, window.top, window.left, window.rows, window.columns)


def _vertical_first(image, window, order):
    """The same choice as in csrc/image/resize.c, for the modes that Pillow resizes."""
    shrink, tall = image.height - window.height, image.height > 100 * image.width
    more = shrink > 2 * (image.width - window.width)
    return shrink > 0 and (tall if ORDERS[order] == "pillow12" else more if ORDERS[order] == "pillow13" else False)


def _tensor(pictures, windows, mirror, table, order):
    """(B, 3, rows, columns) float32. Pictures in other modes are resized first, then converted to RGB."""
    pictures, windows = list(pictures), list(windows)
    for i, picture in enumerate(pictures):
        if not isinstance(picture, np.ndarray):
            pictures[i] = np.asarray(_resize(picture, windows[i], order).convert("RGB"))
            rows, columns = windows[i][4:]
            windows[i] = Window(rows, columns, 0, 0, rows, columns)
    return _core.image_tensor(tuple(pictures), np.array(windows, np.int64), mirror, table, order)
