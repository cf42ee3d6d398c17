"""Data sets of pictures and captions: each is a sequence of `Sample`."""

from vlmneg.data.sample import Dataset, Sample
from vlmneg.data.scenes import scenes

__all__ = ["Dataset", "Sample", "scenes"]
