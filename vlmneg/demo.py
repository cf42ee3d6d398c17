"""The embedded demonstration: one small CLIP trained twice on drawn scenes, without and with hard negatives.

Both start from the same weights and see the same pictures and captions at the same steps with the same learning rate.
They differ in one thing: the second also reads negative captions of each picture. Both are then asked, on scenes that
neither saw, whether a picture fits its caption better than the caption after an edit.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from . import report, show
from .build import VERSION, num_threads
from .checkpoints import atomic_file
from .clip import Clip
from .config import ClipConfig
from .data import Dataset, scenes
from .evaluation import evaluate
from .negatives import text
from .progress import Progress
from .tokenizer import Tokenizer
from .training import train

STEPS, BATCH, RATE = 1600, 32, 1e-3
TRAINING, HELD_OUT, FIRST_HELD_OUT = 16000, 1000, 10**6
LABELS = {"plain": "plain", "negatives": "with negatives"}
OBJECTIVES = {"plain": "infonce", "negatives": "negclip"}
SWAPS = ("attribute_swap", "object_swap", "relation_swap")
MARK, MAKER = "demo.json", "vlmneg demo"
MADE = (*LABELS, "held_out.jsonl", "summary.json", "report.html", "accuracy.png", "scenes.png", "curves.png",
        "overview.png")
POINTS, POINT_SCENES = 16, 250      # measurements on the way, and held-out scenes in each
log = logging.getLogger("vlmneg")


def run(out: str | Path = "vlmneg-demo", seed: int = 0, *, steps: int = STEPS, training: int = TRAINING,
        held_out: int = HELD_OUT, progress: bool = False) -> dict[str, Any]:
    """Train one small CLIP without and with hard negatives, measure both, write a report.

    Ctrl-C stops the training; both models are measured and reported as they are, and KeyboardInterrupt goes on.

    Parameters
    ----------
    out : str or Path
        Folder for report.html, summary.json, the pictures, and a run's folder a model. New, empty, or of an earlier
        demo, which is then replaced.
    seed : int in [0, 2**63)
        Of scenes, weights, order and negatives.
    steps : int
        Steps of each model, at least 1.
    training : int
        Scenes to train on, at least one batch of 32.
    held_out : int in [50, 100000]
        Scenes to measure on.
    progress : bool
        Show a bar where the standard error stream is a terminal.

    Returns
    -------
    dict
        What summary.json holds. "plain" and "negatives": accuracy by edit, "binding", the mean of the attribute, object
        and relation swaps, and "mean", of all edits. Beside them retrieval, settings, seconds.

    Raises
    ------
    FileExistsError
        `out` holds something else than an earlier demo.
    ValueError, TypeError
        For an argument out of its range.
    KeyboardInterrupt
        After Ctrl-C.
    """
    _check(seed=(seed, 0, 2**63 - 1), steps=(steps, 1, 10**6), training=(training, BATCH, FIRST_HELD_OUT),
           held_out=(held_out, 50, 10**5))
    began = time.perf_counter()
    folder = _claim(Path(out), {"seed": seed, "steps": steps, "batch": BATCH, "lr": RATE, "training": training,
                                "held_out": held_out})
    world, unseen = scenes(training, seed=seed), scenes(held_out, seed=seed, first=FIRST_HELD_OUT)
    models = make_models(world.captions(), seed)
    stopped = None
    history = History(models)
    try:
        _train(models, Dataset(list(world), {}), unseen, folder, seed, steps, history, progress)
    except KeyboardInterrupt as interrupt:
        stopped = interrupt
        if history.steps == 0:
            raise
        log.warning("stopped at step %d of %d; both models are measured as they are", history.steps, steps)
    trained = time.perf_counter()
    summary: dict[str, Any] = {name: accuracies(model, unseen) for name, model in models.items()}
    summary["chance"] = 0.5
    summary["gain"] = {kind: summary["negatives"][kind] - summary["plain"][kind] for kind in summary["plain"]}
    summary["retrieval"] = {name: retrieval(model, unseen) for name, model in models.items()}
    summary["settings"] = {"seed": seed, "steps": steps, "steps_done": history.steps, "batch": BATCH, "lr": RATE,
                           "training_scenes": training, "held_out_scenes": held_out, "threads": num_threads(),
                           "version": VERSION}
    examples = make_examples(models, unseen, 6)
    summary["seconds"] = {"training": round(trained - began, 1), "all": round(time.perf_counter() - began, 1)}
    _write(folder, summary, history, examples, repr(models["plain"]))
    if stopped:
        raise stopped
    return summary


def make_models(captions: list[str], seed: int) -> dict[str, Clip]:
    """The same new CLIP for each objective.

    Parameters
    ----------
    captions : list of str
        To learn the vocabulary from.
    seed : int

    Returns
    -------
    dict of str to Clip
    """
    return {name: make_model(captions, seed) for name in LABELS}


def make_model(captions: list[str], seed: int) -> Clip:
    """A new CLIP, small enough to learn what drawn scenes hold in a minute.

    Parameters
    ----------
    captions : list of str
        To learn the vocabulary from.
    seed : int

    Returns
    -------
    Clip

    Notes
    -----
    A picture has 2 by 2 patches. Pixels are shifted and scaled so that a patch weighs about as much as its position
    does when training starts; under CLIP's own scale a model this small is slower to see what is where.
    """
    tokenizer = Tokenizer.learn(captions, 700)
    config = ClipConfig(
        embed=64, image_size=64, patch=32, image_width=128, image_heads=4, image_layers=3, image_mlp=256, context=40,
        vocab=tokenizer.vocab_size, text_width=64, text_heads=4, text_layers=2, text_mlp=128,
        mean=(0.14, 0.14, 0.14), std=(1.0, 1.0, 1.0), start=tokenizer.start, end=tokenizer.end)
    return Clip(config, seed=seed, tokenizer=tokenizer)


def accuracies(model: Any, data: Any) -> dict[str, float]:
    """How often a model gives a picture's caption a higher score than the caption after an edit.

    Parameters
    ----------
    model : Clip
    data : Scenes

    Returns
    -------
    dict of str to float
        By edit, "binding" and "mean": fractions in [0, 1]. A tie counts as wrong.
    """
    pictures = model.encode_image(model.preprocess(data.batch(range(len(data)))), normalize=True)
    own = _dots(pictures, model.encode_text(data.captions(), normalize=True))
    found = {}
    for kind in data.kinds:
        edited = data.negative_captions(kind)
        rows = [i for i, caption in enumerate(edited) if caption is not None]
        other = _dots(pictures[rows], model.encode_text([edited[i] for i in rows], normalize=True))
        found[kind] = float(np.mean(own[rows] > other))
    edits = list(found)
    found["binding"] = float(np.mean([found[kind] for kind in SWAPS]))
    found["mean"] = float(np.mean([found[kind] for kind in edits]))
    return found


def retrieval(model: Any, data: Any, most: int = 500) -> dict[str, float]:
    """Recall at 1 among scenes whose captions differ.

    Parameters
    ----------
    model : Clip
    data : Scenes
    most : int
        Scenes to choose among.

    Returns
    -------
    dict of str to float
        "image_to_text" and "text_to_image".
    """
    first = {caption: i for i, caption in reversed(list(enumerate(data.captions())))}
    chosen = Dataset([data[i] for i in sorted(first.values())[:most]], {})
    result = evaluate(model, "retrieval", data=chosen, bootstrap=0, progress=False)
    return {"image_to_text": result["i2t_r1"], "text_to_image": result["t2i_r1"]}


def make_examples(models: Mapping[str, Any], data: Any, count: int) -> list[show.Example]:
    """The first scenes that have every edit, with each model's scores.

    Parameters
    ----------
    models : mapping of str to Clip
    data : Scenes
    count : int

    Returns
    -------
    list of Example
    """
    large = scenes(len(data), seed=data.seed, size=192, first=data.first)
    examples: list[show.Example] = []
    for i in range(len(data)):
        sample = data[i]
        if len(sample.negatives) < len(data.kinds):
            continue
        captions = [sample.captions[0], *(caption for _, caption in sample.negatives)]
        scores = {}
        for name, model in models.items():
            image = model.encode_image(model.preprocess([sample.image]), normalize=True)
            scores[LABELS[name]] = _dots(image, model.encode_text(captions, normalize=True)).tolist()
        examples.append(show.Example(large.batch([i])[0], captions, [kind for kind, _ in sample.negatives], scores))
        if len(examples) == count:
            break
    return examples


class History:
    """What happened on the way: losses of each step, and binding on held-out scenes, both by model."""

    def __init__(self, names: Any) -> None:
        self.steps = 0
        self.loss: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
        self.binding: dict[str, list[tuple[float, float]]] = {name: [] for name in names}


def _train(models: dict[str, Clip], data: Any, unseen: Any, folder: Path, seed: int, steps: int, history: History,
           progress: bool) -> None:
    """Train all models side by side, a step of each at a time, so that an interruption leaves them equally far."""
    few = scenes(min(POINT_SCENES, len(unseen)), seed=unseen.seed, first=unseen.first)
    with contextlib.ExitStack() as stack:
        lines = stack.enter_context(open(folder / "held_out.jsonl", "w", encoding="utf-8"))
        bar = stack.enter_context(Progress(steps, "training both models", show=None if progress else False))
        runs = {}
        for name, model in models.items():
            runs[name] = train(model, data, OBJECTIVES[name], text.exact(k=5) if name == "negatives" else None,
                               batch=BATCH, steps=steps, lr=RATE, augment=False, seed=seed, out=folder / name,
                               save_every=steps)
            stack.callback(runs[name].close)
        for step in range(1, steps + 1):
            for name, records in runs.items():
                history.loss[name].append((step, next(records).loss))
            history.steps = step
            bar.add(plain=history.loss["plain"][-1][1], negatives=history.loss["negatives"][-1][1])
            if step == steps or step % max(1, steps // POINTS) == 0:
                found = {name: accuracies(model, few) for name, model in models.items()}
                for name, values in found.items():
                    history.binding[name].append((step, values["binding"]))
                lines.write(json.dumps({"step": step, **found}) + "\n")
                lines.flush()


def table(summary: Mapping[str, Any]) -> str:
    """The result for a terminal.

    Parameters
    ----------
    summary : mapping
        As `run` returns it.

    Returns
    -------
    str
    """
    return report.text_table(*_accuracy_cells(summary)) + "\n\n" + report.text_table(*_retrieval_cells(summary))


def _accuracy_cells(summary: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    rows = [[show.spoken(kind), *(f"{100 * summary[name][kind]:.1f}" for name in LABELS),
             f"{100 * summary['gain'][kind]:+.1f}", f"{100 * summary['chance']:.0f}"] for kind in summary["plain"]]
    return ["accuracy in percent", *LABELS.values(), "gain", "chance"], rows


def _retrieval_cells(summary: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    by_model = [summary["retrieval"][name] for name in LABELS]
    rows = [[show.spoken(way), *(f"{100 * found[way]:.1f}" for found in by_model),
             f"{100 * (by_model[-1][way] - by_model[0][way]):+.1f}"] for way in by_model[0]]
    return ["retrieval, R@1 in percent", *LABELS.values(), "gain"], rows


def _write(folder: Path, summary: dict[str, Any], history: History, examples: list[show.Example], model: str) -> None:
    """summary.json, the pictures and the page; each appears whole or not at all."""
    values = {LABELS[name]: {kind: v for kind, v in summary[name].items() if kind != "mean"} for name in LABELS}
    accuracy = show.bars(values, chance=summary["chance"], title="caption against edited caption, percent right")
    curves = show.beside([
        show.curves({LABELS[n]: _smooth(p) for n, p in history.loss.items()}, title="training loss"),
        show.curves({LABELS[n]: p for n, p in history.binding.items()}, title="binding on held-out scenes", low=0.4,
                    high=1.0, chance=summary["chance"], percent=True)])
    pictures = {"accuracy.png": [accuracy], "scenes.png": [show.grid(examples)], "curves.png": [curves],
                "overview.png": [accuracy, show.grid(examples[:2])]}
    files = {name: show.png(show.stack(images)) for name, images in pictures.items()}
    files["report.html"] = _page(summary, files, model).encode()
    files["summary.json"] = (json.dumps(summary, indent=2) + "\n").encode()
    for name, content in files.items():
        with atomic_file(folder / name) as part:
            part.write_bytes(content)


def _smooth(points: list[tuple[float, float]], most: int = 150) -> list[tuple[float, float]]:
    """Means of neighbouring points, so that a noisy line can be read."""
    size = -(-len(points) // most)
    return [tuple(np.mean(points[i:i + size], axis=0)) for i in range(0, len(points), size)]


def _page(summary: Mapping[str, Any], files: Mapping[str, bytes], model: str) -> str:
    s, plain, taught = summary["settings"], summary["plain"], summary["negatives"]
    early = s["steps_done"] < s["steps"]
    told = (f"Attribute, object and relation swaps keep a caption's words and change what they say. A model trained on "
            f"captions alone tells them from the truth in {100 * plain['binding']:.0f} of 100 cases, where guessing "
            f"reaches 50; with hard negatives in {100 * taught['binding']:.0f} of 100.")
    sections = [
        ("", [report.paragraph("One small CLIP, trained from scratch twice on drawn scenes: on captions alone, and "
                               "with hard negatives beside each caption."),
              *([report.paragraph(f"Stopped at step {s['steps_done']} of {s['steps']}: both models are shown as they "
                                  "were then.")] if early else []),
              report.paragraph(told)]),
        ("What they learned", [
            report.html_table(*_accuracy_cells(summary), means=("binding", "mean")),
            report.picture(files["accuracy.png"], "accuracy by edit, both models"),
            report.paragraph(f"{s['held_out_scenes']} scenes that neither model saw. Right means that the picture's "
                             "own caption scores above the caption after one edit; a tie is wrong. Binding is the mean "
                             "of the three swaps. A figure is uncertain by about three points.", soft=True),
            report.html_table(*_retrieval_cells(summary)),
            report.paragraph("Retrieval finds a picture's caption, or a caption's picture, among up to 500 held-out "
                             "scenes with different captions.", soft=True)]),
        ("What they say", [
            report.picture(files["scenes.png"], "scenes with their captions, negatives and scores"),
            report.paragraph("The first held-out scenes that have every edit, not chosen by result. Scores are "
                             "cosines; what the edit changed is coloured. A cross marks an edited caption that scores "
                             "at least as high as the true one.", soft=True)]),
        ("How they got there", [
            report.picture(files["curves.png"], "loss and binding while training"),
            report.paragraph("The losses aren't comparable: with negatives each picture has more captions to tell "
                             "apart. Binding on the way is measured on a part of the held-out scenes.", soft=True)]),
        ("How it was done", [
            report.paragraph(f"Model: `{model}`. Same start weights, same {s['steps']} batches of {s['batch']} from "
                             f"{s['training_scenes']} scenes, same schedule (AdamW, {s['lr']:g}, warm-up, cosine). "
                             "`plain` minimises symmetric InfoNCE. `with negatives` minimises it with NegCLIP's extra "
                             "columns, the scene's own exact negatives: up to five a caption, one of each edit."),
            report.paragraph(f"vlmneg {s['version']}, seed {s['seed']}, {s['threads']} threads, "
                             f"{summary['seconds']['all']:.0f} seconds in all. Figures: `summary.json`; each step: "
                             "`plain/metrics.jsonl`, `negatives/metrics.jsonl`; the models: "
                             "`negatives/checkpoints`.", soft=True)]),
    ]
    return report.page("Hard negatives at work", [part for part in sections if part[1]])


def _dots(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a.astype(np.float64) * b).sum(1)


def _check(**given: tuple[Any, int, int]) -> None:
    for name, (value, low, high) in given.items():
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise TypeError(f"{name} must be an integer, got {type(value).__name__}")
        if not low <= value <= high:
            raise ValueError(f"{name} must be in [{low}, {high}], got {value}")


def _claim(folder: Path, settings: dict[str, Any]) -> Path:
    """Make the demo's folder, or empty that of an earlier demo; anything else is left alone and refused."""
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file; out must name a folder")
    if folder.is_dir() and any(folder.iterdir()):
        try:
            ours = json.loads((folder / MARK).read_text(encoding="utf-8"))["made_by"] == MAKER
        except (OSError, ValueError, KeyError, TypeError):
            ours = False
        if not ours:
            raise FileExistsError(f"{folder} holds files that no demo made; choose another out, or empty it")
        for name in MADE:
            path = folder / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).write_text(json.dumps({"made_by": MAKER, "version": VERSION, **settings}, indent=2) + "\n",
                               encoding="utf-8")
    return folder
