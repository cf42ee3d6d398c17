"""The side of vlmneg in the comparison of image edits."""

import platform

import numpy as np

import vlmneg as vn
from bench.image_negatives import photographs
from bench.step import timed
from vlmneg.negatives import image as edits

LOOSE = {"min_area": 0, "max_area": 1, "min_change": 0, "variation": 0}  # a variant of each picture, at the first draw
COMPARED = {
    "grey": edits.grey(**LOOSE),
    "blur": edits.blur(**LOOSE),
    "recolour": edits.recolour(k=1, **LOOSE),
    "remove": edits.remove(**LOOSE),
    "shuffle_patches": edits.shuffle_patches(n=4, **LOOSE),
}
ALONE = {name: vn.negatives.get(f"image.{name}", k=1) for name in vn.negatives.names("image") if name not in COMPARED}
images, objects = [], []


def start():
    vn.set_num_threads(1)
    for pictures, masks in [photographs()]:
        images.extend(pictures)
        objects.extend(masks)
    return f"vlmneg {vn.__version__}, Python {platform.python_version()}, NumPy {np.__version__}, 1 thread"


def names():
    """How many pictures; edits that have a peer; the others."""
    return len(images), list(COMPARED), list(ALONE)


def draw(name):
    others = [(images[i - 1], objects[i - 1]) for i in range(len(images))] if name in ALONE else None
    return (COMPARED | ALONE)[name](images, 1, ids=range(len(images)), objects=objects, others=others)


def variants(name):
    """What each picture became, and what was done."""
    made = draw(name)
    return [row[0] for row in made.image], [row[0] for row in made.edits]


def seconds(name):
    return timed(lambda: draw(name))
