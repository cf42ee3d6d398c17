"""Data sets of pictures and captions: each is a sequence of `Sample`."""

from vlmneg.data.coco import coco
from vlmneg.data.gnm import gnm, gnm_test
from vlmneg.data.inpaintcoco import inpaintcoco
from vlmneg.data.objects import Objects
from vlmneg.data.sample import Dataset, Sample, Variant
from vlmneg.data.scenes import scenes
from vlmneg.data.spec import open
from vlmneg.data.table import table
from vlmneg.data.wrap import readable, wrap

__all__ = ["Dataset", "Objects", "Sample", "Variant", "coco", "gnm", "gnm_test", "inpaintcoco", "open", "readable",
           "scenes", "table", "wrap"]
