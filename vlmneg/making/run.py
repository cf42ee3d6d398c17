"""Makes the negatives of a file of captions, chunk by chunk, so that an interruption loses nothing that was written."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlmneg import report
from vlmneg.build import VERSION
from vlmneg.checkpoints import atomic_file
from vlmneg.making.sources import read_captions
from vlmneg.making.writers import writer
from vlmneg.negatives.html import html_of
from vlmneg.negatives.recipe import recipe as find_recipe
from vlmneg.progress import Progress

CHUNK = 4096        # captions between two savings
ASKING = 64         # the same where a model or server is asked
SHOWN = 3           # examples in the summary
STREAM_SHOWN = 16   # reserved in csrc/vn_registry.def


@dataclass
class Summary:
    """What was made.

    Parameters
    ----------
    captions, with_negative, slots, valid : int
        How many; with_negative: captions with at least one.
    kinds : dict of str to int
        Valid negatives by edit.
    reasons : dict of str to int
        Slots without a negative by the rule that failed.
    duplicates : int
        Negatives dropped because they say what an earlier one or a true caption says.
    examples : list of (caption, kind, negative)
    files : list of str
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
        for i in range(len(result)):
            if len(self.examples) >= SHOWN:
                break
            k = next((k for k in range(valid.shape[1]) if valid[i, k]), None)
            if k is not None:
                self.examples.append([result.captions[i], result.kind[i][k], result.text[i][k]])

    def table(self) -> str:
        """The counts as text."""
        share = f"{100 * self.with_negative / max(self.captions, 1):.1f}%"
        lines = [f"{self.captions} captions, {share} with a valid negative; {self.valid} of {self.slots} slots valid, "
                 f"{self.duplicates} duplicates dropped", ""]
        rows = [[kind, str(n), f"{100 * n / max(self.slots, 1):.1f}%"] for kind, n in sorted(self.kinds.items())]
        rows += [[f"none: {reason}", str(n), f"{100 * n / max(self.slots, 1):.1f}%"]
                 for reason, n in sorted(self.reasons.items())]
        lines.append(report.text_table(["edit", "slots", "share"], rows))
        for caption, kind, text in self.examples:
            lines += ["", f"  {caption}", f"  {kind}: {text}"]
        return "\n".join(lines + ["", *(f"written to {f}" for f in self.files)])


def make(captions: str | Path, recipe: Any, out: str | Path | None = None, *, layout: str = "vlmneg", seed: int = 0,
         visit: int = 0, tagger: Any = None, images: str | Path | None = None, html: str | Path | None = None,
         examples: int = 24, overwrite: bool = False, progress: bool | None = None) -> Summary:
    """Make the negatives of a file of captions.

    Captions are read in chunks and written at once; called again with the same arguments after an interruption, it goes
    on where it stopped, to the same bytes. Beside the file stands OUT.provenance.json: what made it, from what.

    Parameters
    ----------
    captions : path
        See `read_captions`.
    recipe : str, path, list or Negatives
        A name of `vlmneg.negatives.recipes()`, a TOML file, its list of tables, or generators.
    out : path, optional
        .jsonl, .tsv (NegCLIP's columns), .tar (webdataset shards, -000000.tar and so on) or, in CE-CLIP's layout, .npy.
        None: nothing but the summary and the page.
    layout : str
        "vlmneg", "negclip" (TSV), "ce_clip" (TSV, or .npy records as released; AHNPL's with five slots).
    seed : int in [0, 2**64)
    visit : int in [0, 2**32)
        Another visit gives other negatives.
    tagger : str or Tagger, optional
        What tells word classes; its annotations are kept beside the captions. None: the built-in lexicon.
    images : path, optional
        Folder of the pictures: tars carry them along, the page shows them.
    html : path, optional
        A page with examples, drawn by seed.
    examples : int
        Captions on the page.
    overwrite : bool
        Replace a file that other settings made.
    progress : bool, optional
        Show a bar; by default where the standard error stream is a terminal.

    Returns
    -------
    Summary

    Raises
    ------
    ValueError
        An argument isn't what is described here, or `out` holds what other settings made.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "captions.txt").write_text("a black dog and a white cat\\na red ball\\n")
    >>> summary = make(folder / "captions.txt", "default", folder / "negatives.jsonl", progress=False)
    >>> summary.captions, summary.with_negative
    (2, 2)
    """
    source, generator = read_captions(captions), find_recipe(recipe)
    annotations = _annotated(captions, source, tagger, progress) if tagger not in (None, "lexicon") else None
    settings = {"captions": _digest(source.path), "negatives": repr(generator), "seed": seed, "visit": visit,
                "layout": layout, "vlmneg": VERSION,
                "tagger": "lexicon" if annotations is None else f"{annotations.tagger} {annotations.version}"}
    work = _Work(out, layout, generator.k, settings, overwrite, Path(images) if images else None) if out else None
    summary = work.summary if work else Summary()
    done = work.rows if work else 0
    size = CHUNK if all(hasattr(p, "slot") or p.name in ("exact", "mix") for p in generator.parts) else ASKING
    shown = []
    wanted = _spread(len(source), examples if html else 0, seed)
    with Progress(len(source), "negatives", unit="caption", start=done, show=progress) as bar:
        rows = itertools.islice(source, done, None)
        while chunk := list(itertools.islice(rows, size)):
            result = generator([r.caption for r in chunk], seed, visit=visit, ids=[r.key for r in chunk],
                               avoid=[r.others for r in chunk], annotations=annotations)
            summary.add(result)
            if work:
                work.write(chunk, result)
            shown += [(row, result, i) for i, row in enumerate(chunk) if row.key in wanted]
            bar.add(len(chunk), valid=f"{100 * summary.valid / summary.slots:.0f}%")
    if work and not work.finished:
        work.finish()
    if html:
        if len(shown) < len(wanted):        # rows of an earlier call
            missing = [r for r in source if r.key in wanted - {s[0].key for s in shown}]
            result = generator([r.caption for r in missing], seed, visit=visit, ids=[r.key for r in missing],
                               avoid=[r.others for r in missing], annotations=annotations)
            shown = sorted(shown + [(r, result, i) for i, r in enumerate(missing)], key=lambda s: s[0].key)
        with atomic_file(html) as temporary:
            Path(temporary).write_text(_page(source, generator, summary, shown, images), encoding="utf-8")
        summary.files.append(str(html))
    return summary


class _Work:
    """The file that is being written, and beside it how far it is."""

    def __init__(self, out: str | Path, layout: str, k: int, settings: dict, overwrite: bool,
                 images: Path | None) -> None:
        self.out, self.settings = Path(out), settings
        self.state, self.about = Path(f"{out}.progress.json"), Path(f"{out}.provenance.json")
        self.writer = writer(out, layout, k, images)
        self.summary, self.rows, self.finished = Summary(), 0, False
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


def _annotated(path: str | Path, source: Any, tagger: Any, progress: bool | None) -> Any:
    from vlmneg.negatives.annotations import annotate

    return annotate([row.caption for row in source], tagger, cache=path, progress=progress is not False)


def _digest(path: Path) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _spread(n: int, wanted: int, seed: int) -> set[int]:
    """Numbers of the captions on the page: one drawn from each of as many equal stretches."""
    from vlmneg import _core

    wanted = min(n, wanted)
    return {(i * n + (_core.philox(seed, i, 0, STREAM_SHOWN)[0] * n >> 32)) // wanted for i in range(wanted)}


def _page(source: Any, generator: Any, summary: Summary, shown: list, images: Any) -> str:
    folder = Path(images) if images else None
    parts = [html_of(result, [i], [folder / row.image] if folder and row.image else None) for row, result, i in shown]
    return report.page("Negatives", [
        ("", [report.paragraph(f"`{generator!r}` on {source.path.name}", soft=True)]),
        ("Examples", parts),
        ("Counts", [f"<pre>{summary.table()}</pre>"])])
