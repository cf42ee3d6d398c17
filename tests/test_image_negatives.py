"""Image negatives: equal to their twins, to the source outside the region, in any batch, on any number of threads."""

import importlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import vlmneg as vn
from vlmneg import _core
from vlmneg.negatives import image as edits
from vlmneg.negatives.image import drawing
from vlmneg.negatives.image.sheet import html_of
from vlmneg.reference.image_negatives import draw as twin
from vlmneg.reference.image_negatives import paint
from vlmneg.reference.image_negatives.recolour import colour_of

LISTED = {name: (i, stream) for i, (name, _, _, _, stream) in enumerate(_core.image_listed())}
LOOSE = {"min_area": 0, "max_area": 1, "min_change": 0, "variation": 0}
# every edit, as users make it and with no rule but that something must change
MAKERS = {
    "shuffle_patches": edits.shuffle_patches(k=2),
    "shuffle_rows": edits.shuffle_rows(k=2, n=5),
    "shuffle_columns": edits.shuffle_columns(k=2, n=2, **LOOSE),
    "grey": edits.grey(k=2),
    "grey object": edits.grey(k=3, of_object=True, **LOOSE),
    "blur": edits.blur(k=1, radius=0.1, **LOOSE),
    "blur object": edits.blur(k=2, of_object=True, radius=0.3, feather=2, **LOOSE),
    "recolour": edits.recolour(k=3),
    "recolour loose": edits.recolour(k=4, colours=("red", "blue", "brown"), feather=0, **LOOSE),
    "remove": edits.remove(k=2, **LOOSE),
    "remove wide": edits.remove(k=2, grow=0.4, feather=3),
}
SIZES = [(1, 1), (1, 7), (7, 1), (2, 3), (3, 2), (7, 7), (17, 3), (13, 17), (24, 31)]


def picture(h, w, seed=0):
    """Noise over a slope of colours: most pixels have a hue, some are dark, some pale."""
    rng = np.random.default_rng(seed)
    slope = np.linspace(0, 255, h * w).reshape(h, w, 1) * rng.random(3) + 60 * rng.standard_normal((h, w, 3))
    return np.clip(slope, 0, 255).astype(np.uint8)


def masks(h, w, seed=0):
    """An ordinary mask, an empty one, one pixel, the whole frame, one at the corner."""
    some = np.zeros((h, w), np.uint8)
    some[h // 4:h // 4 + max(h // 2, 1), w // 4:w // 4 + max(w // 2, 1)] = 1
    some &= np.random.default_rng(seed).random((h, w)) < 0.9
    one, corner = np.zeros((h, w), bool), np.zeros((h, w), np.int64)
    one[h // 2, w // 2] = True
    corner[-(h // 3 or 1):, -(w // 3 or 1):] = 5
    return [some, np.zeros((h, w), np.uint8), one, np.ones((h, w), np.uint8), corner]


def by_twin(maker, image, objects, other, row, seed):
    slots = []
    for part in maker.parts:
        name = part.maker or part.name
        make = importlib.import_module(f"vlmneg.reference.image_negatives.{name}").make
        for _ in range(part.k):
            numbers = drawing.numbers(part, LISTED[name][0], len(slots))
            slots.append((make, LISTED[name][1], twin.Slot(*numbers[1:])))
    ready = [(np.asarray(m), 0, 0, -1, -1, 1) for m in objects]
    second = None if other is None else paint.Photo(other[0], [(np.asarray(m), 0, 0, -1, -1, 1) for m in other[1]])
    return twin.draw_row(paint.Photo(image, ready), second, row, seed, slots)


def check_twin(maker, image, objects, other=None, seed=0, row=0):
    made = maker([image], seed, ids=[row], objects=[objects], others=[other])
    variants, reasons = by_twin(maker, image, objects, other, row, seed)
    assert made.reason[0] == [drawing.REASONS[r] for r in reasons]
    for k, (v, reason) in enumerate(zip(variants, reasons, strict=True)):
        if reason:
            assert made.image[0][k] is image or np.array_equal(made.image[0][k], image)
            assert not made.region[0][k].any() and made.edits[0][k] == {}
            continue
        np.testing.assert_array_equal(made.image[0][k], v.canvas.rgb)
        np.testing.assert_array_equal(made.region[0][k], v.canvas.region)
        part = [p for p in maker.parts for _ in range(p.k)][k]
        assert made.edits[0][k] == part.describe(v.notes, objects, other and other[1])
    return made


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", MAKERS)
def test_equals_twin(name, size):
    for seed in range(3):
        image, objects = picture(*size, seed), masks(*size, seed)
        other = picture(9, 5, seed), masks(9, 5, seed)
        check_twin(MAKERS[name], image, objects, other, seed)
        for mask in objects:
            check_twin(MAKERS[name], image, [mask], other, seed)


@pytest.mark.parametrize("name", MAKERS)
def test_makes_something(name):
    """The cases above are not all refusals."""
    made = [check_twin(MAKERS[name], picture(24, 31, seed), masks(24, 31, seed), None, seed) for seed in range(3)]
    assert sum(int(m.valid.sum()) for m in made) >= 3


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_equals_twin_anywhere(data):
    h, w = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12))
    pixels = data.draw(st.binary(min_size=3 * h * w, max_size=3 * h * w))
    count = data.draw(st.integers(0, 3))
    bits = [data.draw(st.binary(min_size=h * w, max_size=h * w)) for _ in range(count)]
    image = np.frombuffer(pixels, np.uint8).reshape(h, w, 3)
    objects = [np.frombuffer(b, np.uint8).reshape(h, w) & 1 for b in bits]
    name = data.draw(st.sampled_from(sorted(MAKERS)))
    check_twin(MAKERS[name], image, objects, None, data.draw(st.integers(0, 2**64 - 1)),
               data.draw(st.integers(0, 2**32 - 1)))


def test_batch_equals_row_by_row_on_any_threads():
    every = sum(list(MAKERS.values())[1:8], list(MAKERS.values())[0])
    images = [picture(*size, i) for i, size in enumerate(SIZES)]
    objects = [masks(*size, i) for i, size in enumerate(SIZES)]
    threads, made = vn.num_threads(), {}
    try:
        for n in (1, 4):
            vn.set_num_threads(n)
            made[n] = every(images, 3, objects=objects)
    finally:
        vn.set_num_threads(threads)
    for i, image in enumerate(images):
        one = every([image], 3, objects=[objects[i]])
        for other in made.values():
            assert other.reason[i] == one.reason[0] and other.edits[i] == one.edits[0]
            assert all(np.array_equal(a, b) for a, b in zip(other.image[i], one.image[0], strict=True))
            assert all(np.array_equal(a, b) for a, b in zip(other.region[i], one.region[0], strict=True))


def test_seed_visit_and_slot_give_other_pictures():
    image = picture(40, 40)
    make = edits.shuffle_patches(k=3, n=4)
    seen = {make([image], seed, visit=visit).image[0][k].tobytes() for seed in (0, 1) for visit in (0, 1)
            for k in range(3)}
    assert len(seen) == 12
    first = make([image]).image[0]
    again = make([image, picture(3, 3)]).image[0]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_no_slot_repeats_another():
    image, (some, *_) = picture(24, 31), masks(24, 31)
    made = edits.recolour(k=3, colours=("red", "blue"), **LOOSE)([image], objects=[[some]])
    assert sorted(made.reason[0]) == ["", "", "REPEAT"]
    assert edits.grey(k=2)([image]).reason == [["", "REPEAT"]]
    assert (edits.grey() + edits.blur(**LOOSE) + edits.grey())([image]).reason == [["", "", "REPEAT"]]


def test_reasons():
    image, (some, empty, one, whole, _) = picture(40, 40), masks(40, 40)
    assert edits.recolour(k=1)([image]).reason == [["EMPTY"]]
    assert edits.recolour(k=1)([image], objects=[[empty]]).reason == [["EMPTY"]]
    assert edits.recolour(k=1)([image], objects=[[one]]).reason == [["AREA"]]
    assert edits.recolour(k=1)([image], objects=[[whole]]).reason == [["AREA"]]
    assert edits.remove(k=1, **LOOSE)([image], objects=[[whole]]).reason == [["AREA"]]
    assert edits.shuffle_rows()([image[:1]]).reason == [["EMPTY"]]
    flat = np.full((40, 40, 3), 90, np.uint8)
    for make in (edits.grey(), edits.blur(), edits.shuffle_patches(), edits.remove()):
        assert make([flat], objects=[[some]]).reason == [["SAME"]]
    black = np.zeros((40, 40, 3), np.uint8)
    assert edits.recolour(k=1, colours="red")([black], objects=[[some]]).reason == [["SAME"]]


def test_picks_an_object_of_allowed_size():
    image, (some, empty, one, whole, _) = picture(40, 40), masks(40, 40)
    for seed in range(5):
        made = edits.remove(k=1, min_change=0, variation=0)([image], seed, objects=[[one, empty, whole, some]])
        assert made.edits[0][0]["object"] == 3


def test_variation_area_is_the_share_that_changes_by_more_than_twenty():
    """Standard deviation over two pictures is half their difference."""
    image, mask = np.full((10, 10, 3), (200, 0, 0), np.uint8), np.ones((10, 10), bool)
    image[:, :7] = 120  # grey already
    rules = {"min_change": 0, "max_area": 1, "min_area": 0, "feather": 0}
    change = np.abs(image.astype(int) - edits.grey(**rules)([image]).image[0][0]).mean(2)
    assert np.isclose((change / 2 > 10).mean(), 0.3)
    assert edits.grey(of_object=True, variation=0.29, **rules)([image], objects=[[mask]]).valid[0, 0]
    assert edits.grey(of_object=True, variation=0.3, **rules)([image], objects=[[mask]]).reason == [["SAME"]]


@pytest.mark.parametrize("colour", [
    "black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown"])
def test_recoloured_objects_have_the_rule_of_their_colour(colour):
    """Hue, saturation at least 0.35, value kept; black, white and grey without saturation, near their value."""
    image = np.clip(picture(30, 30, 5).astype(int) + 70, 0, 255).astype(np.uint8)
    mask = np.zeros((30, 30), bool)
    mask[5:25, 5:25] = True
    made = edits.recolour(k=1, colours=colour, feather=0)([image], objects=[[mask]])
    assert made.reason == [[""]] and made.edits[0][0]["new"] == colour
    new, old = made.image[0][0][mask].astype(float), image[mask].astype(float)
    value, saturation = new.max(1) / 255, 1 - new.min(1) / np.maximum(new.max(1), 1)
    greys = {"black": 0.15, "white": 0.9, "grey": 0.5}
    if colour in greys:
        assert saturation.max() == 0
        assert (np.abs(value - greys[colour]) <= np.abs(old.max(1) / 255 - greys[colour]) / 5 + 0.01).all()
        return
    if colour != "brown":
        np.testing.assert_array_equal(new.max(1), old.max(1))
    assert saturation.min() >= 0.33
    hue = {"red": 0, "orange": 30, "yellow": 60, "green": 120, "blue": 240, "purple": 285, "pink": 330, "brown": 25}
    turned = np.asarray(Image.fromarray(new[None].astype(np.uint8)).convert("HSV"))[0, :, 0] / 256 * 360
    off = np.abs((turned - hue[colour] + 180) % 360 - 180)
    assert np.median(off) < 3


def test_source_colour_is_reported_and_avoided():
    mask = np.ones((9, 9), bool)
    for name, rgb in {"red": (200, 10, 10), "blue": (20, 40, 180), "white": (250, 250, 245), "black": (9, 9, 9),
                      "yellow": (230, 220, 40), "green": (40, 160, 60), "brown": (110, 70, 40),
                      "orange": (240, 140, 20), "pink": (250, 170, 190), "purple": (120, 40, 160),
                      "grey": (128, 128, 128)}.items():
        image = np.full((9, 9, 3), rgb, np.uint8)
        made = edits.recolour(k=8, max_area=1)([image], objects=[[mask]])
        assert made.valid.any()
        for k in np.flatnonzero(made.valid[0]):
            assert made.edits[0][k]["old"] == name != made.edits[0][k]["new"]
    half = np.zeros((9, 9, 3), np.uint8)
    half[:, :4], half[:, 4:8, 1] = (255, 0, 0), 255
    assert "old" not in edits.recolour(k=1, max_area=1)([half], objects=[[mask]]).edits[0][0]


def test_any_pixel_has_the_twin_s_colour():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (900, 3), dtype=np.uint8)
    pixels[:300] = np.clip(pixels[:300, :1].astype(int) + rng.integers(-12, 13, (300, 3)), 0, 255)  # nearly grey
    made = edits.recolour(k=1, **LOOSE)([p.reshape(1, 1, 3) for p in pixels], objects=[[np.ones((1, 1), bool)]] * 900)
    assert made.valid.mean() > 0.9
    for pixel, row in zip(pixels, made.edits, strict=True):
        assert not row[0] or row[0]["old"] == colour_of(pixel)


def test_any_kind_of_picture():
    grey, colour = picture(12, 14)[..., 0], picture(12, 14)
    alpha = np.dstack([colour, np.full((12, 14), 255, np.uint8)])
    make = edits.shuffle_patches(**LOOSE)
    expected = make([colour], 1, ids=[0]).image[0][0]
    for source in (colour, Image.fromarray(colour), alpha, colour[::-1][::-1], np.asfortranarray(colour)):
        np.testing.assert_array_equal(make([source], 1, ids=[0]).image[0][0], expected)
    for source in (grey, grey[..., None], Image.fromarray(grey)):
        made = make([source], 1, ids=[0])
        assert made.image[0][0].shape == (12, 14, 3) and made.valid.all()
    assert len(make(np.stack([colour, colour]))) == 2


def test_any_kind_of_shape():
    """Boxes, polygons and runs give what their mask gives; what leaves the frame is cut off."""
    image, mask = picture(20, 30), np.zeros((20, 30), np.uint8)
    mask[4:12, 18:30] = 1
    box, corners = (18, 4, 40, 8), [[18, 4, 58, 4, 58, 12, 18, 12]]
    turned = np.flatnonzero(np.diff(np.pad(mask.T.ravel(), 1)))
    runs = {"size": [20, 30], "counts": np.diff([0, *turned, 600]).tolist()}
    expected = edits.remove(**LOOSE)([image], objects=[[mask]])
    for shape in (box, corners, runs, mask != 0, mask.astype(np.int64) * 7):
        for objects in ([shape], vn.data.Objects(["dog"], [shape], (20, 30))):
            made = edits.remove(**LOOSE)([image], objects=[objects])
            assert made.edits == expected.edits
            np.testing.assert_array_equal(made.image[0][0], expected.image[0][0])
    crowd = vn.data.Objects(["dog"], [box], (20, 30), crowd=[True])
    assert edits.remove()([image], objects=[crowd]).reason == [["EMPTY"]]


def test_paths(tmp_path):
    Image.fromarray(picture(12, 14)).save(tmp_path / "a.png")
    assert edits.grey(**LOOSE)([tmp_path / "a.png", str(tmp_path / "a.png")]).valid.all()
    with pytest.raises(FileNotFoundError):
        edits.grey()([tmp_path / "b.png"])


def wrong(match, error=ValueError):
    return pytest.raises(error, match=match)


def test_refusals():
    image, mask = picture(8, 8), np.ones((8, 8), bool)
    make = edits.recolour(k=1)
    with wrong(r"images\[0\]: .*must be uint8, got float64", TypeError):
        make([np.full((4, 4, 3), np.nan)])
    with wrong("put one picture into a list", TypeError):
        make(image)
    with wrong("images is empty"):
        make([])
    with wrong(r"objects\[0\]\[0\] must have the shape of its picture, \(8, 8\), got \(4, 4\)"):
        make([image], objects=[[mask[:4, :4]]])
    with wrong("must be a mask, an array of bool or integers, got float64", TypeError):
        make([image], objects=[[mask.astype(float)]])
    with wrong("objects must have one item a picture, 1, got 0"):
        make([image], objects=[])
    with wrong("objects must be a list with one item a picture, got Objects", TypeError):
        make([image], objects=vn.data.Objects(["dog"], [(1, 1, 3, 3)], (8, 8)))
    with wrong(r"objects\[0\]: shapes\[0\]\[0\] must be a polygon", TypeError):
        make([image], objects=[[[1, 2, 3, 4, 5, 6]]])
    with wrong("captions must have one item"):
        make([image], captions=["a", "b"])
    with wrong("seed must be in"):
        make([image], -1)
    for rules, match in ({"min_area": 0.5, "max_area": 0.1}, "at most max_area"), ({"feather": 40}, "feather"), \
            ({"min_change": float("nan")}, "min_change"), ({"k": 0}, "k must be"), ({"k": 17}, "k must be"), \
            ({"colours": "mauve"}, "among black"), ({"saturation": 2}, "saturation"):
        with wrong(match):
            edits.recolour(**rules)
    with wrong("True or False", TypeError):
        edits.grey(of_object=1)
    with wrong("unexpected keyword", TypeError):
        edits.grey(whatever=1)
    with wrong("radius must be above 0"):
        edits.blur(radius=0)
    with wrong("n must be in"):
        edits.shuffle_rows(n=1)


def test_sums_compare_and_print():
    both = edits.grey() + edits.shuffle_rows(k=2)
    assert [p.name for p in both.parts] == ["grey", "shuffle_rows"] and both.k == 3
    assert both == edits.grey() + edits.shuffle_rows(k=2) != edits.grey() + edits.shuffle_rows(k=1)
    assert "shuffle_rows(k=2, n=4" in repr(both)
    made = both([picture(9, 9)], captions=["a dog"])
    assert made.valid.shape == (1, 3) and "a dog" in repr(made) and len(made) == 1


class invert(edits.ImageNegatives):
    """An edit in Python: an object's colours inverted, and a pixel outside that must not stay."""

    name = "invert"

    def __init__(self, *, k=1, **rules):
        super().__init__(k=k, **rules)

    def edit(self, picture, masks, other, rng):
        if not masks:
            return None
        n = int(rng.integers(len(masks)))
        region, new = masks[n].copy(), 255 - picture
        masks[n][:] = 0
        picture[:] = 9
        return new, region, {"object": n}


def test_edits_in_python():
    image, objects = picture(24, 31), masks(24, 31)
    made = invert(k=4)([image, image], 1, objects=[objects, None], ids=[3, 4])
    assert made.reason[1] == ["EMPTY"] * 4 and made.kind[0] == ["invert"] * 4
    assert made.reason[0].count("") == 2  # two objects are of allowed size
    for k in np.flatnonzero(made.valid[0]):
        mask = np.asarray(objects[made.edits[0][k]["object"]]) != 0
        np.testing.assert_array_equal(made.region[0][k], mask)
        np.testing.assert_array_equal(made.image[0][k], np.where(mask[..., None], 255 - image, image))
    again = invert(k=4)([image], 1, objects=[objects], ids=[3])
    assert again.edits[0] == made.edits[0]
    both = (edits.recolour(k=1) + invert(k=1) + invert(k=2))([image], objects=[objects])
    assert both.valid.sum() == 3 and both.kind[0][0] == "recolour"

    class broken(invert):
        def edit(self, picture, masks, other, rng):
            return picture[:1], masks[0]

    with wrong(r"invert.edit must give a uint8 picture of shape \(24, 31, 3\)"):
        broken()([image], objects=[objects])


def test_mix():
    images = [picture(24, 31, i) for i in range(40)]
    objects = [masks(24, 31, i) if i % 2 else None for i in range(40)]
    mixed = vn.negatives.mix(edits.recolour(), edits.grey(**LOOSE), weights=(3, 1), k=2)
    assert mixed.k == 2 and "weights=(3, 1)" in repr(mixed)
    made = mixed(images, 5, objects=objects)
    kinds = [made.kind[i][0] for i in range(40) if made.valid[i, 0]]
    assert 8 < kinds.count("recolour") < 20
    for i in range(0, 40, 2):  # without objects, grey alone is left, once
        assert made.reason[i][0] == "" and made.kind[i][0] == "grey" and made.reason[i][1] in ("REPEAT", "EMPTY")
    one = mixed([images[7]], 5, objects=[objects[7]])
    assert one.kind[0] == made.kind[7] and np.array_equal(one.image[0][0], made.image[7][0])
    with wrong("one modality", TypeError):
        vn.negatives.mix(edits.grey(), vn.negatives.text.swap())
    with wrong("one modality", TypeError):
        vn.negatives.mix(mixed, edits.grey())


def test_found_by_name():
    assert {"grey", "recolour", "remove", "shuffle_rows"} <= set(vn.negatives.names("image"))
    assert "ImageNegatives" not in vn.negatives.names("image")
    assert vn.negatives.get("image.blur", radius=0.1) == edits.blur(radius=0.1)


def test_looking():
    """Sheet and page: a cell a picture, the region outlined, what HTML gives a meaning is escaped."""
    images, objects = [picture(40, 60, i) for i in range(5)], [masks(40, 60, i)[:1] for i in range(5)]
    made = (edits.recolour(k=1) + edits.grey(k=2))(images, objects=objects, captions=["a <b> & a c"] * 5)
    made.caption[0][0] = "a <i> & a c"
    sheet = made.sheet(3, 7, side=60)
    assert sheet.size[0] == 4 * 70 + 20
    pixels = np.asarray(sheet)
    assert (pixels == (255, 64, 160)).all(2).any()
    np.testing.assert_array_equal(np.asarray(made.sheet(3, 7, side=60)), pixels)
    assert (np.asarray(made.sheet(3, 8, side=60)).shape != pixels.shape or
            (np.asarray(made.sheet(3, 8, side=60)) != pixels).any())
    page = html_of(made, n=5)
    assert page.count("<img") == 20 and page.count("a &lt;b&gt; &amp; a c") == 5 and "<b>" not in page
    assert "<mark>&lt;i&gt;</mark>" in page and "grey: none, REPEAT" in page and "10 of 15 valid" in page
    assert made._repr_html_().count("<tr") == 4
    tiny = edits.shuffle_rows(n=2, **LOOSE)([picture(2, 1), picture(1, 1)])
    assert tiny.sheet(side=32).size[0] > 0 and tiny._repr_html_()


# --- real photographs


@pytest.fixture(scope="module")
def photographs(shared):
    """Photographs with the masks of their objects, crowds left out."""
    content = json.loads((shared / "coco" / "instances.json").read_text())
    found = []
    for entry in content["images"][:12]:
        path = shared / "coco" / "images" / entry["file_name"]
        size = entry["height"], entry["width"]
        own = [a for a in content["annotations"] if a["image_id"] == entry["id"] and not a["iscrowd"]]
        if path.is_file() and own:
            found.append((np.asarray(Image.open(path).convert("RGB")), [polygon(a["segmentation"], *size)
                                                                        for a in own]))
    return found


def polygon(parts, h, w):
    from PIL import ImageDraw

    mask = Image.new("L", (w, h))
    for part in parts:
        ImageDraw.Draw(mask).polygon(part, fill=1)
    return np.asarray(mask)


def test_photographs(photographs):
    """Outside the region bit-equal; inside changed by more than the variation area asks; nothing but the region."""
    images, objects = zip(*photographs, strict=True)
    for make in (edits.recolour(k=3), edits.remove(k=2), edits.grey(),
                 edits.blur(k=2, of_object=True), edits.shuffle_patches(), edits.shuffle_rows(),
                 edits.shuffle_columns()):
        made = make(images, objects=objects)
        assert made.valid.any(1).mean() > (0.3 if make == edits.grey() else 0.8), make
        for i, k in np.argwhere(made.valid):
            new, old, region = made.image[i][k].astype(int), images[i].astype(int), made.region[i][k] != 0
            np.testing.assert_array_equal(new[~region], old[~region])
            change = np.abs(new - old)[region].mean(1)
            assert (change / 2 > 10).mean() > 0.14
            assert change.mean() >= make.parameters["min_change"]
            assert make.parameters["min_area"] <= region.mean() <= make.parameters["max_area"]
            if "object" in made.edits[i][k]:
                mask = objects[i][made.edits[i][k]["object"]] != 0
                grown = paint.square_sums(mask, 1 + (32 if make.name == "remove" else 0)) > 0
                assert (grown | ~region).all() and region[mask].all()


@pytest.mark.slow
def test_photographs_equal_twin(photographs):
    for image, objects in photographs[:3]:
        small = np.ascontiguousarray(image[::5, ::5])
        for make in MAKERS.values():
            check_twin(make, small, [m[::5, ::5] for m in objects])
