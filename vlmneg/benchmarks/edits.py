"""Edits: does a picture prefer its own caption to that caption after an edit?

Edited captions that come with the data, as those of drawn scenes, are taken; to others they are made here, always the
same: an exchange of words, an object, colour, size, place or number for another, and an object that is added. Nobody
looked whether a made one is false of the picture, so a few are true.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from .. import _core
from ..data.coco import coco
from ..data.sample import Dataset, Sample
from ..data.wrap import wrap
from ..negatives import text
from . import Benchmark, Item, version

MADE = {"swap": text.swap(k=1), **{f"replace_{concept}": text.replace(k=1, concept=concept)
                                   for concept in ("object", "color", "size", "location", "number")},
        "add_object": text.add(k=1, kinds="object")}


def read(annotations: Any, images: Any, data: Any) -> Benchmark:
    """Reads the first caption of each picture and its edits, one item an edit.

    Parameters
    ----------
    annotations, images : path
        COCO captions JSON and the folder of its pictures.
    data : data set, optional
        In place of both: a sequence of samples with ``image``, ``captions``, ``name``, ``key`` and ``negatives``.

    Returns
    -------
    Benchmark

    Raises
    ------
    ValueError
        When neither or both are given, or no caption can be edited.
    """
    if (data is None) == (annotations is None or images is None) or (data is not None and annotations is not None):
        raise ValueError("edits needs data=DATASET, or annotations=captions.json and images=FOLDER in COCO's form")
    data = edited(coco(annotations, images) if data is None else data)
    items = [Item(kind, str(sample.key), str(sample.name or sample.key), sample.image, (sample.captions[0], caption))
             for sample in data for kind, caption in sample.negatives]
    if not items:
        raise ValueError("none of the captions can be edited")
    kinds = list(dict.fromkeys([*MADE, *_core.scene_edits(), *(item.subset for item in items)]))
    items.sort(key=lambda item: kinds.index(item.subset))
    lines = ([f"edits/{i.subset}", i.key, i.name, *i.captions] for i in items)
    return Benchmark("edits", "choice", items, skipped=dict(data.skipped), version=version(lines))


def edited(data: Any) -> Dataset:
    """The data with edited captions: those of the samples, or made ones where no sample has any.

    Parameters
    ----------
    data : data set

    Returns
    -------
    Dataset

    Examples
    --------
    >>> sample = edited([("dogs.jpg", "a black dog and two white cats")])[0]
    >>> dict(sample.negatives)["replace_number"]
    'a black dog and five white cats'
    """
    data = wrap(data)
    samples = list(data)
    if not samples or any(sample.negatives for sample in samples):
        return Dataset(samples, data.skipped)
    captions, found = [sample.captions[0] for sample in samples], [dict[str, str]() for _ in samples]
    for name, make in MADE.items():
        made = make(captions, seed=0, samples=samples)
        for own, caption, valid in zip(found, made.text, made.valid, strict=True):
            if valid[0]:
                own[name] = caption[0]
    return Dataset([_with(sample, own) for sample, own in zip(samples, found, strict=True)], data.skipped)


def _with(sample: Sample, negatives: dict[str, str]) -> Sample:
    return dataclasses.replace(sample, negatives=tuple(negatives.items()))
