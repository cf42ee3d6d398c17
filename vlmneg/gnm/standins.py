"""Stand-ins for the pipeline's models, to try and to test it without any: nothing here has learned anything.

Boxes and masks come from a sample's objects where it has some, else from its colours; portrayals from a table;
painting fills a mask with a colour and a texture; matching counts pixels of the colour that a caption names.
"""

from __future__ import annotations

import functools
import re
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from vlmneg import _core
from vlmneg.gnm.plugins import Boxes, Portrayal, Tags

VERSION = "1"
STREAM_WRITER, STREAM_TEXTURE = 201, 202
COLOURS = {"red": (205, 35, 35), "orange": (240, 140, 30), "yellow": (240, 220, 60), "green": (45, 150, 60),
           "blue": (40, 80, 200), "purple": (125, 50, 155), "pink": (245, 150, 180), "brown": (115, 75, 40),
           "black": (20, 20, 20), "grey": (128, 128, 128), "white": (240, 240, 240)}
KIN = (("dog", "cat", "fox", "sheep", "horse", "cow", "bear", "zebra", "giraffe", "elephant", "rabbit", "bird"),
       ("car", "bus", "truck", "train", "boat", "bicycle", "motorcycle", "airplane", "van"),
       ("person", "robot", "statue", "snowman", "scarecrow"),
       ("chair", "couch", "bed", "bench", "table", "dining table", "armchair", "stool"),
       ("pizza", "cake", "sandwich", "donut", "apple", "orange", "banana", "hot dog", "salad"),
       ("cup", "bowl", "bottle", "wine glass", "vase", "jug"))
MATERIALS = ("shiny", "wooden", "woollen", "striped", "plastic", "painted")


class _Standin:
    version = VERSION

    def __init__(self, known: dict[str, list[tuple[str, Any, Any]]] | None = None) -> None:
        self.known = known or {}

    @property
    def name(self) -> str:
        """The stand-in's name, in keys and records."""
        return f"standin-{type(self).__name__.lower()}"

    @property
    def settings(self) -> dict[str, Any]:
        """What its answers depend on."""
        said = [(name, thing, box) for name, found in self.known.items() for thing, box, _ in found]
        return {"objects": zlib.crc32(repr(said).encode())} if said else {}

    def objects(self, picture: Any) -> list[tuple[str, Any, Any]]:
        """Annotated (name, box, mask) of a picture, largest first."""
        return self.known.get(str(picture.info.get("name")), [])


class Tagger(_Standin):
    """Names of annotated objects; without annotation, "<colour> thing" for the colour that stands out most."""

    def __call__(self, picture: Any) -> Tags:
        tags = tuple(dict.fromkeys(o[0] for o in self.objects(picture)))[:4]
        tags = tags or (f"{_salient(picture)} thing",)
        listed = [f"{'an' if t[0] in 'aeiou' else 'a'} {t}" for t in tags]
        return Tags(tags, "a picture of " + (", ".join(listed[:-1]) + " and " if listed[1:] else "") + listed[-1])


class Grounder(_Standin):
    """Boxes of annotated objects of that name, larger ones scored higher, or of pixels of that colour."""

    def __call__(self, picture: Any, phrases: Sequence[str]) -> Boxes:
        boxes, scores, names = [], [], []
        whole = picture.width * picture.height
        for phrase in phrases:
            found = [box for name, box, _ in self.objects(picture) if name == phrase]
            colour = _colour(phrase)
            if not found and colour:
                rows, columns = np.nonzero(_named(picture) == list(COLOURS).index(colour))
                if len(rows):
                    (left, right), (top, bottom) = np.percentile(columns, (5, 95)), np.percentile(rows, (5, 95))
                    found = [(float(left), float(top), float(right) + 1, float(bottom) + 1)]
            for box in found:
                boxes.append(box)
                scores.append(min(0.4 + 0.6 * (_area(box) / whole) ** 0.5, 1.0))
                names.append(phrase)
        return Boxes(np.array(boxes).reshape(-1, 4), np.array(scores), tuple(names))


class Segmenter(_Standin):
    """The annotated polygons whose box this is; otherwise the pixels of the box's commonest colour."""

    def __call__(self, picture: Any, box: Sequence[float]) -> np.ndarray:
        best = max(self.objects(picture), key=lambda o: _overlap(o[1], box), default=None)
        if best is not None and _overlap(best[1], box) > 0.5:
            return np.unpackbits(best[2])[: picture.width * picture.height].reshape(picture.size[::-1]) != 0
        mask = np.zeros(picture.size[::-1], bool)
        left, top, right, bottom = (round(x) for x in box)
        part = _named(picture)[max(top, 0):bottom, max(left, 0):right]
        if part.size:
            mask[max(top, 0):bottom, max(left, 0):right] = part == np.bincount(part.ravel()).argmax()
        return mask


class Writer(_Standin):
    """Four kinds of thing of the item's own kind, or the item of other make, each in a colour of its own."""

    def __call__(self, sentence: str, item: str) -> list[Portrayal]:
        words = item.split()
        head = " ".join(w for w in words if w not in COLOURS) or item
        kin = next(([n for n in group if n != head] for group in KIN if head in group), [])
        rng = _random(zlib.crc32(f"{sentence}\0{item}".encode()), STREAM_WRITER)
        colours = [c for c in COLOURS if c not in words]
        made = []
        for i in range(4):
            colour = colours.pop(int(rng.integers(len(colours))))
            thing = kin.pop(int(rng.integers(len(kin)))) if kin and i else head     # the first stays close
            look = MATERIALS[int(rng.integers(len(MATERIALS)))]
            made.append(Portrayal(f"a {look} {colour} {thing}, close to what is around it", f"{colour} {thing}"))
        return made


class Inpainter(_Standin):
    """The mask in the colour that the prompt names, with a texture and the light that was there."""

    def __call__(self, picture: Any, mask: np.ndarray, prompt: str, seed: int) -> Image.Image:
        pixels = np.asarray(picture, np.float32)
        rng = _random(seed, STREAM_TEXTURE)
        colour = np.array(COLOURS[_colour(prompt) or "grey"], np.float32)
        light = pixels.mean(2, keepdims=True)
        light = 0.35 * (light - light[mask].mean()) if mask.any() else 0 * light
        coarse = rng.integers(0, 256, (12, 12), np.uint8)
        texture = np.asarray(Image.fromarray(coarse).resize(picture.size, Image.Resampling.BICUBIC), np.float32)
        filled = colour + light + (texture[..., None] - 128) * 0.15
        return Image.fromarray(np.where(mask[..., None], filled, pixels).clip(0, 255).round().astype(np.uint8))


class Matcher(_Standin):
    """Logarithm of how many percent of the pixels have the colour that the caption names first."""

    def __call__(self, picture: Any, caption: str) -> float:
        colour = _colour(caption)
        if colour is None:
            return 0.0
        share = float((_named(picture.resize((96, 96))) == list(COLOURS).index(colour)).mean())
        return float(np.log(max(share, 1e-3) / 0.01))


def plugins(photos: Iterable[Any] | None = None) -> dict[str, Any]:
    """All six stand-ins, as `vlmneg.gnm.run` takes them.

    Parameters
    ----------
    photos : Dataset, optional
        Whose samples have `objects`, such as ``vlmneg.data.coco(..., instances=...)`` gives them.

    Returns
    -------
    dict

    Examples
    --------
    >>> sorted(plugins())
    ['grounder', 'inpainter', 'matcher', 'segmenter', 'tagger', 'writer']
    """
    known = {}
    for sample in photos or ():
        things = sample.objects
        if len(things):
            rows = zip(things.names, things.boxes, things.masks, things.crowd, strict=True)
            found = [(name, tuple(map(float, box)), np.packbits(mask)) for name, box, mask, crowd in rows
                     if mask.any() and not crowd]
            known[sample.name] = sorted(found, key=lambda o: -_area(o[1]))
    return {"tagger": Tagger(known), "grounder": Grounder(known), "writer": Writer(), "segmenter": Segmenter(known),
            "inpainter": Inpainter(), "matcher": Matcher()}


def _colour(text):
    return next((w for w in re.findall(r"[a-z]+", text.lower().replace("gray", "grey")) if w in COLOURS), None)


@functools.lru_cache(maxsize=1)
def _nearest():
    """(32, 32, 32): the number of the named colour nearest to each colour of five bits a channel."""
    grid = np.stack(np.meshgrid(*[np.arange(32) * 8 + 4] * 3, indexing="ij"), -1)
    return np.argmin([((grid - np.array(c)) ** 2).sum(-1) for c in COLOURS.values()], axis=0)


def _named(picture):
    """(H, W): the number of the named colour nearest to each pixel."""
    pixels = np.asarray(picture.convert("RGB")) >> 3
    return _nearest()[pixels[..., 0], pixels[..., 1], pixels[..., 2]]


def _salient(picture):
    """The colour most over-represented in the middle of a picture."""
    named = _named(picture)
    h, w = named.shape
    middle = named[h // 4 : h - h // 4, w // 4 : w - w // 4]
    count = [np.bincount(x.ravel(), minlength=len(COLOURS)) / x.size for x in (middle, named)]
    return list(COLOURS)[int(np.argmax(np.where(count[0] > 0.02, count[0] - 0.5 * count[1], -1)))]


def _area(box):
    return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)


def _overlap(a, b):
    both = _area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))
    return both / max(_area(a) + _area(b) - both, 1e-9)


def _random(seed, stream):
    """A generator that depends on these alone."""
    return np.random.Generator(np.random.Philox(key=list(_philox_key(seed, stream))))


def _philox_key(seed, stream):
    a, b, c, d = _core.philox(seed, 0, 0, stream)
    return a << 32 | b, c << 32 | d
