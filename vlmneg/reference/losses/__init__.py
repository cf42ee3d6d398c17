"""Twin of csrc/losses and csrc/tiles: objectives in float64, with gradients, every matrix written out.

A term is a function of `Rows` and its parameters that returns (loss, cells, dlog_scale, dbias). cells has dL/dcosine by
(row set, col set): (B n, B m) between all rows of two sets, or (B, m) inside each sample of its one row with its m.
With a third entry "left" the gradient stops at the columns. The key "score" has dL/dscore, (B, 1 + K).
"""

import numpy as np

from vlmneg.reference.losses.align import align
from vlmneg.reference.losses.column import column
from vlmneg.reference.losses.distil import distil
from vlmneg.reference.losses.focal import focal
from vlmneg.reference.losses.hinge import hinge
from vlmneg.reference.losses.intra import intra
from vlmneg.reference.losses.itc import itc
from vlmneg.reference.losses.local import local
from vlmneg.reference.losses.mil import mil
from vlmneg.reference.losses.mirror import mirror
from vlmneg.reference.losses.own import own
from vlmneg.reference.losses.pos import pos
from vlmneg.reference.losses.rank import rank
from vlmneg.reference.losses.rows import FROZEN, SETS, Rows, make_rows, true_captions
from vlmneg.reference.losses.sigmoid import sigmoid
from vlmneg.reference.losses.triplet import triplet
from vlmneg.reference.losses.uniform import uniform

__all__ = ["SETS", "TERMS", "Rows", "objective", "pull", "true_captions"]

TERMS = {f.__name__: f for f in (itc, own, intra, sigmoid, mil, hinge, distil, uniform, mirror, column, focal, rank,
                                 pos, align, triplet, local)}


def pull(rows, cells, weight, grads):
    """The chain rule: dX += G Y, dY += G^T X for every block of cells."""
    for key, g in cells.items():
        if key == "score":
            grads["score"] += weight * g
            continue
        left, right = rows.flat(key[0]), rows.flat(key[1])
        if g.shape != (len(left), len(right)):
            g = np.where(rows.inside(key[1]), np.tile(g, (1, rows.count)), 0)
        for name, d in ((key[0], g @ right), (key[1], g.T @ left))[: 1 if key[2:] == ("left",) else 2]:
            if name not in FROZEN:
                grads[name] += weight * d.reshape(rows.x[name].shape)


def objective(terms, *, image, text, neg_text=None, valid=None, neg_image=None, neg_image_valid=None, pos_text=None,
              pos_text_valid=None, pos_image=None, pos_image_valid=None, teacher_image=None, teacher_text=None,
              score=None, rows=None, group=None, text_key=None, neg_key=None, types=None, made=(), made_seed=0,
              made_rows=None, scale=100.0, bias=0.0, state=None, dtype=np.float64):
    """A weighted sum of terms.

    Parameters
    ----------
    terms : sequence of (name, weight, dict of parameters)
    image, text : ndarray of shape (B, E)
    neg_text, valid, neg_image, neg_image_valid, pos_text, pos_text_valid, pos_image, pos_image_valid, teacher_image,
    teacher_text, rows, group, text_key, neg_key, types, made_seed, made_rows
        As `vlmneg.losses.Objective.on` takes them.
    score : ndarray of shape (B, 1 + K)
        Given logits.
    made : sequence of (name, side, k or None, dict of parameters)
    state : sequence, one a term
        What each term remembers; default None each.
    dtype : float64, or float32 to learn what that precision costs

    Returns
    -------
    dict
        loss, terms (list), d and the name of each set, dscore, dlog_scale, dbias, accuracy, rows.
    """
    total, e = image.shape
    live = np.arange(total) if rows is None else np.flatnonzero(rows)
    given = {"image": image[:, None], "text": text[:, None]}
    masks = {}
    for name, x, mask in (("neg_text", neg_text, valid), ("neg_image", neg_image, neg_image_valid),
                          ("pos_text", pos_text, pos_text_valid), ("pos_image", pos_image, pos_image_valid),
                          ("teacher_image", teacher_image, None), ("teacher_text", teacher_text, None)):
        x = None if x is None else x.reshape(total, -1, e) if x.ndim == 2 else x
        given[name] = np.zeros((total, 0, e)) if x is None else x
        masks[name] = None if mask is None else np.asarray(mask, bool)
    given = {name: given[name][live] for name in SETS}
    masks = {name: np.ones(x.shape[:2], bool) if masks.get(name) is None else masks[name][live]
             for name, x in given.items()}
    if all(name != "column" and params.get("validity") != "off" for name, _, params in terms):  # else all is read
        given = {name: np.where(masks[name][..., None], x, 0.0) for name, x in given.items()}
    group, text_key, neg_key = (None if key is None else np.asarray(key)[live] for key in (
        np.arange(total) if group is None else group, text_key, neg_key))
    batch, found, places = make_rows(
        given, masks, dtype, group=group, text_key=text_key, neg_key=neg_key, made=made, seed=made_seed,
        numbers=live if made_rows is None else np.asarray(made_rows)[live], scale=dtype(scale), bias=dtype(bias),
        score=None if score is None else score[live].astype(dtype), types=types)

    out = {"loss": 0.0, "terms": [], "dlog_scale": 0.0, "dbias": 0.0, "rows": len(live)}
    grads = {name: np.zeros(x.shape, dtype) for name, x in batch.x.items()}
    grads["score"] = np.zeros((len(live), 0) if score is None else batch.score.shape, dtype)
    for at, (name, weight, params) in enumerate(terms if len(live) else []):
        batch.state = None if state is None else state[at]
        loss, cells, dlog, dbias = TERMS[name](batch, **params)
        out["terms"].append(loss)
        out["loss"] += weight * loss
        out["dlog_scale"] += weight * dlog
        out["dbias"] += weight * dbias
        pull(batch, cells, weight, grads)
    scatter(out, grads, given, found, places, live, total)
    below = batch.own("image", "neg_text")[:, : given["neg_text"].shape[1]] < batch.own("image", "text")
    held = masks["neg_text"]
    out["accuracy"] = below[held].mean() if held.any() else None
    return out


def scatter(out, grads, given, made, places, live, total):
    """Gradients of live rows to those of all rows, through what was made."""
    drows = np.zeros_like(made.rows)
    for name, columns in places.items():
        k = given[name].shape[1]
        drows[:, columns], grads[name] = grads[name][:, k:], grads[name][:, :k]
    for name, d in made.backward(drows).items():
        grads[name] += d.reshape(grads[name].shape)
    for name, d in grads.items():
        if name not in FROZEN:
            one = name in ("image", "text")
            out[f"d{name}"] = np.zeros((total, *(d[:, 0] if one else d).shape[1:]))
            out[f"d{name}"][live] = d[:, 0] if one else d
