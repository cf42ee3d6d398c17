"""vlmneg: hard negatives for CLIP: make them, train with them, measure what they teach."""

__version__ = "0.1.0"

from vlmneg import data as data
from vlmneg.config import ClipConfig as ClipConfig
