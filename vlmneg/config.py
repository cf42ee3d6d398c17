"""The sizes of a CLIP, its activations, pixel statistics and special tokens: one frozen record."""

from __future__ import annotations

import dataclasses
import difflib
import math
import operator
from typing import Any

ACTIVATIONS = ("quick_gelu", "gelu")
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)

# Largest accepted sizes: far above every published model, and low enough that a wrong file cannot exhaust memory.
_LIMITS = {
    "embed": 2**16, "image_size": 2**14, "patch": 2**14, "image_width": 2**16, "image_heads": 2**12,
    "image_layers": 2**10, "image_mlp": 2**20, "context": 2**16, "vocab": 2**24, "text_width": 2**16,
    "text_heads": 2**12, "text_layers": 2**10, "text_mlp": 2**20,
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class ClipConfig:
    """Sizes and conventions of one CLIP model; the defaults are ViT-B/32.

    Two records with equal fields are equal and hash alike. Nothing can be changed in place: ``replace`` gives a
    changed copy.

    Parameters
    ----------
    embed : int
        Width E of the joint embedding.
    image_size, patch : int
        Side of the square input image and of one patch, in pixels; the first is a multiple of the second.
    image_width, image_heads, image_layers, image_mlp : int
        Width, attention heads, blocks and hidden width of the MLP of the image tower.
    context, vocab : int
        Longest caption in tokens (start and end included) and number of token ids.
    text_width, text_heads, text_layers, text_mlp : int
        The same four sizes of the text tower.
    image_activation, text_activation : {"quick_gelu", "gelu"}
        Activation of each tower's MLP: ``x * sigmoid(1.702 * x)``, or the exact ``x * Phi(x)``.
    mean, std : tuple of 3 floats
        Pixel statistics (red, green, blue) of values in [0, 1]; ``std`` is positive.
    start, end : int
        Ids of the start and end token, in [0, vocab). The end token's position is the one that is pooled.
    logit_bias : bool
        Whether a learned bias stands beside the scale, as the sigmoid loss has one; it starts at -10.

    Raises
    ------
    ValueError
        When a size is out of range or two fields contradict each other.
    TypeError
        When a field has the wrong type.

    Examples
    --------
    >>> config = ClipConfig.tiny(vocab=1000)
    >>> config.grid, config.image_tokens, config.start, config.end
    (4, 17, 998, 999)
    >>> ClipConfig.vit_b_32().parameters
    151277313
    """

    embed: int = 512
    image_size: int = 224
    patch: int = 32
    image_width: int = 768
    image_heads: int = 12
    image_layers: int = 12
    image_mlp: int = 3072
    context: int = 77
    vocab: int = 49408
    text_width: int = 512
    text_heads: int = 8
    text_layers: int = 12
    text_mlp: int = 2048
    image_activation: str = "quick_gelu"
    text_activation: str = "quick_gelu"
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD
    start: int = 49406
    end: int = 49407
    logit_bias: bool = False

    def __post_init__(self) -> None:
        for name, limit in _LIMITS.items():
            size = _integer(name, getattr(self, name))
            if not 1 <= size <= limit:
                raise ValueError(f"{name} must be in [1, {limit}], got {size}")
            object.__setattr__(self, name, size)
        if self.image_size % self.patch:
            raise ValueError(f"image_size must be a multiple of patch, got {self.image_size} and {self.patch}")
        for tower in ("image", "text"):
            width, heads = getattr(self, f"{tower}_width"), getattr(self, f"{tower}_heads")
            if width % heads:
                raise ValueError(f"{tower}_width must be a multiple of {tower}_heads, got {width} and {heads}")
            activation = getattr(self, f"{tower}_activation")
            if activation not in ACTIVATIONS:
                raise ValueError(f'{tower}_activation must be "quick_gelu" or "gelu", got {activation!r}')
        if self.context < 2:
            raise ValueError("context must be at least 2, for the start and the end token, got 1")
        for name in ("start", "end"):
            token = _integer(name, getattr(self, name))
            if not 0 <= token < self.vocab:
                raise ValueError(f"{name} must be a token id in [0, {self.vocab}), got {token}; state it beside vocab")
            object.__setattr__(self, name, token)
        if not isinstance(self.logit_bias, bool):
            raise TypeError(f"logit_bias must be True or False, got {self.logit_bias!r}")
        if self.start == self.end:
            raise ValueError(f"start and end must be two different token ids, got {self.start} for both")
        for name in ("mean", "std"):
            object.__setattr__(self, name, _statistics(name, getattr(self, name)))
        if min(self.std) <= 0:
            raise ValueError(f"std must be positive, got {self.std}")

    @classmethod
    def vit_b_32(cls, **changes: Any) -> ClipConfig:
        """ViT-B/32 (151,277,313 parameters).

        Parameters
        ----------
        **changes
            Fields to replace.

        Returns
        -------
        ClipConfig
        """
        return cls().replace(**changes)

    @classmethod
    def vit_b_16(cls, **changes: Any) -> ClipConfig:
        """ViT-B/16 (149,620,737 parameters).

        Parameters
        ----------
        **changes
            Fields to replace.

        Returns
        -------
        ClipConfig
        """
        return cls(patch=16).replace(**changes)

    @classmethod
    def vit_l_14(cls, **changes: Any) -> ClipConfig:
        """ViT-L/14 (427,616,513 parameters).

        Parameters
        ----------
        **changes
            Fields to replace.

        Returns
        -------
        ClipConfig
        """
        return cls(
            embed=768, patch=14, image_width=1024, image_heads=16, image_layers=24, image_mlp=4096,
            text_width=768, text_heads=12, text_mlp=3072,
        ).replace(**changes)  # fmt: skip

    @classmethod
    def tiny(cls, **changes: Any) -> ClipConfig:
        """Small model for 64-pixel images, fit to be trained from scratch on a laptop.

        Parameters
        ----------
        **changes
            Fields to replace. ``vocab`` alone moves ``start`` and ``end`` to the last two ids.

        Returns
        -------
        ClipConfig

        Examples
        --------
        >>> ClipConfig.tiny().parameters
        3777089
        """
        return cls(
            embed=64, image_size=64, patch=16, image_width=128, image_heads=2, image_layers=2, image_mlp=512,
            text_width=64, text_heads=1, text_layers=2, text_mlp=256,
        ).replace(**changes)  # fmt: skip

    @property
    def grid(self) -> int:
        """Patches along one side of the image."""
        return self.image_size // self.patch

    @property
    def image_tokens(self) -> int:
        """Tokens of one image: its patches and the class token."""
        return self.grid**2 + 1

    @property
    def parameters(self) -> int:
        """Number of floats in all tensors together."""
        return sum(math.prod(shape) for shape in self.tensors().values())

    def replace(self, **changes: Any) -> ClipConfig:
        """A copy with some fields changed.

        Parameters
        ----------
        **changes
            Fields and their new values. Where ``start`` and ``end`` were the last two ids and only ``vocab`` is
            given, they stay the last two.

        Returns
        -------
        ClipConfig

        Raises
        ------
        ValueError
            For an unknown field or a value out of range.

        Examples
        --------
        >>> ClipConfig.vit_b_32().replace(image_activation="gelu").image_activation
        'gelu'
        """
        _check_names(changes)
        if "vocab" in changes and (self.start, self.end) == (self.vocab - 2, self.vocab - 1):
            vocab = _integer("vocab", changes["vocab"])
            changes = {"start": vocab - 2, "end": vocab - 1, **changes}
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """All fields as a dictionary that JSON can hold.

        Returns
        -------
        dict

        Examples
        --------
        >>> config = ClipConfig.tiny()
        >>> ClipConfig.from_dict(config.to_dict()) == config
        True
        """
        return {name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(self).items()}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> ClipConfig:
        """The record whose fields are ``fields``; what is left out has its default.

        Parameters
        ----------
        fields : dict
            Field names and values, as ``to_dict`` gives them.

        Returns
        -------
        ClipConfig

        Raises
        ------
        ValueError
            For an unknown field (the nearest name is suggested) or a value out of range.
        """
        if not isinstance(fields, dict):
            raise TypeError(f"a ClipConfig is read from a dictionary of its fields, got {type(fields).__name__}")
        _check_names(fields)
        return cls(**fields)

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of all weights, by OpenAI's names, in the order of its modules.

        Returns
        -------
        dict of str to tuple of ints

        Examples
        --------
        >>> shapes = ClipConfig.vit_b_32().tensors()
        >>> len(shapes), shapes["visual.conv1.weight"]
        (302, (768, 3, 32, 32))
        """
        shapes: dict[str, tuple[int, ...]] = {
            "positional_embedding": (self.context, self.text_width),
            "text_projection": (self.text_width, self.embed),
            "logit_scale": (),
            "visual.class_embedding": (self.image_width,),
            "visual.positional_embedding": (self.image_tokens, self.image_width),
            "visual.proj": (self.image_width, self.embed),
            "visual.conv1.weight": (self.image_width, 3, self.patch, self.patch),
        }
        shapes.update(_norm("visual.ln_pre", self.image_width))
        for layer in range(self.image_layers):
            shapes.update(_block(f"visual.transformer.resblocks.{layer}", self.image_width, self.image_mlp))
        shapes.update(_norm("visual.ln_post", self.image_width))
        for layer in range(self.text_layers):
            shapes.update(_block(f"transformer.resblocks.{layer}", self.text_width, self.text_mlp))
        shapes["token_embedding.weight"] = (self.vocab, self.text_width)
        shapes.update(_norm("ln_final", self.text_width))
        if self.logit_bias:
            shapes["logit_bias"] = ()
        return shapes


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _block(name: str, width: int, mlp: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{name}.attn.in_proj_weight": (3 * width, width),
        f"{name}.attn.in_proj_bias": (3 * width,),
        f"{name}.attn.out_proj.weight": (width, width),
        f"{name}.attn.out_proj.bias": (width,),
        **_norm(f"{name}.ln_1", width),
        f"{name}.mlp.c_fc.weight": (mlp, width),
        f"{name}.mlp.c_fc.bias": (mlp,),
        f"{name}.mlp.c_proj.weight": (width, mlp),
        f"{name}.mlp.c_proj.bias": (width,),
        **_norm(f"{name}.ln_2", width),
    }


def _check_names(fields: dict[str, Any]) -> None:
    known = [field.name for field in dataclasses.fields(ClipConfig)]
    for name in fields:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; the fields are {', '.join(known)}"
            raise ValueError(f"ClipConfig has no field {name!r}{hint}")


def _integer(name: str, value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, got {value}")
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None


def _statistics(name: str, value: Any) -> tuple[float, float, float]:
    try:
        red, green, blue = (float(v) for v in value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be three numbers (red, green, blue), got {value!r}") from None
    if not all(math.isfinite(v) for v in (red, green, blue)):
        raise ValueError(f"{name} must be finite, got {value!r}")
    return red, green, blue
