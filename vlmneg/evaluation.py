"""Measures a model: reads a benchmark, encodes what it needs once, scores, and keeps a table from which all follows."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import _core, benchmarks, scoring
from .benchmarks import Benchmark, Item
from .encoding import MISSING, Encoded, encode_captions, encode_pictures, is_path
from .progress import Progress
from .result import Result, describe_benchmark, describe_model, describe_software

log = logging.getLogger("vlmneg")

NEAR = 1e-6  # closer scores than this may change places with the batch or the machine
EMPTY = "empty caption"
LeftOut = list[tuple[Item, str]]


def evaluate(model: Any, benchmark: str, *, annotations: Any = None, images: Any = None, data: Any = None,
             batch: int = 64, missing: str = "skip", ties: str = "strict", bootstrap: int = 2000, seed: int = 0,
             progress: bool | None = None, out: Any = None) -> Result:
    """Measures a model on a benchmark.

    Parameters
    ----------
    model : Clip
        Or any object with ``preprocess(pictures)``, ``encode_image(x, normalize=True)``,
        ``encode_text(captions, normalize=True)`` and ``tokenizer.pack(captions, context)``.
    benchmark : {"edits", "retrieval", "sugarcrepe"}
    annotations, images : path, optional
        The benchmark's files and the folder of its pictures. Nothing is downloaded.
    data : data set, optional
        For edits and retrieval, in place of both.
    batch : int
        Pictures, and captions, that the model encodes at a time.
    missing : {"skip", "error"}
        Whether examples whose picture is missing or cannot be read are counted and left out, or refused.
    ties : {"strict", "half", "lenient", "first"}
        What a tie is worth in the figures: nothing, its expected value in random order, everything, or what argmax
        says. The record holds them all.
    bootstrap : int
        Draws over pictures behind the 95% interval; 0 for none.
    seed : int
        Of the draws.
    progress : bool, optional
        Whether a bar shows on standard error; by default where that is a terminal.
    out : path, optional
        Folder for ``result.json`` and ``examples.tsv``.

    Returns
    -------
    Result
        A mapping from the names of sub-tasks and means to fractions in [0, 1], with ``table()`` and ``rows``.

    Raises
    ------
    ValueError
        When an argument is out of range, a file is not what it should be, no example is left, or the model gives NaN.
    FileNotFoundError
        When a folder, or with ``missing="error"`` a picture, is not there.
    TypeError
        When the model lacks a method.

    Notes
    -----
    Every picture and every distinct row of token ids is encoded once. A score is one float32 dot product summed in a
    fixed order, so equal inputs tie exactly.

    Examples
    --------
    >>> import numpy as np, vlmneg as vn
    >>> class Grey:                                        # sees brightness, reads nothing
    ...     class tokenizer:
    ...         pack = staticmethod(lambda texts, context: (np.arange(len(texts), dtype=np.int32),
    ...                                                     np.arange(len(texts) + 1)))
    ...     def preprocess(self, pictures): return np.stack([np.asarray(p, np.float32) for p in pictures])
    ...     def encode_image(self, x, normalize): return x.reshape(len(x), -1)[:, :2] * 0 + [1, 0]
    ...     def encode_text(self, texts, normalize): return np.tile([[1.0, 0.0]], (len(texts), 1))
    >>> class Sample:
    ...     def __init__(self, n):
    ...         self.image, self.captions = np.full((2, 2, 3), n, np.uint8), (f"grey {n}",)
    ...         self.key, self.name, self.group = n, f"{n}", n
    >>> result = vn.evaluate(Grey(), "retrieval", data=[Sample(1), Sample(2)])
    >>> result["i2t_r1"], result.figures["i2t_r1"].half    # everything scores alike: wrong, or right half the time
    (0.0, 0.5)
    """
    start = time.perf_counter()
    _check(model, batch, missing, ties, bootstrap)
    read = benchmarks.read(benchmark, annotations=annotations, images=images, data=data)
    if read.rule == "retrieval" and ties == "first":
        raise ValueError("ties='first' needs the order of the options, which ranks do not keep; use another rule")
    if missing == "error" and read.skipped.get(MISSING):
        raise FileNotFoundError(f"{read.skipped[MISSING]} pictures are missing; missing='skip' leaves them out")
    items, left_out = _usable(read)
    _refuse(items, left_out, missing)
    sources = {_identity(item): item.picture for item in items}
    with Progress(len(sources), f"{benchmark}: pictures", unit="picture", show=progress) as bar:
        pictures = encode_pictures(model, list(sources.values()), batch, bar.add)
    items, place = _readable(items, list(sources), pictures, left_out)
    _refuse(items, left_out, missing)
    texts = list(dict.fromkeys(caption for item in items for caption in item.captions))
    with Progress(len(texts), f"{benchmark}: captions", unit="caption", show=progress) as bar:
        captions = encode_captions(model, texts, batch, bar.add)
    names = _picture_names(items, [pictures.digest[n] for n in place])
    image = pictures.row[place]
    text = {t: int(row) for t, row in zip(texts, captions.row, strict=True)}
    if read.rule == "retrieval":
        rows, facts = _ranks(items, names, image, text, pictures, captions), {}
        table = scoring.recalls(rows)
    else:
        table = rows = _choices(items, names, image, text, pictures, captions)
        facts = _choice_facts(items, rows, text, dict(zip(texts, captions.tokens.tolist(), strict=True)), read)
    figures = scoring.summarise(table, ties=ties, types=read.types, averages=read.rule == "choice",
                                bootstrap=bootstrap, seed=seed)
    if data is None and "micro" in figures and figures["micro"].lenient < 0.8 * facts["chance"]:
        log.warning("%s: far fewer right than by chance: are true and false captions swapped?", read.name)
    shown = dict(zip(names, (pictures.digest[n] for n in place), strict=True))
    result = Result(read.name, figures, rows, {
        "model": describe_model(model),
        "captions": {"distinct": len(captions.vectors), "truncated": captions.truncated,
                     "special_tokens": sum("<|startoftext|>" in t or "<|endoftext|>" in t for t in texts)},
        "benchmark": describe_benchmark(read, items, left_out, shown),
        "metric": {"task": read.rule, "ties": ties, "bootstrap": bootstrap, "seed": seed, "pictures": len(shown),
                   **facts},
        "software": describe_software(time.perf_counter() - start),
    })
    if out is not None:
        result.save(out)
    return result


def _check(model: Any, batch: int, missing: str, ties: str, bootstrap: int) -> None:
    for name in ("preprocess", "encode_image", "encode_text"):
        if not callable(getattr(model, name, None)):
            raise TypeError(f"model must be a vlmneg.Clip or have its methods; {type(model).__name__} has no {name}")
    if getattr(model, "tokenizer", None) is None:
        raise ValueError("the model has no tokenizer; give it one: model.tokenizer = vlmneg.Tokenizer.from_file(...)")
    for name, value, low in (("batch", batch, 1), ("bootstrap", bootstrap, 0)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
            raise ValueError(f"{name} must be an integer of at least {low}, got {value!r}")
    if missing not in ("skip", "error"):
        raise ValueError(f"missing must be 'skip' or 'error', got {missing!r}")
    if ties not in scoring.TIES:
        raise ValueError(f"ties must be one of {', '.join(scoring.TIES)}, got {ties!r}")


def _usable(read: Benchmark) -> tuple[list[Item], LeftOut]:
    """Items whose captions say something and whose file is there; the others with the reason."""
    kept: list[Item] = []
    left_out: LeftOut = []
    there = {p: Path(p).is_file() for p in {item.picture for item in read.items if is_path(item.picture)}}
    for item in read.items:
        captions = tuple(caption for caption in item.captions if caption.strip())
        whole = len(captions) == len(item.captions)
        if not whole and read.rule == "retrieval":
            left_out += [(item, EMPTY)] * (len(item.captions) - len(captions))
            item, whole = dataclasses.replace(item, captions=captions), bool(captions)
        elif not whole:
            left_out.append((item, EMPTY))
        if whole and is_path(item.picture) and not there[item.picture]:
            left_out.append((item, MISSING))
        elif whole:
            kept.append(item)
    return kept, left_out


def _readable(items: list[Item], sources: list[Any], pictures: Encoded, left_out: LeftOut) -> tuple[list[Item], Any]:
    """Items whose picture was decoded, and the number of that picture."""
    number = {source: n for n, source in enumerate(sources)}
    place = [number[_identity(item)] for item in items]
    left_out += [(item, pictures.fault[n]) for item, n in zip(items, place, strict=True) if n in pictures.fault]
    kept = [n not in pictures.fault for n in place]
    return ([item for item, ok in zip(items, kept, strict=True) if ok],
            np.array([n for n, ok in zip(place, kept, strict=True) if ok], np.int64))


def _refuse(items: list[Item], left_out: LeftOut, missing: str) -> None:
    """Says no when nothing is left, or when a picture is gone and none may be."""
    gone = [(item, reason) for item, reason in left_out if reason != EMPTY]
    if items and not (gone and missing == "error"):
        return
    if gone:
        item, reason = gone[0]
        kind = FileNotFoundError if reason == MISSING else ValueError
        raise kind(f"{len(gone)} examples have no picture, first {item.picture}: {reason}" +
                   ("; none is left. Does images= name the right folder?" if not items else
                    "; missing='skip' leaves them out and counts them"))
    raise ValueError(f"no example is left: {len(left_out)} with an empty caption")


def _identity(item: Item) -> Any:
    return str(item.picture) if is_path(item.picture) else id(item.picture)


def _picture_names(items: list[Item], digests: Sequence[str]) -> list[str]:
    """One name for one content: the first that it came under, made unique where two pictures are called alike."""
    name_of: dict[str, str] = {}
    taken: set[str] = set()
    for item, digest in zip(items, digests, strict=True):
        if digest not in name_of:
            name = item.name if item.name not in taken else f"{item.name}#{item.key}"
            name_of[digest] = name
            taken.add(name)
    return [name_of[digest] for digest in digests]


def _choices(items: list[Item], names: list[str], image: Any, text: dict[str, int], pictures: Encoded,
             captions: Encoded) -> list[scoring.Row]:
    """The table of a caption choice: every option's score, whether the first wins, and its ties."""
    counts = [len(item.captions) for item in items]
    pairs = np.array([text[caption] for item in items for caption in item.captions], np.int32)
    scores = _core.score_pairs(pictures.vectors, captions.vectors, np.repeat(image, counts), pairs)
    rows = []
    for item, name, own in zip(items, names, np.split(scores, np.cumsum(counts)[:-1]), strict=True):
        credit = scoring.caption_choice(own[None])
        rows.append({"subset": item.subset, "key": item.key, "image": name, "scores": tuple(own.tolist()),
                     "correct": int(credit.strict[0]), "ties": int(credit.ties[0])})
    return rows


def _choice_facts(items: list[Item], rows: list[scoring.Row], text: dict[str, int], tokens: dict[str, int],
                  read: Benchmark) -> dict[str, Any]:
    """What stands beside a choice's figures: chance, doubtful rows, and the figures of a model that sees nothing."""
    short = [{**row, "scores": [-tokens[c] for c in item.captions]}
             for item, row in zip(items, rows, strict=True)]
    return {
        "chance": float(np.mean([1 / len(item.captions) for item in items])),
        "near_ties": sum(0 < abs(row["scores"][0] - max(row["scores"][1:])) < NEAR for row in rows),
        "unwinnable": [f"{item.subset}/{item.key}" for item in items
                       if text[item.captions[0]] in {text[c] for c in item.captions[1:]}],
        "fewer_tokens": {name: figure.strict
                         for name, figure in scoring.summarise(short, types=read.types, bootstrap=0).items()},
    }


def _ranks(items: list[Item], names: list[str], image: Any, text: dict[str, int], pictures: Encoded,
           captions: Encoded) -> list[scoring.Row]:
    """The table of retrieval: the rank of every picture's best caption, then of every caption's picture."""
    counts = [len(item.captions) for item in items]
    owner = np.repeat(np.arange(len(items)), counts)
    caption = np.array([text[c] for item in items for c in item.captions], np.int32)
    shown, said = pictures.vectors[image], captions.vectors[caption]
    own = _core.score_pairs(shown, said, owner.astype(np.int32), np.arange(len(said), dtype=np.int32))
    starts = (np.cumsum(counts) - counts).astype(np.int64)
    keys = {"i2t": [i.key for i in items], "t2i": [f"{i.key}:{n}" for i in items for n in range(len(i.captions))]}
    named = {"i2t": names, "t2i": [names[n] for n in owner]}
    best = np.maximum.reduceat(own, starts)
    tied = np.add.reduceat((own == best[owner]).astype(np.int64), starts)
    rows = []
    for subset, query, gallery, top, answers in (("i2t", shown, said, best, tied),
                                                 ("t2i", said, shown, own, np.ones_like(owner))):
        better, equal = _core.score_ranks(query, gallery, top)
        for key, name, b, e, t in zip(keys[subset], named[subset], better, equal - answers, answers, strict=True):
            rows.append({"subset": subset, "key": key, "image": name, "rank": int(1 + b + e), "tied": int(t),
                         "correct": int(b + e < 1), "ties": int(e)})
    return rows
