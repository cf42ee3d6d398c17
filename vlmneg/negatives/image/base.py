"""What all image negatives share: checks of a call, the order of slots, sums, results."""

import zlib
from dataclasses import dataclass, field

import numpy as np

from vlmneg import _core
from vlmneg import images as pictures
from vlmneg.negatives.base import MAX_K, _by_row, _integer, _strings

# vn_image_reason of csrc/vn_picture.h
REASONS = ("", "EMPTY", "SAME", "REPEAT", "AREA", "PLACE")
PARAMS = 4  # VN_IMAGE_PARAMS


@dataclass
class ImageResult:
    """Edited pictures of a batch.

    Parameters
    ----------
    image : list of N lists of K ndarray of shape (H, W, 3), uint8
        A slot that isn't valid holds the source itself.
    valid : ndarray of shape (N, K), uint8
        1 where the slot holds a negative.
    kind : list of N lists of K str
        The edit, such as "recolour"; the generator's name where nothing was made.
    reason : list of N lists of K str
        "" where valid, else the rule that failed last: EMPTY, SAME, REPEAT, AREA, PLACE.
    region : list of N lists of K ndarray of shape (H, W), uint8
        1 where the edit may have changed the picture; outside, it is the source bit for bit.
    edits : list of N lists of K dict
        What was done: numbers and names such as `object`, its place among the row's objects. Empty where not valid.
    caption : list of N lists of K (str or None)
        What is true of the edited picture, where a caption of the source could be changed likewise.
    images : list of N ndarray of shape (H, W, 3), uint8
        What the negatives were made from.
    captions : list of N str, optional
        Their captions.
    """

    image: list
    valid: np.ndarray
    kind: list
    reason: list
    region: list = field(repr=False)
    edits: list
    caption: list
    images: list = field(repr=False)
    captions: list | None = field(default=None, repr=False)

    def __len__(self):
        return len(self.images)

    def __repr__(self):
        n, k = self.valid.shape
        lines = [f"{n} pictures, {k} slots each, {int(self.valid.sum())} of {n * k} valid"]
        for i in range(min(n, 3)):
            height, width = self.images[i].shape[:2]
            lines.append(f"  {height} x {width}" + (f": {self.captions[i]}" if self.captions else ""))
            for j in range(k):
                says = f"({self.reason[i][j]})" if self.reason[i][j] else self.caption[i][j] or self.edits[i][j]
                lines.append(f"    {self.kind[i][j]}: {says}")
        return "\n".join(lines)


@dataclass
class Request:
    """A checked call."""

    images: list  # N arrays (H, W, 3)
    objects: tuple  # N tuples of what the C core wants
    others: tuple  # N arrays or None
    other_objects: tuple
    captions: list | None
    seed: int
    rows: np.ndarray  # (N,) uint64: visit * 2**32 + id
    named: list  # N objects as the caller gave them, N of the others
    other_named: list


def flag(value, name):
    """A parameter that is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def number(value, name, low, high):
    """A finite parameter in [low, high]."""
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not low <= float(value) <= high:
        raise ValueError(f"{name} must be in [{low}, {high}], got {value}")
    return float(value)


def _picture(source, name):
    """Any picture as a contiguous array (H, W, 3)."""
    if isinstance(source, np.ndarray) and source.dtype == np.uint8 and source.ndim == 3 and source.shape[2] == 3 \
            and source.size:
        return np.ascontiguousarray(source)
    try:
        image = pictures.decode(source)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None
    return np.ascontiguousarray(image.convert("RGB"))


def _hash(name):
    return zlib.crc32(name.encode()) & 0x7FFFFFFF if name else -1


def _objects(objects, image, name):
    """(mask, top, left, kind, group, use) of each object of a picture."""
    if objects is None:
        return ()
    if hasattr(objects, "masks"):  # vlmneg.data.Objects
        masks, names, groups = objects.masks, map(_hash, objects.names), map(_hash, objects.groups)
        use = [int(not c) for c in objects.crowd]
    else:
        if isinstance(objects, (str, dict)) or not hasattr(objects, "__len__"):
            raise TypeError(f"{name} must be vlmneg.data.Objects or a list of masks, got {type(objects).__name__}")
        masks, names, groups, use = objects, [-1] * len(objects), [-1] * len(objects), [1] * len(objects)
    rows = zip(masks, names, groups, use, strict=True)
    return tuple((_mask(m, image.shape[:2], f"{name}[{i}]"), 0, 0, *rest) for i, (m, *rest) in enumerate(rows))


def _mask(mask, shape, name):
    if not isinstance(mask, np.ndarray) or mask.dtype.kind not in "biu":
        kind = getattr(mask, "dtype", type(mask).__name__)
        raise TypeError(f"{name} must be a mask, an array of bool or integers, got {kind}")
    if mask.shape != shape:
        raise ValueError(f"{name} must have the shape of its picture, {shape}, got {mask.shape}")
    return np.ascontiguousarray(mask if mask.dtype in (np.uint8, np.bool_) else mask != 0).view(np.uint8)


class ImageNegatives:
    """What makes negatives of pictures: call it, or add two to have the slots of both.

    A subclass has a `name`, a `maker`, which is the edit of the C core if that has another name, and `slot()`, the
    edit's own numbers.

    Parameters
    ----------
    own : dict, optional
        The subclass's parameters beside those below, by name.
    k : int in [1, 16]
        Slots.
    feather : int in [0, 32]
        Half the width of soft edges, in pixels.
    min_area, max_area : float in [0, 1]
        Share of the picture that may change.
    min_change : float in [0, 255]
        Least mean of the absolute change over the changed region.
    variation : float in [0, 1]
        Share of the region's pixels whose standard deviation over source and variant, mean of the three channels, must
        be above 10: GNM's variation area, counted inside the region.

    References
    ----------
    Sahin et al., Enhancing multimodal compositional reasoning of visual language models with generative negative
    mining. WACV 2024, arXiv:2311.03964: the variation area.
    """

    name = ""
    maker = ""

    def __init__(self, own=None, *, k, feather=1, min_area=0.005, max_area=0.6, min_change=20, variation=0.14):
        self.k = _integer(k, "k", 1, MAX_K + 1)
        rules = {"feather": _integer(feather, "feather", 0, 33), "min_area": number(min_area, "min_area", 0, 1),
                 "max_area": number(max_area, "max_area", 0, 1),
                 "min_change": number(min_change, "min_change", 0, 255),
                 "variation": number(variation, "variation", 0, 1)}
        if min_area > max_area:
            raise ValueError(f"min_area must be at most max_area, got {min_area} and {max_area}")
        self.parameters = {"k": self.k, **(own or {}), **rules}

    @property
    def parts(self):
        """The edits whose slots follow one another."""
        return (self,)

    def slot(self):
        """The edit's own numbers, as the C core wants them."""
        return ()

    def describe(self, notes, named, other_named):
        """What an edit did, from its numbers: overridden where some of them stand for names.

        Parameters
        ----------
        notes : dict of str to int
        named, other_named : Objects, list of masks or None
            The objects of the picture and of the second one, as the caller gave them.

        Returns
        -------
        dict
        """
        return notes

    def __add__(self, other):
        if not isinstance(other, ImageNegatives):
            return NotImplemented
        return ImageSum(self.parts + other.parts)

    def __eq__(self, other):
        return type(self) is type(other) and self.parameters == other.parameters

    def __hash__(self):
        return hash((type(self), repr(self)))

    def __repr__(self):
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in self.parameters.items())})"

    def __call__(self, images, seed=0, *, visit=0, ids=None, objects=None, captions=None, others=None):
        """Negatives of pictures: the same for the same picture, seed, visit and id, whatever else is in the batch.

        Parameters
        ----------
        images : list of N pictures
            A picture is a uint8 array (H, W), (H, W, 3) or (H, W, 4), a PIL image, or a path; it is taken as RGB.
        seed : int in [0, 2**64)
        visit : int in [0, 2**32)
            Another visit gives other negatives: the epoch, in training.
        ids : sequence of N int in [0, 2**32), optional
            Random numbers are those of (seed, visit, id, slot); by default the id is a hash of the picture's pixels.
        objects : list of N, optional
            What is in each picture: `vlmneg.data.Objects`, or a list of masks of shape (H, W), other than 0 inside;
            None for a picture without.
        captions : list of N str, optional
            True captions.
        others : list of N, optional
            A second picture for each, for edits that paste: a picture, or (picture, objects); None where there is none.

        Returns
        -------
        ImageResult

        Raises
        ------
        TypeError, ValueError, OSError
            When an argument isn't what is described here, or a file cannot be read.
        """
        request = self._request(images, seed, visit, ids, objects, captions, others)
        return _draw(self.parts, request)

    def _request(self, images, seed, visit, ids, objects, captions, others):
        if isinstance(images, np.ndarray) and images.ndim < 4 or not hasattr(images, "__len__") or \
                isinstance(images, (str, bytes)):
            raise TypeError("images must be a list of pictures; put one picture into a list")
        if len(images) == 0:
            raise ValueError("images is empty; at least one is needed")
        seed = _integer(seed, "seed", 0, 2**64)
        sources = [_picture(p, f"images[{i}]") for i, p in enumerate(images)]
        n = len(sources)
        named = [None] * n if objects is None else list(_by_row(objects, "objects", n))
        if captions is not None:
            captions = list(_by_row(_strings(captions, "captions"), "captions", n))
        pairs = [_pair(o) for o in _by_row(others, "others", n)] if others is not None else [(None, None)] * n
        seconds = [None if p is None else _picture(p, f"others[{i}]") for i, (p, _) in enumerate(pairs)]
        masks = tuple(_objects(o, p, f"objects[{i}]") for i, (o, p) in enumerate(zip(named, sources, strict=True)))
        other_masks = tuple(() if p is None else _objects(o, p, f"others[{i}][1]")
                            for i, ((_, o), p) in enumerate(zip(pairs, seconds, strict=True)))
        return Request(sources, masks, tuple(seconds), other_masks, captions, seed, _rows(sources, visit, ids), named,
                       [o for _, o in pairs])


def _pair(other):
    return other if isinstance(other, tuple) and len(other) == 2 else (other, None)


def _rows(images, visit, ids):
    visit = _integer(visit, "visit", 0, 2**32)
    if ids is None:
        ids = np.array([zlib.crc32(p) for p in images], np.uint64)
    else:
        ids = np.asarray(ids)
        if ids.shape != (len(images),):
            raise ValueError(f"ids must hold one integer a picture, {len(images)}, got shape {ids.shape}")
        if ids.dtype.kind not in "iu":
            raise TypeError(f"ids must be integers, got {ids.dtype}")
        if ids.min() < 0 or ids.max() >= 2**32:
            raise ValueError(f"ids must be in [0, 2**32), got {ids.min()} to {ids.max()}")
        ids = ids.astype(np.uint64)
    return np.uint64(visit << 32) + ids


class ImageSum(ImageNegatives):
    """The slots of several edits, one after the other."""

    def __init__(self, parts):
        self._parts = tuple(parts)
        self.k = sum(p.k for p in parts)

    parts = property(lambda self: self._parts, doc="The edits whose slots follow one another.")

    def __eq__(self, other):
        return type(self) is type(other) and self.parts == other.parts

    __hash__ = ImageNegatives.__hash__

    def __repr__(self):
        return " + ".join(map(repr, self.parts))


def _numbers(part, line, place):
    """A slot as the C core wants it."""
    p, own = part.parameters, part.slot()
    return (line, place, p["feather"], round(p["min_area"] * 1e6), round(p["max_area"] * 1e6),
            round(p["min_change"] * 256), round(p["variation"] * 1e6), *own, *[0] * (PARAMS - len(own)))


def _draw(parts, request):
    listed = {name: (i, kinds, notes) for i, (name, _, kinds, notes, _) in enumerate(_core.image_listed())}
    made_by = [p for p in parts for _ in range(p.k)]
    edit = [listed[p.maker or p.name] for p in made_by]
    slots = tuple(_numbers(p, e[0], k) for k, (p, e) in enumerate(zip(made_by, edit, strict=True)))
    image, region, code, kind, notes = _core.image_draw(
        tuple(request.images), request.objects, request.others, request.other_objects, request.rows, request.seed,
        slots)
    n, valid = len(request.images), (code == 0).astype(np.uint8)
    kinds, edits = [], []
    for i in range(n):
        kinds.append([e[1][kind[i, k]] if valid[i, k] else p.name
                      for k, (p, e) in enumerate(zip(made_by, edit, strict=True))])
        edits.append([p.describe({name: int(v) for name, v in zip(e[2], notes[i, k], strict=False) if v > -2**31},
                                 request.named[i], request.other_named[i]) if valid[i, k] else {}
                      for k, (p, e) in enumerate(zip(made_by, edit, strict=True))])
    return ImageResult(image, valid, kinds, np.array(REASONS, object)[code].tolist(), region, edits,
                       [[None] * len(made_by) for _ in range(n)], request.images, request.captions)
