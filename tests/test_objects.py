"""Masks of objects: against COCO's own tools where installed, against the twin always; hostile annotations."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vlmneg as vn
from vlmneg import _core
from vlmneg.reference import masks as twin

Objects = vn.data.Objects
HOUSE = [[1, 1, 5, 1, 5, 4, 1, 4]]


def drawn(parts, height, width):
    """Polygons of one object, by the core."""
    return Objects(["x"], [parts], (height, width)).masks[0]


def peer():
    return pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed: no parity can be tested")


def annotations(shared):
    for name in ("instances", "train_instances"):
        content = json.loads((shared / "coco" / f"{name}.json").read_text())
        sizes = {e["id"]: (e["height"], e["width"]) for e in content["images"]}
        yield from ((a, sizes[a["image_id"]]) for a in content["annotations"])


def test_real_masks(shared):
    """A large annotated object covers the area and the box that COCO gives, a crowd its runs."""
    seen = crowds = 0
    for a, size in annotations(shared):
        objects = Objects(["x"], [a["segmentation"]], size, crowd=[a["iscrowd"]])
        area, (left, top, right, bottom) = objects.areas[0], objects.boxes[0]
        x, y, w, h = a["bbox"]
        if a["iscrowd"]:  # whose areas and boxes are of something else
            assert area == sum(a["segmentation"]["counts"][1::2])
            crowds += 1
            continue
        if a["area"] < 1000:  # where slivers go between the middles of pixels
            continue
        assert abs(area - a["area"]) <= 0.05 * a["area"], a["id"]
        assert max(abs(left - x), abs(top - y), abs(right - x - w), abs(bottom - y - h)) <= 4, a["id"]
        seen += 1
    assert seen > 300 and crowds == 8


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
def test_parity_with_coco_tools(shared):
    coco = peer()
    for a, size in annotations(shared):
        made = coco.frPyObjects(a["segmentation"], *size)
        made = made if isinstance(made, dict) else coco.merge(made)
        want = coco.decode(made)
        np.testing.assert_array_equal(Objects(["x"], [a["segmentation"]], size).masks[0], want)
        np.testing.assert_array_equal(Objects(["x"], [made], size).masks[0], want)  # packed runs


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
def test_parity_of_odd_polygons_and_boxes():
    coco, rng = peer(), np.random.default_rng(0)
    for i in range(600):
        height, width = (int(n) for n in rng.integers(1, 60, 2))
        points = rng.uniform(-30, 90, (rng.integers(3, 9), 2))
        points = points.round() if i % 3 == 0 else points
        want = coco.decode(coco.merge(coco.frPyObjects([points.ravel().tolist()], height, width)))
        np.testing.assert_array_equal(drawn([points.ravel().tolist()], height, width), want)
        box = np.append(rng.uniform(-10, 50, 2), rng.uniform(0, 50, 2))
        want = coco.decode(coco.frPyObjects(box[None], height, width))[..., 0]
        np.testing.assert_array_equal(Objects(["x"], [box.tolist()], (height, width)).masks[0], want)


coordinates = st.floats(-20, 60, width=32) | st.integers(-5, 45)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=7), max_size=3),
       st.integers(1, 40), st.integers(1, 40))
def test_polygons_twin(parts, height, width):
    flat = [[float(x) for point in part for x in point] for part in parts]
    np.testing.assert_array_equal(drawn(flat, height, width), twin.polygons(parts, height, width))


@settings(deadline=None, max_examples=150)
@given(st.lists(st.integers(0, 4000), max_size=30), st.integers(1, 40))
def test_runs_twin(counts, height):
    width = max(1, -(-sum(counts) // height))
    counts = [*counts, height * width - sum(counts)]
    want = twin.runs(counts, height, width)
    assert twin.unpack(twin.pack(counts)) == counts
    for given_ in (counts, np.array(counts), twin.pack(counts), twin.pack(counts).decode()):
        got = Objects(["x"], [{"size": [height, width], "counts": given_}], (height, width)).masks[0]
        np.testing.assert_array_equal(got, want)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=40) | st.text(st.characters(min_codepoint=48, max_codepoint=111), max_size=40))
def test_packed_noise(text):
    """Any text is runs that fill the picture, or is refused."""
    try:
        masks = Objects(["x"], [{"size": (6, 7), "counts": text}], (6, 7)).masks
    except ValueError as error:
        assert "shapes[0]" in str(error)
    else:
        data = text if isinstance(text, bytes) else text.encode()
        np.testing.assert_array_equal(masks[0], twin.runs(twin.unpack(data), 6, 7))


@pytest.mark.parametrize("shape, words", [
    (None, "must be polygons"), ("12", "must be polygons"), (7, "must be polygons"), ([1, 2, 3], "must be a polygon"),
    ([[1, 2, 3, 4, 5]], "even number"), ([[1, 2, 3, 4]], "at least 6"), ([[0, 0, 1, 0, float("nan"), 1]], "finite"),
    ([[0, 0, 1, 0, float("inf"), 1]], "finite"), ([[0, 0, 1, 0, 1e9, 1]], "within"),
    ([[0, 0, 1, 0, "x", 1]], "numbers"),
    ([[0, 0, 1, 0, None, 1]], "finite|numbers"), ((0, 0, -1, 2), "width of -1"), ((0, 0, float("nan"), 2), "finite"),
    (np.zeros((3, 3), bool), "mask of bool"), (np.zeros((6, 9)), "mask of bool"), ({"size": [6, 9]}, "no 'counts'"),
    ({"size": [9, 6], "counts": [54]}, "has the size"), ({"size": "x", "counts": [54]}, "size must"),
    ({"counts": [53]}, "fill 6 x 9"), ({"counts": [55]}, "fill 6 x 9"), ({"counts": [60, -6]}, "fill 6 x 9"),
    ({"counts": [2**62] * 4}, "fill 6 x 9"), ({"counts": [2**70]}, "shapes"), ({"counts": [1.5, 52.5]}, "integers"),
    ({"counts": 54}, "shapes"), ({"counts": b"P"}, "end inside"), ({"counts": b" "}, "character of code 32"),
    ({"counts": "\u00e9"}, "ASCII"), ({"counts": b"o" * 20}, "too large"), ({"counts": b"O"}, "run of -1"),
])  # fmt: skip
def test_refused(shape, words):
    with pytest.raises((TypeError, ValueError), match=words) as caught:
        Objects(["x"], [shape], (6, 9))
    assert "Traceback" not in str(caught.value) and len(str(caught.value)) < 300


def test_refused_lists():
    for arguments, words in (((["x"], [], (3, 3)), "one shape a name"), (("x", [HOUSE], (3, 3)), "list of str"),
                             (([1], [HOUSE], (3, 3)), "must be a str"), ((["x"], [HOUSE], 3), "size must be"),
                             ((["x"], [HOUSE], (0, 3)), "size must be in"), ((["x"], "y", (3, 3)), "list with one")):
        with pytest.raises((TypeError, ValueError), match=words):
            Objects(*arguments)
    with pytest.raises(ValueError, match="crowd must have"):
        Objects(["x"], [HOUSE], (6, 9), crowd=[])
    with pytest.raises(ValueError, match="groups must have"):
        Objects(["x"], [HOUSE], (6, 9), groups=["a", "b"])


def test_core_refuses():
    points, one = np.zeros((3, 2)), np.array([0, 1])
    for parts, objects in ((np.array([0, 4]), one), (np.array([1, 3]), one), (np.array([0, 3]), np.array([0, 2])),
                           (np.array([0, 5, 3]), np.array([0, 2])), (np.array([], np.int64), one)):
        with pytest.raises(ValueError, match="must rise"):
            _core.mask_polygons(points, parts, objects, 4, 4)
    with pytest.raises(ValueError, match="fill 4 x 4"):
        _core.mask_runs(np.array([2**62, 2**62, 2**62]), np.array([0, 3]), 4, 4)


def test_odd_objects():
    """No objects, no pixels, all pixels, one pixel, parts outside, a masks' own values."""
    assert Objects([], [], (3, 4)).masks.shape == (0, 3, 4)
    mask = np.zeros((6, 9), np.int64)
    mask[2, 3] = -7
    shapes = [[], (0, 0, 9, 6), mask, (-5, -5, 7, 7), (20, 0, 4, 4), {"counts": [0, 54]}]
    objects, frame = Objects(list("abcdef"), shapes, (6, 9)), [0, 0, 9, 6]
    assert objects.areas.tolist() == [0, 54, 1, 4, 0, 54]
    assert objects.boxes.tolist() == [[0] * 4, frame, [3, 2, 4, 3], [0, 0, 2, 2], [0] * 4, frame]
    assert objects.masks.dtype == np.uint8 and objects.masks.max() == 1


def test_threads_and_rows():
    """1 and 4 threads, one object and many: the same masks."""
    rng, before, made = np.random.default_rng(3), _core.threads(), []
    shapes = [[rng.uniform(-10, 90, 12).tolist()] for _ in range(20)]
    for threads in (1, 4):
        _core.set_threads(threads)
        made.append(Objects(["x"] * 20, shapes, (70, 80)).masks)
    _core.set_threads(before)
    np.testing.assert_array_equal(*made)
    for shape, mask in zip(shapes, made[0], strict=True):
        np.testing.assert_array_equal(drawn(shape, 70, 80), mask)


def test_coco_objects(shared, tmp_path):
    coco = shared / "coco"
    data = vn.data.coco(coco / "captions.json", coco / "images", coco / "instances.json")
    assert sum(len(s.objects) for s in data) == 304 and sum(bool(s.objects) for s in data) == 42
    assert all(not s.objects for s in vn.data.coco(coco / "captions.json", coco / "images"))
    sample = next(s for s in data if "dog" in getattr(s.objects, "names", ()))
    assert sample.objects.groups[sample.objects.names.index("dog")] == "animal"
    content = json.loads((coco / "instances.json").read_text())
    content["annotations"][0]["segmentation"] = [[1, 2]]
    content["annotations"][1] |= {"segmentation": [[1, 2]], "bbox": None}
    (tmp_path / "broken.json").write_text(json.dumps(content))
    broken = vn.data.coco(coco / "captions.json", coco / "images", tmp_path / "broken.json")
    assert broken.skipped["object without a shape"] == 1 and sum(len(s.objects) for s in broken) == 303
    content["annotations"][0]["category_id"] = 4000
    (tmp_path / "broken.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="category 4000"):
        vn.data.coco(coco / "captions.json", coco / "images", tmp_path / "broken.json")


def test_scene_objects():
    data = vn.data.scenes(20, seed=1)
    for i, sample in enumerate(data):
        assert list(sample.objects.names) == [o["shape"] for o in data.scene(i)]
        for m, mask in enumerate(sample.objects.masks):
            np.testing.assert_array_equal(mask, data.mask(i) == m + 1)
        for box, o in zip(sample.objects.boxes, data.scene(i), strict=True):
            assert np.abs(box - o["box"]).max() <= 16
