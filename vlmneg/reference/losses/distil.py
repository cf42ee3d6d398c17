"""Twin of csrc/losses/distil.c."""

import numpy as np

from vlmneg.reference.losses.rows import log_softmax


def distil(rows, *, image_to_text=0.5, text_to_image=0.5, teacher_scale=0.0, duplicates="mask", validity="mask"):
    """KL divergence of a frozen teacher's softmaxes over the batch from those of the rows, both directions.

    References
    ----------
    arXiv:1503.02531.
    """
    c, teacher = rows.block("image", "text"), rows.block("teacher_image", "teacher_text")
    live = rows.live("image", "text", duplicates, validity)
    loss, g = 0.0, np.zeros_like(c)
    for weight, axis in ((image_to_text, 1), (text_to_image, 0)):
        want = log_softmax(c.dtype.type(teacher_scale or rows.scale) * teacher, live, axis)
        have = log_softmax(rows.scale * c, live, axis)
        loss += weight * (np.exp(want) * np.where(live, np.where(live, want, 0) - np.where(live, have, 0), 0)).sum()
        g += weight * (np.exp(have) - np.exp(want))
    n = c.dtype.type(max(rows.count, 1))
    g = rows.scale * g / n
    return loss / n, {("image", "text"): g}, (g * c).sum(), 0.0
