"""Twin of csrc/scenes: the same scenes, captions, edits and pictures, in plain Python and NumPy."""

import copy

import numpy as np

from .philox import Rng, philox

STREAM = 4
SHAPES = "circle square triangle diamond star heart cross ring moon arrow house hourglass bow tree flag drop".split()
PALETTE = {"red": (225, 35, 40), "orange": (255, 140, 0), "yellow": (250, 230, 50), "lime": (165, 240, 70),
           "green": (30, 160, 60), "cyan": (60, 220, 230), "blue": (50, 90, 250), "purple": (145, 50, 205),
           "pink": (255, 130, 190), "brown": (165, 95, 45), "white": (245, 245, 245), "gray": (145, 145, 145)}
GROUNDS = [(10, 10, 90), (90, 10, 50), (10, 70, 30), (80, 70, 10)]
COLOURS = list(PALETTE)
RADIUS = {"small": 480, "medium": 690, "big": 930}
SIZES = ["small", "big", "small", "big"] + ["medium"] * 4
RELATIONS = ["left of", "right of", "above", "below"]
LAYOUTS = [(1, 1)] * 8 + [(1,)] * 3 + [(2,), (3,), (2, 1), (1, 2), (1, 1, 1)]
EDITS = ["attribute_swap", "object_swap", "relation_swap", "replacement", "addition"]
SIDE, UNIT, FINE = 4096, 1024, 4


class Scene:
    """A scene: `objects` is a list of dict with shape, colour, size, group, side, lane and deviations."""

    def __init__(self, seed, row):
        rng = Rng(seed, row, 0, STREAM)
        self.seed, self.row, self.objects = seed, row, []
        layout = LAYOUTS[rng.below(16)]
        self.relation = rng.below(4)
        for count in layout:
            self.add(count, rng)
        self.ground = [[level + rng.below(21) for level in corner] for corner in GROUNDS]

    def groups(self):
        """Objects of each phrase of the caption."""
        count = 1 + max((o["group"] for o in self.objects), default=-1)
        return [[o for o in self.objects if o["group"] == g] for g in range(count)]

    def new_shape(self, rng):
        """A shape that no object has."""
        while True:
            shape = SHAPES[rng.below(len(SHAPES))]
            if shape not in [o["shape"] for o in self.objects]:
                return shape

    def add(self, count, rng):
        group, before = len(self.groups()), list(self.objects)
        shape = self.new_shape(rng)
        colour, size = COLOURS[rng.below(len(COLOURS))], SIZES[rng.below(8)]
        start = self.relation % 2
        for i in range(count):
            coin, first = rng.below(2), self.objects[0] if self.objects else None
            if group == 0:
                side, lane = start if i < 2 else 1 - start, 1 - first["lane"] if i == 1 else coin
            elif group == 1:
                side, lane = 1 - start, i if count == 2 else first["lane"] if len(before) == 1 else coin
            else:
                side, lane = coin, 1 - first["lane"]
            shift, tint = rng.next().to_bytes(4, "little"), rng.next().to_bytes(4, "little")
            self.objects.append(dict(shape=shape, colour=colour, size=size, group=group, side=side, lane=lane,
                                     shift=shift[:3], tint=tint[:3]))

    def cell(self, o):
        """Column and line."""
        return (o["side"], o["lane"]) if self.relation < 2 else (o["lane"], o["side"])

    def place(self, o):
        """Centre and radius in 1/4096 of the side."""
        dx, dy, dr = o["shift"]
        r = RADIUS[o["size"]] + dr // 4
        room = (1024 - r) // 2
        column, line = self.cell(o)
        return (1024 * (1 + 2 * column) - room + 2 * room * dx // 255,
                1024 * (1 + 2 * line) - room + 2 * room * dy // 255, r)

    def say(self):
        """The caption."""
        phrases = []
        for group in self.groups():
            o, n = group[0], len(group)
            words = [o["colour"], o["shape"]] if o["size"] == "medium" else [o["size"], o["colour"], o["shape"]]
            if n > 1:
                words[-1] += "es" if words[-1].endswith("s") else "s"
            article = "an" if words[0][0] in "aeiou" else "a"
            phrases.append(" ".join([[article, "two", "three"][n - 1], *words]))
        if not self.has_relation():
            return phrases[0]
        text = " ".join([phrases[0], RELATIONS[self.relation], *(phrases[1:2] or ["the middle"])])
        return text + "".join(f", and {p}" for p in phrases[2:])

    def has_relation(self):
        """Whether the caption says where the first group stands."""
        return len(self.groups()) > 1 or len(self.objects) < 3

    def holds(self, seen):
        """Whether this scene's caption can be taken as true of another."""
        found = [[o for o in seen.objects if all(o[k] == g[0][k] for k in ("shape", "colour")) and
                  g[0]["size"] in ("medium", o["size"])] for g in self.groups()]
        if any(len(f) < len(g) for f, g in zip(found, self.groups(), strict=True)):
            return False
        axis, sign = self.relation // 2, 1 if self.relation % 2 == 0 else -1
        first = [(o, sign * seen.place(o)[axis]) for o in found[0]]
        if len(found) == 1:
            return not self.has_relation() or any(x < sign * SIDE // 2 for _, x in first)
        return any(x < sign * seen.place(b)[axis] for a, x in first for b in found[1] if a is not b)

    def edit(self, kind):
        """The edited scene, or None."""
        e, n = EDITS.index(kind), len(self.groups())
        rng = Rng(self.seed, self.row, (e + 1) << 16, STREAM)
        if not dict(attribute_swap=n > 1, object_swap=n > 1, relation_swap=self.has_relation(), replacement=True,
                    addition=len(self.objects) < 3)[kind]:
            return None
        for _ in range(10):
            out = copy.deepcopy(self)
            getattr(out, kind)(rng)
            if not out.holds(self) and (kind == "addition" or not self.holds(out)):
                return out
        return None

    def pair(self, rng):
        groups = self.groups()
        a = rng.below(len(groups))
        return groups[a], groups[(a + 1 + rng.below(len(groups) - 1)) % len(groups)]

    def exchange(self, a, b, key):
        x, y = a[0][key], b[0][key]
        for o in a:
            o[key] = y
        for o in b:
            o[key] = x

    def attribute_swap(self, rng):
        a, b = self.pair(rng)
        coin = rng.below(2)
        by_size = a[0]["colour"] == b[0]["colour"] or a[0]["size"] != b[0]["size"] and coin
        self.exchange(a, b, "size" if by_size else "colour")

    def object_swap(self, rng):
        self.exchange(*self.pair(rng), "shape")

    def relation_swap(self, rng):
        self.relation ^= 1
        for o in self.objects:
            if o["group"] < 2:
                o["side"] = 1 - o["side"]

    def replacement(self, rng):
        group = self.groups()[rng.below(len(self.groups()))]
        if rng.below(2):
            new = dict(shape=self.new_shape(rng))
        else:
            new = dict(colour=COLOURS[(COLOURS.index(group[0]["colour"]) + 1 + rng.below(11)) % 12])
        for o in group:
            o.update(new)

    def addition(self, rng):
        self.add(1, rng)

    def draw(self, size):
        """Picture (size, size, 3) and mask (size, size), uint8."""
        noise = philox(self.seed, self.row, (1 << 24) + np.arange((size * size + 15) // 16), STREAM)
        noise = noise.astype("<u4").view(np.uint8).reshape(-1)[: size * size].reshape(size, size, 1).astype(np.int64)
        t, far = 2 * np.arange(size) + 1, 2 * size
        x, y = t.reshape(1, size, 1), t.reshape(size, 1, 1)
        a, b, c, d = np.array(self.ground, np.int64)
        rgb = ((a * (far - x) + b * x) * (far - y) + (c * (far - x) + d * x) * y) // far**2 + noise * 13 // 256
        mask = np.zeros((size, size), np.uint8)
        samples = np.arange(size * FINE, dtype=np.int64)
        for number, o in enumerate(self.objects, 1):
            x, y, r = self.place(o)
            u, v = (((2 * samples + 1) * SIDE - 2 * FINE * size * c) * UNIT // (2 * FINE * size * r) for c in (x, y))
            hits = inside(o["shape"], u[None], v[:, None]).reshape(size, FINE, size, FINE).sum((1, 3))
            colour = np.clip([c + d // 10 - 12 for c, d in zip(PALETTE[o["colour"]], o["tint"], strict=True)], 0, 255)
            rgb = (rgb * (16 - hits[..., None]) + colour * hits[..., None] + 8) // 16
            mask[hits >= 8] = number
        return rgb.astype(np.uint8), mask


def inside(shape, u, v):
    """Whether points lie in a shape of radius 1024, v downwards."""
    a, b, d = abs(u), abs(v), u * u + v * v
    if shape == "star":
        normals = [(0, 1024), (974, 316), (602, -828), (-602, -828), (-974, 316)]
        return sum((p * u + q * v <= 308 * 1024).astype(int) for p, q in normals) >= 4
    return {
        "circle": lambda: d <= 1000**2,
        "square": lambda: (a <= 860) & (b <= 860),
        "triangle": lambda: (v <= 860) & (2 * a <= v + 1000),
        "diamond": lambda: 3 * a + 2 * b <= 2000,
        "heart": lambda: ((a - 480) ** 2 + (v + 330) ** 2 <= 520**2) | ((v >= -190) & (10 * a + 9 * v <= 7900)),
        "cross": lambda: ((a <= 300) & (b <= 1000)) | ((b <= 300) & (a <= 1000)),
        "ring": lambda: (d <= 1000**2) & (d >= 580**2),
        "moon": lambda: (d <= 1000**2) & ((u - 480) ** 2 + v * v >= 800**2),
        "arrow": lambda: ((v <= 0) & (a <= v + 1000)) | ((v > 0) & (v <= 1000) & (a <= 320)),
        "house": lambda: ((v <= -100) & (a <= v + 1000)) | ((v > -100) & (v <= 900) & (a <= 700) &
                                                            ~((v > 250) & (a < 230))),
        "hourglass": lambda: (b <= 1000) & (10 * a <= 9 * b + 900),
        "bow": lambda: (a <= 1000) & (10 * b <= 7 * a + 900),
        "tree": lambda: ((v <= 350) & (10 * a <= 6 * (v + 1000))) | ((v > 350) & (v <= 1000) & (a <= 200)),
        "flag": lambda: (u >= -800) & (b <= 1000) & ((u <= -560) | ((u <= 900) & (v <= 50))),
        "drop": lambda: (u * u + (v - 340) ** 2 <= 640**2) | ((v <= 0) & (10 * a <= 5 * (v + 1000))),
    }[shape]()
