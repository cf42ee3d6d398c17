"""Terms inside a sample: formulas written out as loops, central differences, published numbers, PyTorch, the twin.

`plain` is the formulas cell by cell, on numbers; nothing here shares a line with the twin or the core.
"""

import itertools
import math

import numpy as np
import pytest

from vlmneg.reference import losses as twin

SETS = ("image", "text", "neg_text", "neg_image", "pos_text", "pos_image", "teacher_image", "teacher_text")
FROZEN = ("teacher_image", "teacher_text")
MASKS = {"neg_text": "valid", "neg_image": "neg_image_valid", "pos_text": "pos_text_valid",
         "pos_image": "pos_image_valid"}


def grid(name, **values):
    """A term with every combination of some parameters."""
    return [(name, dict(zip(values, some, strict=True))) for some in itertools.product(*values.values())]


CASES = [
    *grid("own", anchor=("image", "text"), positive=("pair", "bag"), scale=(0.0, 3.0), invalid=("drop", "zero")),
    *grid("focal", gamma=(0.0, 0.5, 1.0, 2.0), smoothing=(0.0, 0.02, 0.5), scale=(0.0,), invalid=("drop",)),
    *grid("focal", gamma=(2.0,), smoothing=(0.1,), scale=(0.0, 3.0), invalid=("drop", "zero")),
    *grid("rank", margin=("mean", "max", "fixed"), reduce=("valid", "all"), units=("logit",), fixed=(2.5,)),
    *grid("rank", margin=("mean", "fixed"), units=("cosine",), fixed=(0.2,)),
    *grid("pos", margin=("batch_mean", "fixed"), fixed=(3.0,)),
    *grid("intra", modality=("image", "text", "shifted"), scale=(0.0, 3.0), factor=(0.7,),
          positive=("self", "cross", "none", "teacher", "paraphrase")),
    *grid("align", between=("text_teacher", "image_teacher", "both_teacher", "text_pos", "image_pos"),
          reduce=("mean", "sum")),
    *grid("triplet", anchor=("image", "text"), margin=(0.2,)),
]
THETA, ALPHA = np.array([2.0, 0.5, 1.0]), 4.0  # what rank and pos remember, by the number of slots at most


def case_id(case):
    return "-".join([case[0], *map(str, case[1].values())])


def state_of(name, params, slots):
    remembered = {"rank": THETA[:slots], "pos": np.array([ALPHA])}.get(name)
    return None if params.get("margin") == "fixed" else remembered


def unit(rng, *shape):
    """Rows near one direction, as CLIP's are."""
    x = rng.standard_normal(shape)
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    x[..., 0] += 0.5
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def batch(b, k=3, e=16, seed=0, dtype=np.float32):
    """Every set; further ones with slots that hold nothing, where there is NaN."""
    rng = np.random.default_rng([b, k, e, seed])
    shapes = {"image": (b, e), "text": (b, e), "neg_text": (b, k, e), "neg_image": (b, max(k - 1, 0), e),
              "pos_text": (b, 2, e), "pos_image": (b, 2, e), "teacher_image": (b, e), "teacher_text": (b, e)}
    data = {name: unit(rng, *shape).astype(dtype) for name, shape in shapes.items()}
    for name, mask in MASKS.items():
        data[mask] = (rng.random(shapes[name][:2]) < 0.7).astype(np.uint8)
        data[name][data[mask] == 0] = np.nan
    return data


def dot(x, y):
    return sum(float(a) * float(b) for a, b in zip(x, y, strict=True))


def square(x, y):
    return sum((float(a) - float(b)) ** 2 for a, b in zip(x, y, strict=True))


def lse(z):
    top = max(z)
    return top + math.log(sum(math.exp(x - top) for x in z))


def plain(name, params, data, scale, state=None):
    """Loss of one term, from its formula."""
    given = {"anchor": "image", "positive": {"own": "pair", "intra": "self"}.get(name), "scale": 0.0, "factor": 1.0,
             "invalid": "drop", "reduce": {"rank": "valid"}.get(name, "mean"), "units": "logit", "margin": None,
             **params}
    s = given["scale"] or scale
    v, t = data["image"], data["text"]
    held = {key: [[k for k, m in enumerate(row) if m] for row in data[mask]] for key, mask in MASKS.items()}
    found, cells = [], 0
    for i in range(len(v)):
        a = dot(v[i], t[i])
        texts, images = held["neg_text"][i], held["neg_image"][i]
        if name == "own":
            x, other = (v[i], "text") if given["anchor"] == "image" else (t[i], "image")
            wrong = held[f"neg_{other}"][i]
            z = [s * dot(x, data[f"neg_{other}"][i, k]) for k in wrong]
            right = [s * a] if given["positive"] == "pair" else [
                s * dot(x, data[f"pos_{other}"][i, k]) for k in held[f"pos_{other}"][i]]
            zeros = [0.0] * (data[f"neg_{other}"].shape[1] - len(wrong)) if given["invalid"] == "zero" else []
            if wrong and right:
                found.append(lse(right + z + zeros) - lse(right))
        elif name == "focal":
            z = [s * a] + [s * dot(v[i], data["neg_text"][i, k]) for k in texts]
            zeros = [0.0] * (data["neg_text"].shape[1] - len(texts)) if given["invalid"] == "zero" else []
            log = [x - lse(z + zeros) for x in z]
            y = [given["smoothing"] / len(z)] * len(z)
            y[0] += 1 - given["smoothing"]
            if texts:
                found.append(-sum(w * (1 - math.exp(x)) ** given["gamma"] * x for w, x in zip(y, log, strict=True)))
        elif name == "rank":
            u = scale if given["units"] == "logit" else 1.0
            for k in texts:
                th = given["fixed"] if given["margin"] == "fixed" else state[k]
                found.append(max(th + u * dot(v[i], data["neg_text"][i, k]) - u * a, 0.0))
            cells += len(texts) if given["reduce"] == "valid" else data["neg_text"].shape[1]
        elif name == "triplet":
            x, other, wrong = (v[i], "text", texts) if given["anchor"] == "image" else (t[i], "image", images)
            found += [max(given["margin"] + dot(x, data[f"neg_{other}"][i, k]) - a, 0.0) for k in wrong]
        elif name == "pos":
            found.append(max((given["fixed"] if given["margin"] == "fixed" else state[0]) - scale * a, 0.0))
        elif name == "align":
            side, what = given["between"].split("_")
            apart = [square(data[one][i], data[f"teacher_{one}"][i]) for one in ("image", "text")
                     if what == "teacher" and side in (one, "both")]
            many = [square(data[side][i], data[f"pos_{side}"][i, k]) for k in held[f"pos_{side}"][i]
                    if what == "pos"] if side != "both" else []
            if apart or many:
                found.append(sum(apart) + (sum(many) / len(many) if many else 0.0))
        elif name == "intra":
            side = "text" if given["modality"] == "text" else "image"
            x = data[side][i]
            if given["modality"] == "shifted":
                still = data.get("still", data)  # captions whose gradient is stopped
                d = [[given["factor"] * (y - x) for x, y in zip(still["text"][i], still["neg_text"][i, k], strict=True)]
                     for k in texts]
                z = [s * (1 + dot(v[i], x)) for x in d]
            else:
                z = [s * dot(x, data[f"neg_{side}"][i, k]) for k in held[f"neg_{side}"][i]]
            right = {"self": [s], "cross": [scale * a], "teacher": [s * dot(x, data[f"teacher_{side}"][i])],
                     "paraphrase": [s * dot(x, data[f"pos_{side}"][i, k]) for k in held[f"pos_{side}"][i]],
                     "none": []}[given["positive"]]
            if z and given["positive"] == "none":
                found.append(lse(z))
            elif z and right:
                found.append(sum(lse([z0, *z]) - z0 for z0 in right) / len(right))
    if not found or given["reduce"] == "sum":
        return sum(found)
    return sum(found) / (cells or len(found))


def from_twin(name, params, data, scale, dtype=np.float64, weight=1.0):
    slots = data["neg_text"].shape[1]
    return twin.objective([(name, weight, params)], **data, scale=scale, dtype=dtype,
                          state=[state_of(name, params, slots)])


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_formula(case):
    """The twin is the formula, and its gradients are central differences of the formula."""
    name, params = case
    for b, k, scale in ((3, 3, 5.0), (1, 2, 1.0), (4, 1, 100.0)):
        data = batch(b, k, 4, dtype=np.float64)
        state = state_of(name, params, k)
        r = from_twin(name, params, data, scale)
        assert r["loss"] == pytest.approx(plain(name, params, data, scale, state), rel=1e-9, abs=1e-12)
    data, scale = batch(3, 3, 3, seed=2, dtype=np.float64), 5.0
    data["still"] = {key: data[key].copy() for key in ("text", "neg_text")}
    state, r = state_of(name, params, 3), from_twin(name, params, batch(3, 3, 3, seed=2, dtype=np.float64), 5.0)
    for key in set(SETS) - set(FROZEN):
        for at in np.ndindex(data[key].shape):
            if np.isnan(data[key][at]):
                assert r[f"d{key}"][at] == 0
                continue
            before, sides = data[key][at], []
            for step in (1e-5, -1e-5):
                data[key][at] = before + step
                sides.append(plain(name, params, data, scale, state))
            data[key][at] = before
            if name != "align":  # whose gradient is that of unit rows, see below
                assert r[f"d{key}"][at] == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-6, abs=1e-8), (key, at)
    up, down = (plain(name, params, data, scale * math.exp(h), state) for h in (1e-5, -1e-5))
    assert r["dlog_scale"] == pytest.approx((up - down) / 2e-5, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("reduce", ["mean", "sum"])
def test_align_pulls_along_the_other_row(reduce):
    data = batch(3, seed=2, dtype=np.float64)
    n, held = 3 if reduce == "mean" else 1, data["pos_text_valid"].astype(bool)
    r = from_twin("align", {"between": "both_teacher", "reduce": reduce}, data, 5.0)
    assert np.allclose(r["dimage"], -2 / n * data["teacher_image"])
    assert np.allclose(r["dtext"], -2 / n * data["teacher_text"]) and r["dlog_scale"] == 0
    data["pos_text"][:], held[:] = data["teacher_text"][:, None], [[1, 1], [0, 1], [0, 0]]
    r = from_twin("align", {"between": "text_pos", "reduce": reduce}, {**data, "pos_text_valid": held}, 5.0)
    n = 2 if reduce == "mean" else 1
    assert np.allclose(r["dtext"], [[-2 / n], [-2 / n], [0]] * data["teacher_text"])
    share = np.array([[0.5, 0.5], [0, 1], [0, 0]])[:, :, None]
    assert np.allclose(r["dpos_text"], -2 / n * share * data["text"][:, None])


GOLDEN = [
    ("own", {}, 0.995140379), ("focal", {}, 0.643347801), ("rank", {"reduce": "valid"}, 1.666666667),
    ("rank", {"reduce": "all"}, 1.25), ("pos", {"margin": "fixed", "fixed": 9.0}, 0.5),
    ("intra", {"modality": "text", "positive": "none"}, 9.770164983),
    ("intra", {"modality": "text", "positive": "self", "scale": 10.0}, 0.605434020),
    ("intra", {"modality": "text", "positive": "cross"}, 1.433861406), ("intra", {"modality": "shifted"}, 0.995140379),
    ("focal", {"gamma": 0.0, "smoothing": 0.0}, 0.995140379),
]


def golden():
    v = np.array([[1, 0], [0, 1]], np.float32)
    t = np.array([[0.8, 0.6], [0.28, 0.96]], np.float32)
    n = np.array([[[0.6, 0.8], [0.96, 0.28]], [[0.6, 0.8], [1, 0]]], np.float32)
    return {"image": v, "text": t, "neg_text": n, "valid": np.array([[1, 1], [1, 0]], np.uint8), "scale": 10.0}


@pytest.mark.parametrize("name, params, value", GOLDEN, ids=str)
def test_golden_values_of_the_twin(name, params, value):
    """A worked example of two pairs with two slots each, one of them invalid; margins 2 and 3."""
    data = {key: x.astype(float) if isinstance(x, np.ndarray) and x.dtype == np.float32 else x
            for key, x in golden().items()}
    theta = np.array([2.0, 3.0]) if name == "rank" else None
    assert twin.objective([(name, 1.0, params)], **data, state=[theta])["loss"] == pytest.approx(value, abs=1e-6)
    for row, alone in enumerate((1.806380, 0.183901)) if name == "own" else ():
        one = {key: x if key == "scale" else x[row : row + 1] for key, x in data.items()}
        assert twin.objective([("own", 1.0, {})], **one)["loss"] == pytest.approx(alone, abs=1e-6)
