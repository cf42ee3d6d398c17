"""Benchmarks: each file reads its data into items and names a rule. None of them sees a model.

To add one: write ``benchmarks/x.py`` with a function ``read(annotations, images, data)`` that returns a `Benchmark`,
and give it a line in ``_READERS``.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_READERS = {
    "edits": "caption choice: a picture's own caption against that caption after an edit, by kind of edit",
    "sugarcrepe": "caption choice: one true caption against one hard negative, seven sub-tasks",
    "retrieval": "R@1, R@5 and R@10 from picture to caption and back, on any captioned data",
}


@dataclass(frozen=True)
class Item:
    """One example: a picture and its captions.

    Attributes
    ----------
    subset, key : str
        Sub-task, and the name of the example in it.
    name : str
        The picture's name in the record.
    picture : path, PIL image or uint8 array
    captions : tuple of str
        For a choice the true one first, then the false ones; for retrieval all that are true.
    """

    subset: str
    key: str
    name: str
    picture: Any
    captions: tuple[str, ...]


@dataclass(frozen=True)
class Benchmark:
    """Items and how to judge them.

    Attributes
    ----------
    name : str
    rule : {"choice", "retrieval"}
    items : list of Item
    types : mapping of str to sequence of str
        Groups of sub-tasks with a figure of their own.
    absent : tuple of str
        Sub-tasks whose file is not there.
    skipped : mapping of str to int
        What the reader left out, by reason.
    version : str
        SHA-256 over the examples, so that two records can be compared at all.
    """

    name: str
    rule: str
    items: list[Item]
    types: Mapping[str, Sequence[str]] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)
    version: str = ""


def names() -> list[str]:
    """Benchmarks that `read` and ``vlmneg.evaluate`` know.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from vlmneg import benchmarks
    >>> benchmarks.names()
    ['edits', 'retrieval', 'sugarcrepe']
    """
    return sorted(_READERS)


def read(name: str, *, annotations: Any = None, images: Any = None, data: Any = None) -> Benchmark:
    """Reads a benchmark's files; no picture is opened.

    Parameters
    ----------
    name : str
        One of `names`.
    annotations, images : path, optional
        Folder or file of the annotations; folder of the pictures.
    data : data set, optional
        For ``"edits"`` and ``"retrieval"``, in place of both.

    Returns
    -------
    Benchmark

    Raises
    ------
    ValueError
        When the name is unknown, an argument is missing, or a file does not hold what it should.
    FileNotFoundError
        When a file or folder is not there.

    Examples
    --------
    >>> from vlmneg import benchmarks
    >>> benchmarks.read("sugarcreep")
    Traceback (most recent call last):
        ...
    ValueError: unknown benchmark 'sugarcreep'; did you mean 'sugarcrepe'? Known: edits, retrieval, sugarcrepe
    """
    if name not in _READERS:
        near = difflib.get_close_matches(str(name), _READERS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(f"unknown benchmark {name!r}{hint} Known: {', '.join(names())}")
    return importlib.import_module(f".{name}", __name__).read(annotations, images, data)


def version(lines: Iterable[Sequence[str]]) -> str:
    """SHA-256 of examples: one JSON array of strings a line, without blanks, UTF-8.

    Parameters
    ----------
    lines : iterable of sequence of str
        Benchmark and sub-task, key, picture's name, captions in the file's order.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> from vlmneg import benchmarks
    >>> benchmarks.version([["sugarcrepe/add_obj", "0", "a.jpg", "a dog", "a dog and a cat"]])[:8]
    'a0c4a889'
    """
    digest = hashlib.sha256()
    for line in lines:
        text = json.dumps(list(line), ensure_ascii=False, separators=(",", ":"))
        digest.update(text.encode() + b"\n")
    return digest.hexdigest()
