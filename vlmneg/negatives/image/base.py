"""What all image negatives share: checks of a call, the order of slots, sums, mixtures."""

import copy
import functools
import itertools
import zlib

import numpy as np

from vlmneg import images as pictures
from vlmneg.arrays import integer, number
from vlmneg.data.objects import Objects
from vlmneg.negatives.arguments import by_row, random_rows, strings
from vlmneg.negatives.base import MAX_K, Mix
from vlmneg.negatives.image import drawing
from vlmneg.negatives.image.captions import say
from vlmneg.negatives.image.drawing import REASONS, VALID, Drawn, Request
from vlmneg.negatives.image.result import ImageResult


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
    if isinstance(objects, (list, tuple)) and not all(isinstance(shape, np.ndarray) for shape in objects):
        try:
            objects = Objects([""] * len(objects), objects, image.shape[:2])
        except (TypeError, ValueError) as error:
            raise type(error)(f"{name}: {error}") from None
    if hasattr(objects, "masks"):
        masks, names, groups = objects.masks, map(_hash, objects.names), map(_hash, objects.groups)
        use = [int(not c) for c in objects.crowd]
    else:
        if isinstance(objects, (str, dict)) or not hasattr(objects, "__len__"):
            raise TypeError(f"{name} must be vlmneg.data.Objects or a list of shapes, got {type(objects).__name__}")
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

    A subclass has a `name` and either `slot()`, the numbers of the C core's edit of that name (or of `maker`), or

    - ``edit(picture, masks, other, rng)``: one variant of one picture, or
    - ``draw(request, taken, first)``: all slots of a batch.

    `edit` gets copies of the picture (H, W, 3) and of its objects' masks, the second picture or None, and a
    `numpy.random.Generator`; it gives (picture, region), (picture, region, what was done), or None where there is
    nothing to edit. It is held to the same rules, and what it changed outside the region is undone. Where the third
    names a ``"caption"``, it is the edited picture's.

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

    Examples
    --------
    >>> import numpy as np, vlmneg as vn
    >>> @vn.negatives.register("image")
    ... class invert(ImageNegatives):
    ...     name = "invert"
    ...     def __init__(self, *, k=1, **rules):
    ...         super().__init__(k=k, **rules)
    ...     def edit(self, picture, masks, other, rng):
    ...         if not masks:
    ...             return None
    ...         n = rng.integers(len(masks))
    ...         return 255 - picture, masks[n], {"object": int(n)}
    >>> picture, mask = np.zeros((4, 4, 3), np.uint8), np.eye(4, dtype=bool)
    >>> made = vn.negatives.get("image.invert")([picture], objects=[[mask]])
    >>> made.edits[0][0], made.image[0][0][..., 0].tolist()
    ({'object': 0}, [[255, 0, 0, 0], [0, 255, 0, 0], [0, 0, 255, 0], [0, 0, 0, 255]])
    """

    name = ""
    maker = ""
    slot_type = ""
    mixture: type | None = None

    def __init__(self, own=None, *, k, feather=1, min_area=0.005, max_area=0.6, min_change=20, variation=0.14):
        self.k = integer(k, "k", 1, MAX_K + 1)
        rules = {"feather": integer(feather, "feather", 0, 33), "min_area": number(min_area, "min_area", 0, 1),
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

    @property
    def kinds(self):
        """Name of the edit of each slot."""
        return tuple(p.name for p in self.parts for _ in range(p.k))

    def one(self):
        """The same with a single slot."""
        made = copy.copy(self)
        made.parameters, made.k = {**self.parameters, "k": 1}, 1
        return made

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

    def __call__(self, images, seed=0, *, visit=0, ids=None, objects=None, captions=None, others=None, samples=None):
        """Negatives of pictures: the same for the same picture, seed, visit and id, whatever else is in the batch.

        Parameters
        ----------
        images : list of N pictures
            A picture is a uint8 array (H, W), (H, W, 3) or (H, W, 4), a PIL image, or a path; it is taken as RGB.
        seed : int in [0, 2**64)
        visit : int in [0, 2**32), or N of them
            Another visit gives other negatives: the epoch, in training.
        ids : sequence of N int in [0, 2**32), optional
            Random numbers are those of (seed, visit, id, slot); by default the id is a hash of the picture's pixels.
        objects : list of N, optional
            What is in each picture: `vlmneg.data.Objects`, or a list of masks of shape (H, W), other than 0 inside, or
            of other shapes that `Objects` takes: boxes, polygons, runs. None for a picture without.
        captions : list of N, optional
            What is true of each picture: a str or a list of str. Where `objects` have names, each edit is paired with
            the first caption that says what was edited, and with what becomes of it; None where that isn't clear.
        others : list of N, optional
            A second picture for each, for edits that paste: a picture, or (picture, objects); None where there is none.
        samples : list of N Sample, optional
            Their variants, for `exact`, and their objects and captions where those aren't given.

        Returns
        -------
        ImageResult

        Raises
        ------
        TypeError, ValueError, OSError
            When an argument isn't what is described here, or a file cannot be read.
        """
        request = self._request(images, seed, visit, ids, objects, captions, others, samples)
        made = Drawn.none(len(request.images))
        for draw in self._steps():
            made = made.beside(draw(request, made.taken(), made.code.shape[1]))
        for i, k in np.argwhere(made.code != VALID).tolist():
            made.kind[i][k] = self.kinds[k]
        source, caption = _captions(made, request)
        return ImageResult(made.image, (made.code == VALID).astype(np.uint8), made.kind,
                           np.array(REASONS, object)[made.code].tolist(), made.region, made.edits, caption, source,
                           request.images, request.captions and [c[0] for c in request.captions])

    def _steps(self):
        """What draws the slots, in order; adjacent parts that the C core makes are one call."""
        steps = []
        for core, parts in itertools.groupby(self.parts, key=drawing.in_core):
            parts = list(parts)
            steps += [functools.partial(drawing.draw_in_core, parts)] if core else [
                functools.partial(drawing.draw_part, p) for p in parts]
        return steps

    def _request(self, images, seed, visit, ids, objects, captions, others, samples):
        if isinstance(images, np.ndarray) and images.ndim < 4 or not hasattr(images, "__len__") or \
                isinstance(images, (str, bytes)):
            raise TypeError("images must be a list of pictures; put one picture into a list")
        if len(images) == 0:
            raise ValueError("images is empty; at least one is needed")
        seed = integer(seed, "seed", 0, 2**64)
        sources = [_picture(p, f"images[{i}]") for i, p in enumerate(images)]
        n = len(sources)
        if samples is not None:
            for i, s in enumerate(by_row(samples, "samples", n, "picture")):
                if not hasattr(s, "captions") or not hasattr(s, "variants"):
                    raise TypeError(f"samples[{i}] must be a vlmneg.data.Sample, got {type(s).__name__}")
            objects = [s.objects or None for s in samples] if objects is None else objects
            captions = [s.captions for s in samples] if captions is None else captions
        named = [None] * n if objects is None else list(by_row(objects, "objects", n, "picture"))
        if captions is not None:
            captions = [strings([c] if isinstance(c, str) else c, f"captions[{i}]")
                        for i, c in enumerate(by_row(captions, "captions", n, "picture"))]
            if not all(captions):
                raise ValueError("captions must hold at least one caption a picture")
        pairs = [_pair(o) for o in by_row(others, "others", n, "picture")] if others is not None else [(None, None)] * n
        seconds = [None if p is None else _picture(p, f"others[{i}]") for i, (p, _) in enumerate(pairs)]
        masks = tuple(_objects(o, p, f"objects[{i}]") for i, (o, p) in enumerate(zip(named, sources, strict=True)))
        other_masks = tuple(() if p is None else _objects(o, p, f"others[{i}][1]")
                            for i, ((_, o), p) in enumerate(zip(pairs, seconds, strict=True)))
        rows = random_rows(n, visit, ids, lambda: map(zlib.crc32, sources), "picture")
        return Request(sources, masks, tuple(seconds), other_masks, captions, seed, rows, named,
                       [o for _, o in pairs], samples)


def _captions(made, request):
    """What captions were and become, None where that isn't clear: two lists of N lists of K."""
    pairs = [[None] * len(row) for row in made.kind]
    for i, k in np.argwhere(made.code == VALID).tolist() if request.captions else ():
        true, edit = request.captions[i], made.edits[i][k]
        if "caption" in edit:
            pairs[i][k] = true[0], edit["caption"]
        else:
            pairs[i][k] = say(made.kind[i][k], edit, true, request.named[i], request.other_named[i])
    return tuple([[pair and pair[at] for pair in row] for row in pairs] for at in (0, 1))


def _pair(other):
    return other if isinstance(other, tuple) and len(other) == 2 else (other, None)


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


class ImageMix(ImageNegatives):
    """Each slot is drawn from one of several edits; see `vlmneg.negatives.mix`."""

    name = "mix"

    def __init__(self, parts, weights, k):
        self.k = integer(k, "k", 1, MAX_K + 1)
        self.parameters = {"parts": parts, "weights": weights, "k": k}

    def __repr__(self):
        return Mix.__repr__(self)

    def draw(self, request, taken, first):
        """This part's slots: rows go to the edits they drew, those without a negative to their next ones.

        Parameters
        ----------
        request : Request
        taken : list of N lists of ndarray
            Each row's variants so far.
        first : int
            This part's first slot.

        Returns
        -------
        Drawn
        """
        parts, n = [p.one() for p in self.parameters["parts"]], len(request.images)
        weights, made = np.array(self.parameters["weights"], float), Drawn.none(n)
        for k in range(self.k):
            earlier = [a + b for a, b in zip(taken, made.taken(), strict=True)]
            order = Mix._order(request, first + k, weights)
            slot, rows = drawing.empty(request, 1), np.arange(n)
            for turn in range(len(parts)):
                for j, part in enumerate(parts):
                    at = rows[order[rows, turn] == j]
                    if len(at):
                        slot.fill(at, drawing.draw_part(part, request[at], [earlier[i] for i in at], first + k))
                rows = np.flatnonzero(slot.code[:, 0] != VALID)
            made = made.beside(slot)
        return made


ImageNegatives.mixture = ImageMix
ImageSum.mixture = ImageMix.mixture = None
