"""Each picture once, each caption once: unit vectors for a benchmark, in batches, decoding ahead of the model."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .images import decode

Vectors = NDArray[np.float32]
MISSING, UNREADABLE = "missing image", "unreadable image"


@dataclass
class Encoded:
    """Vectors of unique inputs, and which of them belongs to each input.

    ``row[n]`` is -1 where input n has none; then ``fault[n]`` says why. ``digest[n]`` identifies its content.
    ``tokens[n]``, of captions, counts with start and end; ``truncated`` captions were longer than the model's context.
    """

    vectors: Vectors
    row: NDArray[np.int32]
    digest: list[str]
    fault: dict[int, str]
    tokens: NDArray[np.int64]
    truncated: int = 0


def is_path(picture: Any) -> bool:
    """Whether a picture is named by its file."""
    return isinstance(picture, (str, os.PathLike))


def encode_pictures(model: Any, pictures: Sequence[Any], batch: int, step: Callable[[int], Any]) -> Encoded:
    """Encodes every distinct picture once; those of equal content share a vector."""
    row, digests, fault = np.full(len(pictures), -1, np.int32), [""] * len(pictures), {}
    known: dict[str, int] = {}
    waiting: list[Any] = []
    out: list[Vectors] = []

    def flush() -> None:
        if waiting:
            out.append(_vectors(model.encode_image(model.preprocess(waiting), normalize=True), len(waiting), "image"))
            waiting.clear()

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for n, (digest, image, trouble) in enumerate(_ahead(pool, _load, pictures, 2 * batch)):
            digests[n] = digest
            if trouble:
                fault[n] = trouble
            elif digest in known:
                row[n] = known[digest]
            else:
                row[n] = known[digest] = len(known)
                waiting.append(image)
            if len(waiting) == batch:
                flush()
            step(1)
        flush()
    return Encoded(_join(out), row, digests, fault, np.zeros(0, np.int64))


def encode_captions(model: Any, captions: Sequence[str], batch: int, step: Callable[[int], Any]) -> Encoded:
    """Encodes every distinct row of token ids once, short captions first so that a batch wastes nothing."""
    tokenizer = model.tokenizer
    context = getattr(getattr(model, "config", None), "context", 77)
    ids, offsets = tokenizer.pack(list(captions), context)
    length = np.diff(offsets)
    keys = [ids[a:b].tobytes() for a, b in itertools.pairwise(offsets)]
    first: dict[bytes, int] = {}
    for n, key in enumerate(keys):
        first.setdefault(key, n)
    order = sorted(first, key=lambda key: (len(key), key))
    place = {key: n for n, key in enumerate(order)}
    out = []
    for at in range(0, len(order), batch):
        texts = [captions[first[key]] for key in order[at:at + batch]]
        out.append(_vectors(model.encode_text(texts, normalize=True), len(texts), "text"))
        step(len(texts))
    full = [captions[n] for n in np.flatnonzero(length == context).tolist()]
    longer = np.diff(tokenizer.pack(full, context + 1)[1]) if full else np.zeros(0)
    return Encoded(_join(out), np.array([place[key] for key in keys], np.int32), [key.hex() for key in keys], {},
                   length.astype(np.int64), int((longer > context).sum()))


def _load(picture: Any) -> tuple[str, Any, str]:
    """Digest of the content, decoded picture, and what went wrong."""
    try:
        if is_path(picture):
            data = Path(picture).read_bytes() if Path(picture).is_file() else None
            if data is None:
                return "", None, MISSING
            return hashlib.sha256(data).hexdigest(), decode(io.BytesIO(data)), ""
        image = decode(picture)
        head = f"{image.mode} {image.size}\n"
        return hashlib.sha256(head.encode() + image.tobytes()).hexdigest(), image, ""
    except Exception as error:  # decoders raise what they like on a broken file
        return "", None, f"{UNREADABLE}: {error}"


def _ahead(pool: ThreadPoolExecutor, work: Callable[[Any], Any], values: Iterable[Any], depth: int) -> Iterator[Any]:
    """Results in order, with at most depth of them under way or waiting."""
    waiting: deque[Any] = deque()
    for value in values:
        waiting.append(pool.submit(work, value))
        if len(waiting) >= depth:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _vectors(x: Any, rows: int, tower: str) -> Vectors:
    v = np.ascontiguousarray(x, dtype=np.float32)
    if v.ndim != 2 or len(v) != rows:
        raise ValueError(f"model.encode_{tower} must return ({rows}, E) vectors for {rows} inputs, got {v.shape}")
    if not np.isfinite(v).all():
        raise ValueError(f"model.encode_{tower} gives NaN or infinity; a benchmark of it would say nothing. Check the "
                         "weights and, after training, the learning rate")
    return v


def _join(parts: list[Vectors]) -> Vectors:
    return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)
