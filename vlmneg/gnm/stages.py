"""A stage: units of work, each computed once and kept in a folder as a JSON line, with its picture beside it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, NamedTuple

from vlmneg.checkpoints import atomic_file
from vlmneg.gnm.plugins import Dropped, Unavailable
from vlmneg.negatives.cache import DiskCache
from vlmneg.progress import Progress

try:
    import fcntl
except ImportError:                         # Windows: two runs in one folder must take turns
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger("vlmneg")


class Unit(NamedTuple):
    """Work on one input. `key` holds all that the answer depends on; `work` gives a dict, or raises."""

    label: str
    key: dict[str, Any]
    work: Callable[[], dict[str, Any]]


class Stage:
    """One stage's folder, and what became of its units in this run.

    Parameters
    ----------
    out : path
        Folder of the run; the stage's own is below it.
    name : str
    concurrency : int
        Units at work at a time.
    progress : bool
        Whether a bar may show.
    """

    def __init__(self, out: Path, name: str, *, concurrency: int = 1, progress: bool = True) -> None:
        self.name, self.folder, self.concurrency, self.progress = name, Path(out) / name, concurrency, progress
        self.folder.mkdir(parents=True, exist_ok=True)
        for leftover in self.folder.glob(".*.tmp"):
            leftover.unlink()
        self.cache = DiskCache(self.folder / "records.jsonl")
        self.computed = self.cached = 0
        self.dropped: Counter[str] = Counter()
        self.failures: dict[str, str] = {}

    @property
    def units(self) -> int:
        """Units asked for, with those that failed."""
        return self.computed + self.cached + len(self.failures)

    def run(self, units: list[Unit]) -> list[dict[str, Any] | None]:
        """Answers of units, from the folder where it has them.

        Parameters
        ----------
        units : list of Unit

        Returns
        -------
        list of dict or None
            None: dropped or failed.
        """
        answers: list[dict[str, Any] | None] = [None] * len(units)
        waiting: dict[str, list[int]] = {}
        for i, unit in enumerate(units):
            answer = self.cache.get(unit.key)
            if answer is not None and ("file" not in answer or (self.folder / answer["file"]).is_file()):
                answers[i] = answer
                self.cached += 1
            else:
                waiting.setdefault(json.dumps(unit.key, sort_keys=True), []).append(i)
        done = len(units) - sum(map(len, waiting.values()))
        with Progress(len(units), self.name, unit="unit", start=done, show=None if self.progress else False) as bar:
            for places, answer in self._compute(units, list(waiting.values())):
                for i in places:
                    answers[i] = answer
                bar.add(len(places), failed=len(self.failures))
        for answer in answers:
            if answer is not None and "dropped" in answer:
                self.dropped[answer["dropped"]] += 1
        return [None if a is None or "dropped" in a else a for a in answers]

    def _compute(self, units, waiting) -> Iterator[tuple[list[int], dict[str, Any] | None]]:
        if self.concurrency == 1:
            for places in waiting:
                yield places, self._answer(units[places[0]], len(places))
            return
        todo = iter(waiting)
        with ThreadPoolExecutor(self.concurrency) as pool:
            at_work: dict[Any, list[int]] = {}
            while True:
                for places in todo:
                    at_work[pool.submit(self._answer, units[places[0]], len(places))] = places
                    if len(at_work) >= 2 * self.concurrency:
                        break
                if not at_work:
                    return
                for future in wait(at_work, return_when=FIRST_COMPLETED).done:
                    yield at_work.pop(future), future.result()

    def _answer(self, unit, n):
        """Compute a unit, which n places share, and put it on record."""
        try:
            answer = unit.work()
        except Dropped as reason:
            answer = {"dropped": str(reason)}
        except (ImportError, Unavailable):  # would be the same for every unit
            raise
        except Exception as error:
            log.debug("%s failed for %s", self.name, unit.label, exc_info=True)
            self.failures[unit.label] = f"{type(error).__name__}: {error}"
            return None
        self.cache.put(unit.key, answer)
        self.computed += 1
        self.cached += n - 1
        return answer

    def keep(self, key: dict[str, Any], data: bytes, suffix: str) -> dict[str, Any]:
        """Write a picture of a unit and give what its record says of it."""
        name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32] + suffix
        with atomic_file(self.folder / name) as part:
            part.write_bytes(data)
        return {"file": name, "digest": digest(data)}

    def close(self) -> None:
        """Write failures.jsonl, or remove that of an earlier run."""
        path = self.folder / "failures.jsonl"
        lines = [json.dumps({"input": k, "reason": v}) for k, v in sorted(self.failures.items())]
        if lines:
            write(path, "\n".join(lines) + "\n")
        else:
            path.unlink(missing_ok=True)


def write(path: Path, text: str) -> None:
    """Write a text file, all of it or nothing."""
    with atomic_file(path) as part:
        part.write_text(text, encoding="utf-8")


def digest(data: bytes) -> str:
    """A name of bytes."""
    return hashlib.sha256(data).hexdigest()[:32]


@contextlib.contextmanager
def alone(out: Path) -> Iterator[None]:
    """Refuse to work in a folder where another process is at work; a process that was killed holds nothing."""
    with open(out / ".lock", "w") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RuntimeError(f"another run is at work in {os.fspath(out)}; wait for it, or choose another out"
                                   ) from None
        yield
