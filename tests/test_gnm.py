"""GNM's pipeline: model-free parts against plain formulas, stages that survive a kill, records, batches, plug-ins."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import gnm_run
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import vlmneg as vn
from vlmneg.gnm import pipeline, rewriting, standins, windows

HERE = Path(__file__).parent


def contents(folder, part):
    """Path -> bytes of what a run made."""
    root = Path(folder) / part
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


# ---- model-free parts

boxes = st.lists(st.tuples(*[st.integers(0, 20)] * 4, st.integers(0, 5)), max_size=12)


@given(boxes, st.sampled_from([0.0, 0.25, 0.5, 1.0]))
def test_nms_is_the_greedy_rule(rows, iou):
    b = np.array([[min(x, z), min(y, w), max(x, z), max(y, w)] for x, y, z, w, _ in rows], float).reshape(-1, 4)
    scores = np.array([r[4] for r in rows], float)

    def overlap(i, j):
        w = min(b[i, 2], b[j, 2]) - max(b[i, 0], b[j, 0])
        h = min(b[i, 3], b[j, 3]) - max(b[i, 1], b[j, 1])
        both = max(w, 0) * max(h, 0)
        area = [(x[2] - x[0]) * (x[3] - x[1]) for x in (b[i], b[j])]
        return both > iou * (area[0] + area[1] - both)

    left, kept = sorted(range(len(b)), key=lambda i: (-scores[i], i)), []
    while left:
        kept.append(left.pop(0))
        left = [j for j in left if not overlap(kept[-1], j)]
    assert windows.nms(b, scores, iou=iou) == kept


@given(st.integers(1, 90), st.integers(1, 90), st.data())
@settings(max_examples=60, deadline=None)
def test_window_mask_and_paste(h, w, data):
    top, left = data.draw(st.integers(0, h - 1)), data.draw(st.integers(0, w - 1))
    bottom, right = data.draw(st.integers(top + 1, h)), data.draw(st.integers(left + 1, w))
    size, feather = data.draw(st.sampled_from([8, 32, 64])), data.draw(st.integers(0, 9))
    mask = np.zeros((h, w), bool)
    mask[top:bottom, left:right] = True
    window = windows.crop_window(mask, size=size)
    assert window.side == max(size, bottom - top, right - left)
    for start, stop, at, length in ((left, right, window.left, w), (top, bottom, window.top, h)):
        assert at <= start and stop <= at + window.side                         # the mask is inside
        if window.side <= length:
            assert 0 <= at <= length - window.side                              # the window is inside the picture
            assert at in (0, length - window.side) or abs(2 * at + window.side - start - stop) <= 1     # or centred
        else:
            assert abs(2 * at + window.side - length) <= 1
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (h, w, 3)).astype(np.uint8)
    square = np.asarray(windows.cut(picture, window, window.side))
    there = np.asarray(windows.cut(mask, window, window.side)) != 0
    assert there.sum() == mask.sum()
    again = windows.paste(picture, square, mask, window, feather=feather)
    assert np.array_equal(again, picture)                                       # what was cut fits where it was
    painted = windows.paste(picture, 255 - square, mask, window, feather=feather)
    assert np.array_equal(painted[mask], 255 - picture[mask])
    y, x = np.ogrid[:h, :w]
    near = (y >= top - feather) & (y < bottom + feather) & (x >= left - feather) & (x < right + feather)
    assert np.array_equal(painted[~near], picture[~near])


def test_window_of_an_ordinary_mask_is_the_paper_s():
    mask = np.zeros((700, 900), bool)
    mask[600:690, 100:300] = True
    assert windows.crop_window(mask) == (0, 188, 512)
    mask[:] = False
    mask[300:310, 400:410] = True
    assert windows.crop_window(mask) == (149, 49, 512)
    with pytest.raises(ValueError, match="empty"):
        windows.crop_window(np.zeros((5, 5), bool))


@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_variation_area_is_the_formula(n, seed):
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, rng.integers(20, 256), (n, 9, 7, 3)).astype(np.uint8)
    share = (pictures.astype(np.float64).std(0).mean(-1) > 10).mean() * 100
    assert vn.gnm.variation_area(pictures) == pytest.approx(share, abs=1e-12)
    assert vn.gnm.variation_area(pictures[::-1]) == vn.gnm.variation_area(pictures)


def test_variation_area_by_hand():
    """Two pictures, one channel 20 apart: deviation 10 there, mean 10/3; all three channels 21 apart: 10.5 > 10."""
    a = np.zeros((2, 2, 3), np.uint8)
    b = a.copy()
    b[0, 0, 0] = 20
    b[0, 1] = 20
    b[1, 0] = 21
    assert vn.gnm.variation_area([a, b]) == 25.0
    with pytest.raises(ValueError, match="one shape"):
        vn.gnm.variation_area([a, a[:1]])


def test_filter_is_strict():
    reason = vn.gnm.scores.reason
    assert reason([0.1, -0.1], 15) == "mean match logit not above 0"
    assert reason([0.1], 14.0) == "variation area not above 14"
    assert reason([0.1], 14.0001) is None
    assert reason([], 99) == "no caption"


@pytest.mark.parametrize("caption, item, short, want", [
    ("A brown dog on a sofa.", "dog", "orange fox", "An orange fox on a sofa."),
    ("A woman with an orange hat", "man", "tall robot", None),
    ("A woman with an orange hat", "hat", "green hat", "A woman with a green hat"),
    ("Two dogs on the bed", "dogs", "red fox", "Two red foxes on the bed"),
    ("A dog and the dog's owner", "dog", "wise owl", "A wise owl and the wise owl's owner"),
    ("dog-house by a DOG", "dog", "cat", "dog-house by a cat"),
    ("A hot dog on a plate", "hot dog", "green salad", "A green salad on a plate"),
    ("A red and green bucket", "bucket", "old chair", "An old chair"),
    ("The dog sleeps, his dog barks", "dog", "grey cat", "The grey cat sleeps, his grey cat barks"),
    ("a dog", "dog", "the king", "the king"),
    ("Dog!", "dog", "white cat", "White cat!"),
    ("naïve café dog!", "dog", "cat", "cat!"),
])  # fmt: skip
def test_rewriting(caption, item, short, want):
    got = rewriting.rewrite(caption, item, short)
    assert got == want


def test_rewriting_keeps_to_the_smallest_phrase_of_a_parser():
    text = "the dog near the old tree"

    def parse(caption):
        return [(0, len(caption)), (0, 7), (4, 7), (13, 25)]

    assert rewriting.rewrite(text, "dog", "cat", parse=parse) == "the cat near the old tree"
    assert rewriting.rewrite(text, "tree", "red post", parse=parse) == "the dog near the red post"


@given(st.text(max_size=60), st.text(min_size=1, max_size=12), st.text(min_size=1, max_size=12))
@settings(deadline=None)
def test_rewriting_any_text(caption, item, short):
    spans = rewriting.phrases(caption)
    assert all(0 <= a < b <= len(caption) for a, b in spans)
    assert all(b <= c for (_, b), (c, _) in zip(spans, spans[1:], strict=False))
    if item.strip() and short.strip():
        new = rewriting.rewrite(f"{caption} {item}", item, short)
        assert new is None or isinstance(new, str)


def test_captions_of_a_variation():
    made = vn.gnm.captions_of("a dog on a mat", ["A dog!", "a dog", "The mat is red", "A woman."], "dog", "brown cat")
    assert made == ["a brown cat on a mat", "A brown cat!"]                     # the third says the same as the second
    assert vn.gnm.captions_of("a red mat", ["A mat"], "dog", "cat") == ["a red mat and cat"]
    # a rewrite that is one of the photograph's own captions is true of it
    assert vn.gnm.captions_of("a dog", ["A cat"], "dog", "cat") == ["a dog and cat"]
    long = "very " * 60 + "old dog"
    assert vn.gnm.captions_of("a dog", [long], "dog", "cat") == ["a cat"]       # nobody reads the 62nd word
    assert vn.gnm.clean('A "big" dog; (red)!') == "a big dog red"


# ---- the run

@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing interrupted: its folder, its counts, its summary."""
    folder = tmp_path_factory.mktemp("whole")
    summary = gnm_run.run(folder / "out", folder / "counts")
    return folder / "out", folder / "counts", summary


def test_whole_run(whole):
    out, counts, summary = whole
    assert list(summary.stages) == list(pipeline.STAGES)
    assert summary.stages["inpaint"]["computed"] == 3 * 2 * 4 and not summary.failures
    records = json.loads((out / "records.json").read_text())
    assert summary.kept == len(records) > 8
    for r in records:
        assert len(r["captions"]) == len(r["itm_score"]) > 0
        assert np.mean(r["itm_score"]) > 0 and r["iva_score"] > 1
        assert (out / "pictures" / r["save"]).is_file() and (out / "pictures" / r["origin_save"]).is_file()
        assert r["name"].split(":")[1:] == [r["item"], r["short"]]
        assert r["save"].split("/")[1:] == [r["item"], r["short"] + ".jpg"]
    assert str(summary).count("\n") == len(pipeline.STAGES) + 1
    assert Counter(Counter(counts.read_text().split("\n")[:-1]).values()).keys() == {1}


def test_again_computes_nothing(whole):
    out, counts, _ = whole
    before, files = counts.read_text(), contents(out, ".")
    summary = gnm_run.run(out, counts)
    assert counts.read_text() == before
    assert all(s["computed"] == 0 for name, s in summary.stages.items() if name != "filter")
    assert contents(out, ".") == files


@pytest.mark.parametrize("stage", gnm_run.STAGES)
def test_killed_in_the_middle_of_a_stage(stage, whole, tmp_path):
    out, counts = tmp_path / "out", tmp_path / "counts"
    n = {"tags": 3, "grounding": 7, "portrayals": 2, "mask": 3, "filter": 2}.get(stage, 6)
    killed = subprocess.run([sys.executable, HERE / "gnm_run.py", out, counts, stage, str(n)], check=False,
                            env={**os.environ, "PYTHONPATH": str(HERE.parent)}, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert not (out / "records.json").exists()
    gnm_run.run(out, counts)
    once = Counter(counts.read_text().split("\n")[:-1])
    once = Counter({k: n for k, n in once.items() if not k.startswith("filter")})
    assert set(once.values()) == {1}                                            # nothing is repeated
    assert once == Counter(whole[1].read_text().split("\n")[:-1])               # nothing is lost
    assert (out / "records.json").read_bytes() == (whole[0] / "records.json").read_bytes()
    assert contents(out, "pictures") == contents(whole[0], "pictures")
    assert not list(out.rglob(".*.tmp"))


def test_a_line_cut_off_is_computed_again(whole, tmp_path):
    out, counts = tmp_path / "out", tmp_path / "counts"
    gnm_run.run(out, counts)
    path = out / "inpaint" / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    next(iter((out / "mask").glob("*.png"))).unlink()
    summary = gnm_run.run(out, counts)
    assert summary.stages["inpaint"]["computed"] == 1 and summary.stages["mask"]["computed"] == 1
    assert (out / "records.json").read_bytes() == (whole[0] / "records.json").read_bytes()


@pytest.mark.parametrize("change, again", [
    ({"min_itm": 1.0}, set()), ({"min_area": 3}, set()), ({"area_threshold": 30}, {"score"}),
    ({"nms_iou": 0.5}, set()), ({"feather": 2}, {"paste"}), ({"quality": 60}, {"paste", "score"}),
])  # fmt: skip
def test_a_setting_changes_what_depends_on_it(change, again, whole, tmp_path):
    """The stand-in paints inside the mask only, so that a narrower feather gives the same pictures to score."""
    shutil.copytree(whole[0], tmp_path / "out")
    summary = gnm_run.run(tmp_path / "out", tmp_path / "counts", **change)
    assert {name for name, s in summary.stages.items() if s["computed"] and name != "filter"} == again


def test_another_plugin_version_is_another_answer(tmp_path):
    plugins = standins.plugins()
    small = vn.gnm.Settings(size=64)
    vn.gnm.run(gnm_run.photographs(1), tmp_path, **plugins, settings=small)
    plugins["inpainter"].version = "2"
    summary = vn.gnm.run(gnm_run.photographs(1), tmp_path, **plugins, settings=small)
    assert summary.stages["inpaint"]["computed"] == 4 and summary.stages["mask"]["computed"] == 0


def test_outside_the_feathered_mask_nothing_changes(tmp_path):
    """PNG: bit for bit. With the codec matched: away from the mask, variation and photograph decode to equal pixels."""
    photos = gnm_run.photographs(1)
    for codec in (False, True):
        out = tmp_path / str(codec)
        vn.gnm.run(photos, out, **standins.plugins(), settings=vn.gnm.Settings(size=64, min_area=0, match_codec=codec))
        records = json.loads((out / "records.json").read_text())
        assert records
        for r in records:
            made = np.asarray(Image.open(out / "pictures" / r["save"]))
            old = np.asarray(Image.open(out / "pictures" / r["origin_save"])) if codec else photos[0][0]
            changed = (made != old).any(2)
            mask = np.zeros(changed.shape, bool)
            mask[20:50, 30:60] = True
            far = ~(windows.soft(mask, 8 + (18 if codec else 0)) > 0)           # a JPEG block with halved colour
            assert changed[mask].mean() > 0.8 and not changed[far].any()


# ---- what goes wrong

def test_a_failure_does_not_stop_the_others(tmp_path):
    photos = gnm_run.photographs(3)
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"not a picture")
    plugins = standins.plugins()
    inner = plugins["inpainter"]

    def painter(picture, mask, prompt, seed):
        if seed % 4 == 0:
            raise RuntimeError("out of paint")
        return inner(picture, mask, prompt, seed)

    plugins["inpainter"] = painter
    with pytest.raises(vn.gnm.PipelineError, match=r"more than 1% failed in tags, inpaint.*bad\.jpg") as caught:
        vn.gnm.run([photos[0], (bad, ["a dog"]), photos[1], tmp_path / "gone.jpg"], tmp_path / "out", **plugins,
                   settings=vn.gnm.Settings(size=64, min_area=0))
    summary = caught.value.summary
    assert summary.kept > 0 and (tmp_path / "out" / "records.json").is_file()
    assert summary.stages["tags"]["failed"] == 2 and summary.stages["inpaint"]["failed"] >= 1
    lines = (tmp_path / "out" / "inpaint" / "failures.jsonl").read_text().splitlines()
    assert all(json.loads(x)["reason"] == "RuntimeError: out of paint" for x in lines)
    # a later run tries again, and is content with few failures
    plugins["inpainter"] = inner
    inner_again = vn.gnm.run([photos[0], photos[1]], tmp_path / "out", **plugins,
                             settings=vn.gnm.Settings(size=64, min_area=0))
    assert not inner_again.failures and not (tmp_path / "out" / "inpaint" / "failures.jsonl").exists()


def test_portrayals_that_cannot_be_used_drop_out(tmp_path):
    answers = {"red thing": [("", "x"), ("long", ""), ("one", "red fox")]}
    plugins = {**standins.plugins(), "writer": lambda sentence, item: answers[item]}
    summary = vn.gnm.run(gnm_run.photographs(1), tmp_path, **plugins)
    assert summary.stages["portrayals"]["dropped"] == {"fewer than two usable portrayals": 1} and summary.kept == 0
    hostile = [("a", "../../etc/passwd"), ("b", "<mask>"), ("c", "/"), ("d", "x" * 300), ("e", ".. con?*")]
    plugins["writer"] = lambda sentence, item: hostile
    plugins["matcher"] = lambda picture, caption: 1.0
    vn.gnm.run(gnm_run.photographs(1), tmp_path / "h", **plugins, settings=vn.gnm.Settings(min_area=-1, size=64))
    records = json.loads((tmp_path / "h" / "records.json").read_text())
    inside = (tmp_path / "h" / "pictures").resolve()
    assert len(records) == 3 and {r["item"] for r in records} == {"red thing"}
    assert all((inside / r["save"]).resolve().is_relative_to(inside) for r in records)


@pytest.mark.parametrize("name, plugin, match", [
    ("tagger", lambda p: "dog", "the tagger must give"), ("tagger", lambda p: ("dog", "a dog"), "the tagger must give"),
    ("grounder", lambda p, w: ([], []), "the grounder must give"),
    ("grounder", lambda p, w: ([[0, 0, 9, 9]], [1.0, 2.0], ["x"]), "1 boxes, 2 scores"),
    ("grounder", lambda p, w: ([[0, 0, 9, np.nan]], [1.0], ["x"]), "not finite"),
    ("writer", lambda s, i: ["a", "b"], "the writer must give"),
    ("segmenter", lambda p, b: np.ones((3, 3), bool), "mask has shape"),
    ("matcher", lambda p, c: float("nan"), "not finite"),
])  # fmt: skip
def test_plugins_that_answer_nonsense(name, plugin, match, tmp_path):
    plugins = {**standins.plugins(), name: plugin}
    with pytest.raises(vn.gnm.PipelineError, match=match) as caught:
        vn.gnm.run(gnm_run.photographs(1), tmp_path, **plugins, settings=vn.gnm.Settings(size=64))
    assert caught.value.summary.kept == 0


def test_two_runs_in_one_folder_are_refused(tmp_path):
    from vlmneg.gnm.stages import alone

    with alone(tmp_path), pytest.raises(RuntimeError, match="another run is at work"):
        vn.gnm.run(gnm_run.photographs(1), tmp_path, **standins.plugins())


@pytest.mark.parametrize("given, match", [
    ({"writer": None}, "writer is missing"), ({"matcher": "blip"}, "matcher must be a callable"),
    ({"settings": {}}, "settings must be"), ({"seed": -1}, "seed must be"), ({"pictures": "no/such"}, "does not exist"),
    ({"pictures": []}, "no pictures"), ({"pictures": 3}, "pictures must be"),
    ({"matcher": type("M", (), {"settings": {"a": {1}}, "__call__": len})()}, "must be what JSON holds"),
    ({"parse": "np"}, "parse must be"), ({"source": 3}, "source must be"),
])  # fmt: skip
def test_refusals(given, match, tmp_path):
    given = {"pictures": gnm_run.photographs(1), **standins.plugins(), **given}
    with pytest.raises((TypeError, ValueError, OSError), match=match):
        vn.gnm.run(given.pop("pictures"), tmp_path, **given)
    with pytest.raises(TypeError, match="must be an integer"):
        vn.gnm.Settings(portrayals=2.5)
    with pytest.raises(ValueError, match=r"quality must be in"):
        vn.gnm.Settings(quality=0)


@pytest.mark.parametrize("n", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_concurrency_changes_nothing(n, whole, tmp_path):
    plugins = standins.plugins()
    plugins["tagger"] = gnm_run.TwoThings()
    runs = []
    for workers in (1, 3):
        for plugin in plugins.values():
            plugin.concurrency = workers
        out = tmp_path / str(workers)
        vn.gnm.run(gnm_run.photographs(n), out, **plugins, settings=vn.gnm.Settings(size=64, min_area=1))
        runs.append(((out / "records.json").read_bytes(), contents(out, "pictures")))
    assert runs[0] == runs[1]


def test_real_photographs(shared, tmp_path):
    """Offline, on photographs with and without annotation."""
    folder = shared / "coco"
    photos = vn.data.coco(folder / "captions.json", folder / "images", folder / "instances.json")
    chosen = [s for s in photos if len(s.objects)][:1] + [s for s in photos if not len(s.objects)][:1]
    summary = vn.gnm.run(chosen, tmp_path, **standins.plugins(chosen), progress=False)
    assert not summary.failures and summary.kept > 0
    for r in json.loads((tmp_path / "records.json").read_text()):
        own = {vn.negatives.key(c) for c in r["original_captions"]}
        assert all(vn.negatives.key(c) not in own for c in r["captions"])
        assert r["iva_score"] > 14 and np.mean(r["itm_score"]) > 0
    data = vn.data.gnm(tmp_path / "records.json", tmp_path / "pictures")
    assert len(data) == summary.kept and data.photos[0].name in {s.name for s in chosen}


# ---- batches

def plain_groups(sizes=(4, 4, 2, 1, 3, 5), rows=0):
    groups = {}
    for g, size in enumerate(sizes):
        groups[g] = [(rows + i, float(i)) for i in range(size)]
        rows += size
    return groups


def test_batches_of_the_three_modes():
    groups = {i: [(i, 1.0)] for i in range(250)}
    sampler = vn.gnm.GroupSampler(groups, 1, 1, 200, 0, photos=90)              # all-in-one
    sizes = [(len(b.variations), len(b.photos)) for b in sampler]
    assert sizes == [(100, 100), (100, 100), (50, 50)] and len(sampler) == 3
    groups = {i: [(4 * i + k, 0.1 * k) for k in range(4)] for i in range(45)}
    sampler = vn.gnm.GroupSampler(groups, 2, 8, 200, 7, photos=1000)            # item-based
    assert [(len(b.variations), len(b.photos)) for b in sampler] == [(40, 160), (40, 160), (10, 40)]
    for epoch in (0, 1):
        drawn = [b.variations // 4 for b in sampler.epoch(epoch)]
        assert Counter(np.concatenate(drawn).tolist()) == dict.fromkeys(range(45), 2)
        assert all((b.variations[::2] != b.variations[1::2]).all() for b in sampler.epoch(epoch))
    # image-based: never two of one item
    groups = {0: [(0, 0.0, "dog"), (1, 5.0, "dog"), (2, 1.0, "cat"), (3, 0.0, "cat")],
              1: [(4, 0.0, "a"), (5, 0.0, "a")]}
    for seed in range(30):
        batch = next(iter(vn.gnm.GroupSampler(groups, 2, 0, 4, seed)))
        rows = sorted(batch.variations.tolist())
        assert len(rows) == 3 and rows[0] in (0, 1) and rows[1] in (2, 3) and rows[2] in (4, 5)


def test_small_groups_give_all_they_have():
    sampler = vn.gnm.GroupSampler(plain_groups(), 2, 0, 20, 3)
    batch = next(iter(sampler))
    assert len(batch.variations) == 11 and len(batch.photos) == 0


def test_members_are_drawn_by_weight():
    """First draws are proportional to score - minimum + 0.5: here 0.5 : 1.5 : 3, and 2 of 3 without replacement."""
    groups = {g: [(3 * g, -1.0), (3 * g + 1, 0.0), (3 * g + 2, 1.5)] for g in range(4000)}
    batch = next(iter(vn.gnm.GroupSampler(groups, 2, 0, 8000, 1)))
    pairs = batch.variations.reshape(-1, 2) % 3
    weights = np.array([0.5, 1.5, 3.0])
    first = np.bincount(pairs[:, 0], minlength=3) / 4000
    assert np.abs(first - weights / 5).max() < 4 * np.sqrt(0.25 / 4000)
    rest = [weights[2] / 5 * weights[1] / 2, weights[1] / 5 * weights[2] / 3.5]         # 2 then 1, 1 then 2
    both = ((pairs == 1).any(1) & (pairs == 2).any(1)).mean()
    assert abs(both - sum(rest)) < 4 * np.sqrt(0.25 / 4000)


def test_batches_are_a_function_of_seed_and_epoch():
    make = lambda seed=5: vn.gnm.GroupSampler(plain_groups(), 2, 3, 10, seed, photos=7)      # noqa: E731
    flat = lambda batches: [[x.tolist() for x in b] for b in batches]                        # noqa: E731
    again = make()
    _ = list(again.epoch(4))
    assert flat(make().epoch(2)) == flat(again.epoch(2))
    assert flat(make().epoch(2)) != flat(make().epoch(3)) != flat(make(6).epoch(3))
    seen = Counter()
    for epoch in range(7):
        seen.update(np.concatenate([b.photos for b in make().epoch(epoch)]).tolist())
    assert set(seen.values()) == {18} and len(seen) == 7                       # 7 epochs * 6 groups * 3 / 7 photographs


@pytest.mark.parametrize("bad, match", [
    ({"groups": {}}, "groups must be"), ({"groups": {0: []}}, "needs members"), ({"groups": {0: [(1,)]}}, "a member"),
    ({"groups": {0: [(1, float("nan"))]}}, "finite"), ({"n": 9}, "no room"), ({"photos": None}, "photographs"),
    ({"per_group": 0}, "per_group"), ({"seed": -1}, "seed"), ({"fill": True}, "fill"),
])  # fmt: skip
def test_sampler_refusals(bad, match):
    given = {"groups": plain_groups(), "per_group": 2, "fill": 8, "n": 20, "seed": 0, "photos": 5, **bad}
    with pytest.raises(ValueError, match=match):
        vn.gnm.GroupSampler(**given)


# ---- the command

def command(*arguments):
    import argparse

    from vlmneg.gnm import command

    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.main(parser.parse_args([str(a) for a in arguments]))


def test_command(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for i, (picture, _) in enumerate(gnm_run.photographs()):
        Image.fromarray(picture).save(photos / f"{i}.png")
    (tmp_path / "captions.json").write_text(json.dumps({
        "images": [{"id": i, "file_name": f"{i}.png"} for i in range(3)],
        "annotations": [{"image_id": i, "caption": "A red thing"} for i in range(3)]}))
    given = photos, "--out", tmp_path / "out", "--standins", "--set", "size=64", "--set", "min_area=1"
    said = str(command(*given, "--captions", tmp_path / "captions.json", "--limit", 2))
    assert said.splitlines()[1].split() == ["tags", "2", "2", "0", "0"] and "8 variations" in said
    said = command(*given).to_dict()                            # no captions: others are written, pictures are known
    assert said["stages"]["inpaint"]["cached"] == 8 and said["stages"]["inpaint"]["computed"] == 4
    for bad, match in ((["--set", "sise=3"], "--set takes"), (["--set", "size=x"], "must be a number"),
                       (["--limit", "0"], "--limit"), (["--instances", "x"], "needs --captions"),
                       (["--set", "match_codec=1"], "True or False")):
        with pytest.raises((ValueError, TypeError), match=match):
            command(*given, *bad)
    with pytest.raises(ValueError, match="who writes"):
        command(photos, "--out", tmp_path / "other")


def test_texts_beyond_unicode_s_characters(tmp_path):
    """Half a surrogate pair, from a broken file, goes through and comes back."""
    photos = [(gnm_run.photographs(1)[0][0], ["a red thing \ud83d", "naïve thing"])]
    vn.gnm.run(photos, tmp_path, **standins.plugins(), settings=vn.gnm.Settings(size=64, min_area=1))
    data = vn.data.gnm(tmp_path / "records.json", tmp_path / "pictures", min_area=1)
    assert len(data) and any("\ud83d" in c for r in data.records for c in r["original_captions"])
