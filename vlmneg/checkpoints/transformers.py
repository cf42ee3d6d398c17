"""transformers' CLIPModel: separate q, k and v, projections transposed, two configuration files."""

from __future__ import annotations

import logging
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from vlmneg.checkpoints import files
from vlmneg.config import ACTIVATIONS, ClipConfig

_log = logging.getLogger("vlmneg")

# OpenAI's name, transformers' name
_TOWER = (
    ("token_embedding.weight", "text_model.embeddings.token_embedding.weight"),
    ("positional_embedding", "text_model.embeddings.position_embedding.weight"),
    ("ln_final.", "text_model.final_layer_norm."),
    ("text_projection", "text_projection.weight"),
    ("visual.class_embedding", "vision_model.embeddings.class_embedding"),
    ("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"),
    ("visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight"),
    ("visual.ln_pre.", "vision_model.pre_layrnorm."),
    ("visual.ln_post.", "vision_model.post_layernorm."),
    ("visual.proj", "visual_projection.weight"),
    ("logit_scale", "logit_scale"),
    ("logit_bias", "logit_bias"),
)
_BLOCK = (
    ("attn.out_proj.", "self_attn.out_proj."),
    ("ln_1.", "layer_norm1."),
    ("ln_2.", "layer_norm2."),
    ("mlp.c_fc.", "mlp.fc1."),
    ("mlp.c_proj.", "mlp.fc2."),
)
_BLOCKS = (
    ("visual.transformer.resblocks.", "vision_model.encoder.layers."),
    ("transformer.resblocks.", "text_model.encoder.layers."),
)
_TRANSPOSED = ("text_projection", "visual.proj")

# What transformers assumes where text_config or vision_config leaves a field out.
_TEXT_DEFAULTS = {
    "vocab_size": 49408, "hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12,
    "num_attention_heads": 8, "max_position_embeddings": 77, "layer_norm_eps": 1e-5, "bos_token_id": 49406,
    "eos_token_id": 49407,
}  # fmt: skip
_VISION_DEFAULTS = {
    "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
    "num_channels": 3, "image_size": 224, "patch_size": 32, "layer_norm_eps": 1e-5,
}  # fmt: skip
_SIZES = {
    "hidden_size": "width", "intermediate_size": "mlp", "num_hidden_layers": "layers", "num_attention_heads": "heads",
}  # fmt: skip


def matches(names: Any) -> bool:
    """Whether tensor names are transformers'."""
    return any(name.startswith(("text_model.", "vision_model.")) for name in names)


def to_openai(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same weights by OpenAI's names; names that are not known stay as they are.

    Parameters
    ----------
    tensors : dict of str to ndarray
        Weights by transformers' names.

    Returns
    -------
    dict of str to ndarray
        q, k and v joined in this order, both projections transposed.
    """
    state = {}
    for name, x in tensors.items():
        part = re.fullmatch(r"(.*\.self_attn)\.([qkv])_proj\.(weight|bias)", name)
        if part is None:
            own = _rename(name, 1)
            state[own] = np.ascontiguousarray(x.T) if own in _TRANSPOSED else x
        elif part[2] == "q":
            three = [tensors.get(f"{part[1]}.{letter}_proj.{part[3]}") for letter in "qkv"]
            whole = [y for y in three if y is not None]
            if len(whole) < 3 or len({y.shape for y in whole}) > 1:
                raise ValueError(f"{part[1]} must have q_proj, k_proj and v_proj.{part[3]} of one shape")
            state[_rename(f"{part[1]}.", 1).replace("self_attn.", f"attn.in_proj_{part[3]}")] = np.concatenate(whole)
        elif f"{part[1]}.q_proj.{part[3]}" not in tensors:
            state[name] = x
    return state


def from_openai(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same weights by transformers' names; the inverse of ``to_openai``, bit for bit.

    Parameters
    ----------
    state : dict of str to ndarray
        Weights by OpenAI's names.

    Returns
    -------
    dict of str to ndarray
    """
    tensors = {}
    for name, x in state.items():
        joined = re.fullmatch(r"(.*\.)attn\.in_proj_(weight|bias)", name)
        if joined is None:
            tensors[_rename(name, 0)] = np.ascontiguousarray(x.T) if name in _TRANSPOSED else x
            continue
        for letter, y in zip("qkv", np.split(x, 3), strict=True):
            tensors[f"{_rename(joined[1], 0)}self_attn.{letter}_proj.{joined[2]}"] = y
    return tensors


def _rename(name: str, column: int) -> str:
    """The name in the other column of the tables."""
    for row in _BLOCKS:
        if name.startswith(row[column]):
            number, _, rest = name[len(row[column]) :].partition(".")
            for part in _BLOCK:
                if rest.startswith(part[column]):
                    rest = part[1 - column] + rest[len(part[column]) :]
                    break
            return f"{row[1 - column]}{number}.{rest}"
    for row in _TOWER:
        if name == row[column] or (row[column].endswith(".") and name.startswith(row[column])):
            return row[1 - column] + name[len(row[column]) :]
    return name


def read(folder: Path) -> dict[str, Any]:
    """What ``config.json`` and ``preprocessor_config.json`` state, by ClipConfig's names.

    Parameters
    ----------
    folder : Path
        A folder with ``config.json``.

    Returns
    -------
    dict
        Only what the files say; the activation may be missing.

    Raises
    ------
    ValueError
        For anything that this CLIP does not compute.
    """
    config = files.read_json(folder / files.TRANSFORMERS_CONFIG)
    if config.get("model_type", "clip") != "clip":
        raise ValueError(f'config.json says model_type {config["model_type"]!r}; only "clip" is known here')
    text = _tower(config, "text_config", _TEXT_DEFAULTS)
    vision = _tower(config, "vision_config", _VISION_DEFAULTS)
    file = files.TRANSFORMERS_CONFIG
    stated: dict[str, Any] = {}
    for own, tower in (("text", text), ("image", vision)):
        if tower["layer_norm_eps"] not in (1e-5, None):
            raise ValueError(f"{file} says layer_norm_eps {tower['layer_norm_eps']!r}; CLIP's is 1e-5")
        for field, name in _SIZES.items():
            stated[f"{own}_{name}"] = files.number(tower, field, 0, file)
        activation = tower.get("hidden_act")
        if activation is not None:
            if activation not in ACTIVATIONS:
                raise ValueError(f'{file} says hidden_act {activation!r}; only "quick_gelu" and "gelu" are known')
            stated[f"{own}_activation"] = activation
    if vision["num_channels"] != 3:
        raise ValueError(f"{file} says num_channels {vision['num_channels']!r}; only 3 are known")
    stated["context"] = files.number(text, "max_position_embeddings", 0, file)
    stated["vocab"] = files.number(text, "vocab_size", 0, file)
    stated["image_size"] = files.number(vision, "image_size", 0, file)
    stated["patch"] = files.number(vision, "patch_size", 0, file)
    if config.get("projection_dim") is not None:
        stated["embed"] = files.number(config, "projection_dim", 0, file)
    stated["start"], stated["end"] = _tokens(text, stated["vocab"])
    if "logit_bias" in config:  # vlmneg's own: transformers' CLIP has no bias and passes over the tensor
        stated["logit_bias"] = config["logit_bias"] is True
    return {**stated, **_preprocessing(folder, stated["image_size"])}


def _tower(config: dict[str, Any], name: str, defaults: dict[str, Any]) -> dict[str, Any]:
    """One tower's fields as transformers resolves them, but for an activation that nobody states."""
    plain, over = config.get(name) or {}, config.get(f"{name}_dict")
    if not isinstance(plain, dict) or not isinstance(over, dict | None):
        raise ValueError(f"config.json must hold an object under {name}")
    if over is None:
        return {**defaults, **plain}
    whole = {**plain, **defaults, **over}  # in old files it overrides, its defaults included
    if over.get("hidden_act") is None:  # transformers then takes quick_gelu, whatever the plain object says
        whole["hidden_act"] = "quick_gelu" if plain.get("hidden_act") == "quick_gelu" else None
    return whole


def _tokens(text: dict[str, Any], vocab: int) -> tuple[int, int]:
    start, end = text["bos_token_id"], text["eos_token_id"]
    if isinstance(end, list) and len(end) == 1:
        end = end[0]
    if end == 2:  # an error kept in old files: transformers then pools at the largest id
        return vocab - 2, vocab - 1
    if type(end) is not int or not 0 <= end < vocab:
        raise ValueError(f"config.json says eos_token_id {end!r}, no id of the {vocab}; CLIP pools at the end token")
    if type(start) is not int or not 0 <= start < vocab or start == end:
        _log.warning("config.json says bos_token_id %s, no id of the %d; %d is taken", start, vocab, abs(end - 1))
        start = abs(end - 1)
    return start, end


def _preprocessing(folder: Path, image_size: int) -> dict[str, Any]:
    file = folder / "preprocessor_config.json"
    whole = folder / "processor_config.json"
    fields: Any = None
    if file.is_file():
        fields = files.read_json(file)
    elif whole.is_file():
        file, fields = whole, files.read_json(whole).get("image_processor")
    if not isinstance(fields, dict):
        return {}
    kind = fields.get("image_processor_type", fields.get("feature_extractor_type", "CLIP"))
    if not str(kind).startswith("CLIP"):
        raise ValueError(f"{file.name} names {kind!r}; only CLIP's image processor is known")
    for step in ("do_resize", "do_center_crop", "do_rescale", "do_normalize"):
        if fields.get(step, True) is not True:
            raise ValueError(f"{file.name} says {step} {fields[step]!r}; CLIP's preprocessing has that step")
    for name, key in (("size", "shortest_edge"), ("crop_size", "height")):
        value = fields.get(name, image_size)
        if isinstance(value, dict):  # in old files a plain number
            value = value.get(key) if name == "size" or value.get("width") == value.get("height") else None
        if value != image_size:
            raise ValueError(
                f"{file.name} says {name} {fields[name]!r}; known is a resize of the shorter side to the image size "
                f"({image_size}) and a centre crop of it"
            )
    if fields.get("resample", 3) not in (3, "bicubic"):
        raise ValueError(f"{file.name} says resample {fields['resample']!r}; only 3 (bicubic) is known")
    factor = fields.get("rescale_factor", 1 / 255)
    if not isinstance(factor, float) or not math.isclose(factor, 1 / 255, rel_tol=1e-9):
        raise ValueError(f"{file.name} says rescale_factor {factor!r}; only 1/255 is known")
    return {own: fields[name] for name, own in (("image_mean", "mean"), ("image_std", "std")) if name in fields}


def write(folder: Path, config: ClipConfig) -> None:
    """Write ``config.json`` and ``preprocessor_config.json``.

    Parameters
    ----------
    folder : Path
        Where to.
    config : ClipConfig
        The model's sizes and conventions.

    Raises
    ------
    ValueError
        When transformers would compute another model from these files.
    """
    if config.end == 2 != config.vocab - 1:
        raise ValueError("transformers reads eos_token_id 2 as 'the largest id'; use another end token for its layout")
    common = {"layer_norm_eps": 1e-5, "attention_dropout": 0.0, "projection_dim": config.embed}
    text = {
        "model_type": "clip_text_model", "vocab_size": config.vocab, "hidden_size": config.text_width,
        "intermediate_size": config.text_mlp, "num_hidden_layers": config.text_layers,
        "num_attention_heads": config.text_heads, "max_position_embeddings": config.context,
        "hidden_act": config.text_activation, "bos_token_id": config.start, "eos_token_id": config.end,
        "pad_token_id": config.end, **common,
    }  # fmt: skip
    vision = {
        "model_type": "clip_vision_model", "hidden_size": config.image_width, "intermediate_size": config.image_mlp,
        "num_hidden_layers": config.image_layers, "num_attention_heads": config.image_heads, "num_channels": 3,
        "image_size": config.image_size, "patch_size": config.patch, "hidden_act": config.image_activation, **common,
    }  # fmt: skip
    files.write_json(
        folder / files.TRANSFORMERS_CONFIG,
        {
            "architectures": ["CLIPModel"],
            "model_type": "clip",
            "dtype": "float32",
            "projection_dim": config.embed,
            "logit_scale_init_value": 2.6592,
            **({"logit_bias": True} if config.logit_bias else {}),
            "text_config": text,
            "vision_config": vision,
        },
    )
    size = config.image_size
    files.write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "CLIPImageProcessor",
            "do_resize": True, "size": {"shortest_edge": size}, "resample": 3,
            "do_center_crop": True, "crop_size": {"height": size, "width": size},
            "do_convert_rgb": True, "do_rescale": True, "rescale_factor": 1 / 255,
            "do_normalize": True, "image_mean": list(config.mean), "image_std": list(config.std),
        },
    )  # fmt: skip
