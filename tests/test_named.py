"""Objectives of papers: what they are made of, their files, and their released codes written out from the text."""

import numpy as np
import pytest

import vlmneg as vn
from vlmneg import losses
from vlmneg.settings import run_settings, settled, tomllib

PAPERS = sorted(losses.NAMED)


def unit(rng, *shape):
    x = rng.standard_normal(shape)
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


def batch(b=7, k=5, e=12, seed=0):
    """Two pairs share a picture, one type of negative is missing, one sample has none."""
    rng = np.random.default_rng([b, k, e, seed])
    image, text, near = unit(rng, b, e), unit(rng, b, e), unit(rng, b, e)
    text = image + 0.9 * text
    neg = text[:, None] + 0.5 * unit(rng, b, k, e)
    valid = (rng.random((b, k)) < 0.7).astype(np.uint8)
    valid[:, 3] = 0
    valid[2] = 0
    rows = {"image": image + 0.2 * near, "text": text, "neg_text": neg}
    rows = {name: (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32) for name, x in rows.items()}
    return {**rows, "valid": valid, "scale": 20.0}


def complete(objective, data):
    """Data with everything that an objective reads."""
    rng = np.random.default_rng(9)
    b, k, e = data["neg_text"].shape
    more = {"neg_image": unit(rng, b, k, e), "pos_text": unit(rng, b, 3, e), "pos_image": unit(rng, b, 2, e),
            "teacher_image": unit(rng, b, e), "teacher_text": unit(rng, b, e)}
    if {"score", "tokens"} & objective.needs:
        lengths = rng.integers(2, 5, b * (1 + k))
        more.update(patches=unit(rng, b, 4, e), tokens=unit(rng, int(lengths.sum()), e),
                    token_offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    kept = {"patches", "tokens", "token_offsets"} | objective.needs
    return {**data, **{name: x for name, x in more.items() if name in kept}}


def lse(z):
    return z.max() + np.log(np.exp(z - z.max()).sum())


def released(data, theta, first_column, image_weight):
    """One step of CE-CLIP's and AHNPL's code: loss, and logits from which margins move. Loops, no masks."""
    v, t, n = (data[name].astype(float) for name in ("image", "text", "neg_text"))
    m, s = data["valid"].astype(float), data["scale"]
    b, k = m.shape
    flat = n.reshape(b * k, -1)
    total = 0.0
    for i in range(b):
        total += 0.5 * (lse(s * np.concatenate([t @ v[i], flat @ v[i]])) - s * v[i] @ t[i]) / b
        total += 0.5 * (lse(s * v @ t[i]) - s * v[i] @ t[i]) / b
        for c in range(k):
            total += 0.2 * m[i, c] * max(0.0, theta[c] + m[i, c] * s * v[i] @ n[i, c] - s * v[i] @ t[i]) / (b * k)
        z = s * flat @ t[i]
        total += (0.3 if first_column else 0.2) * (lse(z) - z[0 if first_column else i]) / b
        if image_weight:
            moved = s * np.array([v[i] @ v[j] + v[i] @ n[j, c] - v[i] @ t[j] for j in range(b) for c in range(k)])
            total += 0.2 * image_weight * (lse(moved) - moved[i]) / b
    logits = m * s * np.einsum("be,bke->bk", v, n)
    return total, logits, s * np.einsum("be,be->b", v, t)


def moved(theta, logits, true, missing):
    """Margins after a step, bound 10; a type without an entry: its margin stays, or its mean is taken for 0."""
    after = []
    for k, old in enumerate(theta):
        count = (logits[:, k] != 0).sum()
        gap = true.mean() - (logits[:, k].sum() / count if count else 0.0)
        after.append(old if count == 0 and missing == "stays" else min(max(gap, 0.0), 10.0))
    return after


@pytest.mark.parametrize("name, k, first, image, missing", [("ce_clip", 4, True, 0.0, "stays"),
                                                            ("ahnpl", 5, False, 1.0, "zero"),
                                                            ("ahnpl", 5, False, 0.001, "zero")])
def test_released_codes(name, k, first, image, missing):
    options = {} if name == "ce_clip" else {"w_img": image}
    objective, theta = losses.get(name, compat="released", **options), [0.0] * k
    for step in range(3):
        data = batch(k=k, seed=step)
        want, logits, true = released(data, theta, first, image)
        r = objective.on(**data)
        assert r.loss == pytest.approx(want, rel=2e-6)
        assert objective.on(**data).loss == r.loss
        theta = moved(theta, logits, true, missing)
        r.advance()
        margins = objective.margins()
        assert [margins[str(c)] for c in range(k)] == pytest.approx(theta, rel=1e-5)
    objective.reset("epoch")
    assert objective.on(**data).loss == pytest.approx(released(data, [0.0] * k, first, image)[0], rel=2e-6)


def test_released_image_term_sees_its_own_images_only():
    """Negative images that are handed in change nothing, and get no gradient."""
    objective, data = losses.ahnpl(compat="released"), batch()
    plain = objective.on(**data)
    r = objective.on(**data, neg_image=unit(np.random.default_rng(3), 7, 2, 12))
    assert r.loss == plain.loss and np.array_equal(r.dimage, plain.dimage)
    assert r.dneg_image.shape == (7, 2, 12) and not r.dneg_image.any()


@pytest.mark.parametrize("name, k", [("ce_clip", 4), ("ahnpl", 5)])
def test_corrected_forms(name, k):
    """Masked softmaxes, a hinge over valid slots, margins pair by pair, terms inside a modality over valid slots."""
    objective, theta = losses.get(name), np.zeros(k)
    for step in range(3):
        data = batch(k=k, seed=step)
        v, t, n = (data[key].astype(float) for key in ("image", "text", "neg_text"))
        m, s, b = data["valid"].astype(bool), data["scale"], len(data["image"])
        true = s * (v * t).sum(1)
        c, g = s * np.einsum("be,bke->bk", v, n), np.einsum("be,bke->bk", t, n)
        pool = s * v @ n[m].T
        held = m.any(1)
        terms = [np.mean([0.5 * (lse(np.concatenate([s * t @ v[i], pool[i]])) + lse(s * v @ t[i])) - true[i]
                          for i in range(b)]),
                 np.maximum(theta + c - true[:, None], 0)[m].sum() / m.sum()]
        if name == "ce_clip":
            terms.append(np.mean([lse(s * g[i][m[i]]) for i in range(b) if held[i]]))
            weights = (1, 0.2, 0.3)
        else:
            terms.append(np.mean([np.log1p(np.exp(10 * (g[i][m[i]] - 1)).sum()) for i in range(b) if held[i]]))
            terms.append(np.mean([np.log1p(np.exp(c[i][m[i]] - true[i]).sum()) for i in range(b) if held[i]]))
            weights = (1, 0.2, 0.2, 0.2)
        r = objective.on(**data)
        assert list(r.terms.values()) == pytest.approx(terms, rel=1e-5, abs=1e-6)
        assert r.loss == pytest.approx(float(np.dot(weights, terms)), rel=1e-5)
        r.advance()
        gap = np.array([(true[m[:, j]] - c[m[:, j], j]).mean() if m[:, j].any() else theta[j] for j in range(k)])
        theta = np.clip(gap, 0, 10)
        assert [objective.margins()[str(j)] for j in range(k)] == pytest.approx(theta.tolist(), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", PAPERS)
def test_what_an_objective_says_of_itself(name):
    """repr, a table and TOML give it back; so does a pickle, with its state."""
    import pickle

    for compat in ("corrected",) if name == "roesch" else ("corrected", "released"):
        objective = 0.3 * losses.get(name, compat=compat)
        assert eval(repr(objective), {term: getattr(losses, term) for term in losses.TERMS}) == objective
        assert losses.Objective.from_dict(objective.to_dict()) == objective
        lines = [f"{key} = {value!r}" for t in objective.to_dict()["terms"][:1] for key, value in t.items()]
        assert losses.Objective.from_dict(tomllib.loads("\n".join(lines))).terms == objective.terms[:1]
        data = complete(objective, batch())
        r = objective.on(**data)
        r.advance()
        again = pickle.loads(pickle.dumps(objective))
        assert again.state_dict() == objective.state_dict() and again.on(**data).loss == objective.on(**data).loss
        assert np.isfinite(r.loss) and r.dimage.any()


@pytest.mark.parametrize("name", PAPERS)
def test_recipes_say_what_the_papers_do(name):
    if name == "infonce":
        return
    settings = run_settings(settled(name, ["model=tiny"]))
    from vlmneg.experiment import make_objective

    objective = make_objective(settings.objective)
    assert objective.needs - {"score", "bias"} <= {"neg_text", "neg_image", "pos_text"}
    assert bool(settings.negatives) == bool({"neg_text", "neg_image"} & objective.needs)


def test_compat():
    with pytest.raises(ValueError, match="training code is not public"):
        losses.roesch(compat="released")
    with pytest.raises(ValueError, match="compat must be one of 'corrected', 'released', got 'release'.*did you mean"):
        losses.clip(compat="release")
    with pytest.raises(ValueError, match="ahnpl has no parameter 'bond'; did you mean 'bound'"):
        vn.losses.get("ahnpl", bond=10)
    with pytest.raises(ValueError, match="pos_margin of ahnpl"):
        losses.ahnpl(pos_margin="learned")
    with pytest.raises(ValueError, match="there is no objective 'anhpl'; did you mean 'ahnpl'"):
        losses.get("anhpl")
    released = settled("gnm", ["compat=released"])["train"]
    assert released["optimizer"] == "adam_l2" and not released["clamp"] and released["lr"] == 1e-6
    assert "optimizer" not in settled("gnm")["train"]
