"""Data sets by description, such as a table of a TOML file."""

import difflib
import inspect
import os
from collections.abc import Mapping

from vlmneg.data.coco import coco
from vlmneg.data.gnm import gnm, gnm_test
from vlmneg.data.inpaintcoco import inpaintcoco
from vlmneg.data.scenes import scenes
from vlmneg.data.table import table

READERS = {"scenes": scenes, "coco": coco, "gnm": gnm, "gnm_test": gnm_test, "inpaintcoco": inpaintcoco,
           "table": table}


def open(spec):
    """The data set that a description names.

    Parameters
    ----------
    spec : mapping or path
        A mapping holds `kind` ("scenes", "coco", "gnm", "gnm_test", "inpaintcoco" or "table") and the parameters of the
        function of that name; the kind may be left out where a parameter tells it. A path is a CSV or TSV file.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        For an unknown kind or parameter, naming the nearest that exists, and for one that is missing.

    Examples
    --------
    >>> import vlmneg as vn
    >>> len(vn.data.open({"kind": "scenes", "n": 100, "seed": 3}))
    100
    >>> vn.data.open({"n": 100, "sed": 3})
    Traceback (most recent call last):
    ...
    ValueError: scenes has no parameter 'sed'; did you mean 'seed'? It takes n, seed, size, first
    """
    if isinstance(spec, str | os.PathLike):
        spec = {"path": spec}
    if not isinstance(spec, Mapping):
        raise TypeError(f"a data set is described by a mapping or a path, got {type(spec).__name__}")
    given = dict(spec)
    kind = given.pop("kind", None) or _guess(given)
    if kind not in READERS:
        raise ValueError(f"no kind of data {kind!r}{_nearest(kind, READERS)} There are {', '.join(READERS)}")
    parameters = inspect.signature(READERS[kind]).parameters
    for name in given:
        if name not in parameters:
            raise ValueError(f"{kind} has no parameter {name!r}{_nearest(name, parameters)} "
                             f"It takes {', '.join(parameters)}")
    missing = [n for n, p in parameters.items() if p.default is p.empty and n not in given]
    if missing:
        raise ValueError(f"{kind} needs {' and '.join(missing)}")
    return READERS[kind](**given)


def _guess(given):
    if "path" in given and str(given["path"]).lower().endswith(".json"):
        raise ValueError(f"{given['path']} needs its folder of pictures: "
                         "{'kind': 'coco', 'captions': FILE, 'images': FOLDER}")
    for key, kind in (("path", "table"), ("annotations", "gnm"), ("captions", "coco"), ("n", "scenes")):
        if key in given:
            return kind
    raise ValueError(f"the kind of data is not clear from {', '.join(map(repr, given)) or 'an empty description'}; "
                     f"set kind to one of {', '.join(READERS)}")


def _nearest(name, names):
    found = difflib.get_close_matches(str(name), list(names), 1)
    return f"; did you mean {found[0]!r}?" if found else "."
