"""Twin of csrc/losses/triplet.c."""

from vlmneg.reference.losses.rank import hinge


def triplet(rows, *, margin=0.2, anchor="image", duplicates="mask", validity="mask"):
    """Hinge of own negatives with a fixed margin of cosines; the mean is over triplets.

    References
    ----------
    arXiv:1503.03832, equation 1, with cosines for distances.
    """
    valid = rows.valid("neg_text" if anchor == "image" else "neg_image", validity)
    loss, cells, _ = hinge(rows, anchor, margin, 1, int(valid.sum()), duplicates, validity)
    return loss, cells, 0.0, 0.0
