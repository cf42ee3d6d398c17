"""Checkpoints: three layouts, and the rule that what a file does not say is not guessed."""

import json
import logging
import os
import subprocess
import sys

import numpy as np
import pytest
from peers import ODD, open_clip, open_clip_model, random_state, state_of, transformers_clip
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from vlmneg import checkpoints
from vlmneg.checkpoints import openai, positions, safetensors, transformers
from vlmneg.config import ClipConfig

GELU = ODD.replace(image_activation="gelu", text_activation="gelu")
MIXED = ODD.replace(text_activation="gelu")


def same(a, b):
    """Equal names, and equal bits under each."""
    return a.keys() == b.keys() and all(np.array_equal(a[n].view(np.int32), b[n].view(np.int32)) for n in a)


def edit(file, change):
    """Apply ``change`` to the object in a JSON file."""
    value = json.loads(file.read_text())
    change(value)
    file.write_text(json.dumps(value))


def rewrite(folder, change):
    """Apply ``change`` to the tensors of a saved transformers folder, dropping vlmneg's metadata."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


@pytest.fixture
def ours(tmp_path):
    """A folder in transformers' layout as vlmneg saves it."""
    checkpoints.save(tmp_path / "ours", ODD, random_state(ODD))
    return tmp_path / "ours"


@pytest.fixture
def theirs(tmp_path):
    """A folder in open_clip's layout without vlmneg's metadata."""
    folder = tmp_path / "theirs"
    checkpoints.save(folder, GELU, random_state(GELU), layout="open_clip")
    save_file(random_state(GELU), folder / "open_clip_model.safetensors", {"format": "pt"})
    return folder


# ---- names ----


@pytest.mark.parametrize("config", [ODD, ClipConfig.tiny(), ClipConfig.vit_b_32()], ids=["odd", "tiny", "b32"])
def test_names_and_counts(config):
    shapes = {name: np.empty(shape, np.float32) for name, shape in config.tensors().items()}
    counts = {ODD: (50, 62, 44_065), ClipConfig.tiny(): (62, 78, 3_777_089), ClipConfig(): (302, 398, 151_277_313)}
    converted = transformers.from_openai(shapes)
    assert (len(shapes), len(converted), config.parameters) == counts[config]
    assert openai.sizes(shapes).items() <= config.to_dict().items()


def test_names_round_trip_is_bit_exact():
    state = random_state(ODD)
    there = transformers.from_openai(state)
    assert same(transformers.to_openai(there), state)
    assert there["text_projection.weight"].shape == (20, 24) and there["vision_model.pre_layrnorm.bias"].shape == (36,)
    q = state["visual.transformer.resblocks.0.attn.in_proj_weight"][:36]
    assert np.array_equal(there["vision_model.encoder.layers.0.self_attn.q_proj.weight"], q)


def test_names_are_those_of_the_peers():
    model = transformers_clip(ODD)
    assert transformers.from_openai(random_state(ODD)).keys() == model.state_dict().keys()
    assert {n: tuple(x.shape) for n, x in open_clip_model(ODD).state_dict().items()} == ODD.tensors()


# ---- save, load ----


@pytest.mark.parametrize("layout", checkpoints.LAYOUTS)
@pytest.mark.parametrize("config", [ODD, GELU, ODD.replace(mean=(0.5, 0.4, 0.3), std=(1, 2, 3), start=3, end=7)])
def test_save_and_load_give_the_same(tmp_path, config, layout):
    state = random_state(config)
    checkpoints.save(tmp_path / "a", config, state, layout=layout)
    for path in (tmp_path / "a", f"local-dir:{tmp_path / 'a'}", next((tmp_path / "a").glob("*.safetensors"))):
        got, weights, extras = checkpoints.load(path)
        assert got == config and same(weights, state) and list(weights) == list(config.tensors())
        assert extras["tokenizer"] is None and json.loads(extras["metadata"]["vlmneg"])["config"] == config.to_dict()
    (name,) = (tmp_path / "a").glob("*.safetensors")
    assert safe_open(name, "np").metadata()["format"] == "pt"
    checkpoints.save(tmp_path / "a", config, weights, layout=layout)  # over itself, out of views of the old file
    assert same(checkpoints.load(tmp_path / "a")[1], state)
    assert not [file for file in (tmp_path / "a").iterdir() if file.name.endswith(".tmp")]


@pytest.mark.parametrize("config", [ODD, GELU, MIXED])
def test_transformers_saves_we_load(tmp_path, config):
    model = transformers_clip(config, 1)
    model.save_pretrained(tmp_path)
    got, state, _ = checkpoints.load(tmp_path)
    assert got == config and same(transformers.from_openai(state), state_of(model))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_transformers_saves_half_and_double(tmp_path, dtype):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    model = transformers_clip(ODD, 2).to(getattr(torch, dtype))
    model.save_pretrained(tmp_path)
    assert same(transformers.from_openai(checkpoints.load(tmp_path)[1]), state_of(model))


def test_transformers_saves_shards(tmp_path):
    model = transformers_clip(ODD, 3)
    model.save_pretrained(tmp_path, max_shard_size="30KB")
    shards = sorted(tmp_path.glob("*.safetensors"))
    assert len(shards) > 2
    assert same(transformers.from_openai(checkpoints.load(tmp_path)[1]), state_of(model))

    index = tmp_path / "model.safetensors.index.json"
    good = index.read_text()
    edit(index, lambda v: v["weight_map"].update(logit_scale=shards[1].name))
    with pytest.raises(ValueError, match="does not place there"):
        checkpoints.load(tmp_path)
    index.write_text(good)
    edit(index, lambda v: v["weight_map"].update(more=shards[0].name))
    with pytest.raises(ValueError, match="'more'"):
        checkpoints.load(tmp_path)
    for name in ("../model.safetensors", "/etc/passwd", "a/b", ".hidden", "", 3, None):
        edit(index, lambda v, name=name: v["weight_map"].update(logit_scale=name))
        with pytest.raises(ValueError, match="plain file name"):
            checkpoints.load(tmp_path)
    index.write_text(good)
    shards[1].unlink()
    with pytest.raises(FileNotFoundError, match=shards[1].name):
        checkpoints.load(tmp_path)


@pytest.mark.parametrize("config", [ODD, GELU, MIXED])
def test_we_save_transformers_loads(tmp_path, config):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    peer = pytest.importorskip("transformers", reason="transformers is not installed")
    model = transformers_clip(config, 4)
    checkpoints.save(tmp_path, config, transformers.to_openai(state_of(model)))
    again, info = peer.CLIPModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values()) and same(state_of(again), state_of(model))
    for own, tower in (("image", again.config.vision_config), ("text", again.config.text_config)):
        assert tower.hidden_act == getattr(config, f"{own}_activation")
        assert tower.num_attention_heads == getattr(config, f"{own}_heads") and tower.layer_norm_eps == 1e-5
    ids = torch.tensor([[31, 4, 5, 32, 0, 0, 0, 0, 0], [31, 7, 32, 0, 0, 0, 0, 0, 0]])
    pixels = torch.randn(2, 3, 30, 30)
    with torch.no_grad():
        a, b = model(input_ids=ids, pixel_values=pixels), again.eval()(input_ids=ids, pixel_values=pixels)
    assert torch.equal(a.logits_per_image, b.logits_per_image)
    processor = json.loads((tmp_path / "preprocessor_config.json").read_text())
    assert processor["size"] == {"shortest_edge": 30} and processor["resample"] == 3


@pytest.mark.parametrize("config", [ODD, GELU, ODD.replace(image_mlp=100, start=3, end=7)])
def test_we_save_open_clip_loads(tmp_path, config):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    model = open_clip_model(config, 5)
    checkpoints.save(tmp_path, config, state_of(model), layout="open_clip")
    again = open_clip().create_model(f"local-dir:{tmp_path}").eval()
    assert same(state_of(again), state_of(model)) and again.visual.image_mean == list(config.mean)
    ids = torch.tensor([[config.start, 4, 5, config.end, 0, 0, 0, 0, 0]])
    pixels = torch.randn(1, 3, 30, 30)
    with torch.no_grad():
        assert torch.equal(again.encode_image(pixels), model.encode_image(pixels))
        if config.end == config.vocab - 1:  # the model built by hand pools at the largest id
            assert torch.equal(again.encode_text(ids), model.encode_text(ids))
        else:
            whole = again.transformer(again.token_embedding(ids) + again.positional_embedding, again.attn_mask)
            assert torch.allclose(again.encode_text(ids), (again.ln_final(whole) @ again.text_projection)[:, 3])
    assert checkpoints.load(tmp_path)[0] == config


def test_open_clip_has_one_activation(tmp_path):
    with pytest.raises(ValueError, match='layout="transformers"'):
        checkpoints.save(tmp_path / "a", MIXED, random_state(MIXED), layout="open_clip")
    assert not list(tmp_path.iterdir())


def test_save_refuses(tmp_path, ours):
    state = random_state(ODD)
    less, more = dict(state), {**state, "logit_bias": np.zeros((), np.float32)}
    del less["ln_final.bias"]
    for bad, words in (
        (less, "ln_final.bias"),
        (more, "logit_bias"),
        ({**state, "visual.proj": state["visual.proj"].T}, r"visual.proj must have shape \(36, 20\)"),
        ({**state, "visual.proj": state["visual.proj"].astype(np.float64)}, "must be float32, got float64"),
        ({**state, "visual.proj": np.full((36, 20), np.nan, np.float32)}, "visual.proj holds NaN"),
    ):
        with pytest.raises(ValueError, match=words):
            checkpoints.save(tmp_path / "new", ODD, bad)
    with pytest.raises(ValueError, match="layout"):
        checkpoints.save(tmp_path / "new", ODD, state, layout="timm")
    with pytest.raises(TypeError, match="ClipConfig"):
        checkpoints.save(tmp_path / "new", ODD.to_dict(), state)
    assert not (tmp_path / "new").exists()
    with pytest.raises(ValueError, match="another checkpoint"):
        checkpoints.save(ours, ODD, state, layout="open_clip")
    with pytest.raises(ValueError, match="is a file"):
        checkpoints.save(ours / "config.json", ODD, state)


def test_load_names_what_is_wrong(tmp_path, ours):
    for path, words in (
        ("no/such/folder", "no checkpoint folder"),
        (tmp_path / "nothing", "no checkpoint folder"),
        ("local-dir:missing", "local-dir"),
    ):
        with pytest.raises(FileNotFoundError, match=words):
            checkpoints.load(path)
    with pytest.raises(FileNotFoundError, match="expected are config.json with model.safetensors"):
        checkpoints.load(tmp_path)
    with pytest.raises(ValueError, match="activation must be"):
        checkpoints.load(ours, activation="relu")
    (tmp_path / "x.bin").write_bytes(b"")
    with pytest.raises(ValueError, match="vlmneg convert"):
        checkpoints.load(tmp_path / "x.bin")
    with pytest.raises(FileNotFoundError, match="vlmneg convert"):
        checkpoints.load(tmp_path)
    (ours / "config.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="config.json is not JSON"):
        checkpoints.load(ours)


def test_wrong_tensors_are_named(ours):
    cases = [
        (lambda t: t.pop("vision_model.post_layernorm.bias"), "lacks visual.ln_post.bias"),
        (lambda t: t.update(surplus=np.zeros(3, np.float32)), "has beyond them surplus"),
        (lambda t: t.update(logit_scale=np.array([1, 2], np.float32)), r"logit_scale must have shape \(\), got \(2,\)"),
        (lambda t: t.pop("text_model.encoder.layers.1.self_attn.k_proj.bias"), "must have q_proj, k_proj and v_proj"),
        (lambda t: t.pop("text_model.encoder.layers.1.self_attn.q_proj.bias"), "k_proj.bias"),
        (lambda t: t.pop("visual_projection.weight"), "visual.proj is missing"),
        (lambda t: t.update({"visual_projection.weight": np.zeros((20, 35), np.float32)}), "visual.proj must have"),
        (lambda t: t.update(logit_bias=np.zeros(2, np.float32)), r"logit_bias must have shape \(\), got \(2,\)"),
        (lambda t: t.update({"text_model.x.lora_A.weight": np.zeros(3, np.float32)}), "LoRA"),
        (lambda t: t.update(logit_scale=np.zeros((), np.int64)), "logit_scale.*integers"),
        (lambda t: t.update(logit_scale=np.array(np.inf, np.float32)), "'logit_scale' holds NaN or infinity"),
        (lambda t: t.update(logit_scale=np.array(1e300)), "'logit_scale' holds NaN or infinity"),
        (lambda t: t["text_model.embeddings.token_embedding.weight"].__setitem__((5, 3), np.nan), "token_embedding"),
    ]
    good = (ours / "model.safetensors").read_bytes()
    for change, words in cases:
        (ours / "model.safetensors").write_bytes(good)
        rewrite(ours, change)
        with pytest.raises(ValueError, match=words):
            checkpoints.load(ours)


def test_foreign_decorations_are_taken_off(ours):
    def decorate(tensors):
        old = dict(tensors)
        tensors.clear()
        tensors.update({f"module._orig_mod.{name}": x for name, x in old.items()})
        tensors["module._orig_mod.logit_scale"] = old["logit_scale"].reshape(1)
        tensors["text_model.embeddings.position_ids"] = np.arange(9)[None]

    rewrite(ours, decorate)
    assert same(checkpoints.load(ours)[1], random_state(ODD))
    rewrite(ours, lambda t: t.update(logit_scale=t["module._orig_mod.logit_scale"]))
    with pytest.raises(ValueError, match="two tensors"):
        checkpoints.load(ours)


def test_custom_text_tower_of_open_clip(theirs):
    state = random_state(GELU)
    prefixed = {n if n.startswith(("visual.", "logit")) else f"text.{n}": x for n, x in state.items()}
    save_file(prefixed, theirs / "open_clip_model.safetensors")
    edit(theirs / "open_clip_config.json", lambda v: v["model_cfg"].update(custom_text=True))
    assert same(checkpoints.load(theirs)[1], state)
    save_file(prefixed | {"ln_final.bias": state["ln_final.bias"]}, theirs / "open_clip_model.safetensors")
    with pytest.raises(ValueError, match="twice"):
        checkpoints.load(theirs)


# ---- activation ----


def test_activation_of_transformers(ours):
    rewrite(ours, lambda t: None)
    config = ours / "config.json"
    edit(config, lambda v: v["vision_config"].pop("hidden_act"))
    with pytest.raises(
        ValueError, match=r'image_activation\); state it: from_pretrained\(path, activation="quick_gelu"\)'
    ):
        checkpoints.load(ours)
    for name in ("quick_gelu", "gelu"):
        got = checkpoints.load(ours, activation=name)[0]
        assert (got.image_activation, got.text_activation) == (name, name)
    edit(config, lambda v: v["vision_config"].update(hidden_act=None))
    with pytest.raises(ValueError, match="which GELU"):
        checkpoints.load(ours)
    edit(config, lambda v: v["vision_config"].update(hidden_act="gelu"))
    got = checkpoints.load(ours)[0]
    assert (got.image_activation, got.text_activation) == ("gelu", "quick_gelu")
    for other in ("gelu_new", "gelu_pytorch_tanh", "relu", 3, ["gelu"]):
        edit(config, lambda v, other=other: v["text_config"].update(hidden_act=other))
        for activation in (None, "gelu"):
            with pytest.raises(ValueError, match="hidden_act"):
                checkpoints.load(ours, activation=activation)


def test_activation_of_open_clip(theirs):
    config = theirs / "open_clip_config.json"
    assert checkpoints.load(theirs)[0] == GELU
    edit(config, lambda v: v["model_cfg"].update(quick_gelu=True))
    assert checkpoints.load(theirs)[0] == ODD
    edit(config, lambda v: v["model_cfg"].pop("quick_gelu"))
    with pytest.raises(ValueError, match='activation="gelu"'):
        checkpoints.load(theirs)
    assert checkpoints.load(theirs, activation="gelu")[0] == GELU


def test_activation_of_a_bare_file(tmp_path):
    config = ClipConfig.tiny(vocab=100)
    save_file(random_state(config), tmp_path / "weights.safetensors")
    for path in (tmp_path / "weights.safetensors", tmp_path):
        with pytest.raises(ValueError, match="which GELU"):
            checkpoints.load(path)
        assert checkpoints.load(path, activation="quick_gelu")[0] == config
    save_file(random_state(ODD), tmp_path / "weights.safetensors")
    with pytest.raises(ValueError, match="how many heads"):
        checkpoints.load(tmp_path, activation="gelu")


def test_activation_in_our_metadata_must_agree(ours, caplog):
    edit(ours / "config.json", lambda v: v["text_config"].update(hidden_act="gelu"))
    with pytest.raises(ValueError, match="text_activation = 'gelu'.*metadata say 'quick_gelu'"):
        checkpoints.load(ours)
    edit(ours / "config.json", lambda v: v["text_config"].pop("hidden_act"))
    assert checkpoints.load(ours)[0] == ODD  # said by the metadata alone
    with caplog.at_level(logging.WARNING, "vlmneg"):
        assert checkpoints.load(ours, activation="gelu")[0] == GELU
    assert "overrides" in caplog.text


# ---- configurations ----


def test_old_transformers_files(ours):
    rewrite(ours, lambda t: None)

    def age(v):
        v["torch_dtype"] = v.pop("dtype")
        v["text_config"].update(eos_token_id=2, bos_token_id=0, pad_token_id=1)
        v["text_config_dict"] = None
        v["vision_config_dict"] = {**v["vision_config"], "hidden_act": "gelu"}

    edit(ours / "config.json", age)
    edit(
        ours / "preprocessor_config.json",
        lambda v: v.update(size=30, crop_size=30, feature_extractor_type="CLIPFeatureExtractor"),
    )
    assert checkpoints.load(ours)[0] == ODD.replace(image_activation="gelu")

    edit(ours / "config.json", lambda v: v.update(text_config_dict={"hidden_act": "gelu"}))
    with pytest.raises(ValueError, match="context = 77"):  # its defaults override, too
        checkpoints.load(ours)
    edit(ours / "config.json", lambda v: v.update(text_config_dict={**v["text_config"], "hidden_act": None}))
    assert checkpoints.load(ours)[0].text_activation == "quick_gelu"
    edit(ours / "config.json", lambda v: v["text_config"].update(hidden_act="gelu"))
    with pytest.raises(ValueError, match="which GELU"):
        checkpoints.load(ours)


def test_old_files_are_read_as_transformers_reads_them(ours):
    peer = pytest.importorskip("transformers", reason="transformers is not installed")
    over = {"hidden_act": "gelu", "num_attention_heads": 4}
    edit(ours / "config.json", lambda v: v.update(text_config_dict={**v["text_config"], **over}))
    rewrite(ours, lambda t: None)
    got = checkpoints.load(ours)[0]
    text = peer.CLIPConfig.from_pretrained(ours).text_config
    assert (got.text_activation, got.text_heads) == (text.hidden_act, text.num_attention_heads) == ("gelu", 4)


def refused(folder, file, change, words):
    good = (folder / file).read_text()
    edit(folder / file, change)
    with pytest.raises(ValueError, match=words):
        checkpoints.load(folder)
    (folder / file).write_text(good)


def test_transformers_configurations_that_are_refused(ours):
    rewrite(ours, lambda t: None)
    for tower, name, value, words in (
        ("text_config", "hidden_size", 32, "text_width = 32, and its tensors have 24"),
        ("text_config", "hidden_size", "24", "hidden_size '24'"), ("text_config", "hidden_size", 0, "hidden_size 0"),
        ("text_config", "num_hidden_layers", 10**9, "text_layers = 1000000000"),
        ("text_config", "num_attention_heads", 5, "multiple of text_heads"),
        ("text_config", "num_attention_heads", None, "num_attention_heads None"),
        ("text_config", "vocab_size", 32, "eos_token_id 32, no id of the 32"),
        ("text_config", "vocab_size", 34, "vocab = 34"),
        ("text_config", "max_position_embeddings", 77, "context = 77"),
        ("text_config", "layer_norm_eps", 1e-6, "1e-06"),
        ("text_config", "eos_token_id", 49407, "eos_token_id 49407"),
        ("text_config", "eos_token_id", [31, 32], "eos_token"),
        ("text_config", "eos_token_id", None, "eos_token_id None"),
        ("vision_config", "num_channels", 1, "num_channels 1"),
        ("vision_config", "image_size", 40, "image_size|size"), ("vision_config", "patch_size", 15, "patch = 15"),
        ("vision_config", "image_size", [30, 40], "image_size"),
    ):  # fmt: skip
        refused(ours, "config.json", lambda v, t=tower, n=name, x=value: v[t].update({n: x}), words)
    refused(ours, "config.json", lambda v: v.update(model_type="siglip"), "siglip")
    refused(ours, "config.json", lambda v: v.update(text_config=[]), "context = 77")
    refused(ours, "config.json", lambda v: v.update(projection_dim=21), "embed = 21")
    edit(ours / "config.json", lambda v: v["vision_config"].update(image_size=[30, 30]))
    assert checkpoints.load(ours)[0] == ODD


def test_transformers_preprocessing_is_honoured_or_refused(ours):
    rewrite(ours, lambda t: None)
    file = ours / "preprocessor_config.json"
    edit(file, lambda v: v.update(image_mean=[0.5, 0.25, 0.125], image_std=[1, 2, 3]))
    assert checkpoints.load(ours)[0] == ODD.replace(mean=(0.5, 0.25, 0.125), std=(1, 2, 3))
    for name, value in (
        ("do_resize", False), ("do_center_crop", False), ("do_rescale", False), ("do_normalize", False),
        ("resample", 2), ("rescale_factor", 1 / 127.5), ("rescale_factor", "x"), ("size", {"height": 30, "width": 30}),
        ("size", {"shortest_edge": 33}), ("size", 224), ("crop_size", {"height": 30, "width": 31}), ("crop_size", 31),
        ("image_processor_type", "ViTImageProcessor"), ("image_mean", [1, 2]), ("image_std", [1, 0, 1]),
        ("image_mean", "abc"),
    ):  # fmt: skip
        words = {"image_processor_type": "ViTImageProcessor"}.get(name, name.removeprefix("image_"))
        refused(ours, file.name, lambda v, n=name, x=value: v.update({n: x}), words)
    whole = json.loads(file.read_text())
    file.unlink()
    assert checkpoints.load(ours)[0] == ODD
    (ours / "processor_config.json").write_text(json.dumps({"image_processor": whole}))
    assert checkpoints.load(ours)[0].std == (1, 2, 3)


@pytest.mark.parametrize(
    "part, name, value, words",
    [
        ("vision_cfg", "ls_init_value", 0.1, ""), ("vision_cfg", "attentional_pool", True, ""),
        ("vision_cfg", "no_ln_pre", True, ""), ("vision_cfg", "pos_embed_type", "sin_cos_2d", ""),
        ("vision_cfg", "final_ln_after_pool", True, ""), ("vision_cfg", "pool_type", "avg", ""),
        ("vision_cfg", "qk_norm", True, ""), ("vision_cfg", "scaled_cosine_attn", True, ""),
        ("vision_cfg", "scale_heads", True, ""), ("vision_cfg", "scale_attn", True, ""),
        ("vision_cfg", "scale_fc", True, ""), ("vision_cfg", "scale_attn_inner", True, ""),
        ("vision_cfg", "act_kwargs", {"approximate": "tanh"}, ""), ("vision_cfg", "norm_kwargs", {"eps": 1e-6}, ""),
        ("vision_cfg", "timm_model_name", "vit_base", ""), ("vision_cfg", "layers", [3, 4, 6, 3], "ResNet"),
        ("vision_cfg", "head_width", 64, "image_heads"), ("vision_cfg", "head_width", 0, ""),
        ("vision_cfg", "mlp_ratio", 3, "image_mlp = 108"), ("vision_cfg", "mlp_ratio", "4", ""),
        ("vision_cfg", "image_size", 40, ""), ("vision_cfg", "invented", 1, ""),
        ("text_cfg", "pool_type", "last", ""), ("text_cfg", "pool_type", "eos", ""),
        ("text_cfg", "proj_bias", True, ""),
        ("text_cfg", "proj_type", "none", ""), ("text_cfg", "no_causal_mask", True, ""),
        ("text_cfg", "embed_cls", True, ""),
        ("text_cfg", "hf_model_name", "roberta-base", ""), ("text_cfg", "width", 48, "text_mlp|text_width"),
        ("text_cfg", "hf_tokenizer_name", "bert-base-uncased", ""),
        ("text_cfg", "tokenizer_kwargs", {"clean": "x"}, ""),
        ("text_cfg", "ls_init_value", 1e-5, ""), ("text_cfg", "heads", 5, "text_heads"),
        ("text_cfg", "vocab_size", 34, "vocab = 34"), (None, "init_logit_bias", -10, "logit_bias = True"),
        (None, "multimodal_cfg", {}, ""), (None, "text_cfg", None, ""), (None, "embed_dim", 21, "embed = 21"),
    ],
)  # fmt: skip
def test_open_clip_configurations_that_are_refused(theirs, part, name, value, words):
    def change(v):
        (v["model_cfg"] if part is None else v["model_cfg"][part]).update({name: value})

    refused(theirs, "open_clip_config.json", change, words or name)


def test_open_clip_configurations_that_are_accepted(theirs):
    def change(v):
        v["model_cfg"]["vision_cfg"].update(ls_init_value=None, pool_type="tok", patch_dropout=0.5, image_size=[30, 30])
        v["model_cfg"]["text_cfg"].update(pool_type="eos", eos_id=32, pad_id=1, no_causal_mask=False)
        v["preprocess_cfg"] = {"mean": [0.5] * 3, "std": [0.5] * 3}

    edit(theirs / "open_clip_config.json", change)
    assert checkpoints.load(theirs)[0] == GELU.replace(mean=(0.5,) * 3, std=(0.5,) * 3)
    for name, value in (("resize_mode", "squash"), ("interpolation", "bilinear"), ("size", 33)):
        refused(theirs, "open_clip_config.json", lambda v, n=name, x=value: v["preprocess_cfg"].update({n: x}), name)


def test_transformers_files_win_where_both_lie(ours, theirs):
    for file in theirs.iterdir():
        (ours / file.name).write_bytes(file.read_bytes())
    assert checkpoints.load(ours)[0] == ODD


def places(value, path=()):
    """Paths of all entries of nested objects and lists."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(value[key], (*path, key))


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "open_clip_config.json"])
def test_any_wrong_value_is_a_value_error_or_harmless(ours, theirs, name):
    folder = ours if (ours / name).exists() else theirs
    rewrite(ours, lambda t: None)
    good = (folder / name).read_text()
    for path in places(json.loads(good)):
        for wrong in (None, True, -1, 10**30, 1.5, float("inf"), "x", [], [1, 2], {"a": []}):
            value = json.loads(good)
            inner = value
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = wrong
            (folder / name).write_text(json.dumps(value))
            try:
                checkpoints.load(folder)
            except ValueError as error:
                assert len(str(error)) < 400


def test_one_tower_alone_is_named(ours):
    good = load_file(ours / "model.safetensors")
    for prefix, cut, words in (
        ("vision_model.", 0, "an image tower alone"),
        ("text_model.", 0, "a text tower alone"),
        ("text_model.", len("text_model."), "a text tower alone"),  # as transformers 5 saves a bare text model
    ):
        part = {name[cut:]: x for name, x in good.items() if name.startswith(prefix)}
        save_file(part, ours / "model.safetensors")
        with pytest.raises(ValueError, match=words):
            checkpoints.load(ours)


# ---- positions ----


def test_positions_are_resized_only_on_demand(ours):
    rewrite(ours, lambda t: None)
    edit(ours / "config.json", lambda v: v["vision_config"].update(image_size=50))
    edit(ours / "preprocessor_config.json", lambda v: v.update(size=50, crop_size=50))
    with pytest.raises(ValueError, match="resize_positions=True"):
        checkpoints.load(ours)
    config, state, _ = checkpoints.load(ours, resize_positions=True)
    assert config == ODD.replace(image_size=50) and state["visual.positional_embedding"].shape == (26, 36)
    assert np.array_equal(state["visual.positional_embedding"][0], random_state(ODD)["visual.positional_embedding"][0])


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("old, new", [(3, 5), (7, 3), (14, 7), (7, 16), (1, 4), (5, 1), (4, 4)])
def test_positions_are_resized_as_in_pytorch(old, new, antialias):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    table = np.random.default_rng(0).normal(size=(old * old + 1, 6)).astype(np.float32)
    square = torch.tensor(table[1:].reshape(1, old, old, 6)).permute(0, 3, 1, 2)
    want = torch.nn.functional.interpolate(square, (new, new), mode="bicubic", antialias=antialias, align_corners=False)
    got = positions.resize_grid(table, new, antialias)
    assert np.abs(got[1:] - want[0].permute(1, 2, 0).reshape(-1, 6).numpy()).max() < 2e-6
    assert np.array_equal(got[0], table[0]) and got.dtype == np.float32


# ---- convert ----


def test_convert_between_layouts(tmp_path, ours):
    config = checkpoints.convert(ours, tmp_path / "b", "open_clip")
    checkpoints.convert(tmp_path / "b", tmp_path / "c", "transformers")
    assert config == ODD and same(checkpoints.load(tmp_path / "c")[1], random_state(ODD))
    assert (tmp_path / "c" / "model.safetensors").read_bytes() == (ours / "model.safetensors").read_bytes()


@pytest.mark.parametrize("under", [None, "state_dict", "model_state_dict", "model"])
def test_convert_pickles(tmp_path, under):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    config = ClipConfig.tiny(vocab=50)
    state = {f"module.{name}": torch.tensor(x) for name, x in random_state(config).items()}
    state |= {"input_resolution": torch.tensor(64), "context_length": torch.tensor(77), "vocab_size": torch.tensor(50)}
    torch.save(state if under is None else {under: state, "epoch": 3}, tmp_path / "a.pt")
    with pytest.raises(ValueError, match="which GELU"):
        checkpoints.convert(tmp_path / "a.pt", tmp_path / "b")
    assert checkpoints.convert(tmp_path / "a.pt", tmp_path / "b", activation="quick_gelu") == config
    assert same(checkpoints.load(tmp_path / "b")[1], random_state(config))
    state["vocab_size"] = torch.tensor(51)
    torch.save(state, tmp_path / "a.pt")
    with pytest.raises(ValueError, match="vocab = 51"):
        checkpoints.convert(tmp_path / "a.pt", tmp_path / "c", activation="quick_gelu")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_convert_torchscript(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    config = ClipConfig.tiny(vocab=50)

    class Node(torch.nn.Module):
        def forward(self, x):
            return x

    root, state = Node(), random_state(config)
    for name, x in state.items():
        node = root
        *path, last = name.split(".")
        for step in path:
            if not hasattr(node, step):
                node.add_module(step, Node())
            node = getattr(node, step)
        x = torch.tensor(x)
        node.register_parameter(last, torch.nn.Parameter(x.half() if x.ndim > 1 else x))
    torch.jit.save(torch.jit.trace(root, torch.zeros(1)), tmp_path / "ViT.pt")
    checkpoints.convert(tmp_path / "ViT.pt", tmp_path / "b", activation="quick_gelu")
    half = {n: x.astype(np.float16).astype(np.float32) if x.ndim > 1 else x for n, x in state.items()}
    assert same(checkpoints.load(tmp_path / "b")[1], half)


def test_convert_folder_with_pickle(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    model = transformers_clip(ODD)
    model.save_pretrained(tmp_path / "a")
    (tmp_path / "a" / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "a" / "pytorch_model.bin")
    assert checkpoints.convert(tmp_path / "a", tmp_path / "b", "open_clip") == ODD


def test_hostile_pickles_run_nothing(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")

    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    torch.save({"state_dict": {"logit_scale": torch.zeros(()), "x": Bomb()}}, tmp_path / "a.pt")
    with pytest.raises(ValueError, match="cannot be read"):
        checkpoints.convert(tmp_path / "a.pt", tmp_path / "b", activation="gelu")
    assert not (tmp_path / "exploded").exists()
    for content in (b"", b"PK\x03\x04", os.urandom(100)):
        (tmp_path / "a.pt").write_bytes(content)
        with pytest.raises(ValueError, match="cannot be read"):
            checkpoints.convert(tmp_path / "a.pt", tmp_path / "b", activation="gelu")
    for value in ([1, 2], {"a": 3}, {"a": torch.zeros(1), "b": "text"}):
        torch.save(value, tmp_path / "a.pt")
        with pytest.raises(ValueError, match="no state dictionary|no tensor"):
            checkpoints.convert(tmp_path / "a.pt", tmp_path / "b", activation="gelu")


# ---- the hub ----

HUB = """
import sys
from vlmneg import checkpoints
for name in sys.argv[1:]:
    try:
        print(checkpoints.load(name)[0].embed)
    except FileNotFoundError as error:
        print(error)
"""


def test_hub_names_offline(tmp_path, ours, theirs):
    pytest.importorskip("huggingface_hub", reason="huggingface-hub is not installed")
    for repo, source in (("org--ours", ours), ("org--theirs", theirs), ("plain", ours)):
        base = tmp_path / "hf" / "hub" / f"models--{repo}"
        (base / "refs").mkdir(parents=True)
        (base / "refs" / "main").write_text("0" * 40)
        (base / "snapshots").mkdir()
        (base / "snapshots" / ("0" * 40)).symlink_to(source)
    env = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "PYTHONPATH": os.getcwd()}
    env.pop("HF_HUB_CACHE", None)
    names = ["hf-hub:org/ours", "org/theirs", "plain", "org/missing"]
    run = subprocess.run([sys.executable, "-c", HUB, *names], env=env, capture_output=True, text=True, cwd=tmp_path)
    *good, last = run.stdout.splitlines()
    assert good == ["20"] * 3, run.stderr
    assert "no folder or file 'org/missing' here" in last


def test_hub_needs_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"vlmneg\[hub\]"):
        checkpoints.load("hf-hub:org/repo")
    with pytest.raises(FileNotFoundError, match=r"no folder or file 'org/repo' here.*vlmneg\[hub\]"):
        checkpoints.load("org/repo")
    with pytest.raises(ValueError, match="ORG/REPO"):
        checkpoints.load("hf-hub:../../etc")


# ---- whole or not at all ----


def test_atomic_folder(tmp_path):
    target = tmp_path / "a" / "b"
    with checkpoints.atomic_folder(target) as folder:
        (folder / "one").write_text("1")
        (folder / "sub").mkdir()
        (folder / "sub" / "two").write_text("2")
        assert not target.exists()
    with pytest.raises(KeyError), checkpoints.atomic_folder(target) as folder:
        (folder / "one").write_text("broken")
        raise KeyError
    assert (target / "one").read_text() == "1" and (target / "sub" / "two").read_text() == "2"
    with checkpoints.atomic_folder(target) as folder:
        (folder / "three").write_text("3")
    assert [file.name for file in target.iterdir()] == ["three"]
    assert [file.name for file in target.parent.iterdir()] == ["b"]


def test_atomic_file(tmp_path):
    with checkpoints.atomic_file(tmp_path / "x") as temporary:
        temporary.write_text("1")
    with pytest.raises(KeyError), checkpoints.atomic_file(tmp_path / "x") as temporary:
        temporary.write_text("2")
        raise KeyError
    assert (tmp_path / "x").read_text() == "1" and len(list(tmp_path.iterdir())) == 1


def test_failed_save_leaves_nothing(tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(safetensors, "write", fail)
    with pytest.raises(OSError, match="disk full"):
        checkpoints.save(tmp_path / "a", ODD, random_state(ODD))
    assert not list(tmp_path.iterdir())


# ---- the tokenizer beside the weights ----


def test_tokenizer_travels_with_the_weights(tmp_path):
    tokenizer = pytest.importorskip("vlmneg.tokenizer").Tokenizer.learn(["a red cube", "a blue ball"] * 4, size=530)
    config = ODD.replace(vocab=tokenizer.vocab_size, start=tokenizer.start, end=tokenizer.end)
    checkpoints.save(tmp_path / "a", config, random_state(config), tokenizer=tokenizer)
    assert checkpoints.load(tmp_path / "a")[2]["tokenizer"].hash == tokenizer.hash
    checkpoints.convert(tmp_path / "a", tmp_path / "b", "open_clip")
    assert checkpoints.load(tmp_path / "b")[2]["tokenizer"].hash == tokenizer.hash
    with pytest.raises(ValueError, match="the tokenizer has"):
        checkpoints.save(tmp_path / "c", ODD, random_state(ODD), tokenizer=tokenizer)
    other = type(tokenizer).learn(["zebra zoo", "lazy zebra"] * 4, size=tokenizer.vocab_size)
    other.save(tmp_path / "a")
    with pytest.raises(ValueError, match="not the model's"):
        checkpoints.load(tmp_path / "a")


def test_tokenizer_of_clip_is_recognised(tmp_path, shared):
    Tokenizer = pytest.importorskip("vlmneg.tokenizer").Tokenizer
    tokenizer = Tokenizer.from_file(shared / "clip" / "bpe_simple_vocab_16e6.txt.gz")
    config = ClipConfig.tiny(text_width=8, text_layers=1, text_mlp=8, image_layers=1)
    checkpoints.save(tmp_path / "a", config, random_state(config), tokenizer=tokenizer)
    rewrite(tmp_path / "a", lambda t: None)
    got = checkpoints.load(tmp_path / "a")[2]["tokenizer"]
    assert got.hash == tokenizer.hash
    vocab = tmp_path / "a" / "vocab.json"
    if vocab.is_file():
        peer = pytest.importorskip("transformers", reason="transformers is not installed")
        assert peer.CLIPTokenizer.from_pretrained(tmp_path / "a")("a photo of a cat").input_ids[1:3] == [320, 1125]
