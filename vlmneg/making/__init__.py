"""Negatives of a file of captions, written to a file: what `vlmneg negatives` runs."""

from vlmneg.making.run import make
from vlmneg.making.sources import read_captions

__all__ = ["make", "read_captions"]
