"""Hard negatives of captions, pictures and embeddings: false of the other side, but close to what is true."""

from vlmneg.negatives import embed, image, taggers, text
from vlmneg.negatives.annotations import Annotations, annotate
from vlmneg.negatives.base import Edit, Negatives, Result, mix
from vlmneg.negatives.image.base import ImageNegatives, ImageResult
from vlmneg.negatives.recipe import recipe, recipes
from vlmneg.negatives.registry import find, get, names, register
from vlmneg.negatives.rules import key

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
    "recipe",
    "recipes",
    "register",
    "taggers",
    "text",
]
