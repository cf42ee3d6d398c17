"""Image negatives: pictures that a caption of the source no longer describes, made by edits that need no model."""

from vlmneg.negatives.image.base import ImageNegatives, ImageResult
from vlmneg.negatives.image.grey import grey

__all__ = ["ImageNegatives", "ImageResult", "grey"]
