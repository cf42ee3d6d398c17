"""The command line: what it prints, leaves behind and exits with."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import vlmneg as vn
from vlmneg import cli, runs

ROOT = Path(__file__).parents[1]
SMALL = ["data.kind=scenes", "data.n=20", "data.size=32", "model.image_size=32", "model.image_width=32",
         "model.image_mlp=64", "model.text_width=32", "model.text_mlp=64", "model.embed=16", "model.vocab=560",
         "train.batch=8", "train.epochs=2", "train.lr=1e-3", "--threads=1"]


def call(capsys, *arguments):
    """Exit code, output and error output of a command."""
    try:
        code = cli.main([str(a) for a in arguments])
    except SystemExit as left:
        code = left.code
    out, err = capsys.readouterr()
    return code, out, err


def refused(capsys, *arguments, code=2):
    """The single line of a command that must fail."""
    got, out, err = call(capsys, *arguments)
    assert got == code and out == "" and err.count("\n") == 1
    return err


def process(*arguments, **options):
    return subprocess.Popen([sys.executable, "-m", "vlmneg", *map(str, arguments)], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("cli") / "run"
    assert cli.main(["train", "scenes", *SMALL, f"out={out}", "--json"]) == 0
    return out


def test_help(capsys):
    code, out, _ = call(capsys, "--help")
    assert code == 0 and "examples:" in out
    assert all(name in out for name in cli.COMMANDS)
    for name in cli.COMMANDS:
        code, out, _ = call(capsys, name, "--help")
        assert code == 0 and "example" in out and f"vlmneg {name}" in out
    assert call(capsys, "--version")[1] == f"vlmneg {vn.__version__}\n"


@pytest.mark.parametrize("arguments, sentence", [
    ([], "COMMAND"),
    (["trian"], "invalid choice: 'trian'"),
    (["train"], "CONFIG"),
    (["train", "scenes", "--frobnicate"], "train takes no --frobnicate"),
    (["info", "more"], "info takes no more"),
    (["info", "--threads", "0"], "at least 1, got 0"),
    (["train", "missing.toml"], "no settings file missing.toml"),
    (["train", "scenes", "train.bacth=8"], "unknown key train.bacth: did you mean train.batch?"),
    (["train", "scenes", "train.lr=-1"], "train.lr must be at least 0, got -1"),
    (["train", "scenes", "data.nn=8"], "did you mean 'n'?"),
    (["train", "scenes", "data.kind=sceens"], "did you mean 'scenes'?"),
    (["train", "scenes", "model.image_sise=8"], "unknown key model.image_sise: did you mean model.image_size?"),
    (["train", "scenes", "model.checkpoint="], "model.checkpoint must be set, as by model=FOLDER"),
    (["train", "negclip"], "coco needs captions and images"),
    (["train", "scenes", "model.patch=7"], "image_size must be a multiple of patch"),
    (["train", "scenes", 'negatives=["swp"]'], "unknown key negatives swp: did you mean negatives swap?"),
    (["train", "scenes", 'negatives=[{name="swap", kk=2}]'], "unknown key negatives.swap.kk"),
    (["train", "scenes", "negatives=[3]"], "negatives must have a name"),
    (["train", "scenes", "objective=neglcip"], "did you mean objective negclip?"),
    (["train", "scenes", "objective=[]"], "objective must name at least one term"),
    (["train", "scenes", 'objective={name="itc", negativs="own"}'], "negatives"),
    (["train", "scenes", 'objective=[{name="itc", weight=-1}]'], "weight must be"),
    (["train", "scenes", 'negatives=[{name="swap", k=0}]'], "negatives.swap: k must be"),
    (["eval", "x", "sugarcreep", "--annotations", "a", "--images", "b"], "invalid choice: 'sugarcreep'"),
    (["eval", "x", "sugarcrepe", "--images", "b"], "--annotations"),
    (["convert", "x"], "DST"),
    (["convert", "x", "y", "--layout", "jax"], "invalid choice: 'jax'"),
])
def test_wrong_use(capsys, arguments, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sentence in refused(capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_failures(capsys, tmp_path, trained):
    missing = tmp_path / "missing"
    assert "missing" in refused(capsys, "convert", missing, tmp_path / "x", code=1)
    assert "missing" in refused(capsys, "eval", missing, "sugarcrepe", "--annotations", tmp_path, "--images", tmp_path,
                                code=1)
    assert "holds a run (at step 4)" in refused(capsys, "train", "scenes", *SMALL, f"out={trained}", code=1)
    assert "train.lr was 0.001 and is now 0.5" in refused(
        capsys, "train", "scenes", *SMALL, "train.lr=0.5", f"out={trained}", "--resume", code=1)


def test_train(capsys, trained):
    assert sorted(p.name for p in trained.iterdir()) == ["checkpoints", "config.json", "metrics.jsonl", "run.json"]
    records = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert [r["step"] for r in records] == [1, 2, 3, 4]
    code, out, err = call(capsys, "train", trained / "run.json", "--resume")
    assert (code, err) == (0, "") and "nothing left to do" in out and "step-000004" in out


def test_train_prints_records(capsys, tmp_path):
    code, out, err = call(capsys, "train", "scenes", "--json", *SMALL, f"out={tmp_path / 'a'}")
    assert code == 0 and [json.loads(line)["step"] for line in out.splitlines()] == [1, 2, 3, 4] and err == ""
    code, out, err = call(capsys, "train", "scenes", *SMALL, f"out={tmp_path / 'b'}")
    assert code == 0 and out.startswith("step 4: loss ") and "results are in" in out and err == ""


def test_train_from_a_checkpoint(capsys, tmp_path, trained):
    newest = runs.latest_checkpoint(trained)
    for model in (newest, trained):
        out = tmp_path / model.name
        code, text, err = call(capsys, "train", "scenes", f"model={model}", "data.n=8", "data.size=32",
                               "train.batch=8", "train.steps=1", f"out={out}")
        assert (code, err) == (0, "") and "step 1: " in text
    assert "a checkpoint has its own sizes" in refused(
        capsys, "train", "scenes", f"model.checkpoint={newest}", "model.image_size=64", f"out={tmp_path / 'c'}")


def test_eval(capsys, tmp_path, trained):
    from PIL import Image

    data = vn.data.scenes(6, seed=9, size=32)
    images = tmp_path / "images"
    images.mkdir()
    for sample in data:
        Image.fromarray(sample.image).save(images / f"{sample.key}.png")
    captions = tmp_path / "captions.json"
    captions.write_text(json.dumps({
        "images": [{"id": s.key, "file_name": f"{s.key}.png"} for s in data],
        "annotations": [{"image_id": s.key, "caption": c} for s in data for c in s.captions]}))
    code, out, _ = call(capsys, "eval", trained, "retrieval", "--captions", captions, "--images", images, "--json",
                        "--out", tmp_path / "result")
    figures = json.loads(out)
    assert code == 0 and 0 <= figures["i2t_r1"] <= figures["i2t_r5"] <= 1
    assert (tmp_path / "result" / "result.json").is_file()
    code, out, _ = call(capsys, "eval", trained, "retrieval", "--captions", captions, "--images", images)
    assert code == 0 and "i2t_r1" in out


def test_convert(capsys, tmp_path, trained):
    source = runs.latest_checkpoint(trained)
    code, out, _ = call(capsys, "convert", source, tmp_path / "open", "--layout", "open_clip")
    assert code == 0 and str(tmp_path / "open") in out
    old, new = vn.Clip.from_pretrained(source), vn.Clip.from_pretrained(tmp_path / "open")
    assert all((old.state_dict()[k] == w).all() for k, w in new.state_dict().items())


def test_info(capsys):
    code, out, _ = call(capsys, "info")
    assert code == 0 and out.split()[:2] == ["version", vn.__version__] and "cuda" in out
    code, out, _ = call(capsys, "info", "--json")
    assert json.loads(out) == json.loads(json.dumps(vn.build_info()))


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_leave_a_checkpoint(tmp_path, number, code):
    out = tmp_path / "a"
    running = process("train", "scenes", *SMALL, "train.epochs=100000", f"out={out}", "--json")
    for line in running.stdout:
        if json.loads(line)["step"] >= 3:
            running.send_signal(number)
            break
    _, err = running.communicate(timeout=60)
    assert running.returncode == code and "Traceback" not in err
    lines = (out / "metrics.jsonl").read_text().splitlines()
    assert runs.step_of(runs.latest_checkpoint(out)) == len(lines) >= 3


def test_closed_pipe():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-m", "vlmneg", "info"], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE,
                          text=True)
    os.close(writer)
    assert done.returncode == 1 and done.stderr == ""
