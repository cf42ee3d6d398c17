"""COCO's captions JSON with a folder of pictures."""

import json
import os

from vlmneg.data.objects import Objects
from vlmneg.data.sample import Sample, checked, inside, read_text


def coco(captions, images, instances=None):
    """Photographs with all their captions, from a COCO captions file.

    Parameters
    ----------
    captions : path
        JSON with `images` (id, file_name) and `annotations` (image_id, caption).
    images : path
        Folder of the pictures. Pictures that it lacks, captions without text or without an entry in `images`, and
        pictures left without a caption are skipped and counted in `skipped`.
    instances : path, optional
        JSON with `images` (id, height, width), `annotations` (image_id, category_id, segmentation, bbox, iscrowd) and
        `categories` (id, name, supercategory): gives each sample its `objects`. An object without a usable outline is
        its box; one without either is skipped and counted.

    Returns
    -------
    Dataset
        One `Sample` a picture, in the order of `images`, with its captions in the order of the file.

    Raises
    ------
    ValueError
        If the file is not such a JSON, names a picture outside the folder, or nothing is left.
    FileNotFoundError
        If the file or the folder does not exist.

    References
    ----------
    Chen et al., Microsoft COCO Captions. arXiv 1504.00325. Lin et al., Microsoft COCO. arXiv 1405.0312.
    """
    if not os.path.isdir(images):
        raise FileNotFoundError(f"the folder of pictures does not exist: {images}")
    pictures, annotations = _read(captions)
    skipped = {"missing image": 0, "empty caption": 0, "caption of an unknown image": 0, "image without caption": 0}
    texts = {}
    for entry in pictures:
        if entry["id"] in texts:
            raise ValueError(f"{captions} has two images with id {entry['id']!r}")
        texts[entry["id"]] = []
    for entry in annotations:
        text = entry["caption"]
        if entry["image_id"] not in texts:
            skipped["caption of an unknown image"] += 1
        elif not isinstance(text, str) or not text.strip():
            skipped["empty caption"] += 1
        else:
            texts[entry["image_id"]].append(text)
    objects = {} if instances is None else _objects(instances, texts, skipped)
    samples = []
    for entry in pictures:
        name, own = entry["file_name"], tuple(texts[entry["id"]])
        path = inside(images, name, captions)
        if not own:
            skipped["image without caption"] += 1
        elif not os.path.isfile(path):
            skipped["missing image"] += 1
        else:
            samples.append(Sample(path, own, key=len(samples), name=name, group=len(samples),
                                  objects=objects.get(entry["id"], ())))
    return checked(samples, skipped, captions)


def _read(path):
    content = _content(path)
    images = _entries(path, content, "images", id=(int, str), file_name=str)
    return images, _entries(path, content, "annotations", image_id=(int, str), caption=object)


def _objects(path, wanted, skipped):
    """Objects of the wanted pictures by their id."""
    content = _content(path)
    categories = {c["id"]: (c["name"], c.get("supercategory", ""))
                  for c in _entries(path, content, "categories", id=(int, str), name=str)}
    sizes = {e["id"]: (e["height"], e["width"]) for e in
             _entries(path, content, "images", id=(int, str), height=int, width=int) if e["id"] in wanted}
    found = {picture: [] for picture in sizes}
    skipped["object without a shape"] = 0
    for entry in _entries(path, content, "annotations", image_id=(int, str), category_id=(int, str)):
        if entry["category_id"] not in categories:
            raise ValueError(f"{path} has an object of category {entry['category_id']!r}, which is not in categories")
        if entry["image_id"] in found:
            found[entry["image_id"]].append(entry)
    return {picture: _checked(entries, categories, sizes[picture], skipped) for picture, entries in found.items()}


def _checked(entries, categories, size, skipped):
    good = [(entry, shape) for entry in entries for shape in [_shape(entry, size)] if shape is not None]
    skipped["object without a shape"] += len(entries) - len(good)
    named = [categories[entry["category_id"]] for entry, _ in good]
    return Objects([name for name, _ in named], [shape for _, shape in good], size,
                   groups=[group for _, group in named], crowd=[entry.get("iscrowd", 0) for entry, _ in good])


def _shape(entry, size):
    """The outline of an object, or its box where it has none."""
    for shape in (entry.get("segmentation"), entry.get("bbox")):
        try:
            Objects(["object"], [shape], size)
        except (TypeError, ValueError):
            continue
        if len(shape):
            return shape
    return None


def _content(path):
    try:
        content = json.loads(read_text(path))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} must be a JSON object with images and annotations, got a {type(content).__name__}")
    return content


def _entries(path, content, key, **fields):
    entries = content.get(key)
    if not isinstance(entries, list):
        raise ValueError(f"{path} has no list of {key}; it has {', '.join(map(repr, content)) or 'nothing'}")
    for n, entry in enumerate(entries):
        for field, kind in fields.items():
            if not isinstance(entry, dict) or field not in entry or not isinstance(entry[field], kind):
                raise ValueError(f"{path}: {key}[{n}] has no usable {field!r}: {repr(entry)[:200]}")
    return entries
