"""Twin of csrc/losses/align.c."""

import numpy as np

from vlmneg.reference.losses.own import mean

BETWEEN = {"text_teacher": ("text",), "image_teacher": ("image",), "both_teacher": ("image", "text")}


def align(rows, *, between="text_teacher", reduce="mean", duplicates="mask", validity="mask"):
    """Squared distance, 2 - 2 cosine, of unit rows: to a frozen teacher's, or to those of further true ones.

    References
    ----------
    arXiv:2005.10242, equation 1; arXiv:2504.16801.
    """
    if between in BETWEEN:
        pairs = [(name, f"teacher_{name}") for name in BETWEEN[between]]
    else:
        name = between.removesuffix("_pos")
        pairs = [(name, f"pos_{name}")]
    loss, cells, weight = np.zeros(rows.count, rows.x["text"].dtype), {}, np.ones(rows.count, bool)
    for pair in pairs:
        held = rows.valid(pair[1], validity)
        share = held / np.maximum(held.sum(1, keepdims=True), 1).astype(loss.dtype)
        loss = loss + (share * (2 - 2 * rows.own(*pair))).sum(1)
        cells[pair], weight = -2 * share, weight & held.any(1)
    total, *gradients = mean(weight, loss, *cells.values())
    many = max(int(weight.sum()), 1) if reduce == "sum" else 1
    return many * total, {pair: many * g for pair, g in zip(cells, gradients, strict=True)}, 0.0, 0.0
