"""Readers of GNM's annotation files and test set, and of InpaintCOCO."""

import io
import json

import numpy as np
import pytest
from PIL import Image

import vlmneg as vn

GREY = np.full((16, 24, 3), 99, np.uint8)


def record(i, item="dog", short="red fox", **changes):
    """A record in the released layout."""
    return {"origin_name": f"{i}.jpg", "name": f"{i}:{item}:{short}", "source": "coco", "item": item, "short": short,
            "save": f"{i}/{item}/{short}.jpg", "tag2text_caption": f"a {item}",
            "original_captions": [f"A {item}!", "Grass"],
            "captions": [f"a {short}.", f"A {short}!"], "itm_score": [1.0, 0.5], "iva_score": 20.0, **changes}


@pytest.fixture
def released(tmp_path):
    """A function that writes records and their pictures."""

    def make(records, text=None, name="records.json"):
        for r in records:
            for path in (tmp_path / "made" / str(r.get("save", "x")), tmp_path / "photos" / str(r.get("origin_name"))):
                if "nowhere" not in str(path) and ".." not in str(path):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(GREY).save(path, "PNG")
        (tmp_path / name).write_text(json.dumps(records) if text is None else text)
        return vn.data.gnm(tmp_path / name, tmp_path / "made", tmp_path / "photos")

    return make


def test_released_layout(released, tmp_path):
    records = [record(1), record(1, short="blue cat"), record(1, item="mat", short="old rug"), record(2),
               record(3, itm_score=[1.0, -1.0]), record(4, iva_score=14.0), record(5, save="nowhere.jpg"),
               record(6, captions=[" "], itm_score=[3]), record(7, captions=["a dog"])]
    data = released(records)
    assert len(data) == 4 and data.skipped == {"low match score": 1, "low variation area": 1, "missing image": 1,
                                               "without caption": 1, "caption true of the photograph": 1}
    assert data[0].captions == ("a red fox", "a red fox") and data[0].name == "1:dog:red fox"
    assert data[0].negatives == (("variation", "a blue cat"),)
    assert Image.open(data[0].image).size == (24, 16)
    assert [s.name for s in data.photos] == ["1.jpg", "2.jpg"] and data.photos[0].captions == ("a dog", "grass")
    item = data.groups()
    assert {k: [m[0] for m in v] for k, v in item.items()} == {
        ("1.jpg", "dog"): [0, 1], ("1.jpg", "mat"): [2], ("2.jpg", "dog"): [3]}
    image = data.groups("image")
    assert image["1.jpg"] == [(0, 0.75, "dog"), (1, 0.75, "dog"), (2, 0.75, "mat")]
    assert len(data.groups("all")) == 4
    batch = next(iter(vn.gnm.GroupSampler(image, 2, 1, 9, 0, photos=len(data.photos))))
    assert 2 in batch.variations
    old = vn.data.gnm(tmp_path / "records.json", tmp_path / "made", tmp_path / "photos", compat="released")
    assert old.groups("image") == old.groups("item") and old.photos[0].captions == ("A dog!", "Grass")
    assert len(old) == 5 and old[0].captions == ("a red fox", "a red fox")
    low, high = 0, 2**32 - 1                        # the photograph's first and last caption, "a dog" and "grass"
    words = np.array([low, low, high]), np.array([low, high, low])
    batch = vn.gnm.Batch(np.array([0, 1, 2]), np.array([0, 0, 1]), *words, np.zeros(3, np.int64))
    assert [c for _, c in data.pairs(batch)] == ["a red fox", "a blue cat", "a old rug", "a dog", "grass", "a dog"]
    assert data.duplicates(batch).tolist() == [
        [0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 1, 0], [0, 0, 0, 1, 1, 0], [0, 0, 0, 0, 1, 0], [0, 0, 0, 1, 0, 0], [0] * 6]
    opened = vn.data.open({"annotations": tmp_path / "records.json", "images": tmp_path / "made"})
    assert len(opened) == 4 and opened.photos.skipped == {"missing photograph": 2}


def test_both_names_of_the_score_and_three_containers(released):
    records = [record(1), record(2)]
    want = [s.name for s in released(records)]
    for r in records:
        r["v_score"] = r.pop("itm_score")
    assert [s.name for s in released(records)] == want
    assert [s.name for s in released(records, json.dumps({r["name"]: r for r in records}))] == want
    lines = "\n".join(map(json.dumps, records))
    assert [s.name for s in released(records, lines)] == want
    assert [s.name for s in released(records, lines + "\n", "records.jsonl")] == want
    assert [s.name for s in released([record(1, itm_score=2, captions="a fox")])] == ["1:dog:red fox"]


@pytest.mark.parametrize("text, match", [
    ("", "not JSON"), ("[", "not JSON"), (json.dumps([record(1)])[:-30], "not JSON"), ("3", "list of records"),
    ("[3]", "record 0 must be a mapping"), ("[]", "nothing in"), ("{}", "nothing in"), ("[" * 100_000, "not JSON"),
    (json.dumps([{**record(1), "itm_score": None}]), "record 0 needs"),
    (json.dumps([{**record(1), "iva_score": "big"}]), "record 0 needs"),
    (json.dumps([{**record(1), "captions": [1]}]), "record 0 needs"),
    (json.dumps([{**record(1), "itm_score": [float("nan")]}]), "record 0 needs"),
    (json.dumps([{**record(1), "save": "../../x.jpg"}]), "outside"),
    (json.dumps([{**record(1), "save": "/etc/passwd"}]), "outside"),
    (json.dumps(record(1)) + "\n" + json.dumps(record(2))[:-5], "not JSON"),
])  # fmt: skip
def test_hostile_annotations(released, text, match):
    with pytest.raises(ValueError, match=match):
        released([record(1)], text)


def test_refusals(tmp_path):
    with pytest.raises(FileNotFoundError, match="folder of pictures"):
        vn.data.gnm(tmp_path / "a.json", tmp_path / "nowhere")
    with pytest.raises(ValueError, match="compat"):
        vn.data.gnm(tmp_path / "a.json", tmp_path, compat="old")
    with pytest.raises(TypeError, match="rows are a path or a sequence"):
        vn.data.inpaintcoco({})
    with pytest.raises(ValueError, match="neither"):
        vn.data.inpaintcoco(tmp_path)


def test_gnm_test_set():
    rows = [{"num_sample": m, **{f"image_{i}": Image.fromarray(GREY).convert("L") for i in range(m)},
             **{f"caption_{i}": f"caption {m} {i}" for i in range(m)}, "image_4": None} for m in (4, 3, 2)]
    data = vn.data.gnm_test(rows)
    assert len(data) == 9 and data.sets == [(0, 4), (4, 7), (7, 9)]
    assert data[4].captions == ("caption 3 0",) and [c for _, c in data[4].negatives] == ["caption 3 1", "caption 3 2"]
    assert data[0].image.mode == "RGB"
    with pytest.raises(ValueError, match="num_sample"):
        vn.data.gnm_test([{"num_sample": "4"}])
    with pytest.raises(ValueError, match="needs 2 captions"):
        vn.data.gnm_test([{"num_sample": 2, "image_0": GREY, "caption_0": "x"}])[0]


def coco_row(i, **changes):
    mask = np.zeros((512, 512, 3), np.uint8)
    mask[:, :100], mask[:, 100:200] = 128, 127
    photo = np.full((512, 512, 3), i, np.uint8)
    return {"concept": ("object", "color", "size")[i % 3], "coco_caption": f"a cat {i}", "coco_image": photo,
            "inpaint_caption": f"a dog {i}", "inpaint_image": 255 - photo, "mask": mask, "worker": "w",
            "coco_details": {"id": i}, "inpaint_details": {"guidance_scale": 7.5}, **changes}


def png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def inpaint_sources(tmp_path, rows):
    """The same rows as mappings, as JSON lines beside pictures, and, where pyarrow is, as parquet."""
    yield rows
    folder = tmp_path / "export"
    folder.mkdir()
    lines = []
    for i, row in enumerate(rows):
        line = dict(row)
        for name in ("coco_image", "inpaint_image", "mask"):
            line[name] = f"{i}_{name}.png"
            (folder / line[name]).write_bytes(png(row[name]))
        lines.append(json.dumps(line))
    (folder / "metadata.jsonl").write_text("\n".join(lines))
    yield folder
    yield folder / "metadata.jsonl"
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ImportError:
        return
    table = pa.Table.from_pylist([{**row, **{n: {"bytes": png(row[n]), "path": None}
                                             for n in ("coco_image", "inpaint_image", "mask")}} for row in rows])
    (tmp_path / "parquet").mkdir()
    parquet.write_table(table.slice(0, 3), tmp_path / "parquet" / "test-0.parquet", row_group_size=2)
    parquet.write_table(table.slice(3), tmp_path / "parquet" / "test-1.parquet")
    yield tmp_path / "parquet"


def test_inpaintcoco(tmp_path):
    rows = [coco_row(i) for i in range(5)]
    rows[1]["inpaint_caption"], rows[4]["inpaint_caption"] = "  ", None
    (tmp_path / "exclude.txt").write_text("3\n")
    for source in inpaint_sources(tmp_path, rows):
        data = vn.data.inpaintcoco(source, exclude=tmp_path / "exclude.txt")
        assert len(data) == 4 and data.skipped == {"empty inpaint_caption": 2, "excluded": 1}
        assert data.concepts == ["object", "size"] and data.captions() == ["a cat 0", "a dog 0", "a cat 2", "a dog 2"]
        assert data[2].captions == ("a cat 2",) and data[2].negatives == (("size", "a dog 2"),)
        assert data[3].captions == ("a dog 2",) and data[3].negatives == (("size", "a cat 2"),)
        assert np.asarray(vn.images.decode(data[3].image)).mean() == 253
        q = data.quadruple(1)
        assert q.concept == "size" and q.coco_caption == "a cat 2" and q.inpaint_caption == "a dog 2"
        assert q.mask.shape == (512, 512) and q.mask.sum() == 512 * 100         # above 127, not from it on
        assert np.asarray(q.coco_image).mean() == 2 and np.asarray(q.inpaint_image).mean() == 253
        with pytest.raises(IndexError):
            data.quadruple(2)


def test_hostile_inpaintcoco(tmp_path):
    rows = [coco_row(0)]
    for bad, match in (({"concept": 3}, "no usable 'concept'"), ({"coco_caption": ""}, "empty 'coco_caption'"),
                       ({"inpaint_caption": ""}, "nothing in")):
        with pytest.raises(ValueError, match=match):
            vn.data.inpaintcoco([{**rows[0], **bad}])
    with pytest.raises(ValueError, match="exclude names row 1 of 1"):
        vn.data.inpaintcoco(rows, exclude=[1])
    with pytest.raises(ValueError, match="must be numbers"):
        vn.data.inpaintcoco(rows, exclude=["x"])
    with pytest.raises(ValueError, match="one size"):
        vn.data.inpaintcoco([{**rows[0], "mask": GREY}]).quadruple(0)
    with pytest.raises(ValueError, match="mask of row 0 is missing"):
        vn.data.inpaintcoco([{**rows[0], "mask": None}]).quadruple(0)
    (tmp_path / "a.jsonl").write_text('{"concept": ')
    with pytest.raises(ValueError, match="line 1 is not JSON"):
        vn.data.inpaintcoco(tmp_path)
    (tmp_path / "a.jsonl").write_text(json.dumps({**{k: v for k, v in rows[0].items() if isinstance(v, str)},
                                                  "coco_image": "../../secret.png"}))
    with pytest.raises(ValueError, match="outside"):
        vn.data.inpaintcoco(tmp_path)[0]
    pytest.importorskip("pyarrow")
    (tmp_path / "b.parquet").write_bytes(b"PAR1" + b"\0" * 50)
    with pytest.raises(ValueError, match="not a whole parquet file"):
        vn.data.inpaintcoco(tmp_path / "b.parquet")
