"""Training: same bits from the same seed however a run is cut, and a sentence for whatever can't work."""

import dataclasses
import functools
import inspect
import json
import logging
import math
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import vlmneg as vn
from vlmneg import optim, runs, schedule, training
from vlmneg.settings import TrainSettings

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Steps of a millisecond are quickest on one thread."""
    vn.set_num_threads(1)
    yield
    vn.set_num_threads(0)


@pytest.fixture(scope="module")
def data():
    return vn.data.scenes(22, seed=3)


@functools.cache
def tokenizer():
    return vn.Tokenizer.learn(vn.data.scenes(22, seed=3).captions(), 560)


def fresh(seed=1):
    """A model that takes milliseconds a step."""
    config = vn.ClipConfig.tiny(
        image_size=32, image_width=32, image_mlp=64, text_width=32, text_mlp=64, embed=16, context=32,
        vocab=tokenizer().vocab_size,
    )  # fmt: skip
    return vn.Clip(config, seed=seed, tokenizer=tokenizer())


def negatives():
    return vn.negatives.text.swap(k=2) + vn.negatives.text.replace(k=1)


OPTIONS = {"batch": 8, "epochs": 4, "lr": 1e-3, "seed": 5, "save_every": 3}     # 2 steps an epoch, 8 in all


def run(model, data, **changes):
    return training.train(model, data, "negclip", negatives(), **{**OPTIONS, **changes})


def bits(model):
    return {name: weight.tobytes() for name, weight in model.state_dict().items()}


def plain(record):
    """What must not depend on the clock."""
    return {k: v for k, v in record.to_dict().items() if k != "examples_per_second"}


def stored(out):
    lines = (Path(out) / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "examples_per_second"} for line in lines]


def loader_threads():
    return [t for t in threading.enumerate() if t.name.startswith("vlmneg-")]


@pytest.fixture(scope="module")
def whole(data):
    """Weights and records of a run that nothing disturbs."""
    model = fresh()
    records = [plain(r) for r in run(model, data)]
    return bits(model), records


def test_records(data, whole):
    records = whole[1]
    assert [r["step"] for r in records] == list(range(1, 9))
    assert [r["epoch"] for r in records] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert all(0 <= r["accuracy"] <= 1 and 0 < r["valid"] <= 1 and r["tokens"] > 0 for r in records)
    assert records[0]["lr"] == 1e-3 and records[-1]["lr"] < records[-2]["lr"]
    (first,) = training.train(fresh(), data, batch=8, steps=1)
    assert first.accuracy is None and first.valid is None and first.examples_per_second > 0
    assert not loader_threads()


def test_learns(data):
    losses = [r.loss for r in training.train(fresh(), data, batch=22, steps=80, lr=3e-3, augment=False)]
    assert losses[-1] < 0.5 * losses[0]


def test_seed_matters(data, whole):
    model = fresh()
    for _ in run(model, data, seed=6):
        pass
    assert bits(model) != whole[0]


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_threads_give_the_same_bits(data, whole, threads):
    vn.set_num_threads(threads)
    try:
        model = fresh()
        assert [plain(r) for r in run(model, data, workers=threads)] == whole[1]
        assert bits(model) == whole[0]
    finally:
        vn.set_num_threads(1)


@pytest.mark.parametrize("stop", [1, 2, 3, 8])
def test_leaving_and_going_on_gives_the_same_bits(data, whole, tmp_path, stop):
    for record in run(fresh(), data, out=tmp_path / "a"):
        if record.step == stop:
            break
    assert not loader_threads()
    newest = runs.latest_checkpoint(tmp_path / "a")
    assert runs.step_of(newest) == stop
    model = fresh(seed=99)                            # its weights come from the checkpoint
    rest = [plain(r) for r in run(model, data, out=tmp_path / "a", resume=True)]
    assert rest == whole[1][stop:]
    assert bits(model) == whole[0]
    assert stored(tmp_path / "a") == whole[1]
    assert bits(vn.Clip.from_pretrained(runs.latest_checkpoint(tmp_path / "a"))) == whole[0]


@pytest.mark.parametrize("place", ["loss", "update", "save", "loop"])
def test_interrupt(data, whole, tmp_path, monkeypatch, place):
    """Ctrl-C at any place leaves a checkpoint of the last completed step and no thread."""
    model = fresh()
    calls = {"loss": 0, "update": 0, "save": 0}

    def interrupting(name, function, at):
        def call(*args, **kwargs):
            calls[name] += 1
            if calls[name] == at:
                os.kill(os.getpid(), signal.SIGINT)
            return function(*args, **kwargs)
        return call

    if place == "loss":
        monkeypatch.setattr(model, "loss", interrupting("loss", model.loss, 5))
    elif place == "update":
        monkeypatch.setattr(optim.AdamW, "update", interrupting("update", optim.AdamW.update, 5))
    elif place == "save":
        monkeypatch.setattr(runs.Run, "save", interrupting("save", runs.Run.save, 1))
    with pytest.raises(KeyboardInterrupt):
        for record in run(model, data, out=tmp_path / "a"):
            if place == "loop" and record.step == 4:
                os.kill(os.getpid(), signal.SIGINT)
    monkeypatch.undo()
    assert not loader_threads()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    done = runs.step_of(runs.latest_checkpoint(tmp_path / "a"))
    assert done == {"loss": 4, "update": 5, "save": 3, "loop": 4}[place]
    assert len(stored(tmp_path / "a")) == done
    model = fresh()
    assert [plain(r) for r in run(model, data, out=tmp_path / "a", resume=True)] == whole[1][done:]
    assert bits(model) == whole[0]


SCRIPT = """
import os, signal, sys, time
sys.path[:0] = [{root!r}, {tests!r}]
import vlmneg as vn, test_train as t
from vlmneg.checkpoints import files
vn.set_num_threads(1)
rename, step = os.rename, 0
def dying(source, target):
    if {place!r} == "writing" and str(target).endswith("step-000006"):
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target)
files.os.rename = dying
data = vn.data.scenes(22, seed=3)
for record in t.run(t.fresh(), data, out={out!r}):
    if record.step == {place!r}:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("place, step", [(2, 0), (5, 3), ("writing", 3)])
def test_killed(data, whole, tmp_path, place, step):
    """After kill -9 the newest whole checkpoint counts, and the lines of metrics.jsonl up to it."""
    out = tmp_path / "a"
    script = SCRIPT.format(root=str(ROOT), tests=str(ROOT / "tests"), out=str(out), place=place)
    done = subprocess.run([sys.executable, "-c", script], timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert [runs.step_of(p) for p in runs.checkpoints(out)] == ([step] if step else [])
    with open(out / "metrics.jsonl", "a") as file:
        file.write('{"step": 7, "lo')                      # as a kill may leave it
    model = fresh()
    rest = [plain(r) for r in run(model, data, out=out, resume=True)]
    assert rest == whole[1][step:]
    assert bits(model) == whole[0] and stored(out) == whole[1]


def test_half_written_checkpoint_is_ignored(data, whole, tmp_path):
    for record in run(fresh(), data, out=tmp_path / "a"):
        if record.step == 4:
            break
    half = tmp_path / "a" / "checkpoints" / ".step-000006"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    model = fresh()
    assert [plain(r) for r in run(model, data, out=tmp_path / "a", resume=True)] == whole[1][4:]
    assert not half.exists()


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors"])
def test_damaged_checkpoint_is_refused_and_the_model_unchanged(data, tmp_path, name):
    for _ in run(fresh(), data, out=tmp_path / "a", steps=2):
        pass
    file = runs.latest_checkpoint(tmp_path / "a") / name
    file.write_bytes(file.read_bytes()[:100])
    model = fresh()
    with pytest.raises(ValueError, match=name):
        next(run(model, data, out=tmp_path / "a", steps=2, resume=True))
    assert bits(model) == bits(fresh())


def test_failed_save_leaves_the_older_checkpoint(data, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError("no space left on device")

    model = fresh()
    with pytest.raises(OSError, match="no space"):
        for record in run(model, data, out=tmp_path / "a", save_every=2):
            if record.step == 3:
                monkeypatch.setattr(model, "save_pretrained", full)
    assert runs.step_of(runs.latest_checkpoint(tmp_path / "a")) == 2


def test_folder(data, tmp_path):
    out = tmp_path / "a"
    for _ in run(fresh(), data, out=out, save_every=2, keep=3):
        pass
    assert [runs.step_of(p) for p in runs.checkpoints(out)] == [4, 6, 8]
    assert sorted(p.name for p in out.iterdir()) == ["checkpoints", "config.json", "metrics.jsonl"]
    config = json.loads((out / "config.json").read_text())
    assert config["train"]["steps"] == 8 and config["data"]["length"] == 22
    state = json.loads((runs.latest_checkpoint(out) / "state.json").read_text())
    assert state["step"] == 8 and state["config"] == config and state["versions"]["vlmneg"] == vn.__version__
    model = fresh()
    assert list(run(model, data, out=out, save_every=2, keep=3, resume=True)) == []
    assert bits(model) == bits(vn.Clip.from_pretrained(runs.latest_checkpoint(out)))


def test_folder_is_guarded(data, tmp_path):
    for _ in run(fresh(), data, out=tmp_path / "a", steps=2):
        pass
    with pytest.raises(FileExistsError, match=r"holds a run \(at step 2\).*resume=True"):
        run(fresh(), data, out=tmp_path / "a", steps=2)
    with pytest.raises(ValueError, match=r"train\.batch was 8 and is now 4.*train\.lr was 0\.001 and is now 0\.1"):
        run(fresh(), data, out=tmp_path / "a", steps=2, batch=4, lr=0.1, resume=True)
    with pytest.raises(ValueError, match=r"data\.length was 22 and is now 9"):
        run(fresh(), vn.data.scenes(9), out=tmp_path / "a", steps=2, resume=True)
    with pytest.raises(ValueError, match=r"negatives was .*swap.* and is now None"):
        training.train(fresh(), data, "negclip", out=tmp_path / "a", resume=True, **{**OPTIONS, "steps": 2})
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError, match="is a file"):
        run(fresh(), data, out=tmp_path / "file")


def test_constant_rate_can_go_on_longer(data, tmp_path):
    for _ in run(fresh(), data, out=tmp_path / "a", steps=2, warmup=0, schedule="constant"):
        pass
    more = list(run(fresh(), data, out=tmp_path / "a", steps=4, warmup=0, schedule="constant", resume=True))
    assert [(r.step, r.lr) for r in more] == [(3, 1e-3), (4, 1e-3)]


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_not_finite(data, tmp_path, monkeypatch, what):
    model = fresh()
    measure, done = model.loss, []

    def loss(*args, **kwargs):
        out = measure(*args, **kwargs)
        if len(done) == 4 and what == "gradient":
            next(iter(model.gradients().values())).flat[0] = math.inf
        return dataclasses.replace(out, loss=math.nan) if len(done) == 4 and what == "loss" else out

    monkeypatch.setattr(model, "loss", loss)
    with pytest.raises(FloatingPointError, match="step 5: the (loss is|gradients are) not finite"):
        for record in run(model, data, out=tmp_path / "a"):
            done.append(record)
    assert runs.step_of(runs.latest_checkpoint(tmp_path / "a")) == 3
    assert len(stored(tmp_path / "a")) == 4


def test_overflow(data, tmp_path):
    with pytest.raises(FloatingPointError, match="not finite.*a lower lr"):
        list(run(fresh(), data, out=tmp_path / "a", lr=1e30))
    assert runs.latest_checkpoint(tmp_path / "a") is None


def test_background_errors_arrive(data):
    def broken(captions, **kwargs):
        raise RuntimeError("generator broke")

    broken.k = 1
    with pytest.raises(RuntimeError, match="generator broke"):
        list(training.train(fresh(), data, None, broken, batch=8))
    assert not loader_threads()


class Broken:
    """A data set some of whose images can't be read."""

    def __init__(self, data, broken):
        self.data, self.broken = data, broken

    def __len__(self):
        return len(self.data)

    def __getitem__(self, i):
        sample = self.data[i]
        return dataclasses.replace(sample, image="no/such/image.jpg") if i in self.broken else sample


def test_unreadable_images(data, caplog):
    broken = {0, 7, 13}
    with caplog.at_level(logging.WARNING, "vlmneg"):
        first = list(run(fresh(), Broken(data, broken)))
    assert first[-1].skipped == 3
    assert len(caplog.records) == 3 and all("left out" in r.message for r in caplog.records)
    again = list(run(fresh(), Broken(data, broken)))
    assert [plain(r) for r in again] == [plain(r) for r in first]
    with pytest.raises(ValueError, match="none of the 22 images can be read"):
        list(run(fresh(), Broken(data, set(range(22)))))


def test_unreadable_images_go_on_the_same(data, tmp_path):
    broken = Broken(data, {0, 7, 13})
    model = fresh()
    expected = [{**plain(r), "skipped": 0} for r in run(model, broken)]
    for record in run(fresh(), broken, out=tmp_path / "a"):
        if record.step == 3:
            break
    other = fresh()
    rest = [{**plain(r), "skipped": 0} for r in run(other, broken, out=tmp_path / "a", resume=True)]
    assert rest == expected[3:] and bits(other) == bits(model)


BAD = {
    "batch": (0, 2.5, "8", True, None), "epochs": (0,), "steps": (0, -1), "lr": (-1.0, math.nan, math.inf, "x"),
    "weight_decay": (-0.1,), "betas": ((0.9,), (0.9, 1.0), (-0.1, 0.5), 0.9), "eps": (0.0,), "clip_norm": (0.0,),
    "warmup": (-1,), "schedule": ("linear", 3), "augment": (1, "yes"), "seed": (-1, 2**64, 0.5), "save_every": (0,),
    "keep": (0,), "workers": (0, 100), "optimizer": ("sgd",), "decay_all": (1,), "clamp": ("no",),
    "train": ("txt", 3, [], [3]), "layer_decay": (0, 1.5), "lora": (-1, 2.5), "lora_alpha": (0.0,),
    "lora_on": ("visual.proj", []), "ema": (1, -0.1), "teacher": ("me", "ema"), "accumulate": (0,),
}


@pytest.mark.parametrize("name, value", [(n, v) for n, values in BAD.items() for v in values])
def test_settings_are_checked(data, name, value):
    with pytest.raises(ValueError, match=rf"{name}.* must be .*got"):
        training.train(fresh(), data, **{name: value})


def test_every_setting_is_an_argument():
    arguments = inspect.signature(training.train).parameters
    for field in dataclasses.fields(TrainSettings):
        assert arguments[field.name].default == field.default
    assert set(BAD) == {f.name for f in dataclasses.fields(TrainSettings)}


def test_parts_are_checked(data):
    with pytest.raises(TypeError, match="a data set has a length"):
        training.train(fresh(), iter([1]))
    with pytest.raises(ValueError, match="data is empty"):
        training.train(fresh(), [])
    with pytest.raises(TypeError, match="negatives must be a callable with k"):
        training.train(fresh(), data, None, ["swap"])
    with pytest.raises(ValueError, match="no objective|unknown|objective"):
        training.train(fresh(), data, "negclp")
    with pytest.raises(TypeError, match="model must be a vlmneg.Clip"):
        training.train(None, data)
    model = fresh()
    next(iter(model.state_dict().values())).flat[0] = np.nan
    with pytest.raises(ValueError, match="isn't finite"):
        training.train(model, data)


def test_learning_rate():
    plan = schedule.planned(TrainSettings(lr=2.0, epochs=10, batch=4), 42)
    assert (plan.steps, plan.warmup, plan.save_every) == (100, 5, 50)
    rates = [schedule.learning_rate(plan, step) for step in range(100)]
    assert rates[:5] == pytest.approx([0.4, 0.8, 1.2, 1.6, 2.0]) and rates[5] == 2.0
    assert rates[5:] == sorted(rates[5:], reverse=True) and 0 < rates[-1] < 0.001
    assert schedule.planned(TrainSettings(epochs=10**4), 42).warmup == 50
