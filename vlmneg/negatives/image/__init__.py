"""Image negatives: pictures that a caption of the source no longer describes, made by edits that need no model."""

from vlmneg.negatives.image.base import ImageNegatives, ImageResult
from vlmneg.negatives.image.blur import blur
from vlmneg.negatives.image.grey import grey
from vlmneg.negatives.image.recolour import recolour
from vlmneg.negatives.image.remove import remove
from vlmneg.negatives.image.shuffle import shuffle_columns, shuffle_patches, shuffle_rows

__all__ = ["ImageNegatives", "ImageResult", "blur", "grey", "recolour", "remove", "shuffle_columns", "shuffle_patches",
           "shuffle_rows"]
