"""Files of a checkpoint: found on disk or on the hub, read strictly as JSON, written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TRANSFORMERS_CONFIG = "config.json"
OPEN_CLIP_CONFIG = "open_clip_config.json"
TRANSFORMERS_WEIGHTS = "model.safetensors"
TRANSFORMERS_INDEX = "model.safetensors.index.json"
OPEN_CLIP_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors")
PICKLES = (".pt", ".pth", ".bin", ".ckpt")

_HUB_NAME = re.compile(r"(?:[\w.-]+/)?[\w.-]+", re.ASCII)


def locate(path: str | os.PathLike) -> Path:
    """The file or folder that a checkpoint's name means, fetched from the Hugging Face hub where it is a hub name.

    Parameters
    ----------
    path : str or path
        A folder, a file, ``local-dir:FOLDER``, ``hf-hub:ORG/REPO`` or a plain hub name. A path that exists wins
        over a hub name.

    Returns
    -------
    Path

    Raises
    ------
    FileNotFoundError
        When nothing has that name.
    ImportError
        For ``hf-hub:`` without the ``hub`` extra.
    """
    name = os.fspath(path)
    if not isinstance(name, str) or not name:
        raise ValueError(f"a checkpoint is named by a path or a hub name, got {path!r}")
    if name.startswith("hf-hub:"):
        name = name.removeprefix("hf-hub:")
        if not _HUB_NAME.fullmatch(name):
            raise ValueError(f"hf-hub: is followed by ORG/REPO, got {name!r}")
        return _fetch(name)
    local = Path(name.removeprefix("local-dir:")).expanduser()
    if name.startswith("local-dir:"):
        if not local.is_dir():
            raise FileNotFoundError(f"local-dir: is followed by a folder, and {str(local)!r} is none")
    elif not local.exists():
        if not _HUB_NAME.fullmatch(name) or name.startswith("."):
            raise FileNotFoundError(f"there is no checkpoint folder or file {name!r}")
        try:
            return _fetch(name)
        except ImportError as error:
            raise FileNotFoundError(f"there is no folder or file {name!r} here, and {error}") from None
    return local


def _fetch(repo: str) -> Path:
    """Folder of the local copy of a hub repository's configuration, tokenizer and one set of weights."""
    try:
        from huggingface_hub import hf_hub_download, snapshot_download
        from huggingface_hub.errors import EntryNotFoundError
    except ImportError:
        raise ImportError(
            f"reading {repo!r} from the Hugging Face hub needs huggingface-hub: pip install 'vlmneg[hub]'"
        ) from None
    try:
        folder = Path(snapshot_download(repo, allow_patterns=["*.json", "merges.txt"]))
        weights = [*OPEN_CLIP_WEIGHTS, TRANSFORMERS_WEIGHTS]
        if (folder / TRANSFORMERS_CONFIG).is_file():
            weights.insert(0, weights.pop())
        if (folder / TRANSFORMERS_INDEX).is_file():
            weights = []
            for shard in shards(folder / TRANSFORMERS_INDEX)[0]:
                hf_hub_download(repo, shard)
        for file in weights:
            with contextlib.suppress(EntryNotFoundError):
                hf_hub_download(repo, file)
                break
    except (OSError, ValueError) as error:  # the hub's own errors are of these two kinds
        raise FileNotFoundError(
            f"there is no folder or file {repo!r} here, and the hub did not give it: {first_line(error)}"
        ) from error
    return folder


def first_line(error: Exception) -> str:
    """What an error says, without its second line; its kind where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def read_json(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds; a ValueError with the file's name for anything else."""
    try:
        value = json.loads(path.read_bytes().decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} must hold a JSON object, got {type(value).__name__}")
    return value


def number(fields: dict[str, Any], name: str, default: int, file: str) -> int:
    """A positive integer of a configuration; two equal numbers in a list count as one (a square's sides)."""
    value = fields.get(name, default)
    if isinstance(value, list) and len(value) == 2 and value[0] == value[1]:
        value = value[0]
    if type(value) is not int or value < 1:
        raise ValueError(f"{file} says {name} {value!r}; expected is a positive integer")
    return value


def shards(index: Path) -> tuple[list[str], dict[str, str]]:
    """Shard names in order, and the shard of each tensor, from ``model.safetensors.index.json``."""
    where = read_json(index).get("weight_map")
    if not isinstance(where, dict) or not where:
        raise ValueError(f"{index.name} must hold a weight_map from tensor names to shard files")
    for shard in where.values():
        if not isinstance(shard, str) or not _HUB_NAME.fullmatch(shard) or "/" in shard or shard.startswith("."):
            raise ValueError(f"{index.name}: a shard is named by a plain file name, got {shard!r}")
    return sorted(set(where.values())), where


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write an object as indented JSON, atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; what was written there takes the name ``path`` when all went well.

    Parameters
    ----------
    path : str or path
        The file to make or replace.

    Yields
    ------
    Path
        Where to write.
    """
    path = Path(path)
    temporary = _temporary(path)
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Yield an empty temporary folder that takes the name ``path`` when all went well, with everything on disk.

    A reader never sees half a folder. An older folder of that name is replaced whole; after an exception it is still
    there as it was.

    Parameters
    ----------
    path : str or path
        The folder to make or replace; its parents are made.

    Yields
    ------
    Path
        Where to write.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "step-1"
    >>> with atomic_folder(target) as folder:
    ...     _ = (folder / "state.json").write_text("{}")
    >>> [file.name for file in target.iterdir()]
    ['state.json']
    """
    path = Path(os.path.abspath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, old = _temporary(path), _temporary(path)
    temporary.mkdir()
    try:
        yield temporary
        for folder, _, names in os.walk(temporary):
            for name in names:
                _sync(Path(folder) / name)
            _sync(Path(folder))
        if path.exists():
            os.rename(path, old)
        os.rename(temporary, path)
        _sync(path.parent)
    except BaseException:
        if old.exists() and not path.exists():
            os.rename(old, path)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():  # Windows cannot open a folder
        return
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
