"""Comparing recipes: what a folder holds, that runs differ in their recipe alone, that it goes on, its intervals."""

import csv
import importlib.util
import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vlmneg as vn
from vlmneg import cli, show
from vlmneg.comparison import figures, run, write
from vlmneg.settings import SettingsError, recipes, settled

ROOT = Path(__file__).parents[1]
SETTINGS = {"data": {"kind": "scenes", "n": 48, "size": 32}, "held_out": 40,
            "model": {"preset": "tiny", "image_size": 32, "image_layers": 1, "text_layers": 1}}
WORDS = ["data.n=48", "data.size=32", "held_out=40", "model.preset=tiny", "model.image_size=32", "model.image_layers=1",
         "model.text_layers=1", "--batch", "8"]
EDITS = ["attribute_swap", "object_swap", "relation_swap", "replacement", "addition"]
NAMES = [*EDITS, "mean", "image_to_text", "text_to_image"]
FILES = {"bars.png", "radar.png", "curves.png", "report.html", "table.txt", "table.csv", "table.md", "summary.json",
         "comparison.json", "start", "runs"}
OTHER = """objective = { name = "negclip", weight = 0.5 }
negatives = ["swap"]
[train]
lr = 1e-6
steps = 10000
weight_decay = 0.0
clip_norm = 1.0
[scenes]
negatives = [{ name = "exact", k = 2 }]
"""


def small(recipes, out, **more):
    return vn.compare(recipes, out=out, **{"settings": SETTINGS, "steps": 4, "batch": 8, "lr": 1e-3, "seeds": 2,
                                           "bootstrap": 200, **more})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    (folder / "other.toml").write_text(OTHER)
    return folder / "out", small(["negclip", str(folder / "other.toml")], folder / "out")


def settings_of(folder):
    return json.loads((folder / "run.json").read_text())


def untimed(summary):
    return {k: v for k, v in summary.items() if k != "seconds"}


def test_summary(made):
    out, found = made
    assert json.loads((out / "summary.json").read_text()) == found
    assert list(found["recipes"]) == ["start", "clip", "negclip", "other"]
    assert found["failed"] == {} and found["missing"] == 0
    for name, one in found["recipes"].items():
        assert list(one["figures"]) == NAMES
        for figure in NAMES:
            own = one["figures"][figure]
            assert len(own["values"]) == (1 if name == "start" else 2)
            assert (own["seeds"] is None) == (name == "start")
            assert own["mean"] == pytest.approx(np.mean(own["values"])) and 0 <= own["mean"] <= 1
            assert own["pictures"][0] <= own["pictures"][1]
        assert one["figures"]["mean"]["mean"] == pytest.approx(np.mean([one["figures"][e]["mean"] for e in EDITS]))
    assert found["recipes"]["clip"]["difference"] == {}
    assert found["recipes"]["other"]["seeds"] == [0, 1]
    assert found["recipes"]["other"]["training"] == "weight_decay=0.0, clip_norm=1.0"
    assert found["recipes"]["clip"]["negatives"] == "none" and "exact" in found["recipes"]["other"]["negatives"]


def test_figures_are_those_of_the_models(made):
    out, found = made
    folder = out / "runs" / "negclip" / "seed-1"
    model = vn.Clip.from_pretrained(vn.latest_checkpoint(folder))
    unseen = vn.data.scenes(40, seed=0, size=32, first=10**6)
    result = vn.evaluate(model, "edits", data=unseen, bootstrap=0, progress=False)
    one = found["recipes"]["negclip"]["figures"]
    assert {e: one[e]["values"][1] for e in EDITS} == pytest.approx({e: result[e] for e in EDITS})
    assert one["mean"]["values"][1] == pytest.approx(result["macro"])
    assert not list(folder.rglob("optimizer.safetensors"))
    captions = unseen.captions()
    alone = [s for s in unseen if captions.count(s.captions[0]) == 1]
    result = vn.evaluate(model, "retrieval", data=alone, bootstrap=0, progress=False)
    assert one["image_to_text"]["values"][1] == pytest.approx(result["i2t_r1"])
    assert one["text_to_image"]["values"][1] == pytest.approx(result["t2i_r1"])


def test_differences_are_paired(made):
    recipes = made[1]["recipes"]
    for name in ("negclip", "other"):
        for figure in NAMES:
            a, b = (np.array(recipes[n]["figures"][figure]["values"]) for n in (name, "clip"))
            gain = recipes[name]["difference"][figure]
            assert gain["values"] == pytest.approx((a - b).tolist())
            assert gain["seeds"] == pytest.approx(figures.over_seeds(a - b)[1:])
    assert recipes["start"]["difference"]["mean"]["values"] == pytest.approx(
        [recipes["start"]["figures"]["mean"]["mean"] - v for v in recipes["clip"]["figures"]["mean"]["values"]])


def test_runs_differ_in_their_recipe_alone(made):
    out = made[0]
    plain, other = (settings_of(out / "runs" / name / "seed-1") for name in ("clip", "other"))
    assert plain["train"]["seed"] == 1 and other["train"]["steps"] == 4 and other["train"]["lr"] == 1e-3
    changed = {k for k in plain if plain[k] != other[k]}
    assert changed == {"objective", "negatives", "out", "train"}
    assert {k for k in plain["train"] if plain["train"][k] != other["train"][k]} == {"weight_decay", "clip_norm"}
    assert other["negatives"] == [{"name": "exact", "k": 2}]
    first = [json.loads((out / "runs" / name / "seed-0" / "metrics.jsonl").read_text().splitlines()[0])
             for name in ("clip", "negclip")]
    assert first[0]["accuracy"] is None and first[1]["accuracy"] is not None
    assert first[0]["terms"] != first[1]["terms"]


def test_files(made):
    out, found = made
    assert {p.name for p in out.iterdir()} == FILES
    for name in ("bars.png", "radar.png", "curves.png"):
        with Image.open(out / name) as image:
            image.load()
            assert image.width > 500
    rows = list(csv.DictReader(open(out / "table.csv", encoding="utf-8")))
    assert len(rows) == 4 * len(NAMES)
    row = next(r for r in rows if r["recipe"] == "other" and r["figure"] == "mean")
    one = found["recipes"]["other"]
    assert float(row["value"]) == one["figures"]["mean"]["mean"] and row["runs"] == "2"
    assert [float(row[f"difference_{k}"]) for k in ("seeds_low", "seeds_high", "pictures_low", "pictures_high")] == [
        *one["difference"]["mean"]["seeds"], *one["difference"]["mean"]["pictures"]]
    text = (out / "table.txt").read_text(encoding="utf-8")
    assert f"{100 * one['figures']['mean']['mean']:.1f}" in text and "±" in text
    assert (out / "table.md").read_text().count("\n") == 6
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 3 and "http" not in page
    points = write.lines(out / "runs" / "clip" / "seed-0" / "held_out.jsonl")
    assert [p["step"] for p in points] == [1, 2, 3, 4]


def test_again_does_nothing_and_more_is_added(made, tmp_path, monkeypatch):
    out, found = made
    trained = []
    real = run.experiment.train_from
    monkeypatch.setattr(run.experiment, "train_from",
                        lambda s, **k: trained.append((s.objective, s.train.seed)) or real(s, **k))
    again = small(["negclip", str(out.parent / "other.toml")], out)
    assert untimed(again) == untimed(found) and not trained
    more = small(["negclip"], out, seeds=3)
    assert sorted(seed for _, seed in trained) == [2, 2] and list(more["recipes"]) == ["start", "clip", "negclip"]
    assert more["recipes"]["negclip"]["figures"]["mean"]["values"][:2] == \
        found["recipes"]["negclip"]["figures"]["mean"]["values"]
    with pytest.raises(ValueError, match="holds another comparison: train.lr was 0.001 and is now 0.01"):
        small(["negclip"], out, lr=1e-2)
    (out.parent / "other.toml").write_text(OTHER.replace("0.5", "0.25"))
    with pytest.raises(ValueError, match="other settings: objective.weight was 0.5 and is now 0.25"):
        small([str(out.parent / "other.toml")], out)


def test_same_seed_same_figures_wherever_it_stopped(made, tmp_path, monkeypatch):
    """Stopped in the middle of the third run: two are in the table; then it goes on to the same figures."""
    real, count = run._accuracy, [0]

    def stop(model, few):
        count[0] += 1
        if count[0] == 10:
            raise KeyboardInterrupt
        return real(model, few)

    monkeypatch.setattr(run, "_accuracy", stop)
    with pytest.raises(KeyboardInterrupt):
        small(["negclip"], tmp_path / "out")
    early = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert {k: len(v["figures"]["mean"]["values"]) for k, v in early["recipes"].items()} == \
        {"start": 1, "clip": 1, "negclip": 1} and early["missing"] == 2
    assert "not finished: 2 runs" in (tmp_path / "out" / "table.txt").read_text()
    assert vn.runs.step_of(vn.latest_checkpoint(tmp_path / "out" / "runs" / "clip" / "seed-1")) == 2
    monkeypatch.setattr(run, "_accuracy", real)
    found = small(["negclip"], tmp_path / "out")
    for name in ("start", "clip", "negclip"):
        assert found["recipes"][name] == made[1]["recipes"][name]


def test_start_of_scenes(tmp_path, monkeypatch):
    """Without a model, a small CLIP is trained first, once, and all runs start from it."""
    monkeypatch.setattr(run, "START_STEPS", 3)
    monkeypatch.setattr(run, "START_SCENES", 64)
    small(["negclip"], tmp_path, settings={k: SETTINGS[k] for k in ("data", "held_out")}, seeds=1, steps=1)
    assert (tmp_path / "start" / "checkpoints" / "step-000003").is_dir()
    models = {settings_of(p)["model"]["checkpoint"] for p in (tmp_path / "runs").glob("*/*")}
    assert models == {str(tmp_path / "start" / "checkpoints" / "step-000003")}


def test_photographs(tmp_path):
    """Data of one's own: a fifth is held out, and its captions are edited here."""
    folder = tmp_path / "images"
    folder.mkdir()
    scenes = vn.data.scenes(30, seed=3, size=32)
    for s in scenes:
        Image.fromarray(s.image).save(folder / f"{s.key}.png")
    (tmp_path / "captions.json").write_text(json.dumps({
        "images": [{"id": s.key, "file_name": f"{s.key}.png"} for s in scenes],
        "annotations": [{"image_id": s.key, "caption": c} for s in scenes for c in s.captions]}))
    data = {"captions": str(tmp_path / "captions.json"), "images": str(folder)}
    settings = {"data": data, "model": SETTINGS["model"]}
    found = small(["negclip"], tmp_path / "a", settings=settings, seeds=1, steps=2)
    assert {"swap", "replace_object"} & set(found["recipes"]["clip"]["figures"])
    rows = (tmp_path / "a" / "start" / "retrieval" / "examples.tsv").read_text().splitlines()
    assert len([r for r in rows if r.startswith("i2t")]) == 6
    config = json.loads((tmp_path / "a" / "runs" / "clip" / "seed-0" / "config.json").read_text())
    assert config["data"]["length"] == 24
    found = small(["negclip"], tmp_path / "b", settings={**settings, "held_out": data}, seeds=1, steps=1)
    config = json.loads((tmp_path / "b" / "runs" / "clip" / "seed-0" / "config.json").read_text())
    assert config["data"]["length"] == 30
    with pytest.raises((ValueError, OSError), match="nowhere"):
        small(["negclip"], tmp_path / "d", settings={"data": data}, start="nowhere")
    small(["negclip"], tmp_path / "d", settings=settings, seeds=1, steps=1)         # nothing was done there yet
    with pytest.raises(SettingsError, match="need a model to start from"):
        small(["negclip"], tmp_path / "c", settings={"data": data})


def test_a_diverging_run_is_told(made, tmp_path, monkeypatch):
    real = run.experiment.train_from

    def fail(settings, **given):
        if settings.objective == "negclip":
            raise FloatingPointError("step 1: the loss is not finite")
        return real(settings, **given)

    monkeypatch.setattr(run.experiment, "train_from", fail)
    found = small(["negclip"], tmp_path, seeds=1, steps=1)
    assert list(found["recipes"]) == ["start", "clip"] and found["missing"] == 0
    assert found["failed"] == {"negclip, seed 0": "step 1: the loss is not finite"}
    assert "failed: negclip, seed 0" in (tmp_path / "table.txt").read_text()


def test_intervals_by_hand():
    """Two pictures, two edits, one plain and one other run each of two seeds."""
    asked = (["a", "b", "a", "i2t", "t2i"], ["p", "p", "q", "p", "p"])
    subset = [figures.RETRIEVAL.get(s, s) for s in asked[0]]

    def answers(*right):
        return figures.Answers(subset, asked[1], np.array(right, float))

    runs = {"clip": {0: answers(1, 0, 0, 1, 0), 1: answers(1, 1, 1, 1, 0)},
            "x": {0: answers(1, 1, 1, 0, 0), 1: answers(1, 1, 1, 1, 0), 2: answers(0, 0, 0, 0, 0)}}
    found = figures.figures(answers(0, 0, 1, 0, 0), runs, bootstrap=400)
    plain, other = found["clip"]["figures"], found["x"]["difference"]
    assert plain["a"]["values"] == [0.5, 1.0] and plain["mean"]["values"] == [0.25, 1.0]
    assert plain["mean"]["mean"] == 0.625
    half = 12.7062047 * (0.75 / math.sqrt(2)) / math.sqrt(2)         # t of one degree of freedom, times s / sqrt(2)
    assert plain["mean"]["seeds"] == pytest.approx([0.625 - half, 0.625 + half])
    assert other["mean"]["values"] == [0.75, 0.0]                     # the third seed has no plain run beside it
    assert other["image_to_text"]["values"] == [-1.0, 0.0]
    assert found["start"]["difference"]["a"]["values"] == [0.0, -0.5]
    # of the two pictures p is right on a with both seeds, q with one: draws pp, pq, qq give 1, 0.75, 0.5
    assert plain["a"]["pictures"] == [0.5, 1.0]
    # b is asked of p alone; without p only a counts in the mean: pp 1/2 (1 + 1/2), qq 1/2
    assert plain["mean"]["pictures"] == [0.5, 0.75]
    assert figures.figures(answers(0, 0, 1, 0, 0), runs, bootstrap=0)["x"]["figures"]["a"]["pictures"] is None
    with pytest.raises(ValueError, match="different questions"):
        figures.figures(figures.Answers(subset[:4], asked[1][:4], np.zeros(4)), runs)


def test_edits():
    """Captions that come with the data are taken; to others they are made, and never to a data set that has some."""
    data = vn.data.scenes(20, seed=1, size=32)
    read = vn.benchmarks.read("edits", data=data)
    assert [(i.key, i.subset, *i.captions) for i in read.items if i.key == "3"] == [
        ("3", kind, data[3].captions[0], text) for kind, text in data[3].negatives]
    pairs = [("a.jpg", ["a red car and two dogs", "cars"]), ("b.jpg", "to be or not")]
    made = vn.benchmarks.read("edits", data=pairs)
    assert {i.subset for i in made.items if i.picture == "a.jpg"} == {
        "replace_object", "replace_color", "replace_number", "add_object"}
    assert all(i.captions[0] == "a red car and two dogs" != i.captions[1] for i in made.items if i.picture == "a.jpg")
    assert made.version == vn.benchmarks.read("edits", data=pairs).version != read.version
    with pytest.raises(ValueError, match="none of the captions can be edited"):
        vn.benchmarks.read("edits", data=[("b.jpg", "?!")])
    with pytest.raises(ValueError, match="edits needs data=DATASET, or"):
        vn.benchmarks.read("edits", annotations="captions.json")


def test_student():
    table = {1: 12.7062, 2: 4.3027, 3: 3.1824, 4: 2.7764, 5: 2.5706, 9: 2.2622, 30: 2.0423, 101: 1.9837}
    assert {n: figures.student(n) for n in table} == pytest.approx(table, abs=5e-5)
    assert math.isnan(figures.over_seeds([0.3])[1]) and figures.over_seeds([0.3])[0] == 0.3


def test_pictures():
    values = {"clip": dict.fromkeys("abc", 0.5), "x": dict(zip("abc", (0.9, 1.2, 0.1), strict=True))}
    assert show.radar(values, low=0.4).size == (262, 250)
    grey, own = (show.radar({k: v}, low=0.4).tobytes() for k, v in values.items())
    assert grey != own
    bars = {"start": (0.3, math.nan, math.nan), "x": (0.6, 0.2, 1.4)}
    assert show.intervals(bars, grey=["start"], line=0.3, chance=0.5).size[0] == 548
    band = show.curves({"x": [(0, 0.5), (1, 0.6)]}, bands={"x": [(0, 0.1, 0.9), (1, 0.2, 0.8)]})
    assert band.tobytes() != show.curves({"x": [(0, 0.5), (1, 0.6)]}).tobytes()


def test_released_and_scenes_in_a_recipe(tmp_path):
    (tmp_path / "mine.toml").write_text(OTHER)
    plan = run._Plan([f"{tmp_path / 'mine.toml'}"], 1, tmp_path / "out", {}, None, {}, {"benchmark": "edits"}, 0)
    assert plan.settings("mine", 0).negatives == [{"name": "exact", "k": 2}]
    tables = plan._tables([str(tmp_path / "mine.toml"), f"{tmp_path / 'mine.toml'}:released"])
    assert list(tables) == ["clip", "mine", "mine:released"]
    assert tables["mine:released"] == {**tables["mine"], "compat": "released"}
    assert plan.folder("mine:released", 2) == tmp_path / "out" / "runs" / "mine-released" / "seed-2"
    assert plan.settings("mine", 0).train.batch == 32
    plan.tables["mine"]["compose"] = "plain"
    assert plan.settings("mine", 0).train.batch == 32
    plan.tables["mine"]["compose"] = {"kind": "neighbours"}
    assert plan.settings("mine", 0).train.batch == 16           # each brings another
    plan.tables["mine"]["compose"] = {"kind": "groups", "n": 200}
    assert plan.settings("mine", 0).compose["n"] == 32
    assert settled(tmp_path / "mine.toml", ["data.kind=scenes"])["negatives"] == [{"name": "exact", "k": 2}]
    assert settled(tmp_path / "mine.toml", ["data.kind=coco"])["negatives"] == ["swap"]
    assert settled(tmp_path / "mine.toml", ["negatives=replace"])["negatives"] == "replace"


@pytest.mark.parametrize("given, sentence", [
    ((["nosuch"], {}), "no recipe of that name"),
    ((["negclip:paper"], {}), "after the colon stands released, got 'paper'"),
    ((["negclip", "negclip"], {}), "two recipes are called negclip"),
    ((["my/clip.toml"], {}), "two recipes are called clip; rename a file"),
    ((["negclip"], {"seeds": 0}), "seeds must be an integer of at least 1, got 0"),
    ((["negclip"], {"start": "x"}), "start and model are one thing"),
    ((["negclip"], {"settings": {"objective": "infonce"}}), "unknown key objective"),
    ((["negclip"], {"settings": {"train": {"seed": 1}}}), "train.seed can't be set"),
    ((["negclip"], {"settings": {"train": {"batsh": 1}}}), "train.batsh: did you mean train.batch"),
    ((["negclip"], {"settings": {**SETTINGS, "held_out": 0}}), "held_out must be a number of pictures"),
])
def test_refusals(tmp_path, given, sentence):
    with pytest.raises(SettingsError, match=sentence):
        small(given[0], tmp_path / "out", **given[1])


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(FileExistsError, match="no comparison made"):
        small(["negclip"], tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_command(tmp_path, capsys):
    out = tmp_path / "out"
    words = ["compare", "negclip", *WORDS, "--steps", "1", "--seeds", "1", "--out", str(out)]
    assert cli.main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["recipes"]) == ["start", "clip", "negclip"]
    assert cli.main(words) == 0
    text = capsys.readouterr().out
    assert "minus plain" in text and str(out / "report.html") in text
    assert cli.main([*words, "objective=infonce"]) == 2 and "unknown key objective" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        cli.main(["compare"])
    assert stopped.value.code == 2 and "RECIPE" in capsys.readouterr().err


def test_ctrl_c_goes_on(tmp_path):
    """A real Ctrl-C in the middle: one line, code 130, and the same command finishes."""
    words = [sys.executable, "-m", "vlmneg", "compare", "negclip", *WORDS, "--seeds", "1", "--out", str(tmp_path)]
    running = subprocess.Popen([*words, "--steps", "2000"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)
    metrics = tmp_path / "runs" / "clip" / "seed-0" / "metrics.jsonl"
    end = time.monotonic() + 60
    while time.monotonic() < end and not (metrics.is_file() and metrics.read_text().count("\n") > 3):
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130 and err.strip().endswith("the same command goes on") and "Traceback" not in err
    assert vn.latest_checkpoint(tmp_path / "runs" / "clip" / "seed-0") is not None


def page_maker(monkeypatch, tmp_path):
    spec = importlib.util.spec_from_file_location("make_recipes", ROOT / "docs" / "make_recipes.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    (tmp_path / "images").mkdir()
    (tmp_path / "recipes.md").write_text((ROOT / "docs" / "recipes.md").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(maker, "DOCS", tmp_path)
    monkeypatch.setattr(maker, "PAGE", tmp_path / "recipes.md")
    return maker


def test_the_page_is_of_all_recipes(monkeypatch, tmp_path):
    names = list(page_maker(monkeypatch, tmp_path).names())
    assert {n for n in names if ":" not in n} == set(recipes()) - {"scenes", "photos"}
    assert {n.partition(":")[0] for n in names} == {n for n in names if ":" not in n}


@pytest.mark.slow
def test_the_page_is_made(monkeypatch, tmp_path):
    """Every recipe, and every released behaviour, trains on scenes and stands in the table."""
    maker = page_maker(monkeypatch, tmp_path)
    maker.main(tmp_path / "out", *WORDS, "--batch", "16", "--steps", "2", "--seeds", "1")
    text = (tmp_path / "recipes.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in text for name in maker.names())
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["failed"] == {}
    assert {p.name for p in (tmp_path / "images").iterdir()} == {"recipes_bars.png", "recipes_radar.png"}
