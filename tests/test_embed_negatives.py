"""Embedding negatives: against the float64 twin on every level, identities, differences, and in objectives."""

import itertools
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import vlmneg as vn
from vlmneg import _core, losses, show
from vlmneg.making.run import make
from vlmneg.negatives import embed
from vlmneg.reference import embed_negatives as twin
from vlmneg.reference import losses as losses_twin

ROOT = Path(__file__).parents[1]
PARTS = {
    "shift": embed.shift(), "shift unit": embed.shift(factor=0.5, unit=True, k=2),
    "shift flows": embed.shift(detach=False), "shift unit flows": embed.shift(unit=True, detach=False, factor=2.0),
    "interpolate": embed.interpolate(), "interpolate two": embed.interpolate(between="negatives", low=0.2),
    "interpolate fixed": embed.interpolate(detach_mix=True, k=1),
    "hardest": embed.hardest(k=2), "hardest text": embed.hardest(side="text", low=0.0),
    "hardest fixed": embed.hardest(detach_mix=True), "gaussian": embed.gaussian(k=2, sigma=0.7),
    "gaussian text": embed.gaussian(side="text", sigma=0.3), "gaussian fixed": embed.gaussian(detach=True),
}  # fmt: skip
SIZES = list(itertools.product((1, 2, 3, 7, 17), (0, 1, 3)))
GRADS = ("dimage", "dtext", "dneg_text", "dneg_image")


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def batch(b, k, e=16, seed=0, keys=False):
    """Rows near one direction; NaN where nothing may be read; groups and keys with repeats."""
    rng = np.random.default_rng([b, k, e, seed])
    shared = rng.standard_normal(e)
    image, text, neg = (unit(rng.standard_normal(n) + shared).astype(np.float32) for n in ((b, e), (b, e), (b, k, e)))
    valid = (rng.random((b, k)) < 0.7).astype(np.uint8)
    neg[valid == 0] = np.nan
    data = {"image": image, "text": text, "neg_text": neg, "valid": valid}
    if keys:
        data |= {"group": rng.integers(0, max(2, b), b), "text_key": rng.integers(0, max(2, b), b)}
    return data


def parts_of(g):
    """Generators as the twin takes them."""
    found = []
    for p in g.parts:
        params = {n: v for n, v in p.parameters.items() if n != "k"}
        if p.name == "mix":
            params["parts"] = [q for part in params["parts"] for q in parts_of(part)]
        found.append((p.name, p.side, p.k, params))
    return found


def twin_of(g, data, seed=0, rows=None, dtype=np.float64):
    valid = np.asarray(data["valid"], bool)
    x = {n: data[n].astype(dtype) for n in ("image", "text")}
    x["neg_text"] = np.where(valid[..., None], data["neg_text"], 0).astype(dtype)
    b = len(valid)
    related = np.zeros((b, b), bool)
    if "group" in data:
        true = losses_twin.true_captions(data["text_key"], data["group"], data["text_key"], data["group"])
        related = true | true.T
    return twin.Made(twin.makers_of(parts_of(g), valid.shape[1]), *x.values(), valid, seed,
                     np.arange(b) if rows is None else rows, related)


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("b, k", SIZES)
def test_twin(level, name, b, k):
    g = PARTS[name]
    for keys in (False, True):
        data = batch(b, k, keys=keys)
        rows = np.random.default_rng(b).integers(0, 2**40, b)
        made, want = g(**data, seed=5, rows=rows), twin_of(g, data, 5, rows)
        assert made.rows.dtype == np.float32 and made.rows.shape == want.rows.shape
        assert np.array_equal(made.valid, want.valid)
        assert np.abs(made.rows - want.rows).max(initial=0) < 2e-6
        for (i, m), blend in want.blends.items():
            assert made.partner[i, m] == blend.partner and made.mu[i, m] == pytest.approx(blend.mu, abs=1e-6)
        assert not made.rows[made.valid == 0].any() and (made.partner[made.valid == 0] == -1).all()
        d = np.random.default_rng(k).standard_normal(made.rows.shape).astype(np.float32)
        d[made.valid == 0] = np.nan
        back = want.backward(d.astype(float))
        for got, x in zip(made.backward(d), ("image", "text", "neg_text"), strict=True):
            assert np.abs(got - back[x]).max(initial=0) < 1e-5, x


@pytest.mark.parametrize("name", PARTS)
def test_twin_gradients(name):
    """Central differences of a random function of the rows."""
    g, data = PARTS[name], batch(4, 3, 5, seed=1)
    data = {n: x.astype(float) if x.dtype.kind == "f" else x for n, x in data.items()}
    made = twin_of(g, data)
    weight = np.random.default_rng(0).standard_normal(made.rows.shape)
    grads = made.backward(weight)

    def held(where):  # rows that are constants are those whose gradient does not flow: only the others are moved
        flowing = {(s, r) for blend in made.blends.values() for s, r, _, flows in blend.parts if flows}
        fixed = {(s, r) for blend in made.blends.values() for s, r, _, flows in blend.parts if not flows}
        return where in flowing and where not in fixed

    moved = 0
    for s in grads:
        for at in np.ndindex(grads[s].shape[:-1]):
            if not held((s, at[0] if len(at) == 1 else at)):
                continue
            for e in range(5):
                sides = []
                for step in (1e-6, -1e-6):
                    other = {**data, s: data[s].copy()}
                    other[s][(*at, e)] += step
                    sides.append((twin_of(g, other).rows * weight).sum())
                assert grads[s][(*at, e)] == pytest.approx((sides[0] - sides[1]) / 2e-6, abs=1e-7)
                moved += 1
    assert moved > 0 or "fixed" in name


def test_shift_by_the_identities(level):
    """Un-normalised cosines without a row: those of the rows to 1e-6, and to 1e-15 in float64."""
    for b, k, factor in itertools.product((1, 2, 7, 33, 300), (1, 3), (1.0, 0.3)):
        g, data = embed.shift(factor=factor, allow_degenerate=True), batch(b, k, 32)
        made, valid = g(**data), data["valid"].astype(bool)
        wide = {n: np.where(valid[..., None], data[n], 0) if n == "neg_text" else data[n] for n in data}
        wide = {n: wide[n].astype(float) for n in ("image", "text", "neg_text")}
        rows = wide["image"][:, None] + factor * (wide["neg_text"] - wide["text"][:, None])
        for anchor in ("image", "text"):
            cosines = g.cosines(anchor, **data)
            assert np.abs(cosines - np.einsum("be,bke->bk", data[anchor], made.rows)).max() < 1e-6
            identity = twin.shift_cosines(**wide, factor=factor, anchor=anchor)
            assert np.abs(identity - np.einsum("be,bke->bk", wide[anchor], rows))[valid].max(initial=0) < 2e-15
            assert np.abs(cosines - identity)[valid].max(initial=0) < 1e-6
            assert not cosines[~valid].any()


@pytest.mark.parametrize("name", PARTS)
def test_cosines_of_all(name):
    g, data = PARTS[name], batch(33, 3)
    for anchor in ("image", "text"):
        if name in ("shift", "shift flows") and anchor == "text":
            continue
        want = np.einsum("be,bse->bs", data[anchor], g(**data).rows)
        assert np.abs(g.cosines(anchor, **data) - want).max() < 1e-6


def test_mixing_identity():
    """q / sqrt(n2) with q = mu c + (1 - mu) a, n2 = mu^2 + (1 - mu)^2 + 2 mu (1 - mu) g."""
    data = batch(17, 3)
    valid = data["valid"].astype(bool)
    n = np.where(valid[..., None], data["neg_text"], 0)
    made = embed.interpolate()(**data)
    c, g = np.einsum("be,bke->bk", data["image"], n), np.einsum("be,bke->bk", data["text"], n)
    a, mu = np.einsum("be,be->b", data["image"], data["text"])[:, None], made.mu
    want = (mu * c + (1 - mu) * a) / np.sqrt(mu**2 + (1 - mu) ** 2 + 2 * mu * (1 - mu) * g)
    assert np.abs(embed.interpolate().cosines("image", **data) - want)[valid].max() < 1e-6
    assert (mu[valid] >= 0.5).all() and (mu[valid] < 1).all() and len(np.unique(mu[valid])) == valid.sum()
    low = embed.interpolate(low=0.9)(**data).mu[valid]
    assert (low >= 0.9).all()


def test_two_negatives_are_different_and_valid():
    data = batch(200, 4)
    made, valid = embed.interpolate(between="negatives")(**data), data["valid"]
    for i, k in np.argwhere(made.valid):
        other = made.partner[i, k]
        assert other != k and valid[i, other] and valid[i, k]
    assert np.array_equal(made.valid.astype(bool), (valid > 0) & (valid.sum(1, keepdims=True) > 1))
    assert len({tuple(x) for x in np.argwhere(made.valid)[:, 1:].tolist()}) == 4


def test_hardest_partners():
    """The k-th best column of the anchors' cosines, without duplicates; of equals the first."""
    data = batch(70, 0, keys=True)
    true = losses_twin.true_captions(data["text_key"], data["group"], data["text_key"], data["group"])
    for side, c in (("image", data["text"] @ data["image"].T), ("text", data["image"] @ data["text"].T)):
        made = embed.hardest(k=3, side=side)(**data)
        c = np.where(true | true.T, -np.inf, c)
        assert np.array_equal(made.partner, np.argsort(-c, 1, kind="stable")[:, :3])
        assert made.side == side
    same = np.ones((5, 4), np.float32) / 2
    assert embed.hardest(k=4)(image=same, text=same).partner.tolist() == [
        [1, 2, 3, 4], [0, 2, 3, 4], [0, 1, 3, 4], [0, 1, 2, 4], [0, 1, 2, 3]]
    alone = embed.hardest(k=2)(image=same, text=same, group=np.zeros(5, int))
    assert not alone.valid.any() and (alone.partner == -1).all()


def test_gaussian_directions():
    """In any width the cosine with the row is near 1 / sqrt(1 + sigma^2), and directions differ."""
    rng = np.random.default_rng(0)
    for e in (1, 2, 3, 7, 512):
        x = unit(rng.standard_normal((40, e))).astype(np.float32)
        made = embed.gaussian(k=3, sigma=0.5)(image=x, text=x).rows
        assert np.allclose(np.linalg.norm(made, axis=2), 1, atol=1e-5)
        c = np.einsum("be,bse->bs", x, made)
        if e == 512:
            assert abs(c.mean() - 1 / np.sqrt(1.25)) < 0.005 and c.std() < 0.05
            assert np.abs(np.einsum("be,be->b", made[:, 0] - x, made[:, 1] - x)).max() < 0.1
    assert np.abs(embed.gaussian(sigma=0)(image=x, text=x).rows[:, 0] - x).max() < 1e-6


@pytest.mark.parametrize("name", PARTS)
def test_rows_depend_on_seed_row_and_slot_alone(name):
    """A permuted batch permutes the result; a smaller batch gives the same rows, where no other sample is looked at."""
    g, data, rows = PARTS[name], batch(17, 3), np.arange(100, 117)
    made, order = g(**data, seed=3, rows=rows), np.random.default_rng(1).permutation(17)
    moved = g(**{n: np.ascontiguousarray(x[order]) for n, x in data.items()}, seed=3, rows=rows[order])
    assert np.array_equal(moved.rows, made.rows[order]) and np.array_equal(moved.mu, made.mu[order])
    if g.name != "hardest":
        part = g(**{n: x[5:6] for n, x in data.items()}, seed=3, rows=rows[5:6])
        assert np.array_equal(part.rows[0], made.rows[5])
    if g.name in ("gaussian", "interpolate"):
        assert not np.array_equal(g(**data, seed=4, rows=rows).rows, made.rows)
        assert not np.array_equal(g(**data, seed=3, rows=rows + 1).rows, made.rows)


def test_what_stands_in_invalid_slots_changes_nothing():
    data, objective = batch(17, 3), losses.negclip() + losses.intra()
    made = embed.shift() + embed.interpolate(between="negatives") + embed.hardest(side="text")
    found = []
    for junk in (np.nan, np.inf, 0.0):
        data["neg_text"][data["valid"] == 0] = junk
        r, rows = objective.on(**data, made=made, scale=10.0), made(**data).rows
        found.append((r.loss, r.dimage.tobytes(), r.dtext.tobytes(), r.dneg_text.tobytes(), rows.tobytes()))
    assert found[0] == found[1] == found[2]


def test_sums_and_sides():
    g = embed.shift(k=1) + embed.gaussian(k=2) + embed.interpolate()
    made, data = g(**batch(5, 3)), batch(5, 3)
    assert made.kind == [["shift", *["gaussian"] * 2, *["interpolate"] * 3]] * 5
    assert made.sides == (*["image"] * 3, *["text"] * 3)
    with pytest.raises(ValueError, match="both sides"):
        _ = made.side
    assert np.array_equal(made.rows[:, :1], embed.shift(k=1)(**data).rows)
    assert repr(g).startswith("shift(k=1, factor=1.0") and g == pickle.loads(pickle.dumps(g))
    assert eval(repr(g), vars(embed)) == g
    assert embed.shift() != embed.shift(factor=2.0) and embed.shift() != embed.interpolate()
    both = vn.negatives.text.swap(k=2) + embed.shift() + embed.gaussian()
    assert both.made == embed.shift() + embed.gaussian() and both.k == 2
    assert (embed.shift() + vn.negatives.text.swap(k=2)).made == embed.shift()
    assert (both + vn.negatives.text.replace(k=1)).k == 3 and (both + vn.negatives.text.replace(k=1)).made == both.made
    assert repr(both).startswith("swap(k=2") and "gaussian" in repr(both)


MIXTURES = [
    vn.negatives.mix(embed.shift(), embed.gaussian(), embed.hardest(), weights=(1, 2, 1), k=3),
    vn.negatives.mix(embed.interpolate(between="negatives"), embed.interpolate(), k=2),
    vn.negatives.mix(embed.shift(unit=True, detach=False), embed.hardest(), k=1) + embed.gaussian(side="text"),
]  # fmt: skip


@pytest.mark.parametrize("g", MIXTURES, ids=lambda g: g.parts[0].choices[0][0].name)
def test_mixtures(level, g):
    """Against the twin, whose alternatives that were not drawn hold nothing."""
    for b, k in ((1, 0), (2, 1), (17, 3)):
        data, rows = batch(b, k), np.arange(b) + 9
        made, want = g(**data, seed=2, rows=rows), twin_of(g, data, 2, rows)
        firsts = sorted({m[4] for m in want.makers})
        assert made.rows.shape == (b, len(firsts), 16)
        assert np.abs(made.rows - np.add.reduceat(want.rows, firsts, 1)).max() < 2e-6
        assert np.array_equal(made.valid, np.add.reduceat(want.valid.astype(int), firsts, 1))
        for i, m in want.blends:
            assert made.kind[i][firsts.index(want.makers[m][4])] == want.makers[m][0]
        d = np.random.default_rng(k).standard_normal(made.rows.shape).astype(np.float32)
        spread = np.zeros(want.rows.shape)
        np.put_along_axis(spread, made.chosen[:, :, None], d, 1)
        for got, x in zip(made.backward(d), ("image", "text", "neg_text"), strict=True):
            assert np.abs(got - want.backward(spread)[x]).max(initial=0) < 1e-5
        if g is not MIXTURES[0]:
            cosines = g.cosines("image", **data, seed=2, rows=rows)
            assert np.abs(cosines - np.einsum("be,bse->bs", data["image"], made.rows)).max() < 1e-6
    check(losses.negclip() + losses.intra() if g is not MIXTURES[1] else losses.own(), full_batch(17, 3), g)


def test_mixtures_follow_their_weights():
    data = batch(4000, 1, 4)
    data["valid"][:2000], data["valid"][2000:] = 1, 0
    data["neg_text"][:] = data["text"][:, None]
    made = vn.negatives.mix(embed.shift(), embed.gaussian(), weights=(3, 1), k=1)(**data)
    share = np.mean([kind == ["shift"] for kind in made.kind[:2000]])
    assert abs(share - 0.75) < 0.04 and made.kind[2000:] == [["gaussian"]] * 2000 and made.valid.all()
    with pytest.raises(ValueError, match="must be of one side"):
        vn.negatives.mix(embed.shift(), embed.interpolate())
    with pytest.raises(TypeError, match="of one modality"):
        vn.negatives.mix(embed.shift(), vn.negatives.text.swap())
    with pytest.raises(ValueError, match="no new direction"):
        losses.own(anchor="text").on(**batch(2, 1), made=vn.negatives.mix(embed.shift(), embed.gaussian()))


def test_names():
    assert vn.negatives.names("embed") == ["gaussian", "hardest", "interpolate", "shift"]
    assert [name for name, _, _ in _core.made_listed()] == ["shift", "interpolate", "hardest", "gaussian"]
    assert {name: stream for name, _, stream in _core.made_listed()} == twin.STREAMS
    assert vn.negatives.get("embed.shift", factor=0.5) == embed.shift(factor=0.5)


def test_a_notebook_adds_its_own():
    @vn.negatives.register("embed")
    class half_shift(embed.shift):
        name, maker = "half_shift", "shift"

        def __init__(self, *, k=None):
            super().__init__(k=k, factor=0.5)

    data = batch(5, 2)
    made = vn.negatives.get("embed.half_shift")(**data)
    assert np.array_equal(made.rows, embed.shift(factor=0.5)(**data).rows) and made.kind == [["half_shift"] * 2] * 5


MEMORY = """
import resource, numpy as np, vlmneg as vn
from vlmneg.negatives import embed
B, K, E = 3000, 16, 512
x = np.random.default_rng(0).standard_normal((B, K, E), np.float32)
x /= np.linalg.norm(x, axis=2, keepdims=True)
data = {"image": x[:, 0].copy(), "text": x[:, 1].copy(), "neg_text": x}
out = {"d" + n: np.ones_like(d) for n, d in data.items()}
objective = vn.losses.intra()
objective.on(**{n: d[:4].copy() for n, d in data.items()}, made=embed.shift())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for made in (embed.shift(), embed.shift(unit=True), embed.shift(detach=False)):
    objective.on(**data, made=made, out=out)
print(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / x.nbytes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is counted otherwise")
def test_no_row_is_stored():
    """An objective grows the process by less than a third of its made rows: two rows a sample, and tiles."""
    done = subprocess.run([sys.executable, "-c", MEMORY], cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1 / 3


@pytest.mark.parametrize("call, error, words", [
    (lambda: embed.shift(factor=-1), ValueError, r"factor must be in \[0, 100\], got -1"),
    (lambda: embed.shift(factor="big"), TypeError, "factor must be a number"),
    (lambda: embed.shift(factor=float("nan")), ValueError, "factor must be in"),
    (lambda: embed.shift(unit=1), TypeError, "unit must be True or False"),
    (lambda: embed.shift(k=0), ValueError, r"k must be in \[1, 17\)"),
    (lambda: embed.shift(k=1.5), TypeError, "k must be an integer"),
    (lambda: embed.interpolate(low=2), ValueError, r"low must be in \[0, 1\]"),
    (lambda: embed.interpolate(between="all"), ValueError, 'between must be "true" or "negatives"'),
    (lambda: embed.hardest(side="left"), ValueError, 'side must be "image" or "text"'),
    (lambda: embed.gaussian(sigma=-1), ValueError, "sigma must be in"),
    (lambda: embed.shift().cosines("text", **batch(2, 1)), ValueError, "leaves a caption the gap"),
    (lambda: embed.shift().cosines("both", **batch(2, 1)), ValueError, 'anchor must be "image" or "text"'),
    (lambda: embed.shift()(**{**batch(2, 1), "image": np.zeros((2, 16))}), TypeError, "image must be float32"),
    (lambda: embed.shift()(**{**batch(2, 1), "text": np.zeros((3, 16), "f4")}), ValueError, "text must have shape"),
    (lambda: embed.shift()(**{**batch(2, 1), "valid": np.zeros((2, 1), "f4")}), TypeError, "valid must be uint8"),
    (lambda: embed.shift()(**{**batch(2, 1), "neg_text": None}), ValueError, "which is missing"),
    (lambda: embed.shift()(**batch(2, 1), rows=[1]), ValueError, "one integer a sample, 2"),
    (lambda: embed.shift()(**batch(2, 1), rows=[-1, 1]), ValueError, r"rows must be in \[0, 2\*\*64\)"),
    (lambda: embed.shift()(**batch(2, 1), rows=[0.5, 1]), TypeError, "rows must hold integers"),
    (lambda: embed.shift()(**batch(2, 1), seed=-1), ValueError, "seed must be in"),
    (lambda: sum([embed.gaussian(k=16)] * 4, embed.gaussian())(**batch(2, 1)), ValueError, "at most 64"),
    (lambda: losses.negclip().on(**batch(2, 1), made=embed.shift()), ValueError, "image side, which no term of"),
    (lambda: losses.infonce().on(**batch(2, 1), made=embed.interpolate()), ValueError, "text side, which no term"),
    (lambda: losses.itc(images="own").on(**batch(2, 1), made=embed.shift()), ValueError, "no new direction"),
    (lambda: losses.own(anchor="text").on(**batch(2, 1), made=embed.shift()), ValueError, "allow_degenerate=True"),
    (lambda: losses.negclip().on(**batch(2, 1), made="shift"), TypeError, "made must be of vlmneg.negatives.embed"),
])  # fmt: skip
def test_refusals(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_rows_that_are_not_finite_are_refused():
    data = batch(3, 2)
    data["text"][1, 0] = np.inf
    with pytest.raises(ValueError, match="text of sample 1 holds NaN"):
        embed.shift()(**data)


def test_inputs_stay_and_views_are_taken():
    data = batch(7, 3)
    before = {n: x.copy() for n, x in data.items()}
    made = embed.shift()(**data)
    wide = np.repeat(data["neg_text"], 2, 2)[:, :, ::2]
    assert not wide.flags.c_contiguous
    again = embed.shift()(**{**data, "neg_text": wide, "valid": data["valid"].astype(bool)})
    assert np.array_equal(again.rows, made.rows)
    assert all(np.array_equal(x, before[n], equal_nan=x.dtype.kind == "f") for n, x in data.items())
    d = np.ones_like(made.rows)
    assert np.array_equal(made.backward(np.repeat(d, 2, 0)[::2])[0], made.backward(d)[0])


# In objectives.

OBJECTIVES = {
    "intra": losses.intra(), "intra text": losses.intra(modality="text"), "own": losses.own(),
    "own text": losses.own(anchor="text"), "negclip": losses.negclip(), "negclip own": losses.negclip(negatives="own"),
    "images": losses.itc(images="shared"), "images own": losses.itc(negatives="none", images="own", duplicates="soft"),
    "ahnpl": losses.negclip() + 0.2 * losses.intra() + 0.2 * losses.intra(modality="text"),
    "unmasked": losses.itc(images="shared", duplicates="off") + 0.5 * losses.own(duplicates="off"),
}  # fmt: skip
USES = [(o, m) for o, m in itertools.product(OBJECTIVES, PARTS)
        if any(cols == f"neg_{PARTS[m].side}" for t in OBJECTIVES[o].terms for _, cols in t.reads())]


def degenerate(g):
    return embed.shift(**{**g.parameters, "allow_degenerate": True}) if g.name == "shift" else g


def full_batch(b, k, m=2, e=12):
    rng = np.random.default_rng([b, k, m])
    data = batch(b, k, e, keys=True)
    image = unit(rng.standard_normal((b, m, e)) + data["image"][:, None]).astype(np.float32)
    held = (rng.random((b, m)) < 0.7).astype(np.uint8)
    image[held == 0] = np.nan
    return {**data, "neg_key": rng.integers(0, 2 * max(2, b), (b, k)), "neg_image": image, "neg_image_valid": held}


def check(objective, data, made=None, scale=20.0, **options):
    r = objective.on(**data, made=made, scale=scale, **options)
    terms = [(t.name, t.weight, t.params) for t in objective.terms]
    names = {"made": parts_of(made) if made is not None else ()}
    want = losses_twin.objective(terms, **data, **names, **options, scale=scale)
    assert r.loss == pytest.approx(want["loss"], rel=2e-5, abs=2e-5)
    for label, value in zip(objective.labels(), want["terms"], strict=True):
        assert r.terms[label] == pytest.approx(value, rel=2e-5, abs=2e-5)
    for name in GRADS:
        size = np.abs(want[name]).max(initial=0)
        assert np.abs(getattr(r, name) - want[name]).max(initial=0) <= 5e-5 * size + 2e-6, name
    assert r.dlog_scale == pytest.approx(want["dlog_scale"], rel=5e-5, abs=5e-5)
    assert r.accuracy == (None if want["accuracy"] is None else pytest.approx(want["accuracy"]))
    return r


@pytest.mark.parametrize("objective, part", USES, ids=lambda x: x)
def test_made_negatives_in_objectives(level, objective, part):
    for b, k in ((1, 1), (2, 3), (7, 0), (17, 3)):
        check(OBJECTIVES[objective], full_batch(b, k), degenerate(PARTS[part]), made_seed=3,
              made_rows=np.arange(b) * 7 + 1)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_given_negative_images(level, name):
    for b, k, m in ((1, 1, 1), (3, 2, 0), (17, 3, 3), (33, 1, 2)):
        check(OBJECTIVES[name], full_batch(b, k, m))


def test_more_made_than_a_tile_and_absent_rows(level):
    rows = (np.random.default_rng(5).random(90) < 0.8).astype(np.uint8)
    made = embed.shift(unit=True) + embed.hardest(k=2) + embed.gaussian(k=2)
    for objective in (losses.itc(images="shared"), losses.intra() + losses.itc(images="own")):
        r = check(objective, {**full_batch(90, 4), "rows": rows}, made)
        assert not r.dimage[rows == 0].any() and not r.dneg_text[rows == 0].any()
    for junk in (np.nan, 3e38):
        data = full_batch(90, 4)
        for name in ("image", "text", "neg_text", "neg_image"):
            data[name][rows == 0] = junk
        assert losses.itc(images="shared").on(**data, rows=rows, made=made, scale=20.0).loss == pytest.approx(
            losses.itc(images="shared").on(**full_batch(90, 4), rows=rows, made=made, scale=20.0).loss)


def test_made_equals_given():
    """Rows that are made in tiles give what the same rows give when they are handed in, and their gradients."""
    data = batch(300, 2, 24)
    image = embed.shift(unit=True, detach=False) + embed.hardest()
    text = embed.interpolate() + embed.hardest(side="text")
    objective = losses.itc(images="shared") + losses.own() + losses.intra()
    fused = objective.on(**data, made=image + text, made_seed=1, scale=30.0)
    both = (image + text)(**data, seed=1)
    split = image.count(data["neg_text"])
    neg = np.concatenate([data["neg_text"], both.rows[:, split:]], 1)
    valid = np.concatenate([data["valid"], both.valid[:, split:]], 1)
    plain = objective.on(image=data["image"], text=data["text"], neg_text=neg, valid=valid, scale=30.0,
                         neg_image=both.rows[:, :split].copy(), neg_image_valid=both.valid[:, :split].copy())
    back = both.backward(np.concatenate([plain.dneg_image, plain.dneg_text[:, 2:]], 1))
    assert fused.loss == pytest.approx(plain.loss, rel=1e-5)
    assert np.abs(fused.dimage - plain.dimage - back[0]).max() < 1e-4
    assert np.abs(fused.dtext - plain.dtext - back[1]).max() < 1e-4
    assert np.abs(fused.dneg_text - plain.dneg_text[:, :2] - back[2]).max() < 1e-4
    assert fused.dlog_scale == pytest.approx(plain.dlog_scale, rel=1e-4)


@pytest.mark.parametrize("objective, part", [
    ("intra", "shift flows"), ("intra", "shift unit flows"), ("images", "shift unit flows"), ("images", "hardest"),
    ("negclip", "interpolate"), ("own", "interpolate two"), ("ahnpl", "gaussian"), ("intra text", "hardest text"),
], ids=str)  # fmt: skip
def test_differences_of_the_twin(objective, part):
    """By every row and the scale, through what is made of them."""
    data = {n: x.astype(float) if x.dtype.kind == "f" else x for n, x in full_batch(3, 3, 1, 4).items()}
    terms = [(t.name, t.weight, t.params) for t in OBJECTIVES[objective].terms]
    made = parts_of(PARTS[part])
    exact = losses_twin.objective(terms, **data, made=made, scale=7.0)
    for name in ("image", "text", "neg_text", "neg_image"):
        for at in np.ndindex(data[name].shape):
            if np.isnan(data[name][at]):
                assert exact[f"d{name}"][at] == 0
                continue
            sides = []
            for step in (1e-6, -1e-6):
                moved = {**data, name: data[name].copy()}
                moved[name][at] += step
                sides.append(losses_twin.objective(terms, **moved, made=made, scale=7.0)["loss"])
            assert exact[f"d{name}"][at] == pytest.approx((sides[0] - sides[1]) / 2e-6, abs=1e-7)
    up, down = (losses_twin.objective(terms, **data, made=made, scale=7.0 * np.exp(h))["loss"] for h in (1e-6, -1e-6))
    assert exact["dlog_scale"] == pytest.approx((up - down) / 2e-6, abs=1e-7)


def golden(dtype=np.float32):
    v = np.array([[1, 0], [0, 1]], dtype)
    t = np.array([[0.8, 0.6], [0.28, 0.96]], dtype)
    n = np.array([[[0.6, 0.8], [0.96, 0.28]], [[0.6, 0.8], [1, 0]]], dtype)
    return {"image": v, "text": t, "neg_text": n, "valid": np.array([[1, 1], [1, 0]], np.uint8)}


def test_golden_values(level):
    """A worked example of two pairs with two slots each, one of them invalid."""
    data = golden()
    assert losses.own().on(**data, scale=10.0).loss == pytest.approx(0.995140379, abs=1e-6)
    assert losses.intra().on(**data, made=embed.shift(), scale=10.0).loss == pytest.approx(0.995140379, abs=1e-6)
    renormalised = losses.intra().on(**data, made=embed.shift(unit=True), scale=10.0)
    assert renormalised.loss == pytest.approx(0.655047079, abs=1e-6)
    lengths = (embed.shift()(**{**data, "valid": None}).rows ** 2).sum(2)
    assert np.allclose(lengths, [[0.68, 1.448], [0.808, 0.52]], atol=1e-6)
    terms = [("own", 1, {}), ("intra", 1, {})]
    for unit_length, value in ((False, 0.995140379), (True, 0.655047079)):
        made = [("shift", "image", None, {"unit": unit_length})]
        wide = losses_twin.objective(terms, **golden(float), made=made, scale=10.0)
        assert wide["terms"] == pytest.approx([0.995140379, value], abs=5e-9)
    pairs = losses.negclip().on(**{**data, "neg_text": data["neg_text"][:, :1].copy(), "valid": None}, scale=10.0)
    assert pairs.loss == pytest.approx(0.182593271, abs=1e-6)


def test_shifted_intra_is_own_with_constant_texts():
    """Value, and gradient of the image along the sphere."""
    data = batch(17, 3)
    a = losses.intra().on(**data, made=embed.shift(), scale=30.0)
    b = losses.own().on(**data, scale=30.0)
    assert a.loss == pytest.approx(b.loss, rel=1e-5)
    assert not a.dtext.any() and not a.dneg_text.any()

    def tangent(d):
        return d - (d * data["image"]).sum(1, keepdims=True) * data["image"]

    assert np.abs(tangent(a.dimage) - tangent(b.dimage)).max() < 1e-5


def test_nothing_valid():
    data = batch(6, 2)
    data["neg_text"][:] = np.nan
    none = {**data, "valid": np.zeros((6, 2), np.uint8)}
    objective = losses.own() + losses.intra()
    r = objective.on(**none, made=embed.shift(), scale=30.0)
    assert r.loss == 0 and r.dlog_scale == 0 and not r.dimage.any() and not r.dtext.any() and not r.dneg_text.any()
    empty = {"image": data["image"], "text": data["text"]}
    assert objective.on(**empty, made=embed.shift() + embed.gaussian(), scale=30.0).loss > 0
    assert objective.on(**empty, made=embed.shift(), scale=30.0).loss == 0
    same = losses.negclip().on(**empty, scale=30.0)
    made = losses.negclip().on(**none, made=embed.interpolate(), scale=30.0)
    assert made.loss == same.loss and np.array_equal(made.dimage, same.dimage)


def test_duplicates_of_made_images():
    """A shifted image shows what its negative caption says: a caption that says the same does not see it."""
    data = batch(4, 1)
    data["valid"][:] = 1
    data["neg_text"][:] = unit(np.random.default_rng(0).standard_normal((4, 1, 16)))
    keys = {"text_key": np.array([1, 2, 3, 4]), "neg_key": np.array([[2], [9], [9], [1]])}
    for how in ("shared", "own"):
        for duplicates in ("mask", "soft", "off"):
            check(losses.itc(images=how, duplicates=duplicates), {**data, **keys}, embed.shift(unit=True))


def test_permuted_batch():
    data, order = full_batch(77, 3), np.random.default_rng(3).permutation(77)
    moved = {n: np.ascontiguousarray(x[order]) for n, x in data.items()}
    made = embed.shift(unit=True) + embed.interpolate() + embed.hardest(k=2)
    objective, rows = losses.itc(images="shared") + losses.own(), np.arange(77)
    a, b = (objective.on(**d, made=made, made_rows=r, scale=20.0) for d, r in ((data, rows), (moved, rows[order])))
    assert a.loss == pytest.approx(b.loss, rel=1e-5)
    for name in GRADS:
        assert np.allclose(getattr(a, name)[order], getattr(b, name), rtol=1e-3, atol=2e-6), name


def test_threads(level, threads):
    """1000 samples make three groups, whose jobs run at once; partners lie in other groups."""
    data = batch(1000, 2, 24)
    local = embed.shift(unit=True, detach=False) + embed.interpolate(between="negatives") + embed.gaussian()
    objective = losses.itc(images="shared") + losses.own() + losses.intra()
    for made in (local, local + embed.hardest(k=2) + embed.hardest(side="text")):
        found = []
        for n in (1, 2, 4):
            threads(n)
            r, rows = objective.on(**data, made=made, scale=100.0), made(**data)
            back = rows.backward(rows.rows)
            found.append([r.loss, r.dlog_scale, *(x.tobytes() for x in (r.dimage, r.dtext, r.dneg_text, rows.rows,
                                                                         *back))])
        assert found[0] == found[1] == found[2]


def test_many_groups_against_twin():
    made = embed.shift(unit=True, detach=False) + embed.interpolate()
    check(losses.itc(images="shared") + losses.intra(), batch(600, 2, 8), made)


# In training.

TRAINED = losses.negclip() + 0.5 * losses.intra()


def train(negatives, objective=TRAINED, model=None, **options):
    data = vn.data.scenes(20, seed=3)
    tokenizer = vn.Tokenizer.learn(data.captions(), 560)
    config = vn.ClipConfig.tiny(image_size=32, image_width=32, image_mlp=64, text_width=32, text_mlp=64, embed=16,
                                context=32, vocab=tokenizer.vocab_size)
    model = model or vn.Clip(config, seed=1, tokenizer=tokenizer)
    settings = {"batch": 8, "steps": 6, "lr": 1e-3, "seed": 5, "schedule": "constant", "warmup": 0, **options}
    records = list(vn.train(model, data, objective, negatives, **settings))
    return [(r.loss, r.terms, r.accuracy) for r in records], {n: w.tobytes() for n, w in model.state_dict().items()}


def test_training_with_both_and_resume_gives_the_same_bits(tmp_path):
    made = embed.shift() + embed.interpolate(low=0.2) + embed.gaussian(sigma=0.5)
    negatives = vn.negatives.text.exact(k=2) + made
    whole, weights = train(negatives, out=tmp_path / "a", save_every=2)
    assert whole[-1][0] < whole[0][0] and all(terms["intra"] > 0 for _, terms, _ in whole)
    cut, _ = train(negatives, out=tmp_path / "b", save_every=2, steps=4)
    rest, again = train(negatives, out=tmp_path / "b", save_every=2, resume=True)
    assert cut + rest == whole and again == weights
    assert "shift(k=None" in (tmp_path / "a" / "config.json").read_text()
    other, _ = train(vn.negatives.text.exact(k=2) + embed.shift(), out=tmp_path / "c", save_every=2)
    assert other != whole and other[0][2] == whole[0][2]  # accuracy is of the captions alone


def test_training_with_embedding_negatives_alone():
    whole, _ = train(embed.gaussian(sigma=0.5), losses.infonce() + losses.intra())
    assert whole[-1][0] < whole[0][0] and whole[0][2] is None
    with pytest.raises(ValueError, match="image side, which no term of"):
        train(vn.negatives.text.swap() + embed.shift(), "negclip")


def test_gradients_reach_both_towers():
    """By differences of weights in each tower, through rows whose gradients flow to images and captions."""
    data = vn.data.scenes(5, seed=1)
    tokenizer = vn.Tokenizer.learn(data.captions(), 560)
    config = vn.ClipConfig.tiny(image_size=32, image_width=32, image_mlp=64, text_width=32, text_mlp=64, embed=16,
                                context=32, vocab=tokenizer.vocab_size)
    model = vn.Clip(config, seed=1, tokenizer=tokenizer)
    x, captions = model.preprocess([s.image for s in data]), [s.captions[0] for s in data]
    call = {"negatives": [[n[1] for n in s.negatives[:2]] for s in data], "objective": losses.intra(),
            "made": embed.shift(detach=False, unit=True), "made_seed": 2}
    model.loss(x, captions, **call, backward=True)
    for name in ("visual.proj", "text_projection", "logit_scale"):
        weight, grad = model.state_dict()[name], model.gradients()[name].copy()
        direction = np.sign(grad)
        sides = []
        for step in (1e-3, -1e-3):
            before = weight.copy()
            weight += step * direction
            sides.append(model.loss(x, captions, **call).loss)
            weight[...] = before
        assert np.abs(grad).sum() > 0
        assert (sides[0] - sides[1]) / 2e-3 == pytest.approx(np.abs(grad).sum(), rel=2e-2)


def test_recipes_name_embedding_negatives(tmp_path):
    (tmp_path / "captions.txt").write_text("a red dog\n")
    with pytest.raises(ValueError, match="which no file of captions holds"):
        make(tmp_path / "captions.txt", [{"name": "embed.shift"}], tmp_path / "out.jsonl")
    made = vn.negatives.recipe([{"name": "text.swap", "k": 2}, {"name": "embed.shift", "factor": 0.5}])
    assert made.made == embed.shift(factor=0.5) and made.k == 2
    assert vn.negatives.recipe([{"name": "embed.gaussian", "k": 3}]) == embed.gaussian(k=3)


def test_plane_has_one_scale():
    """A square stays a square, whatever the picture's shape; arrows and empty groups are taken."""
    square = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], float)
    picture = show.plane({"one": square, "none": np.zeros((0, 2))}, [(square[0], square[3])], width=500, height=300)
    drawn = np.asarray(picture)[70:] == np.array([0x87, 0x93, 0xA1])
    y, x = np.nonzero(drawn.all(2))
    assert picture.size == (500, 300) and abs(np.ptp(x) - np.ptp(y)) <= 2 and np.ptp(x) > 150
    assert show.plane({"same": np.zeros((2, 2))}).size == (640, 420) and show.plane({}).size == (640, 420)
