"""Procedural captioned scenes: the embedded default, where every negative is exact."""

import functools

import numpy as np

from vlmneg import _core
from vlmneg.data.objects import Objects
from vlmneg.data.sample import Dataset, Sample, Variant


class Scenes(Dataset):
    """Pictures of one to three objects, drawn by the C core when they are asked for; see `scenes`.

    Attributes
    ----------
    kinds : tuple of str
        The kinds of edits: attribute_swap, object_swap, relation_swap, replacement, addition.
    skipped : dict
        Empty: nothing is ever left out.
    """

    def __init__(self, n, seed, size, first):
        self.n, self.seed, self.size, self.first = n, seed, size, first
        self.kinds = _core.scene_edits()
        self.skipped = {}

    def __len__(self):
        return self.n

    def __repr__(self):
        return f"Scenes({self.n}, seed={self.seed}, size={self.size}, first={self.first})"

    def sample(self, i):
        rows = self._rows([i])
        row = int(rows[0])
        picture, objects = self._drawn(i, -1)
        edits = ((kind, _core.scene_say(self.seed, rows, e)[0]) for e, kind in enumerate(self.kinds))
        variants = tuple(Variant(kind, text, functools.partial(self.negative_image, i, kind))
                         for kind, text in edits if text is not None)
        return Sample(image=picture, captions=tuple(_core.scene_say(self.seed, rows, -1)), key=i,
                      name=f"scene-{self.seed}-{row}", group=row, objects=objects,
                      negatives=tuple((v.kind, v.caption) for v in variants), variants=variants)

    def captions(self):
        """The caption of each scene.

        Returns
        -------
        list of str
        """
        return _core.scene_say(self.seed, self._rows(range(self.n)), -1)

    def batch(self, indices):
        """Pictures of many scenes, drawn on all threads.

        Parameters
        ----------
        indices : sequence of B int

        Returns
        -------
        ndarray of shape (B, size, size, 3), uint8

        Examples
        --------
        >>> import vlmneg as vn
        >>> vn.data.scenes(100).batch([0, 5, 7]).shape
        (3, 64, 64, 3)
        """
        return _core.scene_draw(self.seed, self._rows(indices), -1, self.size)[0]

    def negative_captions(self, kind, indices=None):
        """Captions after an edit: false of the scene's own picture.

        Parameters
        ----------
        kind : str
            One of `kinds`.
        indices : sequence of B int, optional
            All scenes if not given.

        Returns
        -------
        list of B str or None
            None where the scene has no such edit, such as a swap in a scene of one object.
        """
        return _core.scene_say(self.seed, self._rows(range(self.n) if indices is None else indices), self._edit(kind))

    def variations(self):
        """Each scene and its edits, as samples that are hard negatives of each other.

        Returns
        -------
        SceneVariations

        Examples
        --------
        >>> import vlmneg as vn
        >>> found = vn.data.scenes(2).variations()
        >>> [found[i].captions[0] for i in range(2)]
        ['a big brown house above a gray flag', 'a big gray house above a brown flag']
        """
        return SceneVariations(self)

    def negative_image(self, i, kind):
        """The picture of an edited scene, of which only the negative caption is true.

        Parameters
        ----------
        i : int
        kind : str
            One of `kinds`.

        Returns
        -------
        ndarray of shape (size, size, 3), uint8

        Raises
        ------
        ValueError
            If the scene has no such edit: it is not among the sample's negatives either.

        Examples
        --------
        >>> import vlmneg as vn
        >>> data = vn.data.scenes(10)
        >>> data[0].captions[0], dict(data[0].negatives)["relation_swap"]
        ('a big brown house above a gray flag', 'a big brown house below a gray flag')
        >>> data.negative_image(0, "relation_swap").shape
        (64, 64, 3)
        """
        image, _, made = _core.scene_draw(self.seed, self._rows([i]), self._edit(kind), self.size)
        if not made[0]:
            raise ValueError(f"scene {i} has no {kind}; it has {', '.join(k for k, _ in self[i].negatives)}")
        return image[0]

    def mask(self, i):
        """Which object each pixel shows.

        Parameters
        ----------
        i : int

        Returns
        -------
        ndarray of shape (size, size), uint8
            The object's number in `scene(i)`, from 1; 0 is the ground.
        """
        return _core.scene_draw(self.seed, self._rows([i]), -1, self.size)[1][0]

    def scene(self, i, kind=None):
        """What a scene holds, in words and numbers.

        Parameters
        ----------
        i : int
        kind : str, optional
            The scene after this edit.

        Returns
        -------
        list of dict, or None if the scene has no such edit
            For each object its shape, colour, size, group (objects of one phrase of the caption share it) and its box
            (left, top, right, bottom) in pixels.

        Examples
        --------
        >>> import vlmneg as vn
        >>> [(o["colour"], o["shape"]) for o in vn.data.scenes(1).scene(0)]
        [('brown', 'house'), ('gray', 'flag')]
        """
        row = int(self._rows([i])[0])
        objects = _core.scene_objects(self.seed, row, -1 if kind is None else self._edit(kind))
        return objects and [
            dict(shape=shape, colour=colour, size=size, group=group,
                 box=tuple(round(v * self.size, 2) for v in (x - r, y - r, x + r, y + r)))
            for shape, colour, size, group, x, y, r in objects]

    def _drawn(self, i, edit):
        """The picture after an edit, -1 for none, and its objects."""
        rows = self._rows([i])
        pictures, masks, _ = _core.scene_draw(self.seed, rows, edit, self.size)
        names = [shape for shape, *_ in _core.scene_objects(self.seed, int(rows[0]), edit)]
        return pictures[0], Objects(names, [masks[0] == m + 1 for m in range(len(names))], (self.size, self.size))

    def _edit(self, kind):
        if kind not in self.kinds:
            raise ValueError(f"kind must be one of {', '.join(self.kinds)}, got {kind!r}")
        return self.kinds.index(kind)

    def _rows(self, indices):
        return np.array([self.first + self._position(i) for i in indices], np.int64)


class SceneVariations(Dataset):
    """Scenes and their edits as `vlmneg.gnm.GroupSampler` groups them: a scene's are one group.

    Parameters
    ----------
    scenes : Scenes
        Also its `photos`.
    """

    def __init__(self, scenes):
        self.photos, self.skipped = scenes, {}
        self.said = [scenes.captions(), *map(scenes.negative_captions, scenes.kinds)]
        self.places = [(i, e) for i in range(len(scenes)) for e, said in enumerate(self.said) if said[i] is not None]

    def __len__(self):
        return len(self.places)

    def sample(self, i):
        """One scene or edit; its negatives and variants are the others of its scene.

        Parameters
        ----------
        i : int in [0, len)

        Returns
        -------
        Sample
        """
        scenes, (scene, own) = self.photos, self.places[i]
        found = {e: self._objects(scene, e) for e, said in enumerate(self.said) if said[scene] is not None}
        same = min(e for e, objects in found.items() if objects == found[own])     # two edits may draw one picture
        variants = tuple(Variant(scenes.kinds[max(e, own) - 1], self.said[e][scene],
                                 lambda e=e: scenes._drawn(scene, e - 1)[0])
                         for e, objects in found.items() if objects != found[own])
        picture, objects = scenes._drawn(scene, own - 1)
        row = int(scenes._rows([scene])[0])
        return Sample(picture, (self.said[own][scene],), i, f"scene-{scenes.seed}-{row}-{own}",
                      row * len(self.said) + same if same else -1 - row, objects=objects,
                      negatives=tuple((v.kind, v.caption) for v in variants), variants=variants)

    def captions(self):
        """The caption of each in order.

        Returns
        -------
        list of str
        """
        return [self.said[e][i] for i, e in self.places]

    def groups(self, mode="item"):
        """What `vlmneg.gnm.GroupSampler` draws from.

        Parameters
        ----------
        mode : "item", "image" or "all"
            Of one scene, two by two different in what they show; or each by itself.

        Returns
        -------
        dict of key to list of (row, score, part)
        """
        if mode not in ("item", "image", "all"):
            raise ValueError(f"mode must be one of item, image, all, got {mode!r}")
        found = {}
        for row, (scene, e) in enumerate(self.places):
            part = row if mode == "all" else tuple(self._objects(scene, e))
            found.setdefault(row if mode == "all" else scene, []).append((row, 0.0, part))
        return found

    def _objects(self, scene, e):
        """What a picture shows, in one order."""
        return sorted(_core.scene_objects(self.photos.seed, int(self.photos._rows([scene])[0]), e - 1))

def scenes(n, seed=0, size=64, first=0):
    """Small pictures of coloured shapes with captions, masks, and exact negative captions and pictures.

    A scene depends on its seed and row alone, not on how many others there are or on the picture's size. Scenes for
    measuring that training never saw come from another seed, or from rows of their own: `scenes(1000, first=10**6)`.

    A caption lists all that its picture holds: one to three objects of sixteen shapes, twelve colours and three sizes
    (medium is not said), how many there are, and how the first stand to the second, or to the middle where they are
    alone. Each edit of `kinds` makes another scene, whose
    caption is false of the original picture while the original caption is false of the edited picture.

    Parameters
    ----------
    n : int
        Number of scenes, rows first .. first + n - 1.
    seed : int in [0, 2**64)
    size : int in [1, 1024]
        Side of the pictures in pixels.
    first : int
        First row.

    Returns
    -------
    Scenes
        A data set of `Sample`, with `batch`, `negative_captions`, `negative_image`, `mask` and `scene` besides.

    Examples
    --------
    >>> import vlmneg as vn
    >>> data = vn.data.scenes(1000, seed=0)
    >>> sample = data[6]
    >>> sample.captions
    ('a blue square above a brown triangle',)
    >>> dict(sample.negatives)["object_swap"]
    'a blue triangle above a brown square'
    >>> sample.image.shape
    (64, 64, 3)
    """
    for name, value, low, high in (("n", n, 1, 2**40), ("seed", seed, 0, 2**64 - 1), ("size", size, 1, 1024),
                                   ("first", first, 0, 2**62)):
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise TypeError(f"{name} must be an integer, got {type(value).__name__}")
        if not low <= value <= high:
            raise ValueError(f"{name} must be in [{low}, {high}], got {value}")
    return Scenes(int(n), int(seed), int(size), int(first))
