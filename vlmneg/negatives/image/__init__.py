"""Image negatives: pictures that a caption of the source no longer describes, made by edits that need no model."""

from vlmneg.negatives.image.background import background
from vlmneg.negatives.image.base import ImageNegatives
from vlmneg.negatives.image.blur import blur
from vlmneg.negatives.image.duplicate import duplicate
from vlmneg.negatives.image.exact import exact
from vlmneg.negatives.image.exchange_colours import exchange_colours
from vlmneg.negatives.image.grey import grey
from vlmneg.negatives.image.mirror import mirror
from vlmneg.negatives.image.move import move
from vlmneg.negatives.image.paste import paste, replace
from vlmneg.negatives.image.recolour import recolour
from vlmneg.negatives.image.remove import remove
from vlmneg.negatives.image.resize import resize
from vlmneg.negatives.image.result import ImageResult, Quadruple
from vlmneg.negatives.image.shuffle import shuffle_columns, shuffle_patches, shuffle_rows
from vlmneg.negatives.image.swap import swap

__all__ = ["ImageNegatives", "ImageResult", "Quadruple", "background", "blur", "duplicate", "exact", "exchange_colours",
           "grey", "mirror", "move", "paste", "recolour", "remove", "replace", "resize", "shuffle_columns",
           "shuffle_patches", "shuffle_rows", "swap"]
