"""Picture of GNM's pipeline at work on drawn scenes, with stand-ins: python docs/make_gnm.py writes images/gnm.jpg."""

import json
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw

import vlmneg as vn
from vlmneg import show

OUT = Path(__file__).parent / "images" / "gnm.jpg"
SIDE = 160
ROWS, COLUMNS = 3, 4


def cell(picture, says):
    """A picture with a line of text."""
    out = Image.new("RGB", (SIDE + 110, SIDE + 22), show.PAPER)
    out.paste(picture, (0, 0))
    ImageDraw.Draw(out).text((0, SIDE + 3), says, show.INK, show._font(12))
    return out


def main():
    photos = [vn.data.scenes(60, seed=3, size=SIDE)[i] for i in range(60)]
    with tempfile.TemporaryDirectory() as folder:
        vn.gnm.run(photos, folder, **vn.gnm.standins.plugins(photos), settings=vn.gnm.Settings(min_area=4), seed=0,
                   progress=False)
        records = json.loads((Path(folder) / "records.json").read_text())
        of = {}
        for r in records:
            of.setdefault((r["origin_name"], r["item"]), []).append(r)
        rows = []
        for (origin, _), group in of.items():
            source = next(p for p in photos if Path(origin).stem in (p.name, str(p.key)))
            if len(group) >= COLUMNS - 1 and len(rows) < ROWS:
                cells = [cell(Image.fromarray(source.image), source.captions[0])]
                cells += [cell(Image.open(Path(folder) / "pictures" / r["save"]), r["captions"][0])
                          for r in group[:COLUMNS - 1]]
                rows.append(show.beside(cells, gap=8))
    show.stack(rows, gap=10, margin=12).save(OUT, quality=88)


if __name__ == "__main__":
    main()
