"""Twin of csrc/losses/mirror.c."""

import numpy as np

from vlmneg.reference.losses.itc import direction


def mirror(rows, *, duplicates="mask", validity="mask"):
    """Symmetric InfoNCE of negative images with their captions, the negative captions of the same slots; true captions
    are further candidates of a negative image. Only slots that hold both take part, whatever validity says.

    References
    ----------
    arXiv:2411.02545 (TripletCLIP).
    """
    k = min(rows.per("neg_text"), rows.per("neg_image"))
    both = rows.valid("neg_text")[:, :k] & rows.valid("neg_image")[:, :k]
    held = {name: np.pad(both, ((0, 0), (0, rows.per(name) - k))).reshape(-1) for name in ("neg_text", "neg_image")}
    live = held["neg_image"][:, None] & held["neg_text"]
    pair = live & rows.same_slot("neg_image", "neg_text")
    seen = np.repeat(held["neg_image"][:, None], rows.count, 1)
    if duplicates != "off":
        live = live & ~rows.twins("neg_image", "neg_text") | pair
        seen = seen & ~rows.twins("neg_image", "text")
    r, c = rows.block("neg_image", "neg_text"), rows.block("neg_image", "text")
    n = max(int(both.sum()), 1)
    loss, gr, gc = direction(rows.scale, r, live, pair, c, seen)
    none = np.zeros((r.shape[1], 0), c.dtype)
    loss_back, gr_back, _ = direction(rows.scale, r.T, live.T, pair.T, none, none > 0)
    gr, gc = (gr + gr_back.T) / (2 * n), gc / (2 * n)
    return ((loss + loss_back) / (2 * n), {("neg_image", "neg_text"): gr, ("neg_image", "text"): gc},
            (gr * r).sum() + (gc * c).sum(), 0.0)
