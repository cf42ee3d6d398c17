"""Negatives made of words: one generator a file."""

from vlmneg.negatives.text.add import add
from vlmneg.negatives.text.exact import exact
from vlmneg.negatives.text.exchange import exchange
from vlmneg.negatives.text.fill_mask import fill_mask
from vlmneg.negatives.text.llm import llm
from vlmneg.negatives.text.negate import negate
from vlmneg.negatives.text.positive import positive
from vlmneg.negatives.text.replace import replace
from vlmneg.negatives.text.shuffle import shuffle
from vlmneg.negatives.text.swap import swap
from vlmneg.negatives.text.wordnet import wordnet

__all__ = ["add", "exact", "exchange", "fill_mask", "llm", "negate", "positive", "replace", "shuffle", "swap",
           "wordnet"]
