"""The demo: what it leaves behind, that its comparison is fair, that its gain is real, and its pictures."""

import io
import json
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor

import vlmneg as vn
from vlmneg import cli, demo, report, show

ROOT = Path(__file__).parents[1]
TINY = {"steps": 6, "training": 64, "held_out": 60}
EDITS = ["attribute_swap", "object_swap", "relation_swap", "replacement", "addition"]
PICTURES = ["accuracy.png", "curves.png", "overview.png", "scenes.png"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "deep" / "out"
    return out, demo.run(out, seed=3, **TINY)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_summary(made):
    out, result = made
    summary = json.loads((out / "summary.json").read_text())
    assert summary == result
    for name in ("plain", "negatives"):
        found = summary[name]
        assert list(found) == [*EDITS, "binding", "mean"]
        assert all(0 <= v <= 1 for v in found.values())
        assert found["binding"] == pytest.approx(np.mean([found[k] for k in EDITS[:3]]))
        assert found["mean"] == pytest.approx(np.mean([found[k] for k in EDITS]))
        assert all(0 <= v <= 1 for v in summary["retrieval"][name].values())
    difference = summary["negatives"]["binding"] - summary["plain"]["binding"]
    assert summary["gain"]["binding"] == pytest.approx(difference)
    assert summary["settings"]["steps_done"] == 6 and summary["settings"]["seed"] == 3


def test_files(made):
    out, _ = made
    for name in PICTURES:
        with Image.open(out / name) as image:
            image.load()
            assert image.width > 1000
    for name in ("plain", "negatives"):
        records = lines(out / name / "metrics.jsonl")
        assert [r["step"] for r in records] == list(range(1, 7))
        assert (records[0]["accuracy"] is None) == (name == "plain")
        assert vn.Clip.from_pretrained(out / name / "checkpoints" / "step-000006").config.patch == 32
    assert [line["step"] for line in lines(out / "held_out.jsonl")] == list(range(1, 7))
    assert not [p for p in out.iterdir() if p.name not in (demo.MARK, *demo.MADE)]


class Page(HTMLParser):
    """Checks that every element is closed and collects what a page shows and asks for."""

    def __init__(self, text):
        super().__init__()
        self.open, self.sources, self.text = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert tag not in ("script", "link", "iframe")
        self.sources += [v for k, v in attrs if k in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_report_needs_no_other_file(made):
    out, result = made
    text = (out / "report.html").read_text()
    page = Page(text)
    assert len(page.sources) == 3 and all(s.startswith("data:image/png;base64,") for s in page.sources)
    assert "http" not in text and "url(" not in text and "@import" not in text
    for kind in EDITS:
        assert f"{100 * result['negatives'][kind]:.1f}" in page.text
    assert "Stopped" not in text


def test_comparison_is_fair(made):
    models = demo.make_models(vn.data.scenes(100).captions(), seed=5)
    plain, taught = (m.state_dict() for m in models.values())
    assert all(np.array_equal(plain[k], taught[k]) for k in plain)
    a, b = (json.loads((made[0] / name / "config.json").read_text()) for name in ("plain", "negatives"))
    assert {k for k in a if a[k] != b[k]} == {"objective", "negatives"}


def test_held_out_scenes_are_others(made):
    few = vn.data.scenes(10, seed=3, first=demo.FIRST_HELD_OUT)
    assert few.batch([0]).tobytes() not in {vn.data.scenes(64, seed=3).batch([i]).tobytes() for i in range(64)}
    with pytest.raises(ValueError, match="training must be in"):
        demo.run("unused", training=demo.FIRST_HELD_OUT + 1)


def test_same_seed_same_figures(made, tmp_path):
    again = demo.run(tmp_path / "again", seed=3, **TINY)
    other = demo.run(tmp_path / "other", seed=4, **TINY)
    assert {k: v for k, v in again.items() if k != "seconds"} == {k: v for k, v in made[1].items() if k != "seconds"}
    assert other["plain"] != again["plain"]


class Knows:
    """A model whose text vectors are given by a function, and whose picture of a scene is that of its caption."""

    def __init__(self, data, vector):
        self.data, self.vector = data, vector

    def preprocess(self, pictures):
        return np.arange(len(pictures))

    def encode_image(self, x, normalize):
        return self.encode_text([self.data.captions()[i] for i in x], True)

    def encode_text(self, texts, normalize):
        return np.array([self.vector(t) for t in texts], np.float32)


def test_accuracies():
    """A model that reads every word in its place is always right; one for which all are equal never is; a bag of words
    ties where words change places, and a tie is wrong."""
    data = vn.data.scenes(100, seed=1)
    words = sorted({w.strip(",") for c in data.captions() for w in c.split()} | {"and"})

    def bag(text):
        counts = np.array([text.replace(",", "").split().count(w) for w in words], np.float64)
        return counts / np.linalg.norm(counts)

    def reads(text):
        return np.random.default_rng(list(text.encode())).normal(size=64) / 8

    assert set(demo.accuracies(Knows(data, reads), data).values()) == {1.0}
    assert set(demo.accuracies(Knows(data, lambda t: [1.0, 0.0]), data).values()) == {0.0}
    found = demo.accuracies(Knows(data, bag), data)
    assert found["attribute_swap"] < 0.2 and found["object_swap"] < 0.2 and found["addition"] == 1.0


def test_earlier_demo_is_replaced(made, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    demo.run(out, seed=0, **TINY)
    (out / "mine.txt").write_text("kept")
    demo.run(out, seed=1, **{**TINY, "steps": 2})
    assert json.loads((out / "summary.json").read_text())["settings"]["steps"] == 2
    assert len(lines(out / "plain" / "metrics.jsonl")) == 2 and (out / "mine.txt").read_text() == "kept"


def test_other_folders_are_left_alone(tmp_path):
    thesis = tmp_path / "thesis"
    (thesis / "plain").mkdir(parents=True)
    (thesis / "summary.json").write_text("mine")
    with pytest.raises(FileExistsError, match="no demo made"):
        demo.run(thesis, **TINY)
    (thesis / demo.MARK).write_text('{"made_by": "someone"}')
    with pytest.raises(FileExistsError, match="no demo made"):
        demo.run(thesis, **TINY)
    with pytest.raises(FileExistsError, match="is a file"):
        demo.run(thesis / "summary.json", **TINY)
    assert (thesis / "summary.json").read_text() == "mine" and (thesis / "plain").is_dir()


@pytest.mark.parametrize("wrong, error, sentence", [
    ({"seed": -1}, ValueError, "seed must be in"), ({"seed": 0.5}, TypeError, "seed must be an integer"),
    ({"steps": 0}, ValueError, "steps must be in"), ({"training": 31}, ValueError, "training must be in"),
    ({"held_out": 3}, ValueError, "held_out must be in"), ({"held_out": True}, TypeError, "got bool")])
def test_wrong_arguments(tmp_path, wrong, error, sentence):
    with pytest.raises(error, match=sentence):
        demo.run(tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()


def test_command(tmp_path, monkeypatch, capsys):
    for name, value in TINY.items():
        monkeypatch.setitem(demo.run.__kwdefaults__, name, value)
    out = tmp_path / "out"
    assert cli.main(["demo", "--out", str(out), "--seed", "2"]) == 0
    said = capsys.readouterr()
    assert "binding" in said.out and "chance" in said.out and str(out / "report.html") in said.out and said.err == ""
    assert cli.main(["demo", "--out", str(out), "--seed", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"]["seed"] == 2
    assert cli.main(["demo", "--out", str(ROOT / "tests")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_interrupt_leaves_a_report(tmp_path):
    out = tmp_path / "out"
    run = subprocess.Popen([sys.executable, "-m", "vlmneg", "demo", "--threads", "1", "--out", str(out)], cwd=ROOT,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    watched = out / "negatives" / "metrics.jsonl"
    end = time.monotonic() + 120
    while not (watched.exists() and watched.read_text().count("\n") > 2) and time.monotonic() < end:
        assert run.poll() is None, run.stderr.read()
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    said, errors = run.communicate(timeout=120)
    assert run.returncode == 130 and said == "" and "stopped at step" in errors and "Traceback" not in errors
    done = json.loads((out / "summary.json").read_text())["settings"]["steps_done"]
    assert 2 < done < demo.STEPS
    assert f"Stopped at step {done} of {demo.STEPS}" in (out / "report.html").read_text()
    steps = [lines(out / name / "metrics.jsonl")[-1]["step"] for name in ("plain", "negatives")]
    assert done == min(steps) and max(steps) - done <= 1
    for name, step in zip(("plain", "negatives"), steps, strict=True):
        vn.Clip.from_pretrained(out / name / "checkpoints" / f"step-{step:06d}")


def test_interrupt_before_the_first_step(tmp_path, monkeypatch):
    def train(*args, **kwargs):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(demo, "train", train)
    with pytest.raises(KeyboardInterrupt):
        demo.run(tmp_path, **TINY)
    assert not (tmp_path / "report.html").exists()


def example(scores):
    return show.Example(np.zeros((8, 8, 3), np.uint8), ["a red cube", "a blue cube"], ["replacement"], {"one": scores})


def count(image, colour):
    return int((np.asarray(image) == ImageColor.getrgb(colour)).all(2).sum())


def test_grid_marks_what_is_wrong():
    right, wrong, tie = (show.grid([example(s)]) for s in ([0.9, 0.1], [0.1, 0.9], [0.5, 0.5]))
    assert count(right, show.WRONG) == 0 and count(right, show.RIGHT) > 5
    assert count(wrong, show.WRONG) > 5 and count(wrong, show.RIGHT) == 0
    assert count(tie, show.WRONG) > 5
    assert example([0.5, 0.5]).wrong("one") == [True]


def test_grid_keeps_long_captions_off_the_scores():
    long = show.Example(np.zeros((8, 8, 3), np.uint8), ["word " * 30, "word " * 30], ["addition"], {"one": [1.0, 0.0]})
    image = np.asarray(show.grid([long]))
    assert (image[44:200, 170:190] == 255).all() and (image[44:200, 980:1030] == 255).all()


def test_changed_words():
    def new(*captions):
        return [word for word, changed in show.changed_words(*captions) if changed]

    assert new("a star left of a ring", "a star left of a ring, and a moon") == ["and", "a", "moon"]
    assert new("a red star", "a blue star") == ["blue"]


def test_bars_are_as_long_as_their_values():
    half, whole = (count(show.bars({"one": {"a": v}}), show.SERIES[0]) for v in (0.5, 1.0))
    legend = count(show.bars({"one": {"a": 0.0}}), show.SERIES[0])
    assert (whole - legend) / (half - legend) == pytest.approx(2, abs=0.02)


@pytest.mark.parametrize("points", [[], [(1, 2.0)], [(1, float("nan"))], [(1, 0.0), (2, 0.0)], [(1, 5.0), (9, 1e4)]])
def test_curves_take_any_points(points):
    assert show.curves({"one": points, "two": points}, chance=0.5, percent=True).size == (548, 320)


def test_png_and_page():
    image = show.stack([show.bars({"one": {"a": 0.5}}), show.beside([show.curves({"one": [(1, 1.0)]})] * 2)])
    content = show.png(image)
    assert Image.open(io.BytesIO(content)).size == image.size
    text = report.page("<1>", [("a & b", [report.picture(content, 'says "x"'), report.paragraph("`c<d`")])])
    page = Page(text)
    assert "a & b" in page.text and "c<d" in page.text and re.search('alt="says &quot;x&quot;"', text)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [0, 11])
def test_gain_is_real(tmp_path, seed):
    began = time.perf_counter()
    result = demo.run(tmp_path / "out", seed=seed)
    print(f"seed {seed}: {time.perf_counter() - began:.0f} s\n{demo.table(result)}")
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == result
    assert result["gain"]["binding"] >= 0.20
    for way, plain in result["retrieval"]["plain"].items():
        assert result["retrieval"]["negatives"][way] >= plain - 0.03
