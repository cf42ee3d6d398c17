"""Retrieval: the rank of a picture's best caption among all captions, and of a caption's picture among all pictures.

An answer is right by ownership alone: the same words written for another picture are a wrong candidate with an equal
score, so ties are common and every figure is given with them and without.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from ..data import coco
from ..data.wrap import wrap
from . import Benchmark, Item, version


def read(annotations: Any, images: Any, data: Any) -> Benchmark:
    """Reads a captioned data set, one item a picture.

    Parameters
    ----------
    annotations, images : path
        COCO captions JSON and the folder of its pictures.
    data : data set, optional
        In place of both: a sequence of samples with ``image``, ``captions``, ``name`` and ``group``.

    Returns
    -------
    Benchmark

    Raises
    ------
    ValueError
        When neither or both are given, or the data set holds no caption.
    """
    if data is None and (annotations is None or images is None):
        raise ValueError("retrieval needs data=DATASET, or annotations=captions.json and images=FOLDER in COCO's form")
    if data is not None and (annotations is not None or images is not None):
        raise ValueError("retrieval takes data=DATASET or annotations= with images=, not both")
    if data is None:
        data = coco(annotations, images)
    data = wrap(data)
    groups: dict[Any, Item] = {}
    for n in range(len(data)):
        sample = data[n]
        own = tuple(sample.captions)
        old = groups.get(sample.group)
        if old is None:
            groups[sample.group] = Item("", str(sample.key), str(sample.name or sample.key), sample.image, own)
        else:
            more = tuple(c for c in own if c not in old.captions)
            groups[sample.group] = dataclasses.replace(old, captions=old.captions + more)
    items = list(groups.values())
    if not any(item.captions for item in items):
        raise ValueError("the data set holds no caption")
    lines = (["retrieval", i.key, i.name, *i.captions] for i in items)
    skipped = dict(getattr(data, "skipped", {}))
    return Benchmark("retrieval", "retrieval", items, skipped=skipped, version=version(lines))
