"""CSV and TSV with a picture and a caption in each row."""

import ast
import csv
import io
import os

from vlmneg.data.sample import Sample, checked, inside, read_text


def table(path, image_key="filepath", caption_key="title", sep=None, root=None, negatives_key="neg_caption"):
    """Pictures and captions from a table such as open_clip reads.

    Parameters
    ----------
    path : path
        UTF-8 text with the names of its columns in the first line.
    image_key, caption_key : str
        Columns with the picture's path and its caption.
    sep : str, optional
        What separates the columns. If not given, a tab, comma or semicolon, whichever splits the first line into
        columns of these names.
    root : path, optional
        Folder of the pictures; paths that lead out of it are refused. If not given, relative paths start at the
        table's own folder.
    negatives_key : str
        Column with captions known to be false, each cell a Python list of strings or empty; the table may lack it.

    Returns
    -------
    Dataset
        One `Sample` a row; rows of the same picture share their `group`. Rows whose picture is missing, whose caption
        is empty or that have too few or too many cells are skipped and counted in `skipped`.

    Raises
    ------
    ValueError
        If the columns are not there, a cell of negatives is no list of strings, a path leads out of `root`, or nothing
        is left.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import vlmneg as vn
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.png").write_bytes(b"")
    >>> _ = (folder / "pairs.csv").write_text("filepath,title\\na.png,a dog\\nb.png,a cat\\n")
    >>> vn.data.table(folder / "pairs.csv")
    <1 samples; skipped: 1 missing image>
    """
    rows = _rows(path, (image_key, caption_key), sep)
    header = rows[0][1]
    image_at, caption_at = header.index(image_key), header.index(caption_key)
    negatives_at = header.index(negatives_key) if negatives_key in header else None
    folder = os.path.dirname(os.fspath(path)) if root is None else root
    skipped = {"missing image": 0, "empty caption": 0, "row with the wrong number of cells": 0}
    samples, groups = [], {}
    for line, row in rows[1:]:
        if len(row) != len(header):
            skipped["row with the wrong number of cells"] += 1
            continue
        name, caption = row[image_at], row[caption_at]
        picture = os.path.join(folder, name) if root is None else inside(root, name, path)
        if not caption.strip():
            skipped["empty caption"] += 1
        elif not os.path.isfile(picture):
            skipped["missing image"] += 1
        else:
            negatives = () if negatives_at is None else _negatives(row[negatives_at], f"{path}, line {line}")
            group = groups.setdefault(os.path.normpath(picture), len(groups))
            samples.append(Sample(picture, (caption,), len(samples), name, group, negatives))
    return checked(samples, skipped, path)


def _rows(path, wanted, sep):
    """(line, cells) of each row that is not blank, the first with the names of the columns."""
    text = read_text(path)
    if sep is not None and (not isinstance(sep, str) or len(sep) != 1):
        raise ValueError(f"sep must be one character, got {sep!r}")
    seen = None
    for separator in [sep] if sep else ["\t", ",", ";"]:
        try:
            reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
            header = next((row for row in reader if row), [])
            if all(name in header for name in wanted):
                return [(1, header), *((reader.line_num, row) for row in reader if row)]
        except csv.Error as error:
            raise ValueError(f"{path}, line {reader.line_num}: {error}") from None
        seen = header if seen is None or len(header) > len(seen) else seen
    raise ValueError(f"{path} needs columns {' and '.join(map(repr, wanted))}; found "
                     f"{', '.join(map(repr, seen or [])) or 'none'}")


def _negatives(cell, place):
    if not cell.strip():
        return ()
    try:
        texts = ast.literal_eval(cell)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        texts = None
    if not isinstance(texts, list | tuple) or not all(isinstance(t, str) for t in texts):
        raise ValueError(f"{place}: false captions must be a Python list of strings such as ['a cat'], "
                         f"got {repr(cell)[:100]}")
    return tuple(("given", t) for t in texts if t.strip())
