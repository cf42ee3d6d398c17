"""GNM-CLIP's data: annotation files of generated variations, and its test set."""

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vlmneg import images as pictures
from vlmneg.data.coco import coco
from vlmneg.data.rows import Rows
from vlmneg.data.sample import Dataset, Sample, Variant, checked, inside, read_text
from vlmneg.negatives.rules import key as says

MODES = ("item", "image", "all")
TEXTS = ("origin_name", "name", "item", "short", "save")


class Gnm(Dataset):
    """Variations as samples, and the photographs that they were made from.

    Parameters
    ----------
    samples : list of Sample
    skipped : dict of str to int
    records : list of dict
        One a sample, as in the file.
    photos : Dataset
    compat : None or "released"
    """

    def __init__(self, samples, skipped, records, photos, compat):
        super().__init__(samples, skipped)
        self.records, self.photos, self.compat = records, photos, compat

    def groups(self, mode="item"):
        """What `vlmneg.gnm.GroupSampler` draws from.

        Parameters
        ----------
        mode : "item", "image" or "all"
            Variations of one item of a photograph; of one photograph, then never two of the same item (as released:
            the same as "item"); or each by itself.

        Returns
        -------
        dict of key to list of (row, mean match score, part)
        """
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
        found = {}
        for row, record in enumerate(self.records):
            item, part = (record["origin_name"], record["item"]), row
            if mode == "image" and self.compat is None:
                item, part = record["origin_name"], record["item"]
            found.setdefault(row if mode == "all" else item, []).append((row, _mean(record), part))
        return found

    def captions_beside(self, photo, rows):
        """Captions of a photograph that are false of these variations: those that mention all that was changed in it.

        Parameters
        ----------
        photo : int
            Of `photos`.
        rows : list of int
            Variations in the same batch.

        Returns
        -------
        tuple of str
            All of its captions where it has no variation among them, or as released.
        """
        sample = self.photos[photo]
        if self.compat is not None:
            return sample.captions
        changed = [f" {says(self.records[i]['item'])} " for i in rows
                   if self.records[i]["origin_name"] == sample.name]
        return tuple(c for c in sample.captions if all(item in f" {says(c)} " for item in changed))

    def pairs(self, batch):
        """Pictures and captions of a batch, variations first, each with the caption that the batch draws.

        Parameters
        ----------
        batch : vlmneg.gnm.Batch

        Returns
        -------
        list of (image, caption)
        """
        samples = [self[i] for i in batch.variations] + [self.photos[i] for i in batch.photos]
        words = [*batch.variation_words, *batch.photo_words]
        return [(s.image, s.captions[int(w) * len(s.captions) >> 32]) for s, w in zip(samples, words, strict=True)]

    def duplicates(self, batch):
        """Which captions of a batch's `pairs` may be true of which of its other pictures.

        Parameters
        ----------
        batch : vlmneg.gnm.Batch
            Of n pairs.

        Returns
        -------
        ndarray of shape (n, n), uint8
            1 at (i, j), i != j, where caption j may be true of picture i: the same picture twice, and a variation's
            picture with a caption of its photograph that does not mention the changed item.
        """
        rows = [self.records[i] for i in batch.variations]
        origin = np.array([r["origin_name"] for r in rows] + [self.photos[i].name for i in batch.photos])
        captions, v = [f" {says(caption)} " for _, caption in self.pairs(batch)], len(rows)
        same = np.zeros((len(origin), len(origin)), np.uint8)
        for i, j in np.argwhere(origin[:, None] == origin):
            if i < v <= j:
                same[i, j] = f" {says(rows[i]['item'])} " not in captions[j]
            elif i != j and (i < v) == (j < v):
                same[i, j] = i >= v or rows[i]["save"] == rows[j]["save"]
        return same


def gnm(annotations, images, photographs=None, compat=None, min_itm=0.0, min_area=14.0, captions=None):
    """Variations of photographs, from an annotation file as GNM's authors released it or as `vlmneg.gnm.run` writes it.

    Parameters
    ----------
    annotations : path
        JSON: a list of records, or a mapping of names to them; or JSON lines. Match scores may be called `itm_score` or
        `v_score`.
    images : path
        Folder below which the pictures are, as each record's `save` says.
    photographs : path, optional
        Folder of the photographs, by `origin_name`. Where records have `origin_save`, a copy below `images` that went
        through the variations' encoder, that is used. With `captions` it is `images` by default.
    compat : None or "released"
        Released: only captions of variations are cleaned, and image groups are item groups.
    min_itm, min_area : float
        Variations need a mean match score and a variation area, in percent, above these.
    captions : path, optional
        COCO's captions of photographs: then `photos` are all of these, those without a variation too.

    Returns
    -------
    Gnm
        One `Sample` a variation; its negatives are the captions of its siblings. What is left out is counted in
        `skipped`.

    Raises
    ------
    ValueError
        If the file is not that, names a picture outside the folder, or nothing is left.

    References
    ----------
    Sahin et al., Enhancing multimodal compositional reasoning of visual language models with generative negative
    mining. WACV 2024.
    """
    if compat not in (None, "released"):
        raise ValueError(f"compat must be None or 'released', got {compat!r}")
    from vlmneg.gnm.rewriting import clean

    for folder in (images, photographs):
        if folder is not None and not os.path.isdir(folder):
            raise FileNotFoundError(f"the folder of pictures does not exist: {folder}")
    skipped = {"low match score": 0, "low variation area": 0, "missing image": 0, "without caption": 0}
    if compat is None:
        skipped["caption true of the photograph"] = 0
    kept = []
    for number, entry in enumerate(_entries(annotations)):
        record = _checked_record(entry, f"{annotations}: record {number}")
        path = inside(images, record["save"], annotations)
        written = [c for c in record["captions"] if c.strip()]
        if written and compat is None:
            true = {says(clean(c)) for c in record["original_captions"]}
            record["captions"] = [c for c in written if says(clean(c)) not in true]
            if not record["captions"]:
                skipped["caption true of the photograph"] += 1
                continue
        if not written:
            skipped["without caption"] += 1
        elif not _mean(record) > min_itm:
            skipped["low match score"] += 1
        elif not record["iva_score"] > min_area:
            skipped["low variation area"] += 1
        elif not os.path.isfile(path):
            skipped["missing image"] += 1
        else:
            kept.append((record, path))
    siblings = {}
    for record, path in kept:
        siblings.setdefault((record["origin_name"], record["item"]), []).append((record, path))
    samples = [_sample(i, record, path, siblings, clean) for i, (record, path) in enumerate(kept)]
    photos = _photos(kept, images, photographs, compat, annotations, clean) if captions is None else \
        _described(coco(captions, images if photographs is None else photographs), kept, images, compat, clean)
    return Gnm(checked(samples, skipped, annotations).samples, skipped, [r for r, _ in kept], photos, compat)


def _described(data, kept, images, compat, clean):
    """COCO's photographs, their captions cleaned and their pictures encoded as those of variations are."""
    if compat:
        return data
    copies = {r["origin_name"]: inside(images, r["origin_save"], r["name"]) for r, _ in kept if r.get("origin_save")}
    copies = {name: path for name, path in copies.items() if os.path.isfile(path)}
    cleaned = ((s, tuple(filter(str.strip, map(clean, s.captions)))) for s in data)
    return Dataset([dataclasses.replace(s, image=copies.get(s.name, s.image), captions=captions)
                    for s, captions in cleaned if captions], data.skipped)


def _sample(i, record, path, siblings, clean):
    captions = tuple(clean(c) for c in record["captions"] if c.strip())
    own = {says(c) for c in captions}
    false, variants = {}, []
    for other, place in siblings[record["origin_name"], record["item"]]:
        if other is not record:
            theirs = {says(c): clean(c) for c in other["captions"] if c.strip() and says(c) not in own}
            false.update(theirs)
            variants += [Variant("variation", c, place) for c in list(theirs.values())[:1]]
    return Sample(path, captions, i, record["name"], i, tuple(("variation", c) for c in false.values()),
                  variants=tuple(variants))


def _photos(kept, images, photographs, compat, source, clean):
    samples, skipped, seen = [], {"missing photograph": 0}, set()
    for record, _ in kept:
        name = record["origin_name"]
        captions = tuple(c if compat else clean(c) for c in record["original_captions"] if c.strip())
        if name in seen or not captions:
            continue
        seen.add(name)
        path = None
        if record.get("origin_save"):
            path = inside(images, record["origin_save"], source)
        elif photographs is not None:
            path = inside(photographs, name, source)
        if path is None or not os.path.isfile(path):
            skipped["missing photograph"] += 1
        else:
            samples.append(Sample(path, captions, len(samples), name, len(samples)))
    return Dataset(samples, skipped)


def _entries(path):
    text = read_text(path)
    try:
        content = json.loads(text)
    except RecursionError:
        raise ValueError(f"{path} is not JSON: nested too deep") from None
    except json.JSONDecodeError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or not lines[0].strip().endswith("}"):
            raise ValueError(f"{path} is not JSON: {error}") from None
        return Rows(path).rows if Path(path).suffix == ".jsonl" else _lines(path, lines)
    if isinstance(content, Mapping):
        content = [content] if "save" in content else list(content.values())
    if not isinstance(content, list):
        raise ValueError(f"{path} must be a list of records, got a {type(content).__name__}")
    return content


def _lines(path, lines):
    try:
        return [json.loads(line) for line in lines]
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from None


def _checked_record(entry, place):
    """A copy with both names of the scores made one, and lists where one value stood."""
    if not isinstance(entry, Mapping):
        raise ValueError(f"{place} must be a mapping, got a {type(entry).__name__}")
    record = dict(entry)
    record["itm_score"] = record.get("itm_score", record.pop("v_score", None))
    record.setdefault("original_captions", [])
    for name in ("captions", "original_captions", "itm_score"):
        if isinstance(record.get(name), str | int | float):
            record[name] = [record[name]]
    texts = all(isinstance(record.get(n), str) for n in TEXTS)
    lists = all(isinstance(record.get(n), list) and all(isinstance(c, str) for c in record[n])
                for n in ("captions", "original_captions"))
    scores = record["itm_score"]
    numbers = [record.get("iva_score"), *(scores if isinstance(scores, list) and scores else [None])]
    if not (texts and lists and all(isinstance(x, int | float) and np.isfinite(x) for x in numbers)):
        raise ValueError(f"{place} needs {', '.join(TEXTS)}, captions, itm_score or v_score, and iva_score: "
                         f"{repr(entry)[:200]}")
    return record


def _mean(record):
    return float(np.mean(record["itm_score"]))


class GnmTest(Dataset):
    """Pictures and captions of the test set; `sets` holds the (start, stop) of the rows of each sample of m pairs.

    Parameters
    ----------
    rows : Rows
    sizes : list of int
        m of each row.
    """

    def __init__(self, rows, sizes):
        self.rows, self.skipped = rows, {}
        ends = np.cumsum([0, *sizes]).tolist()
        self.sets = list(zip(ends[:-1], ends[1:], strict=True))
        self.place = [(r, i) for r, m in enumerate(sizes) for i in range(m)]

    def __len__(self):
        return len(self.place)

    def sample(self, i):
        """One pair; its negatives are the other captions of its set.

        Parameters
        ----------
        i : int in [0, len)

        Returns
        -------
        Sample
        """
        row, k = self.place[i]
        content, m = self.rows[row], self.sets[row][1] - self.sets[row][0]
        captions = [content.get(f"caption_{j}") for j in range(m)]
        if not all(isinstance(c, str) and c.strip() for c in captions):
            raise ValueError(f"{self.rows.name}: row {row} needs {m} captions, got {captions!r}")
        image = self.rows.picture(content.get(f"image_{k}"), f"image_{k} of row {row}")
        image = image if isinstance(image, str) else pictures.decode(image).convert("RGB")
        return Sample(image, (captions[k],), i, f"{row}/{k}", i,
                      tuple(("variation", c) for j, c in enumerate(captions) if j != k))


def gnm_test(source):
    """GNM's test set: samples of m pictures and m captions, one of each for each other.

    Parameters
    ----------
    source : path or sequence of mappings
        Rows with `num_sample`, `image_0`, `caption_0`, `image_1`, ...: as in `vlmneg.data.inpaintcoco`.

    Returns
    -------
    GnmTest

    Examples
    --------
    >>> import numpy as np
    >>> grey = np.full((8, 8, 3), 99, np.uint8)
    >>> row = {"num_sample": 2, "image_0": grey, "caption_0": "a cat", "image_1": grey, "caption_1": "a fox"}
    >>> data = gnm_test([row])
    >>> data.sets, data[1].captions, data[1].negatives
    ([(0, 2)], ('a fox',), (('variation', 'a cat'),))
    """
    rows = Rows(source)
    sizes = [row.get("num_sample") for row in rows.columns(["num_sample"])]
    for i, m in enumerate(sizes):
        if isinstance(m, bool) or not isinstance(m, int) or not 1 <= m <= 64:
            raise ValueError(f"{rows.name}: row {i} needs num_sample, a number from 1 on, got {m!r}")
    if not sizes:
        raise ValueError(f"nothing in {rows.name} can be used: it is empty")
    return GnmTest(rows, sizes)
