"""Files of negatives: forms of captions, layouts, taking up after an interruption, the page, the command."""

import ast
import csv
import json
import subprocess
import sys
import tarfile

import numpy as np
import pytest

import vlmneg as vn
from vlmneg import cli
from vlmneg.making import make, read_captions, run
from vlmneg.negatives import recipe, text

CAPTIONS = ["a black dog and a white cat on the sofa", "a red ball", "Two men ride \"horses\", near a tree",
            "a man in a red shirt\tand a woman in a blue dress", "ein Hund", "a big dog behind the small car"]


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_coco(path):
    path.write_text(json.dumps({
        "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg"}],
        "annotations": [{"id": i, "image_id": 7 + i % 2, "caption": c} for i, c in enumerate(CAPTIONS)]}))
    return path


FORMS = {
    "captions.txt": lambda p: p.write_text("\n\n".join(CAPTIONS) + "\n", encoding="utf-8"),
    "captions.jsonl": lambda p: p.write_text("".join(json.dumps({"caption": c}) + "\n" for c in CAPTIONS)),
    "list.json": lambda p: p.write_text(json.dumps([{"text": c} for c in CAPTIONS[:3]] + [{"captions": CAPTIONS[3:]}])),
    "coco.json": write_coco,
    "karpathy.json": lambda p: p.write_text(json.dumps({"images": [
        {"filename": f"{i}.jpg", "sentences": [{"raw": c}]} for i, c in enumerate(CAPTIONS)]})),
    "pairs.csv": lambda p: p.write_text("image,caption\n" + "".join(
        f'{i}.jpg,"{c.replace(chr(34), chr(34) * 2)}"\n' for i, c in enumerate(CAPTIONS))),
}


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_captions(name, tmp_path):
    FORMS[name](tmp_path / name)
    read = read_captions(tmp_path / name)
    assert [row.caption for row in read] == CAPTIONS and len(read) == len(CAPTIONS)
    assert [row.key for row in read] == list(range(len(CAPTIONS)))


def test_captions_of_a_picture_are_true_of_it(tmp_path):
    rows = list(read_captions(write_coco(tmp_path / "c.json")))
    assert rows[2].image == "a.jpg" and rows[2].others == (CAPTIONS[0], CAPTIONS[4])


def test_tars_are_read_back(tmp_path):
    FORMS["captions.txt"](tmp_path / "captions.txt")
    (tmp_path / "0.jpg").write_bytes(b"picture")
    made = make(tmp_path / "captions.txt", "default", tmp_path / "n.tar", progress=False)
    again = read_captions(made.files[0])
    assert [row.caption for row in again] == CAPTIONS
    with tarfile.open(made.files[0]) as archive:
        held = json.load(archive.extractfile("000000001.json"))
    assert held["caption"] == "a red ball" and held["negatives"][2]["text"] != "a red ball"


@pytest.mark.parametrize("name, content, sentence", [
    ("a.xml", "x", "captions must be in"), ("a.txt", "\n \n", "no caption"), ("a.json", "{", "not JSON"),
    ("a.json", "{}", "must hold"), ("a.jsonl", '{"x": 1}', "line 1"), ("a.tsv", "a\tb\n1\t2\n", "needs a column"),
    ("a.tar", "not a tar", "not a tar"), ("a.json", '{"annotations": [{"caption": 3}]}', "annotation 0"),
    ("a.json", '{"images": [3]}', "image 0"), ("a.csv", "caption\n", "no caption")])
def test_other_files_are_refused(name, content, sentence, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=sentence):
        read_captions(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_captions(tmp_path / "none.txt")


def test_jsonl_holds_what_the_generators_made(tmp_path):
    path = write_coco(tmp_path / "c.json")
    summary = make(path, "default", tmp_path / "n.jsonl", seed=3, visit=2, progress=False)
    rows = list(read_captions(path))
    expected = recipe("default")([r.caption for r in rows], 3, visit=2, ids=range(len(rows)),
                                 avoid=[r.others for r in rows])
    for i, held in enumerate(lines(tmp_path / "n.jsonl")):
        assert held["caption"] == CAPTIONS[i] and held["image"] == rows[i].image
        assert [n["text"] for n in held["negatives"]] == [
            t if v else None for t, v in zip(expected.text[i], expected.valid[i], strict=True)]
    assert summary.valid == expected.valid.sum() == sum(summary.kinds.values())
    assert summary.slots == expected.valid.size == summary.valid + sum(summary.reasons.values())
    about = json.loads((tmp_path / "n.jsonl.provenance.json").read_text())
    assert about["settings"]["seed"] == 3 and about["settings"]["tagger"] == "lexicon"


def test_negclip_layout_is_read_by_our_table(tmp_path):
    made = make(write_coco(tmp_path / "c.json"), "default", tmp_path / "n.tsv", layout="negclip", progress=False)
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"")
    data = vn.data.table(made.files[0])
    assert len(data) == len(CAPTIONS) and {c for s in data for _, c in s.negatives}
    with open(made.files[0], newline="", encoding="utf-8") as file:
        cells = list(csv.DictReader(file, delimiter="\t"))
    assert all(isinstance(ast.literal_eval(c["neg_caption"]), list) for c in cells)


def test_ce_clip_layouts(tmp_path):
    path = write_coco(tmp_path / "c.json")
    generator = text.swap(k=1, kinds="noun") + text.replace(k=3)
    npy = make(path, generator, tmp_path / "n.npy", layout="ce_clip", progress=False)
    records = np.load(npy.files[0], allow_pickle=True)
    tsv = make(path, generator, tmp_path / "n.tsv", layout="ce_clip", progress=False)
    with open(tsv.files[0], newline="", encoding="utf-8") as file:
        cells = list(csv.DictReader(file, delimiter="\t"))
    assert len(records) == len(cells) == len(CAPTIONS)
    for record, cell in zip(records, cells, strict=True):
        assert list(record) == list(cell) == ["caption", "relation_aug_caption", "adj_aug_caption", "noun_aug_caption",
                                              "verb_aug_caption", "image_id", "valid_caption"]
        assert [record[k] != "###" for k in list(record)[1:5]] == record["valid_caption"][1:]
        assert record["valid_caption"][0] == 1 and ast.literal_eval(cell["valid_caption"]) == record["valid_caption"]
    five = make(path, text.swap(k=2) + text.replace(k=3), tmp_path / "five.npy", layout="ce_clip", progress=False)
    assert "adj_swap_aug_caption" in np.load(five.files[0], allow_pickle=True)[0]
    with pytest.raises(ValueError, match="relation, adj, noun, verb, the first exchanges"):
        make(path, "default", tmp_path / "n4.npy", layout="ce_clip", progress=False)
    for layout, out, sentence in (("ce_clip", "n3.tsv", "4 negatives"), ("negclip", "n.jsonl", "written to"),
                                  ("other", "n.tsv", "layout must be"), ("vlmneg", "n.xml", "written to")):
        with pytest.raises(ValueError, match=sentence):
            make(path, "negclip", tmp_path / out, layout=layout, progress=False)


def many(path, n=900):
    path.write_text("".join(f"a red dog number {i} behind a white cat\n" for i in range(n)))
    return path


@pytest.mark.parametrize("name", ["n.jsonl", "n.tsv", "n.tar"])
def test_an_interruption_loses_nothing(name, tmp_path, monkeypatch):
    path = many(tmp_path / "c.txt")
    monkeypatch.setattr(run, "CHUNK", 100)
    monkeypatch.setattr("vlmneg.making.writers.SHARD", 200)
    whole = make(path, "default", tmp_path / "whole" / name, progress=False)
    asked = []

    def interrupted(self, request, *rest):
        asked.append(request.rows.tolist())
        if len(asked) == 6:
            raise KeyboardInterrupt
        return draw(self, request, *rest)

    class slow(vn.negatives.Negatives):
        name = "exact"
        k = 1

        def __init__(self):
            super().__init__(k=1)

        def draw(self, request, taken, first):
            return interrupted(self, request)

    def draw(self, request):
        return [[f"not {c}"] for c in request.captions], [["not"]] * len(request.captions), np.zeros(
            (len(request.captions), 1), np.uint8)

    with pytest.raises(KeyboardInterrupt):
        make(path, slow(), tmp_path / name, progress=False)
    first = [r for rows in asked[:5] for r in rows]
    asked.clear()
    asked.extend([[]] * 6)
    made = make(path, slow(), tmp_path / name, progress=False)
    second = [r for rows in asked[6:] for r in rows]
    if name != "n.tar":
        assert sorted(first + second) == list(range(900))
    assert made.captions == 900 and made.valid == 900
    held = [row.caption for f in made.files for row in read_captions(f)]
    assert held == [row.caption for row in read_captions(path)]
    assert len(whole.files) == len(made.files) == (5 if name == "n.tar" else 1)
    assert make(path, slow(), tmp_path / name, progress=False) == made      # nothing left to do
    with pytest.raises(ValueError, match="other settings .seed"):
        make(path, slow(), tmp_path / name, seed=1, progress=False)
    assert make(path, "default", tmp_path / name, overwrite=True, progress=False).valid == whole.valid


def test_killed_and_started_again_gives_the_same_bytes(tmp_path):
    path = many(tmp_path / "c.txt", 20_000)
    whole = make(path, "default", tmp_path / "whole.jsonl", progress=False)
    command = [sys.executable, "-m", "vlmneg", "negatives", str(path), "--out", str(tmp_path / "n.jsonl")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    state = tmp_path / "n.jsonl.progress.json"
    while process.poll() is None and not state.exists():
        pass
    process.kill()
    process.wait()
    assert state.exists() and not (tmp_path / "n.jsonl").exists()
    with open(tmp_path / "n.jsonl.part", "ab") as file:
        file.write(b'{"torn')
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert (tmp_path / "n.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert json.loads((tmp_path / "n.jsonl.provenance.json").read_text())["summary"]["valid"] == whole.valid
    assert not state.exists()


def test_a_file_of_unknown_origin_is_left_alone(tmp_path):
    path = write_coco(tmp_path / "c.json")
    (tmp_path / "n.jsonl").write_text("mine")
    with pytest.raises(ValueError, match="nothing beside it"):
        make(path, "default", tmp_path / "n.jsonl", progress=False)
    assert (tmp_path / "n.jsonl").read_text() == "mine"


def test_page(tmp_path):
    path = write_coco(tmp_path / "c.json")
    from PIL import Image
    Image.new("RGB", (20, 10), "red").save(tmp_path / "a.jpg")
    make(path, "default", html=tmp_path / "p.html", images=tmp_path, progress=False)
    page = (tmp_path / "p.html").read_text()
    assert page.count("<mark") >= 6 and "data:image/png" in page and "&quot;horses" in page
    make(path, "default", html=tmp_path / "q.html", images=tmp_path, progress=False)
    assert (tmp_path / "q.html").read_text() == page


def test_notebook_display():
    shown = recipe("default")(CAPTIONS)._repr_html_()
    assert "<mark" in shown and "swap" in shown and "<script" not in shown
    assert "<script" not in text.replace(k=1)(["<script> a red ball"])._repr_html_()


def test_command(tmp_path, capsys):
    path = write_coco(tmp_path / "c.json")
    assert cli.main(["negatives", str(path), "--out", str(tmp_path / "n.jsonl")]) == 0
    assert "6 captions" in capsys.readouterr().out
    assert cli.main(["negatives", str(path), "--recipe", "negclip", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["captions"] == 6
    assert cli.main(["negatives", str(path), "--recipe", "negclop"]) == 2
    assert "negclip" in capsys.readouterr().err
    (tmp_path / "r.toml").write_text('negatives = [{ name = "text.swap", kk = 2 }]')
    assert cli.main(["negatives", str(path), "--recipe", str(tmp_path / "r.toml")]) == 2
    assert "did you mean" in capsys.readouterr().err


@pytest.fixture
def photographs(tmp_path):
    """Drawn scenes as files in COCO's form, with their objects."""
    from PIL import Image
    data, images, captions, instances = vn.data.scenes(12, seed=0), [], [], []
    (tmp_path / "pictures").mkdir()
    for i, sample in enumerate(data):
        Image.fromarray(sample.image).save(tmp_path / "pictures" / f"{i}.png")
        images.append({"id": i, "file_name": f"{i}.png", "height": 64, "width": 64})
        captions.append({"id": i, "image_id": i, "caption": sample.captions[0]})
        for name, (left, top, right, bottom) in zip(sample.objects.names, sample.objects.boxes.tolist(), strict=True):
            instances.append({"id": len(instances), "image_id": i, "iscrowd": 0, "category_id": len(name),
                              "bbox": [left, top, right - left, bottom - top], "segmentation": []})
    (tmp_path / "c.json").write_text(json.dumps({"images": images, "annotations": captions}))
    names = {len(n): n for s in data for n in s.objects.names}
    (tmp_path / "i.json").write_text(json.dumps({"images": images, "annotations": instances, "categories": [
        {"id": k, "name": n, "supercategory": "shape"} for k, n in names.items()]}))
    return tmp_path


def test_pictures(photographs, capsys, caplog):
    from PIL import Image
    here = photographs
    where = {"images": here / "pictures", "instances": here / "i.json", "progress": False}
    made = make(here / "c.json", "images", here / "n.tar", html=here / "p.html", **where)
    assert made.captions == 12 and made.what == "pictures" and made.valid > 6
    with tarfile.open(made.files[0]) as archive:
        names = archive.getnames()
        about = [json.load(archive.extractfile(n)) for n in names if n.endswith(".json")]
        assert [a["image"] for a in about] == [f"{i}.png" for i in range(12)]
        for a in about:
            source = np.asarray(Image.open(archive.extractfile(f"{a['key']:09d}.jpg")), int)
            for n in a["negatives"]:
                assert (n["image"] is None) == ("reason" in n)
                if n["image"]:
                    edited = np.asarray(Image.open(archive.extractfile(f"{a['key']:09d}.{n['image']}")), int)
                    left, top, right, bottom = n["box"]
                    inside = np.abs(edited - source)[top:bottom, left:right]
                    assert edited.shape == source.shape and inside.max() > 20
    assert sum(n["image"] is not None for a in about for n in a["negatives"]) == made.valid
    page = (here / "p.html").read_text()
    assert page.count("<img") == 12 * 4
    assert make(here / "c.json", "images", here / "n.tar", **where).valid == made.valid
    both = vn.negatives.image.paste() + vn.negatives.image.recolour(k=2)
    assert make(here / "c.json", both, **where).slots == 36
    command = ["negatives", str(here / "c.json"), "--recipe", "images"]
    assert cli.main([*command, "--images", str(here / "pictures")]) == 0
    assert "--instances FILE" in caplog.text and "0.0%" in capsys.readouterr().out
    assert cli.main([*command, "--out", str(here / "m.tar")]) == 1
    assert "--images DIR" in capsys.readouterr().err
    assert cli.main([*command, "--images", str(here / "pictures"), "--out", str(here / "m.jsonl")]) == 1
    assert ".tar" in capsys.readouterr().err


def test_nothing_that_is_read_is_replaced(tmp_path):
    file = tmp_path / "captions.jsonl"
    FORMS[file.name](file)
    before = file.read_bytes()
    for places in ({"html": file}, {"out": file, "overwrite": True}, {"out": tmp_path / "a.jsonl",
                                                                      "html": tmp_path / "." / "a.jsonl"}):
        with pytest.raises(ValueError, match="would replace"):
            make(file, "default", progress=False, **places)
    assert file.read_bytes() == before and list(tmp_path.iterdir()) == [file]
