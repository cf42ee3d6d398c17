"""WiSE-FT: scores of the models between a start and what it was fine-tuned to, by the share of the tuned weights."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import report, show
from .benchmarks import names
from .checkpoints import atomic_file
from .ensemble import interpolate
from .evaluation import evaluate
from .progress import Progress
from .settings import SettingsError, check_keys

if TYPE_CHECKING:
    from PIL import Image

    from .clip import Clip

ALPHAS = tuple(n / 10 for n in range(11))
SCENES, FIRST_SCENE = 500, 3 * 10**6        # where no files are named: scenes that no recipe of the package trains on
LEADING = ("macro", "i2t_r1", "t2i_r1")     # figures that stand for a benchmark
SUMMARY = "Mix the weights of a model and what it was fine-tuned to, and measure each mixture."
EXAMPLES = """examples:
  vlmneg wise clip-vit-base-patch32 runs/negclip sugarcrepe --annotations sugarcrepe --images val2017 --out wise
  vlmneg wise runs/a/start runs/a edits retrieval              on drawn scenes, which need no files
  vlmneg wise START TUNED retrieval --captions captions.json --images images --alphas 0,0.25,0.5 --save best mixed

START and TUNED are checkpoints of one configuration: a folder, a run's folder (its newest checkpoint; with /ema its
average) or hf-hub:org/name. Without files, edits and retrieval are asked of drawn scenes. --out gets wise.png,
wise.txt and wise.json."""


@dataclass(frozen=True)
class Sweep:
    """Scores by the share alpha of the tuned weights.

    Attributes
    ----------
    alphas : tuple of float
    scores : mapping of str to tuple of float
        By figure, as ``"edits macro"``, one an alpha: fractions in [0, 1].
    """

    alphas: tuple[float, ...]
    scores: Mapping[str, tuple[float, ...]]

    @property
    def means(self) -> tuple[float, ...]:
        """What the best alpha is chosen by: benchmarks' means, those of R@1 both ways for retrieval, averaged."""
        by_benchmark: dict[str, list[Any]] = {}
        for name, column in self.leading().items():
            by_benchmark.setdefault(name.partition(" ")[0], []).append(column)
        return tuple(np.mean([np.mean(columns, 0) for columns in by_benchmark.values()], 0).tolist())

    @property
    def best(self) -> float:
        """The alpha with the highest mean, the smallest of equal ones."""
        return self.alphas[int(np.argmax(self.means))]

    def leading(self) -> dict[str, tuple[float, ...]]:
        """The figures that stand for the benchmarks.

        Returns
        -------
        dict of str to tuple of float
        """
        return {name: column for name, column in self.scores.items() if name.partition(" ")[2] in LEADING}

    def table(self) -> str:
        """A line an alpha, in percent; the best is marked.

        Returns
        -------
        str
        """
        marks = ["  best" if alpha == self.best else "" for alpha in self.alphas]
        rows = [[f"{alpha:g}", *(f"{100 * column[n]:.1f}" for column in self.scores.values()),
                 f"{100 * self.means[n]:.1f}", marks[n]] for n, alpha in enumerate(self.alphas)]
        short = [name.partition(" ")[2] for name in self.scores]
        head = short if len(set(short)) == len(short) else list(self.scores)
        return report.text_table(["alpha", *head, "mean", ""], rows)

    def curve(self) -> Image.Image:
        """The leading figures over alpha.

        Returns
        -------
        PIL image
        """
        said = {name: name.replace(" ", ": ", 1) for name in self.leading()}
        lines = {said[name]: list(zip(self.alphas, column, strict=True)) for name, column in self.leading().items()}
        every = [y for points in lines.values() for _, y in points]
        room = 0.05 * max(max(every) - min(every), 0.02)
        drawn = show.curves(lines, title=f"from start to tuned; best at {self.best:g}",
                            x_name="alpha: share of the tuned weights", low=max(0.0, min(every) - room),
                            high=max(every) + room, percent=True, width=680, height=380)
        return show.stack([drawn])

    def to_dict(self) -> dict[str, Any]:
        """All as JSON can hold it.

        Returns
        -------
        dict
        """
        return {**asdict(self), "means": self.means, "best": self.best}

    def save(self, folder: str | Path) -> None:
        """Write wise.png, wise.txt and wise.json.

        Parameters
        ----------
        folder : path
        """
        files = {"wise.png": show.png(self.curve()), "wise.txt": (self.table() + "\n").encode(),
                 "wise.json": (json.dumps(self.to_dict(), indent=2) + "\n").encode()}
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            with atomic_file(Path(folder) / name) as part:
                part.write_bytes(content)


def sweep(start: Clip, tuned: Clip, benchmarks: str | Sequence[str] = ("edits", "retrieval"), *,
          alphas: Sequence[float] = ALPHAS, annotations: Any = None, images: Any = None, data: Any = None,
          progress: bool | None = None) -> Sweep:
    """Measure models whose weights lie on the line from a start to what it was fine-tuned to.

    Parameters
    ----------
    start, tuned : Clip
        Of one configuration.
    benchmarks : str or sequence of str
        As of ``vlmneg.evaluate``.
    alphas : sequence of float in [0, 1]
        Shares of the tuned weights.
    annotations, images : path, optional
        The benchmarks' files and the folder of their pictures.
    data : data set, optional
        In place of both. With neither, edits and retrieval are asked of 500 drawn scenes.
    progress : bool, optional
        Whether a bar shows; by default where standard error is a terminal.

    Returns
    -------
    Sweep

    Raises
    ------
    ValueError
        An unknown benchmark, an alpha out of range, or models whose weights don't mix.

    References
    ----------
    Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022, arXiv:2109.01903.

    Examples
    --------
    >>> import vlmneg as vn
    >>> data = vn.data.scenes(8)
    >>> tokenizer = vn.Tokenizer.learn(data.captions(), 600)
    >>> start = vn.Clip(vn.ClipConfig.tiny(vocab=tokenizer.vocab_size), tokenizer=tokenizer)
    >>> tuned = vn.ensemble.copy(start)
    >>> for record in vn.train(tuned, data, batch=8, steps=2, lr=1e-3):
    ...     pass
    >>> found = sweep(start, tuned, "retrieval", alphas=(0, 0.5, 1), data=data)
    >>> found.alphas, len(found.scores["retrieval i2t_r1"])
    ((0.0, 0.5, 1.0), 3)
    """
    benchmarks = [benchmarks] if isinstance(benchmarks, str) else list(benchmarks)
    check_keys(benchmarks, names(), "benchmark ")
    shares = tuple(map(float, alphas))
    if not benchmarks or not shares:
        raise ValueError("a sweep needs at least one benchmark and one alpha")
    if annotations is None and images is None and data is None:
        from .data import scenes

        data = scenes(SCENES, first=FIRST_SCENE)
    for alpha in (min(shares), max(shares)):
        interpolate(start, tuned, alpha)            # says what is wrong before anything is measured
    scores: dict[str, list[float]] = {}
    with Progress(len(shares), "wise", unit="model", show=progress) as bar:
        for alpha in shares:
            mixed = interpolate(start, tuned, alpha)
            for benchmark in benchmarks:
                found = evaluate(mixed, benchmark, annotations=annotations, images=images, data=data, bootstrap=0,
                                 progress=False)
                for name in _columns(found):
                    scores.setdefault(f"{benchmark} {name}", []).append(found[name])
            bar.add()
    return Sweep(shares, {name: tuple(column) for name, column in scores.items()})


def _columns(found: Mapping[str, float]) -> list[str]:
    """Sub-tasks and their mean; R@1 both ways for retrieval."""
    if "i2t_r1" in found:
        return ["i2t_r1", "t2i_r1"]
    other = ("micro", "type_micro", "type_macro")
    return [name for name in found if name not in other]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the command its arguments.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    """
    parser.add_argument("start", metavar="START", help="the model before fine-tuning")
    parser.add_argument("tuned", metavar="TUNED", help="the model after it")
    parser.add_argument("benchmark", nargs="+", choices=names(), metavar="BENCHMARK",
                        help=f"what to measure: {', '.join(names())}")
    parser.add_argument("--alphas", default=",".join(f"{a:g}" for a in ALPHAS), metavar="A,B,..",
                        help="shares of the tuned weights (default: %(default)s)")
    parser.add_argument("--annotations", "--captions", metavar="PATH", help="the benchmark's file or folder")
    parser.add_argument("--images", metavar="DIR", help="folder with the pictures")
    parser.add_argument("--tokenizer", metavar="PATH", help="vocabulary, where the checkpoints have none")
    parser.add_argument("--activation", choices=("quick_gelu", "gelu"), help="where the checkpoints don't say")
    parser.add_argument("--out", metavar="DIR", help="write curve, table and scores there")
    parser.add_argument("--save", nargs=2, metavar=("ALPHA", "DIR"), help="write the model of a share, or of the best")


def main(given: argparse.Namespace) -> Sweep:
    """Run the command.

    Parameters
    ----------
    given : argparse.Namespace

    Returns
    -------
    Sweep
    """
    from .experiment import load_model

    alphas = [_number(word, "--alphas") for word in given.alphas.split(",")]
    saved = _number(given.save[0], "--save") if given.save and given.save[0] != "best" else None
    start, tuned = (load_model(path, given.activation, given.tokenizer) for path in (given.start, given.tuned))
    found = sweep(start, tuned, given.benchmark, alphas=alphas, annotations=given.annotations, images=given.images,
                  progress=False if given.json else None)
    if given.out:
        found.save(given.out)
    if given.save:
        interpolate(start, tuned, found.best if saved is None else saved).save_pretrained(given.save[1])
    return found


def _number(word: str, option: str) -> float:
    try:
        alpha = float(word)
    except ValueError:
        alpha = -1.0
    if not 0 <= alpha <= 1:
        more = " or best" if option == "--save" else ""
        raise SettingsError(f"{option} takes numbers in [0, 1]{more}, got {word!r}")
    return alpha
