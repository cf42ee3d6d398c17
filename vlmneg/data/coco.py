"""COCO's captions JSON with a folder of pictures."""

import json
import os

from vlmneg.data.sample import Sample, checked, inside, read_text


def coco(captions, images):
    """Photographs with all their captions, from a COCO captions file.

    Parameters
    ----------
    captions : path
        JSON with `images` (id, file_name) and `annotations` (image_id, caption).
    images : path
        Folder of the pictures. Pictures that it lacks, captions without text or without an entry in `images`, and
        pictures left without a caption are skipped and counted in `skipped`.

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
    Chen et al., Microsoft COCO Captions. arXiv 1504.00325.
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
    samples = []
    for entry in pictures:
        name, own = entry["file_name"], tuple(texts[entry["id"]])
        path = inside(images, name, captions)
        if not own:
            skipped["image without caption"] += 1
        elif not os.path.isfile(path):
            skipped["missing image"] += 1
        else:
            samples.append(Sample(path, own, key=len(samples), name=name, group=len(samples)))
    return checked(samples, skipped, captions)


def _read(path):
    try:
        content = json.loads(read_text(path))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} must be a JSON object with images and annotations, got a {type(content).__name__}")
    images = _entries(path, content, "images", id=(int, str), file_name=str)
    return images, _entries(path, content, "annotations", image_id=(int, str), caption=object)


def _entries(path, content, key, **fields):
    entries = content.get(key)
    if not isinstance(entries, list):
        raise ValueError(f"{path} has no list of {key}; it has {', '.join(map(repr, content)) or 'nothing'}")
    for n, entry in enumerate(entries):
        for field, kind in fields.items():
            if not isinstance(entry, dict) or field not in entry or not isinstance(entry[field], kind):
                raise ValueError(f"{path}: {key}[{n}] has no usable {field!r}: {repr(entry)[:200]}")
    return entries
