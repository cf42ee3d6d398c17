"""InpaintCOCO: photographs with one concept painted over by people, both with captions."""

import functools
import os
from typing import Any, NamedTuple

import numpy as np

from vlmneg import images
from vlmneg.data.rows import Rows
from vlmneg.data.sample import Dataset, Sample, Variant, read_text

TEXTS = ("concept", "coco_caption", "inpaint_caption")
PICTURES = ("coco_image", "inpaint_image", "mask")


class Quadruple(NamedTuple):
    """A photograph and what became of it, each with its caption; mask (H, W), bool, is where it was painted over."""

    concept: str
    coco_image: Any
    coco_caption: str
    inpaint_image: Any
    inpaint_caption: str
    mask: np.ndarray


class InpaintCOCO(Dataset):
    """Two samples a row: 2 i is the photograph, 2 i + 1 what became of it; pictures are read when asked for."""

    def __init__(self, rows, chosen, texts, skipped):
        self.rows, self.chosen, self.texts, self.skipped = rows, chosen, texts, skipped

    def __len__(self):
        return 2 * len(self.chosen)

    @property
    def concepts(self):
        """Concept of each quadruple.

        Returns
        -------
        list of str
        """
        return [self.texts[i]["concept"] for i in self.chosen]

    def captions(self):
        """All captions in order.

        Returns
        -------
        list of str
        """
        return [self.texts[i][name] for i in self.chosen for name in TEXTS[1:]]

    def sample(self, i):
        """One sample.

        Parameters
        ----------
        i : int in [0, len)

        Returns
        -------
        Sample
            Its one negative is the other's caption, of the concept's kind.
        """
        row, painted = self.chosen[i // 2], i % 2
        text = self.texts[row]
        own, other = text[TEXTS[1 + painted]], text[TEXTS[2 - painted]]
        name = PICTURES[painted]
        picture = self._picture(row, name)
        variant = Variant(text["concept"], other, functools.partial(self._picture, row, PICTURES[1 - painted]))
        return Sample(picture, (own,), i, f"{row}/{name}", i, ((text["concept"], other),), variants=(variant,))

    def quadruple(self, i):
        """A row as Winoground has it, with its mask.

        Parameters
        ----------
        i : int in [0, len // 2)

        Returns
        -------
        Quadruple
        """
        if not -len(self.chosen) <= i < len(self.chosen):
            raise IndexError(f"quadruple {i} of {len(self.chosen)}")
        row = self.chosen[i]
        coco, painted, mask = (images.decode(self._picture(row, name)).convert("RGB") for name in PICTURES)
        if not coco.size == painted.size == mask.size:
            raise ValueError(f"row {row}: photograph, painted picture and mask must be of one size, got {coco.size}, "
                             f"{painted.size} and {mask.size}")
        text = self.texts[row]
        return Quadruple(text["concept"], coco, text["coco_caption"], painted, text["inpaint_caption"],
                         np.asarray(mask)[..., 0] > 127)

    def _picture(self, row, name):
        return self.rows.picture(self.rows[row].get(name), f"{name} of row {row}")


def inpaintcoco(source, exclude=()):
    """InpaintCOCO's rows as samples and as quadruples.

    Parameters
    ----------
    source : path or sequence of mappings
        A folder with the parquet files (read by pyarrow), or with one .jsonl file whose pictures are paths below it; or
        rows as Hugging Face's data sets give.
    exclude : sequence of int, or path
        Numbers of rows to leave out; a file holds one a line.

    Returns
    -------
    InpaintCOCO
        Rows without an `inpaint_caption` are skipped and counted in `skipped`, as are those left out.

    Raises
    ------
    ValueError
        If columns are missing or not text, files are damaged, or nothing is left.
    ImportError
        If parquet files are to be read without pyarrow.

    References
    ----------
    Roesch et al., Enhancing conceptual understanding in multimodal contrastive learning through hard negative samples.
    ALVR 2024, arXiv:2403.02875.

    Examples
    --------
    >>> import numpy as np
    >>> grey, mask = np.full((512, 512, 3), 99, np.uint8), np.zeros((512, 512, 3), np.uint8)
    >>> row = {"concept": "color", "coco_caption": "a red car", "inpaint_caption": "a blue car", "coco_image": grey,
    ...        "inpaint_image": grey, "mask": mask}
    >>> data = inpaintcoco([row, {**row, "inpaint_caption": ""}])
    >>> data, data[1].captions, data[1].negatives, data.quadruple(0).mask.shape
    (<2 samples; skipped: 1 empty inpaint_caption>, ('a blue car',), (('color', 'a red car'),), (512, 512))
    """
    rows = Rows(source)
    out = _excluded(exclude, len(rows))
    texts = rows.columns(TEXTS)
    skipped, chosen = {"empty inpaint_caption": 0, "excluded": 0}, []
    for i, row in enumerate(texts):
        for name in TEXTS:
            value = row.get(name) or ""
            if name not in row or not isinstance(value, str):
                raise ValueError(f"{rows.name}: row {i} has no usable {name!r}; it has {', '.join(map(repr, row))}")
        if i in out:
            skipped["excluded"] += 1
        elif not (row["inpaint_caption"] or "").strip():
            skipped["empty inpaint_caption"] += 1
        elif not (row["coco_caption"] or "").strip():
            raise ValueError(f"{rows.name}: row {i} has an empty 'coco_caption'")
        else:
            chosen.append(i)
    if not chosen:
        raise ValueError(f"nothing in {rows.name} can be used: "
                         f"{', '.join(f'{n} {why}' for why, n in skipped.items() if n) or 'it is empty'}")
    return InpaintCOCO(rows, chosen, texts, skipped)


def _excluded(exclude, n):
    if isinstance(exclude, str | os.PathLike):
        exclude = read_text(exclude).split()
    try:
        numbers = {int(x) for x in exclude}
    except (TypeError, ValueError):
        raise ValueError("exclude must be numbers of rows, or a file with one a line") from None
    strange = sorted(x for x in numbers if not 0 <= x < n)
    if strange:
        raise ValueError(f"exclude names row {strange[0]} of {n}")
    return numbers
