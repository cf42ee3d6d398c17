"""What an evaluation leaves: figures by name, a table, one row per example, and the record that explains them."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import html
import json
import math
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from . import _core
from .benchmarks import Benchmark, Item, version
from .scoring import Figure, Row

_COLUMNS = {
    "choice": ("subset", "key", "image", "scores", "correct", "ties"),
    "retrieval": ("subset", "key", "image", "rank", "tied", "correct", "ties"),
}


class Result(Mapping[str, float]):
    """Figures of one model on one benchmark, by name, as fractions in [0, 1].

    Attributes
    ----------
    benchmark : str
    figures : dict of str to vlmneg.scoring.Figure
        With counts, every rule for ties, interval and standard error.
    rows : list of dict
        One per example: ``subset``, ``key``, ``image``, ``scores`` in the options' order (retrieval: ``rank`` and
        ``tied``), ``correct`` with ties wrong, ``ties``.
    record : dict
        All that ``result.json`` holds besides the figures.
    """

    def __init__(self, benchmark: str, figures: dict[str, Figure], rows: list[Row], record: dict[str, Any]) -> None:
        self.benchmark, self.figures, self.rows, self.record = benchmark, figures, rows, record

    def __getitem__(self, name: str) -> float:
        if name not in self.figures:
            near = difflib.get_close_matches(str(name), self.figures, 1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise KeyError(f"no figure {name!r}{hint} There are {', '.join(self.figures)}")
        return self.figures[name].value

    def __iter__(self) -> Iterator[str]:
        return iter(self.figures)

    def __len__(self) -> int:
        return len(self.figures)

    def __repr__(self) -> str:
        return f"Result({self.benchmark!r}, " + ", ".join(f"{n}={f.value:.4f}" for n, f in self.figures.items()) + ")"

    def table(self) -> str:
        """The figures in percent as text: rows, strict and lenient, ties, interval, standard error, and notes."""
        head, body = self._cells()
        widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
        lines = [self._title()]
        for cells in (head, *body):
            first, *rest = (cell.ljust(w) if n == 0 else cell.rjust(w)
                            for n, (cell, w) in enumerate(zip(cells, widths, strict=True)))
            lines.append("  ".join([first, *rest]).rstrip())
        return "\n".join(lines + self._notes())

    def _repr_html_(self) -> str:
        head, body = self._cells()
        rows = ["<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"
                for tag, cells in [("th", head), *(("td", cells) for cells in body)]]
        notes = "".join(f"<br>{html.escape(note)}" for note in self._notes())
        return f"<table><caption>{html.escape(self._title())}</caption>{''.join(rows)}</table><small>{notes}</small>"

    def save(self, folder: Any) -> None:
        """Writes ``result.json`` and ``examples.tsv`` into a folder, which is made; each appears whole or not at all.

        Parameters
        ----------
        folder : path
        """
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        figures = {name: dataclasses.asdict(figure) for name, figure in self.figures.items()}
        document = {**self.record, "figures": figures}
        text = json.dumps(_plain(document), indent=2, ensure_ascii=False, allow_nan=False)
        _write(place / "examples.tsv", self._examples())
        _write(place / "result.json", text + "\n")

    def _examples(self) -> str:
        columns = _COLUMNS[self.record["metric"]["task"]]
        lines = ["\t".join(columns)]
        for row in self.rows:
            cells = {**row, "scores": ",".join(f"{s:.9g}" for s in row.get("scores", ()))}
            lines.append("\t".join(re.sub(r"[\t\r\n]+", " ", str(cells[c])) for c in columns))
        return "\n".join(lines) + "\n"

    def _title(self) -> str:
        metric = self.record["metric"]
        rule = {"strict": "ties are wrong", "half": "ties count their expected value", "lenient": "ties are right",
                "first": "ties go to the first option"}[metric["ties"]]
        draws = f"; 95% interval from {metric['bootstrap']} draws of pictures" if metric["bootstrap"] else ""
        return f"{self.benchmark}: {len(self.rows)} rows, {metric['pictures']} pictures; percent, {rule}{draws}"

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        metric = self.record["metric"]
        rules = list(dict.fromkeys((metric["ties"], "strict", "lenient")))
        blind = metric.get("fewer_tokens")
        head = ["", "rows", *rules, "ties", "95% interval", "s.e.", *(["fewer tokens"] if blind else [])]
        body = []
        for name, figure in self.figures.items():
            interval = "" if math.isnan(figure.low) else f"{100 * figure.low:.2f} to {100 * figure.high:.2f}"
            error = "" if math.isnan(figure.error) else f"{100 * figure.error:.2f}"
            body.append([name, str(figure.rows), *(f"{100 * getattr(figure, rule):.2f}" for rule in rules),
                         str(figure.ties), interval, error, *([f"{100 * blind[name]:.2f}"] if blind else [])])
        return head, body

    def _notes(self) -> list[str]:
        bench, metric = self.record["benchmark"], self.record["metric"]
        notes = [f"left out: {count}, {reason}" for reason, count in bench["left_out"].items()]
        if bench["absent"]:
            notes.append(f"no file for {', '.join(bench['absent'])}")
        if metric.get("unwinnable"):
            notes.append(f"{len(metric['unwinnable'])} rows cannot be won: two options have the same tokens")
        if metric.get("near_ties"):
            notes.append(f"{metric['near_ties']} rows are decided by less than 1e-6")
        if "chance" in metric:
            notes.append(f"chance: {100 * metric['chance']:.2f}")
        return notes


def describe_model(model: Any) -> dict[str, Any]:
    """What identifies a model: its file, a hash of its weights, its configuration and its tokenizer's hash."""
    config = getattr(model, "config", None)
    described = {
        "class": type(model).__name__,
        "path": None if getattr(model, "path", None) is None else str(model.path),
        "config": dataclasses.asdict(config) if dataclasses.is_dataclass(config) else None,  # type: ignore[arg-type]
        "tokenizer": getattr(getattr(model, "tokenizer", None), "hash", None),
    }
    if callable(getattr(model, "state_dict", None)):
        digest = hashlib.sha256()
        state = model.state_dict()
        for name in sorted(state):
            array = np.ascontiguousarray(state[name])
            digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
            digest.update(array.data)
        described["weights_sha256"] = digest.hexdigest()
        if "logit_scale" in state:
            described["logit_scale"] = float(state["logit_scale"])
    return described


def describe_benchmark(read: Benchmark, items: list[Item], left_out: list[tuple[Item, str]],
                       shown: Mapping[str, str]) -> dict[str, Any]:
    """What was measured on: the examples' and pictures' hashes, counts, and what is not in the figures."""
    reasons = Counter({name: count for name, count in read.skipped.items() if count})
    reasons.update(reason.split(":")[0] for _, reason in left_out)
    return {
        "name": read.name, "version": read.version, "absent": list(read.absent),
        "subsets": dict(Counter(item.subset for item in items)) if read.rule == "choice" else {},
        "examples": len(read.items), "used": len(items), "left_out": dict(reasons),
        "left_out_first": [f"{item.subset}/{item.key} {item.name}: {reason}" for item, reason in left_out[:20]],
        "pictures_sha256": version(sorted([name, digest] for name, digest in shown.items())),
    }


def describe_software(seconds: float) -> dict[str, Any]:
    """Versions and machine: what else a figure may depend on."""
    import PIL

    import vlmneg

    build = getattr(vlmneg, "build_info", None)
    return {"vlmneg": vlmneg.__version__, "numpy": np.__version__, "pillow": PIL.__version__, "precision": "float32",
            "threads": _core.threads(), "build": build() if build else None, "seconds": round(seconds, 3)}


def _plain(value: Any) -> Any:
    """The value in JSON's types; NaN becomes null."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(text.encode("utf-8", "replace"))
    os.replace(part, path)
