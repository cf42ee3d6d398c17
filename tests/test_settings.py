"""Settings files, key=value, and the sentence for each that doesn't fit."""

import json

import pytest

import vlmneg as vn
from vlmneg import experiment, settings
from vlmneg.settings import SettingsError

FILE = """
out = "runs/x"
model = "tiny"
negatives = ["swap", { name = "replace", k = 2 }]
[data]
kind = "scenes"
n = 64
[train]
batch = 16
lr = 3e-4
"""


def read(tmp_path, text=FILE, *assignments):
    path = tmp_path / "run.toml"
    path.write_text(text)
    return settings.run_settings(settings.override(settings.read_table(path), assignments))


def test_file(tmp_path):
    wanted = read(tmp_path)
    assert wanted.out == "runs/x" and wanted.model == {"preset": "tiny"} and wanted.data == {"kind": "scenes", "n": 64}
    assert wanted.negatives == ["swap", {"name": "replace", "k": 2}]
    assert (wanted.train.batch, wanted.train.lr, wanted.train.epochs) == (16, 3e-4, 1)


def test_override(tmp_path):
    wanted = read(tmp_path, FILE, "train.lr=1e-3", "train.betas=[0.8, 0.9]", "model.image_size=32", "out=runs/y=z",
                  "data.n=8", "objective=negclip", "negatives=[]", "train.augment=false", "train.warmup=3")
    assert wanted.train.lr == 1e-3 and wanted.train.betas == (0.8, 0.9) and wanted.train.warmup == 3
    assert wanted.model == {"preset": "tiny", "image_size": 32}
    assert wanted.out == "runs/y=z" and wanted.data["n"] == 8 and wanted.objective == "negclip"
    assert wanted.negatives == [] and wanted.train.augment is False


def test_override_leaves_its_argument():
    table = {"train": {"lr": 1.0}}
    settings.override(table, ["train.lr=2.0"])
    assert table == {"train": {"lr": 1.0}}


def test_json_round_trip(tmp_path):
    wanted = read(tmp_path, FILE, "train.steps=7")
    path = tmp_path / "run.json"
    path.write_text(settings.as_json(wanted))
    assert settings.run_settings(settings.read_table(path)) == wanted
    assert json.loads(path.read_text())["train"]["clip_norm"] is None


@pytest.mark.parametrize("assignment, sentence", [
    ("train.bacth=8", "unknown key train.bacth: did you mean train.batch?"),
    ("lr=1", "unknown key lr: did you mean train.lr?"),
    ("wieght_decay=1", "unknown key wieght_decay: did you mean train.weight_decay?"),
    ("trian.lr=1", "unknown key trian: did you mean train?"),
    ("zzz=1", "unknown key zzz: known are compat, compose, data, model, negatives, objective, out, positives, tagger, "
              "train"),
    ("train.batch=0", "train.batch must be at least 1, got 0"),
    ("train.batch=2.5", "train.batch must be an integer, got 2.5"),
    ("train.batch=true", "train.batch must be an integer, got True"),
    ("train.lr=fast", "train.lr must be a number, got 'fast'"),
    ("train.lr=nan", "train.lr must be finite, got nan"),
    ("train.eps=0", "train.eps must be above 0, got 0.0"),
    ("train.seed=-1", "train.seed must be in [0, 18446744073709551615], got -1"),
    ("train.steps=often", "train.steps must be an integer or left out, got 'often'"),
    ("train.schedule=linear", "train.schedule must be one of cosine, constant, got 'linear'"),
    ("train.betas=0.9", "train.betas must be two numbers, got 0.9"),
    ("train.betas=[0.9, 1.0]", "train.betas must be two numbers in [0, 1), got [0.9, 1.0]"),
    ("train=3", "train must be a table, got 3"),
    ("out=3", "out must be a string, got 3"),
    ("model.image_size.x=3", "model.image_size.x can't be set: image_size is no table"),
    ("batch", "expected key=value, as in train.lr=1e-4, got 'batch'"),
    ("=3", "expected key=value, as in train.lr=1e-4, got '=3'"),
])
def test_refused(tmp_path, assignment, sentence):
    text = FILE.replace('model = "tiny"', "model = { image_size = 32 }")
    with pytest.raises(SettingsError) as refused:
        read(tmp_path, text, assignment)
    assert str(refused.value) == sentence


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(SettingsError, match="no settings file nothing.toml, and no recipe of that name.*negclip"):
        settings.read_table("nothing.toml")
    path = tmp_path / "bad.toml"
    path.write_text("[train\nlr = 1")
    with pytest.raises(SettingsError, match=r"bad.toml can't be read: .*line 1"):
        settings.read_table(path)
    path.write_bytes(b"a = '\xff'")
    with pytest.raises(SettingsError, match="can't be read"):
        settings.read_table(path)
    path = tmp_path / "list.json"
    path.write_text("[1]")
    with pytest.raises(SettingsError, match="must hold a table"):
        settings.read_table(path)


def test_recipes_are_sound():
    assert {"negclip", "photos", "scenes"} <= set(settings.recipes())
    for name in settings.recipes():
        assert settings.run_settings(settings.read_table(name)).out == f"runs/{name}"


def test_negatives_by_recipe(tmp_path):
    negatives = vn.negatives
    captions = ["A small black dog on the left side of a red sofa, and two cats under the table."]
    for name in negatives.recipes():
        made = negatives.recipe(name)
        assert repr(negatives.recipe(name)) == repr(made)
        assert not isinstance(made, negatives.Negatives) or made(captions).valid.any(), name
    table = {"negatives": ["swap", {"name": "text.replace", "k": 3}]}
    path = tmp_path / "mine.toml"
    path.write_text('negatives = ["swap", { name = "text.replace", k = 3 }]')
    assert negatives.recipe(path) == negatives.recipe(str(path)) == negatives.recipe(table)
    assert negatives.recipe(table) == negatives.text.swap() + negatives.text.replace(k=3)
    mixed = negatives.recipe([{"mix": ["swap", {"name": "replace", "weight": 3}], "k": 2}])
    assert mixed == negatives.mix(negatives.text.swap(), negatives.text.replace(), weights=(1.0, 3), k=2)


@pytest.mark.parametrize("source, sentence", [
    ("negclap", "no recipe of that name.*negclip"),
    ([], "at least one generator"),
    ({"negative": []}, "a recipe must have negatives"),
    ([{"name": "swop"}], "did you mean negatives swap"),
    ([{"name": "swap", "kk": 1}], "negatives.swap.kk: did you mean negatives.swap.k"),
    ([{"name": "swap", "k": 99}], r"k must be in"),
    ([{"mix": ["swap"]}], "at least two"),
    ([{"mix": ["swap", {"name": "replace", "weight": -1}]}], "above 0"),
    ([3], "must have a name"),
    ([{"mix": 3}], "negatives.mix must be a list"),
    ([{"mix": [3, 4]}], "negatives.mix must be a list"),
])
def test_recipe_errors(source, sentence):
    with pytest.raises(SettingsError, match=sentence):
        vn.negatives.recipe(source)


def test_compat_reaches_the_objective():
    assert settings.run_settings({"compat": "released"}).compat == "released"
    assert settings.run_settings({}).compat is None
    with pytest.raises(SettingsError, match='compat must be "corrected" or "released", got \'paper\''):
        settings.run_settings({"compat": "paper"})
    with pytest.raises(SettingsError, match="needs one named objective"):
        experiment.make_objective(["infonce", "negclip"], "released")
    with pytest.raises(SettingsError, match="itc has no parameter 'compat'"):
        experiment.make_objective("itc", "released")                 # a term has no other behaviour
    assert repr(experiment.make_objective("infonce", "released")) == "itc(negatives='none', duplicates='off')"
