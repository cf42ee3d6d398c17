"""accumulate=n: the gradient of the whole batch, chunk by chunk, for every objective there is."""

import numpy as np
import peers
import pytest

import vlmneg as vn
from vlmneg.losses.term import TERMS
from vlmneg.negatives import embed

C = peers.ODD
B, K, M, P = 11, 3, 2, 2
CAPTIONS, WRONG, TRUE = 1, 2, 3  # seeds


def pixels(*shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((*shape, 3, C.image_size, C.image_size)).astype(np.float32)


def ids(*shape, seed):
    rng = np.random.default_rng(seed)
    out = np.zeros((*shape, C.context), np.int32)
    for row in out.reshape(-1, C.context):
        n = rng.integers(3, C.context + 1)
        row[:n] = np.r_[C.start, rng.integers(1, C.vocab - 2, n - 2), C.end]
    return out


def make(objective, seed=0):
    """A model, with a bias where the objective learns one, whose embeddings are not all alike."""
    model = vn.Clip(C)
    state = peers.random_state(C, seed)
    model.load_state_dict({n: w if "ln_" in n else 4 * w for n, w in state.items() if n != "logit_scale"}
                          | {"logit_scale": np.array(2.0, np.float32)})  # fmt: skip
    return model.with_bias(-2.0) if objective is not None and "bias" in objective.needs else model


def batch(objective, k=K):
    """All that the objective reads, with holes: some slots are not valid, two pictures are one, two captions equal."""
    needs = objective.needs
    captions = ids(B, seed=CAPTIONS)
    captions[4] = captions[3]
    given = {"group": [0, 0, *range(2, B)], "objective": objective}
    rng = np.random.default_rng(7)
    if k:
        given |= {"negatives": ids(B, k, seed=WRONG), "valid": np.uint8(rng.random((B, k)) < 0.8)}
        given["types"] = ["noun", "noun", "colour"][:k]
    if "neg_image" in needs:
        given |= {"neg_images": pixels(B, M, seed=1), "neg_image_valid": np.uint8(rng.random((B, M)) < 0.8)}
    if "pos_image" in needs:
        given |= {"pos_images": pixels(B, P, seed=2), "pos_image_valid": np.uint8(rng.random((B, P)) < 0.8)}
    if "pos_text" in needs:
        given["positives"] = ids(B, P, seed=TRUE)
    if {"teacher_image", "teacher_text"} & set(needs):
        given["teacher"] = make(None, seed=5)
    return pixels(B), captions, given


def gradients(model, x, captions, given, accumulate):
    result = model.loss(x, captions, accumulate=accumulate, backward=True, **given)
    return result, {n: g.copy() for n, g in model.gradients().items()}


def check(model, x, captions, given, accumulate, least=0.03):
    whole, want = gradients(model, x, captions, given, 1)
    parts, got = gradients(model, x, captions, given, accumulate)
    assert abs(parts.loss - whole.loss) <= 1e-5 * max(1, abs(whole.loss))
    assert parts.terms == pytest.approx(whole.terms, rel=1e-5, abs=1e-5) and parts.tokens == whole.tokens
    assert (parts.accuracy is None) == (whole.accuracy is None)
    largest = max(np.linalg.norm(g) for g in want.values())
    for name, g in got.items():
        assert np.linalg.norm(g - want[name]) <= 1e-5 * max(np.linalg.norm(want[name]), least * largest), name
    return whole, parts, want, got


@pytest.mark.parametrize("name", vn.losses.names())
def test_every_objective(name):
    objective = vn.losses.get(name)
    x, captions, given = batch(objective)
    model = make(objective)
    whole, parts, want, got = check(model, x, captions, given, 8)
    assert any((g != want[n]).any() for n, g in got.items()) or whole.loss == 0  # it was another sum
    whole.advance()
    moved = objective.margins()
    objective.load_state_dict(vn.losses.get(name).state_dict())
    parts.advance()
    assert objective.margins() == pytest.approx(moved, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("name", vn.losses.names())
def test_every_objective_without_negatives_and_with_one_sample(name):
    objective = vn.losses.get(name)
    x, captions, given = batch(objective, k=0)
    check(make(objective), x, captions, given, 8)
    if "pos_text" in objective.needs:
        check(make(objective), x, captions, given | {"positives": [[]] * B}, 8)
    x, captions, given = batch(objective)
    per_sample = ("group", "negatives", "valid", "neg_images", "neg_image_valid", "positives", "pos_images")
    check(make(objective), x[:1], captions[:1], {k: v[:1] if k in per_sample else v for k, v in given.items()}, 8)


def variants():
    """Each term with each value of each parameter that has names for them; each objective as released."""
    for name in sorted(set(vn.losses.names()) - {*TERMS, "infonce", "roesch"}):
        yield pytest.param(name, {"compat": "released"}, id=f"{name}-released")
    for name, kind in TERMS.items():
        for p in kind.params:
            for value in p.choices or ():
                if value != p.start:
                    yield pytest.param(name, {p.name: value}, id=f"{name}-{p.name}-{value}")


@pytest.mark.parametrize("name, changed", list(variants()))
@pytest.mark.filterwarnings("ignore:intra.positive=")
def test_every_term_in_every_way(name, changed):
    objective = vn.losses.get(name, **changed)
    x, captions, given = batch(objective)
    check(make(objective), x, captions, given, 3)


@pytest.mark.parametrize("accumulate", [2, 3, 10, 11, 12, 1000])
def test_any_number_of_chunks(accumulate):
    objective = vn.losses.negclip() + 0.5 * vn.losses.get("own")
    x, captions, given = batch(objective)
    check(make(objective), x, captions, given, accumulate)
    for b in (1, 2):
        few = {k: v[:b] if k in ("group", "negatives", "valid") else v for k, v in given.items()}
        check(make(objective), x[:b], captions[:b], few, accumulate)


@pytest.mark.parametrize("made", [embed.shift(unit=True, detach=False), embed.gaussian(sigma=0.5)], ids=repr)
def test_embedding_negatives(made):
    objective = vn.losses.negclip() + vn.losses.get("intra") + vn.losses.get("itc", images="own", negatives="none")
    x, captions, given = batch(objective)
    check(make(objective), x, captions, given | {"made": made, "made_seed": 3}, 4)


def test_gradients_are_replaced_and_threads_do_not_matter():
    objective = vn.losses.negclip()
    x, captions, given = batch(objective)
    model, seen = make(objective), set()
    for threads in (1, 2, 4):
        vn.set_num_threads(threads)
        for _ in range(2):
            _, got = gradients(model, x, captions, given, 3)
            seen.add(b"".join(g.tobytes() for g in got.values()))
    vn.set_num_threads(0)
    assert len(seen) == 1
    alone = model.loss(x, captions, accumulate=3, **given)
    assert all((g == model.gradients()[n]).all() for n, g in got.items()) and alone.terms


def test_the_room_is_that_of_a_chunk():
    objective = vn.losses.negclip()
    x, captions, given = batch(objective)
    whole, parts = make(objective), make(objective)
    rows = B * (1 + K)
    large, small = whole.reserve(B, rows), parts.reserve(B, rows, accumulate=8)
    assert small < large / 2
    gradients(parts, x, captions, given, 8)
    gradients(parts, x, captions, given, 11)
    assert parts.reserve(B, rows, accumulate=8) == small and parts.reserve(1, 1) <= small
    lengths = np.diff(parts.pack(captions)[1])
    assert parts.reserve(B, rows, tokens=rows * int(lengths.max()), accumulate=8) == small
