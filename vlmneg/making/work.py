"""What is being made: its counts, its file, and beside that how far it is."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vlmneg import _core, report
from vlmneg.checkpoints import atomic_file
from vlmneg.making.writers import Lines, Shards

SHOWN = 3           # examples in the summary
STREAM_SHOWN = 16   # reserved in csrc/vn_registry.def


@dataclass
class Summary:
    """What was made.

    Parameters
    ----------
    captions, with_negative, slots, valid : int
        How many; with_negative: captions, or pictures, with at least one.
    kinds : dict of str to int
        Valid negatives by edit.
    reasons : dict of str to int
        Slots without a negative by the rule that failed.
    duplicates : int
        Negatives dropped because they say what an earlier one or a true caption says.
    examples : list of (caption, kind, negative)
    files : list of str
    what : str
        "captions" or "pictures".
    """

    captions: int = 0
    with_negative: int = 0
    slots: int = 0
    valid: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    examples: list = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    what: str = "captions"

    def add(self, result: Any) -> None:
        """Count a chunk."""
        valid = result.valid.astype(bool)
        self.captions, self.slots = self.captions + len(result), self.slots + valid.size
        self.with_negative, self.valid = self.with_negative + int(valid.any(1).sum()), self.valid + int(valid.sum())
        flat = zip(itertools.chain(*result.kind), itertools.chain(*result.reason), valid.ravel().tolist(), strict=True)
        counts = Counter((kind if ok else "", "" if ok else reason) for kind, reason, ok in flat)
        for (kind, reason), n in counts.items():
            into, name = (self.kinds, kind) if kind else (self.reasons, reason)
            into[name] = into.get(name, 0) + n
        self.duplicates = self.reasons.get("REPEAT", 0) + self.reasons.get("SAME", 0)
        for i, k in np.argwhere(valid).tolist():
            if len(self.examples) == SHOWN:
                break
            pictures = hasattr(result, "source")
            source = result.source[i][k] if pictures else result.captions[i]
            text = result.caption[i][k] if pictures else result.text[i][k]
            if text is not None and (not self.examples or self.examples[-1][0] != source):
                self.examples.append([source, result.kind[i][k], text])

    def table(self) -> str:
        """The counts as text."""
        share = f"{100 * self.with_negative / max(self.captions, 1):.1f}%"
        lines = [f"{self.captions} {self.what}, {share} with a valid negative; {self.valid} of {self.slots} slots "
                 f"valid, {self.duplicates} duplicates dropped", ""]
        rows = [[kind, str(n), f"{100 * n / max(self.slots, 1):.1f}%"] for kind, n in sorted(self.kinds.items())]
        rows += [[f"none: {reason}", str(n), f"{100 * n / max(self.slots, 1):.1f}%"]
                 for reason, n in sorted(self.reasons.items())]
        lines.append(report.text_table(["edit", "slots", "share"], rows))
        for caption, kind, text in self.examples:
            lines += ["", f"  {caption}", f"  {kind}: {text}"]
        return "\n".join(lines + ["", *(f"written to {f}" for f in self.files)])


class Work:
    """The file that is being written, and beside it how far it is."""

    def __init__(self, out: str | Path, writer: Lines | Shards, settings: dict, overwrite: bool,
                 what: str = "captions") -> None:
        self.out, self.settings = Path(out), settings
        self.state, self.about = Path(f"{out}.progress.json"), Path(f"{out}.provenance.json")
        self.writer = writer
        self.summary, self.rows, self.finished = Summary(what=what), 0, False
        self.saved = 0
        found = self._read(self.about) or self._read(self.state)
        if found and not overwrite:
            changed = [k for k, v in settings.items() if found.get("settings", {}).get(k) != v]
            if changed:
                raise ValueError(f"{out} was made with other settings ({', '.join(changed)}); "
                                 "delete it, name another file or set overwrite")
            self.summary, self.rows = Summary(**found["summary"]), found["rows"]
            self.finished = self.about.is_file()
            if not self.finished:
                self.writer.start(found["position"])
            return
        if self.out.exists() and not overwrite:
            raise ValueError(f"{out} exists and nothing beside it says what made it; delete it, name another file or "
                             "set overwrite")
        self.out.parent.mkdir(parents=True, exist_ok=True)
        for old in (self.about, self.state):
            old.unlink(missing_ok=True)
        self.writer.start(None)

    @staticmethod
    def _read(path: Path) -> dict | None:
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:
            raise ValueError(f"{path} is not JSON; delete it and the file that it belongs to") from None

    def write(self, rows: Any, result: Any) -> None:
        """Write a chunk and note how far the work is."""
        self.saved += len(rows)
        position = self.writer.write(rows, result)
        if position is not None:
            self.rows += self.saved
            self.saved = 0
            self._note(self.state, {"rows": self.rows, "position": position})

    def _note(self, path: Path, more: dict) -> None:
        with atomic_file(path) as temporary:
            text = json.dumps({"settings": self.settings, **more, "summary": vars(self.summary)}, indent=1)
            Path(temporary).write_text(text, encoding="utf-8")

    def finish(self) -> None:
        """Give the files their names."""
        self.summary.files = [str(f) for f in self.writer.finish()]
        self._note(self.about, {"rows": self.summary.captions})
        self.state.unlink(missing_ok=True)


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def spread(n: int, wanted: int, seed: int) -> set[int]:
    """Numbers of the rows on the page: one drawn from each of as many equal stretches."""
    wanted = min(n, wanted)
    return {(i * n + (_core.philox(seed, i, 0, STREAM_SHOWN)[0] * n >> 32)) // wanted for i in range(wanted)}
