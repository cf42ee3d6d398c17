"""Pictures on their way in and out: what `run` takes, what tells one from another, and the encoder of all."""

from __future__ import annotations

import dataclasses
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from vlmneg import images
from vlmneg.data import Sample
from vlmneg.gnm.stages import digest

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")


@dataclasses.dataclass(frozen=True, eq=False)
class Photo:
    """A photograph on its way: its name in paths, its digest, its file or pixels, its captions."""

    name: str
    origin: str
    digest: str
    source: Any
    captions: tuple[str, ...]


def samples_of(pictures: Any) -> list[Sample]:
    """Samples of whatever a run is given."""
    if isinstance(pictures, (str, os.PathLike)):
        if not os.path.isdir(pictures):
            raise FileNotFoundError(f"the folder of pictures does not exist: {os.fspath(pictures)}")
        names = sorted(n for n in os.listdir(pictures) if n.lower().endswith(SUFFIXES))
        pictures = [os.path.join(pictures, n) for n in names]
    if isinstance(pictures, (bytes, Mapping)) or not hasattr(pictures, "__len__"):
        raise TypeError("pictures must be a data set, a folder, or a list of paths, pictures or (picture, captions), "
                        f"got {type(pictures).__name__}")
    if not len(pictures):
        raise ValueError("there are no pictures")
    samples = []
    for i, item in enumerate(pictures):
        if isinstance(item, Sample):
            samples.append(item)
            continue
        source, captions = item[:2] if isinstance(item, (tuple, list)) and len(item) > 1 else (item, ())
        if isinstance(item, Mapping):
            source, captions = item["image"], item.get("caption", ())
        captions = (captions,) if isinstance(captions, str) else tuple(captions)
        name = os.path.basename(source) if isinstance(source, (str, os.PathLike)) else f"{i:06d}.png"
        samples.append(Sample(source, captions, i, name, i))
    return samples


def encode(picture: Any, quality: int = 95) -> bytes:
    """A picture as JPEG: the one encoder of photographs and variations.

    Parameters
    ----------
    picture : PIL.Image.Image or ndarray of shape (H, W, 3), uint8
    quality : int in [1, 100]

    Returns
    -------
    bytes

    Examples
    --------
    >>> import numpy as np
    >>> encode(np.zeros((8, 8, 3), np.uint8))[:2].hex()
    'ffd8'
    """
    if isinstance(quality, bool) or not isinstance(quality, int) or not 1 <= quality <= 100:
        raise ValueError(f"quality must be an integer in [1, 100], got {quality!r}")
    buffer = io.BytesIO()
    picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    picture.convert("RGB").save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def png(picture):
    """A picture as PNG."""
    buffer = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def rgb(source):
    """A picture's RGB pixels, in memory."""
    return images.decode(source).convert("RGB")


def open_photo(photo):
    """Its pixels, with its name."""
    picture = rgb(photo.source)
    picture.info["name"] = photo.origin
    return picture


def digest_of(source):
    """A name of a file's bytes, or of pixels."""
    if isinstance(source, (str, os.PathLike)):
        return digest(Path(source).read_bytes())
    picture = images.decode(source)
    return digest(f"{picture.mode} {picture.size}".encode() + picture.tobytes())
