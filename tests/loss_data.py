"""Batches with every set that a term can read, for the tests of objectives."""

import numpy as np

SETS = ("image", "text", "neg_text", "neg_image", "pos_text", "pos_image", "teacher_image", "teacher_text")
MASKS = {"neg_text": "valid", "neg_image": "neg_image_valid", "pos_text": "pos_text_valid",
         "pos_image": "pos_image_valid"}


def every_set(b, k, e=16, seed=0, plain=False):
    """Rows near one direction, as CLIP's are; NaN where nothing may be read; groups and keys with repeats.

    Parameters
    ----------
    b, k, e : int
        Samples, slots of each side, width.
    plain : bool
        Every slot valid, every caption of its own picture alone.
    """
    rng = np.random.default_rng([b, k, e, seed])
    near = rng.standard_normal(e)
    data = {}
    for name in SETS:
        shape = (b, k, e) if name in MASKS else (b, e)
        x = rng.standard_normal(shape) + 0.7 * near
        data[name] = (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)
        if name in MASKS and not plain:
            valid = (rng.random((b, k)) < 0.7).astype(np.uint8)
            data[MASKS[name]] = valid
            data[name][valid == 0] = np.nan
    if not plain:
        keys = max(2, b)
        data |= {"group": rng.integers(0, keys, b), "text_key": rng.integers(0, keys, b),
                 "neg_key": rng.integers(0, 2 * keys, (b, k))}
    return data


def wide(data):
    """The same in float64, of length 1 to its last digit."""
    return {key: x / np.linalg.norm(x.astype(float), axis=-1, keepdims=True) if x.dtype.kind == "f" else x
            for key, x in data.items()}


def filled(data, seed=9):
    """The same with rows in the slots that hold nothing, for terms that read them all the same."""
    rng, out = np.random.default_rng(seed), dict(data)
    for name in MASKS:
        bad = np.isnan(data[name])
        x = np.where(bad, rng.standard_normal(data[name].shape), data[name])
        x /= np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)
        out[name] = x.astype(data[name].dtype)
    return out
