"""Files of negatives: one class a form. Each is written in steps, after any of which it can be taken up again."""

from __future__ import annotations

import csv
import functools
import io
import itertools
import json
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vlmneg.checkpoints import atomic_file
from vlmneg.making.sources import Row

SHARD = 10_000          # captions in a tar
PICTURE_SHARD = 200     # pictures in a tar
CE_CLIP_SHARD = 50_000  # records in a .npy of CE-CLIP
SLOTS = {4: ("relation", "adj", "noun", "verb"), 5: ("relation", "adj_swap", "adj", "noun", "verb")}
EXCHANGES = ("swap", "exchange")
LAYOUTS = ("vlmneg", "negclip", "ce_clip")


class Lines:
    """Text files, a line a caption: what is written behind `position` is cut off when the work is taken up."""

    def __init__(self, path: Path, head: str, line: Any) -> None:
        self.path, self.part, self.head, self.line = path, Path(f"{path}.part"), head, line

    def start(self, position: int | None) -> None:
        """Open the file, new or cut to a position."""
        if position is None:
            self.part.write_bytes(self.head.encode())
        else:
            os.truncate(self.part, position)

    def write(self, rows: Sequence[Row], result: Any) -> int:
        """Append a line a row; the position behind them."""
        with open(self.part, "ab") as file:
            file.write("".join(self.line(row, result, i) for i, row in enumerate(rows)).encode())
            file.flush()
            os.fsync(file.fileno())
            return file.tell()

    def finish(self) -> list[Path]:
        """Give the file its name."""
        os.replace(self.part, self.path)
        return [self.path]


class Shards:
    """Numbered files that appear whole; a position is the number of finished ones."""

    def __init__(self, path: Path, size: int, save: Any, prepare: Any = lambda *row: row) -> None:
        self.path, self.size, self.save, self.prepare = path, size, save, prepare
        self.number, self.waiting = 0, []  # type: int, list

    def start(self, position: int | None) -> None:
        """Begin, or go on behind finished shards."""
        self.number = position or 0

    def write(self, rows: Sequence[Row], result: Any) -> int | None:
        """Take rows; the number of finished shards where these rows end one, else None: they aren't safe yet."""
        self.waiting += [self.prepare(row, result, i) for i, row in enumerate(rows)]
        if len(self.waiting) < self.size:
            return None
        self._save()
        return self.number

    def _save(self) -> None:
        with atomic_file(self.shard(self.number)) as temporary:
            self.save(temporary, self.waiting)
        self.number, self.waiting = self.number + 1, []

    def shard(self, number: int) -> Path:
        """Path of a shard."""
        return self.path.with_name(f"{self.path.stem}-{number:06d}{self.path.suffix}")

    def finish(self) -> list[Path]:
        """Write what waits."""
        if self.waiting:
            self._save()
        return [self.shard(i) for i in range(self.number)]


def writer(path: str | Path, layout: str, kinds: Sequence[str], images: Path | None = None) -> Lines | Shards:
    """What writes a file of this name.

    Parameters
    ----------
    path : path
        .jsonl, .tsv, .tar or .npy.
    layout : str
        "vlmneg", "negclip" or "ce_clip".
    kinds : sequence of str
        Name of the generator of each slot.
    images : Path, optional
        Folder of the pictures that tars carry along.

    Returns
    -------
    Lines or Shards

    Raises
    ------
    ValueError
        There is no such form, or the layout doesn't fit it.
    """
    path, k = Path(path), len(kinds)
    kind = path.suffix.lower()
    if layout not in LAYOUTS:
        raise ValueError(f"layout must be one of {', '.join(LAYOUTS)}, got {layout!r}")
    if layout == "ce_clip" and k not in SLOTS:
        raise ValueError(f"CE-CLIP's layout has 4 negatives a caption and AHNPL's 5, the recipe makes {k}; "
                         "take the recipe ce_clip or ahnpl")
    if layout == "ce_clip" and any((name in EXCHANGES) != (slot < k - 3) for slot, name in enumerate(kinds)):
        raise ValueError(f"CE-CLIP's layout has the slots {', '.join(SLOTS[k])}, the first exchanges and the last "
                         f"three replacements, the recipe makes {', '.join(kinds)}; take the recipe ce_clip or ahnpl")
    forms = {"vlmneg": (".jsonl", ".tsv", ".tar"), "negclip": (".tsv",), "ce_clip": (".tsv", ".npy")}[layout]
    if kind not in forms:
        raise ValueError(f"the layout {layout} is written to {' or '.join(forms)}, got {path.name}")
    if kind == ".jsonl":
        return Lines(path, "", _json_line)
    if kind == ".tar":
        return Shards(path, SHARD, lambda file, rows: _save_tar(file, rows, images))
    if kind == ".npy":
        return Shards(path, CE_CLIP_SHARD, _save_npy)
    if layout == "ce_clip":
        names = list(ce_clip_record(Row(0, "", "", ()), None, 0, k))
        return Lines(path, _cells(names), lambda row, r, i: _cells(map(str, ce_clip_record(row, r, i, k).values())))
    return Lines(path, _cells(["filepath", "title", "neg_caption", "neg_image"]), _negclip_line)


def record(row: Row, result: Any, i: int) -> dict[str, Any]:
    """A caption with its negatives, as JSON holds it."""
    slots = zip(result.text[i], result.valid[i].tolist(), result.kind[i], result.reason[i], result.edits[i],
                strict=True)
    return {"key": row.key, "image": row.image, "caption": row.caption, "negatives": [
        {"text": text, "kind": kind, "edits": [list(e) for e in edits]} if valid else
        {"text": None, "kind": kind, "reason": reason} for text, valid, kind, reason, edits in slots]}


def ce_clip_record(row: Row, result: Any, i: int, k: int) -> dict[str, Any]:
    """A record of CE-CLIP (k = 4) or AHNPL (k = 5); an invalid slot holds ###."""
    out: dict[str, Any] = {"caption": row.caption}
    for slot, name in enumerate(SLOTS[k]):
        out[f"{name}_aug_caption"] = result.text[i][slot] if result and result.valid[i, slot] else "###"
    out["image_id"] = row.image
    out["valid_caption"] = [1, *(result.valid[i].tolist() if result else [0] * k)]
    return out


def _json_line(row: Row, result: Any, i: int) -> str:
    return json.dumps(record(row, result, i), ensure_ascii=False) + "\n"


def _cells(cells: Any) -> str:
    line = io.StringIO()
    csv.writer(line, delimiter="\t", lineterminator="\n").writerow(cells)
    return line.getvalue()


def _negclip_line(row: Row, result: Any, i: int) -> str:
    valid = [t for t, v in zip(result.text[i], result.valid[i], strict=True) if v]
    return _cells([row.image, row.caption, repr(valid), "[]"])


def _save_npy(path: Path, rows: Sequence[tuple[Row, Any, int]]) -> None:
    k = len(rows[0][1].text[0])
    with open(path, "wb") as file:
        np.save(file, np.array([ce_clip_record(*row, k) for row in rows], object), allow_pickle=True)


def _save_tar(path: Path, rows: Sequence[tuple[Row, Any, int]], images: Path | None) -> None:
    with tarfile.open(path, "w") as archive:
        for row, result, i in rows:
            key = f"{row.key:09d}"
            picture = images / row.image if images and row.image else None
            if picture is not None and picture.is_file():
                with open(picture, "rb") as file:
                    archive.addfile(_member(key + picture.suffix.lower(), picture.stat().st_size), file)
            for ending, text in ((".txt", row.caption), (".json", json.dumps(record(row, result, i),
                                                                           ensure_ascii=False))):
                data = text.encode()
                archive.addfile(_member(key + ending, len(data)), io.BytesIO(data))


def picture_writer(path: str | Path, quality: int) -> Shards:
    """What writes pictures with their negatives.

    Parameters
    ----------
    path : path
        .tar.
    quality : int
        Of JPEG: source and negatives go through the same encoder, so that its traces tell nothing.

    Returns
    -------
    Shards
    """
    path = Path(path)
    if path.suffix.lower() != ".tar":
        raise ValueError(f"pictures are written to a .tar, got {path.name}")
    return Shards(path, PICTURE_SHARD, _save_members,
                  functools.partial(picture_files, quality))


def picture_files(quality: int, sample: Any, result: Any, i: int) -> list[tuple[str, bytes]]:
    """Files of a sample: KEY.jpg, .txt and .json, and for each negative KEY.neg0.jpg."""
    key = f"{sample.key:09d}"
    files, said = [(f"{key}.jpg", _jpeg(result.images[i], quality))], []
    for k, valid in enumerate(result.valid[i].tolist()):
        if not valid:
            said.append({"image": None, "kind": result.kind[i][k], "reason": result.reason[i][k]})
            continue
        rows, columns = np.nonzero(result.region[i][k])
        box = [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]
        files.append((f"{key}.neg{k}.jpg", _jpeg(result.image[i][k], quality)))
        said.append({"image": f"neg{k}.jpg", "kind": result.kind[i][k], "edit": result.edits[i][k], "box": box,
                     "caption": result.caption[i][k], "source": result.source[i][k]})
    caption = result.captions[i]
    about = {"key": sample.key, "image": sample.name, "caption": caption, "captions": list(sample.captions),
             "negatives": said}
    return [*files, (f"{key}.txt", caption.encode()), (f"{key}.json", json.dumps(about, ensure_ascii=False).encode())]


def _jpeg(picture: np.ndarray, quality: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality, subsampling=0)
    return file.getvalue()


def _save_members(path: Path, samples: Sequence[list[tuple[str, bytes]]]) -> None:
    with tarfile.open(path, "w") as archive:
        for name, data in itertools.chain(*samples):
            archive.addfile(_member(name, len(data)), io.BytesIO(data))


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    return member
