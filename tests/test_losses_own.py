"""Terms inside a sample: formulas written out as loops, central differences, published numbers, PyTorch, the twin.

`plain` is the formulas cell by cell, on numbers; nothing here shares a line with the twin or the core.
"""

import itertools
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmneg import losses
from vlmneg.losses.term import warn_of_cross
from vlmneg.negatives import embed
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
THETA, ALPHA = np.array([2.0, 0.5, 1.0, 3.0, 0.0, 0.7]), 4.0  # what rank and pos remember


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
    p = {"anchor": "image", "positive": {"own": "pair", "intra": "self"}.get(name), "scale": 0.0, "factor": 1.0,
             "invalid": "drop", "reduce": {"rank": "valid"}.get(name, "mean"), "units": "logit", "margin": None,
             **params}
    s = p["scale"] or scale
    v, t = data["image"], data["text"]
    held = {key: [[k for k, m in enumerate(row) if m] for row in data[mask]] for key, mask in MASKS.items()}
    found, cells = [], 0
    for i in range(len(v)):
        a = dot(v[i], t[i])
        texts, images = held["neg_text"][i], held["neg_image"][i]
        if name == "own":
            x, other = (v[i], "text") if p["anchor"] == "image" else (t[i], "image")
            wrong = held[f"neg_{other}"][i]
            z = [s * dot(x, data[f"neg_{other}"][i, k]) for k in wrong]
            right = [s * a] if p["positive"] == "pair" else [
                s * dot(x, data[f"pos_{other}"][i, k]) for k in held[f"pos_{other}"][i]]
            zeros = [0.0] * (data[f"neg_{other}"].shape[1] - len(wrong)) if p["invalid"] == "zero" else []
            if wrong and right:
                found.append(lse(right + z + zeros) - lse(right))
        elif name == "focal":
            z = [s * a] + [s * dot(v[i], data["neg_text"][i, k]) for k in texts]
            zeros = [0.0] * (data["neg_text"].shape[1] - len(texts)) if p["invalid"] == "zero" else []
            log = [x - lse(z + zeros) for x in z]
            y = [p["smoothing"] / len(z)] * len(z)
            y[0] += 1 - p["smoothing"]
            if texts:
                found.append(-sum(w * (1 - math.exp(x)) ** p["gamma"] * x for w, x in zip(y, log, strict=True)))
        elif name == "rank":
            u = scale if p["units"] == "logit" else 1.0
            for k in texts:
                th = p["fixed"] if p["margin"] == "fixed" else state[k]
                found.append(max(th + u * dot(v[i], data["neg_text"][i, k]) - u * a, 0.0))
            cells += len(texts) if p["reduce"] == "valid" else data["neg_text"].shape[1]
        elif name == "triplet":
            x, other, wrong = (v[i], "text", texts) if p["anchor"] == "image" else (t[i], "image", images)
            found += [max(p["margin"] + dot(x, data[f"neg_{other}"][i, k]) - a, 0.0) for k in wrong]
        elif name == "pos":
            found.append(max((p["fixed"] if p["margin"] == "fixed" else state[0]) - scale * a, 0.0))
        elif name == "align":
            side, what = p["between"].split("_")
            apart = [square(data[one][i], data[f"teacher_{one}"][i]) for one in ("image", "text")
                     if what == "teacher" and side in (one, "both")]
            many = [square(data[side][i], data[f"pos_{side}"][i, k]) for k in held[f"pos_{side}"][i]
                    if what == "pos"] if side != "both" else []
            if apart or many:
                found.append(sum(apart) + (sum(many) / len(many) if many else 0.0))
        elif name == "intra":
            side = "text" if p["modality"] == "text" else "image"
            x = data[side][i]
            if p["modality"] == "shifted":
                still = data.get("still", data)  # captions whose gradient is stopped
                d = [[p["factor"] * (y - x) for x, y in zip(still["text"][i], still["neg_text"][i, k], strict=True)]
                     for k in texts]
                z = [s * (1 + dot(v[i], x)) for x in d]
            else:
                z = [s * dot(x, data[f"neg_{side}"][i, k]) for k in held[f"neg_{side}"][i]]
            right = {"self": [s], "cross": [scale * a], "teacher": [s * dot(x, data[f"teacher_{side}"][i])],
                     "paraphrase": [s * dot(x, data[f"pos_{side}"][i, k]) for k in held[f"pos_{side}"][i]],
                     "none": []}[p["positive"]]
            if z and p["positive"] == "none":
                found.append(lse(z))
            elif z and right:
                found.append(sum(lse([z0, *z]) - z0 for z0 in right) / len(right))
    if not found or p["reduce"] == "sum":
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


GRADS = ("dimage", "dtext", "dneg_text", "dneg_image", "dpos_text", "dpos_image")
pytestmark = pytest.mark.filterwarnings("ignore:intra.positive='cross'")


def objective_of(name, params, weight=1.0, slots=3):
    """The term, with what it remembers set to THETA or ALPHA."""
    objective, remembered = weight * losses.get(name, **params), state_of(name, params, slots)
    state = objective.state_dict()
    if name == "rank" and remembered is not None:
        state["rank"] |= {"types": [str(k) for k in range(slots)], "theta": remembered.tolist()}
    elif remembered is not None:
        state["pos"]["alpha"] = ALPHA
    objective.load_state_dict(state)
    return objective


def check(name, params, data, scale, made=None, weight=0.5):
    """The core against the twin: at most twice what float32 costs the twin, plus a few ULP."""
    slots = data["neg_text"].shape[1] + (made is not None and made.side == "text") * 1
    more = {} if made is None else {"made": made, "made_seed": 3}
    r = objective_of(name, params, weight, slots).on(**data, **more, scale=scale)
    if made is not None:
        more["made"] = [(p.name, p.side, p.k, {n: v for n, v in p.parameters.items() if n != "k"}) for p in made.parts]
    wide, narrow = (twin.objective([(name, weight, params)], **data, **more, scale=scale, dtype=dtype,
                                   state=[state_of(name, params, slots)]) for dtype in (np.float64, np.float32))
    few = np.finfo(np.float32).eps * (1 + scale)
    assert abs(r.loss - wide["loss"]) <= 2 * abs(narrow["loss"] - wide["loss"]) + 8 * few, (name, params)
    assert r.terms[name] == pytest.approx(r.loss / weight, rel=1e-6)
    pull = max(np.abs(wide[key]).max(initial=0) for key in GRADS)
    for key in (*GRADS, "dlog_scale"):
        got, error = getattr(r, key), np.abs(narrow[key] - wide[key]).max(initial=0)
        size = 1 if key == "dlog_scale" else pull  # a row's own may cancel
        floor = 1e-14 * scale  # float64 has shares next to 1 to 1e-16, the core to their last digit
        assert np.abs(got - wide[key]).max(initial=0) <= 2 * error + 32 * few * size + floor, (name, params, key)
    return r


@pytest.mark.parametrize("b, k, scale", [(1, 1, 1.0), (2, 0, 100.0), (3, 3, 100.0), (7, 2, 1.0), (17, 3, 20.0)])
def test_twin(level, b, k, scale):
    for name, params in CASES:
        check(name, params, batch(b, k), scale)


@pytest.mark.parametrize("b", [1, 6])
def test_nothing_valid(b):
    """Every slot empty: the terms that need one are 0 and pull nowhere; the others never look."""
    for k in (0, 2):
        data = batch(b, k)
        for name, mask in MASKS.items():
            data[mask][:], data[name][:] = 0, np.nan
        for name, params in CASES:
            r = check(name, params, data, 10.0)
            if name not in ("pos", "align"):
                assert r.loss == 0 and r.dlog_scale == 0 and not r.dimage.any() and not r.dtext.any()


def test_a_missing_type(level):
    data = batch(9, 3)
    data["valid"][:, 1] = 0
    data["neg_text"][:, 1] = np.nan
    for name, params in CASES:
        r = check(name, params, data, 10.0)
        assert not r.dneg_text[:, 1].any()


def same(a, b):
    assert (a.loss, a.terms, a.dlog_scale) == (b.loss, b.terms, b.dlog_scale)
    for key in GRADS:
        assert np.array_equal(getattr(a, key), getattr(b, key)), key


def test_nothing_masked_is_read(level):
    """What stands in empty slots and absent rows changes no bit, and pulls at nothing."""
    rows = (np.arange(12) % 5 > 0).astype(np.uint8)
    for name, params in CASES:
        found = []
        for junk in (np.nan, np.inf, 3e38):
            data = batch(12)
            for key, mask in MASKS.items():
                data[key][data[mask] == 0] = junk
            for key in SETS:
                data[key][rows == 0] = junk
            found.append(objective_of(name, params).on(**data, rows=rows, scale=30.0))
        for r in found[1:]:
            same(r, found[0])
        for key in GRADS:
            assert not getattr(found[0], key)[rows == 0].any()
        few = {key: np.ascontiguousarray(x[rows == 1]) for key, x in batch(12).items()}
        small = objective_of(name, params).on(**few, scale=30.0)
        assert small.loss == found[0].loss and np.array_equal(small.dimage, found[0].dimage[rows == 1])


def test_permuted_samples():
    data, order = batch(23), np.random.default_rng(3).permutation(23)
    moved = {key: np.ascontiguousarray(x[order]) for key, x in data.items()}
    for name, params in CASES:
        a, b = (objective_of(name, params).on(**d, scale=20.0) for d in (data, moved))
        assert a.loss == pytest.approx(b.loss, rel=1e-5, abs=1e-7)
        for key in GRADS:
            assert np.allclose(getattr(a, key)[order], getattr(b, key), rtol=1e-4, atol=1e-7), (name, key)


def test_threads(level, threads):
    """700 samples make several groups, whose jobs run at once."""
    data = batch(700, 3, 8)
    some = [case for case in CASES if case[1].get("scale", 0.0) == 0.0][::3]
    whole = sum((objective_of(*case) for case in some[1:15]), objective_of(*some[0]))
    found = []
    for n in (1, 2, 4):
        threads(n)
        found.append(whole.on(**data, scale=50.0))
    for r in found[1:]:
        same(r, found[0])


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_equal_embeddings(level, scale):
    """Every candidate alike: a choice among n costs log n."""
    data = batch(5)
    for key in SETS:
        data[key][:] = data["image"][0]
    for mask in MASKS.values():
        data[mask][:] = 1
    for name, params, candidates in (("own", {}, 4), ("own", {"positive": "bag"}, 2.5), ("intra", {}, 3),
                                     ("intra", {"modality": "shifted"}, 4), ("focal", {"gamma": 0.0}, 4),
                                     ("intra", {"modality": "text", "positive": "cross"}, 4)):
        r = losses.get(name, **params).on(**data, scale=scale)
        assert r.loss == pytest.approx(np.log(candidates), rel=2e-5) and np.isfinite(r.dimage).all()
        off = [across(getattr(r, f"d{key}"), data[key]) for key in ("image", "text", "neg_text")]
        assert all(np.abs(x).max() < 1e-6 * scale for x in off)
    for name, params in CASES:
        r = objective_of(name, params).on(**data, scale=scale)
        assert r.loss == pytest.approx(plain(name, params, data, scale, state_of(name, params, 3)), rel=1e-5, abs=5e-6)
        assert all(np.isfinite(getattr(r, key)).all() for key in GRADS)


def test_a_negative_that_is_true():
    """A negative whose caption is true for its own image is masked, unless told otherwise."""
    data = batch(6)
    keys = {"group": np.array([0, 0, 1, 2, 3, 4]), "text_key": np.arange(6), "neg_key": np.arange(6, 24).reshape(6, 3)}
    keys["neg_key"][0, 0], keys["neg_key"][3, 1] = 1, 3  # another caption of the picture, and the caption itself
    data["valid"][0, 0] = data["valid"][3, 1] = 1
    data["neg_text"][[0, 3], [0, 1]] = data["text"][[1, 3]]
    for name, params in CASES:
        r = check(name, params, {**data, **keys}, 10.0)
        assert not r.dneg_text[0, 0].any() and not r.dneg_text[3, 1].any()
        for option in ({"duplicates": "off"}, {"duplicates": "soft"}):
            check(name, {**params, **option}, {**data, **keys}, 10.0)
    off = losses.own(duplicates="off").on(**data, **keys, scale=10.0)
    assert off.dneg_text[0, 0].any() and off.loss == losses.own().on(**data, scale=10.0).loss


def test_validity_off():
    """Slots said to hold nothing take part, as in released code."""
    data = batch(6)
    for name in MASKS:
        data[name] = np.nan_to_num(data[name], nan=0.3)
    for name, params in CASES:
        check(name, {**params, "validity": "off"}, data, 10.0)
    full = {**data, **{mask: np.ones_like(data[mask]) for mask in MASKS.values()}}
    assert losses.own(validity="off").on(**data, scale=10.0).loss == losses.own().on(**full, scale=10.0).loss


@pytest.mark.parametrize("name, params, made", [
    ("own", {}, embed.interpolate()), ("focal", {}, embed.interpolate(k=1)),
    ("own", {"invalid": "zero"}, embed.interpolate()), ("rank", {}, embed.interpolate(k=1)),
    ("rank", {"reduce": "all"}, embed.interpolate(k=1)), ("triplet", {}, embed.interpolate()),
    ("intra", {"modality": "text"}, embed.interpolate()), ("intra", {}, embed.shift()),
    ("intra", {"scale": 5.0, "positive": "cross"}, embed.shift(factor=0.5)),
    ("intra", {"modality": "shifted"}, embed.interpolate(k=1)),
    ("own", {"anchor": "text"}, embed.shift(unit=True)), ("triplet", {"anchor": "text"}, embed.gaussian()),
    ("own", {"anchor": "text", "positive": "bag"}, embed.hardest()), ("intra", {}, embed.hardest(k=2)),
], ids=str)
def test_made_negatives_beside_given_ones(level, name, params, made):
    check(name, params, batch(7, 2), 10.0, made)
    keys = {"group": np.arange(7) // 2, "text_key": np.arange(7), "neg_key": np.arange(14).reshape(7, 2)}
    check(name, params, {**batch(7, 2), **keys}, 10.0, made)  # some slots are true, some pictures shifted to the pair


@given(st.sampled_from(CASES), st.integers(1, 20), st.integers(0, 5), st.integers(3, 70), st.floats(0.5, 100),
       st.integers(0, 99))
@settings(max_examples=150, deadline=None)
def test_any_sizes(case, b, k, e, scale, seed):
    check(*case, batch(b, k, e, seed), scale)


def across(d, rows):
    """The part of a gradient across its rows: what brings to length 1 takes away the rest."""
    return d - (d * rows).sum(-1, keepdims=True) * rows


def test_shifted_images_are_own_captions_held_still():
    data = batch(40, 3)
    texts = {key: data[key] for key in ("image", "text", "neg_text", "valid")}
    own, shifted = losses.own().on(**texts, scale=50.0), losses.intra(modality="shifted").on(**texts, scale=50.0)
    made = losses.intra().on(**texts, made=embed.shift(), scale=50.0)
    for r in (shifted, made):
        assert r.loss == pytest.approx(own.loss, rel=1e-5)
        got, want = (across(x.dimage, data["image"]) for x in (r, own))
        assert np.linalg.norm(got - want) <= 2e-5 * np.linalg.norm(want)
        assert not r.dtext.any() and not r.dneg_text.any()
    assert own.dtext.any() and shifted.dlog_scale == pytest.approx(own.dlog_scale, rel=1e-3)


@pytest.mark.parametrize("name, params, value", GOLDEN, ids=str)
def test_golden_values(level, name, params, value):
    objective = losses.get(name, **params)
    if name == "rank":
        state = objective.state_dict()
        state["rank"] |= {"types": ["a", "b"], "theta": [2.0, 3.0]}
        objective.load_state_dict(state)
    assert objective.on(**golden(), types=["a", "b"]).loss == pytest.approx(value, abs=2e-6)


def test_golden_values_of_shifts():
    image = losses.intra().on(**golden(), made=embed.shift())
    again = losses.intra().on(**golden(), made=embed.shift(unit=True))
    assert image.loss == pytest.approx(0.995140379, abs=1e-6) and again.loss == pytest.approx(0.655047079, abs=1e-6)


def test_golden_margins():
    for rule in ("paired", "released"):
        objective = losses.rank(rule=rule)
        r = objective.on(**golden(), types=["a", "b"])
        assert objective.margins() == {} and r.loss == pytest.approx((16 / 10 + 0) / 3, abs=1e-6)
        r.advance()
        assert objective.margins() == pytest.approx({"a": 1.8, "b": 0.0}, abs=1e-5)


def test_margins_move_only_when_told():
    data = {key: x for key, x in batch(40).items() if "neg_text" in key or key in ("image", "text", "valid")}
    a = (data["image"] * data["text"]).sum(1)
    c = np.einsum("be,bke->bk", data["image"], np.nan_to_num(data["neg_text"]))
    valid, names = data["valid"] == 1, ["noun", "verb", "relation"]
    gaps = 10 * np.array([(a - c[:, k])[valid[:, k]].mean() for k in range(3)])
    objective = losses.rank(bound=10)
    first = [objective.on(**data, types=names, scale=10.0) for _ in range(3)][-1]
    assert objective.margins() == {}
    objective.advance(first)
    want = {name: pytest.approx(min(max(gap, 0), 10), abs=1e-4) for name, gap in zip(names, gaps, strict=True)}
    assert objective.margins() == want and any(x > 0 for x in objective.margins().values())
    second = objective.on(**data, types=names, scale=10.0)
    assert second.loss == pytest.approx(plain("rank", {}, data_of_all(data), 10.0, np.clip(gaps, 0, 10)), rel=1e-5)
    pair = losses.pos()
    r = pair.on(**data, scale=10.0)
    assert r.loss == 0 and not r.dimage.any()
    r.advance()
    assert pair.on(**data, scale=10.0).loss == pytest.approx(np.maximum(a.mean() - a, 0).mean() * 10, rel=1e-4)


def test_two_kinds_of_cosines_in_one_softmax_are_pointed_out():
    warn_of_cross.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        losses.intra(modality="text", positive="cross", scale=10.0), losses.intra(positive="none")
    with pytest.warns(UserWarning, match="positive='self' ends when"):
        losses.intra(modality="text", positive="cross")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        0.5 * losses.intra(positive="cross")  # said once


def data_of_all(data):
    return {**batch(len(data["image"])), **data}


def by_torch(torch, name, params, x, m, s, state):
    """The formula once more, over whole arrays with autograd."""
    p = {"anchor": "image", "positive": {"own": "pair"}.get(name, "self"), "invalid": "drop", **params}
    scale = p.get("scale") or s
    a = (x["image"] * x["text"]).sum(1)
    side, other = ("text", "image") if p["anchor"] == "text" or p.get("modality") == "text" else ("image", "text")
    if name == "pos":
        return torch.relu((p["fixed"] if p["margin"] == "fixed" else float(state[0])) - s * a).mean()
    if name == "align":
        one, what = p["between"].split("_")
        sides = ("image", "text") if one == "both" else (one,)
        if what == "teacher":
            d = sum(2 - 2 * (x[y] * x[f"teacher_{y}"]).sum(1) for y in sides)
        else:
            c, held = torch.einsum("be,bpe->bp", x[one], x[f"pos_{one}"]), m[f"pos_{one}"]
            c, held = c[held.any(1)], held[held.any(1)]
            d = ((2 - 2 * c) * held).sum(1) / held.sum(1)
        return d.mean() if p["reduce"] == "mean" else d.sum()
    wrong = "neg_image" if side == "text" and name != "intra" else "neg_text"
    wrong = f"neg_{p['modality']}" if p.get("modality") in ("image", "text") else wrong
    c, held = torch.einsum("be,bke->bk", x[side], x[wrong]), m[wrong]
    if name in ("rank", "triplet"):
        u = 1 if name == "triplet" or p["units"] == "cosine" else s
        th = p["margin"] if name == "triplet" else p["fixed"] if p["margin"] == "fixed" else torch.tensor(
            state, dtype=torch.float32)
        over = torch.relu(th + u * c - u * a[:, None]) * held
        return over.sum() / (held.numel() if p.get("reduce") == "all" else held.sum())
    keep = held.any(1)
    if name == "intra":
        z = scale * c
        if p["modality"] == "shifted":
            d = p["factor"] * (x["neg_text"] - x["text"][:, None]).detach()
            z = scale * (1 + torch.einsum("be,bke->bk", x["image"], d))  # 1: an image with itself, across nothing
        z = z.masked_fill(~held, -torch.inf)
        if p["positive"] == "none":
            return torch.logsumexp(z[keep], 1).mean()
        right = {"self": scale * torch.ones(len(a), 1), "cross": s * a[:, None],
                 "teacher": scale * (x[side] * x[f"teacher_{side}"]).sum(1)[:, None],
                 "paraphrase": scale * torch.einsum("be,bpe->bp", x[side], x[f"pos_{side}"])}[p["positive"]]
        said = m[f"pos_{side}"] if p["positive"] == "paraphrase" else torch.ones(right.shape, dtype=bool)
        keep &= said.any(1)
        right, z, said = right[keep], z[keep], said[keep]
        one = torch.logsumexp(torch.cat([right[:, :, None], z[:, None].expand(-1, right.shape[1], -1)], 2), 2) - right
        return ((one * said).sum(1) / said.sum(1)).mean()
    z = (scale * c).masked_fill(~held, 0.0 if p["invalid"] == "zero" else -torch.inf)
    right, said = scale * a[:, None], torch.ones(len(a), 1, dtype=bool)
    if p["positive"] == "bag":
        right, said = scale * torch.einsum("be,bpe->bp", x[side], x[f"pos_{other}"]), m[f"pos_{other}"]
        keep &= said.any(1)
    right, z = right.masked_fill(~said, -torch.inf)[keep], z[keep]
    if name == "own":
        return (torch.logsumexp(torch.cat([right, z], 1), 1) - torch.logsumexp(right, 1)).mean()
    log = torch.log_softmax(torch.cat([right, z], 1), 1)
    live = torch.cat([said[keep], held[keep]], 1)
    y = p["smoothing"] * live / live.sum(1, keepdim=True)
    y = y + (1 - p["smoothing"]) * torch.nn.functional.one_hot(torch.zeros(len(z), dtype=int), z.shape[1] + 1)
    log = log.masked_fill(~live, -1.0)
    return -(y * (1 - log.exp()) ** p["gamma"] * log * live).sum(1).mean()


@pytest.mark.parametrize("b", [2, 7, 64, 257])
def test_pytorch(b):
    torch = pytest.importorskip("torch", reason="torch is not installed: no parity with PyTorch can be tested")
    data = batch(b, 3, 32, seed=1)
    held = {key: torch.from_numpy(data[mask] == 1) for key, mask in MASKS.items()}
    for name, params in CASES:
        x = {key: torch.from_numpy(np.nan_to_num(data[key])).requires_grad_(key not in FROZEN) for key in SETS}
        log_scale = torch.tensor(math.log(20.0), requires_grad=True)
        state = state_of(name, params, 3)
        loss = by_torch(torch, name, params, x, held, log_scale.exp(), state)
        loss.backward()
        r = objective_of(name, params).on(**data, scale=20.0)
        assert r.loss == pytest.approx(loss.item(), rel=1e-5, abs=1e-6), (name, params)
        for key in GRADS:
            want = np.zeros_like(data[key[1:]]) if x[key[1:]].grad is None else x[key[1:]].grad.numpy()
            off = np.linalg.norm(getattr(r, key) - want)
            assert off <= 1e-4 * np.linalg.norm(want) + 1e-7, (name, params, key, off, np.linalg.norm(want))
        want = 0.0 if log_scale.grad is None else log_scale.grad.item()
        assert r.dlog_scale == pytest.approx(want, rel=1e-4, abs=1e-4), (name, params)
