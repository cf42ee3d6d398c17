"""What a comparison leaves behind: tables as text, CSV, Markdown and JSON, pictures, and a page that holds them."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import report, show
from ..checkpoints import atomic_file
from .figures import BASELINE, MEAN, RETRIEVAL

COLUMNS = 4                         # of small pictures
SHORT = {"image_to_text": "image to text R@1", "text_to_image": "text to image R@1"}
History = dict[str, list[tuple[float, float]]]


def lines(path: Path) -> list[dict[str, Any]]:
    """The records of a JSON-lines file, up to one that a kill cut short; none where there is no file."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found


def history(folder: Path) -> History:
    """Loss of each step, and accuracy on the way, of one run."""
    return {"loss": [(r["step"], r["loss"]) for r in lines(folder / "metrics.jsonl")],
            "accuracy": [(r["step"], r["accuracy"]) for r in lines(folder / "held_out.jsonl")]}


def folder(out: Path, summary: dict[str, Any], histories: Mapping[str, list[History]]) -> None:
    """Write all; each file appears whole or not at all."""
    files = {name: show.png(show.stack([picture])) for name, picture in pictures(summary, histories).items()}
    files["report.html"] = page(summary, files).encode()
    files["table.txt"] = (table(summary) + "\n").encode()
    files["table.csv"] = table_csv(summary).encode()
    files["table.md"] = table_md(summary).encode()
    files["summary.json"] = (json.dumps(summary, indent=2) + "\n").encode()
    for name, content in files.items():
        with atomic_file(out / name) as part:
            part.write_bytes(content)


def table(summary: Mapping[str, Any]) -> str:
    """Both tables for a terminal: figures, and differences to plain fine-tuning."""
    parts = [report.text_table(*cells(summary, "figures")), report.text_table(*cells(summary, "difference")),
             *_notes(summary)]
    return "\n\n".join(parts)


def table_csv(summary: Mapping[str, Any]) -> str:
    """A line a recipe and figure: mean and both intervals, of the figure and of its difference to the baseline."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    ends = ("", "_seeds_low", "_seeds_high", "_pictures_low", "_pictures_high")
    writer.writerow(["recipe", "runs", "figure", *(part + end for part in ("value", "difference") for end in ends)])
    for label, found in summary["recipes"].items():
        for name, figure in found["figures"].items():
            row = [label, len(figure["values"]), name]
            for given in (figure, found["difference"].get(name)):
                pairs = [given[kind] or ["", ""] for kind in ("seeds", "pictures")] if given else [["", ""]] * 2
                row += [given["mean"] if given else "", *pairs[0], *pairs[1]]
            writer.writerow(row)
    return stream.getvalue()


def table_md(summary: Mapping[str, Any]) -> str:
    """The short table of a documentation page: accuracy, gain over plain fine-tuning, cost on retrieval."""
    head = ["recipe", "mean of edits", "gain over plain", "over scenes" if _drawn(summary) else "over pictures",
            *(f"{show.spoken(way)}" for way in RETRIEVAL.values())]
    rows = []
    for label, found in summary["recipes"].items():
        gain = found["difference"].get(MEAN)
        rows.append([f"`{label}`" if label != "start" else label, f"{100 * found['figures'][MEAN]['mean']:.1f}",
                     _ranged(gain, "seeds"), _ranged(gain, "pictures", bare=True),
                     *(_ranged(found["difference"].get(way), "seeds") for way in RETRIEVAL.values())])
    body = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in body) + "\n"


def cells(summary: Mapping[str, Any], part: str) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the figures, or of the differences, in percent with half the interval over seeds."""
    recipes = {k: v for k, v in summary["recipes"].items() if v[part]}
    names = list(next(iter(summary["recipes"].values()))["figures"])
    sign = "+" if part == "difference" else ""
    first = "percent right" if part == "figures" else "minus plain"
    rows = []
    for label, found in recipes.items():
        rows.append([label, *(f"{100 * found[part][name]['mean']:{sign}.1f}{_half(found[part][name])}"
                              for name in names)])
    return [first, *(SHORT.get(name, show.spoken(name)) for name in names)], rows


def pictures(summary: Mapping[str, Any], histories: Mapping[str, list[History]]) -> dict[str, Any]:
    """bars.png and curves.png, and from three kinds of edit on radar.png."""
    made = {"bars.png": _bars(summary), "curves.png": _curves(summary, histories)}
    return made | ({"radar.png": _radars(summary)} if len(_edits(summary)) > 2 else {})


def _half(figure: Mapping[str, Any]) -> str:
    return "" if figure["seeds"] is None else f" \u00b1{50 * (figure['seeds'][1] - figure['seeds'][0]):.1f}"


def _ranged(figure: Mapping[str, Any] | None, kind: str, bare: bool = False) -> str:
    """A difference with its interval, or the interval alone."""
    if figure is None:
        return ""
    ends = "" if figure[kind] is None else "{:+.1f} to {:+.1f}".format(*(100 * v for v in figure[kind]))
    return ends if bare else f"{100 * figure['mean']:+.1f}" + (f" ({ends})" if ends else "")


def _drawn(summary: Mapping[str, Any]) -> bool:
    return summary["settings"]["data"].get("kind", "scenes") == "scenes"


def _edits(summary: Mapping[str, Any]) -> list[str]:
    return [name for name in summary["recipes"]["start"]["figures"] if name not in (MEAN, *RETRIEVAL.values())]


def _base(summary: Mapping[str, Any]) -> list[str]:
    """The baseline, if it is done."""
    return [BASELINE] if BASELINE in summary["recipes"] else []


def _rest(summary: Mapping[str, Any]) -> list[str]:
    return [label for label in summary["recipes"] if label not in ("start", BASELINE)]


def _bars(summary: Mapping[str, Any]) -> Any:
    """A panel a figure, a bar a recipe, with the interval over seeds, or over pictures where there is one run."""
    recipes = summary["recipes"]
    panels = []
    for name in next(iter(recipes.values()))["figures"]:
        bars = {label: (found["figures"][name]["mean"], *_ends(found["figures"][name]))
                for label, found in recipes.items()}
        panels.append(show.intervals(bars, title=SHORT.get(name, show.spoken(name)), grey=("start", BASELINE),
                                     line=bars[BASELINE][0] if BASELINE in bars else None,
                                     chance=None if name in SHORT else 0.5))
    return _grid(panels, 2)


def _ends(figure: Mapping[str, Any]) -> list[float]:
    return figure["seeds"] or figure["pictures"] or [math.nan, math.nan]


def _radars(summary: Mapping[str, Any]) -> Any:
    """A panel a recipe: accuracy by edit, with plain fine-tuning below it in grey."""
    recipes = summary["recipes"]
    base = _base(summary) or ["start"]
    shown = {label: {name: found["figures"][name]["mean"] for name in _edits(summary)}
             for label, found in recipes.items()}
    panels = [show.radar({base[0]: shown[base[0]], label: shown[label]}, low=_middle(summary), title=label)
              for label in (_rest(summary) or base)]
    return _grid(panels, COLUMNS)


def _middle(summary: Mapping[str, Any]) -> float:
    """What the middle of a radar stands for: 40% or less."""
    least = min(figure["mean"] for found in summary["recipes"].values() for name, figure in found["figures"].items()
                if name not in RETRIEVAL.values())
    return min(0.4, math.floor(10 * least) / 10)


def _curves(summary: Mapping[str, Any], histories: Mapping[str, list[History]]) -> Any:
    """Two panels a recipe: loss, and accuracy beside that of plain fine-tuning; the bands hold all seeds."""
    base = _base(summary)
    panels = []
    for label in [*base, *_rest(summary)]:
        losses = _merged([run["loss"] for run in histories[label]], 60)
        panels.append(show.curves({label: losses[0]}, bands={label: losses[1]}, title="loss", width=270, height=210))
        series, bands = {}, {}
        for name in dict.fromkeys([*base, label]):
            series[name], bands[name] = _merged([run["accuracy"] for run in histories[name]], 60)
        panels.append(show.curves(series, bands=bands, title="accuracy", low=0.4, high=1.0, chance=0.5, percent=True,
                                  width=270, height=210))
    return _grid(panels, COLUMNS)


def _merged(runs: list[list[tuple[float, float]]], most: int) -> tuple[list[tuple[float, float]],
                                                                       list[tuple[float, float, float]]]:
    """Mean over runs at the steps that all have, smoothed to so many points; and the lowest and highest run."""
    common = sorted(set.intersection(*(set(step for step, _ in run) for run in runs))) if runs else []
    if not common:
        return [], []
    values = np.array([[dict(run)[step] for step in common] for run in map(dict, runs)])
    size = -(-len(common) // most)
    x = [float(np.mean(common[i:i + size])) for i in range(0, len(common), size)]
    means = np.stack([values[:, i:i + size].mean(1) for i in range(0, len(common), size)], 1)
    return (list(zip(x, means.mean(0).tolist(), strict=True)),
            list(zip(x, means.min(0).tolist(), means.max(0).tolist(), strict=True)))


def _grid(panels: list[Any], columns: int) -> Any:
    return show.stack([show.beside(panels[i:i + columns], gap=20) for i in range(0, len(panels), columns)], gap=26,
                      margin=0)


def _notes(summary: Mapping[str, Any]) -> list[str]:
    runs = max(len(f["figures"][MEAN]["values"]) for f in summary["recipes"].values())
    notes = ["\u00b1 is half of the 95% interval over seeds (Student's t); differences are taken seed by seed"
             if runs > 1 else "one seed: intervals over held-out pictures are in table.csv"]
    notes += [f"failed: {run}: {reason}" for run, reason in summary["failed"].items()]
    if summary["missing"]:
        notes.append(f"not finished: {summary['missing']} runs; the same command goes on")
    return notes


def page(summary: Mapping[str, Any], files: Mapping[str, bytes]) -> str:
    """The page with tables and pictures."""
    s = summary["settings"]
    told: Iterable[str] = [report.paragraph(note[0].upper() + note[1:] + ".") for note in _notes(summary)[1:]]
    sections = [
        ("", [report.paragraph("Recipes trained from one start on the same data, beside plain fine-tuning, which is "
                               f"`{BASELINE}`: same steps, batches, learning rates and seeds, and "
                               "no negatives."), *told]),
        ("What they know", [
            report.html_table(*cells(summary, "figures"), means=[BASELINE]),
            report.paragraph("Percent of held-out questions that are answered right; a tie is wrong. After \u00b1: "
                             "half of the 95% interval over seeds (Student's t). `start` is the model before training.",
                             soft=True),
            report.picture(files["bars.png"], "figures of each recipe with intervals"),
            report.paragraph("Whiskers: 95% over seeds, or over held-out pictures where there is one run. The thin "
                             "line is plain fine-tuning; the dashed one is chance.", soft=True)]),
        ("Gain and cost beside plain fine-tuning", [
            report.html_table(*cells(summary, "difference")),
            report.paragraph("Points; differences are taken seed by seed before they are averaged.", soft=True),
            report.html_table(*_compact(summary)),
            report.paragraph("The mean of all edits, with both 95% intervals: what other seeds would give, and what "
                             f"other pictures would give (bootstrap over pictures, {s['bootstrap']} draws).",
                             soft=True)]),
        *([("By kind of edit", [
            report.picture(files["radar.png"], "radar of each recipe"),
            report.paragraph(f"Grey is plain fine-tuning; {100 * _middle(summary):.0f}% in the middle, 100% at the "
                             "rim.", soft=True)])] if "radar.png" in files else []),
        ("How they got there", [
            report.picture(files["curves.png"], "loss and accuracy while training"),
            report.paragraph("Lines are means over seeds, areas hold all seeds. Losses of different objectives aren't "
                             "comparable. Accuracy on the way is that on edited captions of a part of the held-out "
                             "pictures.", soft=True)]),
        ("How it was done", _method(summary)),
    ]
    return report.page("Recipes compared", sections)


def _method(summary: Mapping[str, Any]) -> list[str]:
    """What runs have in common, and what each recipe brings."""
    s = summary["settings"]
    start = f"`{json.dumps(s['start'])}`" if isinstance(s["start"], Mapping) else s["start"]
    return [
        report.paragraph(f"Start: {start}. Data: `{json.dumps(s['data'])}`; held out: `{s['held_out']}`. Each run: "
                         f"{s['train']['steps']} steps of {s['train']['batch']} pictures, learning rate "
                         f"{s['train']['lr']:g}, warm-up and cosine."),
        *(report.paragraph(f"`{label}`: `{found['objective']}`; negatives: `{found['negatives']}`; training: "
                           f"`{found['training']}`.")
          for label, found in summary["recipes"].items() if "objective" in found),
        report.paragraph(f"vlmneg {s['version']}, {s['seeds']} seeds, {s['threads']} threads. Figures: `summary.json`, "
                         "`table.csv`; each run with its model and answers: `runs`.", soft=True)]


def _compact(summary: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    rows = [[label, _ranged(found["difference"][MEAN], "seeds"), _ranged(found["difference"][MEAN], "pictures", True)]
            for label, found in summary["recipes"].items() if found["difference"]]
    return ["mean of edits, minus plain", "over seeds", "over pictures"], rows
