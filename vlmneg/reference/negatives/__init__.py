"""Twins of the text negatives."""

from vlmneg.reference.negatives.draw import draw

__all__ = ["draw"]
