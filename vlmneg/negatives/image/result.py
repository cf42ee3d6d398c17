"""Edited pictures of a batch: what was made, whether it is valid, where it was changed, what is true of it."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from vlmneg.arrays import integer


class Quadruple(NamedTuple):
    """Two pictures and two captions: each caption is true of its own picture alone.

    Parameters
    ----------
    image_0, image_1 : ndarray of shape (H, W, 3), uint8
        The source and the edited picture.
    caption_0, caption_1 : str
        What is true of each.
    kind : str
        The edit.
    row : int
        The source's place in the batch.
    """

    image_0: np.ndarray
    caption_0: str
    image_1: np.ndarray
    caption_1: str
    kind: str
    row: int


@dataclass
class ImageResult:
    """Edited pictures of a batch.

    Parameters
    ----------
    image : list of N lists of K ndarray of shape (H, W, 3), uint8
        A slot that isn't valid holds the source itself.
    valid : ndarray of shape (N, K), uint8
        1 where the slot holds a negative.
    kind : list of N lists of K str
        The edit, such as "recolour"; the generator's name where nothing was made.
    reason : list of N lists of K str
        "" where valid, else the rule that failed last: EMPTY, SAME, REPEAT, AREA, PLACE.
    region : list of N lists of K ndarray of shape (H, W), uint8
        1 where the edit may have changed the picture; outside, it is the source bit for bit.
    edits : list of N lists of K dict
        What was done: numbers and names such as `object`, its place among the row's objects. Empty where not valid.
    caption : list of N lists of K (str or None)
        What is true of the edited picture and false of the source, where the objects are named and a caption of the
        source could be changed likewise; see `quadruples`.
    source : list of N lists of K (str or None)
        That caption of the source, which is false of the edited picture.
    images : list of N ndarray of shape (H, W, 3), uint8
        What the negatives were made from.
    captions : list of N str, optional
        Their captions, of each picture the first.
    """

    image: list
    valid: np.ndarray
    kind: list
    reason: list
    region: list = field(repr=False)
    edits: list
    caption: list
    source: list = field(repr=False)
    images: list = field(repr=False)
    captions: list | None = field(default=None, repr=False)

    def __len__(self):
        return len(self.images)

    def __repr__(self):
        n, k = self.valid.shape
        lines = [f"{n} pictures, {k} slots each, {int(self.valid.sum())} of {n * k} valid"]
        for i in range(min(n, 3)):
            height, width = self.images[i].shape[:2]
            lines.append(f"  {height} x {width}" + (f": {self.captions[i]}" if self.captions else ""))
            for j in range(k):
                says = f"({self.reason[i][j]})" if self.reason[i][j] else self.caption[i][j] or self.edits[i][j]
                lines.append(f"    {self.kind[i][j]}: {says}")
        return "\n".join(lines)

    def quadruples(self):
        """Pairs of pictures and captions of which each caption is true of its own picture alone.

        They have the form of Winoground. Slots that aren't valid or have no caption are left out.

        Returns
        -------
        list of Quadruple

        References
        ----------
        Thrush et al., Winoground: probing vision and language models for visio-linguistic compositionality. CVPR 2022,
        arXiv:2204.03162.

        Examples
        --------
        >>> import vlmneg as vn
        >>> scene = vn.data.scenes(10)[6]
        >>> made = vn.negatives.image.swap()([scene.image], objects=[scene.objects], captions=[scene.captions])
        >>> found = made.quadruples()[0]
        >>> found.kind, found.caption_0, found.caption_1
        ('swap', 'a blue square above a brown triangle', 'a blue square below a brown triangle')
        """
        return [Quadruple(self.images[i], old, self.image[i][k], new, self.kind[i][k], i)
                for i, row in enumerate(self.caption) for k, (new, old) in
                enumerate(zip(row, self.source[i], strict=True)) if new is not None]

    def _repr_html_(self):
        from vlmneg.negatives.image import sheet

        return sheet.html_of(self)

    def sheet(self, n=6, seed=0, *, side=224):
        """A contact sheet: each picture beside its variants, the edited region outlined.

        Parameters
        ----------
        n : int
            Pictures to show, or all if there are fewer; which ones is drawn by seed.
        seed : int
        side : int
            Of a picture on the sheet, in pixels.

        Returns
        -------
        PIL image

        Examples
        --------
        >>> import numpy as np
        >>> from vlmneg.negatives import image
        >>> image.grey()([np.full((9, 9, 3), (200, 0, 0), np.uint8)]).sheet(side=100).size
        (240, 140)
        """
        from vlmneg.negatives.image import sheet

        return sheet.contact_sheet(self, integer(n, "n", 1, 1000), integer(seed, "seed", 0, 2**64),
                                   integer(side, "side", 32, 2048))
