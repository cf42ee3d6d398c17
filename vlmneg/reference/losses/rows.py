"""Twin of csrc/tiles: a batch as terms see it, every cosine written out."""

import numpy as np

from vlmneg.reference.embed_negatives import Made, makers_of

SETS = ("image", "text", "neg_text", "neg_image", "pos_text", "pos_image", "teacher_image", "teacher_text")
FROZEN = ("teacher_image", "teacher_text")


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
    """Over the live cells of an axis; -inf elsewhere, and everywhere where none is live."""
    z = np.where(live, z, -np.inf)
    top = z.max(axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(live, z - top - np.log(np.exp(z - top).sum(axis, keepdims=True)), -np.inf)


class Rows:
    """A batch without its absent samples: unit rows, what each slot holds, which captions are true for which images.

    Parameters
    ----------
    x : dict of ndarray of shape (B, n, E) by set
        n slots a sample; 1 of images, captions and a teacher's rows.
    held : dict of ndarray of shape (B, n), bool
        Whether a slot is valid.
    made_from : dict of int
        The first slot that was made and not given: such a slot that is not held exists for no term.
    group, text_key, neg_key : ndarray of shape (B,), (B,), (B, K), or None
    made_key : ndarray of shape (B, M), or None
        Keys that captions of negative images would have; -1: unknown.
    scale, bias : float
    score : ndarray of shape (B, 1 + K), or None
        Given logits, slot 0 of the true caption.
    types : sequence of K str
        Names of the slots of negative captions.
    state : object
        What the term that is computed remembers.
    """

    def __init__(self, x, held, made_from, group, text_key, neg_key, made_key, scale, bias, score, types):
        self.x, self.held, self.made_from = x, held, made_from
        self.group, self.text_key, self.neg_key, self.made_key = group, text_key, neg_key, made_key
        self.scale, self.bias, self.score, self.types, self.state = scale, bias, score, types, None
        self.count = len(x["image"])

    def per(self, name):
        """Slots a sample."""
        return self.x[name].shape[1]

    def flat(self, name):
        """Rows of a set, (B n, E), sample by sample."""
        x = self.x[name]
        return x.reshape(-1, x.shape[2])

    def block(self, rows, cols):
        """Cosines of every row of a set with every row of another, (B n, B m)."""
        return self.flat(rows) @ self.flat(cols).T

    def own(self, rows, cols):
        """Cosines inside each sample of its one row with its n rows of another set, (B, n)."""
        return np.einsum("be,bne->bn", self.x[rows][:, 0], self.x[cols])

    def valid(self, name, validity="mask"):
        """Slots that take part, (B, n): those that hold something; with "off" all that were given."""
        given = np.arange(self.per(name)) < self.made_from.get(name, self.per(name))
        return self.held[name] | given if validity == "off" else self.held[name]

    def says(self, name):
        """Keys of the captions in a set's slots, or that its pictures would have, (B, n); -1: unknown."""
        keys = {"text": None if self.text_key is None else self.text_key[:, None],
                "neg_text": self.neg_key, "neg_image": self.made_key}.get(name)
        found = np.full((self.count, self.per(name)), -1)
        if keys is not None:
            found[:, : keys.shape[1]] = keys
        return found

    def twins(self, rows, cols):
        """Which cells are no pair, but not wrong either, (B n, B m).

        Of an image or a caption, and captions: those that are true for the sample's image. Of two images or two
        captions: samples one of whose captions is true for the other's image. Further captions and pictures: those of
        a sample of one's group. Negative images: those that show what the caption says; and their captions likewise.
        A slot that holds nothing is no twin.
        """
        return self.related(rows, cols) & self.held[cols].reshape(1, -1)

    def related(self, rows, cols):
        """The same by keys and groups alone."""
        b, n, m = self.count, self.per(rows), self.per(cols)
        of_samples = true_captions(self.text_key, self.group, self.text_key, self.group)
        if cols in ("image", "text") and rows in ("image", "text"):
            found = of_samples if rows != cols else of_samples | of_samples.T
            found = found.T if (rows, cols) == ("text", "image") else found
            return found & ~np.eye(b, dtype=bool)
        if cols in ("pos_text", "pos_image"):
            return np.repeat((self.group[:, None] == self.group) & ~np.eye(b, dtype=bool), m, 1)
        says = self.says(cols).reshape(-1)
        if rows == "neg_image":  # said to show what the negative caption of the same slot says
            mine = np.full((b, n), -1)
            mine[:, : self.per("neg_text")] = self.says("neg_text")[:, :n]
            pairs = self.same_slot(rows, cols) if cols == "neg_text" else False
            return (mine.reshape(-1, 1) == says) & (mine.reshape(-1, 1) != -1) & ~pairs
        if self.text_key is None:
            return np.zeros((b, b * m), bool)
        if cols == "neg_image":
            return (self.text_key[:, None] == says) & (says != -1)
        return true_captions(says, self.group, self.text_key, None) & (says != -1)

    def same_slot(self, rows, cols):
        """Whether two rows stand in the same slot of the same sample, (B n, B m)."""
        i, j = (np.divmod(np.arange(self.count * self.per(x)), max(self.per(x), 1)) for x in (rows, cols))
        return (i[0][:, None] == j[0]) & (i[1][:, None] == j[1])

    def own_twins(self, rows, cols):
        """The same of the cells inside each sample, (B, n)."""
        m = self.per(cols)
        return np.einsum("bbm->bm", self.twins(rows, cols).reshape(self.count, self.count, m))

    def live(self, rows, cols, duplicates="mask", validity="mask"):
        """Cells that reach a term, (B n, B m). With duplicates="soft" a twin that is a caption is a pair."""
        found = self.valid(rows, validity).reshape(-1, 1) & self.valid(cols, validity).reshape(1, -1)
        masks = duplicates == "mask" or (duplicates == "soft" and (rows, cols) != ("image", "text"))
        return found & ~self.twins(rows, cols) if masks else found

    def own_live(self, rows, cols, duplicates="mask", validity="mask"):
        """The same inside each sample, (B, n)."""
        found = self.valid(cols, validity)
        return found & ~self.own_twins(rows, cols) if duplicates != "off" else found

    def inside(self, cols):
        """Whether a row of a set belongs to sample i, (B, B n)."""
        return np.repeat(np.eye(self.count, dtype=bool), self.per(cols), 1)


def make_rows(given, masks, dtype, *, group, text_key, neg_key, made, seed, numbers, **others):
    """The batch with its made negatives behind the given ones, and where those lie.

    Parameters
    ----------
    given : dict of ndarray of shape (B, n, E) by set
    masks : dict of ndarray of shape (B, n), bool
    made : sequence of (name, side, k or None, dict of parameters)
    seed : int
    numbers : ndarray of shape (B,)

    Returns
    -------
    rows : Rows
    made : Made
    places : dict of list of int
        By set, which of the made slots stand behind its given ones.
    """
    b, k = given["neg_text"].shape[:2]
    true = true_captions(text_key, group, text_key, group)
    makers = makers_of(made, k)
    x = {name: rows.astype(dtype) for name, rows in given.items()}
    found = Made(makers, x["image"][:, 0], x["text"][:, 0], x["neg_text"], masks["neg_text"], seed, numbers,
                 true | true.T)
    places = {f"neg_{side}": [m for m, (_, s, *_) in enumerate(makers) if s == side] for side in ("text", "image")}
    keys = np.full((b, x["neg_image"].shape[1] + len(places["neg_image"])), -1)
    for column, m in enumerate(places["neg_image"]):
        if makers[m][0] == "shift" and text_key is not None and neg_key is not None and makers[m][2] < k:
            keys[:, x["neg_image"].shape[1] + column] = neg_key[:, makers[m][2]]
    made_from = {name: x[name].shape[1] for name in places}
    masks = dict(masks)
    for name, columns in places.items():
        x[name] = np.concatenate([x[name], found.rows[:, columns]], 1)
        masks[name] = np.concatenate([masks[name], found.valid[:, columns]], 1)
    return Rows(x, masks, made_from, group, text_key, neg_key, keys, **others), found, places
