"""Makes the negatives of pictures: the same steps as for captions, and a few pictures at a time."""

from __future__ import annotations

import html as escaping
import logging
from pathlib import Path
from typing import Any

from vlmneg import _core, report
from vlmneg import data as datasets
from vlmneg.build import VERSION
from vlmneg.checkpoints import atomic_file
from vlmneg.making.work import STREAM_SHOWN, Summary, Work, digest, spread
from vlmneg.making.writers import picture_writer
from vlmneg.negatives.image.sheet import html_of
from vlmneg.progress import Progress

CHUNK = 8           # pictures at once
QUALITY = 95        # of JPEG
log = logging.getLogger("vlmneg")


def make_pictures(captions: str | Path, generator: Any, out: str | Path | None, *, images: str | Path | None,
                  instances: str | Path | None, seed: int, visit: int, html: str | Path | None, examples: int,
                  overwrite: bool, progress: bool | None) -> Summary:
    """Negatives of the pictures that a file of captions describes; see `make`.

    A tar holds KEY.jpg, KEY.txt, KEY.json and for each negative KEY.neg0.jpg and so on. Edits that need a second
    picture get another of the data, drawn by seed.
    """
    if images is None:
        raise ValueError("image negatives need the folder of the pictures: images=DIR, or --images DIR")
    if instances is not None or str(captions).lower().endswith(".json"):
        data = datasets.coco(captions, images, instances)
    else:
        data = datasets.table(captions, root=images)
    if instances is None and not any(len(s.objects) for s in data):
        log.warning("no objects are known, so edits of objects make nothing: give instances=FILE, or --instances FILE")
    settings = {"captions": digest(Path(captions)), "instances": digest(Path(instances)) if instances else None,
                "negatives": repr(generator), "seed": seed, "visit": visit, "quality": QUALITY, "vlmneg": VERSION}
    work = Work(out, picture_writer(out, QUALITY), settings, overwrite, "pictures") if out else None
    summary = work.summary if work else Summary(what="pictures")
    done = work.rows if work else 0
    wanted = sorted(spread(len(data), examples if html else 0, seed))
    with Progress(len(data), "negatives", unit="picture", start=done, show=progress) as bar:
        for first in range(done, len(data), CHUNK):
            samples = [data[i] for i in range(first, min(first + CHUNK, len(data)))]
            result = _edited(generator, data, samples, seed, visit)
            summary.add(result)
            if work:
                work.write(samples, result)
            bar.add(len(samples), valid=f"{100 * summary.valid / summary.slots:.0f}%")
    if work and not work.finished:
        work.finish()
    if html:
        parts = [html_of(_edited(generator, data, [data[i]], seed, visit), 1) for i in wanted]
        with atomic_file(html) as temporary:
            Path(temporary).write_text(report.page("Negatives", [
                ("", [report.paragraph(f"`{generator!r}` on {Path(captions).name}", soft=True)]), ("Examples", parts),
                ("Counts", [f"<pre>{escaping.escape(summary.table())}</pre>"])]), encoding="utf-8")
        summary.files.append(str(html))
    return summary


def _edited(generator: Any, data: Any, samples: list, seed: int, visit: int) -> Any:
    others = [data[_other(data, s, seed, visit)] for s in samples] if len(data) > 1 else None
    return generator([s.image for s in samples], seed, visit=visit, ids=[s.key for s in samples],
                     objects=[s.objects or None for s in samples], captions=[list(s.captions) for s in samples],
                     others=others and [(o.image, o.objects or None) for o in others], samples=samples)


def _other(data: Any, sample: Any, seed: int, visit: int) -> int:
    """Number of another picture; one with objects where a few draws find one."""
    row = visit << 32 | sample.key
    for draw in range(8):
        i = _core.philox(seed, row, draw, STREAM_SHOWN)[0] * (len(data) - 1) >> 32
        i += i >= sample.key
        if len(data[i].objects):
            break
    return i
