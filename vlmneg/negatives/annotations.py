"""Annotate once: words of captions with their classes, kept beside the data, so that negatives need no tagger later."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from vlmneg import _core
from vlmneg.checkpoints import safetensors
from vlmneg.checkpoints.files import atomic_file
from vlmneg.negatives import taggers
from vlmneg.negatives.arguments import strings
from vlmneg.progress import Progress

FORMAT = "vlmneg annotations 1"
MAX_WORDS = 75  # VN_MAX_WORDS of csrc/text/vn_text.h
_CHUNK = 1024  # captions a tagger sees at once, and the most that an interruption loses
_BLOCK = 1 << 13  # rows that are copied or checked at once
_HEADER = 4096  # bytes in front of the data
_log = logging.getLogger("vlmneg")


def lexicon_version() -> str:
    """What the lemmas of annotations refer to: a hash of the built-in table.

    Returns
    -------
    str
        16 hexadecimal digits.

    Examples
    --------
    >>> len(lexicon_version())
    16
    """
    return f"{_core.text_lexicon_hash():016x}"


@dataclass(eq=False, repr=False)
class Annotations:
    """Words of N captions with class, form and lemma, and what made them.

    Parameters
    ----------
    words : ndarray of shape (T, 4), int32
        Begin and end in bytes of the UTF-8 caption; class (a letter) and form in the lower and upper half; lemma, a
        line of the lexicon or -1. Of each caption at most the first 75 words.
    offsets : ndarray of shape (N + 1,), int64
        Caption i has words[offsets[i]:offsets[i + 1]].
    hashes : ndarray of shape (N, 2), int64
        128 bits of each caption's BLAKE2b.
    tagger, version : str
        Of the tagger that gave the classes.
    lexicon : str
        `lexicon_version` of the core that gave forms and lemmas.

    Examples
    --------
    >>> a = annotate(["a red dog", "two cats on a sofa"])
    >>> a
    2 captions, 8 words, by lexicon 1
    >>> a.read("two cats on a sofa")
    [('two', 'M'), ('cats', 'N'), ('on', 'P'), ('a', 'D'), ('sofa', 'N')]
    """

    words: np.ndarray
    offsets: np.ndarray
    hashes: np.ndarray
    tagger: str
    version: str
    lexicon: str

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __repr__(self) -> str:
        return f"{len(self)} captions, {len(self.words)} words, by {self.tagger} {self.version}"

    @cached_property
    def _index(self) -> tuple[np.ndarray, np.ndarray]:
        keys = _keys(self.hashes)
        order = np.argsort(keys, kind="stable")
        return order, keys[order]

    def _find(self, hashes: np.ndarray) -> np.ndarray:
        """Row of each hash, -1 where there is none."""
        order, known = self._index
        keys = _keys(hashes)
        if not len(known):
            return np.full(len(keys), -1)
        place = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        return np.where(known[place] == keys, order[place], -1)

    def of(self, captions: Sequence[str]) -> Annotations:
        """Annotations of these captions, in this order.

        Parameters
        ----------
        captions : list of M str

        Returns
        -------
        Annotations
            Of M captions.

        Raises
        ------
        ValueError
            When a caption was not annotated.
        """
        captions = strings(captions, "captions")
        hashes = _hash(captions)
        if np.array_equal(hashes, self.hashes):
            return self
        rows = self._find(hashes)
        if (rows < 0).any():
            i = int(np.argmin(rows))
            raise ValueError(f"captions[{i}], {captions[i][:80]!r}, was not annotated, nor were "
                             f"{int((rows < 0).sum()) - 1} others of {len(rows)}; annotate these captions too: "
                             f"annotate(captions, {self.tagger!r})")
        begin = self.offsets[rows]
        lengths = self.offsets[rows + 1] - begin
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        take = np.arange(offsets[-1]) + np.repeat(begin - offsets[:-1], lengths)
        return Annotations(self.words[take], offsets, hashes, self.tagger, self.version, self.lexicon)

    def read(self, caption: str) -> list[tuple[str, str]]:
        """The words of one caption with their classes, to look at.

        Parameters
        ----------
        caption : str
            One of those annotated.

        Returns
        -------
        list of (str, str)
            Word and class letter.
        """
        raw = caption.encode()
        words = self.of([caption]).words.tolist()
        return [(raw[begin:end].decode(), chr(kind & 0xFFFF)) for begin, end, kind, _ in words]

    def save(self, path: str | os.PathLike) -> None:
        """Write a safetensors file: under a temporary name, then renamed.

        Parameters
        ----------
        path : str or path
        """
        with atomic_file(path) as temporary, open(temporary, "wb") as file:
            out = _Writer(file)
            out.copy(self)
            out.finish(self.tagger, self.version, self.lexicon)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Annotations:
        """Read what `save` or a cache wrote; the words stay in the mapped file.

        Parameters
        ----------
        path : str or path

        Returns
        -------
        Annotations

        Raises
        ------
        ValueError
            When the file is damaged, holds something else, or was made with another lexicon.
        """
        path = Path(path)
        tensors, metadata = safetensors.read(path)
        if metadata.get("format") != FORMAT or not {"tagger", "version", "lexicon"} <= metadata.keys():
            raise ValueError(f"{path.name} holds no annotations of this version: its format is "
                             f"{metadata.get('format')!r:.80}, expected is {FORMAT!r}; make it again with annotate")
        if metadata["lexicon"] != lexicon_version():
            raise ValueError(f"{path.name} was made with lexicon {metadata['lexicon']:.40}, and this vlmneg has "
                             f"{lexicon_version()}: words would be taken for others; make it again with annotate")
        try:
            if int(metadata.get("checksum", "-1")) != _checksum(tensors, metadata):
                raise ValueError("its checksum is wrong")
            _check(tensors)
        except ValueError as error:
            raise ValueError(f"{path.name} is damaged: {error}; delete it and annotate again") from None
        return cls(tensors["words"], tensors["offsets"], tensors["hashes"], metadata["tagger"], metadata["version"],
                   metadata["lexicon"])


def annotate(captions: Sequence[str], tagger: Any = "lexicon", *, cache: str | os.PathLike | None = None,
             progress: bool = False) -> Annotations:
    """Tag captions once, for all the negatives that will be made of them.

    Parameters
    ----------
    captions : list of N str
        Equal ones are tagged once.
    tagger : str or object
        "lexicon", the built-in one; "textblob"; "spacy:PIPELINE"; or an object as `taggers.Tagger` describes.
    cache : str or path, optional
        Name of the file that the captions came from. The annotations are kept beside it, as in
        ``captions.json.lexicon-1.annotations.safetensors``: what is there already is not tagged again, new captions
        are added, and what was tagged before an interruption is kept.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Annotations
        Row i belongs to captions[i].

    Raises
    ------
    ValueError, TypeError
        When an argument isn't what is described here, or the tagger gives something else than tags.

    Examples
    --------
    >>> a = annotate(["a red dog", "two cats on a sofa"])
    >>> a.words.shape, a.offsets.tolist()
    ((8, 4), [0, 3, 8])
    """
    captions = strings(captions, "captions")
    if not captions:
        raise ValueError("captions is empty; at least one is needed")
    tagger = taggers.get(tagger)
    hashes = _hash(captions)
    if cache is None:
        rows = _distinct(hashes)
        parts = list(_tagged(captions, hashes, rows, tagger, progress))
        words, lengths, kept = (np.concatenate(x) for x in zip(*parts, strict=True))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        return Annotations(words, offsets, kept, tagger.name, tagger.version, lexicon_version()).of(captions)
    path = cache_path(cache, tagger)
    known = _cached(path, tagger)
    rows = _distinct(hashes)
    if known is not None:
        rows = rows[known._find(hashes[rows]) < 0]
    if len(rows):
        _extend(path, known, _tagged(captions, hashes, rows, tagger, progress), tagger)
        known = Annotations.load(path)
    assert known is not None
    return known.of(captions)


def cache_path(cache: str | os.PathLike, tagger: Any = "lexicon") -> Path:
    """The file that `annotate` keeps beside a file of captions.

    Parameters
    ----------
    cache : str or path
        The file of captions.
    tagger : str or object
        As for `annotate`.

    Returns
    -------
    Path

    Examples
    --------
    >>> cache_path("captions.json").name
    'captions.json.lexicon-1.annotations.safetensors'
    """
    tagger = taggers.get(tagger)
    path = Path(cache)
    if not path.name or not path.parent.is_dir():
        raise ValueError(f"cache must name a file in a folder that exists, got {os.fspath(cache)!r}")
    label = re.sub(r"[^\w.+-]+", "_", f"{tagger.name}-{tagger.version}")
    return path.with_name(f"{path.name}.{label}.annotations.safetensors")


def _hash(captions: Sequence[str]) -> np.ndarray:
    digests = bytearray()
    for caption in captions:
        digests += hashlib.blake2b(caption.encode(), digest_size=16).digest()
    return np.frombuffer(digests, "<i8").reshape(-1, 2)


def _keys(hashes: np.ndarray) -> np.ndarray:
    """Hashes as strings of 16 bytes, which NumPy sorts and finds."""
    return np.ascontiguousarray(hashes).view("S16").reshape(-1)


def _distinct(hashes: np.ndarray) -> np.ndarray:
    """Rows of the first of equal captions, in order."""
    return np.sort(np.unique(_keys(hashes), return_index=True)[1])


def _tagged(captions: Sequence[str], hashes: np.ndarray, rows: np.ndarray, tagger: taggers.Tagger,
            progress: bool) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Words, their number by caption, and hashes of some captions, chunk by chunk."""
    with Progress(len(rows), f"annotate with {tagger.name}", unit="caption", show=None if progress else False) as bar:
        for first in range(0, len(rows), _CHUNK):
            chunk = rows[first : first + _CHUNK]
            texts = tuple(captions[i] for i in chunk.tolist())
            tags = (None, None) if type(tagger) is taggers.Lexicon else _tags(texts, tagger)
            words, offsets = _core.text_annotate(texts, *tags)
            yield words, np.diff(offsets), hashes[chunk]
            bar.add(len(chunk))


def _tags(captions: tuple[str, ...], tagger: taggers.Tagger) -> tuple[np.ndarray, np.ndarray]:
    """What a tagger says, as the core takes it: (M, 3) begin and end in bytes and a letter, and where rows begin."""
    said = tagger(list(captions))
    if not hasattr(said, "__len__") or len(said) != len(captions):
        raise ValueError(f"the tagger {tagger.name!r} must give a list of {len(captions)} rows, one a caption, got "
                         f"{len(said) if hasattr(said, '__len__') else type(said).__name__}")
    found: list[tuple[int, int, int]] = []
    begin = [0]
    for caption, row in zip(captions, said, strict=True):
        byte = _bytes(caption)
        try:
            for start, stop, tag in sorted(row, key=lambda t: t[:2]):
                if not 0 <= start <= stop <= len(caption):
                    raise ValueError(f"it has {len(caption)} characters, and [{start}, {stop}) is no part of it")
                kind = taggers.letter(tag)
                found.append((byte(start), byte(stop), ord(kind) if kind else 0))
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"the tagger {tagger.name!r} must give (start, stop, tag) for each word of "
                             f"{caption[:80]!r}: {error}") from error
        begin.append(len(found))
    return np.array(found, np.int32).reshape(-1, 3), np.array(begin, np.int64)


def _bytes(caption: str) -> Callable[[int], int]:
    """From a place in characters to the place in bytes."""
    if caption.isascii():
        return int
    return [0, *accumulate(len(c.encode()) for c in caption)].__getitem__


def _cached(path: Path, tagger: taggers.Tagger) -> Annotations | None:
    """What the cache holds, if it can be used."""
    if not path.exists():
        return None
    try:
        known = Annotations.load(path)
    except ValueError as error:
        _log.warning("the annotations are made again: %s", error)
        return None
    if (known.tagger, known.version) != (tagger.name, tagger.version):
        _log.warning("the annotations of %s are made again: they are by %s %s", path.name, known.tagger, known.version)
        return None
    return known


def _extend(path: Path, known: Annotations | None, parts: Iterator, tagger: taggers.Tagger) -> None:
    """Write the cache anew, with further captions; after an interruption, with those that were tagged until then."""
    stopped: BaseException | None = None
    with atomic_file(path) as temporary, open(temporary, "wb") as file:
        out = _Writer(file)
        if known is not None:
            out.copy(known)
        try:
            for part in parts:
                out.add(*part)
        except BaseException as error:
            stopped = error
        out.finish(tagger.name, tagger.version, lexicon_version())
    if stopped is not None:
        raise stopped


class _Writer:
    """Writes annotations as they come: the words go to the file at once, the rest at the end, the header last.

    A part counts once it is in `parts`: an interruption in the middle of a write leaves nothing half.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.file.write(bytes(_HEADER))
        self.parts: list[tuple[np.ndarray, np.ndarray, int]] = []  # lengths, hashes, checksum up to here

    def add(self, words: np.ndarray, lengths: np.ndarray, hashes: np.ndarray) -> None:
        checksum = self._write(words, "<i4", self.parts[-1][2] if self.parts else 0)
        self.parts.append((lengths, hashes, checksum))

    def copy(self, a: Annotations) -> None:
        for first in range(0, len(a), _BLOCK):
            offsets = a.offsets[first : first + _BLOCK + 1]
            self.add(a.words[offsets[0] : offsets[-1]], np.diff(offsets), a.hashes[first : first + _BLOCK])

    def _write(self, x: np.ndarray, dtype: str, checksum: int) -> int:
        data = np.ascontiguousarray(x, dtype).data
        if x.size:
            self.file.write(data)
            checksum = zlib.crc32(data, checksum)
        return checksum

    def finish(self, tagger: str, version: str, lexicon: str) -> None:
        offsets = np.cumsum(np.concatenate([np.zeros(1, np.int64), *(part[0] for part in self.parts)]))
        hashes = np.concatenate([np.zeros((0, 2), np.int64), *(part[1] for part in self.parts)])
        self.file.seek(_HEADER + 16 * int(offsets[-1]))
        self.file.truncate()
        checksum = self._write(offsets, "<i8", self.parts[-1][2] if self.parts else 0)
        checksum = self._write(hashes, "<i8", checksum)
        metadata = {"format": FORMAT, "lexicon": lexicon, "tagger": tagger, "version": version}
        metadata["checksum"] = str(zlib.crc32(_label(metadata), checksum))
        fields: dict[str, Any] = {"__metadata__": metadata}
        place = 0
        for name, dtype, shape, size in (("words", "I32", [int(offsets[-1]), 4], 4),
                                         ("offsets", "I64", [len(offsets)], 8), ("hashes", "I64", [len(hashes), 2], 8)):
            end = place + int(np.prod(shape)) * size
            fields[name] = {"dtype": dtype, "shape": shape, "data_offsets": [place, end]}
            place = end
        self.file.seek(0)
        self.file.write((_HEADER - 8).to_bytes(8, "little"))
        self.file.write(json.dumps(fields).encode().ljust(_HEADER - 8))


def _label(metadata: dict[str, str]) -> bytes:
    return "\n".join(metadata[name] for name in ("format", "lexicon", "tagger", "version")).encode()


def _checksum(tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> int:
    """CRC-32 of what a file holds."""
    value = 0
    for name in ("words", "offsets", "hashes"):
        x = tensors.get(name, np.empty(0))
        for first in range(0, len(x), _BLOCK):
            value = zlib.crc32(np.ascontiguousarray(x[first : first + _BLOCK]).data, value)
    return zlib.crc32(_label(metadata), value)


def _check(tensors: dict[str, np.ndarray]) -> None:
    """Raise ValueError unless the arrays can be annotations, whatever wrote them."""
    words, offsets, hashes = (tensors.get(name, np.empty(0)) for name in ("words", "offsets", "hashes"))
    if words.dtype != np.int32 or words.ndim != 2 or words.shape[1] != 4:
        raise ValueError("words must be int32 of shape (T, 4)")
    if offsets.dtype != np.int64 or offsets.ndim != 1 or len(offsets) < 1:
        raise ValueError("offsets must be int64 of shape (N + 1,)")
    if hashes.dtype != np.int64 or hashes.shape != (len(offsets) - 1, 2):
        raise ValueError("hashes must be int64 of shape (N, 2)")
    lengths = np.diff(offsets)
    if offsets[0] != 0 or offsets[-1] != len(words) or (lengths < 0).any() or (lengths > MAX_WORDS).any():
        raise ValueError(f"offsets must rise from 0 to the {len(words)} words, by {MAX_WORDS} at most")
    entries = len(_core.text_lexicon())
    letters = np.array([ord(c) for c in "NVARPDCMXUT"])
    for first in range(0, len(lengths), _BLOCK):
        at = offsets[first : first + _BLOCK + 1]
        begin, end, kind, lemma = words[at[0] : at[-1]].T
        before = np.concatenate([[0], end[:-1]])
        before[(at[:-1] - at[0])[lengths[first : first + _BLOCK] > 0]] = 0
        good = (before <= begin) & (begin < end) & np.isin(kind & 0xFFFF, letters) & (kind >> 16 >= 0)
        if not (good & (kind >> 16 < 10) & (-1 <= lemma) & (lemma < entries)).all():
            raise ValueError("a word must be begin < end behind the word before, with a known class, form and lemma")
