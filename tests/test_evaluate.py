"""Metric rules on golden rows and on cases by hand; the evaluator on real photographs with a model of no merit."""

import csv
import io
import itertools
import json
import math
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import vlmneg as vn
from vlmneg import _core, benchmarks, scoring
from vlmneg.benchmarks.sugarcrepe import SUBSETS, TYPES
from vlmneg.reference import scores as twin

# right, rows, standard error, pictures, and fewer tokens: win, tie, lose
SUGARCREPE = {
    "add_obj": (1592, 2062, 1.0140, 908, 2027, 28, 7),
    "add_att": (476, 692, 1.8216, 497, 683, 7, 2),
    "replace_obj": (1502, 1652, 0.7853, 823, 446, 923, 283),
    "replace_att": (631, 788, 1.4324, 524, 188, 510, 90),
    "replace_rel": (973, 1406, 1.3283, 777, 560, 590, 256),
    "swap_obj": (151, 246, 3.1610, 225, 47, 191, 8),
    "swap_att": (426, 666, 1.8511, 593, 109, 499, 58),
    "micro": (5751, 7512, 0.5405, 1561, 4060, 2748, 704),
}
LOCAL = {"add_att": (18, 26), "add_obj": (60, 77), "replace_att": (23, 31), "replace_obj": (54, 57),
         "replace_rel": (32, 52), "swap_att": (8, 22), "swap_obj": (7, 11)}


def table(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def golden(shared):
    return [{"subset": f"{r['type']}_{r['subtype']}", "image": r["filename"], **r}
            for r in table(shared / "golden" / "sugarcrepe_correct_vit_b_32.csv")]


@pytest.fixture(scope="module")
def local(shared):
    return dict(annotations=shared / "sugarcrepe", images=shared / "coco" / "images")


class Words:
    """A tokenizer of hashed words; blanks around a caption do not count."""

    def pack(self, texts, context=77):
        rows = [[1, *(sum(map(ord, w)) * 31 % 9973 + 3 for w in t.split())][:context - 1] + [2] for t in texts]
        return (np.array([i for row in rows for i in row], np.int32),
                np.cumsum([0, *map(len, rows)]).astype(np.int64))


class Colour:
    """Pictures by their mean colour, captions by their words, both projected at random."""

    def __init__(self, width=8, constant=False):
        rng = np.random.default_rng(0)
        self.projection, self.words = rng.standard_normal((3, width)), rng.standard_normal((9999, width))
        self.tokenizer, self.constant, self.images, self.texts = Words(), constant, 0, []

    def preprocess(self, pictures):
        return np.stack([np.asarray(p.convert("RGB").resize((8, 8)), np.float64).mean((0, 1)) - 128 for p in pictures])

    def encode_image(self, x, normalize):
        self.images += len(x)
        return self.unit(x @ self.projection)

    def encode_text(self, texts, normalize):
        self.texts += texts
        ids, offsets = self.tokenizer.pack(texts)
        return self.unit(np.stack([self.words[ids[a:b]].sum(0) for a, b in itertools.pairwise(offsets)]))

    def unit(self, x):
        x = np.ones_like(x) if self.constant else x
        return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def samples(n=6, captions=2):
    rng = np.random.default_rng(1)
    return [SimpleNamespace(image=np.full((4, 4, 3), rng.integers(0, 256, 3), np.uint8), key=i, name=f"p{i}", group=i,
                            captions=tuple(f"picture {i} said {c}" for c in range(captions))) for i in range(n)]


# --- the C core and its twin


@pytest.mark.parametrize("width", [1, 2, 3, 7, 16, 17, 65])
def test_scores_match_twin(width):
    rng = np.random.default_rng(width)
    image, text = rng.standard_normal((5, width), np.float32), rng.standard_normal((300, width), np.float32)
    i, j = rng.integers(0, 5, 700).astype(np.int32), rng.integers(0, 300, 700).astype(np.int32)
    score = _core.score_pairs(image, text, i, j)
    np.testing.assert_allclose(score, twin.pairs(image, text, i, j), rtol=0, atol=2e-6 * width)
    every = _core.score_pairs(image, text, np.repeat(np.arange(5), 300).astype(np.int32),
                              np.tile(np.arange(300), 5).astype(np.int32)).reshape(5, 300)
    best = every[:, 7].copy()
    better, equal = _core.score_ranks(image, text, best)
    np.testing.assert_array_equal(np.stack([better, equal]), np.stack(twin.ranks(every, best)))
    assert (equal >= 1).all()  # the counters see the same bits as the pairs
    backward, _ = _core.score_ranks(text, image, every[2].copy())
    np.testing.assert_array_equal(backward, twin.ranks(every.T, every[2])[0])


def test_scores_refuse():
    x = np.ones((2, 3), np.float32)
    one = np.zeros(1, np.int32)
    with pytest.raises(ValueError, match="names image row 2 of 2"):
        _core.score_pairs(x, x, np.array([2], np.int32), one)
    with pytest.raises(ValueError, match="names text row -1 of 2"):
        _core.score_pairs(x, x, one, np.array([-1], np.int32))
    with pytest.raises(ValueError, match=r"text must have shape \(M,E\)"):
        _core.score_pairs(x, x[:, :2].copy(), one, one)
    with pytest.raises(TypeError, match="float32"):
        _core.score_pairs(x.astype(float), x, one, one)
    assert _core.score_pairs(x, x, one[:0], one[:0]).shape == (0,)


def test_resample_matches_twin_and_threads():
    x = np.random.default_rng(0).random((17, 3))
    want = twin.resample(x, 9, 2**63 + 5)
    try:
        for threads in (1, 2, 4):
            _core.set_threads(threads)
            np.testing.assert_array_equal(_core.resample(x, 9, 2**63 + 5), want)
    finally:
        _core.set_threads(0)


# --- golden figures


def test_golden_sugarcrepe(golden):
    figures = scoring.summarise(golden, types=TYPES)
    for name, (right, rows, error, pictures, *_) in SUGARCREPE.items():
        f = figures[name]
        assert (round(f.strict * f.rows), f.rows, f.pictures) == (right, rows, pictures), name
        assert f.value == f.strict == f.lenient == pytest.approx(right / rows, abs=1e-12)
        assert 100 * f.error == pytest.approx(error, abs=5e-5), name
    percent = {name: 100 * f.value for name, f in figures.items()}
    assert percent["micro"] == pytest.approx(76.5575, abs=5e-5)
    assert percent["macro"] == pytest.approx(73.0769, abs=5e-5)
    assert percent["type_macro"] == pytest.approx(71.91, abs=5e-3)
    assert percent["type_micro"] == pytest.approx(73.04, abs=5e-3)
    for kind, right, rows in (("add", 2068, 2754), ("replace", 3106, 3846), ("swap", 577, 912)):
        assert (round(figures[kind].value * rows), figures[kind].rows) == (right, rows)
    assert 100 * (figures["micro"].high - figures["micro"].low) / 3.92 == pytest.approx(0.53, abs=0.03)
    assert figures["micro"].low < figures["micro"].value < figures["micro"].high


def test_golden_without_the_row_removed_later(golden):
    swap = [n for n, r in enumerate(golden) if r["subset"] == "swap_obj"]
    assert golden[swap[108]]["image"] == "000000310622.jpg"
    figures = scoring.summarise([r for n, r in enumerate(golden) if n != swap[108]], bootstrap=0)
    assert [round(figures[n].value * figures[n].rows) for n in ("micro", "swap_obj")] == [5750, 150]
    assert (figures["micro"].rows, figures["swap_obj"].rows) == (7511, 245)
    assert 100 * figures["macro"].value == pytest.approx(73.0544, abs=5e-5)


def test_golden_local_rows(golden, local):
    right = {(r["filename"], r["caption"], r["negative_caption"]): r["correct"] for r in golden}
    read = benchmarks.read("sugarcrepe", **local)
    rows = [{"subset": i.subset, "image": i.name, "correct": right[(i.name, *i.captions)]} for i in read.items]
    figures = scoring.summarise(rows, bootstrap=0)
    assert {n: (round(figures[n].value * figures[n].rows), figures[n].rows) for n in LOCAL} == LOCAL
    assert (round(figures["micro"].value * 276), figures["micro"].rows) == (202, 276)


def test_golden_bivlc(shared):
    rows = table(shared / "golden" / "bivlc_vit_b_32.csv")
    right = dict(text_score_i0=2473, text_score_i1=2625, image_score_c0=2030, image_score_c1=2429, text_score=2224,
                 image_score=1537, group_score=1439)
    for column, count in right.items():
        figures = scoring.summarise([{"subset": f"{r['type']}_{r['subtype']}", "correct": r[column]} for r in rows],
                                    bootstrap=0)
        assert round(figures["micro"].value * 2933) == count, column
    group = {name: round(f.value * f.rows) for name, f in figures.items()}
    assert {n: group[n] for n in ("replace_obj", "replace_att", "replace_rel", "add_obj", "add_att", "swap_obj",
                                  "swap_att")} == dict(replace_obj=881, replace_att=198, replace_rel=123, add_obj=171,
                                                       add_att=17, swap_obj=8, swap_att=41)
    # the same conjunctions from scores that agree with the four columns; a cycle of four strict relations has none
    flags = np.array([[r[c] == "True" for c in list(right)[:4]] for r in rows])
    scores = {}
    for s in np.random.default_rng(0).permuted(np.tile(np.arange(4.0), (500, 1)), axis=1):
        scores[s[0] > s[1], s[3] > s[2], s[0] > s[2], s[3] > s[1]] = s
    credit = scoring.two_by_two(np.array([scores[tuple(f)] for f in flags]))
    assert [int(credit[n].strict.sum()) for n in ("text", "image", "group")] == [2224, 1537, 1439]


def test_golden_version_hashes(shared, local):
    assert benchmarks.read("sugarcrepe", **local).version == (
        "04bade58e44502caa911a2fc0f2b3dd1702c2728da907f3302be2e3453450262")
    lines = []
    for name in ("replace_obj", "replace_att", "replace_rel", "swap_obj", "swap_att"):
        rows = json.loads((shared / "sugarcrepe_pp" / f"{name}.json").read_text("utf-8"))
        lines += [[f"sugarcrepe_pp/{name}", str(r["id"]), r["filename"], r["caption"], r["caption2"],
                   r["negative_caption"]] for r in sorted(rows, key=lambda r: r["id"])]
    assert len(lines) == 173
    assert benchmarks.version(lines) == "dc6d036a6ef30186f57fb49657fd4570bf3b491394bacdcdfb188a7456a75415"


@pytest.fixture(scope="module")
def tokenizer(shared):
    return vn.Tokenizer.from_file(shared / "clip" / "bpe_simple_vocab_16e6.txt.gz")


def test_golden_fewer_tokens(golden, tokenizer):
    texts = list(dict.fromkeys(t for r in golden for t in (r["caption"], r["negative_caption"])))
    assert len(texts) == 11846
    tokens = dict(zip(texts, np.diff(tokenizer.pack(texts)[1]).tolist(), strict=True))
    rows = [{"subset": r["subset"], "image": r["image"],
             "scores": (-tokens[r["caption"]], -tokens[r["negative_caption"]])} for r in golden]
    figures = scoring.summarise(rows, bootstrap=0)
    for name, (*_, win, tie, lose) in SUGARCREPE.items():
        f = figures[name]
        assert (round(f.strict * f.rows), f.ties, round((1 - f.lenient) * f.rows)) == (win, tie, lose), name
    assert [100 * getattr(figures["micro"], rule) for rule in ("strict", "half", "lenient")] == pytest.approx(
        [54.0469, 72.3376, 90.6283], abs=5e-5)
    for rule in scoring.TIES:
        figure = scoring.summarise(rows, ties=rule, bootstrap=0)["micro"]
        assert figure.value == getattr(figure, rule)


def test_golden_retrieval_with_ties(shared, tokenizer):
    coco = json.loads((shared / "coco" / "captions.json").read_text("utf-8"))
    said = {i: [] for i in sorted(i["id"] for i in coco["images"])}
    for a in sorted(coco["annotations"], key=lambda a: a["id"]):
        said[a["image_id"]].append(a["caption"])
    texts = [c for captions in said.values() for c in captions]
    ids, offsets = tokenizer.pack(texts)
    sets = [set(ids[a + 1:b - 1].tolist()) for a, b in itertools.pairwise(offsets)]
    pictures, gallery = sets[::5], [s for n, s in enumerate(sets) if n % 5]
    overlap = np.array([[len(c & p) for p in pictures] for c in gallery])
    t2i = scoring.ranks(overlap, [[n // 4] for n in range(472)])
    i2t = scoring.ranks(overlap.T, [range(4 * n, 4 * n + 4) for n in range(118)])
    want = {1: (121, 153.7314, 228, 52, 79), 5: (236, 280.5967, 353, 87, 112), 10: (285, 323.6424, 387, 97, 116)}
    for k, (*t, strict, lenient) in want.items():
        credit = scoring.recall(*t2i, k=k)
        assert [credit.strict.sum(), credit.half.sum(), credit.lenient.sum()] == pytest.approx(t, abs=5e-5)
        credit = scoring.recall(*i2t, k=k)
        assert [credit.strict.sum(), credit.lenient.sum()] == [strict, lenient]


# --- rules by hand


def test_two_by_two_is_not_its_transpose():
    right_text = np.array([[0.9, 0.1], [0.95, 0.96]])
    for scores, names in ((right_text, ("text",)), (right_text.T, ("image",))):
        credit = scoring.two_by_two(scores[None])
        for name in ("text", "image", "group"):
            assert credit[name].strict.tolist() == credit[name].half.tolist() == [float(name in names)]


def test_all_equal():
    pair = scoring.caption_choice(np.full((1, 2), 0.5))
    assert [pair.strict[0], pair.half[0], pair.lenient[0]] == [0, 0.5, 1]
    four = scoring.two_by_two(np.full((1, 4), 0.5))
    assert [four[n].half[0] for n in four] == pytest.approx([1 / 4, 1 / 4, 1 / 6])
    assert all(c.strict[0] == 0 and c.lenient[0] == 1 and c.first[0] == 0 for c in four.values())


def test_half_is_the_share_of_orders():
    rng = np.random.default_rng(0)
    noise = rng.random((20000, 4))
    for scores in ([0, 0, 1, 1], [1, 0, 1, 1], [0, 1, 0, 0], [2, 1, 2, 2]):
        drawn = scoring.two_by_two(np.array(scores) + 1e-3 * noise)
        half = scoring.two_by_two([scores])
        for name in half:
            assert drawn[name].strict.mean() == pytest.approx(half[name].half[0], abs=0.015)
    for better, equal, tied, k in ((0, 3, 2, 2), (2, 4, 3, 5), (1, 2, 2, 1), (0, 1, 1, 5)):
        base = np.r_[np.ones(better), np.zeros(equal + tied)]
        scores = base + 1e-3 * rng.random((20000, len(base)))
        answers = range(better + equal, len(base))
        drawn = scoring.recall(*scoring.ranks(scores, [answers] * len(scores)), k=k).strict.mean()
        assert drawn == pytest.approx(scoring.recall([better], [equal], [tied], k=k).half[0], abs=0.015)


def test_options_in_any_order():
    scores = np.random.default_rng(0).integers(0, 4, (50, 5)).astype(float)
    shuffled = scores[:, [0, 3, 1, 4, 2]]
    for rule in ("strict", "half", "lenient", "ties"):
        np.testing.assert_array_equal(getattr(scoring.caption_choice(scores), rule),
                                      getattr(scoring.caption_choice(shuffled), rule))
    padded = np.c_[scores, np.full(50, -np.inf)]
    np.testing.assert_array_equal(scoring.image_choice(padded).half, scoring.image_choice(scores).half)


def test_swapped_columns_give_the_rest():
    scores = np.random.default_rng(0).random((50, 2))
    assert scoring.caption_choice(scores).strict.mean() + scoring.caption_choice(scores[:, ::-1]).strict.mean() == 1


def test_rules_refuse():
    for scores, words in (([[1.0]], "at least one false option"), ([[1, math.nan]], "1 of the scores are NaN"),
                          ([["a", "b"]], "array of numbers"), ([[-math.inf, 0]], "must be finite")):
        with pytest.raises(ValueError, match=words):
            scoring.caption_choice(scores)
    with pytest.raises(ValueError, match=r"\(N, 2, 2\)"):
        scoring.two_by_two(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"positives\[0\]"):
        scoring.ranks([[1.0, 2.0]], [[2]])
    with pytest.raises(ValueError, match=r"positives\[0\]"):
        scoring.ranks([[1.0, 2.0]], [[]])
    with pytest.raises(ValueError, match="one shape"):
        scoring.recall([0, 1], [0])
    with pytest.raises(ValueError, match="ranks do not keep"):
        scoring.recall([0], [0]).under("first")
    for rows, words in (([], "no rows"), ([{"subset": "a"}], "row 0 has neither"),
                        ([{"correct": "yes"}], "must be 0, 1, True or False"), ([{"correct": 7}], "got 7"),
                        ([{"subset": "micro", "correct": 1}], "name of a mean")):
        with pytest.raises(ValueError, match=words):
            scoring.summarise(rows)
    with pytest.raises(ValueError, match="ties must be one of"):
        scoring.summarise([{"correct": 1}], ties="loose")


def test_empty_tables_and_single_options_are_refused():
    for rule in (scoring.caption_choice, scoring.image_choice, scoring.two_by_two):
        with pytest.raises(ValueError, match="at least one row"):
            rule(np.zeros((0, 4)))
    with pytest.raises(ValueError, match="at least one false"):
        scoring.summarise([{"scores": [0.5]}])
    with pytest.raises(ValueError, match="no rows"):
        scoring.recalls([])
    with pytest.raises(ValueError, match="row 1 of the retrieval table has no 'ties'"):
        row = {"subset": "i2t", "image": "a", "rank": 1}
        scoring.recalls([{**row, "ties": 0}, row])


def test_interval_depends_on_the_seed_alone():
    rng = np.random.default_rng(0)
    rows = [{"subset": "ab"[n % 2], "image": n // 3, "correct": int(rng.integers(2))} for n in range(90)]
    first = scoring.summarise(rows, seed=3)
    assert scoring.summarise(rows, seed=3) == first
    assert scoring.summarise(rows, seed=4)["micro"].low != first["micro"].low or (
        scoring.summarise(rows, seed=4)["macro"].high != first["macro"].high)
    assert math.isnan(scoring.summarise(rows, bootstrap=0)["micro"].low)
    # by hand from the twin's draws
    x = np.zeros((30, 2))
    for row in rows:
        x[row["image"]] += row["correct"], 1
    drawn = twin.resample(x, 2000, 3)
    assert (first["micro"].low, first["micro"].high) == pytest.approx(
        tuple(np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])), abs=1e-12)


# --- readers


def write(folder, **tables):
    folder.mkdir(exist_ok=True)
    for name, content in tables.items():
        (folder / f"{name}.json").write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return folder


def row(filename="a.jpg", caption="a dog", negative="a cat"):
    return {"filename": filename, "caption": caption, "negative_caption": negative}


def test_sugarcrepe_reads_gaps_and_some_files(tmp_path):
    folder = write(tmp_path / "s", swap_obj={"10": row(caption="b \n"), "9": row(), "2": row()}, add_att={"7": row()})
    read = benchmarks.read("sugarcrepe", annotations=folder, images=tmp_path)
    assert [(i.subset, i.key) for i in read.items] == [("add_att", "7"), ("swap_obj", "2"), ("swap_obj", "9"),
                                                       ("swap_obj", "10")]
    assert read.items[-1].captions == ("b \n", "a cat")
    assert set(read.absent) == set(SUBSETS) - {"add_att", "swap_obj"}


@pytest.mark.parametrize("content, words", [
    ("[]", "one JSON object"), ("{", "not a JSON file"), ("[" * 100000, "not a JSON file"),
    ('{"1": {}, "1": {}}', "stands twice"), ({"x": row()}, "rows' numbers"), ({"9" * 5000: row()}, "rows' numbers"),
    ({"1": []}, "must have the text 'filename'"), ({"1": {"filename": "a.jpg", "caption": 3}}, "the text 'caption'"),
    ({"1": row("../a.jpg")}, "inside the folder"), ({"1": row("/etc/passwd")}, "inside the folder"),
    ({"1": row("..\\a.jpg")}, "inside the folder"), ({"1": row("")}, "inside the folder"),
    ({"1": row("a\tb.jpg")}, "inside the folder"), ({"1": row("..")}, "inside the folder"),
    ('{"1": {"filename": "a.jpg", "caption": "\\ud800", "negative_caption": "b"}}', "the text 'caption'"),
])
def test_sugarcrepe_refuses_hostile_files(tmp_path, content, words):
    folder = write(tmp_path / "s", swap_obj=content)
    with pytest.raises(ValueError, match=words):
        benchmarks.read("sugarcrepe", annotations=folder, images=tmp_path)


def test_readers_refuse(tmp_path):
    with pytest.raises(ValueError, match="did you mean 'sugarcrepe'"):
        benchmarks.read("sugar_crepe")
    with pytest.raises(ValueError, match="needs annotations="):
        benchmarks.read("sugarcrepe", annotations=tmp_path)
    with pytest.raises(FileNotFoundError, match="images must be a folder"):
        benchmarks.read("sugarcrepe", annotations=tmp_path, images=tmp_path / "none")
    write(tmp_path / "data", swap_obj={})
    with pytest.raises(FileNotFoundError, match="holds none of .*data does"):
        benchmarks.read("sugarcrepe", annotations=tmp_path, images=tmp_path)
    (tmp_path / "data" / "swap_obj.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="not a JSON file"):
        benchmarks.read("sugarcrepe", annotations=tmp_path / "data", images=tmp_path)
    with pytest.raises(ValueError, match="needs data="):
        benchmarks.read("retrieval")
    with pytest.raises(ValueError, match="not both"):
        benchmarks.read("retrieval", data=samples(), images=tmp_path)


# --- the evaluator


@pytest.fixture(scope="module")
def measured(local):
    model = Colour()
    return model, vn.evaluate(model, "sugarcrepe", **local)


def test_each_input_is_encoded_once(measured, local):
    model, result = measured
    items = benchmarks.read("sugarcrepe", **local).items
    assert model.images == len({i.name for i in items}) == 52
    assert len(model.texts) == len(set(model.texts)) == result.record["captions"]["distinct"]
    assert len(model.texts) == len({tuple(c.split()) for i in items for c in i.captions})


def test_scores_are_the_models(measured, local):
    model, result = measured
    items = benchmarks.read("sugarcrepe", **local).items
    assert [(r["subset"], r["key"], r["image"]) for r in result.rows] == [(i.subset, i.key, i.name) for i in items]
    for item, r in list(zip(items, result.rows, strict=True))[::23]:
        v = model.encode_image(model.preprocess([Image.open(item.picture)]), True)
        np.testing.assert_allclose(r["scores"], (v @ model.encode_text(list(item.captions), True).T)[0], atol=1e-6)
        assert r["correct"] == int(r["scores"][0] > r["scores"][1])
    assert result["swap_obj"] == np.mean([r["correct"] for r in result.rows if r["subset"] == "swap_obj"])
    assert {n: result.figures[n].rows for n in LOCAL} == {n: rows for n, (_, rows) in LOCAL.items()}
    assert result["macro"] == pytest.approx(np.mean([result[n] for n in LOCAL]))


def test_result_is_recomputed_from_its_table(measured, tmp_path):
    _, result = measured
    result.save(tmp_path)
    rows = table(tmp_path / "examples.tsv") and list(csv.DictReader(
        (tmp_path / "examples.tsv").read_text("utf-8").splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert list(rows[0]) == ["subset", "key", "image", "scores", "correct", "ties"]
    for r in rows:
        r["scores"] = [float(s) for s in r["scores"].split(",")]
    assert scoring.summarise(rows, types=TYPES) == result.figures
    scored = np.array([r["scores"] for r in rows])
    np.testing.assert_array_equal(scored.astype(np.float32), np.array([r["scores"] for r in result.rows], np.float32))
    record = json.loads((tmp_path / "result.json").read_text("utf-8"))
    assert record["figures"]["macro"]["value"] == result["macro"]
    assert record["benchmark"]["version"].startswith("04bade58")
    assert record["metric"]["ties"] == "strict" and record["metric"]["pictures"] == 52
    assert not list(tmp_path.glob("*.part"))


def test_result_shows_itself(measured):
    _, result = measured
    text = result.table()
    assert text.count("\n") >= len(result) + 1
    for name, figure in result.figures.items():
        assert f"{100 * figure.strict:.2f}" in next(line for line in text.splitlines() if line.startswith(name + " "))
    assert "fewer tokens" in text and "chance: 50.00" in text
    assert result._repr_html_().count("<tr>") == len(result) + 1
    assert set(result) >= {"swap_obj", "macro", "micro", "swap", "type_macro"}
    with pytest.raises(KeyError, match="did you mean 'swap_obj'"):
        result["swap_object"]


def test_batches_change_nothing(measured, local):
    _, result = measured
    again = vn.evaluate(Colour(), "sugarcrepe", **local, batch=7, bootstrap=10)
    assert [r["correct"] for r in again.rows] == [r["correct"] for r in result.rows]
    np.testing.assert_allclose([r["scores"] for r in again.rows], [r["scores"] for r in result.rows], atol=1e-6)


def test_a_constant_model_gets_nothing(local):
    result = vn.evaluate(Colour(constant=True), "sugarcrepe", **local, bootstrap=0)
    figure = result.figures["micro"]
    assert (figure.strict, figure.half, figure.lenient, figure.ties) == (0, 0.5, 1, 276)
    assert vn.evaluate(Colour(constant=True), "sugarcrepe", **local, bootstrap=0, ties="first")["micro"] == 1


def test_missing_and_unreadable_pictures(local, tmp_path):
    some = sorted(local["images"].iterdir())
    read = benchmarks.read("sugarcrepe", **local)
    gone, broken = read.items[0].name, next(i.name for i in read.items if i.name != read.items[0].name)
    for path in some:
        if path.name == broken:
            (tmp_path / broken).write_bytes(path.read_bytes()[:500])
        elif path.name != gone:
            shutil.copy(path, tmp_path)
    result = vn.evaluate(Colour(), "sugarcrepe", annotations=local["annotations"], images=tmp_path, bootstrap=0)
    count = {name: sum(i.name == name for i in read.items) for name in (gone, broken)}
    assert result.record["benchmark"]["left_out"] == {"missing image": count[gone],
                                                      "unreadable image": count[broken]}
    assert len(result.rows) == 276 - count[gone] - count[broken] == result.figures["micro"].rows
    assert f"left out: {count[gone]}, missing image" in result.table()
    model = Colour()
    with pytest.raises(FileNotFoundError, match=gone):
        vn.evaluate(model, "sugarcrepe", annotations=local["annotations"], images=tmp_path, missing="error")
    assert model.images == 0
    shutil.copy(local["images"] / gone, tmp_path)
    with pytest.raises(ValueError, match=broken):
        vn.evaluate(model, "sugarcrepe", annotations=local["annotations"], images=tmp_path, missing="error")
    (tmp_path / "none").mkdir()
    with pytest.raises(FileNotFoundError, match="none is left"):
        vn.evaluate(model, "sugarcrepe", annotations=local["annotations"], images=tmp_path / "none")


def test_empty_and_equal_captions_and_equal_pictures(tmp_path):
    picture = io.BytesIO()
    Image.new("RGB", (9, 5), (200, 10, 60)).save(picture, "PNG")
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(picture.getvalue())
    folder = write(tmp_path / "s", add_obj={"0": row("a.png", "x y", " x  y "), "1": row("b.png", "x", " \n"),
                                            "2": row("b.png", "x", "x y"), "3": row("a.png", "one " * 90, "one " * 76)})
    model = Colour()
    result = vn.evaluate(model, "sugarcrepe", annotations=folder, images=tmp_path)
    assert result.record["benchmark"]["left_out"] == {"empty caption": 1}
    assert result.record["metric"]["unwinnable"] == ["add_obj/0", "add_obj/3"]
    assert result.record["captions"]["truncated"] == 2
    assert model.images == 1 and result.record["metric"]["pictures"] == 1
    assert math.isnan(result.figures["micro"].error)
    assert [r["ties"] for r in result.rows] == [1, 0, 1]


def test_swapped_columns_are_suspected(local, tmp_path, caplog):
    rows = json.loads((local["annotations"] / "add_obj.json").read_text("utf-8"))
    swapped = {k: row(r["filename"], r["negative_caption"], r["caption"]) for k, r in rows.items()}
    model = Colour()  # prefers short captions
    model.encode_image = lambda x, normalize: np.tile(np.float32([1, 0]), (len(x), 1))
    model.encode_text = lambda texts, normalize: np.float32([[1 / len(t), 0] for t in texts])
    for table, warned in ((rows, False), (swapped, True)):
        vn.evaluate(model, "sugarcrepe", annotations=write(tmp_path / "s", add_obj=table), images=local["images"])
        assert ("swapped" in caplog.text) == warned


def test_retrieval():
    data = samples()
    model = Colour()
    result = vn.evaluate(model, "retrieval", data=data)
    assert model.images == 6 and len(model.texts) == 12
    v = np.concatenate([model.encode_image(model.preprocess([Image.fromarray(s.image)]), True) for s in data])
    t = model.encode_text([c for s in data for c in s.captions], True)
    scores = v.astype(float) @ t.T.astype(float)
    for k in (1, 5, 10):
        credit = scoring.recall(*scoring.ranks(scores, [[2 * n, 2 * n + 1] for n in range(6)]), k=k)
        assert result[f"i2t_r{k}"] == credit.strict.mean()
        credit = scoring.recall(*scoring.ranks(scores.T, [[n // 2] for n in range(12)]), k=k)
        assert result[f"t2i_r{k}"] == credit.strict.mean()
    assert list(result) == [f"{way}_r{k}" for way in ("i2t", "t2i") for k in (1, 5, 10)]
    assert [r["key"] for r in result.rows][-2:] == ["5:0", "5:1"]


def test_retrieval_ties_and_table(tmp_path):
    data = samples(4, 3)
    data[1].captions = data[0].captions  # another picture's very words: equal scores, a wrong candidate
    result = vn.evaluate(Colour(), "retrieval", data=data, out=tmp_path)
    by = {(r["subset"], r["key"]): r for r in result.rows}
    assert all(by["i2t", k]["ties"] >= 1 and not by["i2t", k]["correct"] for k in "01")
    constant = vn.evaluate(Colour(constant=True), "retrieval", data=data).figures
    assert (constant["t2i_r1"].strict, constant["t2i_r1"].half, constant["t2i_r1"].lenient) == (0, 0.25, 1)
    assert constant["i2t_r1"].half == pytest.approx(0.25) and constant["t2i_r5"].strict == 1
    rows = list(csv.DictReader((tmp_path / "examples.tsv").read_text("utf-8").splitlines(), delimiter="\t"))
    again = scoring.summarise(scoring.recalls(rows), averages=False)
    assert {n: (f.strict, f.half, f.lenient, f.low) for n, f in again.items()} == {
        n: (f.strict, f.half, f.lenient, f.low) for n, f in result.figures.items()}
    assert "t2i_r10" in result.table() and "chance" not in result.table()


def test_retrieval_joins_samples_of_a_picture_and_drops_empty_captions():
    data = samples(3, 2)
    data[2].group, data[2].captions = 0, (data[0].captions[0], "further words")
    data[1].captions = ("", "words")
    result = vn.evaluate(Colour(), "retrieval", data=data)
    assert [r["subset"] for r in result.rows] == ["i2t"] * 2 + ["t2i"] * 4
    assert result.record["benchmark"]["left_out"] == {"empty caption": 1}
    with pytest.raises(ValueError, match="no example is left"):
        vn.evaluate(Colour(), "retrieval", data=[SimpleNamespace(**{**vars(data[1]), "captions": (" ",)})])


def test_evaluate_refuses(local):
    for change, words in ((dict(batch=0), "batch must be"), (dict(batch=1.5), "batch must be"),
                          (dict(missing="drop"), "'skip' or 'error'"), (dict(ties="no"), "ties must be"),
                          (dict(bootstrap=-1), "bootstrap must be")):
        with pytest.raises(ValueError, match=words):
            vn.evaluate(Colour(), "sugarcrepe", **local, **change)
    with pytest.raises(TypeError, match="object has no preprocess"):
        vn.evaluate(object(), "sugarcrepe", **local)
    with pytest.raises(ValueError, match="ranks do not keep"):
        vn.evaluate(Colour(), "retrieval", data=samples(), ties="first")
    model = Colour()
    model.tokenizer = None
    with pytest.raises(ValueError, match="has no tokenizer"):
        vn.evaluate(model, "retrieval", data=samples())
    model = Colour()
    model.words[:] = np.nan
    with pytest.raises(ValueError, match="encode_text gives NaN"):
        vn.evaluate(model, "retrieval", data=samples())
