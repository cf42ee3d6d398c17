"""OpenAI's names, which are the model's own: sizes from shapes, clean-up of foreign keys, pickled files."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from vlmneg.checkpoints import files

_PREFIXES = ("module.", "_orig_mod.")
_SCALARS = {"input_resolution": "image_size", "context_length": "context", "vocab_size": "vocab"}
_NESTED = ("state_dict", "model_state_dict", "model")
_FOREIGN = (
    (re.compile(r"lora_|\.base_layer\."), "unmerged LoRA adapters; merge them first (peft: merge_and_unload)"),
    (re.compile(r"visual\.(layer\d|attnpool)\."), "a ResNet image tower, and only vision transformers are known here"),
    (re.compile(r"visual\.trunk\."), "an image tower of timm, and only CLIP's own is known here"),
    (re.compile(r"text\.transformer\.(embeddings|encoder)\."), "a text tower of transformers other than CLIP's"),
    (re.compile(r"text_decoder\.|visual\.attn_pool"), "a CoCa model, and only CLIP is known here"),
    (re.compile(r"\.ls_[12]\."), "layer scales (ls_init_value), which CLIP does not have"),
)


def clean(tensors: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Tensors without wrappers' prefixes and without what is no weight.

    Parameters
    ----------
    tensors : dict of str to ndarray
        As read from a file, in any naming.

    Returns
    -------
    weights : dict of str to ndarray, float32
    stated : dict of str to int
        Sizes that OpenAI's files store as scalars, by ClipConfig's names.

    Raises
    ------
    ValueError
        For models that are not CLIP (by the tensor that gives them away), integer weights, and names that collide.
    """
    weights: dict[str, np.ndarray] = {}
    stated = {}
    for key, x in tensors.items():
        name = key
        while name.startswith(_PREFIXES):
            name = name[name.index(".") + 1 :]
        for pattern, what in _FOREIGN:
            if pattern.search(name):
                raise ValueError(f"the checkpoint holds {what}; first such tensor: {key!r}")
        if name.endswith("position_ids"):
            continue
        if name in _SCALARS and x.size == 1:
            stated[_SCALARS[name]] = int(x.reshape(()))
            continue
        if x.dtype != np.float32:
            raise ValueError(f"tensor {key!r} holds integers (or is no float), and no weight of CLIP does")
        if name in weights:
            raise ValueError(f"two tensors have the name {name!r} once prefixes are taken off ({key!r} is the second)")
        weights[name] = x.reshape(()) if name in ("logit_scale", "logit_bias") and x.shape == (1,) else x
    return weights, stated


def sizes(state: dict[str, np.ndarray]) -> dict[str, int]:
    """The sizes that shapes tell: all of ClipConfig's but the numbers of heads; and whether there is a bias.

    Parameters
    ----------
    state : dict of str to ndarray
        Weights by OpenAI's names.

    Returns
    -------
    dict of str to int

    Raises
    ------
    ValueError
        When a tensor that tells a size is missing or cannot belong to a CLIP.
    """
    conv = _shape(state, "visual.conv1.weight", 4)
    if conv[1] != 3 or conv[2] != conv[3]:
        raise ValueError(f"visual.conv1.weight must have shape (width, 3, patch, patch), got {conv}")
    places = _shape(state, "visual.positional_embedding", 2)[0]
    grid = math.isqrt(max(places - 1, 0))
    if grid < 1 or grid * grid + 1 != places:
        raise ValueError(f"visual.positional_embedding must have one row and a square of rows, got {places} rows")
    context, text_width = _shape(state, "positional_embedding", 2)
    return {
        "embed": _shape(state, "visual.proj", 2)[1],
        "image_size": grid * conv[2],
        "patch": conv[2],
        "image_width": conv[0],
        "image_layers": _layers(state, "visual.transformer"),
        "image_mlp": _shape(state, "visual.transformer.resblocks.0.mlp.c_fc.weight", 2)[0],
        "context": context,
        "vocab": _shape(state, "token_embedding.weight", 2)[0],
        "text_width": text_width,
        "text_layers": _layers(state, "transformer"),
        "text_mlp": _shape(state, "transformer.resblocks.0.mlp.c_fc.weight", 2)[0],
        "logit_bias": "logit_bias" in state,
    }


def _shape(state: dict[str, np.ndarray], name: str, dimensions: int) -> tuple[int, ...]:
    if name not in state:
        signs = {
            "an image": ("visual.", "vision_model."),
            "a text": ("token_embedding.", "embeddings.token_embedding."),
        }
        towers = {tower: any(key.startswith(sign) for key in state) for tower, sign in signs.items()}
        only = [tower for tower, there in towers.items() if there]
        hint = f"; it looks like {only[0]} tower alone" if len(only) == 1 else ""
        first = ", ".join(sorted(state)[:3]) or "nothing"
        raise ValueError(f"the checkpoint is no whole CLIP: {name} is missing{hint} (it holds {first}, ...)")
    shape = state[name].shape
    if len(shape) != dimensions or 0 in shape:
        raise ValueError(f"{name} must have {dimensions} dimensions, none of them 0, got shape {shape}")
    return shape


def _layers(state: dict[str, np.ndarray], tower: str) -> int:
    pattern = re.compile(rf"{re.escape(tower)}\.resblocks\.(\d+)\.")
    return len({match[1] for match in map(pattern.match, state) if match})


def read_pickle(path: Path) -> dict[str, np.ndarray]:
    """Tensors of a PyTorch file: a pickle (read with ``weights_only=True``) or OpenAI's TorchScript archive.

    Parameters
    ----------
    path : Path
        A ``.pt``, ``.pth``, ``.bin`` or ``.ckpt`` file.

    Returns
    -------
    dict of str to ndarray
        Floats as float32, integers as they are.

    Raises
    ------
    ImportError
        Without the ``torch`` extra.
    ValueError
        When the file holds no state dictionary, other objects than tensors, NaN or infinity.
    """
    try:
        import torch
    except ImportError:
        raise ImportError(f"reading {path.name}, a PyTorch file, needs torch: pip install 'vlmneg[torch]'") from None
    try:
        state: Any = _load(torch, path)
    except Exception as error:  # torch raises a dozen kinds for a damaged or hostile pickle
        raise ValueError(f"{path.name} cannot be read as PyTorch weights: {files.first_line(error)}") from error
    while isinstance(state, dict) and (inner := next((k for k in _NESTED if isinstance(state.get(k), dict)), None)):
        state = state[inner]
    if not isinstance(state, dict) or not any(isinstance(x, torch.Tensor) for x in state.values()):
        raise ValueError(f"{path.name} holds no state dictionary of tensors, nor one under {', '.join(_NESTED)}")
    return {str(name): _array(torch, str(name), x) for name, x in state.items()}


def _load(torch: Any, path: Path) -> Any:
    import zipfile

    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):  # TorchScript
                return dict(torch.jit.load(str(path), map_location="cpu").state_dict())
    return torch.load(path, map_location="cpu", weights_only=True)


def _array(torch: Any, name: str, x: Any) -> np.ndarray:
    if not isinstance(x, torch.Tensor):
        raise ValueError(f"{name!r} is no tensor but {type(x).__name__}")
    if not x.is_floating_point():
        return x.numpy()
    x = x.detach().float()
    if not bool(torch.isfinite(x).all()):
        raise ValueError(f"tensor {name!r} holds NaN or infinity: the checkpoint is damaged")
    return np.ascontiguousarray(x.numpy()).reshape(tuple(x.shape))
