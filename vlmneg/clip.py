"""CLIP: encode images and texts, compute a loss and its gradients, load and save."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vlmneg import _core, checkpoints, images, step
from vlmneg.arrays import integer
from vlmneg.captions import check_packed, pack_padded
from vlmneg.config import ACTIVATIONS, ClipConfig

if TYPE_CHECKING:
    from vlmneg.losses import Objective
    from vlmneg.step import LossResult
    from vlmneg.tokenizer import Tokenizer

Captions = Any
"""A list of strings, padded ids (N, L), or packed ids (ids (T,), offsets (N + 1,))."""

_IMAGES_AT_ONCE = 32
_TOKENS_AT_ONCE = 4096


class Clip:
    """A CLIP model in the C core.

    Parameters
    ----------
    config : ClipConfig
    seed : int in [0, 2**64), default 0
        Weights start as in OpenAI's released code, drawn by Philox(seed, tensor, element).
    tokenizer : Tokenizer, optional
        Found on first use when left out (``Tokenizer.find``).

    Notes
    -----
    One call at a time uses a model; others wait. Two models in two threads compute side by side.

    References
    ----------
    Radford et al., Learning transferable visual models from natural language supervision. arXiv:2103.00020.

    Examples
    --------
    >>> model = Clip(ClipConfig.tiny(vocab=600), seed=0)
    >>> model.encode_text([[598, 3, 4, 599, 0]], normalize=True).shape
    (1, 64)
    """

    def __init__(self, config: ClipConfig, seed: int = 0, tokenizer: Tokenizer | None = None):
        if not isinstance(config, ClipConfig):
            raise TypeError(f"config must be a ClipConfig, such as ClipConfig.tiny(), got {type(config).__name__}")
        self._config = config
        self._tokenizer: Tokenizer | None = None
        self.path: str | None = None  # where the weights came from
        self._core = _core.Model(_sizes(config))
        self._core.start(seed)
        self._weights = _named_views(self._core.weights(), self._core.tensors())
        self._gradients: dict[str, np.ndarray] | None = None
        if tokenizer is not None:
            self.tokenizer = tokenizer

    def __repr__(self) -> str:
        c = self._config
        return (
            f"Clip(image {c.image_size}/{c.patch}, {c.image_layers}x{c.image_width}; "
            f"text {c.text_layers}x{c.text_width}, vocabulary {c.vocab}; joint {c.embed}; "
            f"{c.parameters:,} parameters)"
        )

    # ---- what it is ----

    @property
    def config(self) -> ClipConfig:
        """Sizes and conventions of the model."""
        return self._config

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the model; found on first use when none was given."""
        if self._tokenizer is None:
            from vlmneg.tokenizer import Tokenizer

            self.tokenizer = Tokenizer.find()
        assert self._tokenizer is not None
        return self._tokenizer

    @tokenizer.setter
    def tokenizer(self, tokenizer: Tokenizer) -> None:
        c = self._config
        if not all(hasattr(tokenizer, name) for name in ("vocab_size", "start", "end", "pack")):
            raise TypeError(f"a tokenizer is a vlmneg.Tokenizer or has its methods, got {type(tokenizer).__name__}")
        got = (tokenizer.vocab_size, tokenizer.start, tokenizer.end)
        if got != (c.vocab, c.start, c.end):
            raise ValueError(
                f"the tokenizer must have the vocabulary size, start and end of the model {(c.vocab, c.start, c.end)}, "
                f"got {got}; use the tokenizer that the model was trained with"
            )
        self._tokenizer = tokenizer

    @property
    def logit_scale(self) -> np.ndarray:
        """The stored logarithm of the scale, a 0-d float32 view; the scale is ``np.exp(model.logit_scale)``."""
        return self._weights["logit_scale"]

    @property
    def logit_bias(self) -> np.ndarray | None:
        """The bias of the sigmoid loss, a 0-d float32 view; None where the model has none, as CLIP itself."""
        return self._weights.get("logit_bias")

    def with_bias(self, start: float = -10.0) -> Clip:
        """A copy of the model with a learned bias beside the scale, as the sigmoid loss has one.

        Parameters
        ----------
        start : float, default -10
            Its first value. The scale, which stays as it is, starts at 10 in SigLIP: ``logit_scale[...] = np.log(10)``.

        Returns
        -------
        Clip

        References
        ----------
        Zhai et al., Sigmoid loss for language image pre-training. arXiv:2303.15343, section 3.2.

        Examples
        --------
        >>> model = Clip(ClipConfig.tiny(vocab=600)).with_bias()
        >>> float(model.logit_bias)
        -10.0
        """
        model = Clip(self._config.replace(logit_bias=True), tokenizer=self._tokenizer)
        model.load_state_dict(self.state_dict() | {"logit_bias": np.array(start, np.float32)})
        model.path = self.path
        return model

    def state_dict(self) -> dict[str, np.ndarray]:
        """All weights by OpenAI's names.

        Returns
        -------
        dict of str to ndarray, float32
            Views: writing to them changes the model.
        """
        return dict(self._weights)

    def gradients(self) -> dict[str, np.ndarray]:
        """The gradients of the last ``loss(..., backward=True)``, by OpenAI's names.

        Returns
        -------
        dict of str to ndarray, float32
            Views, zero before the first backward pass.
        """
        if self._gradients is None:
            self._gradients = _named_views(self._core.gradients(), self._core.tensors())
        return dict(self._gradients)

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Copy weights into the model.

        Parameters
        ----------
        state : dict of str to array
            Exactly the names and shapes of ``state_dict()``, finite floats.

        Raises
        ------
        ValueError, TypeError
            When names, shapes, types or values are not right; the model is then unchanged.
        """
        if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
            kind = type(state).__name__
            raise TypeError(f"a state is a dict of arrays by name, as state_dict() gives it, got {kind}")
        checked = {}
        missing, extra = sorted(self._weights.keys() - state.keys()), sorted(state.keys() - self._weights.keys())
        if missing or extra:
            raise ValueError(f"the state has missing tensors {missing[:5]} and extra tensors {extra[:5]}")
        for name, view in self._weights.items():
            given = np.asarray(state[name])
            if given.shape != view.shape:
                raise ValueError(f"{name} must have shape {view.shape}, got {given.shape}")
            if given.dtype.kind != "f":
                raise TypeError(f"{name} must hold floats, got {given.dtype}")
            with np.errstate(over="ignore"):
                value = np.asarray(given, np.float32)
            if not np.isfinite(value).all():
                raise ValueError(f"{name} holds NaN or infinity (as float32)")
            checked[name] = value
        for name, value in checked.items():
            self._weights[name][...] = value

    # ---- encoding ----

    def preprocess(self, sources: Any, **options: Any) -> np.ndarray:
        """Pictures to the pixels that the image tower reads: decode, resize, crop, normalise.

        Parameters
        ----------
        sources : list of path, PIL image or (H, W, 3) uint8 array
        **options
            Of ``vlmneg.images.preprocess``.

        Returns
        -------
        ndarray of shape (B, 3, S, S), float32
        """
        c = self._config
        return images.preprocess(sources, c.image_size, mean=c.mean, std=c.std, **options)

    def encode_image(self, x: np.ndarray, normalize: bool = False) -> np.ndarray:
        """Embeddings of pictures.

        Parameters
        ----------
        x : ndarray of shape (B, 3, S, S), float32
            As ``preprocess`` gives them.
        normalize : bool, default False
            Unit length.

        Returns
        -------
        ndarray of shape (B, E), float32

        Raises
        ------
        ValueError, TypeError
            For a wrong shape or dtype, an empty batch, or values that are not finite.
        """
        x = self._pixels(x)
        step, unit = _IMAGES_AT_ONCE, int(bool(normalize))
        parts = [self._core.encode(x[i : i + step], None, None, 0, unit, 0)[0] for i in range(0, len(x), step)]
        return self._finite(np.concatenate(parts), "image")

    def encode_text(self, text: Captions, normalize: bool = False) -> np.ndarray:
        """Embeddings of captions.

        Parameters
        ----------
        text : list of str, padded ids or packed ids
            Padded ids have shape (N, L) with L at most the context; what follows the first end token is ignored.
            Packed ids are ``(ids (T,), offsets (N + 1,))``: caption n is ``ids[offsets[n]:offsets[n + 1]]``.
        normalize : bool, default False
            Unit length.

        Returns
        -------
        ndarray of shape (N, E), float32

        Raises
        ------
        ValueError, TypeError
            For an empty list, ids outside the vocabulary, or a row without an end token.
        """
        ids, offsets = self.pack(text)
        parts, first = [], 0
        while first < len(offsets) - 1:
            last = int(np.searchsorted(offsets, offsets[first] + _TOKENS_AT_ONCE, "right")) - 1
            last = min(max(last, first + 1), len(offsets) - 1)
            part = ids[offsets[first] : offsets[last]], offsets[first : last + 1] - offsets[first]
            parts.append(self._core.encode(None, *part, 0, int(bool(normalize)), 0)[1])
            first = last
        return self._finite(np.concatenate(parts), "text")

    def pack(self, text: Captions) -> tuple[np.ndarray, np.ndarray]:
        """Captions in any accepted form as packed ids, each cut at its end token.

        Parameters
        ----------
        text : list of str, padded ids (N, L) or packed ids

        Returns
        -------
        ids : ndarray of shape (T,), int32
        offsets : ndarray of shape (N + 1,), int32
        """
        c = self._config
        if isinstance(text, str):
            text = [text]
        if isinstance(text, tuple) and len(text) == 2 and not isinstance(text[0], str):
            return check_packed(text, c)
        if isinstance(text, Sequence) and not isinstance(text, np.ndarray) and len(text) and isinstance(text[0], str):
            return self.tokenizer.pack(list(text), context=c.context)
        return pack_padded(text, c)

    # ---- training ----

    def loss(
        self,
        x: np.ndarray,
        captions: Captions,
        *,
        negatives: Any = None,
        valid: np.ndarray | None = None,
        neg_images: np.ndarray | None = None,
        neg_image_valid: np.ndarray | None = None,
        positives: Any = None,
        pos_images: np.ndarray | None = None,
        pos_image_valid: np.ndarray | None = None,
        group: Sequence[int] | np.ndarray | None = None,
        objective: Objective | str | None = None,
        teacher: Clip | None = None,
        types: Sequence[str] | None = None,
        made: Any = None,
        made_seed: int = 0,
        made_rows: Any = None,
        accumulate: int = 1,
        towers: Collection[str] = ("image", "text"),
        backward: bool = False,
    ) -> LossResult:
        """An objective on one batch, and its gradients.

        Parameters
        ----------
        x : ndarray of shape (B, 3, S, S), float32
        captions : list of str, padded ids (B, L) or packed ids
            Caption i belongs to picture i.
        negatives : list of B lists of str, result of a negatives object, or ids (B, K, L), optional
            Rows may differ in length; an empty string is no negative.
        valid : ndarray of shape (B, K), uint8 or bool, optional
            0 takes a negative out: it is not encoded, its row is zeros. Taken from ``negatives`` when that is a result.
        neg_images : ndarray of shape (B, M, 3, S, S), float32, optional
            Pictures that show something else. Encoded only where the objective reads negative images.
        neg_image_valid : ndarray of shape (B, M), uint8 or bool, optional
            0 takes a picture out; what it holds is then never looked at.
        positives : list of B lists of str, or ids (B, P, L), optional
            Further captions that are true for picture i; rows may differ in length, an empty string is none. Encoded
            only where the objective reads them; a negative that equals one of them is taken out.
        pos_images : ndarray of shape (B, P, 3, S, S), float32, optional
            Pictures, such as other crops, that caption i is true of; encoded only where the objective reads them.
        pos_image_valid : ndarray of shape (B, P), uint8 or bool, optional
        group : sequence of B ints, optional
            Pictures with equal numbers are the same picture: their captions are never each other's negatives.
        objective : Objective or its name, default ``losses.infonce()``
            Or your own: an object with ``on(image=, text=, ...)``, called and answering as ``Objective.on``. It is
            given what its set of names ``needs`` holds, or without that attribute all there is.
        teacher : Clip, optional
            A frozen model that embeds the same pixels and captions, where the objective reads a teacher.
        types : sequence of str, optional
            Names of the K slots of negatives; adaptive margins are kept by them.
        made : embedding negatives, optional
            As from ``vlmneg.negatives.embed``: made of the batch's embeddings, with gradients through the towers.
        made_seed : int in [0, 2**64), default 0
        made_rows : sequence of B int in [0, 2**64), optional
            Numbers of the samples, from which their random numbers follow; default 0 to B - 1.
        accumulate : int, default 1
            Chunks in which the towers take the batch; the objective still sees all of it at once, so loss and gradients
            are those of the whole batch. Activations take the room of one chunk, and all chunks but one are encoded
            twice. More than B are B.
        towers : collection of str, default ("image", "text")
            Whose weights get gradients. Nothing is kept for the other tower, and its gradients are 0.
        backward : bool, default False
            Also fill ``gradients()``, replacing what it held.

        Returns
        -------
        LossResult
            Its ``advance()`` moves the objective's state; nothing else does.

        Raises
        ------
        ValueError, TypeError
            For shapes or types that do not fit, an empty batch, values that are not finite, or something missing that
            the objective reads.

        References
        ----------
        Gao et al., Scaling deep contrastive learning batch size under memory limited setup. arXiv:2101.06983.
        """
        return step.evaluate(
            self, x, captions, negatives=negatives, valid=valid, neg_images=neg_images, neg_image_valid=neg_image_valid,
            positives=positives, pos_images=pos_images, pos_image_valid=pos_image_valid, group=group,
            objective=objective, teacher=teacher, types=types, made=made, made_seed=made_seed, made_rows=made_rows,
            accumulate=accumulate, towers=towers, backward=backward,
        )  # fmt: skip

    def reserve(self, images: int, captions: int, tokens: int | None = None, accumulate: int = 1,
                objective: Objective | None = None) -> int:
        """Size the training workspace once, so that no later step allocates.

        Parameters
        ----------
        images, captions : int
            Of the largest batch; images include negative ones, captions include negatives and further true ones.
        tokens : int, default captions times context
        accumulate : int, default 1
            Chunks in which ``loss`` takes the batch: room is made for one of them.
        objective : Objective, optional
            One that reads tokens, such as ``losses.local()``, needs more room.

        Returns
        -------
        int
            Bytes reserved; pages that no batch touches cost nothing.
        """
        accumulate = integer(accumulate, "accumulate", 1, 2**31)
        images, captions = integer(images, "images", 0, 2**24), integer(captions, "captions", 0, 2**24)
        tokens = captions * self._config.context if tokens is None else integer(tokens, "tokens", 0, 2**30)
        longest = -(-tokens // max(captions, 1))
        images, captions = -(-images // accumulate), -(-captions // accumulate)
        self._core.gradients()
        full = int("score" in getattr(objective, "needs", ()))
        encoding = self._core.reserve(images, captions, captions * longest, 0, full) if accumulate > 1 else 0
        return encoding + self._core.reserve(images, captions, captions * longest, 1, full)

    # ---- files ----

    @classmethod
    def from_pretrained(cls, path: str | os.PathLike, *, activation: str | None = None, **options: Any) -> Clip:
        """Load a checkpoint.

        Parameters
        ----------
        path : path or str
            A folder in transformers' or open_clip's layout, a safetensors file, ``local-dir:path`` or
            ``hf-hub:org/name`` (with the extra ``hub``).
        activation : {"quick_gelu", "gelu"}, optional
            For checkpoints that do not say which they need.
        **options
            Of ``vlmneg.checkpoints.load``.

        Returns
        -------
        Clip

        Raises
        ------
        ValueError
            When the checkpoint is damaged, is no CLIP, or does not say its activation.
        """
        if activation is not None and activation not in ACTIVATIONS:
            raise ValueError(f'activation must be "quick_gelu" or "gelu", got {activation!r}')
        config, state, extras = checkpoints.load(path, activation=activation, **options)
        model = cls(config, tokenizer=extras["tokenizer"])
        model.load_state_dict(state)
        model.path = os.fspath(path)
        return model

    def save_pretrained(self, path: str | os.PathLike, layout: str = "transformers") -> None:
        """Write weights, configuration and tokenizer files.

        Parameters
        ----------
        path : path
            A folder; files that it holds are replaced one by one, each at once.
        layout : {"transformers", "open_clip"}

        Raises
        ------
        ValueError
            For another layout or weights that are not finite.
        """
        checkpoints.save(path, self._config, self.state_dict(), layout=layout, tokenizer=self._tokenizer)

    # ---- checks ----

    def _pixels(self, x: Any) -> np.ndarray:
        size = self._config.image_size
        if not isinstance(x, np.ndarray):
            raise TypeError(f"x must be a float32 array of shape (B, 3, {size}, {size}), as preprocess gives it")
        if x.dtype != np.float32:
            raise TypeError(f"x must be float32, got {x.dtype}; preprocess gives float32, or use x.astype('float32')")
        if x.ndim != 4 or x.shape[1:] != (3, size, size):
            raise ValueError(f"x must have shape (B, 3, {size}, {size}), got {x.shape}")
        if len(x) == 0:
            raise ValueError("x holds no picture; a batch needs at least one")
        with np.errstate(invalid="ignore"):
            total = x.sum(dtype=np.float64)  # one pass, no mask; finite float32 values cannot overflow it
        if not np.isfinite(total):
            raise ValueError("x holds NaN or infinity")
        return np.ascontiguousarray(x)

    def _finite(self, rows: np.ndarray, tower: str) -> np.ndarray:
        if not np.isfinite(rows).all():
            bad = [name for name, w in self._weights.items() if not np.isfinite(w).all()]
            reason = f"these weights hold NaN or infinity: {', '.join(bad[:5])}" if bad else "the weights overflow"
            raise ValueError(f"the {tower} embeddings are not finite: {reason}")
        return rows


def _sizes(c: ClipConfig) -> tuple[int, ...]:
    act = {"quick_gelu": 1, "gelu": 2}
    return (
        c.embed, c.image_size, c.patch, c.context, c.vocab,
        c.image_width, c.image_heads, c.image_layers, c.image_mlp, act[c.image_activation],
        c.text_width, c.text_heads, c.text_layers, c.text_mlp, act[c.text_activation], int(c.logit_bias),
    )  # fmt: skip


def _named_views(flat: np.ndarray, tensors: list[tuple[str, tuple[int, ...], int]]) -> dict[str, np.ndarray]:
    return {name: flat[at : at + int(np.prod(shape))].reshape(shape) for name, shape, at in tensors}
