"""All tokens of both towers in the joint space: against the twin, transformers and differences, and what they cost."""

import numpy as np
import peers
import pytest
from test_clip import CONFIGS, batch, lists, make, relative

from vlmneg import Clip, _core, losses, set_num_threads
from vlmneg.checkpoints.transformers import to_openai
from vlmneg.reference import clip as twin


@pytest.fixture(params=CONFIGS)
def config(request):
    return CONFIGS[request.param]


def gradients_of(shapes, seed=1):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(s).astype(np.float32) for s in shapes]


@pytest.mark.parametrize("level", _core.levels())
@pytest.mark.parametrize("images, captions", [(1, 1), (3, 7)])
def test_twin(config, level, images, captions):
    before = _core.level()
    _core.set_level(level)
    try:
        model = make(config)
        x, ids = batch(config, images, captions)
        state = {n: w.astype(float) for n, w in model.state_dict().items()}
        image, patches, back_image = twin.encode_image(
            state, x.astype(float), heads=config.image_heads, act=config.image_activation
        )
        text, tokens, back_text = twin.encode_text(
            state, lists(ids, config), heads=config.text_heads, act=config.text_activation
        )
        want = image, text, patches, tokens
        for keep in (0, 1):
            got = model._core.encode(x, *model.pack(ids), keep, 1, 1)
            for g, w in zip(got, want, strict=True):
                assert g.shape == w.shape and relative(g, w) < 2e-6
        d = gradients_of(w.shape for w in want)
        model._core.backward(d[0], d[1], 0, d[2], d[3])
        check(model, back_image(*wide(d[0], d[2])) | back_text(*wide(d[1], d[3])))
        model._core.backward(None, None, 0, d[2], d[3])
        check(model, back_image(0.0 * image, *wide(d[2])) | back_text(0.0 * text, *wide(d[3])))
        model._core.backward(d[0], d[1], 0, None, None)
        check(model, back_image(*wide(d[0])) | back_text(*wide(d[1])))
    finally:
        _core.set_level(before)


def wide(*arrays):
    return [a.astype(float) for a in arrays]


def check(model, want, tolerance=2e-5):
    for name, gradient in model.gradients().items():
        if name != "logit_scale":
            assert relative(gradient, want[name]) < tolerance, name


def test_twin_gradients_by_differences():
    config = peers.ODD
    state = {n: w.astype(float) for n, w in peers.random_state(config).items()}
    x, ids = batch(config, 2, 2)
    rng = np.random.default_rng(0)
    for encode, data, heads in ((twin.encode_image, x.astype(float), config.image_heads),
                                (twin.encode_text, lists(ids, config), config.text_heads)):  # fmt: skip
        unit, tokens, backward = encode(state, data, heads=heads, act="quick_gelu")
        d, e = rng.standard_normal(unit.shape), rng.standard_normal(tokens.shape)
        for name, gradient in backward(d, e).items():
            at = tuple(rng.integers(0, s) for s in gradient.shape)
            value, keep = [], state[name][at]
            for h in (1e-5, -1e-5):
                state[name][at] = keep + h
                u, t, _ = encode(state, data, heads=heads, act="quick_gelu")
                value.append((u * d).sum() + (t * e).sum())
            state[name][at] = keep
            assert np.isclose((value[0] - value[1]) / 2e-5, gradient[at], rtol=1e-4, atol=1e-7), name


@pytest.mark.parametrize("name", CONFIGS)
def test_transformers(tmp_path, name):
    """The hidden states that transformers gives, through its own head: values and every gradient."""
    config = CONFIGS[name]
    peer = peers.transformers_clip(config)
    import torch

    peer.save_pretrained(tmp_path)
    model = Clip.from_pretrained(tmp_path)
    x, ids = batch(config, 3, 5)
    rows = lists(ids, config)
    padded = ids.astype(np.int64)
    for row in padded:
        row[list(row).index(config.end) :] = config.end
    seen = peer.vision_model(torch.tensor(x))
    said = peer.text_model(torch.tensor(padded))
    want = [peer.visual_projection(seen.pooler_output), peer.text_projection(said.pooler_output)]
    want = [e / e.norm(dim=-1, keepdim=True) for e in want]
    want.append(peer.visual_projection(peer.vision_model.post_layernorm(seen.last_hidden_state))[:, 1:])
    states = zip(peer.text_projection(said.last_hidden_state), rows, strict=True)
    want.append(torch.cat([t[: len(row)] for t, row in states]))
    got = model._core.encode(x, *model.pack(ids), 1, 1, 1)
    for g, w in zip(got, want, strict=True):
        assert g.shape == tuple(w.shape) and relative(g, w.detach().numpy()) < 2e-5
    d = gradients_of(w.shape for w in got)
    sum((w * torch.tensor(g)).sum() for w, g in zip(want, d, strict=True)).backward()
    model._core.backward(d[0], d[1], 0, d[2], d[3])
    named = {n: (p.grad if p.grad is not None else torch.zeros_like(p)).numpy() for n, p in peer.named_parameters()}
    check(model, to_openai(named), 1e-4)


def test_one_tower_and_pooled_batches_between(config):
    """Each tower alone; a batch of pooled rows in the room of a full one gives the bits that it gives in its own."""
    model, fresh = make(config), make(config)
    x, ids = batch(config, 3, 4)
    pack = model.pack(ids)
    both = model._core.encode(x, *pack, 1, 1, 1)
    image, text, patches, tokens = model._core.encode(x, None, None, 1, 1, 1)
    assert text is None and tokens is None and (patches == both[2]).all() and (image == both[0]).all()
    d = gradients_of(w.shape for w in both)
    model._core.backward(None, None, 0, d[2], None)
    assert any(g.any() for g in model.gradients().values())
    assert (model._core.encode(None, *pack, 1, 1, 1)[3] == both[3]).all()
    for m in (model, fresh):
        pooled = m._core.encode(x, *pack, 1, 1, 0)
        assert pooled[2] is None and pooled[3] is None
        m._core.backward(d[0], d[1], 0, None, None)
    assert relative(pooled[0], both[0]) < 1e-6 and relative(pooled[1], both[1]) < 1e-6
    assert all((g == fresh.gradients()[n]).all() for n, g in model.gradients().items())
    with pytest.raises(RuntimeError, match="dtokens needs a batch that was encoded with tokens=1"):
        model._core.backward(d[0], d[1], 0, None, d[3])
    with pytest.raises(ValueError, match="dpatches"):
        model._core.encode(x, *pack, 1, 1, 1)
        model._core.backward(d[0], d[1], 0, d[2][:, :1].copy(), d[3])


def test_no_room_without_being_asked(config):
    """Rows that nobody asks for take no memory; a reserved workspace does not grow."""
    model, other = make(config), make(config)
    pooled, full = model._core.reserve(4, 4, 20, 1, 0), other._core.reserve(4, 4, 20, 1, 1)
    assert pooled < full
    x, ids = batch(config, 4, 4)
    ids, offsets = model.pack(ids)
    ids, offsets = ids[:20], np.minimum(offsets, 20)
    offsets = np.array([0, 5, 9, 15, 20], np.int32)
    model._core.encode(x, ids, offsets, 1, 1, 0)
    other._core.encode(x, ids, offsets, 1, 1, 1)
    assert model._core.reserve(4, 4, 20, 1, 0) == pooled and other._core.reserve(1, 1, 1, 1, 0) == full


def test_same_bits_for_any_number_of_threads(config):
    seen = set()
    x, ids = batch(config, 3, 5)
    for threads in (1, 2, 4):
        set_num_threads(threads)
        model = make(config)
        out = model._core.encode(x, *model.pack(ids), 1, 1, 1)
        d = gradients_of(w.shape for w in out)
        model._core.backward(d[0], d[1], 0, d[2], d[3])
        seen.add(b"".join(a.tobytes() for a in (*out, *model.gradients().values())))
    set_num_threads(0)
    assert len(seen) == 1


@pytest.mark.parametrize("name, accumulate", [("odd", 1), ("odd", 3), ("tiny", 1)])
def test_fsc_of_a_whole_model(tmp_path, name, accumulate):
    """FSC-CLIP's objective through both towers: loss and every weight's gradient as autograd has them."""
    config, b, k, w = CONFIGS[name], 3, 2, 0.2
    peer = peers.transformers_clip(config)
    import torch

    peer.save_pretrained(tmp_path)
    model = Clip.from_pretrained(tmp_path)
    x, ids = batch(config, b, b * (1 + k))
    valid = np.array([[1, 0], [1, 1], [0, 1]], np.uint8)
    padded = ids.astype(np.int64)
    for row in padded:
        row[list(row).index(config.end) :] = config.end
    seen, said = peer.vision_model(torch.tensor(x)), peer.text_model(torch.tensor(padded))
    image, text = peer.visual_projection(seen.pooler_output), peer.text_projection(said.pooler_output)
    image, text = (e / e.norm(dim=-1, keepdim=True) for e in (image, text))
    patches = peer.visual_projection(peer.vision_model.post_layernorm(seen.last_hidden_state))[:, 1:]
    states = peer.text_projection(said.last_hidden_state)
    scale, of = peer.logit_scale.exp(), np.concatenate([np.arange(b), np.repeat(np.arange(b), k)])
    scores = []
    for i, row in enumerate(lists(ids, config)):
        token, patch = states[i, : len(row)], patches[of[i]]
        with torch.no_grad():
            o = token @ patch.T
            o = (o - o.amin(1, keepdim=True)) / (o.amax(1, keepdim=True) - o.amin(1, keepdim=True))
            o = o / o.sum(1, keepdim=True)
        scores.append((scale * torch.nn.functional.cosine_similarity(o @ patch, token)).logsumexp(0))
    live = torch.tensor(np.concatenate([np.ones((b, 1), np.uint8), valid], 1) > 0)
    own = torch.stack(scores)
    own = torch.cat([own[:b, None], own[b:].reshape(b, k)], 1)
    cosines = torch.cat([(image * text[:b]).sum(1, keepdim=True),
                         torch.einsum("be,bke->bk", image, text[b:].reshape(b, k, -1))], 1)

    def focal(z):
        log = torch.where(live, torch.where(live, z, -torch.inf).log_softmax(1), 0.0)
        y = torch.cat([0.98 + 0.02 / live.sum(1, keepdim=True), 0.02 * live[:, 1:] / live.sum(1, keepdim=True)], 1)
        return -(y * (1 - log.exp()) ** 2 * log).sum(1).mean()

    logits, right = scale * image @ text[:b].T, torch.arange(b)
    cross_entropy = torch.nn.functional.cross_entropy
    loss = (cross_entropy(logits, right) + cross_entropy(logits.T, right)) / 2 + 0.5 * focal(scale * cosines)
    loss = loss + w * focal(own)
    loss.backward()
    objective = losses.infonce() + 0.5 * losses.get("focal") + w * losses.get("local")
    negatives = np.where(valid[..., None], ids[b:].reshape(b, k, -1), 0)
    out = model.loss(x, ids[:b], negatives=negatives, valid=valid, objective=objective, accumulate=accumulate,
                     backward=True)  # fmt: skip
    assert out.loss == pytest.approx(loss.item(), rel=1e-5)
    named = {n: (p.grad if p.grad is not None else torch.zeros_like(p)).numpy() for n, p in peer.named_parameters()}
    want = to_openai(named)
    for tensor, gradient in model.gradients().items():
        assert relative(gradient, want[tensor]) < 1e-4, tensor


def test_a_frozen_tower_and_reserved_room(config):
    """Each tower alone learns what it learns in the whole; a reserved model does not grow."""
    objective = losses.infonce() + losses.get("local")
    x, ids = batch(config, 3, 9)
    given = {"negatives": ids[3:].reshape(3, 2, -1), "objective": objective, "backward": True}
    model = make(config)
    size = model.reserve(3, 9, objective=objective)
    assert size > make(config).reserve(3, 9)
    model.loss(x, ids[:3], **given)
    want = {n: g.copy() for n, g in model.gradients().items()}
    assert model.reserve(3, 9, objective=objective) == size
    for tower in ("image", "text"):
        model.loss(x, ids[:3], towers=[tower], **given)
        for name, g in model.gradients().items():
            here = name == "logit_scale" or name.startswith("visual.") == (tower == "image")
            assert (relative(g, want[name]) < 1e-5 if here else not g.any()), name
