"""Batches for training: each a function of (seed, step) alone, prepared ahead of the step on a background thread."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _core, images
from .data.wrap import wrap

ORDER, CAPTION = 2, 6   # VN_STREAM_ORDER and VN_STREAM_CAPTION of vn_philox.h
KEPT = 2**28            # bytes of pixels
log = logging.getLogger("vlmneg")


@dataclass(frozen=True)
class Batch:
    """What a step takes: pixels, one caption an image, K negatives a caption."""

    step: int                            # from 0
    epoch: int
    pixels: np.ndarray                   # (B,3,S,S) float32
    captions: list[str]                  # B
    group: np.ndarray                    # (B,) int64, equal for samples of one picture
    negatives: list[list[str]] | None    # B lists of K
    valid: np.ndarray | None             # (B,K) uint8
    skipped: int                         # unreadable images known so far
    rows: np.ndarray                     # (B,) uint64: epoch * 2**32 + key, from which random numbers follow


def below(n: int, seed: int, row: int, draw: int, stream: int) -> int:
    """An integer in [0, n) for n < 2**32, from Philox."""
    return _core.philox(seed, row, draw, stream)[0] * n >> 32


def order(n: int, seed: int, epoch: int) -> list[int]:
    """The permutation of range(n) in which an epoch visits the data (Fisher and Yates' shuffle).

    Examples
    --------
    >>> sorted(order(5, seed=1, epoch=0))
    [0, 1, 2, 3, 4]
    """
    places = list(range(n))
    for i in range(n - 1, 0, -1):
        j = below(i + 1, seed, epoch, i, ORDER)
        places[i], places[j] = places[j], places[i]
    return places


class Batches:
    """Makes the batch of any step; what it gives depends on (seed, step) and the data alone.

    An epoch visits the data in one permutation. The last samples, too few for a batch, are left out; a data set smaller
    than a batch is one batch. An unreadable image is logged once and replaced by the next readable one in the order.
    Without augmentation the pixels of a data set that fits into a quarter of a gigabyte are kept.
    """

    def __init__(self, data: Sequence, *, batch: int, seed: int, size: int, preprocess: Callable, tokenizer: Any,
                 context: int, negatives: Any = None, augment: dict | None = None, workers: int = 2) -> None:
        self.data, self.seed, self.size = wrap(data), seed, size
        self.batch = min(batch, len(data))
        self.per_epoch = len(data) // self.batch
        self.preprocess, self.augment = preprocess, augment
        self.tokenizer, self.context, self.negatives = tokenizer, context, negatives
        self.unreadable: set[int] = set()
        self.kept: dict[int, np.ndarray] = {}
        self.keep = augment is None and len(data) * 3 * size * size * 4 <= KEPT
        self.epoch, self.order = -1, [0]
        self.decoders = ThreadPoolExecutor(workers, thread_name_prefix="vlmneg-decode")

    def close(self) -> None:
        """Stop the decoding threads."""
        self.decoders.shutdown(wait=True, cancel_futures=True)

    def __call__(self, step: int) -> Batch:
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self.epoch:
            self.epoch, self.order = epoch, order(len(self.data), self.seed, epoch)
        samples, pictures = self.read(place * self.batch)
        rows = [epoch << 32 | s.key for s in samples]
        drawn = [below(len(s.captions), self.seed, row, 0, CAPTION) for s, row in zip(samples, rows, strict=True)]
        captions = [s.captions[j] for s, j in zip(samples, drawn, strict=True)]
        text = valid = None
        if self.negatives is not None:
            others = [[c for i, c in enumerate(s.captions) if i != j] for s, j in zip(samples, drawn, strict=True)]
            made = self.negatives(captions, seed=self.seed, visit=epoch, ids=[s.key for s in samples], avoid=others,
                                  samples=samples)
            text, valid = same_tokens_cleared(self.tokenizer, self.context, captions, made.text, made.valid)
        if self.augment is None:
            pixels = np.stack(pictures)
        else:
            pixels = images.augment(pictures, self.size, seed=self.seed, rows=rows, **self.augment)
        group = np.array([s.group for s in samples], np.int64)
        return Batch(step, epoch, pixels, captions, group, text, valid, len(self.unreadable),
                     np.array(rows, np.uint64))

    def read(self, start: int) -> tuple[list, list]:
        """The first readable samples of the order from start on, a batch of them, and what `decode` made of each."""
        samples: list = []
        pictures: list = []
        following = iter(self.order[start:] + self.order[:start])
        while len(samples) < self.batch:
            wanted = [i for i, _ in zip(following, range(self.batch - len(samples)), strict=False)]
            if not wanted:
                break
            for found in self.decoders.map(self.decode, wanted):
                if found is not None:
                    samples.append(found[0])
                    pictures.append(found[1])
        if not samples:
            raise ValueError(f"none of the {len(self.data)} images can be read; "
                             "the log names each with its reason, check the image folder")
        return samples, pictures

    def decode(self, index: int) -> tuple[Any, Any] | None:
        """A sample and its picture, or its pixels if they aren't augmented; None where the picture can't be read."""
        if index in self.unreadable:
            return None
        sample = self.data[index]
        if index in self.kept:
            return sample, self.kept[index]
        try:
            picture: Any = images.decode(sample.image)
            if self.augment is None:
                picture = self.preprocess([picture])[0]
            if self.keep:
                self.kept[index] = picture
            return sample, picture
        except (OSError, ValueError) as error:
            self.unreadable.add(index)
            log.warning("image %s left out: %s", sample.name or index, error)
            return None


def same_tokens_cleared(tokenizer: Any, context: int, captions: list[str], text: list[list[str]],
                        valid: np.ndarray) -> tuple[list[list[str]], np.ndarray]:
    """Clear each negative whose token ids equal its caption's, as after truncation; the caption takes its place."""
    text, valid = [list(row) for row in text], np.array(valid, np.uint8)
    flat = [string for caption, row in zip(captions, text, strict=True) for string in (caption, *row)]
    ids, offsets = tokenizer.pack(flat, context=context)
    tokens = [ids[a:b].tobytes() for a, b in zip(offsets[:-1], offsets[1:], strict=True)]
    width = 1 + valid.shape[1]
    for i, row in enumerate(text):
        own = tokens[i * width]
        for k in range(len(row)):
            if tokens[i * width + 1 + k] == own:
                row[k], valid[i, k] = captions[i], 0
    return text, valid


def ahead(make: Callable[[int], Any], start: int, stop: int, depth: int = 2) -> Generator[Any, None, None]:
    """make(start), ..., make(stop - 1) in this order, each computed on a background thread up to depth rounds early.

    An error of make is raised where its result is due. Closing the iterator stops the thread.

    Examples
    --------
    >>> list(ahead(lambda step: step * step, 0, 4))
    [0, 1, 4, 9]
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="vlmneg-batches")
    try:
        waiting = deque(pool.submit(make, step) for step in range(start, min(start + depth, stop)))
        for step in range(start, stop):
            result = waiting.popleft().result()
            if step + depth < stop:
                waiting.append(pool.submit(make, step + depth))
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
