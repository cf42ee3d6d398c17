"""Twins of the terms over a batch: against the formulas written in loops, worked numbers, and central differences."""

import math

import numpy as np
import pytest
from loss_data import SETS, every_set, filled, wide

from vlmneg.reference import losses as twin

SETTINGS = [
    ("itc", {"false_negatives": 0.05}), ("itc", {"false_negatives": 0.0, "images": "own"}),
    ("itc", {"duplicates": "soft", "false_negatives": 0.1, "negatives": "own", "images": "shared"}),
    ("itc", {"validity": "off", "duplicates": "off", "images": "shared"}),
    ("sigmoid", {}), ("sigmoid", {"negatives": "own"}), ("sigmoid", {"negatives": "none", "duplicates": "soft"}),
    ("sigmoid", {"validity": "off"}),
    ("mil", {}), ("mil", {"own_bag": "twice"}), ("mil", {"duplicates": "off"}), ("mil", {"validity": "off"}),
    ("hinge", {}), ("hinge", {"reduce": "max", "negatives": "own"}), ("hinge", {"reduce": "max"}),
    ("hinge", {"negatives": "shared", "margin": 0.5}), ("hinge", {"duplicates": "off", "validity": "off"}),
    ("distil", {}), ("distil", {"teacher_scale": 20.0, "duplicates": "off"}),
    ("distil", {"image_to_text": 1.0, "text_to_image": 0.0}),
    ("uniform", {}), ("uniform", {"modality": "image", "t": 5.0}), ("uniform", {"duplicates": "off"}),
    ("mirror", {}), ("mirror", {"duplicates": "off"}), ("mirror", {"validity": "off"}),
    ("column", {"validity": "off"}), ("column", {"target": "first", "validity": "off"}),
    ("column", {"modality": "image", "validity": "off"}),
    ("column", {"modality": "image", "target": "first", "validity": "off"}),
]


def value(name, data, scale, bias=0.0, **params):
    return twin.objective([(name, 1.0, params)], **data, scale=scale, bias=bias)


def ready(params, *args, **kwargs):
    """Data in float64; with real rows everywhere for what reads all slots."""
    data = every_set(*args, **kwargs)
    return wide(filled(data) if params.get("validity") == "off" else data)


class Loops:
    """What is true for what, and which slots hold something, by the definitions."""

    def __init__(self, data, params):
        self.x = data
        self.b, self.k = data["valid"].shape
        off = params.get("validity") == "off"
        self.holds = {name: np.ones((self.b, self.k), bool) if off else data[mask].astype(bool)
                      for name, mask in (("neg_text", "valid"), ("neg_image", "neg_image_valid"),
                                         ("pos_text", "pos_text_valid"))}
        self.duplicates = params.get("duplicates", "mask")

    def captions(self, i):
        """Keys of the true captions of image i."""
        return {self.x["text_key"][j] for j in range(self.b) if self.x["group"][j] == self.x["group"][i]}

    def d(self, i, j):
        """Caption j is true for image i, i != j."""
        if self.duplicates == "off" or i == j:
            return False
        return self.x["group"][i] == self.x["group"][j] or self.x["text_key"][j] in self.captions(i)

    def h(self, i, j, k):
        """The caption of negative slot k of pair j is true for image i."""
        return self.duplicates != "off" and self.x["valid"][j, k] and self.x["neg_key"][j, k] in self.captions(i)

    def cos(self, a, i, b, j):
        return float(self.x[a][i] @ self.x[b][j])

    def negatives(self, i, how):
        """Slots that image i sees."""
        return [(j, k) for j in range(self.b) for k in range(self.k) if how != "none" and self.holds["neg_text"][j, k]
                and (how == "shared" or j == i) and not self.h(i, j, k)]


def lse(z):
    top = max(z)
    return top + math.log(sum(math.exp(x - top) for x in z))


def softplus(x):
    return max(x, 0) + math.log1p(math.exp(-abs(x)))


def itc_loops(w, s, bias, negatives="shared", images="none", false_negatives=2.0, **_):
    total = 0.0
    for i in range(w.b):
        true = [i, *[j for j in range(w.b) if w.d(i, j)]] if w.duplicates == "soft" else [i]
        back = [i, *[j for j in range(w.b) if w.d(j, i)]] if w.duplicates == "soft" else [i]
        gone = (lambda i, j: w.d(i, j)) if w.duplicates == "mask" else (lambda i, j: False)
        own = [w.cos("image", j, "text", j) for j in range(w.b)]
        most = [min(own[i], own[j]) + false_negatives for j in range(w.b)]
        seen = [j for j in range(w.b) if j in true or not (gone(i, j) or w.cos("image", i, "text", j) > most[j])]
        seen_back = [j for j in range(w.b) if j in back or not (gone(j, i) or w.cos("image", j, "text", i) > most[j])]
        z = [s * w.cos("image", i, "text", j) for j in seen]
        z += [s * w.cos("image", i, "neg_text", at) for at in w.negatives(i, negatives)]
        z_back = [s * w.cos("image", j, "text", i) for j in seen_back]
        z_back += [s * w.cos("text", i, "neg_image", (j, m)) for j in range(w.b) for m in range(w.k)
                   if images != "none" and (images == "shared" or i == j) and w.holds["neg_image"][j, m]]
        total += 0.5 * (lse(z) - sum(s * w.cos("image", i, "text", j) for j in true) / len(true))
        total += 0.5 * (lse(z_back) - sum(s * w.cos("image", j, "text", i) for j in back) / len(back))
    return total / w.b


def sigmoid_loops(w, s, bias, negatives="shared", **_):
    total = 0.0
    for i in range(w.b):
        for j in range(w.b):
            if not w.d(i, j) or w.duplicates == "soft":
                label = 1 if i == j or w.d(i, j) else -1
                total += softplus(-label * (s * w.cos("image", i, "text", j) + bias))
        for at in w.negatives(i, negatives):
            total += softplus(s * w.cos("image", i, "neg_text", at) + bias)
    return total / w.b


def mil_loops(w, s, bias, own_bag="once", **_):
    def seen(i, j, m):
        same = w.duplicates != "off" and i != j and w.x["group"][i] == w.x["group"][j] and w.x["pos_text_valid"][j, m]
        return w.holds["pos_text"][j, m] and not same

    def z(i, j, m):
        return s * w.cos("image", i, "pos_text", (j, m))

    found = []
    for i in range(w.b):
        bag = [m for m in range(w.k) if w.holds["pos_text"][i, m]]
        if bag:
            den = [z(i, j, m) for j in range(w.b) for m in range(w.k) if seen(i, j, m)]
            den += [z(j, i, m) for j in range(w.b) for m in bag if j != i and seen(j, i, m)]
            den += [z(i, i, m) for m in bag] if own_bag == "twice" else []
            found.append(lse(den) - lse([z(i, i, m) for m in bag]))
    return sum(found) / max(len(found), 1)


def hinge_loops(w, s, bias, margin=0.2, reduce="sum", negatives="none", **_):
    total = 0.0
    for i in range(w.b):
        own = w.cos("image", i, "text", i)
        rows = [w.cos("image", i, "text", j) for j in range(w.b) if j != i and not w.d(i, j)]
        rows += [w.cos("image", i, "neg_text", at) for at in w.negatives(i, negatives)]
        cols = [w.cos("image", j, "text", i) for j in range(w.b) if j != i and not w.d(j, i)]
        for found in (rows, cols):
            costs = [max(margin - own + c, 0) for c in found]
            total += (max if reduce == "max" else sum)([0.0, *costs])
    return total / w.b


def distil_loops(w, s, bias, teacher_scale=0.0, image_to_text=0.5, text_to_image=0.5, **_):
    st, total = teacher_scale or s, 0.0
    for i in range(w.b):
        for weight, cell in ((image_to_text, lambda j, i=i: (i, j)), (text_to_image, lambda j, i=i: (j, i))):
            cells = [cell(j) for j in range(w.b) if not w.d(*cell(j))]
            have = [s * w.cos("image", i, "text", j) for i, j in cells]
            want = [st * w.cos("teacher_image", i, "teacher_text", j) for i, j in cells]
            total += weight * sum(math.exp(t - lse(want)) * (t - lse(want) - z + lse(have))
                                  for z, t in zip(have, want, strict=True))
    return total / w.b


def uniform_loops(w, s, bias, modality="text", t=2.0, **_):
    found = [math.exp(-t * ((w.x[modality][i] - w.x[modality][j]) ** 2).sum()) for i in range(w.b) for j in range(w.b)
             if i != j and not w.d(i, j) and not w.d(j, i)]
    return math.log(sum(found) / len(found)) if found else 0.0


def mirror_loops(w, s, bias, **_):
    slots = [(i, k) for i in range(w.b) for k in range(w.k) if w.x["valid"][i, k] and w.x["neg_image_valid"][i, k]]
    mask = w.duplicates != "off"
    total = 0.0
    for at in slots:
        key = w.x["neg_key"][at]
        others = [o for o in slots if o == at or not (mask and w.x["neg_key"][o] == key)]
        z = [s * w.cos("neg_image", at, "neg_text", o) for o in others]
        z += [s * w.cos("neg_image", at, "text", j) for j in range(w.b) if not (mask and w.x["text_key"][j] == key)]
        z_back = [s * w.cos("neg_image", o, "neg_text", at) for o in others]
        total += 0.5 * (lse(z) + lse(z_back)) - s * w.cos("neg_image", at, "neg_text", at)
    return total / max(len(slots), 1)


def column_loops(w, s, bias, modality="text", target="row", **_):
    total = 0.0
    for i in range(w.b):
        z = []
        for j in range(w.b):
            for k in range(w.k):
                c = w.cos(modality, i, "neg_text", (j, k))
                if modality == "image":
                    c += w.cos("image", i, "image", j) - w.cos("image", i, "text", j)
                z.append(s * c)
        total += lse(z) - z[i if target == "row" else 0]
    return total / w.b


LOOPS = {"itc": itc_loops, "sigmoid": sigmoid_loops, "mil": mil_loops, "hinge": hinge_loops, "distil": distil_loops,
         "uniform": uniform_loops, "mirror": mirror_loops, "column": column_loops}


@pytest.mark.parametrize("name, params", SETTINGS, ids=str)
def test_formula(name, params):
    """Loops over samples and slots, with scale 1 and 100."""
    for b, k, scale in ((1, 1, 100.0), (2, 2, 1.0), (7, 3, 100.0), (7, 2, 1.0)):
        data = ready(params, b, k, 8)
        want = LOOPS[name](Loops(data, params), scale, -5.0, **params)
        assert value(name, data, scale, -5.0, **params)["loss"] == pytest.approx(want, rel=1e-9, abs=1e-9), (b, k)


@pytest.mark.parametrize("name, params", SETTINGS, ids=str)
def test_central_differences(name, params):
    """Along random directions of each set of rows, by the scale and by the bias."""
    data, rng = ready(params, 5, 2, 4, seed=1), np.random.default_rng(0)
    exact = value(name, data, 7.0, -1.0, **params)
    h = 1e-6
    for one in SETS:
        for _ in range(3):
            step = rng.standard_normal(data[one].shape)
            up, down = (value(name, {**data, one: data[one] + sign * step}, 7.0, -1.0, **params)["loss"]
                        for sign in (h, -h))
            slope = 0.0 if one.startswith("teacher") else (exact[f"d{one}"] * step).sum()
            if not one.startswith("teacher") and not detached(name, params, one):
                assert slope == pytest.approx((up - down) / (2 * h), abs=2e-7), one
    if name == "distil" and "teacher_scale" not in params:  # the teacher's scale is the student's, without gradient
        params = {**params, "teacher_scale": 7.0}
    up, down = (value(name, data, 7.0 * np.exp(sign), -1.0, **params)["loss"] for sign in (h, -h))
    assert exact["dlog_scale"] == pytest.approx((up - down) / (2 * h), abs=1e-7)
    up, down = (value(name, data, 7.0, -1.0 + sign, **params)["loss"] for sign in (h, -h))
    assert exact["dbias"] == pytest.approx((up - down) / (2 * h), abs=1e-7)


def detached(name, params, one):
    """Captions give shifted images their direction, and get no gradient from them."""
    return name == "column" and params.get("modality") == "image" and one in ("text", "neg_text")


def test_shifted_images_leave_captions_alone():
    data = ready({"validity": "off"}, 5, 2, 4)
    exact = value("column", data, 7.0, modality="image")
    assert not exact["dtext"].any() and not exact["dneg_text"].any() and exact["dimage"].any()


def golden():
    t = np.array([[0.8, 0.6], [0.28, 0.96]])
    n = np.array([[[0.6, 0.8], [0.96, 0.28]], [[0.6, 0.8], [1, 0]]])
    return {"image": np.eye(2), "text": t, "neg_text": n, "valid": np.array([[1, 1], [1, 0]])}


@pytest.mark.parametrize("name, params, bias, want", [
    ("column", {"target": "first", "validity": "off"}, 0, 0.898945295),
    ("column", {"target": "row", "validity": "off"}, 0, 2.890945295),
    ("column", {"modality": "image", "validity": "off"}, 0, 7.620528750),
    ("sigmoid", {"negatives": "none"}, -5, 0.738467005), ("sigmoid", {"negatives": "own"}, -5, 5.224392351),
    ("sigmoid", {"negatives": "shared"}, -5, 7.457858530),
    ("itc", {"negatives": "shared", "validity": "off"}, 0, 0.774683546),
])
def test_golden_values(name, params, bias, want):
    """A worked example of two pairs with two slots each, one of them invalid."""
    assert value(name, golden(), 10.0, bias, **params)["loss"] == pytest.approx(want, abs=1e-9)


def test_golden_tripletclip():
    data = golden()
    data |= {"neg_text": data["neg_text"][:, :1], "valid": None,
             "neg_image": np.array([[[0.6, 0.8]], [[0.96, 0.28]]])}
    assert value("itc", data, 10.0)["loss"] == pytest.approx(0.182593271, abs=1e-9)
    assert value("mirror", data, 10.0)["loss"] == pytest.approx(1.300697631, abs=1e-9)


def test_a_teacher_that_agrees_teaches_nothing():
    data = ready({}, 5, 1, 8)
    data |= {"teacher_image": data["image"], "teacher_text": data["text"]}
    exact = value("distil", data, 20.0)
    assert abs(exact["loss"]) < 1e-12 and np.abs(exact["dimage"]).max() < 1e-12


def test_own_bag_twice_is_at_least_log_two():
    data = wide(every_set(4, 2, 64, plain=True))
    eye = np.eye(64)
    data |= {"image": eye[:4], "pos_text": np.repeat(eye[:4, None], 2, 1)}
    assert value("mil", data, 100.0)["loss"] == pytest.approx(0, abs=1e-9)
    assert value("mil", data, 100.0, own_bag="twice")["loss"] == pytest.approx(math.log(2), abs=1e-9)
