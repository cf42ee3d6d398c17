"""What every data set hands out."""

import dataclasses
import os
from typing import Any

import numpy as np


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
    """

    image: str | os.PathLike | np.ndarray | Any
    captions: tuple[str, ...]
    key: int
    name: str
    group: int
    negatives: tuple[tuple[str, str], ...] = ()


class Dataset:
    """What data sets share: a length, samples by number, and what was left out when the data was read.

    A subclass sets `_samples` or overrides `__len__`, `sample` and `captions`.
    """

    _samples: list[Sample]
    skipped: dict[str, int]

    def __len__(self):
        return len(self._samples)

    def __getitem__(self, i):
        return self.sample(self._position(i))

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __repr__(self):
        return f"{type(self).__name__}({len(self)} samples)"

    def sample(self, i):
        """The sample at a checked, non-negative position."""
        return self._samples[i]

    def captions(self):
        """All captions in order, such as a vocabulary is learned from.

        Returns
        -------
        list of str
        """
        return [c for s in self._samples for c in s.captions]

    def _position(self, i):
        try:
            position = i.__index__()
        except AttributeError:
            raise TypeError(f"a sample is chosen by an integer, got {type(i).__name__}") from None
        if not -len(self) <= position < len(self):
            raise IndexError(f"sample {position} of a data set of {len(self)}")
        return position % len(self)
