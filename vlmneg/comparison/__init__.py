"""Trains several recipes from one start on the same data and says what each gains over plain fine-tuning, and costs."""

from .figures import BASELINE
from .run import compare
from .write import table

__all__ = ["BASELINE", "compare", "table"]
