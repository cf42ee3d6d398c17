"""Contact sheet of every image edit: python docs/make_sheet.py, or python docs/make_sheet.py COCO_FOLDER OUT.jpg

Without arguments it is made of drawn scenes and is images/image_negatives.jpg. A folder with captions.json,
instances.json and images/ gives the sheet of its photographs, for you to look at.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import vlmneg as vn
from vlmneg import show
from vlmneg.negatives import image as edits
from vlmneg.negatives.image.sheet import outlined

OUT = Path(__file__).parent / "images" / "image_negatives.jpg"
SIDE, HIGH, COLUMNS, QUALITY, TRIES = 176, 132, 3, 88, 400
EDITS = [edits.recolour(), edits.exchange_colours(), edits.remove(), edits.swap(), edits.move(min_area=0.02),
         edits.mirror(), edits.duplicate(min_area=0.02), edits.resize(), edits.background(), edits.paste(min_area=0.02),
         edits.replace(min_area=0.02), edits.grey(of_object=True), edits.blur(of_object=True),
         edits.shuffle_patches(), edits.shuffle_rows(), edits.shuffle_columns()]
# a colour, a place, a number: what a caption can follow
SAID = {"recolour", "exchange_colours", "remove", "swap", "mirror", "duplicate", "resize", "replace"}


def pixels(sample):
    """A picture as an array."""
    return np.asarray(vn.images.decode(sample.image).convert("RGB"))


def made_of(data, make, start):
    """The first valid result behind a number, with its caption where an edit has one."""
    best = None
    for i in range(start, start + TRIES):
        sample, other = data[i % len(data)], data[(i + 1) % len(data)]
        result = make([pixels(sample)], i, objects=[sample.objects or None], captions=[sample.captions],
                      others=[(pixels(other), other.objects or None)])
        if result.valid[0, 0] and (result.caption[0][0] or make.name not in SAID):
            return result
        best = result if best is None and result.valid[0, 0] else best
    if best is None:
        raise SystemExit(f"{make} gives nothing of {TRIES} pictures")
    return best


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


def main(folder=None, out=OUT):
    if folder is None:
        data = vn.data.scenes(4000, seed=0, size=HIGH)
    else:
        data = vn.data.coco(*(Path(folder) / name for name in ("captions.json", "images", "instances.json")))
    cells = [cell(make, made_of(data, make, 37 * n)) for n, make in enumerate(EDITS)]
    rows = [show.beside(cells[i:i + COLUMNS], gap=10) for i in range(0, len(cells), COLUMNS)]
    show.stack(rows, gap=6, margin=14).save(out, quality=QUALITY)


if __name__ == "__main__":
    if len(sys.argv) not in (1, 3):
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
