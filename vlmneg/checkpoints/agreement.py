"""One configuration out of all that a checkpoint states, and the check that its tensors are exactly those."""

from __future__ import annotations

import json
import logging
from typing import Any

import numpy as np

from vlmneg.config import ClipConfig

_log = logging.getLogger("vlmneg")
_ACTIVATION_FIELDS = ("image_activation", "text_activation")


def recorded(metadata: dict[str, str]) -> tuple[dict[str, Any], str | None]:
    """Configuration and tokenizer hash in the metadata of a file that vlmneg wrote; nothing in another."""
    if "vlmneg" not in metadata:
        return {}, None
    try:
        record = json.loads(metadata["vlmneg"])
        return ClipConfig.from_dict(record["config"]).to_dict(), record.get("tokenizer")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"the safetensors metadata 'vlmneg' cannot be read: {error}") from None


def agree(
    shaped: dict[str, int], recorded: dict[str, Any], stated: dict[str, Any], activation: str | None, resize: bool
) -> ClipConfig:
    """One configuration out of what shapes, metadata and configuration files say."""
    if activation is not None:
        for name in _ACTIVATION_FIELDS:
            said = stated.get(name, recorded.get(name, activation))
            if said != activation:
                _log.warning('%s: the checkpoint says "%s", and the argument "%s" overrides it', name, said, activation)
        choice = dict.fromkeys(_ACTIVATION_FIELDS, activation)
        recorded, stated = {**recorded, **choice} if recorded else recorded, {**stated, **choice}
    for name in sorted(stated.keys() & recorded.keys()):
        if _differ(stated[name], recorded[name]) and not (name == "image_size" and resize):
            raise ValueError(
                f"the configuration file says {name} = {stated[name]!r}, and the weights' own metadata say "
                f"{recorded[name]!r}: correct the file"
            )
    said = {**recorded, **stated}
    for name in sorted(shaped.keys() & said.keys()):
        if said[name] != shaped[name] and not (name == "image_size" and resize):
            hint = "; resize_positions=True would resize the position table" if name == "image_size" else ""
            raise ValueError(f"the checkpoint says {name} = {said[name]!r}, and its tensors have {shaped[name]}{hint}")
    for tower in ("image", "text"):
        if f"{tower}_heads" not in said:
            width = shaped[f"{tower}_width"]
            if width % 64:
                raise ValueError(
                    f"the weights do not say how many heads the {tower} tower has, and its width {width} is no "
                    "multiple of 64: put the model's config.json beside them"
                )
            said[f"{tower}_heads"] = width // 64
    silent = [name for name in _ACTIVATION_FIELDS if name not in said]
    if silent:
        raise ValueError(
            f"the checkpoint does not say which GELU it uses ({', '.join(silent)}); state it: "
            'from_pretrained(path, activation="quick_gelu") (all of OpenAI\'s models) or activation="gelu"; '
            "on the command line --activation, in settings model.activation"
        )
    last = {"start": shaped["vocab"] - 2, "end": shaped["vocab"] - 1}
    try:
        return ClipConfig(**{**last, **shaped, **said})
    except TypeError as error:
        raise ValueError(f"the checkpoint's configuration is not valid: {error}") from None


def _differ(a: Any, b: Any) -> bool:
    return list(a) != list(b) if isinstance(a, list | tuple) and isinstance(b, list | tuple) else a != b


def check(config: ClipConfig, state: dict[str, np.ndarray], whose: str) -> None:
    """Refuse a state dictionary that is not exactly what the configuration asks for; values are not looked at."""
    shapes = config.tensors()
    missing = [name for name in shapes if name not in state]
    extra = [name for name in state if name not in shapes]
    if missing or extra:
        parts = [f"{kind} {_list(names)}" for kind, names in (("lacks", missing), ("has beyond them", extra)) if names]
        raise ValueError(f"{whose} does not hold the {len(shapes)} tensors of this CLIP: it {' and '.join(parts)}")
    wrong = [name for name, shape in shapes.items() if state[name].shape != shape]
    if wrong:
        first = f"{wrong[0]} must have shape {shapes[wrong[0]]}, got {state[wrong[0]].shape}"
        raise ValueError(f"{whose} has {len(wrong)} of {len(shapes)} tensors of another shape: {first}")
    for name, x in state.items():
        if x.dtype != np.float32:
            raise ValueError(f"{name} must be float32, got {x.dtype}; convert it with .astype(numpy.float32)")


def _list(names: list[str]) -> str:
    return f"{', '.join(names[:4])}{f' and {len(names) - 4} more' if len(names) > 4 else ''}"
