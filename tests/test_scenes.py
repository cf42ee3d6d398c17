"""Scenes: C against its twin byte for byte; captions and edits against a reader of captions that shares no code."""

import re

import numpy as np
import pytest

import vlmneg as vn
from vlmneg import _core
from vlmneg.reference.scenes import EDITS, Scene

KINDS = vn.data.scenes(1).kinds


# what a caption claims, read from its words alone

def read(caption):
    """Phrases as (count, size or None, colour, shape), the relation or None, whether it is to the middle."""
    m = re.fullmatch(r"(.+?)(?: (left of|right of|above|below) (?:(the middle)|(.+?)(?:, and (.+))?))?", caption)
    phrases = []
    for text in filter(None, (m[1], m[4], m[5])):
        count, *size, colour, shape = text.split()
        count = {"a": 1, "an": 1, "two": 2, "three": 3}[count]
        phrases.append((count, size[0] if size else None, colour, shape if count == 1 else re.sub("e?s$", "", shape)
                        if shape in ("crosses", "hourglasses") else shape[:-1]))
    return phrases, m[2], bool(m[3])


def true_of(caption, objects, size, closed):
    """Whether a caption is true of a scene; closed: it must name every object, and counts are exact."""
    phrases, relation, to_middle = read(caption)
    found = []
    for count, large, colour, shape in phrases:
        fits = [o for o in objects if (o["colour"], o["shape"]) == (colour, shape) and large in (None, o["size"])]
        if len(fits) < count or closed and len(fits) != count:
            return False
        found.append(fits)
    if closed and sum(p[0] for p in phrases) != len(objects):
        return False
    centre = [((o["box"][0] + o["box"][2]) / 2, (o["box"][1] + o["box"][3]) / 2) for o in objects]
    at = {id(o): c for o, c in zip(objects, centre, strict=True)}
    if relation:
        axis, sign = {"left of": (0, 1), "right of": (0, -1), "above": (1, 1), "below": (1, -1)}[relation]
        others = [(None, size / 2)] if to_middle else [(b, at[id(b)][axis]) for b in found[1]]
        pairs = [sign * at[id(a)][axis] < sign * v for a in found[0] for b, v in others if a is not b]
        return all(pairs) if closed else any(pairs)
    return True


@pytest.mark.parametrize("seed", [0, 1, 2**63 + 5])
def test_captions_are_true_and_negatives_false(seed):
    data = vn.data.scenes(400, seed=seed, first=10**12)
    negatives = {k: data.negative_captions(k) for k in KINDS}
    seen = dict.fromkeys(KINDS, 0)
    for i, caption in enumerate(data.captions()):
        scene = data.scene(i)
        assert true_of(caption, scene, 64, closed=True), (caption, scene)
        for kind in KINDS:
            text, edited = negatives[kind][i], data.scene(i, kind)
            assert (text is None) == (edited is None)
            if text is None:
                continue
            seen[kind] += 1
            assert true_of(text, edited, 64, closed=True), (kind, text, edited)
            assert not true_of(text, scene, 64, closed=False), (kind, caption, text)
            # an added object leaves the old caption true as far as it goes: it is false because it does not name all
            assert not true_of(caption, edited, 64, closed=kind == "addition"), (kind, caption, text)
    assert min(seen.values()) > 200


def test_most_scenes_have_every_swap():
    data = vn.data.scenes(1000, seed=4)
    for kind in KINDS:
        assert sum(t is not None for t in data.negative_captions(kind)) > 600
    both = sum(len({o["shape"] for o in s}) == 2 == len({o["colour"] for o in s}) == len(s)
               for s in map(data.scene, range(1000)))
    assert both > 400
    assert len(set(data.captions())) > 950


def test_edits_change_only_what_they_say():
    data = vn.data.scenes(300, seed=2)
    attributes = ("colour", "shape", "size")
    for i in range(300):
        before = data.scene(i)
        for kind, _ in data[i].negatives:
            after = data.scene(i, kind)
            changed = [[k for k in (*attributes, "box") if a[k] != b[k]] for a, b in zip(before, after, strict=False)]
            flat = sorted(k for c in changed for k in c)
            if kind == "addition":
                assert not flat and len(after) == len(before) + 1 <= 3
                continue
            assert len(after) == len(before)
            if kind == "relation_swap":
                assert set(flat) == {"box"}
            elif kind == "object_swap":
                assert set(flat) == {"shape"}
            elif kind == "replacement":
                assert set(flat) in ({"shape"}, {"colour"})
                assert len({o["group"] for o, c in zip(after, changed, strict=True) if c}) == 1
            else:
                assert set(flat) in ({"colour"}, {"size", "box"})
            if kind in ("object_swap", "attribute_swap"):
                for k in attributes:
                    phrases = [sorted({(o["group"], o[k]) for o in s}) for s in (before, after)]
                    assert sorted(v for _, v in phrases[0]) == sorted(v for _, v in phrases[1])


@pytest.mark.parametrize("seed", [0, 7, 2**64 - 1])
def test_twin_says_the_same(seed):
    rows = np.arange(80) + (2**40 if seed == 7 else 0)
    for e, kind in enumerate([None, *EDITS], -1):
        captions = _core.scene_say(seed, rows, e)
        for row, caption in zip(rows, captions, strict=True):
            twin = Scene(seed, int(row))
            twin = twin if kind is None else twin.edit(kind)
            assert caption == (twin and twin.say())
            objects = _core.scene_objects(seed, int(row), e)
            assert objects == (twin and [(o["shape"], o["colour"], o["size"], o["group"],
                                          *(v / 4096 for v in twin.place(o))) for o in twin.objects])
    assert tuple(EDITS) == _core.scene_edits()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 17, 33, 64, 65])
def test_twin_draws_the_same_bytes(size):
    rows = np.arange(24)
    for e, kind in enumerate([None, *EDITS], -1):
        images, masks, made = _core.scene_draw(3, rows, e, size)
        for row, image, mask, ok in zip(rows, images, masks, made, strict=True):
            twin = Scene(3, int(row))
            twin = twin if kind is None else twin.edit(kind)
            assert bool(ok) == (twin is not None)
            rgb, objects = twin.draw(size) if twin else (np.zeros_like(image), np.zeros_like(mask))
            np.testing.assert_array_equal(image, rgb)
            np.testing.assert_array_equal(mask, objects)


def test_twin_draws_every_shape_large():
    size, rows = 200, np.arange(50)
    images, masks, _ = _core.scene_draw(0, rows, -1, size)
    shapes = set()
    for row, image, mask in zip(rows, images, masks, strict=True):
        twin = Scene(0, int(row))
        shapes |= {o["shape"] for o in twin.objects}
        rgb, objects = twin.draw(size)
        np.testing.assert_array_equal(image, rgb)
        np.testing.assert_array_equal(mask, objects)
    assert len(shapes) == 16


def test_masks_follow_the_objects():
    data = vn.data.scenes(60, seed=5, size=96)
    for i in range(60):
        mask, image, scene = data.mask(i), data[i].image.astype(int), data.scene(i)
        assert set(np.unique(mask)) == set(range(len(scene) + 1))
        for number, o in enumerate(scene, 1):
            y, x = np.nonzero(mask == number)
            left, top, right, bottom = o["box"]
            assert left - 1 <= x.min() and x.max() <= right + 1 and top - 1 <= y.min() and y.max() <= bottom + 1
            inner = image[mask == number]
            assert np.ptp(np.median(inner, 0) - inner.mean(0)) < 40
            assert abs(np.median(inner, 0) - image[mask == 0].mean(0)).max() > 60  # stands out from the ground


def test_negative_image_keeps_the_ground():
    data = vn.data.scenes(60, seed=6)
    for i in range(60):
        image = data[i].image
        for kind, _ in data[i].negatives:
            edited = data.negative_image(i, kind)
            changed = (edited != image).any(-1)
            assert 0.005 < changed.mean() < 0.6
            boxes = [o["box"] for o in data.scene(i) + data.scene(i, kind)]
            y, x = np.nonzero(changed)
            assert all(any(b[0] - 1 <= u <= b[2] + 1 and b[1] - 1 <= v <= b[3] + 1 for b in boxes)
                       for u, v in zip(x, y, strict=True))


def test_same_bits_for_any_split_and_threads():
    data = vn.data.scenes(70, seed=9, size=48)
    before = _core.threads()
    try:
        whole = []
        for n in (1, 2, 3, 7):
            _core.set_threads(n)
            whole.append(data.batch(range(70)))
    finally:
        _core.set_threads(before)
    for w in whole[1:]:
        np.testing.assert_array_equal(w, whole[0])
    order = [66, 3, 3, 12]
    np.testing.assert_array_equal(data.batch(order), whole[0][order])
    later = vn.data.scenes(10, seed=9, size=48, first=60)
    assert later.captions() == data.captions()[60:]
    assert later[4].negatives == data[64].negatives
    np.testing.assert_array_equal(later[4].image, whole[0][64])
    assert vn.data.scenes(5, seed=10).captions() != vn.data.scenes(5, seed=11).captions()


def test_sample():
    data = vn.data.scenes(20, seed=1, first=100)
    sample = data[-1]
    assert (sample.key, sample.group, sample.name) == (19, 119, "scene-1-119")
    assert sample.captions == (data.captions()[19],)
    assert sample.image.shape == (64, 64, 3) and sample.image.dtype == np.uint8
    assert [k for k, _ in sample.negatives] == [k for k in data.kinds if data.negative_captions(k, [19])[0]]
    assert len(data) == 20 == len(list(data)) and data.skipped == {}
    assert data.batch([]).shape == (0, 64, 64, 3)


@pytest.mark.parametrize("call, error, words", [
    (lambda: vn.data.scenes(0), ValueError, "n must be in"),
    (lambda: vn.data.scenes(2.5), TypeError, "n must be an integer, got float"),
    (lambda: vn.data.scenes(True), TypeError, "n must be an integer"),
    (lambda: vn.data.scenes(3, seed=-1), ValueError, "seed must be in"),
    (lambda: vn.data.scenes(3, size=0), ValueError, "size must be in"),
    (lambda: vn.data.scenes(3, size=1025), ValueError, "size must be in"),
    (lambda: vn.data.scenes(3, first=-1), ValueError, "first must be in"),
    (lambda: vn.data.scenes(3)[3], IndexError, "sample 3 of a data set of 3"),
    (lambda: vn.data.scenes(3)["a"], TypeError, "chosen by an integer, got str"),
    (lambda: vn.data.scenes(3).batch([0, 9]), IndexError, "sample 9"),
    (lambda: vn.data.scenes(3).negative_captions("swap"), ValueError, "kind must be one of attribute_swap"),
    (lambda: _core.scene_say(0, np.zeros(2, np.int32), 0), TypeError, "rows must be int64"),
    (lambda: _core.scene_draw(0, np.zeros(2, np.int64), 5, 64), ValueError, "edit must be in"),
    (lambda: _core.scene_draw(0, np.zeros(2, np.int64), 0, 2000), ValueError, "size must be in"),
    (lambda: _core.scene_objects(0, -1, 0), ValueError, "row must be in"),
    (lambda: _core.scene_draw(0, np.zeros(2, np.int64)), TypeError, "4 positional arguments, got 2"),
])
def test_refusals(call, error, words):
    with pytest.raises(error, match=re.escape(words)):
        call()


def test_no_such_edit():
    data = vn.data.scenes(200)
    alone = next(i for i in range(200) if len(data.scene(i)) == 1)
    assert data.scene(alone, "object_swap") is None
    words = f"scene {alone} has no object_swap; it has relation_swap, replacement, addition"
    with pytest.raises(ValueError, match=words):
        data.negative_image(alone, "object_swap")
