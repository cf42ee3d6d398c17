"""Adaptive margins: a scripted sequence against the formulas in float64, missing types, halves, JSON."""

import json

import numpy as np
import pytest

from vlmneg.losses.state import Level, Margins, Notes, state_of


def notes_of(a, c, valid):
    """What the engine notes of true logits a (B) and negatives' logits c (B, K)."""
    gap = np.where(valid, a[:, None] - c, 0.0)
    return Notes(valid.sum(0), gap.sum(0), np.where(valid, a[:, None] - c, -np.inf).max(0, initial=-np.inf),
                 np.where(valid, c, 0.0).sum(0), (valid & (c != 0)).sum(0), a.sum(), len(a))


def scripted(steps, b=6, k=4, seed=0):
    """Batches in which slot 1 is missing from step 3 on, and slot 3 always."""
    rng = np.random.default_rng(seed)
    for step in range(steps):
        a = rng.normal(24, 3, b)
        valid = rng.random((b, k)) < 0.7
        valid[:, 3] = False
        if step >= 3:
            valid[:, 1] = False
        yield a, np.where(valid, a[:, None] - rng.normal(3, 5, (b, k)), np.nan), valid


def formula(kind, rule, old, a, c, m, beta, upper):
    """One margin after one batch, cell by cell."""
    gaps = [a[i] - c[i] for i in range(len(a)) if m[i]]
    if rule == "paired":
        if not gaps:
            return old
        gap = sum(gaps) / len(gaps) if kind == "mean" else max(gaps) / 5
    elif kind == "max":
        gap = max(a[i] - c[i] if m[i] else 0.0 for i in range(len(a))) / 5
    else:
        logits = [c[i] if m[i] else 0.0 for i in range(len(a))]
        held = sum(x != 0 for x in logits)
        if held == 0 and rule == "released_keep":
            return old
        gap = sum(a) / len(a) - (sum(logits) / held if held else 0.0)
    return min(max(beta * old + (1 - beta) * gap, 0.0), upper)


@pytest.mark.parametrize("kind", ["mean", "max"])
@pytest.mark.parametrize("rule", ["paired", "released", "released_keep"])
@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_scripted_sequence(kind, rule, beta):
    margins, want = Margins(kind, rule, beta, 10.0), np.zeros(4)
    types = ["relation", "noun", "verb", "adjective"]
    for a, c, valid in scripted(14):
        margins.update(notes_of(a, c, valid), types)
        want = [formula(kind, rule, want[k], a, c[:, k], valid[:, k], beta, 10.0) for k in range(4)]
        assert np.allclose(margins.vector(types, 4), want, rtol=1e-5, atol=1e-6)
    assert margins.step == 14 and len(set(want)) > 2


def test_missing_type_keeps_its_margin():
    """Ten steps without a valid slot: the same bits; never seen: 0."""
    margins = Margins()
    for step, (a, c, valid) in enumerate(scripted(13)):
        margins.update(notes_of(a, c, valid))
        if step == 2:
            before = margins.vector(None, 4)
    assert before[1] > 0 and margins.vector(None, 4)[1] == before[1]
    assert margins.vector(None, 4)[3] == 0 and margins.vector(None, 4)[0] != before[0]


def test_released_treatment_of_what_is_missing():
    a, c, valid = np.array([30.0, 20.0]), np.array([[28.0, 0.0], [19.0, 0.0]]), np.array([[1, 1], [0, 0]], bool)
    for rule, want in (("paired", [2.0, 10.0]), ("released", [0.0, 10.0]), ("released_keep", [0.0, 0.0])):
        margins = Margins(rule=rule)
        margins.update(notes_of(a, c, valid))
        # paired: 30 - 28 and 30 - 0; released: 25 - 28, and a logit of exactly 0 counts as missing
        assert margins.vector(None, 2).tolist() == want, rule


def test_golden_gaps():
    """Two pairs with the cosines of 2-D embeddings, scale 10."""
    a, c, valid = np.array([8.0, 9.6]), np.array([[6.0, 9.6], [8.0, 0.0]]), np.array([[1, 1], [1, 0]], bool)
    notes = notes_of(a, c, valid)
    paired, released = Margins(), Margins(rule="released")
    assert [paired._gap(notes, [k]) for k in (0, 1)] == pytest.approx([1.8, -1.6])
    assert [released._gap(notes, [k]) for k in (0, 1)] == pytest.approx([1.8, -0.8])
    for margins in (paired, released):
        margins.update(notes)
        assert np.allclose(margins.vector(None, 2), [1.8, 0.0])


@pytest.mark.parametrize("rule", ["paired", "released"])
def test_halves_of_a_batch_add_up(rule):
    for a, c, valid in scripted(6, b=8):
        whole, halves = Margins(rule=rule), Margins(rule=rule)
        whole.update(notes_of(a, c, valid))
        halves.update(notes_of(a[:3], c[:3], valid[:3]) + notes_of(a[3:], c[3:], valid[3:]))
        assert np.allclose(whole.vector(None, 4), halves.vector(None, 4), rtol=1e-6)


def test_types_are_matched_by_name():
    margins = Margins()
    a, c, valid = np.array([20.0, 22.0]), np.array([[17.0, 15.0, 18.0], [19.0, 17.0, 18.0]]), np.ones((2, 3), bool)
    margins.update(notes_of(a, c, valid), ["noun", "verb", "noun"])
    assert margins.vector(["verb", "new", "noun"], 3).tolist() == [5.0, 0.0, 3.0]  # noun: 3, 3, 2, 4
    assert margins.vector(["verb"], 2).tolist() == [5.0, 0.0]  # the second slot is called "1"
    assert margins.vector(None, 0).shape == (0,)


def test_empty_batches_and_fixed_margins():
    none = notes_of(np.zeros(0), np.zeros((0, 2)), np.zeros((0, 2), bool))
    for rule in ("paired", "released", "released_keep"):
        margins = Margins(rule=rule, theta={"0": np.float32(3)})
        margins.update(none)
        assert margins.vector(None, 2).tolist() == [3.0, 0.0]
    fixed = Margins("fixed", fixed=12.5, upper=10.0)
    for a, c, valid in scripted(2):
        fixed.update(notes_of(a, c, valid))
    assert fixed.vector(None, 4).tolist() == [12.5] * 4


def test_epochs():
    for resets, want in (("never", 3.0), ("epoch", 0.0)):
        margins = Margins(resets=resets, theta={"noun": np.float32(3)})
        margins.reset("epoch")
        assert margins.vector(["noun"], 1) == want


def test_json_gives_back_the_bits():
    params = {"margin": "mean", "rule": "paired", "beta": 0.3, "bound": 10.0, "fixed": 8.0, "units": "logit",
              "reset": "epoch"}
    margins, level = state_of("rank", params), state_of("pos", {"margin": "batch_mean"})
    assert state_of("pos", {"margin": "fixed"}) is None and state_of("itc", {}) is None
    for a, c, valid in scripted(5):
        for state in (margins, level):
            state.update(notes_of(a, c, valid), ["α", "b", "c"])
    for state in (margins, level, Level()):
        again = type(state).from_dict(json.loads(json.dumps(state.to_dict())))
        assert again == state
        assert again.vector(["α", "b", "c"], 4).tobytes() == state.vector(["α", "b", "c"], 4).tobytes()


def test_level_of_pairs():
    level = Level()
    assert level.vector(None, 1)[0] < -1e38
    for a, c, valid in scripted(3):
        level.update(notes_of(a, c, valid))
        assert level.vector(None, 1)[0] == np.float32(a.mean())
    level.update(notes_of(np.zeros(0), np.zeros((0, 2)), np.zeros((0, 2), bool)))
    assert level.vector(None, 1)[0] == np.float32(a.mean())
