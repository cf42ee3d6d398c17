"""Terms over a batch in C: against their float64 twins on every level, PyTorch's autograd, and their symmetries."""

import numpy as np
import pytest
from loss_data import MASKS, SETS, every_set, filled
from test_losses_block_twin import SETTINGS

from vlmneg import losses
from vlmneg.losses import Term
from vlmneg.reference import losses as twin

SHIFT = (("shift", "image", None, {}),)


def fit(objective, data):
    """Of a batch what an objective needs, and its labels."""
    keep = {"image", "text", "group", "text_key", "rows", *objective.needs, *(MASKS.get(n) for n in objective.needs)}
    keep |= {"neg_key"} if "neg_text" in objective.needs else set()
    return {key: x for key, x in data.items() if key in keep}


def run(name, params, data, scale, **more):
    objective = losses.get(name, **params)
    data = fit(objective, filled(data) if params.get("validity") == "off" else data)
    return data, objective.on(**data, scale=scale, bias=-3.0, **more)


def close(got, want, narrow, unit, where):
    """At most twice the error of the twin in float32, plus a few ULP of what the numbers are made of."""
    error, allowed = np.abs(got - want).max(initial=0), 2 * np.abs(narrow - want).max(initial=0) + unit
    assert error <= allowed, f"{where}: error {error:.3g}, allowed {allowed:.3g}"


def check(name, params, data, scale):
    data, r = run(name, params, data, scale)
    wide, narrow = (twin.objective([(name, 1.0, params)], **data, scale=scale, bias=-3.0, dtype=d)
                    for d in (np.float64, np.float32))
    unit = np.finfo(np.float32).eps * (1 + scale)
    close(r.loss, wide["loss"], narrow["loss"], 8 * unit * (1 + abs(wide["loss"]) / (1 + scale)), "loss")
    for one in ("image", "text", *(set(data) & set(MASKS))):
        size = np.abs(wide[f"d{one}"]).max(initial=0)
        cell = 2 * scale / len(data["image"])  # what is subtracted may be that large where the gradient is 0
        close(getattr(r, f"d{one}"), wide[f"d{one}"], narrow[f"d{one}"], unit * (32 * size + cell), one)
    close(r.dlog_scale, wide["dlog_scale"], narrow["dlog_scale"], 32 * unit * (1 + abs(wide["dlog_scale"])), "scale")
    close(r.dbias, wide["dbias"], narrow["dbias"], 32 * unit * (1 + abs(wide["dbias"])), "bias")
    return r


@pytest.mark.parametrize("name, params", SETTINGS, ids=str)
def test_twin(level, name, params):
    """Odd sizes, no slots, one sample, several tiles; a soft scale and a hard one."""
    for b, k, scale in ((1, 0, 100.0), (1, 2, 1.0), (2, 1, 100.0), (3, 0, 1.0), (7, 3, 100.0), (17, 2, 1.0),
                        (33, 3, 100.0), (140, 2, 30.0)):
        check(name, params, every_set(b, k), scale)


@pytest.mark.parametrize("name, params", SETTINGS, ids=str)
def test_masks(name, params):
    """No slot valid, one type missing, rows missing, every sample of one picture."""
    data = every_set(19, 3, 8)
    for mask in MASKS.values():
        for gone in (slice(None), 1):
            other = {key: x.copy() for key, x in data.items()}
            other[mask][:, gone] = 0
            check(name, params, other, 20.0)
    rows = (np.random.default_rng(1).random(19) < 0.7).astype(np.uint8)
    check(name, params, {**data, "rows": rows}, 20.0)
    r = check(name, params, {**data, "group": np.zeros(19, int)}, 20.0)
    assert np.isfinite(r.loss)
    _, none = run(name, params, {**data, "rows": np.zeros(19, np.uint8)}, 20.0)
    assert none.loss == 0 and none.rows == 0 and not none.dimage.any() and none.dlog_scale == 0 and none.dbias == 0


@pytest.mark.parametrize("name, params", SETTINGS, ids=str)
def test_nothing_masked_is_read(name, params):
    """What stands in invalid slots and absent rows changes no bit, and their gradients are 0."""
    data, rows = every_set(40, 3), (np.random.default_rng(5).random(40) < 0.8).astype(np.uint8)
    found = []
    for junk in (np.nan, 0.0, 3e38):
        other = {key: x.copy() for key, x in data.items()} | {"rows": rows}
        for one in SETS:
            if params.get("validity") != "off" and one in MASKS:
                other[one][data[MASKS[one]] == 0] = junk
            other[one][rows == 0] = junk
        if params.get("validity") == "off":
            other |= {one: np.where(np.isnan(other[one]) & (rows[:, None, None] == 1), 0.1, other[one]).astype("f4")
                      for one in MASKS}
        objective = losses.get(name, **params)
        found.append(objective.on(**fit(objective, other), scale=30.0, bias=-3.0))
    for r in found:
        same(r, found[0])
        for one in ("image", "text", *MASKS):
            d = getattr(r, f"d{one}")
            if d is not None:
                assert not d[rows == 0].any(), one
                assert one not in MASKS or params.get("validity") == "off" or not d[data[MASKS[one]] == 0].any(), one


def same(a, b):
    assert a.loss == b.loss and a.dlog_scale == b.dlog_scale and a.dbias == b.dbias
    for one in ("image", "text", *MASKS):
        x, y = getattr(a, f"d{one}"), getattr(b, f"d{one}")
        assert (x is None and y is None) or np.array_equal(x, y), one


@pytest.mark.parametrize("name, params", SETTINGS, ids=str)
def test_threads(threads, name, params):
    """600 rows make two groups, whose jobs run at once."""
    data, found = every_set(600, 2, 8), []
    for n in (1, 2, 4):
        threads(n)
        found.append(run(name, params, data, 30.0)[1])
    same(found[1], found[0])
    same(found[2], found[0])
    _, alone = run(name, params, data, 30.0, backward=False)
    assert alone.loss == found[0].loss and alone.dimage is None


@pytest.mark.parametrize("name, params", [s for s in SETTINGS if s[0] != "column"], ids=str)
def test_permuted_batch(name, params):
    data, order = every_set(77, 3), np.random.default_rng(3).permutation(77)
    moved = {key: np.ascontiguousarray(x[order]) for key, x in data.items()}
    off = params.get("validity") == "off"
    a, b = (losses.get(name, **params).on(**fit(losses.get(name, **params), d), scale=20.0)
            for d in (filled(data) if off else data, {k: v[order] for k, v in filled(data).items()} if off else moved))
    assert a.loss == pytest.approx(b.loss, rel=1e-5, abs=1e-6)
    for one in ("image", "text", *MASKS):
        d = getattr(a, f"d{one}")
        if d is not None:
            assert np.allclose(d[order], getattr(b, f"d{one}"), rtol=1e-3, atol=2e-6 + 1e-4 * np.abs(d).max()), one


@pytest.mark.parametrize("name, params", SETTINGS, ids=str)
def test_equal_embeddings(level, name, params):
    """Every row alike: finite, and what the formula says."""
    for b, k, scale in ((1, 1, 100.0), (5, 2, 1.0), (5, 2, 100.0)):
        data = every_set(b, k, 8, plain=True)
        data = {key: np.broadcast_to(data["image"][0], x.shape).copy() for key, x in data.items()}
        data, r = run(name, params, data, scale)
        want = twin.objective([(name, 1.0, params)], **data, scale=scale, bias=-3.0)
        assert r.loss == pytest.approx(want["loss"], rel=1e-4, abs=1e-5 * (1 + scale))
        assert np.isfinite(r.dimage).all() and np.isfinite(r.dtext).all()


def test_sum_of_terms(level):
    """Together the same as alone, whatever blocks they share."""
    parts = [Term(name, 0.3 + at, params) for at, (name, params) in enumerate(
        [("itc", {}), ("itc", {"false_negatives": 0.05}), ("sigmoid", {}), ("hinge", {"reduce": "max"}), ("mil", {}),
         ("mirror", {}), ("distil", {}), ("uniform", {}), ("uniform", {"modality": "image"}),
         ("hinge", {"negatives": "own", "duplicates": "soft"})])]
    data, whole = every_set(140, 2), losses.Objective(parts)
    r = whole.on(**fit(whole, data), scale=20.0)
    alone = [losses.Objective([p]).on(**fit(losses.Objective([p]), data), scale=20.0) for p in parts]
    assert list(r.terms.values()) == [next(iter(a.terms.values())) for a in alone]
    assert r.loss == pytest.approx(sum(a.loss for a in alone), rel=1e-6)
    assert r.dlog_scale == pytest.approx(sum(a.dlog_scale for a in alone), rel=1e-4)
    for one in ("image", "text", "neg_text", "neg_image", "pos_text"):
        want = sum(d for a in alone if (d := getattr(a, f"d{one}")) is not None)
        assert np.allclose(getattr(r, f"d{one}"), want, rtol=1e-4, atol=1e-5 * np.abs(want).max()), one


def test_open_terms_leave_masked_ones_alone():
    """A term that reads slots that hold nothing changes nothing for those that do not."""
    data = filled(every_set(50, 2))
    for name, params in SETTINGS:
        if params.get("validity") == "off":
            continue
        other = Term("column" if name != "mil" else "mil", 1.0, {"validity": "off"})
        both = losses.Objective([Term(name, 1.0, params), other])
        r, one = both.on(**fit(both, data), scale=20.0), losses.get(name, **params)
        alone, rest = one.on(**fit(one, data), scale=20.0), losses.Objective([other])
        others = rest.on(**fit(rest, data), scale=20.0)
        assert next(iter(r.terms.values())) == pytest.approx(alone.loss, rel=1e-6, abs=1e-7), name
        assert np.allclose(r.dimage, alone.dimage + others.dimage, rtol=1e-4, atol=1e-5), name
        assert np.allclose(r.dtext, alone.dtext + others.dtext, rtol=1e-4, atol=1e-5), name


def golden():
    t = np.array([[0.8, 0.6], [0.28, 0.96]], np.float32)
    n = np.array([[[0.6, 0.8], [0.96, 0.28]], [[0.6, 0.8], [1, 0]]], np.float32)
    valid = np.array([[1, 1], [1, 0]], np.uint8)
    return {"image": np.eye(2, dtype=np.float32), "text": t, "neg_text": n, "valid": valid}


@pytest.mark.parametrize("name, params, want", [
    ("column", {"target": "first"}, 0.898945295), ("column", {"target": "row"}, 2.890945295),
    ("column", {"modality": "image"}, 7.620528750),
    ("sigmoid", {"negatives": "none"}, 0.738467005), ("sigmoid", {"negatives": "own"}, 5.224392351),
    ("sigmoid", {"negatives": "shared"}, 7.457858530),
    ("itc", {"negatives": "shared", "validity": "off"}, 0.774683546),
])
def test_golden_values(level, name, params, want):
    """A worked example of two pairs with two slots each, one of them invalid."""
    objective = losses.get(name, **params)
    r = objective.on(**{k: x for k, x in golden().items() if k in ("image", "text") or "neg_text" in objective.needs},
                     scale=10.0, bias=-5.0)
    assert r.loss == pytest.approx(want, rel=1e-6)


def test_golden_tripletclip(level):
    data = golden()
    data |= {"neg_text": data["neg_text"][:, :1], "neg_image": np.array([[[0.6, 0.8]], [[0.96, 0.28]]], np.float32)}
    del data["valid"]
    r = (losses.itc() + losses.mirror()).on(**data, scale=10.0)
    assert list(r.terms.values()) == pytest.approx([0.182593271, 1.300697631], rel=1e-6)


@pytest.mark.parametrize("name, params", SETTINGS, ids=str)
def test_tiles_of_any_size(name, params):
    objective, found = losses.get(name, **params), []
    data = fit(objective, filled(every_set(150, 2, 8)) if params.get("validity") == "off" else every_set(150, 2, 8))
    for objective._tile in (None, (1, 16), (128, 3), (50, 77)):
        found.append(objective.on(**data, scale=30.0, bias=-3.0))
    for r in found[1:]:
        assert r.loss == pytest.approx(found[0].loss, rel=1e-5, abs=1e-5)
        for one in ("image", "text", *MASKS):
            d = getattr(r, f"d{one}")
            if d is not None:
                want = getattr(found[0], f"d{one}")
                assert np.allclose(d, want, rtol=1e-3, atol=2e-6 + 1e-4 * np.abs(want).max()), one
