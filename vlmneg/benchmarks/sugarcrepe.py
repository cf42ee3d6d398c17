"""SugarCrepe: does a picture prefer its caption to one with an added, replaced or swapped part?

Seven JSON objects whose keys are the rows' numbers, with gaps: ``{"0": {"filename", "caption", "negative_caption"}}``.
Pictures are those of COCO val2017. Captions are passed on as they stand, trailing blanks and line breaks included.

Hsieh et al., SugarCrepe: fixing hackable benchmarks for vision-language compositionality. NeurIPS 2023.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from . import Benchmark, Item, version

SUBSETS = ("add_obj", "add_att", "replace_obj", "replace_att", "replace_rel", "swap_obj", "swap_att")
TYPES = {kind: tuple(s for s in SUBSETS if s.startswith(kind)) for kind in ("add", "replace", "swap")}
FIELDS = ("filename", "caption", "negative_caption")


def read(annotations: Any, images: Any, data: Any) -> Benchmark:
    """Reads the sub-tasks whose files are in a folder.

    Parameters
    ----------
    annotations : path
        Folder with ``add_obj.json`` and so on, any of the seven.
    images : path
        Folder with the pictures.
    data : None

    Returns
    -------
    Benchmark

    Raises
    ------
    ValueError
        When an argument is missing or a file is not of this form.
    FileNotFoundError
        When a folder is not there or holds none of the files.
    """
    if data is not None or annotations is None or images is None:
        raise ValueError("sugarcrepe needs annotations=FOLDER with its JSON files and images=FOLDER with the "
                         "pictures of COCO val2017, and takes no data=")
    folder, pictures = Path(annotations), Path(images)
    for name, path in (("annotations", folder), ("images", pictures)):
        if not path.is_dir():
            raise FileNotFoundError(f"{name} must be a folder; {path} is {'a file' if path.exists() else 'not there'}")
    present = [s for s in SUBSETS if (folder / f"{s}.json").is_file()]
    if not present:
        deeper = sorted(folder.glob("*/swap_obj.json"))
        hint = f"; {deeper[0].parent} does" if deeper else ""
        raise FileNotFoundError(f"{folder} holds none of {', '.join(f'{s}.json' for s in SUBSETS)}{hint}")
    items = []
    for subset in present:
        for key, row in _rows(folder / f"{subset}.json"):
            items.append(Item(subset, key, row[0], pictures / row[0], row[1:]))
    lines = ([f"sugarcrepe/{i.subset}", i.key, i.name, *i.captions] for i in items)
    return Benchmark("sugarcrepe", "choice", items, TYPES, tuple(s for s in SUBSETS if s not in present),
                     version=version(lines))


def _rows(path: Path) -> list[tuple[str, tuple[str, ...]]]:
    """Key and fields of every row, keys rising as numbers."""
    try:
        table = json.loads(path.read_bytes().decode("utf-8-sig"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a JSON file of rows: {error}") from None
    if not isinstance(table, dict):
        raise ValueError(f"{path} must hold one JSON object {{key: row}}, found a {type(table).__name__}")
    for key, row in table.items():
        if not (key.isascii() and key.isdigit() and len(key) < 19):
            raise ValueError(f"{path}: keys are the rows' numbers, found {key[:40]!r}")
        wrong = [f for f in FIELDS if not isinstance(row, dict) or not _is_text(row.get(f))]
        if wrong:
            raise ValueError(f"{path}: row {key} must have the text {wrong[0]!r}, as all rows have {', '.join(FIELDS)}")
        name = row["filename"]
        if name in ("", "..") or name != Path(name).name or any(c in "\\\t\r\n\0" for c in name):
            raise ValueError(f"{path}: row {key} must name a file inside the folder of pictures, found {name[:80]!r}")
    return [(key, tuple(table[key][f] for f in FIELDS)) for key in sorted(table, key=int)]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return out


def _is_text(value: Any) -> bool:
    """A string without half characters, which JSON can spell and no encoding can."""
    return isinstance(value, str) and not any("\ud800" <= c <= "\udfff" for c in value)
