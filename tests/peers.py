"""CLIP as transformers and open_clip build it, with random weights, for tests of parity; both may be missing.

ODD                                   a configuration that breaks the usual patterns
transformers_clip(config, seed)       a CLIPModel in evaluation mode
open_clip_model(config, seed)         an open_clip CLIP in evaluation mode
random_state(config, seed)            weights as a dictionary of arrays by OpenAI's names, without any peer
state_of(model)                       an open_clip model's weights as such a dictionary
"""

import contextlib
import importlib.machinery
import importlib.util
import sys
import types

import numpy as np
import pytest

from vlmneg.config import ClipConfig

ODD = ClipConfig(
    embed=20, image_size=30, patch=10, image_width=36, image_heads=3, image_layers=1, image_mlp=144, context=9,
    vocab=33, text_width=24, text_heads=2, text_layers=2, text_mlp=96, start=31, end=32,
)  # fmt: skip


def random_state(config, seed=0):
    """Random weights of plausible size, also in biases and LayerNorms, where initialisation would leave 0 and 1."""
    rng = np.random.default_rng(seed)
    state = {name: rng.normal(0, 0.05, shape).astype(np.float32) for name, shape in config.tensors().items()}
    for name, x in state.items():
        if ".ln_" in name or name.startswith("ln_"):
            x += name.endswith("weight")
    state["logit_scale"] = np.asarray(2.6592, np.float32)
    return state


def transformers_clip(config, seed=0):
    """A transformers CLIPModel of this configuration with random weights, biases and LayerNorms included."""
    torch = pytest.importorskip("torch", reason="torch is not installed: no parity with PyTorch can be tested")
    peer = pytest.importorskip("transformers", reason="transformers is not installed: no parity with it can be tested")
    text = dict(
        vocab_size=config.vocab, hidden_size=config.text_width, intermediate_size=config.text_mlp,
        num_hidden_layers=config.text_layers, num_attention_heads=config.text_heads,
        max_position_embeddings=config.context, hidden_act=config.text_activation, projection_dim=config.embed,
        bos_token_id=config.start, eos_token_id=config.end, pad_token_id=config.end,
    )  # fmt: skip
    vision = dict(
        hidden_size=config.image_width, intermediate_size=config.image_mlp, num_hidden_layers=config.image_layers,
        num_attention_heads=config.image_heads, image_size=config.image_size, patch_size=config.patch,
        hidden_act=config.image_activation, projection_dim=config.embed,
    )  # fmt: skip
    torch.manual_seed(seed)
    model = peer.CLIPModel(peer.CLIPConfig(text_config=text, vision_config=vision, projection_dim=config.embed))
    return _disturb(torch, model, seed)


def open_clip_model(config, seed=0):
    """An open_clip CLIP of this configuration with random weights, biases and LayerNorms included."""
    torch = pytest.importorskip("torch", reason="torch is not installed: no parity with PyTorch can be tested")
    assert config.image_activation == config.text_activation, "open_clip has one activation for both towers"
    torch.manual_seed(seed)
    model = open_clip().model.CLIP(
        embed_dim=config.embed,
        vision_cfg=dict(
            image_size=config.image_size, layers=config.image_layers, width=config.image_width,
            head_width=config.image_width // config.image_heads, patch_size=config.patch,
            mlp_ratio=config.image_mlp / config.image_width,
        ),
        text_cfg=dict(
            context_length=config.context, vocab_size=config.vocab, width=config.text_width, heads=config.text_heads,
            layers=config.text_layers, mlp_ratio=config.text_mlp / config.text_width,
        ),
        quick_gelu=config.image_activation == "quick_gelu",
    )  # fmt: skip
    return _disturb(torch, model, seed)


def state_of(model):
    """The weights of a PyTorch model as arrays, by its own names."""
    return {name: x.detach().float().numpy().copy() for name, x in model.state_dict().items()}


def open_clip():
    """The open_clip package; its import needs torchvision, for which an empty stand-in serves where it is missing."""
    if importlib.util.find_spec("open_clip") is None:
        pytest.skip("open_clip is not installed: no parity with it can be tested")
    with contextlib.ExitStack() as stack:
        if "open_clip" not in sys.modules and importlib.util.find_spec("torchvision") is None:
            stack.enter_context(_without_torchvision())
        import open_clip as package
    return package


@contextlib.contextmanager
def _without_torchvision():
    class Anything:
        BICUBIC = BILINEAR = NEAREST = None

    def build(name):
        module = types.ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
        module.__path__ = []
        module.__getattr__ = lambda attribute: Anything
        return module

    names = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional", "torchvision.ops",
             "torchvision.ops.misc")  # fmt: skip
    fakes = {name: build(name) for name in names}
    for name in names[1:]:
        parent, _, child = name.rpartition(".")
        setattr(fakes[parent], child, fakes[name])
    if "timm" not in sys.modules:
        fakes["timm"] = None  # it wants the real torchvision; open_clip does without
    sys.modules.update(fakes)
    try:
        yield
    finally:
        for name in fakes:
            sys.modules.pop(name, None)


def _disturb(torch, model, seed):
    """Move biases and LayerNorms off 0 and 1, so that a test notices when they are exchanged or forgotten."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for x in model.parameters():
            if x.ndim == 1:
                x.add_(0.05 * torch.randn(x.shape, generator=generator))
    return model.eval()
