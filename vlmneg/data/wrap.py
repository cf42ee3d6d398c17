"""Other people's data sets, and pictures that cannot be read."""

from collections.abc import Mapping

from vlmneg.data.sample import Dataset, Sample

FIELDS = ("image", "captions", "key", "name", "group")


class Wrapped(Dataset):
    """Another's data set as one of ours; see `wrap`.

    Parameters
    ----------
    items : sequence
    image_key, caption_key : str
    """

    def __init__(self, items, image_key, caption_key):
        self.items, self.image_key, self.caption_key, self.skipped = items, image_key, caption_key, {}

    def __len__(self):
        return len(self.items)

    def sample(self, i):
        """One item as a sample.

        Parameters
        ----------
        i : int in [0, len)

        Returns
        -------
        Sample
        """
        item = self.items[i]
        if all(hasattr(item, name) for name in FIELDS):
            return item
        if isinstance(item, Mapping):
            missing = [k for k in (self.image_key, self.caption_key) if k not in item]
            if missing:
                raise ValueError(f"item {i} has no {missing[0]!r}; it has {', '.join(map(repr, item))}")
            image, captions = item[self.image_key], item[self.caption_key]
        elif isinstance(item, tuple | list) and len(item) >= 2:
            image, captions = item[:2]
        else:
            raise TypeError(f"item {i} must be a Sample, a mapping or (image, captions), got {type(item).__name__}")
        captions = (captions,) if isinstance(captions, str) else tuple(captions)
        if not captions or not all(isinstance(c, str) and c.strip() for c in captions):
            raise ValueError(f"item {i} needs captions that are not empty, got {captions!r}")
        return Sample(image, captions, key=i, name=str(i), group=i)


def wrap(items, image_key="image", caption_key="caption"):
    """A data set of anything that has a length and gives items by number.

    Parameters
    ----------
    items : sequence
        Of `Sample`, of mappings with these keys (as Hugging Face's data sets give), or of tuples (image, captions,
        ...). An image is a path, a Pillow image or an (H, W, 3) uint8 array; captions are a string or several.
    image_key, caption_key : str

    Returns
    -------
    Dataset
        Items are read when they are asked for; a `Dataset` comes back as it is.

    Examples
    --------
    >>> import vlmneg as vn
    >>> vn.data.wrap([("dog.jpg", "a dog"), ("cat.jpg", ["a cat", "a pet"])])[1].captions
    ('a cat', 'a pet')
    """
    if isinstance(items, Dataset):
        return items
    if not hasattr(items, "__len__") or not hasattr(items, "__getitem__") or isinstance(items, str | bytes | Mapping):
        raise TypeError(f"a data set has a length and gives items by number, got {type(items).__name__}")
    return Wrapped(items, image_key, caption_key)


def readable(data):
    """The data set without the pictures that cannot be read, which are counted in `skipped`.

    Every picture is decoded once, so this takes as long as one pass over the data.

    Parameters
    ----------
    data : Dataset

    Returns
    -------
    Dataset
        With the same samples otherwise: they keep their keys.

    Raises
    ------
    ValueError
        If no picture can be read.
    """
    from vlmneg import images

    good, first = [], None
    for sample in data:
        try:
            images.decode(sample.image)
            good.append(sample)
        except (OSError, ValueError) as error:
            first = first or f"{sample.name}: {error}"
    if not good:
        raise ValueError(f"no picture can be read; the first is {first}")
    return Dataset(good, {**data.skipped, "unreadable image": len(data) - len(good)})
