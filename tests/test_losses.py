"""Objectives: against the float64 twin on every level, PyTorch's autograd, published numbers, and their own symmetries.

Tolerance rule: at most twice the error of the twin in float32, plus a few ULP of what the numbers are made of.
"""

import copy
import itertools
import pickle
import threading

import numpy as np
import pytest

from vlmneg import _core, losses
from vlmneg.reference import losses as twin
from vlmneg.settings import tomllib

GRADS = ("dimage", "dtext", "dneg_text")
SETTINGS = [{"negatives": n, "duplicates": d} for n in ("none", "shared", "own") for d in ("mask", "soft", "off")]
SETTINGS += [{"image_to_text": 1.0, "text_to_image": 0.0}, {"image_to_text": 0.0, "text_to_image": 0.25}]


def unit(rng, *shape):
    x = rng.standard_normal(shape)
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


def batch(b, k, e=16, seed=0, plain=False):
    """Rows near one direction, as CLIP's are; NaN where nothing may be read; groups and keys with repeats."""
    rng = np.random.default_rng([b, k, e, seed])
    rows = [unit(rng, *shape) for shape in ((b, e), (b, e), (b, k, e))]
    rows = [(x + 0.5 * rows[0][:1]).astype(np.float32) for x in rows]
    image, text, neg = [x / np.linalg.norm(x, axis=-1, keepdims=True) for x in rows]
    if plain:
        return {"image": image, "text": text, "neg_text": neg}
    valid = (rng.random((b, k)) < 0.7).astype(np.uint8)
    neg[valid == 0] = np.nan
    keys = max(2, b)
    return {"image": image, "text": text, "neg_text": neg, "valid": valid, "group": rng.integers(0, keys, b),
            "text_key": rng.integers(0, keys, b), "neg_key": rng.integers(0, 2 * keys, (b, k))}


def close(got, wide, narrow, name, unit_of):
    error, allowed = np.abs(got - wide).max(initial=0), 2 * np.abs(narrow - wide).max(initial=0) + unit_of
    assert error <= allowed, f"{name}: error {error:.3g}, allowed {allowed:.3g}"


def check_against_twin(objective, data, scale):
    r = objective.on(**data, scale=scale)
    terms = [(t.name, t.weight, t.params) for t in objective.terms]
    wide, narrow = (twin.objective(terms, **data, scale=scale, dtype=d) for d in (np.float64, np.float32))
    ulp = np.finfo(np.float32).eps
    close(r.loss, wide["loss"], narrow["loss"], "loss", 8 * ulp * (1 + scale))
    for label, value in zip(objective.labels(), wide["terms"], strict=True):
        close(r.terms[label], value, value, label, 8 * ulp * (1 + scale))
    for name in GRADS:
        size = np.abs(wide[name]).max(initial=0)
        close(getattr(r, name), wide[name], narrow[name], name, 32 * ulp * (1 + scale) * size)
    close(r.dlog_scale, wide["dlog_scale"], narrow["dlog_scale"], "dlog_scale", 32 * ulp * (1 + scale))
    assert r.dscale == pytest.approx(r.dlog_scale / scale)
    assert r.rows == wide["rows"]
    assert r.accuracy == (None if wide["accuracy"] is None else pytest.approx(wide["accuracy"]))
    return r


@pytest.mark.parametrize("b, k", list(itertools.product((1, 2, 3, 7, 17, 33), (0, 1, 3))) + [(300, 2)])
@pytest.mark.parametrize("scale", (1.0, 100.0))
def test_twin(level, b, k, scale):
    for setting in SETTINGS if b < 300 else SETTINGS[3:5]:
        check_against_twin(losses.get("itc", **setting), batch(b, k), scale)


def test_sum_of_terms(level):
    own = losses.itc(negatives="own", duplicates="soft")
    parts = [losses.infonce(duplicates="off"), 0.5 * losses.negclip(), 2 * own]
    data = batch(33, 3)
    r = check_against_twin(sum(parts[1:], parts[0]), data, 20.0)
    alone = [p.on(**data, scale=20.0) for p in parts]
    assert r.loss == pytest.approx(sum(a.loss for a in alone), rel=1e-6)
    assert list(r.terms) == ["itc", "itc_2", "itc_3"]
    for name in GRADS:
        assert np.allclose(getattr(r, name), sum(getattr(a, name) for a in alone), rtol=1e-4, atol=1e-6)


def test_more_negatives_than_a_tile(level):
    for negatives in ("shared", "own"):
        check_against_twin(losses.itc(negatives=negatives), batch(3, 300, 5), 10.0)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_twin_gradients(setting):
    """Central differences of the twin, by every row and the scale."""
    data = {key: x.astype(float) if x.dtype.kind == "f" else x for key, x in batch(4, 2, 3, seed=1).items()}
    terms = [("itc", 1.5, setting)]
    exact = twin.objective(terms, **data, scale=7.0)
    for name, grad in (("image", "dimage"), ("text", "dtext"), ("neg_text", "dneg_text")):
        for at in np.ndindex(data[name].shape):
            if np.isnan(data[name][at]):
                assert exact[grad][at] == 0
                continue
            sides = []
            for step in (1e-6, -1e-6):
                moved = {**data, name: data[name].copy()}
                moved[name][at] += step
                sides.append(twin.objective(terms, **moved, scale=7.0)["loss"])
            assert exact[grad][at] == pytest.approx((sides[0] - sides[1]) / 2e-6, abs=1e-7)
    up, down = (twin.objective(terms, **data, scale=7.0 * np.exp(h))["loss"] for h in (1e-6, -1e-6))
    assert exact["dlog_scale"] == pytest.approx((up - down) / 2e-6, abs=1e-7)


def golden():
    v = np.array([[1, 0], [0, 1]], np.float32)
    t = np.array([[0.8, 0.6], [0.28, 0.96]], np.float32)
    n = np.array([[[0.6, 0.8], [0.96, 0.28]], [[0.6, 0.8], [1, 0]]], np.float32)
    return {"image": v, "text": t, "neg_text": n, "valid": np.array([[1, 1], [1, 0]], np.uint8), "scale": 10.0}


def test_golden_values(level):
    """A worked example of two pairs with two slots each, one of them invalid."""
    data = golden()
    values = {("none", 0.5, 0.5): 0.040124916, ("none", 1, 0): 0.016229248, ("none", 0, 1): 0.064020582,
              ("shared", 0.5, 0.5): 0.579131316, ("own", 0.5, 0.5): 0.535426718}
    for (negatives, u, w), value in values.items():
        r = losses.itc(negatives=negatives, image_to_text=u, text_to_image=w).on(**data)
        assert r.loss == pytest.approx(value, abs=1e-6)
    unmasked = losses.negclip().on(**{**data, "valid": None})
    assert unmasked.loss == pytest.approx(0.774683546, abs=1e-6)
    r = losses.negclip().on(**data)
    assert np.allclose(r.dimage, [(0.057547, -0.789714), (0.489297, 0.044869)], atol=2e-6)
    assert np.allclose(r.dtext, [(-2.396673, 0.345702), (0.004995, -0.757252)], atol=2e-6)
    assert np.allclose(r.dneg_text, [[(0.054315, 0.352416), (1.987822, 0.001944)], [(0.054315, 0.352416), (0, 0)]],
                       atol=2e-6)
    assert r.dlog_scale == pytest.approx(0.102416, abs=2e-6)
    assert r.accuracy == pytest.approx(2 / 3)


@pytest.mark.parametrize("b, k, scale", list(itertools.product((1, 2, 7, 64, 257), (0, 1, 3), (1.0, 100.0))))
def test_pytorch(b, k, scale):
    torch = pytest.importorskip("torch", reason="torch is not installed: no parity with PyTorch can be tested")
    data = batch(b, k, 32, plain=True)
    for negatives in ("shared", "own") if k else ("none",):
        rows = [torch.from_numpy(data[name].copy()).requires_grad_() for name in ("image", "text", "neg_text")]
        log_scale = torch.tensor(np.log(scale), dtype=torch.float32, requires_grad=True)
        v, t, n = rows
        s = log_scale.exp()
        columns = [s * v @ t.T]
        if negatives == "shared":
            columns.append(s * v @ n.reshape(b * k, -1).T)
        elif negatives == "own":
            columns.append(s * torch.einsum("be,bke->bk", v, n))
        label = torch.arange(b)
        loss = (torch.nn.functional.cross_entropy(torch.cat(columns, 1), label)
                + torch.nn.functional.cross_entropy(columns[0].T, label)) / 2
        loss.backward()
        r = losses.itc(negatives=negatives).on(**data, scale=scale)
        assert r.loss == pytest.approx(loss.item(), rel=1e-5, abs=1e-6)
        for name, row in zip(GRADS, rows, strict=True):
            want = np.zeros_like(getattr(r, name)) if row.grad is None else row.grad.numpy()
            assert np.linalg.norm(getattr(r, name) - want) <= 1e-4 * np.linalg.norm(want) + 1e-7, (negatives, name)
        assert r.dlog_scale == pytest.approx(log_scale.grad.item(), rel=1e-4, abs=1e-4)


def same(a, b, rows=slice(None)):
    assert a.loss == b.loss and a.terms == b.terms and a.dlog_scale == b.dlog_scale
    assert np.array_equal(a.dimage, b.dimage) and np.array_equal(a.dtext, b.dtext)


def test_without_negatives_it_is_the_plain_loss(level):
    """K = 0, no slot valid, and no negatives at all: the same bits."""
    data = batch(300, 2, plain=True)
    plain = losses.infonce().on(image=data["image"], text=data["text"], scale=50.0)
    assert plain.accuracy is None and plain.dneg_text is None
    for objective in (losses.negclip(), losses.negclip(negatives="own")):
        same(objective.on(image=data["image"], text=data["text"], scale=50.0), plain)
        same(objective.on(**{**data, "neg_text": data["neg_text"][:, :0]}, scale=50.0), plain)
        none = {**data, "neg_text": np.full_like(data["neg_text"], np.nan), "valid": np.zeros((300, 2), np.uint8)}
        r = objective.on(**none, scale=50.0)
        same(r, plain)
        assert r.accuracy is None and not r.dneg_text.any()


def test_nothing_masked_is_read(level):
    """What stands in invalid slots and absent rows changes no bit, and their gradients are 0."""
    data = batch(40, 3)
    rows = (np.random.default_rng(5).random(40) < 0.8).astype(np.uint8)
    for objective in (losses.negclip(), losses.negclip(negatives="own")):
        found = []
        for junk in (np.nan, np.inf, 0.0, 3e38):
            other = {key: x.copy() for key, x in data.items()}
            other["neg_text"][data["valid"] == 0] = junk
            for key in ("image", "text", "neg_text"):
                other[key][rows == 0] = junk
            found.append(check_against_twin(objective, {**other, "rows": rows}, 30.0))
        for r in found[1:]:
            same(r, found[0])
            assert np.array_equal(r.dneg_text, found[0].dneg_text) and r.accuracy == found[0].accuracy
        assert found[0].rows == rows.sum()
        assert not r.dimage[rows == 0].any() and not r.dtext[rows == 0].any() and not r.dneg_text[rows == 0].any()
        assert not r.dneg_text[data["valid"] == 0].any()


def test_absent_rows_equal_a_smaller_batch(level):
    data, rows = batch(40, 2), np.arange(40) % 3 > 0
    r = losses.negclip().on(**data, rows=rows, scale=30.0)
    small = losses.negclip().on(**{key: np.ascontiguousarray(x[rows]) for key, x in data.items()}, scale=30.0)
    same(small, copy.copy(r).__class__(**{**r.__dict__, "dimage": r.dimage[rows], "dtext": r.dtext[rows]}))


def test_no_row_left(level):
    data = batch(5, 2)
    for key in ("image", "text", "neg_text"):
        data[key][:] = np.nan
    r = losses.negclip().on(**data, rows=np.zeros(5, np.uint8))
    assert r.loss == 0 and r.rows == 0 and r.dlog_scale == 0 and r.accuracy is None
    assert not r.dimage.any() and not r.dtext.any() and not r.dneg_text.any()


def test_permuted_batch():
    data, order = batch(77, 3), np.random.default_rng(3).permutation(77)
    moved = {key: np.ascontiguousarray(x[order]) for key, x in data.items()}
    for setting in SETTINGS:
        a, b = (losses.get("itc", **setting).on(**d, scale=20.0) for d in (data, moved))
        assert a.loss == pytest.approx(b.loss, rel=1e-5)
        for name in GRADS:
            assert np.allclose(getattr(a, name)[order], getattr(b, name), rtol=1e-3, atol=1e-6)


def test_threads(level, threads):
    """1000 rows make three groups, whose jobs run at once."""
    data = batch(1000, 2, 24)
    objective = losses.negclip() + 0.3 * losses.itc(negatives="own", duplicates="soft")
    found = []
    for n in (1, 2, 4):
        threads(n)
        found.append(objective.on(**data, scale=100.0))
    for r in found[1:]:
        same(r, found[0])
        assert np.array_equal(r.dneg_text, found[0].dneg_text) and r.accuracy == found[0].accuracy


def test_many_groups_against_twin(threads):
    threads(2)
    check_against_twin(losses.negclip(), batch(1100, 1, 8), 100.0)


def test_equal_embeddings(level):
    """Every candidate alike: the loss is the logarithm of their number."""
    for b, k, scale in ((1, 0, 100.0), (5, 0, 100.0), (5, 3, 1.0), (300, 2, 100.0)):
        row = unit(np.random.default_rng(0), 1, 8)
        data = {"image": np.repeat(row, b, 0), "text": np.repeat(row, b, 0), "neg_text": np.tile(row, (b, k, 1))}
        r = losses.negclip().on(**data, scale=scale)
        assert r.loss == pytest.approx((np.log(b + b * k) + np.log(b)) / 2, rel=1e-5, abs=1e-6)
        assert np.isfinite(r.dimage).all() and r.accuracy == (0.0 if k else None)  # ties count as wrong
        assert np.abs(r.dimage.sum(0)).max() < 1e-4 * scale


def test_far_below_the_scale(level):
    """At scale 100 no cosine near 1: a fixed shift by the scale would underflow."""
    v = np.eye(6, dtype=np.float32)
    r = losses.infonce().on(image=v, text=-v, scale=100.0)
    assert r.loss == pytest.approx(100 + np.log(5), rel=1e-6)
    r = losses.infonce().on(image=v, text=v, scale=10.0)
    assert r.loss == pytest.approx(np.log1p(5 * np.exp(-10)), rel=1e-3)


def test_duplicates():
    """Same picture, same caption, and a negative that is another sample's true caption."""
    data = batch(4, 1, plain=True)
    group, text_key, neg_key = np.array([0, 0, 1, 2]), np.array([10, 11, 12, 11]), np.array([[20], [12], [10], [21]])
    true = twin.true_captions(text_key, group, text_key, group)
    # caption 3 equals caption 1, which is true for the picture of samples 0 and 1
    assert true.astype(int).tolist() == [[1, 1, 0, 1], [1, 1, 0, 1], [0, 0, 1, 0], [0, 1, 0, 1]]
    false = twin.true_captions(neg_key.reshape(-1), group, text_key, None)
    assert false.astype(int).tolist() == [[0, 0, 1, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    keys = {"group": group, "text_key": text_key, "neg_key": neg_key}
    for setting in SETTINGS:
        check_against_twin(losses.get("itc", **setting), {**data, **keys}, 5.0)
    off, bare = losses.negclip(duplicates="off").on(**data, **keys), losses.negclip().on(**data)
    same(off, bare)
    masked = losses.negclip().on(**data, **keys)
    assert masked.loss != bare.loss
    pictures = {"image": data["image"], "text": data["text"], "group": np.zeros(4, int)}
    only = losses.infonce(duplicates="soft").on(**pictures, scale=1e-4)
    assert np.abs(only.dimage).max() < 1e-6  # every caption is a target: nothing to tell apart at a flat softmax


def test_all_one_group(level):
    """Every caption true for every image: only the pair is left, and nothing to learn."""
    data = batch(9, 0, plain=True)
    r = losses.infonce().on(**data, group=np.zeros(9, np.int64))
    assert abs(r.loss) < 1e-6 and np.abs(r.dimage).max() < 1e-5


def test_two_threads_share_one_objective():
    objective, data = losses.negclip(), batch(64, 2, plain=True)
    want, wrong = objective.on(**data), []

    def work():
        for _ in range(50):
            r = objective.on(**data)
            if r.loss != want.loss or not np.array_equal(r.dimage, want.dimage):
                wrong.append(r)

    workers = [threading.Thread(target=work) for _ in range(2)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert not wrong


def test_loss_alone_and_given_room():
    data, objective = batch(7, 2), losses.negclip()
    full = objective.on(**data)
    alone = objective.on(**data, backward=False)
    assert alone.loss == full.loss and alone.accuracy == full.accuracy
    assert alone.dimage is None and alone.dlog_scale is None
    room = np.full((7, 16), 9, np.float32)
    r = objective.on(**data, out={"dtext": room})
    assert r.dtext is room and np.array_equal(room, full.dtext)
    with pytest.raises(ValueError, match="did you mean 'dtext'"):
        objective.on(**data, out={"dtxt": room})


def test_inputs_stay_and_views_are_taken():
    data = batch(7, 2)
    before = {key: x.copy() for key, x in data.items()}
    r = losses.negclip().on(**data)
    assert all(np.array_equal(x, before[key], equal_nan=x.dtype.kind == "f") for key, x in data.items())
    wide = np.repeat(data["image"], 2, 1)[:, ::2]
    assert not wide.flags.c_contiguous
    same(losses.negclip().on(**{**data, "image": wide, "valid": data["valid"].astype(bool)}), r)


@pytest.mark.parametrize("change, error, words", [
    ({"image": np.zeros((4, 8))}, TypeError, r"image must be float32, got float64; convert it"),
    ({"image": [[1.0]]}, TypeError, "image must be a NumPy array"),
    ({"text": np.zeros((3, 8), np.float32)}, ValueError, r"text must have shape \(B,E\) with B = 4"),
    ({"neg_text": np.zeros((4, 2, 7), np.float32)}, ValueError, r"neg_text must have shape \(B,K,E\) with E = 8"),
    ({"valid": np.zeros((4, 3), np.uint8)}, ValueError, r"valid must have shape \(B,K\) with K = 2"),
    ({"valid": np.zeros((4, 2), np.float32)}, TypeError, "valid must be uint8"),
    ({"group": np.zeros(4, np.float32)}, TypeError, "group must hold integers"),
    ({"group": np.zeros(3, int)}, ValueError, r"group must have shape \(B\)"),
    ({"neg_text": None}, ValueError, "which is missing"),
    ({"neg_key": np.zeros((4, 2), int)}, ValueError, "text_key, which is missing"),
    ({"scale": 0.0}, ValueError, "scale must be"),
    ({"scale": float("nan")}, ValueError, "scale must be"),
    ({"scale": "big"}, TypeError, "scale must be a number"),
    ({"image": np.zeros((0, 8), np.float32), "text": np.zeros((0, 8), np.float32), "neg_text": None, "valid": None},
     ValueError, "an objective needs"),
], ids=lambda x: ",".join(x) if isinstance(x, dict) else "")  # fmt: skip
def test_refusals(change, error, words):
    data = {**batch(4, 2, 8, plain=True), "valid": np.ones((4, 2), np.uint8)}
    with pytest.raises(error, match=words):
        losses.negclip().on(**{**data, **change})


@pytest.mark.parametrize("name", ["image", "text", "neg_text"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_values_that_are_no_embeddings(name, bad):
    data = batch(600, 2, 8, plain=True)
    data[name][577].reshape(-1)[3] = bad
    room = np.full((600, 8), 5, np.float32)
    with pytest.raises(ValueError, match=f"{name} of sample 577 holds NaN"):
        losses.negclip().on(**data, out={"dimage": room})
    assert (room == 5).all()


def test_names_and_forms():
    assert losses.names() == [
        "ahnpl", "align", "ce_clip", "clip", "column", "dac", "distil", "focal", "fsc", "gnm", "hinge", "infonce",
        "intra", "itc", "local", "mil", "mirror", "negclip", "own", "pos", "rank", "roesch", "siglip", "sigmoid",
        "triplet", "tripletclip", "tsvlc", "uniform"]
    assert "itc" in dir(losses)
    objective = losses.negclip(negatives="own") + 0.2 * losses.infonce() * 0.5
    assert repr(objective) == "itc(negatives='own') + 0.1 * itc(negatives='none')"
    assert eval(repr(objective), {"itc": losses.itc}) == objective
    assert losses.Objective.from_dict(objective.to_dict()) == objective
    for again in (copy.deepcopy(objective), pickle.loads(pickle.dumps(objective))):
        assert again == objective and again.on(**batch(3, 1)).loss == objective.on(**batch(3, 1)).loss
    table = tomllib.loads('[[terms]]\nname = "negclip"\n[[terms]]\nname = "itc"\nweight = 0.2\nnegatives = "own"')
    assert repr(losses.Objective.from_dict(table)) == "itc() + 0.2 * itc(negatives='own')"
    assert losses.Objective.from_dict("infonce") == losses.get("infonce") == losses.infonce()
    assert 0 * losses.infonce() != losses.infonce()
    assert "shared" in losses.itc.__doc__


@pytest.mark.parametrize("call, words", [
    (lambda: losses.get("negclp"), "did you mean 'negclip'"),
    (lambda: losses.Term("itk"), "did you mean 'itc'"),
    (lambda: losses.itc(negative="own"), "did you mean 'negatives'"),
    (lambda: losses.itc(negatives="owm"), r"one of 'none', 'shared', 'own', got 'owm'; did you mean 'own'"),
    (lambda: losses.itc(image_to_text=2), r"image_to_text of itc must be in \[0, 1\], got 2"),
    (lambda: losses.itc(image_to_text=float("nan")), r"must be in \[0, 1\], got nan"),
    (lambda: losses.itc(image_to_text="half"), r"must be a number in \[0, 1\]"),
    (lambda: -1 * losses.infonce(), r"weight must be in \[0, 1e6\]"),
    (lambda: float("nan") * losses.infonce(), r"weight must be in \[0, 1e6\]"),
    (lambda: losses.Objective([]), "1 to 16 terms"),
    (lambda: losses.Objective(["itc"]), "made of Term objects"),
    (lambda: losses.Objective.from_dict({"weight": 1}), "needs the key 'name'"),
    (lambda: losses.Objective.from_dict({"terms": ["itc"], "wight": 1}), "no other key"),
    (lambda: losses.Objective.from_dict([]), "a name, a table or a list"),
    (lambda: losses.cosine, "no attribute 'cosine'"),
])
def test_unknown_names_and_values(call, words):
    with pytest.raises((ValueError, TypeError, AttributeError), match=words):
        call()


def test_core_refuses_what_python_would_not_send():
    for terms in ((), ((0, 1.0),), ((99, 1.0, (0.0, 0.5, 0.5, 0.0)),), ((0, 1.0, (0.0,)),), ((0, 1.0, ("x",) * 4),)):
        with pytest.raises((ValueError, TypeError)):
            _core.Loss(terms)
    with pytest.raises(TypeError):
        _core.Loss((0, 1.0, (0.0,) * 4), 1)
