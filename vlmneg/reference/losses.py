"""Twin of csrc/losses and csrc/tiles: objectives in float64, with gradients, every matrix written out."""

import numpy as np

from vlmneg.reference.embed_negatives import Made, makers_of


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


class Rows:
    """A batch: unit rows, which negatives are valid, which captions are true for which images.

    Parameters
    ----------
    image, text : ndarray of shape (B, E)
    neg_text, neg_image : ndarray of shape (B, K, E), (B, M, E)
    valid, image_valid : ndarray of shape (B, K), (B, M), bool
    twin : ndarray of shape (B, B), bool
        Caption j is true for image i, j != i.
    neg_true, image_true : ndarray of shape (B, B, K), (B, B, M), bool
        A negative caption is true for image i; a negative image is said to show what caption i says.
    """

    def __init__(self, **fields):
        self.__dict__.update(fields)


def itc(rows, scale, *, negatives="shared", image_to_text=0.5, text_to_image=0.5, images="none", duplicates="mask"):
    """Symmetric InfoNCE with negative captions as further candidates of an image, negative images of a caption.

    Parameters
    ----------
    rows : Rows
    scale : float

    Returns
    -------
    loss : float
    gradients : dict of ndarray by set
    dlog_scale : float

    References
    ----------
    arXiv:2103.00020, arXiv:2210.01936.
    """
    b = len(rows.image)
    flat, flat_image = (x.reshape(-1, x.shape[2]) for x in (rows.neg_text, rows.neg_image))
    a, c, u = rows.image @ rows.text.T, rows.image @ flat.T, rows.text @ flat_image.T
    pair = np.eye(b, dtype=bool)

    def seen(how, valid, true):
        k = valid.shape[1]
        found = np.broadcast_to(valid.reshape(-1), (b, b * k)) & (how != "none")
        found = found & np.repeat(pair, k, 1) if how == "own" else found
        return found & ~true.reshape(b, b * k) if duplicates != "off" else found

    live = ~rows.twin if duplicates == "mask" else np.ones_like(pair)
    y = (pair | rows.twin if duplicates == "soft" else pair).astype(rows.image.dtype)
    share_row, share_col = y / y.sum(1, keepdims=True), y / y.sum(0, keepdims=True)

    row = log_softmax(scale * np.hstack([a, c]), np.hstack([live, seen(negatives, rows.valid, rows.neg_true)]), 1)
    col = log_softmax(scale * np.hstack([a.T, u]),
                      np.hstack([live.T, seen(images, rows.image_valid, rows.image_true)]), 1)
    back = col[:, :b].T
    pick = share_row > 0
    loss = -(image_to_text * (share_row * np.where(pick, row[:, :b], 0)).sum()
             + text_to_image * (share_col * np.where(pick, back, 0)).sum()) / b
    ga = (image_to_text * (np.exp(row[:, :b]) - share_row) + text_to_image * (np.exp(back) - share_col)) / b
    gc, gu = image_to_text * np.exp(row[:, b:]) / b, text_to_image * np.exp(col[:, b:]) / b
    return loss, {
        "image": scale * (ga @ rows.text + gc @ flat),
        "text": scale * (ga.T @ rows.image + gu @ flat_image),
        "neg_text": scale * (gc.T @ rows.image).reshape(rows.neg_text.shape),
        "neg_image": scale * (gu.T @ rows.text).reshape(rows.neg_image.shape),
    }, scale * float((ga * a).sum() + (gc * c).sum() + (gu * u).sum())


def choose(x, positive, negatives, valid, true, scale, duplicates):
    """Softmax over one positive cosine and a sample's own negatives; the mean is over samples that have one.

    Parameters
    ----------
    x : ndarray of shape (B, E)
        The anchors.
    positive : ndarray of shape (B,)
        Their cosines with what is right.
    negatives : ndarray of shape (B, K, E)
    valid, true : ndarray of shape (B, K), bool

    Returns
    -------
    loss, dpositive (B,), dcosines (B, K), dlog_scale
    """
    c = np.einsum("be,bke->bk", x, negatives)
    live = valid & ~true if duplicates != "off" else valid
    n = max(int(valid.any(1).sum()), 1)
    z = scale * np.concatenate([positive[:, None], c], 1)
    log = log_softmax(z, np.concatenate([np.ones_like(live[:, :0], shape=(len(x), 1)), live], 1), 1)
    p = np.exp(log)
    p[:, 0] -= 1
    return -log[:, 0].sum() / n, scale * p[:, 0] / n, scale * p[:, 1:] / n, float((p * z).sum() / n)


def diagonal(true):
    """(B, B, K) -> (B, K): what holds of a sample's own."""
    return np.einsum("bbk->bk", true)


def own(rows, scale, *, anchor="image", duplicates="mask"):
    """(1+K)-way choice of an image among its captions, or of a caption among its images."""
    other = {"image": "text", "text": "image"}[anchor]
    negatives, valid, true = ((rows.neg_text, rows.valid, rows.neg_true) if anchor == "image" else
                              (rows.neg_image, rows.image_valid, rows.image_true))
    x, y = getattr(rows, anchor), getattr(rows, other)
    loss, dp, dc, dlog = choose(x, (x * y).sum(1), negatives, valid, diagonal(true), scale, duplicates)
    return loss, {anchor: dp[:, None] * y + np.einsum("bk,bke->be", dc, negatives), other: dp[:, None] * x,
                  f"neg_{other}": dc[:, :, None] * x[:, None]}, dlog


def intra(rows, scale, *, modality="image", duplicates="mask"):
    """A row's choice among itself, with cosine 1, and its own negatives of its modality."""
    negatives, valid, true = ((rows.neg_text, rows.valid, rows.neg_true) if modality == "text" else
                              (rows.neg_image, rows.image_valid, rows.image_true))
    x = getattr(rows, modality)
    loss, _, dc, dlog = choose(x, np.ones(len(x), x.dtype), negatives, valid, diagonal(true), scale, duplicates)
    return loss, {modality: np.einsum("bk,bke->be", dc, negatives),
                  f"neg_{modality}": dc[:, :, None] * x[:, None]}, dlog


TERMS = {"itc": itc, "own": own, "intra": intra}
SETS = ("image", "text", "neg_text", "neg_image")


def objective(terms, *, image, text, neg_text=None, valid=None, neg_image=None, neg_image_valid=None, rows=None,
              group=None, text_key=None, neg_key=None, made=(), made_seed=0, made_rows=None, scale=100.0,
              dtype=np.float64):
    """A weighted sum of terms.

    Parameters
    ----------
    terms : sequence of (name, weight, dict of parameters)
    image, text : ndarray of shape (B, E)
    neg_text, valid, neg_image, neg_image_valid, rows, group, text_key, neg_key, made_seed, made_rows
        As `vlmneg.losses.Objective.on` takes them.
    made : sequence of (name, side, k or None, dict of parameters)
    dtype : float64, or float32 to learn what that precision costs

    Returns
    -------
    dict
        loss, terms (list), dimage, dtext, dneg_text, dneg_image, dlog_scale, accuracy, rows.
    """
    total, e = image.shape
    live = np.arange(total) if rows is None else np.flatnonzero(rows)
    given = {"image": image, "text": text}
    masks = {}
    for name, x, mask in (("neg_text", neg_text, valid), ("neg_image", neg_image, neg_image_valid)):
        given[name] = np.zeros((total, 0, e)) if x is None else x
        masks[name] = (np.ones(given[name].shape[:2], bool) if mask is None else np.asarray(mask, bool))[live]
    x = {"image": image[live].astype(dtype), "text": text[live].astype(dtype)}
    for name in masks:
        x[name] = np.where(masks[name][..., None], given[name][live], 0.0).astype(dtype)
    group = np.arange(total) if group is None else group
    group, text_key, neg_key = (None if key is None else key[live] for key in (group, text_key, neg_key))
    batch = make_rows(x, masks, group, text_key, neg_key, made, made_seed,
                      np.arange(total)[live] if made_rows is None else np.asarray(made_rows)[live])

    out = {"loss": 0.0, "terms": [], "dlog_scale": 0.0, "rows": len(live)}
    grads = {name: np.zeros(getattr(batch, name).shape, dtype) for name in SETS}
    for name, weight, params in terms if len(live) else []:
        loss, d, dlog = TERMS[name](batch, dtype(scale), **params)
        out["terms"].append(loss)
        out["loss"] += weight * loss
        out["dlog_scale"] += weight * dlog
        for key, value in d.items():
            grads[key] += weight * value
    k, m = x["neg_text"].shape[1], x["neg_image"].shape[1]
    drows = np.zeros_like(batch.made.rows)
    drows[:, batch.of_text], drows[:, batch.of_image] = grads["neg_text"][:, k:], grads["neg_image"][:, m:]
    back = batch.made.backward(drows)
    grads = {**grads, "neg_text": grads["neg_text"][:, :k], "neg_image": grads["neg_image"][:, :m]}
    for name in SETS:
        out[f"d{name}"] = np.zeros(given[name].shape)
        out[f"d{name}"][live] += grads[name] + back.get(name, 0.0)
    below = np.einsum("be,bke->bk", x["image"], x["neg_text"]) < np.einsum("be,be->b", x["image"], x["text"])[:, None]
    held = masks["neg_text"]
    out["accuracy"] = below[held].mean() if held.any() else None
    return out


def make_rows(x, masks, group, text_key, neg_key, made, seed, numbers):
    """The batch with its made negatives behind the given ones."""
    b, k = x["neg_text"].shape[:2]
    true = true_captions(text_key, group, text_key, group)
    neg_true = np.zeros((b, b, k), bool)
    if neg_key is not None and b:
        neg_true = true_captions(neg_key.reshape(-1), group, text_key, None).reshape(b, b, k)
    makers = makers_of(made, k)
    rows = Made(makers, x["image"], x["text"], x["neg_text"], masks["neg_text"], seed, numbers, true | true.T)
    of_text = [m for m, (_, side, *_) in enumerate(makers) if side == "text"]
    of_image = [m for m, (_, side, *_) in enumerate(makers) if side == "image"]
    image_true = np.zeros((b, b, x["neg_image"].shape[1]), bool)
    says = np.zeros((b, b, len(of_image)), bool)
    for column, m in enumerate(of_image):
        if makers[m][0] == "shift" and text_key is not None and neg_key is not None and makers[m][2] < k:
            says[:, :, column] = text_key[:, None] == neg_key[:, makers[m][2]]
    return Rows(
        image=x["image"], text=x["text"], twin=true & ~np.eye(b, dtype=bool), made=rows, of_text=of_text,
        of_image=of_image, neg_text=np.concatenate([x["neg_text"], rows.rows[:, of_text]], 1),
        neg_image=np.concatenate([x["neg_image"], rows.rows[:, of_image]], 1),
        valid=np.concatenate([masks["neg_text"], rows.valid[:, of_text]], 1),
        image_valid=np.concatenate([masks["neg_image"], rows.valid[:, of_image]], 1),
        neg_true=np.concatenate([neg_true, np.zeros((b, b, len(of_text)), bool)], 2),
        image_true=np.concatenate([image_true, says], 2))
