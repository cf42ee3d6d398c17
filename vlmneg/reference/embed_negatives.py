"""Twin of csrc/negatives/embed and csrc/tiles/made.c: embedding negatives in float64, with gradients."""

import numpy as np

from vlmneg.reference.philox import Rng, philox

STREAMS = {"shift": 49, "interpolate": 50, "hardest": 51, "gaussian": 52}
STREAM_MIX = 53


class Blend:
    """A sum of factor * row, and of a random direction; parts are (set, row, factor, whether gradient flows)."""

    def __init__(self, parts, unit=True, noise=0.0, mu=0.0, partner=-1):
        self.parts, self.unit, self.noise, self.mu, self.partner = parts, unit, noise, mu, partner


def shift(at, rng, *, factor=1.0, unit=False, detach=True, allow_degenerate=False):
    """v_i + factor (t-_ik - t_i)."""
    if not at.holds(at.slot):
        return None
    return Blend([("image", at.i, 1.0, True), ("text", at.i, -factor, not detach),
                  ("neg_text", (at.i, at.slot), factor, not detach)], unit)


def interpolate(at, rng, *, low=0.5, between="true", detach_mix=False):
    """normalise(mu t-_ik + (1 - mu) y), y the true caption or another valid negative."""
    if not at.holds(at.slot):
        return None
    mu, other = low + (1 - low) * rng.uniform(), -1
    if between == "negatives":
        others = [j for j in range(len(at.valid)) if j != at.slot and at.holds(j)]
        if not others:
            return None
        other = others[rng.below(len(others))]
    y = ("text", at.i) if other < 0 else ("neg_text", (at.i, other))
    parts = [("neg_text", (at.i, at.slot), mu, not detach_mix), (*y, 1 - mu, not detach_mix)]
    return Blend(parts, True, 0.0, mu, other)


def hardest(at, rng, *, side="image", low=0.5, detach_mix=False):
    """normalise(mu x_j + (1 - mu) x_i), j the hardest other sample."""
    j = at.partners[side][at.slot] if at.slot < len(at.partners[side]) else -1
    if j < 0:
        return None
    mu = low + (1 - low) * rng.uniform()
    return Blend([(side, j, mu, not detach_mix), (side, at.i, 1 - mu, not detach_mix)], True, 0.0, mu, j)


def gaussian(at, rng, *, side="image", sigma=0.5, detach=False):
    """normalise(x_i + sigma g / |g|)."""
    return Blend([(side, at.i, 1.0, not detach)], True, sigma)


MAKERS = {"shift": shift, "interpolate": interpolate, "hardest": hardest, "gaussian": gaussian}


class At:
    """One slot of one sample, as a generator sees it."""

    def __init__(self, i, slot, valid, partners):
        self.i, self.slot, self.valid, self.partners = i, slot, valid, partners

    def holds(self, k):
        """Whether slot k holds a negative caption."""
        return k < len(self.valid) and self.valid[k]


def direction(rng, width):
    """A random direction of length 1, by Box and Muller: four words of a draw make four numbers."""
    words = philox(rng.seed, rng.row, rng.draw + np.arange((width + 3) // 4), rng.stream).astype(np.int64)
    pairs = words.reshape(-1, 2) >> 8
    radius, angle = np.sqrt(-2 * np.log((pairs[:, 0] + 1) * 2.0**-24)), 2 * np.pi * pairs[:, 1] * 2.0**-24
    g = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)[:width]
    return g / max(np.linalg.norm(g), 1e-6)


def partners(image, text, related, side):
    """For each sample the others, hardest first: of images those that its caption likes, of captions those that its
    image likes; of equals the first. Related samples are left out.
    """
    found = []
    for i in range(len(image)):
        c = image @ text[i] if side == "image" else text @ image[i]
        found.append([j for j in np.argsort(-c, kind="stable") if j != i and not related[i, j]])
    return found


class Made:
    """All made rows of a batch.

    Parameters
    ----------
    makers : sequence of (name, side, slot, dict of parameters, first, choices, weight)
        Of the slots from first on, one of choices is made.
    image, text : ndarray of shape (B, E)
    neg_text : ndarray of shape (B, K, E)
    valid : ndarray of shape (B, K), bool
    seed : int
    rows : sequence of B int
    related : ndarray of shape (B, B), bool
        Samples that are duplicates of each other.
    """

    def __init__(self, makers, image, text, neg_text, valid, seed, rows, related):
        self.x = {"image": image, "text": text, "neg_text": neg_text}
        self.makers = makers
        b, e = image.shape
        hard = {side: partners(image, text, related, side) for side in ("image", "text")}
        self.rows, self.blends = np.zeros((b, len(makers), e), image.dtype), {}
        for i in range(b):
            drawn = [self.draw(m, i, valid[i], {side: hard[side][i] for side in hard}, seed, int(rows[i]))
                     for m in range(len(makers))]
            for m, blend in enumerate(drawn):
                if blend is None or m != chosen(makers, m, drawn, seed, int(rows[i])):
                    continue
                y = sum(np.float64(f) * self.x[s][r] for s, r, f, _ in blend.parts)
                if blend.noise:
                    y = y + blend.noise * direction(Rng(seed, int(rows[i]), m << 16, STREAMS[makers[m][0]]), e)
                blend.rho = 1 / np.sqrt(max(y @ y, 1e-6)) if blend.unit else 1.0
                blend.bounded = y @ y < 1e-6
                self.rows[i, m] = blend.rho * y
                self.blends[i, m] = blend
        self.valid = np.array([[(i, m) in self.blends for m in range(len(makers))] for i in range(b)], bool)
        self.valid = self.valid.reshape(b, len(makers))

    def draw(self, m, i, valid, near, seed, row):
        """The blend of slot m of sample i, or None."""
        name, _, slot, params = self.makers[m][:4]
        return MAKERS[name](At(i, slot, valid, near), Rng(seed, row, m << 16, STREAMS[name]), **params)

    def backward(self, drows):
        """Gradients by set, from those of the rows (B, S, E)."""
        out = {name: np.zeros(x.shape, x.dtype) for name, x in self.x.items()}
        for (i, m), blend in self.blends.items():
            d, row = drows[i, m], self.rows[i, m]
            if blend.unit:
                d = blend.rho * (d if blend.bounded else d - (d @ row) * row)
            for s, r, f, flows in blend.parts:
                if flows:
                    out[s][r] += f * d
        return out


def chosen(makers, m, drawn, seed, row):
    """Of slot m and its alternatives the one that is made: among those that can be, by weight."""
    first, choices = makers[m][4:6]
    rings = {}
    for j in range(choices):
        word = int(philox(seed, row, (first << 16) + j, STREAM_MIX)[0])
        if drawn[first + j] is not None:
            rings[first + j] = -np.log(((word >> 8) + 0.5) * 2.0**-24) / makers[first + j][6]
    return min(rings, key=rings.get) if choices > 1 else m


def makers_of(parts, k):
    """Slots of parts (name, side, k or None, parameters), as `Made` takes them, beside k negative captions.

    A mixture has the parameters parts, themselves (name, side, k, parameters), and weights.
    """
    found = []
    for name, side, count, params in parts:
        alternatives = params["parts"] if name == "mix" else [(name, side, count, params)]
        weights = params["weights"] if name == "mix" else (1.0,)
        for slot in range(k if count is None else count):
            first = len(found)
            found += [(*alternative[:2], slot, alternative[3], first, len(alternatives), weight)
                      for alternative, weight in zip(alternatives, weights, strict=True)]
    return found


def shift_cosines(image, text, neg_text, factor, anchor):
    """Own cosines of un-normalised shifted images by the identities, (B, K): no row is made."""
    c, a = np.einsum("be,bke->bk", image, neg_text), np.einsum("be,be->b", image, text)[:, None]
    if anchor == "image":
        return np.einsum("be,be->b", image, image)[:, None] + factor * (c - a)
    g, y = np.einsum("be,bke->bk", text, neg_text), np.einsum("be,be->b", text, text)[:, None]
    return a + factor * (g - y)
