"""Clip.loss with all that an objective may read: pixels and captions of every kind in, exact gradients out."""

import types

import numpy as np
import peers
import pytest

import vlmneg as vn

C = peers.ODD
B, K, M, P = 5, 2, 2, 2


def pixels(*shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((*shape, 3, C.image_size, C.image_size)).astype(np.float32)


def ids(*shape, seed=0):
    rng = np.random.default_rng(seed)
    out = np.zeros((*shape, C.context), np.int32)
    for row in out.reshape(-1, C.context):
        n = rng.integers(3, C.context + 1)
        row[:n] = np.r_[C.start, rng.integers(1, C.vocab - 2, n - 2), C.end]
    return out


def make(seed=0):
    model = vn.Clip(C)
    model.load_state_dict(peers.random_state(C, seed))
    return model


class Words:
    """A tokenizer of as many words as the model's vocabulary has."""

    vocab_size, start, end = C.vocab, C.start, C.end

    def pack(self, texts, context):
        rows = [[self.start, *(int(w) for w in t.split()), self.end] for t in texts]
        return np.concatenate(rows).astype(np.int32), np.cumsum([0, *map(len, rows)]).astype(np.int32)


class Sums:
    """An objective of one's own: weighted sums of all rows that it is given, so its gradients are the weights."""

    def __init__(self, needs=None):
        if needs is not None:
            self.needs = frozenset(needs)
        self.moved = []

    def on(self, **given):
        self.given = given
        rows = [n for n in ("image", "text", "neg_text", "neg_image", "pos_text", "pos_image") if n in given]
        weight = {n: np.random.default_rng(len(n)).standard_normal(given[n].shape).astype(np.float32) for n in rows}
        for name, of in (("valid", "neg_text"), ("neg_image_valid", "neg_image"), ("pos_text_valid", "pos_text"),
                         ("pos_image_valid", "pos_image")):
            if of in given:
                weight[of] *= given[name][:, :, None]
        loss = sum(float((given[n].astype(float) * weight[n]).sum()) for n in rows)
        return types.SimpleNamespace(loss=loss, terms={"sums": loss}, accuracy=None, dlog_scale=0.5,
                                     **{"d" + n: w for n, w in weight.items()})

    def advance(self, result):
        self.moved.append(result.loss)

    def margins(self):
        return {"noun": 2.0}


def everything(seed=0):
    rng = np.random.default_rng(seed)
    valid, shown = np.uint8(rng.random((B, K)) < 0.7), np.uint8(rng.random((B, M)) < 0.6)
    more, same = pixels(B, M, seed=seed + 1), pixels(B, P, seed=seed + 2)
    more[shown == 0] = same[shown == 1] = np.nan
    return pixels(B, seed=seed), ids(B, seed=seed), {
        "negatives": ids(B, K, seed=seed + 1), "valid": valid, "neg_images": more, "neg_image_valid": shown,
        "positives": ids(B, P, seed=seed + 2), "pos_images": same, "pos_image_valid": 1 - shown,
    }


def test_rows_are_where_they_belong():
    """Each set holds the unit embeddings of its pictures or captions; what is not valid is 0 and never looked at."""
    model, objective = make(), Sums()
    x, captions, more = everything()
    assert 0 < more["neg_image_valid"].sum() < B * M and 0 < more["valid"].sum() < B * K
    model.loss(x, captions, objective=objective, **more)
    given = objective.given
    assert np.abs(given["image"] - model.encode_image(x, True)).max() < 1e-6
    assert np.abs(given["text"] - model.encode_text(captions, True)).max() < 1e-6
    for name, valid in (("neg_text", more["valid"]), ("pos_text", np.ones((B, P), np.uint8))):
        source = more["negatives" if name == "neg_text" else "positives"]
        want = model.encode_text(source.reshape(-1, C.context), True).reshape(*source.shape[:2], -1)
        assert np.abs(given[name] - want * valid[:, :, None]).max() < 1e-6
    shown = more["neg_image_valid"]
    for name, live in (("neg_image", shown), ("pos_image", 1 - shown)):
        want = np.zeros((B, M, C.embed))
        want[live != 0] = model.encode_image(more[f"{name}s"][live != 0], True)
        assert np.abs(given[name] - want).max() < 1e-6 and (given[f"{name}_valid"] == live).all()
    assert (given["valid"] == more["valid"]).all()


@pytest.mark.parametrize("accumulate", [1, 3])
def test_gradients_by_differences(accumulate):
    """A directional derivative over each weight of both towers, through all six sets of rows."""
    model, objective = make(), Sums()
    x, captions, more = everything()
    model.loss(x, captions, objective=objective, accumulate=accumulate, backward=True, **more)
    gradients = {n: g.copy() for n, g in model.gradients().items()}
    assert float(gradients["logit_scale"]) == 0.5
    rng = np.random.default_rng(3)
    for name in ("visual.conv1.weight", "visual.proj", "token_embedding.weight", "text_projection",
                 "visual.transformer.resblocks.0.mlp.c_fc.weight", "transformer.resblocks.1.attn.in_proj_weight"):
        weight = model.state_dict()[name]
        keep, direction = weight.copy(), rng.standard_normal(weight.shape).astype(np.float32)
        direction /= np.linalg.norm(direction)
        sides = []
        for h in (0.02, -0.02):
            weight[...] = keep + np.float32(h) * direction
            sides.append(model.loss(x, captions, objective=objective, **more).loss)
        weight[...] = keep
        want = (gradients[name].astype(float) * direction).sum()
        size = np.linalg.norm(gradients[name])
        assert abs((sides[0] - sides[1]) / 0.04 - want) < 0.02 * abs(want) + 0.002 * size, name


def test_only_what_is_read_is_given_and_encoded():
    model = make()
    x, captions, more = everything()
    objective = Sums(needs=())
    plain = model.loss(x, captions, objective=objective)
    assert set(objective.given) >= {"image", "text", "text_key", "scale", "group", "backward"}
    full = model.loss(x, captions, objective=objective, **more)
    assert not {"neg_image", "pos_text", "pos_image", "teacher_image", "bias", "types"} & set(objective.given)
    assert "neg_text" in objective.given  # of which the accuracy speaks
    assert full.tokens > plain.tokens
    read = Sums(needs={"neg_image", "pos_text"})
    assert model.loss(x, captions, objective=read, **more).tokens > full.tokens
    assert read.given["pos_text"].shape == (B, P, C.embed)
    nan = np.full_like(more["neg_images"], np.nan)
    model.loss(x, captions, objective=objective, neg_images=nan)
    with pytest.raises(ValueError, match="NaN"):
        model.loss(x, captions, objective=read, neg_images=nan, positives=more["positives"])


@pytest.mark.parametrize("name, words", [
    ("neg_image", "neg_images="), ("pos_text", "positives="), ("pos_image", "pos_images="),
    ("teacher_text", "teacher="), ("bias", "with_bias"),
])  # fmt: skip
def test_what_is_missing_is_named(name, words):
    x, captions, _ = everything()
    with pytest.raises(ValueError, match=f"reads {name}.*{words}"):
        make().loss(x, captions, objective=Sums(needs={name}))


def test_ragged_positives_and_true_negatives():
    """Rows may differ in length; a negative that is one of the picture's true captions doesn't count."""
    model = make()
    model.tokenizer = Words()
    captions = ["1 2", "3 4", "5 6"]
    objective = Sums()
    model.loss(pixels(3), captions, objective=objective, positives=[["7 8", "9"], [], ["1", ""]],
               negatives=[["9", "2 1"], ["7 8", "4"], ["6"]])
    given = objective.given
    assert given["pos_text_valid"].tolist() == [[1, 1], [0, 0], [1, 0]]
    assert given["valid"].tolist() == [[0, 1], [1, 1], [1, 0]]
    assert (given["pos_text"][1] == 0).all() and np.allclose(np.linalg.norm(given["pos_text"][0], axis=1), 1, atol=1e-5)
    keys = {}
    for text, key in zip(captions, given["text_key"], strict=True):
        keys[text] = int(key)
    assert given["neg_key"][0, 0] not in keys.values() and given["neg_key"][2, 1] == -1
    with pytest.raises(TypeError, match="positives must be a list of lists"):
        model.loss(pixels(3), captions, objective=objective, positives=["a", "b", "c"])
    with pytest.raises(ValueError, match="positives must have one row per picture"):
        model.loss(pixels(3), captions, objective=objective, positives=[["a"]])


def test_a_teacher_is_only_asked():
    model, teacher = make(0), make(1)
    x, captions, _ = everything()
    objective = Sums(needs={"teacher_image", "teacher_text"})
    before = {n: w.copy() for n, w in teacher.state_dict().items()}
    model.loss(x, captions, objective=objective, teacher=teacher, backward=True)
    assert (objective.given["teacher_image"] == teacher.encode_image(x, True)).all()
    assert (objective.given["teacher_text"] == teacher.encode_text(captions, True)).all()
    assert all((before[n] == w).all() for n, w in teacher.state_dict().items())
    assert all((g == 0).all() for g in teacher.gradients().values())
    only = Sums(needs={"teacher_text"})
    model.loss(x, captions, objective=only, teacher=teacher)
    assert "teacher_image" not in only.given
    wide = vn.Clip(C.replace(embed=12))
    model.loss(x, captions, objective=objective, teacher=wide)
    assert objective.given["teacher_text"].shape == (B, 12)
    with pytest.raises(ValueError, match="same pixels"):
        model.loss(x, captions, objective=objective, teacher=vn.Clip(C.replace(image_size=20)))
    with pytest.raises(ValueError, match="same pixels"):
        model.loss(x, captions, objective=objective, teacher=vn.Clip(C.replace(mean=(0, 0, 0))))
    with pytest.raises(TypeError, match="teacher must be a Clip"):
        model.loss(x, captions, objective=objective, teacher="start")


def test_state_moves_on_advance_alone():
    model, objective = make(), Sums()
    x, captions, _ = everything()
    result = model.loss(x, captions, objective=objective, types=["noun"], backward=True)
    assert objective.moved == [] and result.margins == {"noun": 2.0} and objective.given["types"] == ["noun"]
    result.advance()
    assert objective.moved == [result.loss]
    model.loss(x, captions).advance()  # has nothing to move


def test_wrong_pictures_and_chunks():
    model = make()
    x, captions, more = everything()
    for wrong, words in (
        ({"neg_images": more["neg_images"].astype(float)}, "float32 array.*got float64"),
        ({"neg_images": more["neg_images"][:2]}, "with B = 5"),
        ({"neg_images": x}, "must have shape"),
        ({"neg_images": [1]}, "float32 array.*got list"),
        ({"neg_images": x[:, None], "neg_image_valid": np.ones((B, 2), np.uint8)}, r"neg_image_valid.*\(5, 1\)"),
        ({"neg_images": x[:, None], "neg_image_valid": np.full((B, 1), 0.5)}, "uint8 or bool"),
        ({"neg_image_valid": np.ones((B, 1), np.uint8)}, "describes neg_images"),
        ({"pos_image_valid": np.ones((B, 1), np.uint8)}, "describes pos_images"),
        ({"pos_images": x}, "pos_images must have shape"),
        ({"accumulate": 0}, "accumulate must be"),
        ({"accumulate": 1.5}, "accumulate must be"),
    ):
        with pytest.raises((ValueError, TypeError), match=words):
            model.loss(x, captions, objective=Sums(), **wrong)
    with pytest.raises(ValueError, match="accumulate must be"):
        model.reserve(4, 4, accumulate=0)
