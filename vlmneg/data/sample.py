"""What every data set hands out."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vlmneg.data.objects import Objects


class Variant(NamedTuple):
    """A picture that differs from a sample's in one thing, with what is true of it.

    Parameters
    ----------
    kind : str
        What differs.
    caption : str
        True of this picture and false of the sample's.
    image : path, PIL.Image, ndarray of shape (H, W, 3) uint8, or callable
        A callable gives one of the others: the picture is made when it is asked for.
    """

    kind: str
    caption: str
    image: Any

    def picture(self):
        """The picture as a decoder takes it.

        Returns
        -------
        path, PIL.Image or ndarray
        """
        return self.image() if callable(self.image) else self.image


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """A picture with its captions.

    Parameters
    ----------
    image : path, PIL.Image or ndarray of shape (H, W, 3), uint8
        A path is opened by whoever needs the pixels: a picture that cannot be read is found there.
    captions : tuple of str
        At least one; all true of the picture.
    key : int
        Position in the data set: fixes the sample's random numbers.
    name : str
        For people: a file name, or where the sample comes from.
    group : int
        Equal for samples of the same picture.
    negatives : tuple of (kind, caption)
        Captions known to be false of the picture, which come with the data.
    objects : Objects
        What the data says is in the picture, and where; empty if it says nothing.
    variants : tuple of Variant
        Pictures with captions of their own that come with the data: of each pair, one is false of the other.
    """

    image: str | os.PathLike | np.ndarray | Any
    captions: tuple[str, ...]
    key: int
    name: str
    group: int
    negatives: tuple[tuple[str, str], ...] = ()
    objects: Objects | tuple = ()
    variants: Sequence[Variant] = ()


class Dataset:
    """A sequence of samples that also knows what was left out when the data was read.

    Parameters
    ----------
    samples : list of Sample
    skipped : dict of str to int
        Reason -> how many.
    """

    def __init__(self, samples, skipped):
        self.samples, self.skipped = samples, skipped

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, i):
        return self.sample(self._position(i))

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __repr__(self):
        left_out = ", ".join(f"{n} {reason}" for reason, n in self.skipped.items() if n)
        return f"<{len(self)} samples{'; skipped: ' + left_out if left_out else ''}>"

    def sample(self, i):
        """One sample.

        Parameters
        ----------
        i : int in [0, len)

        Returns
        -------
        Sample
        """
        return self.samples[i]

    def captions(self):
        """All captions in order, such as a vocabulary is learned from.

        Returns
        -------
        list of str
        """
        return [c for sample in self for c in sample.captions]

    def _position(self, i):
        try:
            position = i.__index__()
        except AttributeError:
            raise TypeError(f"a sample is chosen by an integer, got {type(i).__name__}") from None
        if not -len(self) <= position < len(self):
            raise IndexError(f"sample {position} of a data set of {len(self)}")
        return position % len(self)


def read_text(path):
    """The text of a UTF-8 file, with or without a byte order mark."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from None


def inside(folder, name, source):
    """Path of a picture that a data file names; one outside its folder is refused."""
    path = os.path.normpath(os.path.join(folder, name))
    if os.path.isabs(name) or os.path.relpath(path, folder).split(os.sep)[0] == os.pardir:
        raise ValueError(f"{source} names a picture outside {folder}: {name!r}")
    return path


def checked(samples, skipped, source):
    """The data set, if anything is left."""
    if not samples:
        reasons = ", ".join(f"{n} {reason}" for reason, n in skipped.items() if n) or "it is empty"
        raise ValueError(f"nothing in {source} can be used: {reasons}")
    return Dataset(samples, skipped)
