"""compat="released" of the papers that test_named.py leaves: the loss of each code as a loop over cells.

What their codes have in common: nobody looks whether a caption is true for another image, too.
"""

import math

import numpy as np
import pytest

from vlmneg import losses

S, B, K, P, E = 6.0, 5, 3, 3, 8


def unit(x):
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture
def data():
    """Two samples of one picture, one negative that is another's caption, sample 1 without any, ragged bags."""
    rng = np.random.default_rng(4)
    shapes = {"image": (B, E), "text": (B, E), "neg_text": (B, K, E), "neg_image": (B, K, E), "pos_text": (B, P, E)}
    found = {name: unit(rng.standard_normal(shape) + 0.4) for name, shape in shapes.items()}
    found["valid"] = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 1], [1, 1, 1], [0, 0, 1]], np.uint8)
    found["neg_image_valid"] = np.array([[1, 0, 1], [1, 1, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0]], np.uint8)
    found["pos_text_valid"] = np.array([[1, 1, 0], [1, 0, 1], [1, 1, 1], [0, 0, 1], [1, 1, 1]], np.uint8)
    for name, mask in (("neg_text", "valid"), ("neg_image", "neg_image_valid"), ("pos_text", "pos_text_valid")):
        found[name][found[mask] == 0] = np.nan
    keys = {"group": np.array([0, 0, 1, 2, 3]), "text_key": np.arange(B), "neg_key": B + np.arange(B * K).reshape(B, K)}
    keys["neg_key"][3, 0] = 2
    return {**found, **keys, "scale": S}


def z(x, y):
    return S * sum(float(a) * float(b) for a, b in zip(x, y, strict=True))


def lse(values):
    top = max(values)
    return top + math.log(sum(math.exp(x - top) for x in values))


def pick(d, *names):
    return {name: d[name] for name in (*names, "image", "text", "group", "text_key", "scale")}


def held(d, i, name="valid"):
    return [k for k, m in enumerate(d[name][i]) if m]


def infonce(d, images="image", texts="text", extra=()):
    """Both directions; images also see further captions."""
    v, t = d[images], d[texts]
    there = sum(lse([z(v[i], c) for c in [*t, *extra]]) - z(v[i], t[i]) for i in range(len(v)))
    back = sum(lse([z(x, t[i]) for x in v]) - z(v[i], t[i]) for i in range(len(v)))
    return (there + back) / 2 / len(v)


def negatives(d):
    return [d["neg_text"][i, k] for i in range(B) for k in held(d, i)]


def chosen(d, zero=False):
    """Mean over images with a negative of -log of the pair's share among own captions; absent ones count as logit 0."""
    found = []
    for i in range(B):
        own = [z(d["image"][i], d["neg_text"][i, k]) for k in held(d, i)]
        a = z(d["image"][i], d["text"][i])
        if own:
            found.append(lse([a, *own, *[0.0] * ((K - len(own)) * zero)]) - a)
    return sum(found) / len(found)


def bags(d, twice):
    """Every image against all sentences, and its own sentences against all other images."""
    found = []
    for i in range(B):
        own = [z(d["image"][i], d["pos_text"][i, m]) for m in held(d, i, "pos_text_valid")]
        there = [z(d["image"][i], d["pos_text"][j, m]) for j in range(B) for m in held(d, j, "pos_text_valid")]
        back = [z(d["image"][j], d["pos_text"][i, m]) for j in range(B) if j != i or twice
                for m in held(d, i, "pos_text_valid")]
        found.append(lse(there + back) - lse(own))
    return sum(found) / B


@pytest.mark.parametrize("compat", ["released", "corrected"])
def test_dac(data, compat):
    d, released = data, compat == "released"
    if not released:  # nothing is masked when no key is given
        d = {name: x for name, x in data.items() if name not in ("group", "text_key", "neg_key")}
    given = {name: d[name] for name in d if not name.startswith("neg_image")}
    r = losses.dac(bag_weight=0.5, compat=compat).on(**given)
    bag = []
    for i in range(B):
        right = [z(d["image"][i], d["pos_text"][i, m]) for m in held(d, i, "pos_text_valid")]
        wrong = [z(d["image"][i], d["neg_text"][i, k]) for k in held(d, i)]
        if wrong:
            bag.append(lse(right + wrong + [0.0] * ((K - len(wrong)) * released)) - lse(right))
    parts = [infonce(d, extra=negatives(d)), chosen(d, released), bags(d, released), sum(bag) / len(bag)]
    assert r.loss == pytest.approx(sum(parts[:3]) + 0.5 * parts[3], rel=1e-6)
    if released:
        assert bags(d, True) > math.log(2) and bags(d, True) > bags(d, False)


def test_tsvlc(data):
    given = pick(data, "neg_text", "valid", "neg_key")
    r = losses.tsvlc(compat="released", neg_weight=0.7).on(**given)
    assert r.loss == pytest.approx(infonce(data, extra=negatives(data)) + 0.7 * chosen(data), rel=1e-6)
    r = losses.tsvlc(compat="released", in_contrastive=False).on(**given)
    assert r.loss == pytest.approx(infonce(data) + chosen(data), rel=1e-6)


@pytest.mark.parametrize("name", ["clip", "gnm"])
def test_nothing_but_pairs(data, name):
    r = losses.get(name, compat="released").on(**pick(data))
    assert r.loss == pytest.approx(infonce(data), rel=1e-6)
    assert losses.get(name).on(**pick(data)).loss != r.loss  # two samples are of one picture


def test_tripletclip(data):
    """One negative of each kind; the second half stands on its pictures, where both are there."""
    d = {**data, **{name: data[name][:, 0] for name in ("neg_text", "neg_image")}}
    both = [i for i in range(B) if data["valid"][i, 0] and data["neg_image_valid"][i, 0]]
    half = {"image": d["neg_image"][both], "text": d["neg_text"][both]}
    there = infonce(d, extra=[d["neg_text"][i] for i in range(B) if data["valid"][i, 0]])
    given = {name: np.ascontiguousarray(data[name][:, :1]) for name in ("neg_text", "neg_image", "valid",
                                                                        "neg_image_valid", "neg_key")}
    r = losses.tripletclip(compat="released").on(**pick(data), **given)
    assert r.loss == pytest.approx(there + infonce(half, extra=list(d["text"])), rel=1e-6)


def test_siglip(data):
    """All negative columns are labelled -1; the sum is divided by the number of images."""
    def softplus(x):
        return max(x, 0.0) + math.log1p(math.exp(-abs(x)))

    bias = -3.0
    pairs = sum(softplus(-(1 if i == j else -1) * (z(data["image"][i], data["text"][j]) + bias))
                for i in range(B) for j in range(B))
    more = sum(softplus(z(x, c) + bias) for x in data["image"] for c in negatives(data))
    given = pick(data, "neg_text", "valid", "neg_key")
    r = losses.siglip(negatives="shared", compat="released").on(**given, bias=bias)
    assert r.loss == pytest.approx((pairs + more) / B, rel=1e-6)
    assert losses.siglip(compat="released").on(**pick(data), bias=bias).loss == pytest.approx(pairs / B, rel=1e-6)


def focal(scores, empty):
    """Gamma 2, smoothing 0.02 over the candidates that are there; empty slots are candidates of logit 0."""
    log = [x - lse([*scores, *[0.0] * empty]) for x in scores]
    y = [0.02 / len(scores) + 0.98 * (k == 0) for k in range(len(scores))]
    return -sum(w * (1 - math.exp(x)) ** 2 * x for w, x in zip(y, log, strict=True))


def found_among(patches, tokens):
    """Log-sum-exp over tokens of the scaled cosine with the patches that look like them."""
    scores = []
    for w in tokens:
        sim = [float(w @ x) for x in patches]
        o = [(x - min(sim)) / (max(sim) - min(sim)) for x in sim]
        u = sum(a / sum(o) * x for a, x in zip(o, patches, strict=True))
        scores.append(S * float(u @ w) / math.sqrt(float(u @ u) * float(w @ w)))
    return lse(scores)


def test_fsc(data):
    """InfoNCE without negatives, and two focal choices; an empty slot of a used row enters the softmax as logit 0."""
    rng = np.random.default_rng(5)
    lengths = np.where(np.concatenate([np.ones((B, 1), int), data["valid"]], 1), rng.integers(1, 5, (B, 1 + K)), 0)
    at = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    patches = rng.standard_normal((B, 6, E)).astype(np.float32)
    tokens = rng.standard_normal((at[-1], E)).astype(np.float32)
    whole, parts = [], []
    for i in range(B):
        slots = [i * (1 + K) + k for k in (0, *(1 + k for k in held(data, i)))]
        if len(slots) == 1:
            continue
        v, empty = data["image"][i], 1 + K - len(slots)
        whole.append(focal([z(v, data["text"][i]), *(z(v, data["neg_text"][i, k]) for k in held(data, i))], empty))
        parts.append(focal([found_among(patches[i].astype(float), tokens[at[n] : at[n + 1]].astype(float))
                            for n in slots], empty))
    given = {**pick(data, "neg_text", "valid", "neg_key"), "patches": patches, "tokens": tokens, "token_offsets": at}
    r = losses.fsc(compat="released").on(**given)
    want = infonce(data) + 0.5 * sum(whole) / len(whole) + 0.2 * sum(parts) / len(parts)
    assert r.loss == pytest.approx(want, rel=2e-6)
    assert losses.fsc().on(**given).loss != pytest.approx(want, rel=1e-3)
