"""The model against its twin, transformers and open_clip: embeddings, loss, gradients, AdamW steps, bits."""

import multiprocessing
import os
import resource
import threading

import numpy as np
import peers
import pytest

import vlmneg as vn
from vlmneg import _core
from vlmneg.checkpoints.transformers import to_openai
from vlmneg.config import ClipConfig
from vlmneg.reference import clip as twin

CONFIGS = {
    "odd": peers.ODD,
    "odd-gelu": peers.ODD.replace(image_activation="gelu", text_activation="gelu", image_layers=3, text_layers=1),
    "tiny": ClipConfig.tiny(vocab=600),
}


@pytest.fixture(params=CONFIGS)
def config(request):
    return CONFIGS[request.param]


def make(config, seed=0):
    model = vn.Clip(config)
    model.load_state_dict(peers.random_state(config, seed))
    return model


def batch(config, images, captions, seed=0):
    """Random pixels, and ids padded with 0 behind end tokens."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((images, 3, config.image_size, config.image_size)).astype(np.float32)
    ids = np.zeros((captions, config.context), np.int32)
    for i, n in enumerate(rng.integers(2, config.context + 1, captions)):
        n = config.context if i == 0 else n
        ids[i, :n] = np.r_[config.start, rng.integers(1, config.vocab - 2, n - 2), config.end]
    return x, ids


def lists(ids, config):
    return [row[: list(row).index(config.end) + 1].tolist() for row in ids]


def relative(got, want):
    return np.linalg.norm(got - want) / max(np.linalg.norm(want), 1e-30)


@pytest.mark.parametrize("level", _core.levels())
@pytest.mark.parametrize("images, captions", [(1, 1), (3, 7)])
def test_twin(config, level, images, captions):
    before = _core.level()
    _core.set_level(level)
    try:
        model = make(config)
        x, ids = batch(config, images, captions)
        flat, offsets = model.pack(ids)
        state = {n: w.astype(float) for n, w in model.state_dict().items()}
        image, _, back_image = twin.encode_image(
            state, x.astype(float), heads=config.image_heads, act=config.image_activation
        )
        text, _, back_text = twin.encode_text(
            state, lists(ids, config), heads=config.text_heads, act=config.text_activation
        )
        got = model._core.encode(x, flat, offsets, 1, 1, 0)
        assert np.abs(got[0] - image).max() < 1e-6 and np.abs(got[1] - text).max() < 1e-6
        rng = np.random.default_rng(1)
        dimage, dtext = (rng.standard_normal(u.shape).astype(np.float32) for u in (image, text))
        model._core.backward(dimage, dtext, 0, None, None)
        want = back_image(dimage.astype(float)) | back_text(dtext.astype(float))
        for name, gradient in model.gradients().items():
            if name != "logit_scale":
                assert relative(gradient, want[name]) < 2e-5, name
    finally:
        _core.set_level(before)


def test_twin_gradients_by_differences():
    config = peers.ODD
    state = {n: w.astype(float) for n, w in peers.random_state(config).items()}
    x, ids = batch(config, 2, 2)
    rng = np.random.default_rng(0)
    image = dict(heads=config.image_heads, act="quick_gelu")
    text = dict(heads=config.text_heads, act="quick_gelu")
    images, texts = (twin.encode_image, x.astype(float), image), (twin.encode_text, lists(ids, config), text)
    for encode, data, options in (images, texts):
        unit, _, backward = encode(state, data, **options)
        d = rng.standard_normal(unit.shape)
        for name, gradient in backward(d).items():
            at = tuple(rng.integers(0, s) for s in gradient.shape)
            value, keep = [], state[name][at]
            for h in (1e-5, -1e-5):
                state[name][at] = keep + h
                value.append((encode(state, data, **options)[0] * d).sum())
            state[name][at] = keep
            assert np.isclose((value[0] - value[1]) / 2e-5, gradient[at], rtol=1e-4, atol=1e-7), name


@pytest.mark.parametrize("k", [0, 3])
@pytest.mark.parametrize("name", CONFIGS)
def test_transformers(tmp_path, name, k):
    """Saved by transformers, loaded here: embeddings, loss and every gradient."""
    config = CONFIGS[name]
    peer = peers.transformers_clip(config)
    peer.save_pretrained(tmp_path)
    model = vn.Clip.from_pretrained(tmp_path)
    assert model.config.replace(mean=config.mean, std=config.std) == config
    check_against(peer, model, k)


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
@pytest.mark.parametrize("k", [0, 3])
def test_transformers_vit_b_32(tmp_path, activation, k):
    config = ClipConfig.vit_b_32(image_activation=activation, text_activation=activation)
    peer = peers.transformers_clip(config)
    peer.save_pretrained(tmp_path)
    check_against(peer, vn.Clip.from_pretrained(tmp_path), k, short=20)


def peer_features(peer, x, ids, config):
    """Unit embeddings by transformers, whose padding must be its own end token."""
    import torch

    padded = ids.astype(np.int64)
    for row in padded:
        row[list(row).index(config.end) :] = config.end
    out = [peer.get_image_features(torch.tensor(x)), peer.get_text_features(torch.tensor(padded))]
    out = [getattr(o, "pooler_output", o) for o in out]
    return [o / o.norm(dim=-1, keepdim=True) for o in out]


def check_against(peer, model, k, b=4, short=None):
    import torch

    config = model.config
    x, ids = batch(config, b, b * (1 + k))
    if short:
        ids = ids[:, :short].copy()
        ids[(ids != config.end).all(1), -1] = config.end
    image, text = peer_features(peer, x, ids, config)
    got = model.encode_image(x, normalize=True), model.encode_text(ids, normalize=True)
    assert relative(got[0], image.detach().numpy()) < 2e-5 and relative(got[1], text.detach().numpy()) < 2e-5
    scale = peer.logit_scale.exp()
    logits = scale * image @ text.T  # columns: captions, then negatives
    logits.retain_grad()
    own = torch.arange(b)
    loss = (
        torch.nn.functional.cross_entropy(logits, own)
        + torch.nn.functional.cross_entropy(logits[:, :b].T, own)
    ) / 2
    loss.backward()
    negatives = ids[b:].reshape(b, k, -1) if k else None
    objective = vn.losses.get("negclip" if k else "infonce")
    out = model.loss(x, ids[:b], negatives=negatives, objective=objective, backward=True)
    assert abs(out.loss - loss.item()) < 1e-5 * max(1, abs(loss.item()))
    want = to_openai({n: p.grad.numpy() for n, p in peer.named_parameters()})
    for name, gradient in model.gradients().items():
        if name == "logit_scale":  # a sum of numbers that cancel: it is as exact as they are
            assert abs(float(gradient - want[name])) < 1e-5 * float((logits.grad * logits).detach().abs().sum()), name
        else:
            assert relative(gradient, want[name]) < 1e-4, name


def test_ten_steps_of_adamw(tmp_path):
    """Ten steps of clipped AdamW here and in PyTorch stay together."""
    config = CONFIGS["tiny"]
    peer = peers.transformers_clip(config)  # skips where it is missing
    import torch

    peer.save_pretrained(tmp_path)
    model = vn.Clip.from_pretrained(tmp_path)
    ours = vn.optim.AdamW(lr=1e-3, weight_decay=0.2, clip_norm=0.5)
    named = list(peer.named_parameters())
    groups = [
        {"params": [p for _, p in named if p.ndim >= 2], "weight_decay": 0.2},
        {"params": [p for _, p in named if p.ndim < 2], "weight_decay": 0.0},
    ]
    theirs = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98), eps=1e-6)
    for step in range(10):
        x, ids = batch(config, 4, 4, seed=step)
        image, text = peer_features(peer, x, ids, config)
        logits = peer.logit_scale.exp() * image @ text.T
        own = torch.arange(4)
        cross_entropy = torch.nn.functional.cross_entropy
        loss = (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2
        theirs.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(peer.parameters(), 0.5)
        theirs.step()
        out = model.loss(x, ids, backward=True)
        assert abs(out.loss - loss.item()) < 1e-4
        assert np.isclose(ours.update(model), norm.item(), rtol=1e-4)
    want = to_openai({n: p.detach().numpy() for n, p in named})
    for name, weight in model.state_dict().items():
        assert relative(weight, want[name]) < 1e-4, name


@pytest.mark.parametrize("name", CONFIGS)
def test_saved_here_loads_there(tmp_path, name):
    """Weights saved here give the same embeddings in transformers and in open_clip."""
    config = CONFIGS[name]
    peers.transformers_clip(config)  # skips where it is missing
    import torch

    model = make(config)
    x, ids = batch(config, 2, 3)
    image, text = model.encode_image(x, normalize=True), model.encode_text(ids, normalize=True)
    model.save_pretrained(tmp_path / "t", layout="transformers")
    model.save_pretrained(tmp_path / "o", layout="open_clip")
    from transformers import CLIPModel

    features = peer_features(CLIPModel.from_pretrained(tmp_path / "t").eval(), x, ids, config)
    for got, want in zip(features, (image, text), strict=True):
        assert np.abs(got.detach().numpy() - want).max() < 1e-6
    peer = peers.open_clip_model(config)
    from safetensors.torch import load_file

    peer.load_state_dict(load_file(tmp_path / "o" / "open_clip_model.safetensors"), strict=True)
    with torch.no_grad():
        got = peer.encode_image(torch.tensor(x), normalize=True), peer.encode_text(torch.tensor(ids), normalize=True)
    for g, want in zip(got, (image, text), strict=True):
        assert np.abs(g.numpy() - want).max() < 1e-6
    for folder in "to":
        again = vn.Clip.from_pretrained(tmp_path / folder)
        assert (again.encode_image(x, normalize=True) == image).all()


def test_padded_packed_and_split_agree(config):
    model = make(config)
    _, ids = batch(config, 1, 9)
    flat, offsets = model.pack(ids)
    padded = model.encode_text(ids, normalize=True)
    assert (model.encode_text((flat, offsets), normalize=True) == padded).all()
    single = np.concatenate([model.encode_text(ids[i : i + 1], normalize=True) for i in range(9)])
    assert np.abs(single - padded).max() < 1e-6
    other = ids.copy()
    for row in other:
        row[list(row).index(config.end) + 1 :] = config.end  # another padding
    assert (model.encode_text(other, normalize=True) == padded).all()


def test_same_bits_for_any_number_of_threads(config):
    seen = set()
    for threads in (1, 2, 4):
        vn.set_num_threads(threads)
        model, optimizer = make(config), vn.optim.AdamW(lr=1e-3)
        for step in range(2):
            x, ids = batch(config, 3, 3, seed=step)
            model.loss(x, ids, backward=True)
            optimizer.update(model)
        seen.add(b"".join(w.tobytes() for w in model.state_dict().values()))
    vn.set_num_threads(0)
    assert len(seen) == 1


def test_two_models_in_two_threads(config):
    x, ids = batch(config, 3, 3)
    models = [make(config, seed) for seed in (0, 1)]
    want = [m.encode_image(x) for m in models]
    alone = []
    for m in models:
        m.loss(x, ids, backward=True)
        alone.append({n: g.copy() for n, g in m.gradients().items()})
    wrong = []

    def work(i):
        for _ in range(20):
            out = models[i].encode_image(x)
            models[i].loss(x, ids, backward=True)
            if (out != want[i]).any() or any((g != alone[i][n]).any() for n, g in models[i].gradients().items()):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in (0, 1)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert not wrong and not any(t.is_alive() for t in threads)


def _encode_in_child(model, x, queue):
    queue.put(model.encode_image(x).tobytes())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork_after_use_does_not_hang(config):
    model = make(config)
    x, _ = batch(config, 3, 1)
    want = model.encode_image(x).tobytes()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_encode_in_child, args=(model, x, queue))
    child.start()
    assert queue.get(timeout=60) == want
    child.join(60)
    assert child.exitcode == 0


def test_no_allocation_after_the_first_step(config):
    """Once reserved, neither the workspace nor the memory in use grows, whatever fits into the room."""
    model, optimizer = make(config), vn.optim.AdamW(lr=1e-4)
    size = model.reserve(4, 4)
    x, ids = batch(config, 4, 4)

    def steps(count):
        for _ in range(count):
            model.loss(x, ids, backward=True)
            optimizer.update(model)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    before = steps(3)
    assert steps(100) - before < 4096  # KiB: a leak of one batch's activations would show many times over
    assert model.reserve(4, 4) == size and model.reserve(2, 1) == size


def test_views_keep_the_model_alive():
    weights = make(CONFIGS["odd"]).state_dict()["visual.conv1.weight"]
    assert np.isfinite(weights).all() and weights.base is not None


def test_start_is_seeded_and_has_the_right_spread():
    config = ClipConfig.tiny(vocab=5000)
    a, b, c = (vn.Clip(config, seed=s).state_dict() for s in (0, 0, 1))
    assert all((a[n] == b[n]).all() for n in a)
    assert (a["visual.conv1.weight"] != c["visual.conv1.weight"]).any()
    assert float(a["logit_scale"]) == pytest.approx(np.log(1 / 0.07))
    w, deep = config.text_width, (2 * config.text_layers) ** -0.5
    spread = {
        "token_embedding.weight": 0.02,
        "positional_embedding": 0.01,
        "transformer.resblocks.1.attn.in_proj_weight": w**-0.5,
        "transformer.resblocks.1.attn.out_proj.weight": w**-0.5 * deep,
        "transformer.resblocks.1.mlp.c_fc.weight": (2 * w) ** -0.5,
        "transformer.resblocks.1.mlp.c_proj.weight": w**-0.5 * deep,
        "visual.conv1.weight": (3 * config.patch**2) ** -0.5 / 3**0.5,
        "visual.proj": config.image_width**-0.5,
        "visual.transformer.resblocks.0.attn.in_proj_weight": (6 / (4 * config.image_width)) ** 0.5 / 3**0.5,
        "visual.transformer.resblocks.0.mlp.c_proj.weight": (4 * config.image_width) ** -0.5 / 3**0.5,
    }
    for name, std in spread.items():
        assert a[name].std() == pytest.approx(std, rel=0.06), name
        assert abs(a[name].mean()) < 0.06 * std, name


def test_wrong_arguments(config):
    model = make(config)
    x, ids = batch(config, 2, 2)
    with pytest.raises(TypeError, match="x must be float32, got float64"):
        model.encode_image(x.astype(float))
    with pytest.raises(ValueError, match=r"x must have shape \(B, 3"):
        model.encode_image(x[:, :2])
    with pytest.raises(ValueError, match="holds no picture"):
        model.encode_image(x[:0])
    bad = x.copy()
    bad[0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="x holds NaN"):
        model.encode_image(bad)
    with pytest.raises(ValueError, match="has no end token"):
        model.encode_text(np.full((1, 3), config.start))
    with pytest.raises(ValueError, match="outside the vocabulary"):
        model.encode_text([[config.start, config.vocab, config.end]])
    with pytest.raises(ValueError, match="outside the vocabulary"):
        model.encode_text([[config.start, -1, config.end]])
    with pytest.raises(TypeError, match="not empty"):
        model.encode_text([])
    with pytest.raises(TypeError):
        model.encode_text(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="one caption per picture"):
        model.loss(x, ids[:1])
    with pytest.raises(ValueError, match="one row per picture"):
        model.loss(x, ids, negatives=[["a"]])
    with pytest.raises(ValueError, match="offsets"):
        model.encode_text((np.array([config.start, config.end]), np.array([0, 3])))
    with pytest.raises(RuntimeError, match="keep=1"):
        model._core.backward(np.zeros((2, config.embed), np.float32), None, 0, None, None)
    model.state_dict()["visual.proj"][0, 0] = np.nan
    with pytest.raises(ValueError, match="visual.proj"):
        model.encode_image(x)
    with pytest.raises(TypeError, match="ClipConfig"):
        vn.Clip({})


def test_ids_are_never_wrapped_or_pooled_twice():
    c = peers.ODD
    model = make(c)
    for wrong, words in ((2**32 + 5, "32 bits"), (-1, "outside the vocabulary"), (c.vocab, "outside the vocabulary")):
        with pytest.raises(ValueError, match=words):
            model.encode_text([[c.start, wrong, c.end]])
        with pytest.raises(ValueError, match=words):
            model.encode_text((np.array([c.start, wrong, c.end]), np.array([0, 3])))
    with pytest.raises(ValueError, match="once"):
        model.encode_text((np.array([c.start, c.end, 3, c.end]), np.array([0, 4])))


def test_loss_refuses_wrong_masks_groups_and_negatives():
    c = peers.ODD
    model = make(c)
    x = np.zeros((2, 3, c.image_size, c.image_size), np.float32)
    ids = np.array([[c.start, 3, c.end], [c.start, 4, c.end]])
    negatives = np.array([[[c.start, 5, c.end]], [[c.start, 6, c.end]]])
    for wrong, words in (
        ({"valid": np.ones((2, 1), np.uint8)}, "no negatives"),
        ({"negatives": negatives, "valid": np.full((2, 1), 0.5)}, "valid must be uint8"),
        ({"negatives": [[None], [None]]}, "list of lists of strings"),
        ({"negatives": "ab"}, "list of lists of strings"),
        ({"negatives": 3}, "list of lists of strings"),
        ({"group": [0.2, 0.7]}, "group must hold integers"),
        ({"objective": 3}, "objective must be"),
        ({"objective": "negclop"}, "did you mean 'negclip'"),
    ):
        with pytest.raises((ValueError, TypeError), match=words):
            model.loss(x, ids, **wrong)
    with pytest.raises(TypeError, match="a tokenizer is"):
        model.tokenizer = None
    assert model.loss(x, ids, objective="infonce").loss == model.loss(x, ids).loss


def test_load_state_dict_changes_all_or_nothing(config):
    model = make(config)
    before = {n: w.copy() for n, w in model.state_dict().items()}
    state = peers.random_state(config, 5)
    for change in ("missing", "extra", "shape", "nan", "integers", "too large", "text"):
        wrong = dict(state)
        if change == "missing":
            del wrong["ln_final.bias"]
        elif change == "extra":
            wrong["more"] = np.zeros(1)
        elif change == "shape":
            wrong["ln_final.bias"] = np.zeros(1)
        else:
            kinds = {"nan": np.nan, "integers": 1, "too large": 1e300, "text": "a"}
            wrong["ln_final.bias"] = np.full(state["ln_final.bias"].shape, kinds[change])
        with pytest.raises((ValueError, TypeError), match="ln_final.bias|more"):
            model.load_state_dict(wrong)
        assert all((before[n] == w).all() for n, w in model.state_dict().items())
    for wrong in (None, [1], {3: np.zeros(1)}):
        with pytest.raises(TypeError, match="a state is a dict"):
            model.load_state_dict(wrong)


def test_optimiser_refuses_what_is_wrong(config):
    model = make(config)
    with pytest.raises(ValueError, match="lr must be finite"):
        vn.optim.AdamW(lr=float("nan"))
    with pytest.raises(ValueError, match="betas"):
        vn.optim.AdamW(betas=(0.9, 1.0))
    optimizer = vn.optim.AdamW()
    model.gradients()["visual.proj"][0, 0] = np.inf
    before = model.state_dict()["visual.proj"].copy()
    with pytest.raises(ValueError, match="visual.proj"):
        optimizer.update(model)
    assert (model.state_dict()["visual.proj"] == before).all() and optimizer.t == 0
    other = vn.Clip(ClipConfig.tiny(vocab=514))
    optimizer.update(other)
    model.gradients()["visual.proj"][0, 0] = 0
    for stranger in (model, vn.Clip(other.config)):
        with pytest.raises(ValueError, match="another model"):
            optimizer.update(stranger)
    with pytest.raises(TypeError, match="must be a vlmneg.Clip"):
        optimizer.update(None)
    for setting in ({"lr": "fast"}, {"eps": None}, {"betas": ("a", 0.9)}, {"clip_norm": True}):
        with pytest.raises(TypeError, match="numbers"):
            vn.optim.AdamW(**setting)
    for state, error in ((None, TypeError), ({}, TypeError), ({"t": -1}, ValueError), ({"t": "one"}, ValueError)):
        with pytest.raises(error, match="optimiser state"):
            optimizer.load(other, state)


def test_optimiser_clamps_the_scale():
    model = make(peers.ODD)
    model.logit_scale[...] = 9.0
    vn.optim.AdamW(lr=0.0).update(model)
    assert float(model.logit_scale) == pytest.approx(np.log(100), abs=1e-6)
