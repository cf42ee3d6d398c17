"""open_clip's CLIP: OpenAI's names (``text.`` before the text tower in its custom variant), one configuration file."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from vlmneg.checkpoints import files
from vlmneg.config import ClipConfig

_log = logging.getLogger("vlmneg")

# Fields of vision_cfg and text_cfg that say nothing new at these values. At any other value the model is another one.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "ls_init_value": (None,), "attentional_pool": (False, None), "no_ln_pre": (False,),
    "pos_embed_type": ("learnable",), "final_ln_after_pool": (False,), "output_tokens": (False,),
    "act_kwargs": (None, {}), "norm_kwargs": (None, {}), "block_type": (None, "default"), "qk_norm": (False,),
    "scaled_cosine_attn": (False,), "scale_heads": (False,), "scale_attn_inner": (False,), "scale_attn": (False,),
    "scale_fc": (False,), "timm_model_name": (None, ""), "hf_model_name": (None, ""), "embed_cls": (False,),
    "no_causal_mask": (False,), "proj_bias": (False,), "proj_type": ("linear",), "tokenizer_mode": (None, ""),
    "tokenizer_kwargs": (None, {}),
}  # fmt: skip
# Fields that have no effect on what is computed once those above are neutral.
_WITHOUT_EFFECT = {
    "attn_pooler_queries", "attn_pooler_heads", "pad_id", "timm_model_pretrained", "timm_pool", "timm_proj",
    "timm_proj_bias", "timm_drop", "timm_drop_path", "hf_model_pretrained", "hf_proj_type", "hf_pooler_type",
}  # fmt: skip
_VISION = {"layers", "width", "head_width", "mlp_ratio", "patch_size", "image_size", "pool_type", "patch_dropout"}
_TEXT = {"context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio", "pool_type", "eos_id"}
_MODEL = {
    "embed_dim", "quick_gelu", "vision_cfg", "text_cfg", "custom_text", "init_logit_scale", "init_logit_bias",
    "nonscalar_logit_scale", "output_dict", "cast_dtype",
}  # fmt: skip


def matches(names: Any) -> bool:
    """Whether tensor names are those of open_clip's model with a separate text tower."""
    return any(name.startswith("text.") for name in names)


def to_openai(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same weights without ``text.`` before the text tower.

    Parameters
    ----------
    tensors : dict of str to ndarray
        Weights by open_clip's names.

    Returns
    -------
    dict of str to ndarray
    """
    state = {name.removeprefix("text."): x for name, x in tensors.items()}
    if len(state) < len(tensors):
        raise ValueError("the checkpoint holds a text tower twice, with and without the prefix 'text.'")
    return state


def read(folder: Path, end: int | None = None) -> dict[str, Any]:
    """What ``open_clip_config.json`` states, by ClipConfig's names.

    Parameters
    ----------
    folder : Path
        A folder with ``open_clip_config.json``.
    end : int, optional
        The end token that the weights' own metadata state.

    Returns
    -------
    dict
        Only what the file says; the activation may be missing.

    Raises
    ------
    ValueError
        For anything that this CLIP does not compute.
    """
    config = files.read_json(folder / files.OPEN_CLIP_CONFIG)
    model = _object(config, "model_cfg")
    vision, text = _object(model, "vision_cfg"), _object(model, "text_cfg")
    if isinstance(vision.get("layers"), list):
        raise ValueError("open_clip_config.json gives a list of layers, a ResNet; only vision transformers are known")
    _refuse(model, _MODEL, {}, "model_cfg")
    _refuse(vision, _VISION, {**_NEUTRAL, "pool_type": ("tok",)}, "vision_cfg")
    _refuse(text, _TEXT | {"hf_tokenizer_name"}, _NEUTRAL, "text_cfg")
    if vision.get("patch_dropout"):
        _log.warning("patch_dropout %s is not applied: training here keeps all patches", vision["patch_dropout"])
    tokenizer = text.get("hf_tokenizer_name")
    if tokenizer and not str(tokenizer).startswith("openai/clip-"):
        raise ValueError(f"text_cfg.hf_tokenizer_name is {tokenizer!r}; only CLIP's own tokenizer is known")
    file = files.OPEN_CLIP_CONFIG
    vocab = files.number(text, "vocab_size", 49408, file)
    pool, last = text.get("pool_type", "argmax"), vocab - 1 if end is None else end
    if pool != "argmax" and not (pool == "eos" and text.get("eos_id", 2) == last):
        raise ValueError(f"text_cfg.pool_type is {pool!r}; known are 'argmax', and 'eos' with eos_id {last}")
    width, text_width = files.number(vision, "width", 768, file), files.number(text, "width", 512, file)
    stated: dict[str, Any] = {
        "embed": files.number(model, "embed_dim", 0, file),
        "image_size": files.number(vision, "image_size", 224, file),
        "patch": files.number(vision, "patch_size", 16, file),
        "image_width": width,
        "image_heads": width // files.number(vision, "head_width", 64, file),
        "image_layers": files.number(vision, "layers", 12, file),
        "image_mlp": _mlp(width, vision),
        "context": files.number(text, "context_length", 77, file),
        "vocab": vocab,
        "text_width": text_width,
        "text_heads": files.number(text, "heads", 8, file),
        "text_layers": files.number(text, "layers", 12, file),
        "text_mlp": _mlp(text_width, text),
        "end": last,
        "logit_bias": model.get("init_logit_bias") is not None,
    }
    if isinstance(model.get("quick_gelu"), bool):
        stated["image_activation"] = stated["text_activation"] = "quick_gelu" if model["quick_gelu"] else "gelu"
    preprocess = _object(config, "preprocess_cfg") if config.get("preprocess_cfg") else {}
    return {**stated, **_preprocessing(preprocess, stated["image_size"])}


def _mlp(width: int, fields: dict[str, Any]) -> int:
    ratio = fields.get("mlp_ratio", 4.0)
    if type(ratio) not in (int, float) or not 0 < ratio < 1000:
        raise ValueError(f"open_clip_config.json says mlp_ratio {ratio!r}; expected is a positive number")
    return int(width * ratio)


def _object(holder: dict[str, Any], name: str) -> dict[str, Any]:
    if not isinstance(holder.get(name), dict):
        raise ValueError(f"open_clip_config.json must hold an object {name}")
    return holder[name]


def _refuse(fields: dict[str, Any], known: set[str], neutral: dict[str, tuple[Any, ...]], where: str) -> None:
    for name, value in fields.items():
        if name in neutral:
            if value not in neutral[name]:
                raise ValueError(f"open_clip_config.json says {where}.{name} = {value!r}: another model than CLIP")
        elif name not in known and name not in _WITHOUT_EFFECT:
            raise ValueError(f"open_clip_config.json has {where}.{name}, which is not known here")


def _preprocessing(fields: dict[str, Any], image_size: Any) -> dict[str, Any]:
    size = fields.get("size", image_size)
    if size not in (image_size, [image_size, image_size]):
        raise ValueError(f"preprocess_cfg.size is {size}, and the model's image_size is {image_size}")
    for name, value in (("interpolation", "bicubic"), ("resize_mode", "shortest"), ("mode", "RGB")):
        if fields.get(name, value) != value:
            raise ValueError(f"preprocess_cfg.{name} is {fields[name]!r}; only {value!r} is known")
    return {name: fields[name] for name in ("mean", "std") if fields.get(name) is not None}


def write(folder: Path, config: ClipConfig) -> None:
    """Write ``open_clip_config.json``.

    Parameters
    ----------
    folder : Path
        Where to.
    config : ClipConfig
        The model's sizes and conventions.

    Raises
    ------
    ValueError
        When open_clip has no words for this model.
    """
    if config.image_activation != config.text_activation:
        raise ValueError(
            f"open_clip has one activation for both towers, and this model has {config.image_activation} and "
            f'{config.text_activation}; use layout="transformers"'
        )
    for tower, width, mlp in (
        ("image", config.image_width, config.image_mlp),
        ("text", config.text_width, config.text_mlp),
    ):
        if int(width * (mlp / width)) != mlp:
            raise ValueError(f"open_clip states {tower}_mlp as a ratio, and {mlp}/{width} is not exact as one")
    vision = {
        "image_size": config.image_size, "layers": config.image_layers, "width": config.image_width,
        "head_width": config.image_width // config.image_heads, "patch_size": config.patch,
        "mlp_ratio": config.image_mlp / config.image_width,
    }  # fmt: skip
    text: dict[str, Any] = {
        "context_length": config.context, "vocab_size": config.vocab, "width": config.text_width,
        "heads": config.text_heads, "layers": config.text_layers, "mlp_ratio": config.text_mlp / config.text_width,
    }  # fmt: skip
    if config.end != config.vocab - 1:
        text |= {"pool_type": "eos", "eos_id": config.end}
    files.write_json(
        folder / files.OPEN_CLIP_CONFIG,
        {
            "model_cfg": {
                "embed_dim": config.embed,
                "quick_gelu": config.image_activation == "quick_gelu",
                "vision_cfg": vision,
                "text_cfg": text,
                **({"init_logit_bias": -10.0} if config.logit_bias else {}),
            },
            "preprocess_cfg": {
                "size": config.image_size,
                "mode": "RGB",
                "mean": list(config.mean),
                "std": list(config.std),
                "interpolation": "bicubic",
                "resize_mode": "shortest",
            },
        },
    )
