"""Checkpoints in and out: one dialect a file, one rule for all of them: what a file does not say is not guessed.

Inside, weights have OpenAI's names and float32. A checkpoint states its sizes up to three times, in its configuration
files, in the shapes of its tensors and (where vlmneg wrote it) in its metadata; all that is stated must agree.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from vlmneg.checkpoints import agreement, files, open_clip, openai, positions, safetensors, transformers
from vlmneg.checkpoints.files import atomic_file as atomic_file
from vlmneg.checkpoints.files import atomic_folder as atomic_folder
from vlmneg.config import ACTIVATIONS, ClipConfig

LAYOUTS = ("transformers", "open_clip")

_PROBE = (
    "hello world a photo of a cat 1234",
    [3306, 1002, 320, 1125, 539, 320, 2368, 272, 273, 274, 275],
)


def load(
    path: str | os.PathLike, activation: str | None = None, resize_positions: bool = False
) -> tuple[ClipConfig, dict[str, np.ndarray], dict[str, Any]]:
    """Read a checkpoint in transformers', open_clip's or OpenAI's layout.

    Parameters
    ----------
    path : str or path
        A folder, a single ``.safetensors`` file (its shapes tell the sizes), ``local-dir:FOLDER``,
        ``hf-hub:ORG/REPO`` or a plain hub name.
    activation : {"quick_gelu", "gelu"}, optional
        The activation of both towers. It must be stated for checkpoints that do not say, and overrides those that do.
    resize_positions : bool
        Whether the image tower's position table may be resized (bicubic over the grid) to the image size that the
        configuration states; otherwise a disagreement is refused.

    Returns
    -------
    config : ClipConfig
    state : dict of str to ndarray, float32
        Weights by OpenAI's names, in the order of ``config.tensors()``. Some may be read-only views of the file.
    extras : dict
        ``tokenizer`` (Tokenizer whose files lie beside the weights, or None), ``layout`` ("transformers",
        "open_clip", or "bare" for a single file) and ``metadata`` (dict, as stored with the weights).

    Raises
    ------
    ValueError
        When the files are damaged, contradict each other, do not say the activation, or hold another model.
    FileNotFoundError
        When there is no such checkpoint.

    Examples
    --------
    >>> load("missing-folder/nothing/here")
    Traceback (most recent call last):
    FileNotFoundError: there is no checkpoint folder or file 'missing-folder/nothing/here'
    """
    return _load(files.locate(path), activation, resize_positions, pickles=False)


def save(
    folder: str | os.PathLike,
    config: ClipConfig,
    state: dict[str, np.ndarray],
    layout: str = "transformers",
    tokenizer: Any = None,
) -> None:
    """Write a checkpoint folder that transformers or open_clip, and ``load``, can read.

    Parameters
    ----------
    folder : str or path
        Made if missing; then it appears whole or not at all. In an existing folder each file is replaced atomically.
    config : ClipConfig
    state : dict of str to ndarray, float32
        Weights by OpenAI's names: exactly those of ``config.tensors()``.
    layout : {"transformers", "open_clip"}
    tokenizer : Tokenizer, optional
        Its files are written beside the weights.

    Raises
    ------
    ValueError
        For wrong names, shapes, types or values, an unknown layout, or a folder that holds another checkpoint.
    """
    if layout not in LAYOUTS:
        raise ValueError(f'layout must be "transformers" or "open_clip", got {layout!r}')
    if not isinstance(config, ClipConfig):
        raise TypeError(f"config must be a ClipConfig, got {type(config).__name__}")
    agreement.check(config, state, "the state")
    for name, x in state.items():
        if not safetensors.is_finite(x):
            raise ValueError(f"{name} holds NaN or infinity, and such a model is not saved")
    if tokenizer is not None and tokenizer.vocab_size != config.vocab:
        raise ValueError(f"the tokenizer has {tokenizer.vocab_size} ids, and the model {config.vocab}")
    if not os.fspath(folder):
        raise ValueError("a checkpoint is saved into a folder, and the name given is empty")
    folder = Path(folder)
    if not folder.exists():
        with atomic_folder(folder) as temporary:
            _write(temporary, config, state, layout, tokenizer)
        return
    _refuse_mixture(folder, layout)
    _write(folder, config, state, layout, tokenizer)


def convert(
    source: str | os.PathLike, target: str | os.PathLike, layout: str = "transformers", activation: str | None = None
) -> ClipConfig:
    """Read a checkpoint and write it in another layout, with its tokenizer files where it has some.

    Parameters
    ----------
    source : str or path
        All that ``load`` reads, and PyTorch files (``.pt``, ``.pth``, ``.bin``) where torch is installed.
    target : str or path
        Folder to write.
    layout : {"transformers", "open_clip"}
    activation : {"quick_gelu", "gelu"}, optional
        As in ``load``.

    Returns
    -------
    ClipConfig
        What was written.

    Raises
    ------
    ValueError, FileNotFoundError
        As in ``load`` and ``save``.
    ImportError
        For a PyTorch file without the ``torch`` extra.
    """
    if layout not in LAYOUTS:
        raise ValueError(f'layout must be "transformers" or "open_clip", got {layout!r}')
    config, state, extras = _load(files.locate(source), activation, False, pickles=True)
    save(target, config, state, layout, extras["tokenizer"])
    return config


def _load(
    path: Path, activation: str | None, resize_positions: bool, pickles: bool
) -> tuple[ClipConfig, dict[str, np.ndarray], dict[str, Any]]:
    if activation is not None and activation not in ACTIVATIONS:
        raise ValueError(f'activation must be "quick_gelu" or "gelu", got {activation!r}')
    layout, weights = _find(path, pickles)
    tensors, metadata = _read_weights(weights)
    tensors, scalars = openai.clean(tensors)
    if transformers.matches(tensors):
        tensors = transformers.to_openai(tensors)
    elif open_clip.matches(tensors):
        tensors = open_clip.to_openai(tensors)
    recorded, tokenizer_hash = agreement.recorded(metadata)
    if layout == "transformers":
        stated = transformers.read(path)
    elif layout == "open_clip":
        stated = open_clip.read(path, recorded.get("end"))
    else:
        stated = scalars
    config = agreement.agree(openai.sizes(tensors), recorded, stated, activation, resize_positions)
    if resize_positions:
        name = "visual.positional_embedding"
        tensors[name] = positions.resize_grid(tensors[name], config.grid, antialias=layout != "transformers")
    agreement.check(config, tensors, "the checkpoint")
    tokenizer = _tokenizer(path, config, tokenizer_hash) if path.is_dir() else None
    extras = {"tokenizer": tokenizer, "layout": layout, "metadata": metadata}
    return config, {name: tensors[name] for name in config.tensors()}, extras


def _tokenizer(folder: Path, config: ClipConfig, recorded: str | None) -> Any:
    """The tokenizer whose files lie beside the weights, once it is known to be theirs; None without such files."""
    from vlmneg.tokenizer import Tokenizer

    try:
        tokenizer = Tokenizer.from_folder(folder)
    except FileNotFoundError:
        return None
    for name, got, expected in (
        ("ids", tokenizer.vocab_size, config.vocab),
        ("start token", tokenizer.start, config.start),
        ("end token", tokenizer.end, config.end),
        ("hash", tokenizer.hash, recorded or tokenizer.hash),
    ):
        if got != expected:
            raise ValueError(f"the tokenizer files in {folder} are not the model's: {name} {got}, expected {expected}")
    text, ids = _PROBE
    if recorded is None and config.vocab == 49408 and tokenizer([text])[0, 1 : len(ids) + 1].tolist() != ids:
        raise ValueError(f"the tokenizer files in {folder} are not CLIP's: {text!r} must have the ids {ids}")
    return tokenizer


def _find(path: Path, pickles: bool) -> tuple[str, Path]:
    """Layout ("transformers", "open_clip" or "bare") and weights file of a file or folder."""
    if path.is_file():
        if path.suffix in files.PICKLES and not pickles:
            raise ValueError(
                f"{path.name} is a PyTorch pickle, and only safetensors are loaded; `vlmneg convert` makes them of it"
            )
        return "bare", path
    names = sorted(file.name for file in path.iterdir())
    ours = [files.TRANSFORMERS_INDEX, files.TRANSFORMERS_WEIGHTS]
    theirs = [*files.OPEN_CLIP_WEIGHTS, files.TRANSFORMERS_WEIGHTS]
    if pickles:
        ours.append("pytorch_model.bin")
        theirs += ["open_clip_pytorch_model.bin", "pytorch_model.bin"]
    for layout, config, candidates in (
        ("transformers", files.TRANSFORMERS_CONFIG, ours),
        ("open_clip", files.OPEN_CLIP_CONFIG, theirs),
    ):
        weights = next((name for name in candidates if name in names), None)
        if config in names and weights is not None:
            return layout, path / weights
    single = [name for name in names if name.endswith(".safetensors")]
    if len(single) == 1 and not {files.TRANSFORMERS_CONFIG, files.OPEN_CLIP_CONFIG} & set(names):
        return "bare", path / single[0]
    pickled = [name for name in names if name.endswith(files.PICKLES)]
    hint = f"; `vlmneg convert` reads {pickled[0]}" if pickled and not pickles else ""
    raise FileNotFoundError(
        f"{path} holds no checkpoint: expected are config.json with model.safetensors, or open_clip_config.json with "
        f"open_clip_model.safetensors, and it holds {', '.join(names[:8]) or 'nothing'}{hint}"
    )


def _read_weights(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    if path.name.endswith(files.PICKLES):
        return openai.read_pickle(path), {}
    if path.name != files.TRANSFORMERS_INDEX:
        return safetensors.read(path)
    names, where = files.shards(path)
    tensors: dict[str, np.ndarray] = {}
    metadata: dict[str, str] = {}
    for shard in names:
        if not (path.parent / shard).is_file():
            raise FileNotFoundError(f"{path.name} names the shard {shard}, which is missing")
        part, extra = safetensors.read(path.parent / shard)
        stray = sorted(name for name in part if where.get(name) != shard)
        if stray:
            raise ValueError(f"{shard} holds {stray[0]!r}, which {path.name} does not place there")
        tensors.update(part)
        metadata.update(extra)
    lost = sorted(where.keys() - tensors.keys())
    if lost:
        raise ValueError(f"{path.name} names {lost[0]!r}, which {where[lost[0]]} does not hold")
    return tensors, metadata


def _refuse_mixture(folder: Path, layout: str) -> None:
    """Saving beside another checkpoint's files would leave a folder that means two models."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is a file; a checkpoint is saved as a folder")
    names = {file.name for file in folder.iterdir()}
    if layout == "transformers":
        other = names & {files.OPEN_CLIP_CONFIG, *files.OPEN_CLIP_WEIGHTS, files.TRANSFORMERS_INDEX}
    else:
        other = names & {files.TRANSFORMERS_CONFIG, files.TRANSFORMERS_WEIGHTS, files.TRANSFORMERS_INDEX}
    if other:
        raise ValueError(f"{folder} holds another checkpoint ({', '.join(sorted(other))}); save into a new folder")


def _write(folder: Path, config: ClipConfig, state: dict[str, np.ndarray], layout: str, tokenizer: Any) -> None:
    record = {"config": config.to_dict(), "tokenizer": None if tokenizer is None else tokenizer.hash}
    metadata = {"format": "pt", "vlmneg": json.dumps(record)}
    if layout == "transformers":
        transformers.write(folder, config)
        safetensors.write(folder / files.TRANSFORMERS_WEIGHTS, transformers.from_openai(state), metadata)
    else:
        open_clip.write(folder, config)
        safetensors.write(folder / files.OPEN_CLIP_WEIGHTS[0], state, metadata)
    if tokenizer is not None:
        tokenizer.save(folder)
