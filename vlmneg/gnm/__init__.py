"""GNM-CLIP's pictures: the pipeline that makes variations of photographs, and the batches it trains on."""

from vlmneg.gnm import models, standins, writer
from vlmneg.gnm.pictures import encode
from vlmneg.gnm.pipeline import run
from vlmneg.gnm.plugins import Boxes, Dropped, Portrayal, Tags, Unavailable
from vlmneg.gnm.rewriting import captions_of, clean, phrases, rewrite
from vlmneg.gnm.sampler import Batch, GroupSampler
from vlmneg.gnm.scores import variation_area
from vlmneg.gnm.settings import PipelineError, Settings, Summary
from vlmneg.gnm.windows import Window, crop_window, cut, nms, paste

__all__ = ["Batch", "Boxes", "Dropped", "GroupSampler", "PipelineError", "Portrayal", "Settings", "Summary", "Tags",
           "Unavailable", "Window", "captions_of", "clean", "crop_window", "cut", "encode", "models", "nms", "paste",
           "phrases", "rewrite", "run", "standins", "variation_area", "writer"]
