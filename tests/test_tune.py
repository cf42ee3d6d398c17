"""What trains and how: optimisers, frozen parts, layer-wise decay, LoRA, averages; each goes on to the same bits."""

import json
import math
import re
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_train import OPTIONS, bits, data, fresh, negatives, one_thread, plain  # noqa: F401

import vlmneg as vn
from vlmneg import ensemble, lora, optim, parts, runs, training
from vlmneg.learner import Learner
from vlmneg.settings import TrainSettings

NAMES = list(fresh().state_dict())


def run(model, data, **changes):  # noqa: F811
    return training.train(model, data, "negclip", negatives(), **{**OPTIONS, **changes})


def noisy(model, seed):
    """Gradients of random numbers, as a backward pass would leave them: nothing between the tensors."""
    rng = np.random.default_rng(seed)
    for gradient in model.gradients().values():
        gradient[...] = rng.standard_normal(gradient.shape)


# ---- optimisers ----


@pytest.mark.parametrize("kind", ["adamw", "adam_l2"])
@pytest.mark.parametrize("decay_all", [False, True])
def test_ten_steps_of_torch(kind, decay_all):
    """Ten clipped steps with layer-wise rates are PyTorch's."""
    torch = pytest.importorskip("torch")
    model = fresh()
    theirs = {n: torch.nn.Parameter(torch.tensor(w.copy())) for n, w in model.state_dict().items()}
    speed = dict(zip(NAMES, parts.speeds(NAMES, NAMES, 0.7), strict=True))
    groups = [{"params": [p], "lr": 1e-2 * speed[n], "weight_decay": 0.3 if decay_all or p.ndim >= 2 else 0.0}
              for n, p in theirs.items()]
    peer = {"adamw": torch.optim.AdamW, "adam_l2": torch.optim.Adam}[kind](groups, betas=(0.9, 0.98), eps=1e-6)
    ours = {"adamw": optim.AdamW, "adam_l2": optim.Adam}[kind](lr=1e-2, weight_decay=0.3, clip_norm=2.0,
                                                                 decay_all=decay_all, clamp=False)
    trained = parts.Trained(model, "all", 0.7)
    for step in range(10):
        noisy(model, step)
        for name, parameter in theirs.items():
            parameter.grad = torch.tensor(model.gradients()[name].copy())
        norm = torch.nn.utils.clip_grad_norm_(theirs.values(), 2.0)
        peer.step()
        assert np.isclose(ours.update(trained), float(norm), rtol=1e-5)
    for name, weight in model.state_dict().items():
        assert np.abs(weight - theirs[name].detach().numpy()).max() < 2e-6, name
    assert model.logit_scale != pytest.approx(math.log(1 / 0.07), abs=1e-3)


@pytest.mark.parametrize("clamp", [True, False])
@pytest.mark.parametrize("value", [-1.0, 7.0])
def test_clamp(clamp, value):
    model = fresh()
    model.logit_scale[...] = value
    noisy(model, 0)
    optim.AdamW(lr=0.0, clamp=clamp).update(model)
    assert model.logit_scale == pytest.approx(np.clip(value, 0, math.log(100)) if clamp else value)


# ---- parts ----


def test_named():
    text = [n for n in NAMES if not n.startswith("visual.")]
    assert parts.named(NAMES, "all") == NAMES and parts.named(NAMES, "text") == text
    image = set(NAMES) - set(text)
    assert set(parts.named(NAMES, "image")) == image | {"logit_scale"}
    assert parts.named(NAMES, "head") == ["text_projection", "logit_scale", "visual.proj"]
    assert parts.named(NAMES, ["*.ln_1.bias", "logit_scale"])[0] == "logit_scale"
    with pytest.raises(ValueError, match="no tensor is named visual.projj; near are visual.proj"):
        parts.named(NAMES, ["visual.projj"])
    with pytest.raises(ValueError, match="train must be one of all, text, image, head"):
        parts.named(NAMES, "vision")


@given(st.lists(st.text(min_size=1, max_size=8) | st.sampled_from(NAMES) | st.text("[]!-*?a.", min_size=1, max_size=6),
                min_size=1, max_size=3))
def test_patterns_of_any_text(patterns):
    """Each pattern fits some tensor, or the error says which doesn't; the order is the model's."""
    try:
        found = parts.named(NAMES, patterns)
    except ValueError as error:
        assert any(f"no tensor is named {p}; near are " in str(error) for p in patterns)
    else:
        assert found == [n for n in NAMES if n in found] != []


@pytest.mark.parametrize("train", ["text", "image", "head", ["visual.*.mlp.*", "text_projection"]])
def test_frozen(train):
    """Frozen tensors keep their bits, and neither their gradients nor their weights count anywhere."""
    model = fresh()
    before, trains = bits(model), set(parts.named(NAMES, train))
    noisy(model, 1)
    optimizer = optim.AdamW(lr=1e-2, weight_decay=0.5, clip_norm=1.0, decay_all=True)
    norm = optimizer.update(parts.Trained(model, train))
    assert norm == pytest.approx(math.sqrt(sum((model.gradients()[n].astype(float) ** 2).sum() for n in trains)))
    after = bits(model)
    assert {n for n in NAMES if after[n] != before[n]} == trains
    moments = dict.fromkeys(NAMES, 0)
    for name, shape, at in model._core.tensors():
        moments[name] = np.abs(optimizer.state()["v"][at : at + int(np.prod(shape))]).sum()
    assert {n for n in NAMES if moments[n] > 0} == trains


def test_frozen_gradients_may_be_infinite():
    model = fresh()
    noisy(model, 1)
    model.gradients()["visual.proj"][0, 0] = np.inf
    optim.AdamW().update(parts.Trained(model, "text"))
    with pytest.raises(ValueError, match="not finite.*first: visual.proj"):
        optim.AdamW().update(model)


def test_layer_decay():
    speed = dict(zip(NAMES, parts.speeds(NAMES, NAMES, 0.5), strict=True))
    depth = fresh().config.text_layers
    assert speed["logit_scale"] == speed["text_projection"] == speed["visual.ln_post.bias"] == 1
    assert speed[f"transformer.resblocks.{depth - 1}.ln_2.bias"] == 0.5
    assert speed["transformer.resblocks.0.mlp.c_fc.weight"] == 0.5**depth
    assert speed["token_embedding.weight"] == speed["positional_embedding"] == 0.5 ** (depth + 1)
    assert speed["visual.conv1.weight"] == speed["visual.ln_pre.bias"] == 0.5 ** (fresh().config.image_layers + 1)
    with pytest.raises(ValueError, match="layer_decay must be above 0 and at most 1, got 0"):
        parts.speeds(NAMES, NAMES, 0)


@pytest.mark.parametrize("towers", [("image",), ("text",), ()])
@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("objective", ["negclip", "fsc"])
def test_a_frozen_tower_is_skipped(towers, accumulate, objective):
    """The other tower's gradients are those of a whole pass, and its own are 0."""
    x, model = pixels(fresh(), 4), fresh()
    given = {"negatives": [["a blue circle"], ["a square"], [""], ["all"]], "objective": objective, "backward": True}
    whole = model.loss(x, CAPTIONS, **given, accumulate=accumulate)
    want = {n: g.copy() for n, g in model.gradients().items()}
    assert model.loss(x, CAPTIONS, **given, towers=towers, accumulate=accumulate).loss == whole.loss
    for name, gradient in model.gradients().items():
        if parts.tower(name) in (*towers, ""):
            assert gradient.tobytes() == want[name].tobytes() and gradient.any(), name
        else:
            assert not gradient.any() and want[name].any(), name
    with pytest.raises(ValueError, match="towers must be of"):
        model.loss(x, CAPTIONS, towers=["vision"])


def test_bias_trains_with_the_head():
    model = fresh().with_bias()
    assert parts.Trained(model, "head").names[-1] == "logit_bias" and "logit_bias" in parts.Trained(model, "text").names
    assert dict(zip(model.state_dict(), parts.speeds(list(model.state_dict()), NAMES, 0.5),
                    strict=True))["logit_bias"] == 1


# ---- LoRA ----


def pixels(model, b, seed=0):
    size = model.config.image_size
    return np.random.default_rng(seed).standard_normal((b, 3, size, size)).astype(np.float32)


CAPTIONS = ["a red circle", "two blue squares", "a green circle left of a square", "nothing"]


def test_lora_gradients():
    """Of A and B against differences of the loss, through the merged weights."""
    model = fresh()
    low = lora.Lora(model, rank=3, alpha=6, on=["*.attn.*weight", "visual.proj", "*.c_fc.weight", "*conv1*"],
                    seed=4)
    for part in (p for n, p in low._part.items() if n.endswith("B")):
        part[...] = np.random.default_rng(len(part)).standard_normal(part.shape) * 0.05
    low.changed()
    x = pixels(model, 4)
    model.loss(x, CAPTIONS, backward=True)
    slope, full = low.gradients().astype(float), model.gradients()
    for name in low.layers:
        a, b = low._part[f"{name}.lora_A"], low._part[f"{name}.lora_B"]
        dw = full[name].astype(float).reshape(len(full[name]), -1)
        for ours, want in ((low._slope[f"{name}.lora_A"], 2 * b.T @ dw), (low._slope[f"{name}.lora_B"], 2 * dw @ a.T)):
            assert np.abs(ours - want).max() <= 1e-5 * np.abs(want).max(), name
    rng = np.random.default_rng(5)
    for _ in range(4):
        way = rng.standard_normal(len(slope)).astype(np.float32)
        way /= np.linalg.norm(way)
        keep, found = low.weights.copy(), []
        for sign in (1, -1):
            low.weights[...] = keep + np.float32(sign * 2e-2) * way
            low.changed()
            found.append(model.loss(x, CAPTIONS).loss)
        low.weights[...] = keep
        low.changed()
        assert (found[0] - found[1]) / 4e-2 == pytest.approx(slope @ way, rel=0.02, abs=2e-4)


def test_lora_is_merged(data, tmp_path):  # noqa: F811
    model, start = fresh(), fresh().state_dict()
    for record in run(model, data, out=tmp_path / "a", lora=2, lora_alpha=3.0):
        assert np.isfinite(record.loss)
    newest = runs.latest_checkpoint(tmp_path / "a")
    state = runs_arrays(newest / "lora.safetensors")
    layers = {name.partition(".lora_")[0] for name in state}
    assert layers == {n for n in NAMES if n.endswith(lora.LAYERS)}
    assert bits(vn.Clip.from_pretrained(newest)) == bits(model)
    for name, weight in model.state_dict().items():
        if name in layers:
            a, b = state[f"{name}.lora_A"], state[f"{name}.lora_B"]
            assert np.abs(b).max() > 0
            assert np.abs(weight - (start[name] + 1.5 * (b @ a))).max() < 1e-6
            assert np.linalg.matrix_rank(weight - start[name], tol=1e-4) <= 2
        else:
            assert weight.tobytes() == start[name].tobytes(), name
    assert bits(vn.Clip.from_pretrained(tmp_path / "a" / "start")) == bits(fresh())


def runs_arrays(path):
    from safetensors.numpy import load_file

    return load_file(path)


def test_lora_starts_where_the_model_is():
    model = fresh()
    low = lora.Lora(model, rank=4)
    low.changed()
    assert all(np.array_equal(w, v) for w, v in zip(model.state_dict().values(), fresh().state_dict().values(),
                                                    strict=True))
    a = low.state()["visual.transformer.resblocks.0.mlp.c_proj.weight.lora_A"]
    assert a.shape == (4, 64) and 0.9 / 8 < np.abs(a).max() <= 1 / 8 and abs(a.mean()) < 0.02
    assert lora.Lora(fresh(), rank=4).state().keys() == low.state().keys()
    assert not np.array_equal(lora.Lora(fresh(), rank=4, seed=1).weights, low.weights)


def test_lora_on():
    state = fresh().state_dict()
    assert lora.layers(state, ["*"], "image")[:2] == ["visual.proj", "visual.conv1.weight"]
    assert all(n.startswith("visual.") for n in lora.layers(state, None, "image"))
    low = lora.Lora(fresh(), rank=1, on=["*.in_proj_weight"], train=["*.bias", "logit_scale", "*.in_proj_weight"])
    assert low.names[1].endswith("in_proj_weight.lora_B") and "logit_scale" in low.names
    assert not any(n.endswith("in_proj_weight") for n in low.names)
    deep = lora.Lora(fresh(), rank=1, layer_decay=0.5)
    assert deep.speed[1] == parts.speeds(deep.layers[:1], NAMES, 0.5)[0] < 1
    with pytest.raises(ValueError, match="lora_on names no linear layer in the text tower: visual.proj; linear are"):
        lora.layers(state, ["visual.proj"], "text")
    with pytest.raises(ValueError, match="lora_on: no tensor is named .*; near are"):
        lora.layers(state, ["visual.transformer.resblocks.9.mlp.c_fc.weight"], "all")
    with pytest.raises(ValueError, match="rank must be an integer of at least 1"):
        lora.Lora(fresh(), rank=0)


@pytest.mark.parametrize("threads", [2, 4])
def test_threads(data, threads):  # noqa: F811
    def trained():
        model = fresh()
        for _ in run(model, data, steps=3, lora=2, train=["logit_scale"], ema=0.5):
            pass
        return bits(model)

    one = trained()
    vn.set_num_threads(threads)
    try:
        assert trained() == one
    finally:
        vn.set_num_threads(1)


# ---- averages ----


def test_average(data, tmp_path):  # noqa: F811
    model, average = fresh(), {n: w.astype(float) for n, w in fresh().state_dict().items()}
    for _ in run(model, data, out=tmp_path / "a", ema=0.75, steps=5):
        average = {n: 0.75 * a + 0.25 * model.state_dict()[n] for n, a in average.items()}
    stored = vn.Clip.from_pretrained(runs.latest_checkpoint(tmp_path / "a") / "ema")
    for name, weight in stored.state_dict().items():
        assert np.abs(weight - average[name]).max() < 1e-6, name
    assert stored.tokenizer.hash == model.tokenizer.hash
    assert not (tmp_path / "a" / "start").exists()


def test_interpolate():
    start, tuned = fresh(1), fresh(2)
    assert bits(ensemble.interpolate(start, tuned, 0)) == bits(start)
    assert bits(ensemble.interpolate(start, tuned, 1.0)) == bits(tuned)
    half = ensemble.interpolate(start, tuned, 0.25).state_dict()
    for name, weight in half.items():
        want = 0.75 * start.state_dict()[name] + 0.25 * tuned.state_dict()[name]
        assert np.abs(weight - want).max() < 1e-6
    for alpha in (-0.1, 1.1, math.nan, "1", True):
        with pytest.raises(ValueError, match=r"alpha must be in \[0, 1\]"):
            ensemble.interpolate(start, tuned, alpha)
    other = vn.Tokenizer.learn(vn.data.scenes(22, seed=9).captions(), start.config.vocab)
    with pytest.raises(ValueError, match="one tokenizer"):
        ensemble.interpolate(start, vn.Clip(start.config, tokenizer=other), 0.5)
    with pytest.raises(ValueError, match=r"these differ in embed \(16 and 8\)"):
        ensemble.interpolate(start, vn.Clip(start.config.replace(embed=8)), 0.5)


# ---- a run that goes on ----

WAYS = {
    "adam_l2": {"optimizer": "adam_l2", "decay_all": True, "clamp": False},
    "text": {"train": "text"},
    "patterns": {"train": ["visual.transformer.resblocks.1.*", "logit_scale"], "clip_norm": 0.1},
    "layers": {"layer_decay": 0.6},
    "lora": {"lora": 2, "lora_alpha": 4.0, "layer_decay": 0.8},
    "lora beside": {"lora": 2, "lora_on": ["*.attn.*"], "train": ["logit_scale", "*.bias"], "ema": 0.9},
    "lora l2": {"lora": 1, "train": "text", "optimizer": "adam_l2"},
    "ema": {"ema": 0.8},
}


@pytest.mark.parametrize("way", WAYS)
def test_goes_on_to_the_same_bits(data, tmp_path, way):  # noqa: F811
    options = {**WAYS[way], "steps": 6}
    whole = fresh()
    records = [plain(r) for r in run(whole, data, out=tmp_path / "whole", **options)]
    for record in run(fresh(), data, out=tmp_path / "cut", **options):
        if record.step == 4:
            break
    model = fresh()
    assert [plain(r) for r in run(model, data, out=tmp_path / "cut", resume=True, **options)] == records[4:]
    assert bits(model) == bits(whole) != bits(fresh())
    kept = [sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file())
            for out in (runs.latest_checkpoint(tmp_path / name) for name in ("whole", "cut"))]
    assert kept[0] == kept[1]
    for name in kept[0]:
        if not name.endswith("state.json"):
            a, b = (runs.latest_checkpoint(tmp_path / out) / name for out in ("whole", "cut"))
            assert a.read_bytes() == b.read_bytes(), name


def test_another_way_is_refused(data, tmp_path):  # noqa: F811
    for _ in run(fresh(), data, out=tmp_path / "a", steps=2, lora=2):
        pass
    with pytest.raises(ValueError, match=r"train\.lora was 2 and is now 3"):
        run(fresh(), data, out=tmp_path / "a", steps=2, lora=3, resume=True)
    with pytest.raises(ValueError, match=r"train\.train was 'all' and is now \['logit_scale'\]"):
        run(fresh(), data, out=tmp_path / "a", steps=2, lora=2, train=["logit_scale"], resume=True)
    shutil.move(tmp_path / "a" / "start", tmp_path / "b")
    with pytest.raises(ValueError, match="start is missing, and this run needs the weights it began with"):
        next(run(fresh(), data, out=tmp_path / "a", steps=2, lora=2, resume=True))
    shutil.move(tmp_path / "b", tmp_path / "a" / "start")
    (runs.latest_checkpoint(tmp_path / "a") / "lora.safetensors").unlink()
    model = fresh(3)
    with pytest.raises(ValueError, match=r"lora.safetensors is damaged"):
        next(run(model, data, out=tmp_path / "a", steps=2, lora=2, resume=True))


REAL = {
    "margins": ("itc + 0.2 rank", {"lora": 2}),
    "margins of an epoch": ("rank reset", {"accumulate": 3}),
    "batch mean": ("pos", {"train": "image"}),
    "start": ("distil", {"teacher": "start", "train": "text"}),
    "average": ("distil", {"teacher": "ema", "ema": 0.7, "accumulate": 2}),
}


def real(name):
    get = vn.losses.get
    more = {"itc + 0.2 rank": lambda: get("itc") + 0.2 * get("rank"), "pos": lambda: get("pos"),
            "rank reset": lambda: get("rank", reset="epoch"), "distil": lambda: get("distil")}[name]
    return get("infonce") + more()


@pytest.mark.parametrize("way", REAL)
def test_objectives_with_a_memory_go_on(data, tmp_path, way):  # noqa: F811
    """Adaptive margins and teachers, with the objectives of the package."""
    name, options = REAL[way]

    def go(model, objective, out, **more):
        more = {**OPTIONS, **options, "steps": 5, **more}
        return training.train(model, data, objective, negatives(), out=out, **more)

    whole, objective = fresh(), real(name)
    records = [plain(r) for r in go(whole, objective, tmp_path / "whole")]
    for record in go(fresh(), real(name), tmp_path / "cut"):
        if record.step == 3:
            break
    model, other = fresh(), real(name)
    assert [plain(r) for r in go(model, other, tmp_path / "cut", resume=True)] == records[3:]
    assert bits(model) == bits(whole) and other.state_dict() == objective.state_dict()
    if "rank" in name:
        assert set(records[-1]["margins"]) == set(objective.margins()) and any(records[-1]["margins"].values())
        assert objective.margins() == records[-1]["margins"]


class Watched:
    """An objective of one's own with a state, which needs a teacher."""

    needs = frozenset({"teacher_image"})

    def __init__(self):
        self.calls, self.total = [], 0.0

    def reset(self, what):
        self.calls.append(what)
        self.total = 0.0

    def margins(self):
        return {"swap": self.total}

    def state_dict(self):
        return {"total": self.total}

    def load_state_dict(self, state):
        self.total = state["total"]

    def __repr__(self):
        return "Watched()"


def watching(model, seen):
    """The model with a loss that hands its teacher's scale and moves the objective's state."""
    measure = model.loss

    def loss(x, captions, *, objective, teacher, **options):
        result = measure(x, captions, **options)
        seen.append(float(teacher.logit_scale))

        class Result:
            def __getattr__(self, name):
                return getattr(result, name)

            def advance(self):
                objective.total += result.loss

        return Result()

    model.loss = loss
    return model


@pytest.mark.parametrize("teacher, ema", [("start", 0.0), ("ema", 0.5)])
def test_teacher_and_state(data, tmp_path, teacher, ema):  # noqa: F811
    """State moves once a step, is reset when an epoch starts, is saved; the teacher goes on as it was."""
    def go(out, objective, seen, **more):
        return training.train(watching(fresh(), seen), data, objective, out=out,
                              **{**OPTIONS, "steps": 5, "teacher": teacher, "ema": ema, "lr": 0.1, **more})

    objective, seen = Watched(), []
    whole = [plain(r) for r in go(tmp_path / "whole", objective, seen)]
    assert objective.calls == ["epoch"] * 3                       # two steps an epoch
    assert whole[1]["margins"]["swap"] == pytest.approx(whole[0]["loss"] + whole[1]["loss"])
    assert whole[2]["margins"]["swap"] == pytest.approx(whole[2]["loss"])
    start = float(fresh().logit_scale)
    assert (set(seen) == {start}) == (teacher == "start") and seen[0] == start
    for record in go(tmp_path / "cut", Watched(), []):
        if record.step == 3:
            break
    rest = []
    assert [plain(r) for r in go(tmp_path / "cut", Watched(), rest, resume=True)] == whole[3:]
    assert rest == seen[3:]
    assert (tmp_path / "cut" / "start").exists() == (teacher == "start")


def test_no_teacher_is_refused(data):  # noqa: F811
    with pytest.raises(ValueError, match='teacher must be "start".*or "ema"'):
        training.train(fresh(), data, Watched())
    plan = TrainSettings(teacher="start")
    assert Learner(fresh(), None, plan).options() == {}            # nobody reads it
    assert Learner(fresh(), object(), plan).options()["teacher"]   # perhaps it does
    assert Learner(fresh(), None, TrainSettings(accumulate=4)).options() == {"accumulate": 4}


def test_settings_of_a_file():
    wanted = vn.settings.run_settings({"train": {"train": ["visual.*"], "lora": 4, "lora_on": ["*.c_fc.weight"]}})
    assert wanted.train.train == ("visual.*",) and wanted.train.lora_on == ("*.c_fc.weight",)


# ---- WiSE-FT ----


def test_wise(data, tmp_path, capsys):  # noqa: F811
    """From the command line: a run's start and end, drawn scenes, the best mixture saved."""
    from vlmneg import cli, wise

    for _ in run(fresh(), data, out=tmp_path / "a", steps=6, lora=2, ema=0.5):
        pass
    paths = [str(tmp_path / "a" / "start"), str(tmp_path / "a")]
    known = [name for name in ("edits", "retrieval") if name in wise.names()]
    small, wise.SCENES = wise.SCENES, 24
    try:
        asked = ["wise", *paths, *known, "--alphas", "0,0.5,1", "--out", str(tmp_path / "w")]
        assert cli.main([*asked, "--save", "best", str(tmp_path / "best")]) == 0
        save = ["--save", "0.5", str(tmp_path / "half")]
        assert cli.main(["wise", *paths, *known, "--alphas=0.5", *save, "--json"]) == 0
    finally:
        wise.SCENES = small
    out = capsys.readouterr().out
    table = (tmp_path / "w" / "wise.txt").read_text()
    assert out.startswith(table) and table.count("best") == 1 and len(table.splitlines()) == 4
    found = json.loads((tmp_path / "w" / "wise.json").read_text())
    assert found["best"] == found["alphas"][int(np.argmax(found["means"]))]
    assert json.loads(out[len(table):])["scores"]["retrieval i2t_r1"][0] == found["scores"]["retrieval i2t_r1"][1]
    assert (tmp_path / "w" / "wise.png").read_bytes()[:4] == b"\x89PNG"
    start, tuned = vn.Clip.from_pretrained(paths[0]), vn.Clip.from_pretrained(runs.latest_checkpoint(paths[1]))
    mixed = vn.Clip.from_pretrained(tmp_path / "half")
    assert bits(mixed) == bits(vn.ensemble.interpolate(start, tuned, 0.5))
    assert bits(vn.Clip.from_pretrained(tmp_path / "best")) == bits(
        vn.ensemble.interpolate(start, tuned, found["best"]))
    held_out = vn.data.scenes(24, first=wise.FIRST_SCENE)
    assert vn.evaluate(tuned, "retrieval", data=held_out)["i2t_r1"] == found["scores"]["retrieval i2t_r1"][2]


def test_sweep_by_hand():
    from vlmneg.wise import Sweep

    found = Sweep((0.0, 0.5, 1.0), {"edits a": (0.0, 0.0, 1.0), "edits macro": (0.2, 0.6, 0.8),
                                    "retrieval i2t_r1": (0.6, 0.6, 0.2), "retrieval t2i_r1": (0.4, 0.6, 0.0)})
    assert found.means == pytest.approx((0.35, 0.6, 0.45)) and found.best == 0.5
    assert list(found.leading()) == ["edits macro", "retrieval i2t_r1", "retrieval t2i_r1"]
    assert found.table().splitlines()[2].split() == ["0.5", "0.0", "60.0", "60.0", "60.0", "60.0", "best"]


@pytest.mark.parametrize("words, sentence", [
    (["--alphas", "0,2"], r"--alphas takes numbers in \[0, 1\], got '2'"),
    (["--alphas", "0,x"], r"--alphas takes numbers in \[0, 1\], got 'x'"),
    (["--save", "most", "there"], r"--save takes numbers in \[0, 1\] or best, got 'most'"),
    ([], "these differ in embed"),
])
def test_wise_says_no(tmp_path, capsys, words, sentence):
    from vlmneg import cli

    fresh().save_pretrained(tmp_path / "a")
    vn.Clip(fresh().config.replace(embed=8), tokenizer=fresh().tokenizer).save_pretrained(tmp_path / "b")
    assert cli.main(["wise", str(tmp_path / "a"), str(tmp_path / "b"), "retrieval", *words]) in (1, 2)
    assert re.search(sentence, capsys.readouterr().err)


def test_the_average_of_a_run_is_loaded(data, tmp_path):  # noqa: F811
    from vlmneg.experiment import load_model

    for _ in run(fresh(), data, out=tmp_path / "a", steps=2, ema=0.5):
        pass
    newest = runs.latest_checkpoint(tmp_path / "a")
    assert bits(load_model(str(tmp_path / "a" / "ema"))) == bits(load_model(str(newest / "ema")))
    assert bits(load_model(str(tmp_path / "a"))) == bits(load_model(str(newest)))
