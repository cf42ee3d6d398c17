"""How the slots of a batch are made: by the core, by an edit that is written in Python, or by a mix of both."""

import zlib
from dataclasses import dataclass

import numpy as np

from vlmneg import _core

# vn_image_reason of csrc/vn_picture.h
REASONS = ("", "EMPTY", "SAME", "REPEAT", "AREA", "PLACE")
VALID, EMPTY, SAME, REPEAT, AREA, PLACE = range(6)
PARAMS, DRAWS, STRONG = 4, 11, 60   # VN_IMAGE_PARAMS; DRAWS and STRONG of csrc/negatives/image_draw.c


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
    samples: list | None = None

    def __getitem__(self, at):
        """The same for the pictures at these places."""
        def chosen(values):
            return None if values is None else type(values)(values[i] for i in at)
        return Request(chosen(self.images), chosen(self.objects), chosen(self.others), chosen(self.other_objects),
                       chosen(self.captions), self.seed, self.rows[at], chosen(self.named), chosen(self.other_named),
                       chosen(self.samples))


@dataclass
class Drawn:
    """Slots of N rows as they are being made; each list has N lists of K."""

    image: list
    region: list
    kind: list
    edits: list
    code: np.ndarray    # (N, K) uint8

    @classmethod
    def none(cls, n):
        """N rows without a slot."""
        return cls(*([[] for _ in range(n)] for _ in range(4)), np.zeros((n, 0), np.uint8))

    def taken(self):
        """Each row's valid variants."""
        return [[image for image, code in zip(*row, strict=True) if code == VALID]
                for row in zip(self.image, self.code.tolist(), strict=True)]

    def beside(self, other):
        """These slots, then the other's."""
        return Drawn(*([a + b for a, b in zip(getattr(self, f), getattr(other, f), strict=True)]
                       for f in ("image", "region", "kind", "edits")), np.concatenate([self.code, other.code], 1))

    def fill(self, at, other):
        """The other's rows put in at these places."""
        for f in ("image", "region", "kind", "edits"):
            for i, row in zip(at, getattr(other, f), strict=True):
                getattr(self, f)[i] = list(row)
        self.code[at] = other.code


def empty(request, k):
    """Slots that hold the source."""
    n = len(request.images)
    return Drawn([[p] * k for p in request.images], [[np.zeros(p.shape[:2], np.uint8)] * k for p in request.images],
                 [[""] * k for _ in range(n)], [[{}] * k for _ in range(n)], np.full((n, k), EMPTY, np.uint8))


def numbers(part, line, place):
    """A slot of the core: line of the registry, place in its row, rules, the edit's own numbers."""
    p, own = part.parameters, part.slot()
    return (line, place, p["feather"], round(p["min_area"] * 1e6), round(p["max_area"] * 1e6),
            round(p["min_change"] * 256), round(p["variation"] * 1e6), *own, *[0] * (PARAMS - len(own)))


def listed():
    """Edits of the core by name: line of the registry, names of its kinds and of its notes."""
    return {name: (i, kinds, notes) for i, (name, _, kinds, notes, _) in enumerate(_core.image_listed())}


def in_core(part):
    """Whether the C core makes a part's slots."""
    return not hasattr(part, "draw") and not hasattr(part, "edit")


def draw_part(part, request, taken, first):
    """One part's slots."""
    if in_core(part):
        return draw_in_core([part], request, taken, first)
    return part.draw(request, taken, first) if hasattr(part, "draw") else draw_in_python(part, request, taken, first)


def draw_in_core(parts, request, taken, first):
    """Slots of adjacent parts, in one call; what repeats a variant that came before them is lost, not drawn again."""
    known, made_by = listed(), [p for p in parts for _ in range(p.k)]
    lines = [known[p.maker or p.name] for p in made_by]
    slots = tuple(numbers(p, line[0], first + k) for k, (p, line) in enumerate(zip(made_by, lines, strict=True)))
    image, region, code, kind, notes = _core.image_draw(
        tuple(request.images), request.objects, request.others, request.other_objects, request.rows, request.seed,
        slots)
    made = Drawn(image, region, [[] for _ in image], [[] for _ in image], code)
    for i, row in enumerate(image):
        for k, (p, (_, kinds, names)) in enumerate(zip(made_by, lines, strict=True)):
            if code[i, k] == VALID and among(row[k], taken[i]):
                code[i, k] = REPEAT
                row[k], region[i][k] = request.images[i], np.zeros_like(region[i][k])
            found = {name: int(v) for name, v in zip(names, notes[i, k], strict=False) if v > -2**31}
            made.kind[i].append(kinds[kind[i, k]])
            made.edits[i].append(p.describe(found, request.named[i], request.other_named[i])
                                 if code[i, k] == VALID else {})
    return made


def draw_in_python(part, request, taken, first):
    """Slots of an edit that is written in Python, by the core's rules."""
    made, stream = empty(request, part.k), zlib.crc32(part.name.encode()) | 1 << 31
    for i, picture in enumerate(request.images):
        earlier = list(taken[i])
        for k in range(part.k):
            made.kind[i][k] = part.name
            for draw in range(DRAWS):
                words = _core.philox(request.seed, int(request.rows[i]), (first + k << 16) + draw, stream)
                edited = part.edit(picture.copy(), [o[0].copy() for o in request.objects[i]], request.others[i],
                                   np.random.default_rng(words))
                image, region, note, code = _checked(part, picture, edited)
                if code == VALID and among(image, earlier):
                    code = REPEAT
                if code in (VALID, EMPTY):
                    break
            made.code[i, k] = code
            if code == VALID:
                made.image[i][k], made.region[i][k], made.edits[i][k] = image, region, note
                earlier.append(image)
    return made


def _checked(part, picture, edited):
    """(image, region, note, code) of what a Python edit gave."""
    if edited is None:
        return None, None, {}, EMPTY
    image, region, *note = edited
    region = (np.asarray(region) != 0).astype(np.uint8)
    image = np.asarray(image)
    if image.shape != picture.shape or image.dtype != np.uint8 or region.shape != picture.shape[:2]:
        raise ValueError(f"{part.name}.edit must give a uint8 picture of shape {picture.shape} and its region of shape "
                         f"{picture.shape[:2]}, got {image.dtype} of {image.shape} and {region.shape}")
    image = np.where(region[..., None] != 0, image, picture)
    return image, region, dict(note[0]) if note else {}, judge(part.parameters, picture, image, region)


def judge(rules, old, new, region):
    """Code of a variant by its rules: how much of the frame changes, and how much that changes."""
    change = np.abs(new.astype(int) - old).sum(2)
    area, frame = int(region.sum()), region.size
    if area == 0:
        return SAME
    if not rules["min_area"] * frame <= area <= rules["max_area"] * frame:
        return AREA
    little = change.sum() < rules["min_change"] * area * 3 or (change > STRONG).sum() <= rules["variation"] * area
    return SAME if little else VALID


def among(image, others):
    """Whether a picture is one of others."""
    return any(np.array_equal(image, other) for other in others)
