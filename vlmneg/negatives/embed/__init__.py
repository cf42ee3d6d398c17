"""Embedding negatives: rows made from the embeddings of a batch, as negatives of its images or its captions."""

from vlmneg.negatives.embed.base import Embed as Embed
from vlmneg.negatives.embed.base import EmbedResult as EmbedResult
from vlmneg.negatives.embed.gaussian import gaussian
from vlmneg.negatives.embed.hardest import hardest
from vlmneg.negatives.embed.interpolate import interpolate
from vlmneg.negatives.embed.shift import shift

__all__ = ["gaussian", "hardest", "interpolate", "shift"]
