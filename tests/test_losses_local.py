"""FSC-CLIP's local term on tokens: against its twins, PyTorch and the formula as a loop, and what it may never read."""

import math

import numpy as np
import pytest

import vlmneg as vn
from vlmneg.reference import losses as twin
from vlmneg.reference.local import local_backward, local_forward

SIZES = [(1, 1, 1, 2), (2, 1, 4, 3), (3, 3, 9, 17), (7, 2, 49, 20), (4, 0, 5, 6)]  # B, K, P, E
CASES = [
    {}, {"gamma": 0.0, "smoothing": 0.0}, {"gamma": 0.5, "smoothing": 0.3}, {"invalid": "zero"},
    {"threshold": "on"}, {"length_norm": "on"},
]  # fmt: skip


def unit(rng, *shape):
    x = rng.standard_normal(shape)
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


def make(b, k, p, e, seed=0, empty=True, plain=False):
    """Every set that the term reads; a slot that is not valid has NaN tokens, or none."""
    rng = np.random.default_rng([b, k, p, e, seed])
    data = {"image": unit(rng, b, e), "text": unit(rng, b, e), "neg_text": unit(rng, b, k, e)}
    data["valid"] = np.ones((b, k), np.uint8) if plain else (rng.random((b, k)) < 0.7).astype(np.uint8)
    live = np.concatenate([np.ones((b, 1), np.uint8), data["valid"]], 1).reshape(-1)
    length = rng.integers(1, 9, b * (1 + k)) * (live | (rng.random(b * (1 + k)) < 0.5) if empty else 1)
    data["token_offsets"] = np.concatenate([[0], np.cumsum(length)]).astype(np.int32)
    direction = rng.standard_normal(e)
    data["patches"] = (rng.standard_normal((b, p, e)) + 0.5 * direction).astype(np.float32)
    data["tokens"] = (rng.standard_normal((length.sum(), e)) + 0.5 * direction).astype(np.float32)
    data["neg_text"][data["valid"] == 0] = np.nan
    for slot in np.flatnonzero(live == 0):
        data["tokens"][data["token_offsets"][slot] : data["token_offsets"][slot + 1]] = np.nan
    return data


def twin_of(data, params, scale, weight=1.0):
    """loss, dscore, dpatches, dtokens, dlog_scale by the two twins one after the other."""
    live = np.concatenate([np.ones((len(data["image"]), 1), np.uint8), data["valid"]], 1)
    given = data["patches"].astype(float), data["tokens"].astype(float), data["token_offsets"], live
    how = {"scale": scale, "threshold": params.get("threshold") == "on",
           "length_norm": params.get("length_norm") == "on"}  # fmt: skip
    score, _ = local_forward(*given, **how)
    rows = {n: np.nan_to_num(data[n].astype(float)) for n in ("image", "text", "neg_text")}
    out = twin.objective([("local", weight, params)], **rows, valid=data["valid"], score=score, scale=scale)
    dpatches, dtokens, dscale = local_backward(out["dscore"], *given, **how)
    return out["loss"], out["dscore"], dpatches, dtokens, dscale * scale


def relative(got, want):
    return np.linalg.norm(got - want) / max(np.linalg.norm(want), 1e-30)


@pytest.mark.parametrize("params", CASES, ids=str)
@pytest.mark.parametrize("scale", [1.0, 20.0, 100.0])
@pytest.mark.parametrize("sizes", SIZES)
def test_twin(sizes, scale, params):
    data = make(*sizes)
    r = vn.losses.get("local", **params).on(**data, scale=scale)
    loss, dscore, dpatches, dtokens, dlog_scale = twin_of(data, params, scale)
    assert r.loss == pytest.approx(loss, rel=1e-5, abs=1e-6)
    assert np.abs(r.dscore - dscore).max() < 1e-5
    for got, want in ((r.dpatches, dpatches), (r.dtokens, dtokens)):
        assert np.abs(got - want).max(initial=0) <= 1e-4 * np.abs(want).max(initial=0) + 1e-7 * scale
    assert r.dlog_scale == pytest.approx(dlog_scale, rel=1e-4, abs=1e-6 * scale)
    assert not r.dimage.any() and not r.dtext.any() and not r.dneg_text.any()


@pytest.mark.parametrize("compat", ["corrected", "released"])
def test_formula(compat):
    """One sample with an empty slot, written out as loops; in the released form the slot is a candidate of logit 0."""
    data = make(1, 3, 5, 4, plain=True, seed=3)
    data["valid"][0, 1] = 0
    scale, gamma, smoothing = 2.0, 2.0, 0.02
    scores = []
    for first, last in zip(data["token_offsets"][:-1], data["token_offsets"][1:], strict=True):
        total = 0.0
        for token in data["tokens"][first:last].astype(float):
            sim = [float(token @ x) for x in data["patches"][0].astype(float)]
            o = [(x - min(sim)) / (max(sim) - min(sim)) for x in sim]
            u = sum(w / sum(o) * x for w, x in zip(o, data["patches"][0].astype(float), strict=True))
            total += math.exp(scale * float(u @ token) / math.sqrt(float(u @ u) * float(token @ token)))
        scores.append(math.log(total))
    del scores[2]
    zero = [0.0] if compat == "released" else []
    p = [math.exp(z) / sum(map(math.exp, scores + zero)) for z in scores]
    y = [1 - smoothing + smoothing / 3, smoothing / 3, smoothing / 3]
    want = -sum(w * (1 - x) ** gamma * math.log(x) for w, x in zip(y, p, strict=True))
    assert vn.losses.fsc(compat=compat).on(**data, scale=scale).terms["local"] == pytest.approx(want, rel=1e-5)


def test_twin_gradient_by_differences():
    data = make(3, 3, 4, 5)
    rows = {n: np.nan_to_num(data[n].astype(float)) for n in ("image", "text", "neg_text")}
    score = np.random.default_rng(0).standard_normal((3, 4))
    for params in CASES[:4]:
        def value(params=params):
            return twin.objective([("local", 1.0, params)], **rows, valid=data["valid"], score=score)

        d = value()["dscore"]
        for at in np.ndindex(score.shape):
            keep, got = score[at], []
            for h in (1e-6, -1e-6):
                score[at] = keep + h
                got.append(value()["loss"])
            score[at] = keep
            assert (got[0] - got[1]) / 2e-6 == pytest.approx(d[at], abs=1e-8)


@pytest.mark.parametrize("b", [2, 7, 64, 257])
def test_pytorch(b):
    """The whole of it in PyTorch's autograd, float32: scores of padded tokens, focal loss with smoothing."""
    torch = pytest.importorskip("torch")
    k, p, e, gamma, smoothing = 3, 16, 32, 2.0, 0.02
    data = make(b, k, p, e, empty=False)
    offsets = data["token_offsets"]
    x = torch.tensor(data["patches"], requires_grad=True)
    t = torch.tensor(np.nan_to_num(data["tokens"]), requires_grad=True)
    learned = torch.tensor(math.log(12.0), requires_grad=True)
    runs = [t[a:z] for a, z in zip(offsets[:-1], offsets[1:], strict=True)]
    padded = torch.nn.utils.rnn.pad_sequence(runs, batch_first=True).reshape(b, 1 + k, -1, e)
    there = torch.tensor(np.arange(padded.shape[2]) < np.diff(offsets)[:, None]).reshape(b, 1 + k, -1)
    with torch.no_grad():
        o = torch.einsum("bswe,bpe->bswp", padded, x)
        low, top = o.amin(-1, keepdim=True), o.amax(-1, keepdim=True)
        o = ((o - low) / (top - low)).nan_to_num(1.0)
        o = o / o.sum(-1, keepdim=True)
    z = torch.nn.functional.cosine_similarity(torch.einsum("bswp,bpe->bswe", o, x), padded, dim=-1)
    z = torch.where(there, learned.exp() * z, -torch.inf).logsumexp(-1)
    live = torch.tensor(np.concatenate([np.ones((b, 1), np.uint8), data["valid"]], 1) > 0)
    log = torch.where(live, z, -torch.inf).log_softmax(-1)
    log = torch.where(live, log, 0.0)
    y = live * smoothing / live.sum(-1, keepdim=True)
    y = torch.cat([y[:, :1] + 1 - smoothing, y[:, 1:]], 1)
    rows = -(y * (1 - log.exp()) ** gamma * log).sum(-1)[live[:, 1:].any(1)]
    loss = rows.mean()
    loss.backward()
    r = vn.losses.local(gamma=gamma, smoothing=smoothing).on(**data, scale=12.0)
    assert r.loss == pytest.approx(loss.item(), rel=1e-5)
    assert relative(r.dpatches, x.grad.numpy()) < 1e-4 and relative(r.dtokens, t.grad.numpy()) < 1e-4
    assert r.dlog_scale == pytest.approx(learned.grad.item(), rel=1e-4, abs=1e-6)


def test_nothing_to_choose_from():
    """K = 0, no valid negative, one sample: 0, with gradients of 0."""
    for data in (make(4, 0, 5, 6), make(3, 2, 5, 6, plain=True), make(1, 1, 1, 2, plain=True)):
        data["valid"][...] = 0
        r = vn.losses.local().on(**data, scale=10.0)
        assert r.loss == 0 and r.dlog_scale == 0
        assert not r.dpatches.any() and not r.dtokens.any() and not r.dscore.any()
        r = (vn.losses.infonce() + vn.losses.local()).on(**data, scale=10.0)
        assert r.loss == vn.losses.infonce().on(image=data["image"], text=data["text"], scale=10.0).loss


def test_slots_without_tokens_and_absent_samples():
    """A slot without tokens is no negative, a sample whose caption has none is out, and absent rows are never read."""
    data = make(4, 2, 5, 6, plain=True)
    short = dict(data)
    length = np.diff(data["token_offsets"]).reshape(4, 3)
    keep = np.ones((4, 3), bool)
    keep[0, 1] = keep[2, 0] = False
    short["token_offsets"] = np.concatenate([[0], np.cumsum((length * keep).reshape(-1))])
    short["tokens"] = data["tokens"][np.repeat(keep.reshape(-1), length.reshape(-1))]
    got = vn.losses.local().on(**short, scale=10.0)
    data["valid"][0, 0] = 0
    rows = np.array([1, 1, 0, 1], np.uint8)
    for name in ("image", "text", "neg_text", "patches"):
        data[name] = data[name].copy()
        data[name][2] = np.nan
    data["tokens"] = data["tokens"].copy()
    data["tokens"][data["token_offsets"][6] : data["token_offsets"][9]] = np.nan
    want = vn.losses.local().on(**data, rows=rows, scale=10.0)
    assert got.loss == pytest.approx(want.loss, rel=1e-6) and got.dlog_scale == pytest.approx(want.dlog_scale, rel=1e-5)
    assert np.abs(got.dpatches - want.dpatches).max() < 1e-6 and not want.dpatches[2].any()


def test_a_negative_that_is_true_is_masked():
    data = make(3, 2, 5, 6, plain=True)
    keys = {"text_key": np.array([0, 1, 2]), "neg_key": np.array([[9, 8], [1, 7], [6, 5]])}
    got = vn.losses.local().on(**data, **keys, scale=10.0)
    assert vn.losses.local(duplicates="off").on(**data, **keys, scale=10.0).loss != got.loss
    data["valid"][1, 0] = 0
    want = vn.losses.local().on(**data, scale=10.0)
    assert got.loss == want.loss and (got.dtokens == want.dtokens).all()


def test_terms_together_and_scores_given():
    """A sum of terms is the terms; scores handed in give what tokens give."""
    data = make(5, 3, 9, 16)
    parts = [vn.losses.infonce(), 0.5 * vn.losses.own(), 0.2 * vn.losses.local()]
    whole = (parts[0] + parts[1] + parts[2]).on(**data, scale=15.0)
    alone = [p.on(**data, scale=15.0) for p in parts]
    assert whole.loss == pytest.approx(sum(r.loss for r in alone), rel=1e-6)
    assert whole.dlog_scale == pytest.approx(sum(r.dlog_scale for r in alone), rel=1e-5, abs=1e-6)
    assert np.abs(whole.dimage - sum(r.dimage for r in alone)).max() < 1e-5
    assert (whole.dpatches == alone[2].dpatches).all() and (whole.dtokens == alone[2].dtokens).all()
    assert alone[0].dpatches is None
    live = np.concatenate([np.ones((5, 1), np.uint8), data["valid"]], 1)
    score, _ = local_forward(data["patches"], np.nan_to_num(data["tokens"]), data["token_offsets"], live, scale=15.0)
    sets = {n: data[n] for n in ("image", "text", "neg_text", "valid")}
    given = vn.losses.local().on(**sets, score=np.where(live, score, np.nan).astype(np.float32), scale=15.0)
    assert given.loss == pytest.approx(alone[2].terms["local"], rel=1e-4) and given.dpatches is None
    assert given.dlog_scale == 0


def test_same_bits_for_any_number_of_threads_and_in_given_arrays():
    data, seen = make(40, 3, 16, 32), set()
    out = {"dpatches": np.full(data["patches"].shape, np.nan, np.float32),
           "dtokens": np.full(data["tokens"].shape, np.nan, np.float32)}  # fmt: skip
    for threads in (1, 2, 4):
        vn.set_num_threads(threads)
        r = vn.losses.local().on(**data, scale=30.0, out=out)
        assert r.dpatches is out["dpatches"] and r.dtokens is out["dtokens"]
        seen.add(b"".join(x.tobytes() for x in (r.dpatches, r.dtokens, np.float64([r.loss, r.dlog_scale]))))
    vn.set_num_threads(0)
    assert len(seen) == 1


def test_refusals():
    data, local = make(3, 2, 5, 6), vn.losses.local()
    without = {n: data[n] for n in ("image", "text", "neg_text", "valid")}
    with pytest.raises(ValueError, match="reads score, which is missing: give patches=, tokens= and token_offsets="):
        local.on(**without)
    with pytest.raises(ValueError, match="belong together"):
        local.on(**without, patches=data["patches"])
    with pytest.raises(ValueError, match="leave one of them out"):
        local.on(**data, score=np.zeros((3, 3), np.float32))
    with pytest.raises(ValueError, match=r"token_offsets must have shape \(10,\)"):
        local.on(**{**data, "token_offsets": data["token_offsets"][:-1]})
    with pytest.raises(ValueError, match="token_offsets must rise from 0"):
        local.on(**{**data, "token_offsets": data["token_offsets"] + 1})
    with pytest.raises(TypeError, match="tokens must be"):
        local.on(**{**data, "tokens": data["tokens"].tolist()})
    bad = data["patches"].copy()
    bad[1, 0, 0] = np.inf
    with pytest.raises(ValueError, match="patches of sample 1"):
        local.on(**{**data, "patches": bad})
    with pytest.raises(ValueError, match="one threshold and one length_norm"):
        (local + vn.losses.local(threshold="on")).on(**data)
    with pytest.raises(ValueError, match="gamma of local must be in"):
        vn.losses.local(gamma=-1)
