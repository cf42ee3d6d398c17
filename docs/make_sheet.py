"""Contact sheet of every image edit on COCO photographs: python docs/make_sheet.py COCO_FOLDER

Reads captions.json, instances.json and images/, and the same with train_ before; writes images/image_negatives.jpg and
the table of photographs in image_negatives.md.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import vlmneg as vn
from vlmneg import show
from vlmneg.negatives import image as edits
from vlmneg.negatives.image.sheet import outlined

DOCS = Path(__file__).parent
SIDE, HIGH, COLUMNS, QUALITY = 176, 132, 3, 78
LICENCES = {"Attribution License": "CC BY 2.0", "Attribution-ShareAlike License": "CC BY-SA 2.0"}
# edit, photograph, second photograph, seed
PAIRS = [
    (edits.recolour(colours="red"), "000000565778", None, 1), (edits.exchange_colours(), "000000159269", None, 1),
    (edits.remove(), "000000377575", None, 5), (edits.swap(), "000000303818", None, 1),
    (edits.move(min_area=0.02), "000000418281", None, 1), (edits.mirror(), "000000442450", None, 0),
    (edits.duplicate(min_area=0.02), "000000041888", None, 1), (edits.resize(to="smaller"), "000000551780", None, 0),
    (edits.background(), "000000229997", "000000078499", 0), (edits.paste(min_area=0.02), "000000557172",
                                                             "000000358083", 9),
    (edits.replace(min_area=0.02), "000000099053", "000000160012", 9),
    (edits.grey(of_object=True), "000000297343", None, 0), (edits.blur(of_object=True), "000000229997", None, 3),
    (edits.shuffle_patches(), "000000456496", None, 0), (edits.shuffle_rows(), "000000456496", None, 0),
]  # fmt: skip


def photographs(folder):
    """Samples and what is known of their sources, by the number in their names."""
    samples, about = {}, {}
    for part in ("", "train_"):
        names = (folder / f"{part}{name}" for name in ("captions.json", "images", "instances.json"))
        samples |= {Path(s.name).stem: s for s in vn.data.coco(*names)}
        content = json.loads((folder / f"{part}captions.json").read_text())
        licences = {entry["id"]: entry["name"] for entry in content["licenses"]}
        about |= {Path(e["file_name"]).stem: (e["flickr_url"], licences[e["license"]], part or "val_")
                  for e in content["images"]}
    return samples, about


def made_of(samples, make, name, second, seed):
    """The result of one edit of one photograph."""
    sample, other = samples[name], samples.get(second)
    others = [(np.asarray(vn.images.decode(other.image).convert("RGB")), other.objects)] if other else None
    result = make([sample.image], seed, objects=[sample.objects or None], captions=[sample.captions], others=others)
    if not result.valid[0, 0]:
        raise SystemExit(f"{make} gives nothing of {name}: {result.reason[0][0]}")
    return result


def cell(make, result):
    """Source and variant, what was done, and both captions where they are known."""
    height, width = result.images[0].shape[:2]
    side = min(SIDE, HIGH * max(height, width) / height)
    out = Image.new("RGB", (2 * SIDE + 12, HIGH + 62), show.PAPER)
    for left, image, region in ((0, result.images[0], None), (SIDE + 4, result.image[0][0], result.region[0][0])):
        picture = outlined(image, region, side)
        out.paste(picture, (left + (SIDE - picture.width) // 2, (HIGH - picture.height) // 2))
    draw = ImageDraw.Draw(out)
    lines = [show.spoken(make.name), result.source[0][0] or "", result.caption[0][0] or ""]
    for n, (text, colour) in enumerate(zip(lines, (show.SOFT, show.INK, show.INK), strict=True)):
        draw.text((0, HIGH + 3 + 17 * n), text[:62], colour, show._font(12))
    return out


def main(folder):
    samples, about = photographs(Path(folder))
    cells = [cell(pair[0], made_of(samples, *pair)) for pair in PAIRS]
    rows = [show.beside(cells[i:i + COLUMNS], gap=10) for i in range(0, len(cells), COLUMNS)]
    show.stack(rows, gap=6, margin=14).save(DOCS / "images" / "image_negatives.jpg", quality=QUALITY)
    lines = ["| edit | photograph | licence |", "|---|---|---|"]
    for make, *names, _ in PAIRS:
        for name in filter(None, names):
            url, licence, part = about[name]
            lines.append(f"| {show.spoken(make.name)} | [{part[:-1]}2017 {int(name)}]({url}) | {LICENCES[licence]} |")
    page = DOCS / "image_negatives.md"
    text = re.sub(r"(?s)\| edit \| photograph.*?\n\n", "\n".join(lines) + "\n\n", page.read_text(encoding="utf-8"))
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
