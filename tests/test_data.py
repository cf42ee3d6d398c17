"""Readers of captions: what they give, what they leave out, what they refuse."""

import json
import os
import re

import numpy as np
import pytest
from PIL import Image

import vlmneg as vn


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.png", "b.png", "sub/c.png"):
        Image.fromarray(np.zeros((2, 3, 3), np.uint8)).save(folder / name)
    return folder


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def captions_file(folder, names, captions):
    return write(folder / "captions.json", {
        "images": [{"id": i, "file_name": n} for i, n in enumerate(names)],
        "annotations": [{"image_id": i, "caption": c} for i, c in captions]})


def test_coco_real(shared):
    folder = shared / "coco"
    data = vn.data.coco(folder / "captions.json", folder / "images")
    assert len(data) == len(os.listdir(folder / "images"))
    assert not any(n for reason, n in data.skipped.items() if reason != "missing image")
    raw = json.loads((folder / "captions.json").read_text())
    by_id = {e["file_name"]: e["id"] for e in raw["images"]}
    for sample in (data[0], data[-1]):
        number = by_id[sample.name]
        assert list(sample.captions) == [a["caption"] for a in raw["annotations"] if a["image_id"] == number]
        assert len(sample.captions) >= 5
        Image.open(sample.image).load()
    assert [s.key for s in data] == [s.group for s in data] == list(range(len(data)))
    assert len(data.captions()) == sum(len(s.captions) for s in data)


def test_coco_skips_and_counts(tmp_path, photos):
    names = ["b.png", "gone.png", "a.png", "sub/c.png"]
    texts = [(2, "one"), (0, "first"), (3, "  "), (1, "lost"), (2, "two"), (9, "whose?"), (0, None)]
    data = vn.data.coco(captions_file(tmp_path, names, texts), photos)
    assert [(s.name, s.captions, s.key) for s in data] == [("b.png", ("first",), 0), ("a.png", ("one", "two"), 1)]
    assert data.skipped == {"missing image": 1, "empty caption": 2, "caption of an unknown image": 1,
                            "image without caption": 1}
    assert data.captions() == ["first", "one", "two"]
    assert repr(data).startswith("<2 samples; skipped: 1 missing image, 2 empty caption")


@pytest.mark.parametrize("content, words", [
    ("{", "is not JSON"),
    ("[" * 100000, "is not JSON"),
    ([], "must be a JSON object with images and annotations, got a list"),
    ({"a": 1}, "has no list of images; it has 'a'"),
    ({}, "has no list of images; it has nothing"),
    ({"images": []}, "has no list of annotations"),
    ({"images": {}, "annotations": []}, "has no list of images"),
    ({"images": [3], "annotations": []}, "images[0] has no usable 'id': 3"),
    ({"images": [{"id": 1}], "annotations": []}, "images[0] has no usable 'file_name'"),
    ({"images": [{"id": 1.5, "file_name": "a.png"}], "annotations": []}, "images[0] has no usable 'id'"),
    ({"images": [{"id": 1, "file_name": "a.png"}], "annotations": [{"image_id": 1, "bbox": []}]},
     "annotations[0] has no usable 'caption'"),
    ({"images": [{"id": 1, "file_name": "a.png"}] * 2, "annotations": []}, "two images with id 1"),
    ({"images": [{"id": 1, "file_name": "a.png"}], "annotations": []}, "can be used: 1 image without caption"),
    ({"images": [], "annotations": []}, "can be used: it is empty"),
])
def test_coco_refuses(tmp_path, photos, content, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        vn.data.coco(write(tmp_path / "captions.json", content), photos)


@pytest.mark.parametrize("name", ["../secret.png", "sub/../../secret.png", "/etc/passwd", ".."])
def test_paths_stay_inside(tmp_path, photos, name):
    Image.new("RGB", (2, 2)).save(tmp_path / "secret.png")
    with pytest.raises(ValueError, match="names a picture outside"):
        vn.data.coco(captions_file(tmp_path, ["a.png", name], [(0, "x"), (1, "y")]), photos)
    with pytest.raises(ValueError, match="names a picture outside"):
        vn.data.table(write(tmp_path / "t.csv", f"filepath,title\n{name},x\n"), root=photos)


def test_dots_inside_are_fine(tmp_path, photos):
    data = vn.data.coco(captions_file(tmp_path, ["sub/../a.png", "..b.png"], [(0, "x"), (1, "y")]), photos)
    assert len(data) == 1 and data.skipped["missing image"] == 1


def test_coco_missing_places(tmp_path, photos):
    with pytest.raises(FileNotFoundError, match="folder of pictures does not exist"):
        vn.data.coco(tmp_path / "captions.json", tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError):
        vn.data.coco(tmp_path / "captions.json", photos)
    (tmp_path / "captions.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(ValueError, match="is not UTF-8"):
        vn.data.coco(tmp_path / "captions.json", photos)


@pytest.mark.parametrize("sep, ending", [("\t", "tsv"), (",", "csv"), ("\t", "csv"), (";", "txt")])
def test_table(tmp_path, photos, sep, ending):
    lines = [["extra", "title", "filepath", "neg_caption"],
             ["0", "a dog", "a.png", ""],
             ["1", '"a ""big"" cat, here; now"', "b.png", '"[\'a small cat\', \'no cat\', \' \']"'],
             ["2", "  ", "a.png", ""],
             ["3", "a lost dog", "gone.png", ""],
             ["4", "a second dog", "./a.png", "[]"],
             ["5", "short"]]
    path = write(tmp_path / f"pairs.{ending}", "\ufeff" + "\r\n".join(map(sep.join, lines)) + "\r\n\r\n")
    data = vn.data.table(path, root=photos)
    assert [s.captions for s in data] == [("a dog",), ('a "big" cat, here; now',), ("a second dog",)]
    assert [s.negatives for s in data] == [(), (("given", "a small cat"), ("given", "no cat")), ()]
    assert [s.group for s in data] == [0, 1, 0] and [s.key for s in data] == [0, 1, 2]
    assert data.skipped == {"missing image": 1, "empty caption": 1, "row with the wrong number of cells": 1}
    again = vn.data.table(path, root=photos, sep=sep)
    assert again.captions() == data.captions()


def test_table_beside_its_pictures(photos):
    path = write(photos / "pairs.tsv", f"image\tcaption\nsub/c.png\tc\n{photos / 'a.png'}\ta\n")
    data = vn.data.table(path, image_key="image", caption_key="caption")
    assert data.captions() == ["c", "a"] and all(os.path.isfile(s.image) for s in data)


@pytest.mark.parametrize("content, kwargs, words", [
    ("image,text\na.png,x\n", {}, "needs columns 'filepath' and 'title'; found 'image', 'text'"),
    ("filepath\ttitle\na.png\tx\n", {"sep": ","}, "found 'filepath\\ttitle'"),
    ("", {}, "found none"),
    ("filepath,title\n", {}, "it is empty"),
    ("filepath,title\na.png,\n", {}, "can be used: 1 empty caption"),
    ("filepath,title\na.png,x\n", {"sep": ",,"}, "sep must be one character"),
    ("filepath,title,neg_caption\na.png,x,'a cat'\n", {}, "line 2: false captions must be a Python list of strings"),
    ("filepath,title,neg_caption\na.png,x,[3]\n", {}, "line 2: false captions"),
    ("filepath,title,neg_caption\na.png,x,__import__('os')\n", {}, "line 2: false captions"),
    ("filepath,title,neg_caption\na.png,x," + "[" * 5000 + "\n", {}, "line 2: false captions"),
    ("filepath,title\na.png," + "x" * 200000 + "\n", {}, "field larger than field limit"),
])
def test_table_refuses(tmp_path, photos, content, kwargs, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        vn.data.table(write(tmp_path / "t.csv", content), root=photos, **kwargs)


def test_wrap():
    image = np.zeros((2, 2, 3), np.uint8)
    ready = vn.data.Sample(image, ("x",), 7, "seven", 3)
    data = vn.data.wrap([(image, "a"), {"image": image, "caption": ["b", "c"]}, ready, (image, ["d"], {"more": 1})])
    assert data.captions() == ["a", "b", "c", "x", "d"] and data[2] is ready and data[-1].key == 3
    assert vn.data.wrap(data) is data
    assert vn.data.wrap([{"jpg": image, "txt": "t"}], "jpg", "txt")[0].captions == ("t",)
    for items, error, words in (([{"img": 1}], ValueError, "item 0 has no 'image'; it has 'img'"),
                                ([(image, " ")], ValueError, "item 0 needs captions"),
                                ([(image, [])], ValueError, "item 0 needs captions"),
                                ([5], TypeError, "item 0 must be")):
        with pytest.raises(error, match=words):
            vn.data.wrap(items)[0]
    for bad in (5, "text", {"a": 1}, iter([])):
        with pytest.raises(TypeError, match="has a length and gives items by number"):
            vn.data.wrap(bad)


def test_open(tmp_path, photos):
    captions = captions_file(tmp_path, ["a.png"], [(0, "x")])
    pairs = write(photos / "pairs.csv", "filepath,title\na.png,y\n")
    assert vn.data.open({"captions": captions, "images": photos}).captions() == ["x"]
    assert vn.data.open({"kind": "table", "path": pairs}).captions() == ["y"]
    assert vn.data.open(pairs).captions() == vn.data.open(str(pairs)).captions() == ["y"]
    assert vn.data.open({"n": 5, "seed": 3}).captions() == vn.data.scenes(5, seed=3).captions()


@pytest.mark.parametrize("spec, error, words", [
    ({}, ValueError, "not clear from an empty description"),
    ({"seed": 1}, ValueError, "not clear from 'seed'"),
    ({"kind": "scene", "n": 1}, ValueError, "no kind of data 'scene'; did you mean 'scenes'?"),
    ({"n": 1, "sized": 3}, ValueError, "scenes has no parameter 'sized'; did you mean 'size'? It takes n, seed"),
    ({"kind": "coco", "captions": "x"}, ValueError, "coco needs images"),
    ("captions.json", ValueError, "needs its folder of pictures"),
    (3, TypeError, "described by a mapping or a path, got int"),
])
def test_open_refuses(spec, error, words):
    with pytest.raises(error, match=re.escape(words)):
        vn.data.open(spec)


def test_readable(tmp_path, photos):
    pytest.importorskip("vlmneg.images")
    (photos / "b.png").write_bytes(b"no picture")
    captions = captions_file(tmp_path, ["a.png", "b.png", "sub/c.png"], [(0, "a"), (1, "b"), (2, "c")])
    data = vn.data.coco(captions, photos)
    good = vn.data.readable(data)
    assert [s.key for s in good] == [0, 2] and good.skipped["unreadable image"] == 1
    (photos / "a.png").write_bytes(b"")
    with pytest.raises(ValueError, match="no picture can be read; the first is b.png"):
        vn.data.readable(vn.data.wrap([data[1]]))
