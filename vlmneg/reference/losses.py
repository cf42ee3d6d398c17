"""Twin of csrc/losses and csrc/tiles: objectives in float64, with gradients, every matrix written out."""

import numpy as np


def true_captions(keys, group, text_key, groups):
    """Whether caption c is true for image i: its group is i's, or its key is that of a caption of i's group.

    Parameters
    ----------
    keys : ndarray of shape (C,) or None
        Keys of the captions.
    group : ndarray of shape (B,)
    text_key : ndarray of shape (B,) or None
    groups : ndarray of shape (C,) or None
        Groups of the captions; None for negatives, which have none.

    Returns
    -------
    ndarray of shape (B, C), bool
    """
    count = len(keys if keys is not None else groups)
    found = np.zeros((len(group), count), bool)
    for i in range(len(group)):
        if groups is not None:
            found[i] |= groups == group[i]
        if keys is not None and text_key is not None:
            found[i] |= np.isin(keys, text_key[group == group[i]])
    return found


def log_softmax(z, live, axis):
    """Over the live cells of an axis; -inf elsewhere."""
    z = np.where(live, z, -np.inf)
    top = z.max(axis, keepdims=True)
    return z - top - np.log(np.exp(z - top).sum(axis, keepdims=True))


def itc(image, text, neg_text, valid, group, text_key, neg_key, scale, *, negatives="shared", image_to_text=0.5,
        text_to_image=0.5, duplicates="mask"):
    """Symmetric InfoNCE with negative captions as further candidates of an image.

    Parameters
    ----------
    image, text : ndarray of shape (B, E)
    neg_text : ndarray of shape (B, K, E)
    valid : ndarray of shape (B, K), bool
    group : ndarray of shape (B,)
    text_key, neg_key : ndarray of shape (B,), (B, K), or None
    scale : float

    Returns
    -------
    loss, dimage, dtext, dneg_text, dlog_scale

    References
    ----------
    arXiv:2103.00020, arXiv:2210.01936.
    """
    b, k, e = neg_text.shape
    flat = np.where(valid.reshape(-1, 1), neg_text.reshape(b * k, e), 0.0)
    a, c = image @ text.T, image @ flat.T
    pair = np.eye(b, dtype=bool)
    twin = true_captions(text_key, group, text_key, group) & ~pair
    seen = np.broadcast_to(valid.reshape(-1), (b, b * k)) & (negatives != "none")
    if negatives == "own":
        seen = seen & np.repeat(pair, k, 1)
    if duplicates != "off" and neg_key is not None:
        seen = seen & ~true_captions(neg_key.reshape(-1), group, text_key, None)
    live = ~twin if duplicates == "mask" else np.ones_like(pair)
    y = (pair | twin if duplicates == "soft" else pair).astype(image.dtype)
    rows, cols = y / y.sum(1, keepdims=True), y / y.sum(0, keepdims=True)

    row = log_softmax(scale * np.hstack([a, c]), np.hstack([live, seen]), 1)
    col = log_softmax(scale * a, live, 0)
    pick = rows > 0
    loss = -(image_to_text * (rows * np.where(pick, row[:, :b], 0)).sum()
             + text_to_image * (cols * np.where(pick, col, 0)).sum()) / b
    ga = (image_to_text * (np.exp(row[:, :b]) - rows) + text_to_image * (np.exp(col) - cols)) / b
    gc = image_to_text * np.exp(row[:, b:]) / b
    dneg = scale * (gc.T @ image)
    return (loss, scale * (ga @ text + gc @ flat), scale * (ga.T @ image), dneg.reshape(b, k, e),
            scale * float((ga * a).sum() + (gc * c).sum()))


TERMS = {"itc": itc}


def objective(terms, *, image, text, neg_text=None, valid=None, rows=None, group=None, text_key=None, neg_key=None,
              scale=100.0, dtype=np.float64):
    """A weighted sum of terms.

    Parameters
    ----------
    terms : sequence of (name, weight, dict of parameters)
    image, text : ndarray of shape (B, E)
    neg_text, valid, rows, group, text_key, neg_key
        As `vlmneg.losses.Objective.on` takes them.
    dtype : float64, or float32 to learn what that precision costs

    Returns
    -------
    dict
        loss, terms (list), dimage, dtext, dneg_text, dlog_scale, accuracy, rows.
    """
    total, e = image.shape
    neg_text = np.zeros((total, 0, e)) if neg_text is None else neg_text
    valid = np.ones(neg_text.shape[:2], bool) if valid is None else np.asarray(valid, bool)
    live = np.arange(total) if rows is None else np.flatnonzero(rows)
    group = np.arange(total) if group is None else group
    v, t, m = image[live].astype(dtype), text[live].astype(dtype), valid[live]
    n = np.where(m[..., None], neg_text[live], 0.0).astype(dtype)
    out = {"loss": 0.0, "terms": [], "dimage": np.zeros(image.shape), "dtext": np.zeros(text.shape),
           "dneg_text": np.zeros(neg_text.shape), "dlog_scale": 0.0, "rows": len(live)}
    for name, weight, params in terms if len(live) else []:
        loss, dv, dt, dn, dlog = TERMS[name](
            v, t, n, m, group[live], None if text_key is None else text_key[live],
            None if neg_key is None else neg_key[live], dtype(scale), **params)
        out["terms"].append(loss)
        out["loss"] += weight * loss
        out["dlog_scale"] += weight * dlog
        for key, value in zip(("dimage", "dtext", "dneg_text"), (dv, dt, dn), strict=True):
            out[key][live] += weight * value
    below = np.einsum("be,bke->bk", v, n) < np.einsum("be,be->b", v, t)[:, None]
    out["accuracy"] = below[m].mean() if m.any() else None
    return out
