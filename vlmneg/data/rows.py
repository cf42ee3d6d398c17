"""Rows of published data sets: parquet files, JSON lines beside pictures, or any sequence of mappings."""

import functools
import json
import os
from collections.abc import Mapping
from pathlib import Path

from vlmneg import images
from vlmneg.data.sample import inside, read_text


class Rows:
    """Rows by number, and columns of them without the pictures.

    Parameters
    ----------
    source : path or sequence of mappings
        A folder with parquet files or one .jsonl file, such a file, or rows as Hugging Face's data sets give.
    """

    def __init__(self, source):
        self.folder = None
        if not isinstance(source, str | os.PathLike):
            if isinstance(source, Mapping) or not hasattr(source, "__len__") or not hasattr(source, "__getitem__"):
                raise TypeError(f"rows are a path or a sequence of mappings, got {type(source).__name__}")
            self.name, self.rows = type(source).__name__, source
            return
        path = self.name = Path(source)
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist")
        files = [path] if path.is_file() else sorted(path.rglob("*.parquet")) or sorted(path.glob("*.jsonl"))
        self.folder = path.parent if path.is_file() else path
        if not files or {f.suffix for f in files} == {".jsonl"} and len(files) > 1:
            raise ValueError(f"{path} must have parquet files or one .jsonl file, found "
                             f"{', '.join(f.name for f in files) or 'neither'}")
        self.rows = _Parquet(files) if files[0].suffix == ".parquet" else _json_lines(files[0])

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        row = self.rows[i]
        if not isinstance(row, Mapping):
            raise ValueError(f"{self.name}: row {i} must be a mapping, got {type(row).__name__}")
        return row

    def columns(self, names):
        """Every row with these columns alone, as far as it has them."""
        if isinstance(self.rows, _Parquet):
            return self.rows.columns(names)
        light = Rows(self.rows.select_columns([n for n in names if n in self.rows.column_names])
                     if hasattr(self.rows, "select_columns") else self.rows)
        light.name = self.name
        return [{n: row[n] for n in names if n in row} for row in (light[i] for i in range(len(light)))]

    def picture(self, value, what):
        """A picture's path, or its pixels where the row holds them."""
        if isinstance(value, Mapping):
            value = value.get("bytes") or value.get("path")
        if isinstance(value, str):
            if self.folder is None:
                return value
            return inside(self.folder, value, self.name)
        if value is None:
            raise ValueError(f"{self.name}: {what} is missing")
        return images.decode(value)


def _json_lines(path):
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{path}, line {number} is not JSON: {error}") from None
    return rows


class _Parquet:
    def __init__(self, files):
        try:
            import pyarrow.parquet as parquet
        except ImportError:
            raise ImportError("parquet files need pyarrow: pip install 'vlmneg[parquet]'") from None
        self.files, self.starts = [], [0]
        for path in files:
            try:
                file = parquet.ParquetFile(path)
            except Exception as error:      # pyarrow's errors have no base of their own
                raise ValueError(f"{path} is not a whole parquet file: {str(error).splitlines()[0]}") from None
            for group in range(file.num_row_groups):
                self.files.append((file, group))
                self.starts.append(self.starts[-1] + file.metadata.row_group(group).num_rows)
        self.group = functools.lru_cache(maxsize=2)(self._group)

    def __len__(self):
        return self.starts[-1]

    def __getitem__(self, i):
        at = next(k for k, start in enumerate(self.starts[1:]) if i < start)
        return self.group(at)[i - self.starts[at]]

    def _group(self, at):
        file, group = self.files[at]
        try:
            return file.read_row_group(group).to_pylist()
        except Exception as error:
            raise ValueError(f"a parquet file is damaged: {str(error).splitlines()[0]}") from None

    def columns(self, names):
        found = []
        for file, group in self.files:
            have = [n for n in names if n in file.schema_arrow.names]
            found += file.read_row_group(group, columns=have).to_pylist()
        return found
