"""Twin of csrc/losses/intra.c."""

import numpy as np

from vlmneg.reference.losses.own import chosen, mean
from vlmneg.reference.losses.rows import log_softmax


def intra(rows, *, modality="image", positive="self", scale=0.0, factor=1.0, duplicates="mask", validity="mask"):
    """A row's choice among something right and its own negatives of its modality.

    Images may be set against negatives made by shift, v + factor (t- - t), whose captions are constants: then
    x.x- = 1 + factor (v.t- - v.t).

    References
    ----------
    arXiv:2306.08832, section 3.2; arXiv:2505.15576.
    """
    side = "text" if modality == "text" else "image"
    wrong = (side, "neg_text") if modality == "shifted" else (side, f"neg_{modality}")
    s = scale or rows.scale
    c, a = rows.own(*wrong), rows.own("image", "text")
    z = s * (1 + factor * (c - a)) if modality == "shifted" else s * c
    live, weight = rows.own_live(*wrong, duplicates, validity), rows.valid(wrong[1], validity).any(1)
    right, z0, s0, held = positives(rows, side, positive, s, validity)
    loss, gradient, back = np.zeros(rows.count, c.dtype), np.zeros_like(c), np.zeros_like(z0)
    if positive == "none":
        log = log_softmax(z, live, 1)
        loss = np.where(live.any(1), np.where(live, z - log, -np.inf).max(1, initial=-np.inf), 0)
        gradient = np.exp(log)
    else:
        weight = weight & held.any(1)
    for p in range(z0.shape[1]):  # each of several is right in turn
        one, g = chosen(np.concatenate([z0[:, p : p + 1], z], 1), np.arange(1 + z.shape[1])[None] < 1,
                        np.concatenate([np.ones((rows.count, 1), bool), live], 1), np.zeros(rows.count, int))
        share = (held[:, p] / np.maximum(held.sum(1), 1)).astype(c.dtype)
        loss = loss + share * one
        back[:, p], gradient = share * g[:, 0], gradient + share[:, None] * g[:, 1:]
    loss, gradient, back = mean(weight, loss, gradient, back)
    learned = (back * z0).sum() * (not scale or positive == "cross") + (gradient * z).sum() * (not scale)
    cells = {wrong: s * gradient}
    if modality == "shifted":
        cells = {(*wrong, "left"): s * factor * gradient,
                 ("image", "text", "left"): -s * factor * gradient.sum(1, keepdims=True)}
    if right is not None:
        cells[right] = s0 * back
    return loss, cells, float(learned), 0.0


def positives(rows, side, positive, s, validity):
    """What is right: sets, logits (B, P), their scale, which of them there are (B, P)."""
    one = np.ones((rows.count, 1), bool)
    if positive == "cross":
        return ("image", "text"), rows.scale * rows.own("image", "text"), rows.scale, one
    if positive in ("teacher", "paraphrase"):
        right = (side, f"teacher_{side}" if positive == "teacher" else f"pos_{side}")
        return right, s * rows.own(*right), s, rows.valid(right[1], validity)
    held = one[:, : int(positive == "self")]
    return None, s * held.astype(rows.x[side].dtype), s, held
