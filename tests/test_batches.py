"""What a batch holds beside pictures and captions: negative pictures, pairs, positives, and who meets whom."""

import dataclasses
import functools
import json
import logging

import numpy as np
import pytest
from test_train import bits, fresh, loader_threads, one_thread, plain  # noqa: F401

import vlmneg as vn
from vlmneg import cli, composition, loading, runs, training
from vlmneg.data import Objects, Sample, Variant
from vlmneg.experiment import make_positives
from vlmneg.negatives import image, pairs, text
from vlmneg.negatives.recipe import for_training, recipe
from vlmneg.negatives.sides import Sides, sides
from vlmneg.positives import Positives, positives
from vlmneg.settings import SettingsError, run_settings

SIZE = 32


@pytest.fixture(scope="module")
def data():
    return vn.data.scenes(22, seed=3, size=SIZE)


@functools.cache
def model():
    return fresh()


OPEN = []


@pytest.fixture(autouse=True)
def closed():
    """No thread outlives the test that started it: others count them."""
    yield
    while OPEN:
        OPEN.pop().close()


def batches(data, compose=None, batch=8, **changes):
    m = model()
    options = {"batch": batch, "seed": 5, "size": SIZE, "preprocess": m.preprocess, "tokenizer": m.tokenizer,
               "context": 32, "augment": None}
    OPEN.append(loading.Batches(data, composition=composition.compose(compose, vn.data.wrap(data), batch, 5),
                                **{**options, **changes}))
    return OPEN[-1]


def same(a, b):
    for field in dataclasses.fields(a):
        x, y = getattr(a, field.name), getattr(b, field.name)
        assert np.array_equal(x, y) if isinstance(x, np.ndarray) else x == y, field.name


# ---- pictures and captions of the same edit ----

def test_pairs_of_scenes_are_exact(data):
    batch = batches(data, negatives=pairs(image.exact(k=2)))(0)
    assert batch.neg_pixels.shape == (8, 2, 3, SIZE, SIZE) and batch.neg_pixels.dtype == np.float32
    assert batch.valid.tolist() == batch.neg_image_valid.tolist() and batch.valid.mean() > 0.9
    assert batch.types == ("exact", "exact_2")
    kinds = set()
    for i, group in enumerate(batch.group):
        scene = int(group)
        assert batch.captions[i] == data[scene].captions[0]
        for k in np.flatnonzero(batch.valid[i]):
            (kind,) = [kind for kind, caption in data[scene].negatives if caption == batch.negatives[i][k]]
            wanted = model().preprocess([data.negative_image(scene, kind)])[0]
            assert (batch.neg_pixels[i, k] == wanted).all()
            kinds.add(kind)
    assert len(kinds) > 2


def test_slots_of_pairs_come_first(data):
    made = [text.exact(k=2), image.grey(k=1), pairs(image.exact(k=1))]
    batch = batches(data, negatives=made)(0)
    assert batch.types == ("exact", "exact_2", "exact_3")
    assert batch.valid.shape == (8, 3) and batch.neg_image_valid.shape == (8, 2)
    grey = batch.neg_pixels[:, 1] * np.array(model().config.std)[:, None, None] + np.array(
        model().config.mean)[:, None, None]
    assert np.abs(grey - grey.mean(1, keepdims=True)).max() < 1e-5
    alone = batches(data, negatives=pairs(image.exact(k=1)))(0)
    assert [row[0] for row in batch.negatives] == [row[0] for row in alone.negatives]
    assert (batch.neg_pixels[:, 0] == alone.neg_pixels[:, 0]).all()
    for row, ok in zip(batch.negatives, batch.valid, strict=True):
        said = [t for t, v in zip(row, ok, strict=True) if v]
        assert len(said) == len(set(said))                  # a drawn caption that the pair says already isn't valid


def test_pictures_alone_bring_no_captions(data):
    batch = batches(data, negatives=image.exact(k=1))(0)
    assert batch.negatives is None and batch.valid is None and batch.types is None
    assert batch.neg_image_valid.all()


@pytest.mark.parametrize("augment", [None, {}, {"flip": True, "scale": (0.5, 1.0)}])
def test_edits_are_cropped_as_their_picture(data, augment):
    batch = batches(data, negatives=image.recolour(k=1, feather=0), augment=augment)(0)
    changed = (batch.neg_pixels[:, 0] != batch.pixels).any(1).mean((1, 2))
    assert batch.neg_image_valid.sum() >= 5
    assert (changed[batch.neg_image_valid[:, 0] == 1] < 0.7).all()      # another crop differs nearly everywhere
    assert (changed[batch.neg_image_valid[:, 0] == 0] < loading.LEAST).all()


def test_what_the_crop_cuts_off_is_no_negative():
    """A wide picture whose left end is edited: the centre crop shows nothing of it."""
    picture, mask = np.full((40, 120, 3), 90, np.uint8), np.zeros((40, 120), bool)
    picture[5:30, :20], mask[5:30, :20] = (200, 20, 20), True
    wide = Sample(picture, ("a red bus",), 0, "wide", 0, objects=Objects(["bus"], [mask], (40, 120)))
    made = [pairs(image.recolour(k=1))]
    whole = batches([dataclasses.replace(wide, image=picture[:, :40], objects=Objects(
        ["bus"], [mask[:, :40]], (40, 40)))], negatives=made)(0)
    assert whole.valid.tolist() == whole.neg_image_valid.tolist() == [[1]]
    assert whole.negatives[0][0].endswith("bus") and whole.negatives[0][0] != "a red bus"
    cut = batches([wide], negatives=made)(0)
    assert cut.valid.tolist() == cut.neg_image_valid.tolist() == [[0]]
    assert cut.negatives == [["a red bus"]] and (cut.neg_pixels[0, 0] == cut.pixels[0]).all()


def test_the_edited_caption_becomes_the_batch_s():
    """Of several captions, the pair's comes from the one that says what was edited."""
    picture, mask = np.full((40, 40, 3), 90, np.uint8), np.zeros((40, 40), bool)
    picture[5:30, 5:30], mask[5:30, 5:30] = (200, 20, 20), True
    s = Sample(picture, ("traffic", "a red bus", "a street"), 0, "bus", 0, objects=Objects(["bus"], [mask], (40, 40)))
    for step in range(4):
        batch = batches([s], negatives=[pairs(image.recolour(k=1, colours="blue")), text.replace(k=1, concept="object")]
                        )(step)
        assert batch.captions == ["a red bus"] and batch.negatives[0][0] == "a blue bus"
        assert batch.negatives[0][1] not in ("a red bus", "a blue bus")     # made of the caption that is used


def test_variants_that_fail_are_not_valid():
    picture, broken = np.full((40, 40, 3), 90, np.uint8), Variant("color", "a blue bus", "no/such/picture.jpg")
    s = Sample(picture, ("a red bus",), 0, "bus", 0, variants=(broken, Variant("same", "a bus", picture)))
    with pytest.raises(ValueError, match="exact takes its pictures from samples"):
        image.exact()([picture])
    made = image.exact(k=2)([picture], samples=[s])
    assert made.valid.tolist() == [[0, 0]] and made.caption == [[None, None]]
    batch = batches([s], negatives=pairs(image.exact(k=1)))(0)
    assert batch.valid.tolist() == batch.neg_image_valid.tolist() == [[0]]


@pytest.mark.parametrize("objects", [(), Objects(["bus"], [(1, 1, 20, 20)], (40, 41))])     # of another size
def test_objects_that_are_unknown_are_said_once(caplog, objects):
    s = Sample(np.full((40, 40, 3), 90, np.uint8), ("a red bus",), 0, "bus", 0, objects=objects)
    make = batches([s], negatives=pairs(image.recolour(k=1)))
    with caplog.at_level(logging.WARNING, "vlmneg"):
        for step in range(3):
            make(step)
    assert [r.message for r in caplog.records] == [
        "no picture of step 1 could be edited: edits of objects need to know them, as by data.instances"]


def test_one_pair_of_several_edits(data):
    several = image.exact(k=1, kinds="attribute_swap") + image.exact(k=1, kinds="replacement") + image.grey(k=1)
    batch = batches(data, negatives=pairs(several, k=1), batch=22)(0)
    assert batch.types == ("pair",) and batch.valid.shape == (22, 1) and batch.valid.all()
    kinds = [dict((c, k) for k, c in data[int(g)].negatives)[row[0]]
             for g, row in zip(batch.group, batch.negatives, strict=True)]
    assert set(kinds) == {"attribute_swap", "replacement"}      # a grey picture has no caption, so it is never chosen


def test_captions_where_there_is_no_pair(data):
    made = pairs(image.exact(k=1, kinds="relation_swap"), text=text.exact(k=1, kinds="replacement"))
    batch = batches(data, negatives=made, batch=22)(0)
    having = np.array([[any(k == "relation_swap" for k, _ in data[int(g)].negatives)] for g in batch.group])
    assert 0 < having.sum() < 22 and (batch.neg_image_valid == having).all() and batch.valid.all()
    for group, (said,), (own,) in zip(batch.group, batch.negatives, having, strict=True):
        assert dict(data[int(group)].negatives)["relation_swap" if own else "replacement"] == said
    assert repr(for_training({"pairs": "image.exact", "text": "text.swap"})) == (
        "pairs(exact(k=1, kinds=None), text=swap(k=2, kinds=None))")
    with pytest.raises(TypeError, match="text must be negatives of captions with at least 2 slots"):
        pairs(image.exact(k=2), text=text.swap(k=1))
    words = vn.negatives.annotate(data.captions())
    noted = sides([made, text.replace(k=1)]).annotated(words)
    assert noted.pairs.text.annotations is noted.text.annotations is words


def test_pairs_of_photographs(shared):
    coco = shared / "coco"
    photographs = vn.data.coco(coco / "captions.json", coco / "images", coco / "instances.json")
    edits = image.recolour() + image.swap() + image.remove() + image.replace() + image.mirror()
    make = batches(photographs, negatives=pairs(edits, k=1), augment={})
    batch = make(0)
    same(batch, make(0))
    assert batch.valid.sum() >= 1
    for i, k in np.argwhere(batch.valid):
        assert batch.negatives[i][k] not in photographs[int(batch.group[i])].captions
        assert batch.captions[i] in photographs[int(batch.group[i])].captions


def test_kinds_of_negatives():
    assert sides(None) == Sides() and repr(sides(None)) == ""
    found = sides([text.swap(k=2), vn.negatives.embed.shift(), text.replace(k=1, concept="noun"), image.grey()])
    assert (found.captions, found.pictures) == (3, 1)
    assert found.types == ("swap", "swap_2", "replace_noun") and found.made is not None
    assert sides(text.swap(k=1) + vn.negatives.embed.shift()).made is not None
    assert recipe("ahnpl").types == ("swap_relation", "swap_attribute", "replace_adjective", "replace_noun",
                                     "replace_verb")
    with pytest.raises(TypeError, match="negatives must be a callable with k"):
        sides(["swap"])
    with pytest.raises(TypeError, match="pairs are made of negatives of pictures"):
        pairs(text.swap())
    with pytest.raises(ValueError, match="k must be"):
        pairs(image.grey(), k=2)
    with pytest.raises(TypeError, match="can't stand beside"):
        sides([pairs(image.grey()), pairs(image.grey())])


def test_negatives_of_settings():
    found = for_training([{"pairs": ["image.recolour", "image.swap"], "k": 1}, "ce_clip", "image.grey", "embed.shift",
                          {"name": "text.negate", "k": 1, "type": "negation"}])
    assert found.types == ("pair", "swap_relation", "replace_adjective", "replace_noun", "replace_verb", "negation")
    assert found.pictures == 2 and found.made is not None
    for wanted, sentence in (
            ([{"pairs": "text.swap"}], "pairs are made of negatives of pictures"),
            ([{"pairs": "image.grey", "kk": 1}], "unknown key negatives.kk: did you mean negatives.k?"),
            ([{"pairs": "image.grai"}], "did you mean negatives image.grey?"),
            ([{"name": "text.swap", "type": 3}], "negatives.text.swap.type must be a name, got 3")):
        with pytest.raises(SettingsError) as refused:
            for_training(wanted)
        assert sentence in str(refused.value)
    with pytest.raises(SettingsError, match="is for training"):
        recipe([{"pairs": "image.grey"}])


def test_a_visit_of_its_own_for_each_row(data):
    """Rows of several visits in one call are those of a call a visit."""
    some = [data[i] for i in range(6)]
    visits, ids = np.array([0, 3, 3, 2**32 - 1, 0, 1]), np.arange(6)
    captions, pictures = [s.captions[0] for s in some], [s.image for s in some]
    said = text.exact(k=2)(captions, 7, visit=visits, ids=ids, samples=some)
    drawn = image.exact(k=2)(pictures, 7, visit=visits, ids=ids, samples=some)
    for i, visit in enumerate(visits.tolist()):
        alone = text.exact(k=2)(captions[i : i + 1], 7, visit=visit, ids=[i], samples=some[i : i + 1])
        assert said.text[i] == alone.text[0]
        alone = image.exact(k=2)(pictures[i : i + 1], 7, visit=visit, ids=[i], samples=some[i : i + 1])
        assert drawn.caption[i] == alone.caption[0]
    with pytest.raises(ValueError, match=r"visit must hold one integer a caption, 6, got shape \(2,\)"):
        text.swap()(captions, visit=[0, 1])
    with pytest.raises(ValueError, match=r"visit must be in \[0, 2\*\*32\)"):
        text.swap()(captions, visit=[0, 1, 2, 3, 4, -1])
    with pytest.raises(TypeError, match="samples\\[0\\] must be a vlmneg.data.Sample"):
        image.grey()(pictures, samples=captions)


def test_variants_of_painted_pictures():
    grey, mask = np.full((512, 512, 3), 99, np.uint8), np.zeros((512, 512, 3), np.uint8)
    row = {"concept": "color", "coco_caption": "a red car", "inpaint_caption": "a blue car", "coco_image": grey,
           "inpaint_image": grey + 9, "mask": mask}
    first, second = vn.data.inpaintcoco([row])
    assert [(v.kind, v.caption) for v in first.variants] == [("color", "a blue car")]
    assert (np.asarray(first.variants[0].picture()) == grey + 9).all()
    assert (np.asarray(second.variants[0].picture()) == grey).all()


# ---- positives ----

def test_positives_are_other_captions():
    own = ["a dog", "A dog!", "one brown dog", "a dog on grass", "a pet"]
    found = [Positives(captions=2)(["a dog"], [own], seed=seed, visits=[1], ids=[2])[0] for seed in range(60)]
    assert {len(row) for row in found} == {2}
    assert {c for row in found for c in row} == {"one brown dog", "a dog on grass", "a pet"}
    assert Positives(captions=9)(["a pet"], [own], seed=0, visits=[1], ids=[2])[0].count("a dog") <= 1
    assert len(Positives(captions=9)(["a pet"], [own], seed=0, visits=[1], ids=[2])[0]) == 3
    assert Positives(captions=9)(["a dog"], [["a dog"]], seed=0, visits=[1], ids=[2]) == [[]]


def test_positives_are_said_otherwise_too(data):
    sample = dataclasses.replace(data[0], captions=("A cat on a sofa.", "A cat sits."))
    batch = batches([sample], positives=positives([1, text.positive(k=1, kinds="synonym")]))(0)
    said = {"A cat on a sofa.": ["A cat sits.", "A cat on a couch."]}
    assert batch.positives[0] == said.get(batch.captions[0], batch.positives[0]) and 1 <= len(batch.positives[0]) <= 2
    assert batches([sample])(0).positives is None


def test_positives_of_settings():
    assert make_positives([]) is None and make_positives([{"captions": 4}]) == Positives(4)
    assert make_positives([{"captions": 4}, {"name": "text.positive", "k": 2}]).k == 6
    for wanted, sentence in (([3], "positives must be tables"), ([{"captions": -1}], "positives"),
                             ([{"captions": 2, "k": 3}], "unknown key positives.k"),
                             ([{"name": "image.grey"}], "positives")):
        with pytest.raises(SettingsError, match=sentence):
            make_positives(wanted)
    assert run_settings({"positives": {"captions": 2}}).positives == [{"captions": 2}]
    assert run_settings({"compose": "groups"}).compose == {"kind": "groups"}
    with pytest.raises(SettingsError, match="compose must be a table"):
        run_settings({"compose": 3})
    with pytest.raises(TypeError, match="positives must be"):
        positives("four")


# ---- groups ----

GROUPS = {"kind": "groups", "per_group": 2, "fill": 2, "n": 12}


def test_groups_of_scenes(data):
    make = batches(data, GROUPS, negatives=text.exact(k=1))
    assert (make.batch, make.per_epoch) == (12, 8)              # 22 scenes, 3 a batch
    seen = []
    for step in range(8):
        batch = make(step)
        count = len(batch.captions) // 4
        assert len(batch.captions) == 4 * count == len(batch.negatives)
        names = [make.data[int(row) & 0xFFFFFFFF].name for row in batch.rows]
        for g in range(count):
            first, second = names[2 * g], names[2 * g + 1]
            assert first.rsplit("-", 1)[0] == second.rsplit("-", 1)[0] and first != second
            assert batch.captions[2 * g] != batch.captions[2 * g + 1]
            assert (batch.pixels[2 * g] != batch.pixels[2 * g + 1]).any()
            seen.append(first.rsplit("-", 1)[0])
        assert all(n.count("-") == 2 for n in names[2 * count:])
    assert sorted(seen) == sorted(f"scene-3-{i}" for i in range(22))        # each once an epoch
    backward = batches(data, GROUPS, negatives=text.exact(k=1))
    for step in (9, 3, 8, 0):
        same(make(step), backward(step))


def test_variations_of_scenes(data):
    made = data.variations()
    assert len(made) == len(made.captions()) == sum(1 + len(s.negatives) for s in data)
    sample = made[1]
    assert sample.captions == (data[0].negatives[0][1],)
    assert (sample.image == data.negative_image(0, data[0].negatives[0][0])).all()
    assert ("attribute_swap", data[0].captions[0]) in sample.negatives or sample.negatives
    assert len({made[i].group for i in range(6)}) == len({made[i].image.tobytes() for i in range(6)})
    assert any((v.picture() == data[0].image).all() and v.caption == data[0].captions[0] for v in sample.variants)
    assert len(made.groups("all")) == len(made) and len(made.groups("image")) == len(data)
    with pytest.raises(ValueError, match="mode must be one of"):
        made.groups("items")


def test_a_sampler_s_batches_in_any_order():
    groups = {g: [(3 * g + i, float(i)) for i in range(3)] for g in range(7)}
    sampler = vn.gnm.GroupSampler(groups, 2, 3, 10, 4, photos=5)
    listed = [(epoch, place, batch) for epoch in range(3) for place, batch in enumerate(sampler.epoch(epoch))]
    assert len(listed) == 3 * len(sampler)
    for epoch, place, batch in reversed(listed):
        again = vn.gnm.GroupSampler(groups, 2, 3, 10, 4, photos=5).batch(epoch, place)
        assert all((a == b).all() for a, b in zip(batch, again, strict=True))
    photos = np.concatenate([batch.photos for *_, batch in listed])
    visits = np.concatenate([batch.photo_visits for *_, batch in listed])
    assert visits.tolist() == sorted(visits) and all(
        sorted(photos[visits == v]) == list(range(5)) for v in range(visits.max()))


def variation(folder, photo, item, number, score=1.0):
    from PIL import Image

    colour = (40 * number, 90, 200 - 40 * number)
    save = f"{photo}/{item}/{number}.png"
    (folder / photo / item).mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 40), colour).save(folder / save)
    return {"origin_name": f"{photo}.png", "name": f"{photo}:{item}:{number}", "item": item, "short": str(number),
            "save": save, "original_captions": [f"A {item}!"], "captions": [f"a {item} number {number}"],
            "itm_score": [score], "iva_score": 30.0}


@pytest.fixture
def photographs(tmp_path):
    """Three photographs with captions, variations of two of them."""
    from PIL import Image

    records, captions = [], {"images": [], "annotations": []}
    for n, (photo, items) in enumerate((("p", ["dog", "mat"]), ("q", ["cat"]), ("r", []))):
        Image.new("RGB", (40, 40), (90 * n, 10, 10)).save(tmp_path / f"{photo}.png")
        captions["images"].append({"id": n, "file_name": f"{photo}.png"})
        captions["annotations"] += [{"image_id": n, "caption": c} for c in ("A Dog; on a mat.", "Nothing!")]
        records += [variation(tmp_path, photo, item, number) for item in items for number in range(3)]
    (tmp_path / "records.json").write_text(json.dumps(records))
    (tmp_path / "captions.json").write_text(json.dumps(captions))
    return tmp_path


def test_groups_of_variations(photographs):
    data = vn.data.open({"annotations": photographs / "records.json", "images": photographs,
                         "captions": photographs / "captions.json"})
    assert len(data) == 9 and [p.name for p in data.photos] == ["p.png", "q.png", "r.png"]
    assert data.photos[2].captions == ("a dog on a mat", "nothing")                 # cleaned as variations' are
    assert [v.caption for v in data[0].variants] == ["a dog number 1", "a dog number 2"]
    make = batches(data, {"kind": "groups", "fill": 3, "n": 5})
    assert make.per_epoch == 3
    for step in range(6):
        batch = make(step)
        names = [make.data[int(row) & 0xFFFFFFFF].name for row in batch.rows]
        item = names[0].rsplit(":", 1)[0]
        assert names[1].startswith(item) and names[0] != names[1]
        photos = dict(zip(names[2:], batch.captions[2:], strict=True))
        beside = photos.pop(f"{item[0]}.png", None)
        if item == "q:cat":
            assert beside is None                                   # none of its captions mentions the cat
        else:
            assert beside == "a dog on a mat"
        assert len(photos) == 2 and (batch.group[2:] < 0).all() and (batch.group[:2] >= 0).all()
    old = vn.data.gnm(photographs / "records.json", photographs, compat="released",
                      captions=photographs / "captions.json")
    assert old.photos[0].captions == ("A Dog; on a mat.", "Nothing!")
    assert len(batches(old, {"kind": "groups", "fill": 3, "n": 5})(0).captions) == 5


def test_photographs_alone_give_plain_batches(photographs, caplog):
    data = vn.data.open({"captions": photographs / "captions.json", "images": photographs})
    with caplog.at_level(logging.WARNING, "vlmneg"):
        make = batches(data, {"kind": "groups", "n": 2})
    assert isinstance(make.composition, composition.Plain) and make.batch == 2
    assert "no variations to group, so batches are plain, of 2 pairs" in caplog.text
    alone = vn.data.gnm(photographs / "records.json", photographs)
    with pytest.raises(SettingsError, match="no photographs to fill groups with"):
        batches(alone, {"kind": "groups"})
    assert batches(alone, {"kind": "groups", "fill": 0, "n": 4})(0).captions


@pytest.mark.parametrize("wanted, sentence", [
    ({"kind": "group"}, "did you mean compose.kind groups?"),
    ({"kind": "groups", "file": 3}, "did you mean compose.fill?"),
    ({"kind": "plain", "k": 3}, "unknown key compose.k"),
    ({"kind": "groups", "mode": "pair"}, "mode must be one of"),
    ({"kind": "groups", "n": 3}, "a batch of n=3 has no room"),
    ({"kind": "neighbours", "k": 0}, "k must be"),
])
def test_refused(data, wanted, sentence):
    with pytest.raises(SettingsError) as refused:
        composition.compose(wanted, data, 8, 0)
    assert sentence in str(refused.value)


# ---- neighbours ----

def test_nearest():
    rng = np.random.default_rng(1)
    v = rng.normal(size=(40, 6)).astype(np.float32)
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    v[7] = 0
    v[11] = v[12] = v[13]
    group = np.arange(40)
    group[20:24] = 20
    found = composition.nearest(v, group, 3)
    for i in range(40):
        others = [j for j in range(40) if group[j] != group[i] and j != 7 and i != 7]
        cosine = v[others] @ v[i]
        assert sorted(found[i][found[i] >= 0]) == sorted(np.array(others)[np.argsort(-cosine, kind="stable")[:3]]) \
            if i not in (11, 12, 13) else {11, 12, 13} & set(found[i].tolist())
    assert found[7].tolist() == [-1, -1, -1]
    assert composition.nearest(v[:1], group[:1], 2).tolist() == [[-1, -1]]
    whole, composition.BLOCK = composition.BLOCK, 100
    try:
        assert (composition.nearest(v, group, 3) == found).all()
    finally:
        composition.BLOCK = whole


def test_neighbours(data, tmp_path):
    make = batches(data, {"kind": "neighbours", "k": 2}, negatives=text.exact(k=1))
    make.prepare(model(), tmp_path, False, False)
    assert (make.batch, make.per_epoch) == (16, 2)
    rows = make.composition.rows
    vectors = model().encode_image(model().preprocess([s.image for s in data]), normalize=True)
    cosine = vectors @ vectors.T - 9 * np.eye(22)
    assert all(set(rows[i]) == set(np.argsort(-cosine[i])[:2]) for i in range(22))
    drawn = set()
    for step in range(12):
        batch = make(step)
        assert len(batch.captions) == len(batch.negatives) == 16
        for own, other in zip(batch.group[:8], batch.group[8:], strict=True):
            assert other in rows[own]
            drawn.add((int(own), int(other)))
    assert len(drawn) > 22 * 1.2                            # another neighbour at another visit
    again = batches(data, {"kind": "neighbours", "k": 2}, negatives=text.exact(k=1))
    again.prepare(fresh(seed=77), tmp_path, True, False)    # a run that goes on reads what it found
    same(make(3), again(3))
    (tmp_path / "neighbours.npz").write_bytes((tmp_path / "neighbours.npz").read_bytes()[:99])
    again.prepare(model(), tmp_path, True, False)           # a damaged file is made again
    assert (again.composition.rows == rows).all()
    again.prepare(fresh(seed=77), tmp_path, False, False)   # another start model finds its own
    assert (again.composition.rows != rows).any()


def test_neighbours_that_cannot_be_read(data, caplog):
    class Broken:
        def __len__(self):
            return 6

        def __getitem__(self, i):
            return dataclasses.replace(data[i], image="no/such.jpg") if i in (1, 4) else data[i]

    make = batches(Broken(), {"kind": "neighbours", "k": 9}, batch=6)
    make.prepare(model(), None, False, False)
    assert not set(make.composition.rows.ravel()) & {1, 4} and (make.composition.rows[1] == -1).all()
    batch = make(0)
    assert len(batch.captions) == 8 and set(batch.group) == {0, 2, 3, 5}


# ---- a run ----

RUNS = {
    "pairs": {"objective": "negclip", "negatives": [text.swap(k=1), pairs(image.exact(k=1))], "positives": 2},
    "groups": {"objective": "infonce", "compose": {"kind": "groups", "fill": 2}},
    "neighbours": {"objective": "negclip", "negatives": text.exact(k=1), "compose": {"kind": "neighbours", "k": 2}},
}


@pytest.mark.parametrize("kind", RUNS)
def test_going_on_gives_the_same_bits(data, tmp_path, kind):
    options = {"batch": 8, "steps": 5, "lr": 1e-3, "seed": 5, **RUNS[kind]}
    whole = fresh()
    records = [plain(r) for r in training.train(whole, data, **options)]
    for record in training.train(fresh(), data, out=tmp_path / "a", **options):
        if record.step == 3:
            break
    other = fresh()
    rest = [plain(r) for r in training.train(other, data, out=tmp_path / "a", resume=True, **options)]
    assert rest == records[3:] and bits(other) == bits(whole)
    assert not loader_threads()
    with pytest.raises(ValueError, match="compose|positives"):
        training.train(fresh(), data, out=tmp_path / "a", resume=True,
                       **{**options, "positives": 3, "compose": {"kind": "groups", "fill": 3}})


def test_an_epoch_of_groups_and_of_neighbours(data):
    for compose, steps in ((GROUPS, 8), ({"kind": "neighbours"}, 2), (None, 2)):
        plan = [r.epoch for r in training.train(fresh(), data, batch=8, epochs=2, compose=compose, augment=False)]
        assert plan == [0] * steps + [1] * steps


def test_words_of_all_captions_are_found(tmp_path):
    """Those of edited scenes too, where batches hold them."""
    pytest.importorskip("textblob")
    assert cli.main(["train", "scenes", "data.n=6", "data.size=32", "model.image_size=32", "train.steps=2",
                     "compose=groups", "compose.fill=1", "compose.n=6", "negatives=text.replace", "tagger=textblob",
                     f"out={tmp_path / 'a'}"]) == 0


def test_recipe_by_option(tmp_path, capsys):
    small = ["data.n=12", "data.size=32", "model.image_size=32", "train.batch=4", "train.steps=2"]
    assert cli.main(["train", "--recipe", "scenes", *small, "compose=groups", "compose.fill=0",
                     'negatives=[{ pairs = "image.exact" }]', "positives={ captions = 2 }",
                     f"out={tmp_path / 'a'}"]) == 0
    assert cli.main(["train", *small, f"out={tmp_path / 'b'}", "--recipe", "scenes"]) == 0
    assert runs.step_of(runs.latest_checkpoint(tmp_path / "b")) == 2
    stored = json.loads((tmp_path / "a" / "run.json").read_text())
    assert stored["compose"] == {"kind": "groups", "fill": 0} and stored["positives"] == [{"captions": 2}]
    with pytest.raises(SystemExit) as left:
        cli.main(["train"])
    assert left.value.code == 2 and "train needs CONFIG or --recipe NAME" in capsys.readouterr().err
