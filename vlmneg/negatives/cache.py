"""Answers of models, kept on disk: one JSON line each, written as they come, so that no run pays for one twice."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows: processes that share a cache there must take turns
    fcntl = None  # type: ignore[assignment]


def _dump(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TypeError(f"a cache holds what JSON holds (str, finite numbers, lists, dicts): {error}") from None


def _hash(fields: Mapping[str, Any]) -> str:
    if not isinstance(fields, Mapping) or not fields:
        raise TypeError(f"the key of a cached answer must be a dict of what it depends on, got {fields!r}")
    return hashlib.sha256(_dump(dict(fields)).encode("utf-8", "surrogatepass")).hexdigest()[:32]


class DiskCache:
    """What a model answered, by everything that the answer depends on.

    A line is ``{"id": hash of the key, "key": {...}, "value": ...}``: provenance stands beside the answer. Lines are
    only ever appended, under a lock that threads and processes share. A process killed in the middle of a line loses
    that line and no other. Of two lines with one key the later counts. Memory holds places in the file, not answers.

    Parameters
    ----------
    path : str or Path
        Made with its folders at the first `put`.

    Attributes
    ----------
    path : Path
    dropped : int
        Complete lines that are no answers, such as one that was cut off and then continued; they are passed over.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     cache = DiskCache(folder + "/answers.jsonl")
    ...     cache.put({"kind": "llm", "model": "m", "prompt": "a dog", "seed": 0}, ["a cat"])
    ...     cache.get({"seed": 0, "kind": "llm", "model": "m", "prompt": "a dog"}), len(cache)
    (['a cat'], 1)
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
            raise TypeError(f"path must name a file, got {path!r}")
        self.path = Path(path)
        if self.path.is_dir():
            raise IsADirectoryError(f"{self.path} is a folder; a cache is a file, such as {self.path / 'cache.jsonl'}")
        self.dropped = 0
        self._places: dict[str, int] = {}
        self._end = 0
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return DiskCache, (self.path,)

    def __repr__(self) -> str:
        return f"DiskCache({str(self.path)!r})"

    def __len__(self) -> int:
        with self._lock:
            self._refresh()
            return len(self._places)

    def get(self, key: Mapping[str, Any]) -> Any:
        """The answer with this key, or None.

        Parameters
        ----------
        key : dict
            What was given to `put`, in any order.

        Returns
        -------
        object or None
        """
        name = _hash(key)
        with self._lock:
            if name not in self._places:
                self._refresh()
            place = self._places.get(name)
        return None if place is None else self._line(place)["value"]

    def put(self, key: Mapping[str, Any], value: Any) -> None:
        """Append an answer; it is in the file when this returns.

        Parameters
        ----------
        key : dict
            All that the answer depends on: kind, model, version, prompt, parameters, seed.
        value : str, number, list or dict
            Anything of JSON but None, which `get` gives for what is missing.
        """
        if value is None:
            raise TypeError("None can't be cached: get gives it for what is missing")
        name = _hash(key)
        line = (_dump({"id": name, "key": dict(key), "value": value}) + "\n").encode("utf-8", "surrogatepass")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, open(self.path, "a+b", buffering=0) as file:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)
            self._refresh()
            size = os.fstat(file.fileno()).st_size
            if size > self._end:  # someone was killed in the middle of a line: end it, so that ours stands alone
                line = b"\n" + line
            rest = memoryview(line)
            while rest:
                rest = rest[file.write(rest):]
            self._refresh()

    def items(self) -> Iterator[tuple[dict[str, Any], Any]]:
        """Keys and answers, in the order in which they came.

        Yields
        ------
        key : dict
        value : object
        """
        with self._lock:
            self._refresh()
            places = sorted(self._places.values())
        for place in places:
            entry = self._line(place)
            yield entry["key"], entry["value"]

    def _line(self, place: int) -> dict[str, Any]:
        with open(self.path, "rb") as file:
            file.seek(place)
            return json.loads(file.readline().decode("utf-8", "surrogatepass"))

    def _refresh(self) -> None:
        """Take in what was appended since, up to the last complete line."""
        try:
            file = open(self.path, "rb")
        except FileNotFoundError:
            return
        with file:
            if os.fstat(file.fileno()).st_size == self._end:
                return
            file.seek(self._end)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                try:
                    entry = json.loads(line.decode("utf-8", "surrogatepass"))
                    entry["key"], entry["value"]
                    self._places[entry["id"]] = self._end
                except (ValueError, TypeError, KeyError):
                    self.dropped += bool(line.strip())
                self._end += len(line)
