"""Batches for training: each a function of (seed, step) alone, prepared ahead of the step on a background thread."""

from __future__ import annotations

import itertools
import logging
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import images
from .composition import Composition, Plain, Taken, below, order
from .data.wrap import wrap
from .negatives.sides import sides

__all__ = ["Batch", "Batches", "ahead", "below", "order", "same_tokens_cleared"]
CAPTION = 6             # VN_STREAM_CAPTION of vn_philox.h
KEPT = 2**28            # bytes of pixels
EDITED = 32             # pictures edited at once, a bound on memory
VISIBLE, LEAST = 0.25, 0.001    # standard deviations: an edit counts where so large a share of the crop changes by more
log = logging.getLogger("vlmneg")


@dataclass(frozen=True)
class Batch:
    """What a step takes: pixels and a caption of B pictures, with K negative captions and M negative pictures each."""

    step: int                                   # from 0
    epoch: int
    pixels: np.ndarray                          # (B,3,S,S) float32
    captions: list[str]                         # B
    group: np.ndarray                           # (B,) int64, equal for samples of one picture
    negatives: list[list[str]] | None           # B lists of K
    valid: np.ndarray | None                    # (B,K) uint8
    skipped: int                                # unreadable images known so far
    rows: np.ndarray                            # (B,) uint64: visit * 2**32 + key, from which random numbers follow
    neg_pixels: np.ndarray | None = None        # (B,M,3,S,S) float32
    neg_image_valid: np.ndarray | None = None   # (B,M) uint8
    positives: list[list[str]] | None = None    # B lists, further true captions
    types: tuple[str, ...] | None = None        # names of the K slots


class Batches:
    """Makes the batch of any step; what it gives depends on (seed, step) and the data alone.

    Which samples meet is the composition's. Slots of negatives: first those of pairs, then the others; slot k of a
    pair's captions is true of its picture k alone. A picture and its edits are cropped alike; an edit that the crop
    leaves nothing of isn't valid. Where the first pair's edit was said by another of the picture's captions, that is
    the batch's caption. Without augmentation the pixels of a data set that fits into a quarter of a gigabyte are kept.
    """

    def __init__(self, data: Any, *, batch: int, seed: int, size: int, preprocess: Callable, tokenizer: Any,
                 context: int, negatives: Any = None, positives: Any = None, augment: dict | None = None,
                 workers: int = 2, composition: Composition | None = None) -> None:
        self.composition = composition or Plain(wrap(data), batch, seed)
        self.data, self.seed, self.size = self.composition.data, seed, size
        self.batch, self.per_epoch = self.composition.n, self.composition.per_epoch
        self.preprocess, self.augment = preprocess, augment
        self.tokenizer, self.context, self.positives = tokenizer, context, positives
        self.negatives = sides(negatives)
        self.plain = not self.negatives.pictures        # pictures aren't edited
        self.warned = False
        self.unreadable: set[int] = set()
        self.kept: dict[int, np.ndarray] = {}
        self.keep = self.plain and augment is None and len(self.data) * 3 * size * size * 4 <= KEPT
        self.decoders = ThreadPoolExecutor(workers, thread_name_prefix="vlmneg-decode")

    def close(self) -> None:
        """Stop the decoding threads."""
        self.decoders.shutdown(wait=True, cancel_futures=True)

    def prepare(self, model: Any, folder: Path | None, going_on: bool, progress: bool) -> None:
        """What the composition needs of the model that training starts from; kept in the run's folder."""
        if hasattr(self.composition, "prepare"):
            self.composition.prepare(model, self.decoded, folder, going_on, progress)

    def __call__(self, step: int) -> Batch:
        epoch, place = divmod(step, self.per_epoch)
        taken = self.composition.fetch(epoch, place, self.decoded)
        if not taken:
            raise ValueError(f"none of the {len(self.data)} images can be read; "
                             "the log names each with its reason, check the image folder")
        rows = [t.visit << 32 | t.sample.key for t in taken]
        drawn = [below(len(t.captions), self.seed, row, 0, CAPTION) for t, row in zip(taken, rows, strict=True)]
        captions = [t.captions[j] for t, j in zip(taken, drawn, strict=True)]
        visits, keys = np.array([t.visit for t in taken]), np.array([t.sample.key for t in taken])
        neg_pixels = neg_image_valid = positives = None
        paired: tuple[list, np.ndarray] | None = None
        if self.plain:
            pixels = self.pixels([t.picture for t in taken], rows)
        else:
            pixels, neg_pixels, neg_image_valid, captions, paired = self.edited(taken, rows, captions)
        if self.positives is not None:
            positives = self.positives(captions, [t.captions for t in taken], seed=self.seed, visits=visits, ids=keys)
        text = valid = None
        if self.negatives.captions:
            text, valid = self.said(taken, captions, visits, keys, paired)
            if paired is not None and neg_image_valid is not None:
                neg_image_valid[:, : paired[1].shape[1]] &= valid[:, : paired[1].shape[1]]
        if neg_image_valid is not None and not neg_image_valid.any() and not self.warned:
            self.warned = True
            log.warning("no picture of step %d could be edited: edits of objects need to know them, as by "
                        "data.instances", step + 1)
        group = np.array([t.sample.group for t in taken], np.int64)
        return Batch(step, epoch, pixels, captions, group, text, valid, len(self.unreadable), np.array(rows, np.uint64),
                     neg_pixels, neg_image_valid, positives, self.negatives.types if text is not None else None)

    def said(self, taken: list[Taken], captions: list[str], visits: np.ndarray, keys: np.ndarray,
             paired: tuple[list, np.ndarray] | None) -> tuple[list[list[str]], np.ndarray]:
        """Negative captions and which are valid: those of pairs, then those made of the captions."""
        text: list[list[str]] = [[] for _ in captions]
        valid = np.zeros((len(captions), 0), np.uint8)
        others = [[c for c in t.captions if c != own] for t, own in zip(taken, captions, strict=True)]
        options = {"seed": self.seed, "visit": int(visits[0]) if (visits == visits[0]).all() else visits, "ids": keys,
                   "avoid": others, "samples": [t.sample for t in taken]}
        if paired is not None:
            text, valid = paired
            if self.negatives.pairs.text is not None:
                made = self.negatives.pairs.text(captions, **options)
                for i, k in np.argwhere(valid == 0):
                    text[i][k], valid[i, k] = made.text[i][k], made.valid[i, k]
        if self.negatives.text is not None:
            made = self.negatives.text(captions, **options)
            text = [a + list(b) for a, b in zip(text, made.text, strict=True)]
            valid = np.concatenate([valid, made.valid], 1)
        return same_tokens_cleared(self.tokenizer, self.context, captions, text, valid)

    def edited(self, taken: list[Taken], rows: list[int], captions: list[str]) -> tuple[Any, ...]:
        """Pixels, negative pixels, which are valid, the captions, and those of pairs with which are valid.

        A pair is valid in both or in neither.
        """
        pixels, negative, valid = [], [], []
        said: tuple[list, list] = ([], [])
        captions, parts = list(captions), [p for p in (self.negatives.pairs, self.negatives.images) if p is not None]
        for start in range(0, len(taken), EDITED):
            chunk = taken[start : start + EDITED]
            true = [[own, *(c for c in t.captions if c != own)]
                    for t, own in zip(chunk, captions[start : start + EDITED], strict=True)]
            results = [self.edits(part, taken, start, chunk, true) for part in parts]
            shown = []
            for source, *edits in zip(results[0].images, *(r.image for r in results), strict=True):
                shown += [source, *itertools.chain.from_iterable(edits)]
            wide = len(shown) // len(chunk)
            made = self.pixels(shown, np.repeat(rows[start : start + EDITED], wide).tolist())
            made = made.reshape(len(chunk), wide, *made.shape[1:])
            visible = (np.abs(made[:, 1:] - made[:, :1]) > VISIBLE).any(2).mean((2, 3)) >= LEAST
            pixels.append(made[:, 0])
            negative.append(made[:, 1:])
            valid.append(np.concatenate([r.valid for r in results], 1) & visible)
            if self.negatives.pairs is not None:
                said[0].extend(results[0].caption)
                said[1].extend(results[0].source)
        good, paired = np.concatenate(valid), None
        if self.negatives.pairs is not None:
            k = self.negatives.pairs.k
            for i, j in reversed(np.argwhere(good[:, :k]).tolist()):        # the first one stays
                captions[i] = said[1][i][j]
            text = [[c if ok else own for c, ok in zip(*row, strict=True)]
                    for own, *row in zip(captions, said[0], good[:, :k].tolist(), strict=True)]
            paired = text, good[:, :k].copy()
        return np.concatenate(pixels), np.concatenate(negative), good, captions, paired

    def edits(self, part: Any, taken: list[Taken], start: int, chunk: list[Taken], true: list[list[str]]) -> Any:
        """Variants of some of a batch's pictures; what is pasted comes from the next picture of the batch."""
        others = [taken[(start + i + 1) % len(taken)] for i in range(len(chunk))]
        return part([t.picture for t in chunk], seed=self.seed, visit=np.array([t.visit for t in chunk]),
                    ids=[t.sample.key for t in chunk], captions=true, samples=[t.sample for t in chunk],
                    objects=[fitting(t) for t in chunk],
                    others=[(t.picture, fitting(t)) for t in others] if pastes(part) else None)

    def pixels(self, pictures: list, rows: list[int]) -> np.ndarray:
        """Cropped and normalised pictures (N,3,S,S); equal rows give equal crops."""
        if self.augment is not None:
            return images.augment(pictures, self.size, seed=self.seed, rows=rows, **self.augment)
        return np.stack(pictures) if self.plain else self.preprocess(pictures)

    def decoded(self, wanted: Iterable[int]) -> list[tuple[Any, Any] | None]:
        """What `decode` makes of some rows, on all decoding threads."""
        return list(self.decoders.map(self.decode, wanted))

    def decode(self, index: int) -> tuple[Any, Any] | None:
        """A sample and its picture, or its pixels if they are ready then; None where the picture can't be read."""
        if index in self.unreadable:
            return None
        sample = self.data[index]
        if index in self.kept:
            return sample, self.kept[index]
        try:
            picture: Any = images.decode(sample.image)
            if self.plain and self.augment is None:
                picture = self.preprocess([picture])[0]
            if self.keep:
                self.kept[index] = picture
            return sample, picture
        except (OSError, ValueError) as error:
            self.unreadable.add(index)
            log.warning("image %s left out: %s", sample.name or index, error)
            return None


def fitting(taken: Taken) -> Any:
    """A picture's objects, or None where there are none or they describe a picture of another size."""
    objects = getattr(taken.sample, "objects", None) or None
    return objects if getattr(objects, "size", None) == taken.picture.size[::-1] else None


def pastes(part: Any) -> bool:
    """Whether an edit may want a second picture: pasting ones do, and those written in Python may."""
    inner = [q for p in part.parts for q in (p, *p.parameters.get("parts", ()))]
    return any(p.name in ("background", "paste", "replace") or hasattr(p, "edit") for p in inner)


def same_tokens_cleared(tokenizer: Any, context: int, captions: list[str], text: list[list[str]],
                        valid: np.ndarray) -> tuple[list[list[str]], np.ndarray]:
    """Clear each negative with the token ids of its caption or of one before, as after truncation.

    The caption takes its place.
    """
    text, valid = [list(row) for row in text], np.array(valid, np.uint8)
    flat = [string for caption, row in zip(captions, text, strict=True) for string in (caption, *row)]
    ids, offsets = tokenizer.pack(flat, context=context)
    tokens = [ids[a:b].tobytes() for a, b in zip(offsets[:-1], offsets[1:], strict=True)]
    width = 1 + valid.shape[1]
    for i, row in enumerate(text):
        seen = {tokens[i * width]}
        for k in range(len(row)):
            same = tokens[i * width + 1 + k] in seen
            if same:
                row[k], valid[i, k] = captions[i], 0
            elif valid[i, k]:
                seen.add(tokens[i * width + 1 + k])
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
