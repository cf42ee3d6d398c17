"""Captions from files of many forms, with what else is true of their picture."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from vlmneg.data.sample import read_text

CAPTION_KEYS = ("title", "caption", "text", "sentence")
IMAGE_KEYS = ("filepath", "image", "file_name", "filename", "image_id")


class Row(NamedTuple):
    """A caption: its number in the file, its picture ("" where none is named), and further true captions of that."""

    key: int
    caption: str
    image: str
    others: tuple[str, ...]


@dataclass(frozen=True)
class Captions:
    """Captions of a file.

    Parameters
    ----------
    path : Path
    total : int
    rows : callable
        Gives an iterator over every `Row`.
    """

    path: Path
    total: int
    rows: Callable[[], Iterator[Row]]

    def __len__(self) -> int:
        return self.total

    def __iter__(self) -> Iterator[Row]:
        return self.rows()


def read_captions(path: str | Path) -> Captions:
    """The captions of a file, by its ending.

    Parameters
    ----------
    path : path
        .txt: a caption a line. .jsonl: an object a line, with "caption" and perhaps "image". .json: COCO's captions,
        Karpathy's splits, or a list of such objects. .tsv or .csv: columns title or caption, and perhaps filepath or
        image. .tar: webdataset shards with .txt. Text is read as a stream where pictures aren't named.

    Returns
    -------
    Captions

    Raises
    ------
    ValueError
        The file has another form, or no caption.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "captions.tsv"
    >>> _ = path.write_text("filepath\\ttitle\\na.jpg\\ta dog\\na.jpg\\ta brown dog\\n")
    >>> [tuple(row) for row in read_captions(path)]
    [(0, 'a dog', 'a.jpg', ('a brown dog',)), (1, 'a brown dog', 'a.jpg', ('a dog',))]
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file of captions {path}")
    kind = path.suffix.lower()
    if kind == ".txt":
        return _lines(path)
    readers = {".jsonl": _jsonl, ".json": _json, ".tsv": _table, ".csv": _table, ".tar": _tar}
    if kind not in readers:
        raise ValueError(f"captions must be in a .txt, .jsonl, .json, .tsv, .csv or .tar file, got {path.name}")
    pairs = [(caption, image) for caption, image in readers[kind](path) if caption.strip()]
    if not pairs:
        raise ValueError(f"{path} holds no caption")
    of = defaultdict(list)
    for caption, image in pairs:
        of[image].append(caption)

    def rows() -> Iterator[Row]:
        place: dict[str, int] = defaultdict(int)
        for key, (caption, image) in enumerate(pairs):
            at = place[image]
            place[image] += 1
            own = of[image] if image else []
            yield Row(key, caption, image, tuple(own[:at] + own[at + 1:]))
    return Captions(path, len(pairs), rows)


def _lines(path: Path) -> Captions:
    def rows() -> Iterator[Row]:
        key = 0
        with open(path, encoding="utf-8-sig") as file:
            try:
                for line in file:
                    if line.strip():
                        yield Row(key, line.rstrip("\r\n"), "", ())
                        key += 1
            except UnicodeDecodeError as error:
                raise ValueError(f"{path} is not UTF-8 text: {error.reason} after {key} captions") from None
    total = sum(1 for _ in rows())
    if not total:
        raise ValueError(f"{path} holds no caption")
    return Captions(path, total, rows)


def _pair(entry: Any, place: str) -> tuple[str, str]:
    """Caption and picture of an object."""
    if isinstance(entry, str):
        return entry, ""
    caption = next((entry[k] for k in CAPTION_KEYS if isinstance(entry, dict) and k in entry), None)
    if not isinstance(caption, str):
        raise ValueError(f"{place} must be an object with a caption, such as {{\"caption\": \"a dog\"}}, got "
                         f"{str(entry)[:80]}")
    return caption, str(next((entry[k] for k in IMAGE_KEYS if k in entry), ""))


def _jsonl(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if line.strip():
            try:
                entry = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                raise ValueError(f"{path}, line {number}, is not JSON: {error}") from None
            yield _pair(entry, f"{path}, line {number},")


def _json(path: Path) -> Iterator[tuple[str, str]]:
    try:
        content = json.loads(read_text(path))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    if isinstance(content, dict) and isinstance(content.get("annotations"), list):
        names = {e.get("id"): e.get("file_name", "") for e in content.get("images", []) if isinstance(e, dict)}
        for n, entry in enumerate(content["annotations"]):
            caption, image = _pair(entry, f"{path}, annotation {n},")
            yield caption, names.get(entry.get("image_id"), image)
    elif isinstance(content, dict) and isinstance(content.get("images"), list):
        for n, entry in enumerate(content["images"]):
            if not isinstance(entry, dict) or not isinstance(entry.get("sentences"), list):
                raise ValueError(f"{path}, image {n}, has no list of sentences")
            for sentence in entry["sentences"]:
                yield str(sentence.get("raw", "")), "/".join(
                    str(entry[k]) for k in ("filepath", "filename") if entry.get(k))
    elif isinstance(content, list):
        for n, entry in enumerate(content):
            captions = entry.get("captions") if isinstance(entry, dict) else None
            if isinstance(captions, list):
                for caption in captions:
                    yield _pair({**entry, "caption": caption}, f"{path}, entry {n},")
            else:
                yield _pair(entry, f"{path}, entry {n},")
    else:
        raise ValueError(f"{path} must hold COCO's annotations, Karpathy's images or a list of objects with captions")


def _table(path: Path) -> Iterator[tuple[str, str]]:
    text = io.StringIO(read_text(path), newline="")
    reader = csv.DictReader(text, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
    header = reader.fieldnames or []
    if not any(k in header for k in CAPTION_KEYS):
        raise ValueError(f"{path} needs a column {' or '.join(CAPTION_KEYS)}; found {', '.join(header) or 'none'}")
    for number, entry in enumerate(reader, 2):
        yield _pair({k: v for k, v in entry.items() if k and v is not None}, f"{path}, line {number},")


def _tar(path: Path) -> Iterator[tuple[str, str]]:
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and member.name.endswith(".txt"):
                    file = archive.extractfile(member)
                    yield (file.read().decode() if file else "").strip(), member.name[:-4]
    except (tarfile.TarError, UnicodeDecodeError, EOFError) as error:
        raise ValueError(f"{path} is not a tar of captions: {error}") from None
