"""The training loop: a generator that yields one record a step and leaves a folder from which it can go on."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import re
import signal
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import losses
from .composition import Composition
from .composition import compose as composed
from .data.wrap import Wrapped, wrap
from .learner import Learner, check, needs_start
from .loading import Batch, Batches, ahead
from .negatives.sides import Sides, sides
from .positives import Positives
from .positives import positives as sorted_positives
from .progress import Progress
from .runs import Run
from .schedule import learning_rate, planned
from .settings import TrainSettings


@dataclasses.dataclass(frozen=True)
class Record:
    """What one training step did.

    Attributes
    ----------
    step : int
        Steps done, so from 1.
    epoch : int
        Pass through the data, from 0.
    loss : float
    terms : dict of str to float
        Unweighted value of each term.
    accuracy, valid : float or None
        Share of valid negatives scored below the caption, and of negatives that are valid; None without negatives.
    lr : float
    grad_norm : float
        Before clipping.
    logit_scale : float
        The factor, not its logarithm, after the step.
    tokens : int
        Of this step's captions and negatives.
    skipped : int
        Unreadable images so far.
    examples_per_second : float
    margins : dict of str to float
        The objective's adaptive margins after the step, by type of negative.
    """

    step: int
    epoch: int
    loss: float
    terms: dict[str, float]
    accuracy: float | None
    valid: float | None
    lr: float
    grad_norm: float
    logit_scale: float
    tokens: int
    skipped: int
    examples_per_second: float
    margins: dict[str, float] = dataclasses.field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON can hold it.

        Examples
        --------
        >>> Record(1, 0, 0.5, {}, None, None, 1e-5, 1.0, 14.3, 20, 0, 8.0).to_dict()["loss"]
        0.5
        """
        return dataclasses.asdict(self)


def train(model: Any, data: Sequence, objective: Any = None, negatives: Any = None, *, batch: int = 32,
          epochs: int = 1, steps: int | None = None, lr: float = 1e-5, weight_decay: float = 0.1,
          betas: tuple[float, float] = (0.9, 0.98), eps: float = 1e-6, clip_norm: float | None = None,
          warmup: int | None = None, schedule: str = "cosine", augment: bool = True, seed: int = 0,
          out: str | Path | None = None, resume: bool = False, save_every: int | None = None, keep: int = 2,
          workers: int = 2, optimizer: str = "adamw", decay_all: bool = False, clamp: bool = True,
          train: str | Sequence[str] = "all", layer_decay: float = 1.0, lora: int = 0, lora_alpha: float | None = None,
          lora_on: Sequence[str] | None = None, ema: float = 0.0, teacher: str = "none", accumulate: int = 1,
          positives: Any = None, compose: Any = None,
          progress: bool = False) -> Generator[Record, None, None]:
    """Train a CLIP in place, yielding one record a step.

    What a step computes depends on (seed, step) and the data alone, so a run that was stopped and goes on with
    `resume=True` reaches the same bits as one that wasn't. Leaving the loop, Ctrl-C or an error writes a checkpoint of
    the last completed step into `out`.

    Parameters
    ----------
    model : Clip
        Trained in place. Needs a tokenizer.
    data : Dataset or sequence
        Pictures with their captions, as from `vlmneg.data`, or what `vlmneg.data.wrap` takes.
    objective : Objective or str, optional
        As from `vlmneg.losses`, or its name; InfoNCE by default. One with a memory, such as adaptive margins, begins
        with what it remembers.
    negatives : Negatives or list of them, optional
        As from `vlmneg.negatives.text`, called with each batch's captions, from `vlmneg.negatives.image`, called with
        its pictures, from `vlmneg.negatives.embed`, made of its embeddings, or `vlmneg.negatives.pairs` of edited
        pictures and their captions: ``[text.swap(), embed.shift(), pairs(image.recolour())]``.
    batch : int
        Pictures a step, at least 1. The last samples of an epoch, too few for a batch, are left out; a data set smaller
        than a batch is one batch.
    epochs : int
        Passes through the data, at least 1.
    steps : int, optional
        Steps in all, instead of epochs.
    lr : float
        Highest learning rate.
    weight_decay : float
        Decoupled decay of matrices and tables, as open_clip has it.
    betas : tuple of two floats in [0, 1)
        AdamW's averages.
    eps : float
        AdamW's epsilon, above 0.
    clip_norm : float, optional
        Largest norm of all gradients together.
    warmup : int, optional
        Steps of linear warm-up; by default 5% of all, at most 50.
    schedule : {"cosine", "constant"}
        Learning rate after warm-up: half a cosine down to 0, or constant.
    augment : bool
        Random resized crops of 90 to 100% of the area; False crops the centre.
    seed : int in [0, 2**64)
        Of order, captions, crops and negatives.
    out : str or Path, optional
        Folder for config.json, metrics.jsonl and checkpoints; without it nothing is written.
    resume : bool
        Go on with the run that `out` holds; with none there, start it.
    save_every : int, optional
        Steps between checkpoints; by default ten in a run, but not closer than 50 steps.
    keep : int
        Newest checkpoints kept, at least 1.
    workers : int
        Threads that decode pictures.
    optimizer : {"adamw", "adam_l2"}
        Decoupled decay, or Adam with the decay inside the gradient.
    decay_all : bool
        Let biases, norms and the logit scale decay too.
    clamp : bool
        Keep the logarithm of the logit scale in [0, ln 100].
    train : {"all", "text", "image", "head"} or list of str
        What changes: everything, one tower and the logit scale, both projections and the logit scale, or the tensors
        that patterns of OpenAI's names mean. The rest neither changes nor decays nor counts in the gradient's norm.
    layer_decay : float in (0, 1]
        A block learns at `layer_decay ** depth` times the rate, counted from the top; embeddings slowest.
    lora : int
        Rank of low-rank changes, which then train alone: see `vlmneg.lora.Lora`. 0 trains the weights themselves.
    lora_alpha : float, optional
        Scale of the changes times the rank; by default the rank.
    lora_on : list of str, optional
        Patterns of the linear weights under LoRA; by default attention and MLP.
    ema : float in [0, 1)
        Decay of an average of the weights, kept beside each checkpoint in ema/; 0 keeps none.
    teacher : {"none", "start", "ema"}
        For objectives that compare with a frozen model: this one as it was, or its average.
    accumulate : int
        Chunks that a batch is encoded in, to save memory; the gradient stays that of the whole batch.
    positives : int, Negatives or list of both, optional
        Further true captions of each picture: so many of its others, and what `vlmneg.negatives.text.positive` says.
    compose : str or dict, optional
        Which samples meet in a batch, as in `docs/batches.md`: "plain"; {"kind": "neighbours", "k": 3}, each with a
        similar picture; {"kind": "groups", "mode": "item", "per_group": 2, "fill": 8, "n": 200}, variations of one
        picture side by side.
    progress : bool
        Show a bar where the standard error stream is a terminal.

    Returns
    -------
    generator of Record
        Arguments are checked at the call; the work starts with the first record.

    Raises
    ------
    ValueError
        A setting out of range, empty data, weights that aren't finite, a resume with another configuration.
    FileExistsError
        `out` holds a run already and `resume` is False.
    FloatingPointError
        Loss or gradient is no longer finite; the last sound checkpoint stays.

    References
    ----------
    Loshchilov and Hutter, Decoupled weight decay regularization, ICLR 2019.

    Examples
    --------
    >>> import vlmneg as vn
    >>> data = vn.data.scenes(16, seed=0)
    >>> tokenizer = vn.Tokenizer.learn(data.captions(), 600)
    >>> model = vn.Clip(vn.ClipConfig.tiny(vocab=tokenizer.vocab_size), seed=0, tokenizer=tokenizer)
    >>> [record.step for record in vn.train(model, data, batch=8, epochs=2, lr=1e-3)]
    [1, 2, 3, 4]
    """
    settings = TrainSettings(batch=batch, epochs=epochs, steps=steps, lr=lr, weight_decay=weight_decay, betas=betas,
                             eps=eps, clip_norm=clip_norm, warmup=warmup, schedule=schedule, augment=augment, seed=seed,
                             save_every=save_every, keep=keep, workers=workers, optimizer=optimizer,
                             decay_all=decay_all, clamp=clamp, train=_tupled(train), layer_decay=layer_decay,
                             lora=lora, lora_alpha=lora_alpha, lora_on=_tupled(lora_on), ema=ema, teacher=teacher,
                             accumulate=accumulate)
    _check(model, data)
    negatives, positives = sides(negatives), sorted_positives(positives)
    if isinstance(objective, str):
        objective = losses.get(objective)
    if negatives.made is not None:
        (objective or losses.infonce()).check_made(negatives.made)
    check(model, objective, settings)
    composition = composed(compose, wrap(data), settings.batch, settings.seed)
    steps = settings.steps or settings.epochs * composition.per_epoch
    settings = planned(dataclasses.replace(settings, steps=steps), len(data))
    run = None
    if out is not None:
        config = {"train": dataclasses.asdict(settings), "model": dataclasses.asdict(model.config),
                  "tokenizer": model.tokenizer.hash, "objective": _described(objective),
                  "negatives": _described(negatives), "positives": _described(positives),
                  "compose": None if compose in ("plain", {"kind": "plain"}) else compose,
                  "data": {"length": len(data)}}
        free = {"train.epochs", "train.save_every", "train.keep", "train.workers"}
        run = Run.open(out, config, keep, resume, free | ({"train.steps"} if schedule == "constant" else set()))
    return _steps(model, composition, objective, negatives, positives, settings, run, progress)


def _steps(model: Any, composition: Composition, objective: Any, negatives: Sides, positives: Positives | None,
           plan: TrainSettings, run: Run | None, progress: bool) -> Generator[Record, None, None]:
    batches = _batches(model, composition, negatives, positives, plan)
    if run and needs_start(objective, plan):
        run.rewind(model)
    batches.prepare(model, run.folder if run else None, bool(run and run.step), progress)
    learner = Learner(model, objective, plan)
    if run:
        run.restore(learner)
        run.begin(model if needs_start(objective, plan) else None)
    options = learner.options()
    step, sound = run.step if run else 0, True
    assert plan.steps and plan.save_every
    coming = ahead(batches, step, plan.steps)
    bar = Progress(plan.steps, "training", start=step, show=None if progress else False)
    try:
        _reserve(model, batches, negatives, positives, plan.accumulate, objective)
        while step < plan.steps:
            began = time.perf_counter()
            batch = next(coming)
            learner.enter(batch.epoch)
            with finite(step + 1):
                result = model.loss(batch.pixels, batch.captions, negatives=batch.negatives, valid=batch.valid,
                                    group=batch.group, objective=objective, made=negatives.made, made_seed=plan.seed,
                                    made_rows=batch.rows, backward=True, **_further(batch), **options)
                if not math.isfinite(result.loss):
                    raise ValueError(f"the loss is not finite: {result.loss}")
            with undisturbed():
                rate = learning_rate(plan, step)
                with finite(step + 1):
                    norm = learner.step(result, rate)
                step += 1
                record = _record(step, batch, result, rate, norm, learner, time.perf_counter() - began)
                if run:
                    run.write(record.to_dict())
                    if step % plan.save_every == 0:
                        run.save(step, learner)
            bar.add(loss=record.loss, acc=record.accuracy, img_s=record.examples_per_second)
            yield record
    except FloatingPointError:
        sound = False                       # what led there is no checkpoint to go on from
        raise
    finally:
        with undisturbed():
            coming.close()
            batches.close()
            bar.close()
            if run:
                if sound and step > run.step:
                    run.save(step, learner)
                run.close()


@contextlib.contextmanager
def finite(step: int) -> Iterator[None]:
    """Turn the errors that speak of NaN and infinity into one that names the step."""
    try:
        yield
    except ValueError as error:
        if "not finite" not in str(error):
            raise
        raise FloatingPointError(f"step {step}: {error}; a lower lr or clip_norm may help") from None


def _batches(model: Any, composition: Composition, negatives: Sides, positives: Positives | None,
             plan: TrainSettings) -> Batches:
    config = model.config
    augment = {"mean": config.mean, "std": config.std} if plan.augment else None
    return Batches(composition.data, batch=plan.batch, seed=plan.seed, size=config.image_size,
                   preprocess=model.preprocess, tokenizer=model.tokenizer, context=config.context, negatives=negatives,
                   positives=positives, augment=augment, workers=plan.workers, composition=composition)


def _further(batch: Batch) -> dict[str, Any]:
    """What not every batch has."""
    found = {"neg_images": batch.neg_pixels, "neg_image_valid": batch.neg_image_valid, "positives": batch.positives,
             "types": batch.types}
    return {name: value for name, value in found.items() if value is not None}


def _record(step: int, batch: Batch, result: Any, rate: float, norm: float, learner: Learner, seconds: float) -> Record:
    return Record(step=step, epoch=batch.epoch, loss=float(result.loss),
                  terms={k: float(v) for k, v in result.terms.items()},
                  accuracy=None if batch.valid is None or not batch.valid.any() else float(result.accuracy),
                  valid=None if batch.valid is None else float(batch.valid.mean()),
                  lr=rate, grad_norm=float(norm), logit_scale=math.exp(learner.model.logit_scale),
                  tokens=int(result.tokens), skipped=batch.skipped,
                  examples_per_second=len(batch.captions) / seconds, margins=learner.margins())


def _reserve(model: Any, batches: Batches, negatives: Sides, positives: Positives | None, accumulate: int,
             objective: Any) -> None:
    """Size the workspace for the largest batch: negatives are taken to be at most 8 tokens longer than any caption."""
    captions = batches.batch * (1 + negatives.captions + (positives.k if positives else 0))
    longest = model.config.context
    if not isinstance(batches.data, Wrapped):       # other people's may decode a picture for each caption
        offsets = model.tokenizer.pack(batches.data.captions(), context=longest)[1]
        longest = min(longest, int(np.diff(offsets).max()) + 8)
    model.reserve(batches.batch * (1 + negatives.pictures), captions, captions * longest, accumulate, objective)


def _check(model: Any, data: Any) -> None:
    missing = [name for name in ("state_dict", "loss", "preprocess", "config") if not hasattr(model, name)]
    if missing:
        raise TypeError(f"model must be a vlmneg.Clip, got {type(model).__name__}, which has no {missing[0]}")
    if len(wrap(data)) == 0:
        raise ValueError("data is empty: training needs at least one picture with a caption")
    _ = model.tokenizer                     # found now, or an error that says how to give one
    for name, weight in model.state_dict().items():
        if not (np.isfinite(weight.min()) and np.isfinite(weight.max())):
            raise ValueError(f"weight {name} isn't finite; load a sound checkpoint")


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _described(part: Any) -> str | None:
    """An objective or negatives as config.json names it, without addresses."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(part)) or None if part is not None else None


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back until the block's end, so that no step or checkpoint is left half done."""
    held: list[tuple[int, Any]] = []
    old: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in map(int, (signal.SIGINT, signal.SIGTERM)):
            if callable(signal.getsignal(number)):
                old[number] = signal.signal(number, lambda *arrived: held.append(arrived))
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
        for number, frame in held[:1]:
            old[number](number, frame)
