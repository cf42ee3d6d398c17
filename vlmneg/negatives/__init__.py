"""Hard negatives of captions, pictures and embeddings: false of the other side, but close to what is true."""

from vlmneg.negatives import embed, image, taggers, text
from vlmneg.negatives.annotations import Annotations, annotate
from vlmneg.negatives.base import Negatives, mix
from vlmneg.negatives.image.base import ImageNegatives
from vlmneg.negatives.image.result import ImageResult
from vlmneg.negatives.recipe import recipe, recipes
from vlmneg.negatives.registry import find, get, names, register
from vlmneg.negatives.result import Edit, Result
from vlmneg.negatives.rules import key
from vlmneg.negatives.sides import pairs

__all__ = [
    "Annotations",
    "Edit",
    "ImageNegatives",
    "ImageResult",
    "Negatives",
    "Result",
    "annotate",
    "embed",
    "find",
    "get",
    "image",
    "key",
    "mix",
    "names",
    "pairs",
    "recipe",
    "recipes",
    "register",
    "taggers",
    "text",
]
