"""Edits that move objects: equal to their twins, and on photographs with real masks what they say they are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_image_negatives import LOOSE, check_twin, masks, picture

import vlmneg as vn
from vlmneg.negatives import image as edits

MAKERS = {
    "swap": edits.swap(k=2),
    "swap loose": edits.swap(k=3, grow=0.2, feather=0, **LOOSE),
    "exchange_colours": edits.exchange_colours(k=3, **LOOSE),
    "move": edits.move(k=2),
    "move loose": edits.move(k=3, mirror=False, feather=3, **LOOSE),
    "mirror": edits.mirror(k=2),
    "duplicate": edits.duplicate(k=2),
    "duplicate loose": edits.duplicate(k=3, feather=0, **LOOSE),
    "resize": edits.resize(k=4, **LOOSE),
    "bigger": edits.resize(k=2, to="bigger", feather=2, **LOOSE),
    "smaller": edits.resize(k=2, to="smaller"),
    "background": edits.background(k=2, **LOOSE),
    "paste": edits.paste(k=3, **LOOSE),
    "replace": edits.replace(k=3, **LOOSE),
}
SIZES = [(1, 1), (1, 7), (7, 1), (2, 3), (7, 7), (17, 3), (13, 17), (24, 31)]


def blocks(h, w, seed=0):
    """Two coloured blocks left and right, one small."""
    image, out = picture(h, w, seed) // 4, []
    for number, (top, left) in enumerate(((h // 3, 0), (h // 2, 2 * w // 3), (0, w // 2))):
        mask = np.zeros((h, w), np.uint8)
        mask[top:top + max(h // 3, 1), left:left + max(w // (4 + number), 1)] = 1
        image[mask != 0] = np.clip(np.eye(3)[number] * 200 + 20, 0, 255)
        out.append(mask)
    return image, out


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", MAKERS)
def test_equals_twin(name, size):
    for seed in range(2):
        image, objects = blocks(*size, seed)
        other = blocks(9, 14, seed + 5)
        check_twin(MAKERS[name], image, objects, other, seed)
        check_twin(MAKERS[name], image, masks(*size, seed), other, seed)
        check_twin(MAKERS[name], image, [], None, seed)


@pytest.mark.parametrize("name", MAKERS)
def test_makes_something(name):
    """The cases above are not all refusals."""
    made = [check_twin(MAKERS[name], *blocks(24, 31, seed), blocks(20, 24, seed + 5), seed) for seed in range(3)]
    assert sum(int(m.valid.sum()) for m in made) >= 2


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_equals_twin_anywhere(data):
    h, w = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12))
    image = np.frombuffer(data.draw(st.binary(min_size=3 * h * w, max_size=3 * h * w)), np.uint8).reshape(h, w, 3)
    boxes = data.draw(st.lists(st.tuples(*[st.integers(0, 11)] * 4), max_size=4))
    objects = []
    for top, left, bottom, right in boxes:
        objects.append(np.zeros((h, w), np.uint8))
        objects[-1][min(top, bottom):max(top, bottom), min(left, right):max(left, right) + 1] = 1
    name, seed = data.draw(st.sampled_from(sorted(MAKERS))), data.draw(st.integers(0, 2**64 - 1))
    check_twin(MAKERS[name], image, objects, blocks(5, 8, 3), seed, data.draw(st.integers(0, 2**32 - 1)))


def test_batch_equals_row_by_row_on_any_threads():
    every = sum(list(MAKERS.values())[1:9], list(MAKERS.values())[0])
    rows = [blocks(*size, i) for i, size in enumerate(SIZES)]
    others = [blocks(9 + i, 14, i) for i in range(len(rows))]
    threads, made = vn.num_threads(), {}
    try:
        for n in (1, 4):
            vn.set_num_threads(n)
            made[n] = every([r[0] for r in rows], 3, objects=[r[1] for r in rows], others=others)
    finally:
        vn.set_num_threads(threads)
    for i, (image, objects) in enumerate(rows):
        one = every([image], 3, objects=[objects], others=[others[i]])
        for other in made.values():
            assert other.reason[i] == one.reason[0] and other.edits[i] == one.edits[0]
            assert all(np.array_equal(a, b) for a, b in zip(other.image[i], one.image[0], strict=True))


def scene(size=(40, 60)):
    """A green field with a red block at the left and a blue one at the right, larger."""
    image, red, blue = np.full((*size, 3), (60, 160, 60), np.uint8), np.zeros(size, bool), np.zeros(size, bool)
    red[20:30, 4:14], blue[10:30, 36:50] = True, True
    image[red], image[blue] = (220, 20, 20), (20, 20, 220)
    return image, vn.data.Objects(["red block", "blue block"], [red, blue], size), red, blue


def area(image, colour):
    return int((np.abs(image.astype(int) - colour).sum(2) < 40).sum())


def test_what_edits_do():
    """On flat blocks: what goes where, and that nothing of it is left where it was."""
    image, objects, red, blue = scene()
    rules = {"feather": 0}
    one = vn.data.Objects(["red block"], [red], red.shape)
    made = edits.swap(**rules)([image], objects=[objects]).image[0][0]
    assert (made[12:28, 38:48] == (220, 20, 20)).all(2).mean() > 0.7  # as high as the blue one was: 14 x 14
    assert area(made[:, :20], (20, 20, 220)) == 10 * 7
    made = edits.move(**rules)([image[:, :34]], objects=[[red[:, :34]]])
    assert made.edits[0][0] == {"object": 0, "right": 16}
    assert (made.image[0][0][20:30, 20:30] == (220, 20, 20)).all() and area(made.image[0][0], (220, 20, 20)) == 100
    made = edits.duplicate(**rules)([image], objects=[one]).image[0][0]
    assert area(made, (220, 20, 20)) == 200
    for to, low, high in (("bigger", 1.6**2, 2.2**2), ("smaller", 0.35**2, 0.6**2)):
        for seed in range(5):
            made = edits.resize(to=to, **rules)([image], seed, objects=[one])
            scale = made.edits[0][0]["scale"] / 1000
            assert low <= scale**2 <= high and abs(area(made.image[0][0], (220, 20, 20)) - 100 * scale**2) < 30
            assert (made.image[0][0][29, 8:10] == (220, 20, 20)).all()  # on its base line
    made = edits.exchange_colours(**rules)([image], objects=[objects])
    assert made.edits[0][0] == {"object": 0, "with": 1, "old": "red", "new": "blue"}
    assert (made.image[0][0][red].argmax(1) == 2).all() and (made.image[0][0][blue].argmax(1) == 0).all()
    white = np.full((30, 50, 3), 255, np.uint8)
    made = edits.background(**rules)([image], objects=[objects], others=[white]).image[0][0]
    assert (made[red | blue] == image[red | blue]).all() and (made[~(red | blue)] == 255).all()
    np.testing.assert_array_equal(edits.mirror()([image]).image[0][0], image[:, ::-1])
    mask = np.zeros((30, 50), bool)
    mask[20:25, 20:25] = True
    other = mask[..., None].repeat(3, 2) * np.uint8(255), vn.data.Objects(["x"], [mask], (30, 50))
    made = edits.paste(min_area=0, **rules)([image], objects=[objects], others=[other])
    assert made.valid[0, 0] and 36 <= area(made.image[0][0], (255, 255, 255)) <= 60
    made = edits.replace(**rules)([image], objects=[one], others=[other]).image[0][0]
    assert area(made, (255, 255, 255)) >= 90 and area(made, (220, 20, 20)) == 0


def test_reasons():
    image, objects, red, blue = scene()
    assert edits.background()([image], objects=[objects]).reason == [["EMPTY"]]
    assert edits.background()([image], others=[image]).reason == [["EMPTY"]]
    assert (edits.paste() + edits.replace())([image], objects=[objects]).reason == [["EMPTY", "EMPTY"]]
    same = vn.data.Objects(["block", "block"], [red, blue], red.shape)
    assert (edits.swap() + edits.exchange_colours())([image], objects=[same]).reason == [["EMPTY", "EMPTY"]]
    assert edits.paste()([image], objects=[same], others=[(image, same)]).reason == [["PLACE"]]
    middle = np.zeros_like(red)
    middle[10:20, 25:35] = True
    assert edits.move()([image], objects=[[middle]]).reason == [["PLACE"]]
    crowd = vn.data.Objects(["block"], [red], red.shape, crowd=[True])
    assert edits.move()([image], objects=[crowd]).reason == [["EMPTY"]]
    symmetric = np.concatenate([image, image[:, ::-1]], 1)
    assert edits.mirror()([symmetric]).reason == [["SAME"]]


@pytest.fixture(scope="module")
def photographs(shared):
    """Pictures at half their size and their objects."""
    coco, found = shared / "coco", []
    for part in ("", "train_"):
        data = vn.data.coco(coco / f"{part}captions.json", coco / f"{part}images", coco / f"{part}instances.json")
        found += [s for s in data if s.objects]
    images = [np.asarray(vn.images.decode(s.image).convert("RGB").reduce(2)) for s in found]
    objects = [vn.data.Objects(s.objects.names, list(s.objects.masks[:, ::2, ::2]), image.shape[:2],
                               groups=s.objects.groups, crowd=s.objects.crowd)
               for s, image in zip(found, images, strict=True)]
    return images, objects


EVERY = {name: getattr(edits, name)(k=1) for name in
         ("recolour", "remove", "swap", "exchange_colours", "move", "mirror", "duplicate", "resize", "background",
          "paste", "replace", "grey", "blur")}  # fmt: skip
# of photographs with objects, how many get a negative at least
SHARE = {"recolour": 0.9, "remove": 0.9, "swap": 0.4, "exchange_colours": 0.15, "move": 0.7, "mirror": 0.9,
         "duplicate": 0.7, "resize": 0.9, "background": 0.9, "paste": 0.6, "replace": 0.05, "grey": 0.4, "blur": 0.2}


@pytest.mark.parametrize("name", EVERY)
def test_photographs(photographs, name):
    """Outside the region, bit for bit the source; inside, changed by more than the rules ask."""
    (images, objects), maker = photographs, EVERY[name]
    n = len(images)
    others = [(images[(i + 7) % n], objects[(i + 7) % n]) for i in range(n)]
    made = maker(images, 1, objects=objects, others=others)
    rules = maker.parameters
    for i in range(n):
        region, image = made.region[i][0].astype(bool), made.image[i][0]
        assert np.array_equal(image[~region], images[i][~region])
        if not made.valid[i, 0]:
            assert made.reason[i][0] and np.array_equal(image, images[i])
            continue
        change = np.abs(image.astype(int) - images[i])[region]
        assert rules["min_area"] <= region.mean() <= rules["max_area"]
        assert change.mean() >= rules["min_change"]
        assert (change.sum(1) / 6 > 10).mean() > rules["variation"]  # half the difference: the deviation of two
    assert made.valid.mean() >= SHARE[name], f"{made.valid.mean():.2f}"


@pytest.mark.parametrize("name", EVERY)
def test_odd_pictures_and_masks(name):
    """Grey, with alpha, tiny; masks that are empty, full, one pixel, outside the frame: never an error, never a lie."""
    plain = np.random.default_rng(0).integers(0, 256, (30, 40, 4), np.uint8)
    shapes = [[], (0, 0, 40, 30), (20, 15, 1, 1), (-50, -50, 9, 9), (35, 25, 30, 30), (-5, 5, 15, 12)]
    objects = vn.data.Objects(list("abcdef"), shapes, (30, 40))
    tiny = vn.data.Objects(["a", "b"], [(0, 0, 1, 1), []], (1, 1))
    images = [plain[..., 0], plain[..., :3], plain, plain[:1, :1, :3], plain[:1, :1, 0]]
    named = [objects] * 3 + [tiny] * 2
    others = [(plain[..., :3], objects), (plain[:1, :1, 0], tiny)] * 2 + [None]
    for seed in range(3):
        made = EVERY[name](images, seed, objects=named, others=others, captions=["an a on a b"] * 5)
        for i, source in enumerate(made.images):
            outside = made.region[i][0] == 0
            assert np.array_equal(made.image[i][0][outside], source[outside])
            assert made.valid[i, 0] == (made.reason[i][0] == "")
        empty = EVERY[name](images, seed, objects=[None] * 5)
        assert name in ("mirror", "grey", "blur") or set(sum(empty.reason, [])) == {"EMPTY"}
