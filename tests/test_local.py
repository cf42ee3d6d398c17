"""The token-patch score: against its twin, differences and PyTorch, and what it may never read."""

import numpy as np
import pytest

import vlmneg as vn
from vlmneg import _core
from vlmneg.reference.local import local_backward, local_forward

SIZES = [(1, 1, 1, 1), (2, 1, 4, 3), (3, 4, 9, 17), (2, 2, 49, 64), (5, 3, 7, 20)]  # B, captions each, P, E
OPTIONS = [dict(threshold=t, length_norm=n) for t in (False, True) for n in (False, True)]


def make(b, s, p, e, seed=0, longest=9, empty=True):
    """Patches, tokens, offsets, live, dscore; some captions are empty, some not live, one is long."""
    rng = np.random.default_rng(seed)
    length = rng.integers(0 if empty else 1, longest + 1, b * s)
    length[0] = max(length[0], 1)
    length[-1] = 150 if s > 1 else max(length[-1], 1)  # several strips
    offsets = np.concatenate([[0], np.cumsum(length)]).astype(np.int32)
    live = (rng.random((b, s)) < 0.8).astype(np.uint8)
    live[0, 0] = live[-1, -1] = 1
    patches, tokens, dscore = (rng.standard_normal(n).astype(np.float32)
                               for n in ((b, p, e), (offsets[-1], e), (b, s)))  # fmt: skip
    return patches, tokens, offsets, live, dscore


def run(patches, tokens, offsets, live, dscore, scale, threshold=False, length_norm=False):
    """score, mean, dpatches, dtokens, dscale of the core; outputs start as NaN."""
    score, mean, dpatches, dtokens = (np.full(x.shape, np.nan, np.float32) for x in (dscore, dscore, patches, tokens))
    rest = patches, tokens, offsets, live, scale, int(threshold), int(length_norm)
    _core.local_forward(score, mean, *rest)
    dscale = _core.local_backward(dpatches, dtokens, score, mean, dscore, *rest)
    return score, mean, dpatches, dtokens, np.float64(dscale)


def twin(patches, tokens, offsets, live, dscore, scale, **options):
    given = patches.astype(float), tokens.astype(float), offsets, live
    return *local_forward(*given, scale=scale, **options), \
        *local_backward(dscore.astype(float), *given, scale=scale, **options)


def relative(got, want):
    return np.linalg.norm(got - want) / max(np.linalg.norm(want), 1e-30)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("scale", [1.0, 14.3, 100.0])
@pytest.mark.parametrize("sizes", SIZES)
def test_twin(level, sizes, scale, options):
    data = make(*sizes)
    got, want = run(*data, scale, **options), twin(*data, scale, **options)
    assert np.abs(got[0] - want[0]).max() < 1e-5 * max(1, np.abs(want[0]).max())
    for g, w in zip(got[1:], want[1:], strict=True):
        assert np.abs(g - w).max() <= 1e-4 * np.abs(w).max() + 1e-7 * scale  # all cancels where E is 1


@pytest.mark.parametrize("length_norm", [False, True])
def test_twin_gradients_by_differences(length_norm):
    """With the weights held where they are: a shift that the weights do not see."""
    from vlmneg.reference import local

    patches, tokens, offsets, live, dscore = make(2, 2, 5, 6, longest=4)
    offsets = np.minimum(offsets, offsets[-2] + 3)
    patches, tokens, dscore = patches.astype(float), tokens[: offsets[-1]].astype(float), dscore.astype(float)
    options = dict(scale=7.0, length_norm=length_norm)
    look, weights = local._look, []
    try:
        local._look = lambda x, t, threshold: weights.append(look(x, t, threshold)[0]) or look(x, t, threshold)
        want = local_backward(dscore, patches, tokens, offsets, live, **options)

        def value(**change):
            left = iter(weights)

            def held(x, t, threshold):
                o = next(left)
                u = o @ x
                return o, u, (local._unit(u)[0] * local._unit(t)[0]).sum(1)

            local._look = held
            return (local_forward(patches, tokens, offsets, live, **{**options, **change})[0] * dscore).sum()

        for x, d in ((patches, want[0]), (tokens, want[1])):
            for at in np.ndindex(x.shape):
                keep, got = x[at], []
                for h in (1e-6, -1e-6):
                    x[at] = keep + h
                    got.append(value())
                x[at] = keep
                assert (got[0] - got[1]) / 2e-6 == pytest.approx(d[at], abs=1e-7)
        slope = (value(scale=7.0 + 1e-6) - value(scale=7.0 - 1e-6)) / 2e-6
        assert slope == pytest.approx(want[2], abs=1e-7)
    finally:
        local._look = look


@pytest.mark.parametrize("b", [2, 7, 64, 257])
@pytest.mark.parametrize("threshold", [False, True])
def test_pytorch(b, threshold):
    """The same formula in PyTorch's autograd, float32, padded as FSC-CLIP pads."""
    torch = pytest.importorskip("torch")
    s, p, e, scale = 3, 9, 32, 30.0
    patches, tokens, offsets, _, dscore = make(b, s, p, e, empty=False)
    length = np.diff(offsets)
    offsets = np.concatenate([[0], np.cumsum(np.minimum(length, 9))]).astype(np.int32)
    tokens = tokens[: offsets[-1]]
    x, t = torch.tensor(patches, requires_grad=True), torch.tensor(tokens, requires_grad=True)
    learned = torch.tensor(scale, requires_grad=True)
    runs = [t[a:z] for a, z in zip(offsets[:-1], offsets[1:], strict=True)]
    padded = torch.nn.utils.rnn.pad_sequence(runs, batch_first=True).reshape(b, s, -1, e)
    there = torch.tensor(np.arange(padded.shape[2]) < np.diff(offsets)[:, None]).reshape(b, s, -1)
    with torch.no_grad():
        o = torch.einsum("bswe,bpe->bswp", padded, x)
        low, top = o.amin(-1, keepdim=True), o.amax(-1, keepdim=True)
        o = ((o - low) / (top - low)).nan_to_num(1.0)
        o = torch.where(o < 1 / p, 0, o) if threshold else o
        o = o / o.sum(-1, keepdim=True)
    u = torch.einsum("bswp,bpe->bswe", o, x)
    z = learned * torch.nn.functional.cosine_similarity(u, padded, dim=-1)
    want = torch.where(there, z, -torch.inf).logsumexp(-1)
    (want * torch.tensor(dscore)).sum().backward()
    got = run(patches, tokens, offsets, None, dscore, scale, threshold=threshold)
    assert relative(got[0], want.detach().numpy()) < 1e-5
    assert relative(got[2], x.grad.numpy()) < 1e-4 and relative(got[3], t.grad.numpy()) < 1e-4
    assert got[4] == pytest.approx(learned.grad.item(), rel=1e-4)


def test_what_is_not_live_is_never_read():
    patches, tokens, offsets, live, dscore = make(3, 4, 9, 17)
    bad = tokens.copy()
    for slot in np.flatnonzero(live.reshape(-1) == 0):
        bad[offsets[slot] : offsets[slot + 1]] = np.nan
    spoiled = np.where(live, dscore, np.nan).astype(np.float32)
    assert not np.isfinite(bad).all() and not np.isfinite(spoiled).all()
    want = run(patches, tokens, offsets, live, dscore, 20.0)
    got = run(patches, bad, offsets, live, spoiled, 20.0)
    assert all((g == w).all() for g, w in zip(got, want, strict=True))
    dead = live.reshape(-1) == 0
    assert not got[0].reshape(-1)[dead].any()
    assert all(not got[3][offsets[s] : offsets[s + 1]].any() for s in np.flatnonzero(dead))


def test_cells_are_own_cells():
    """A sample alone gives what it gives in the batch, so nothing crosses samples."""
    patches, tokens, offsets, live, dscore = make(4, 3, 9, 17)
    whole = run(patches, tokens, offsets, live, dscore, 20.0)
    for b in range(4):
        here = offsets[3 * b : 3 * b + 4]
        part = run(patches[b : b + 1].copy(), tokens[here[0] : here[-1]].copy(), here - here[0], live[b : b + 1].copy(),
                   dscore[b : b + 1].copy(), 20.0)  # fmt: skip
        assert (part[0] == whole[0][b : b + 1]).all() and (part[2] == whole[2][b : b + 1]).all()
        assert (part[3] == whole[3][here[0] : here[-1]]).all()


@pytest.mark.parametrize("e", [1, 5, 64, 100])
@pytest.mark.parametrize("p", [1, 3, 49])
def test_equal_patches_weigh_the_same(level, p, e):
    """max = min: uniform weights, also where sums in another order would differ in the last bit; no NaN."""
    rng = np.random.default_rng(0)
    patches = np.repeat(rng.standard_normal((2, 1, e)), p, 1).astype(np.float32)
    tokens = rng.standard_normal((8, e)).astype(np.float32)
    data = patches, tokens, np.array([0, 3, 5, 5, 8], np.int32), None, np.ones((2, 2), np.float32)
    got, want = run(*data, 10.0), twin(*data, 10.0)
    for g, w in zip(got, want, strict=True):
        assert np.abs(g - w).max() < 1e-5 * max(1, np.abs(w).max())
    assert np.abs(got[2] - got[2][:, :1]).max() <= 1e-5 * np.abs(got[2]).max()


def test_rows_of_length_zero():
    """A zero token, and patches that are zero: cosine 0, no gradient, nothing that is not finite."""
    patches, tokens, offsets, live, dscore = make(2, 2, 4, 6)
    patches[0], tokens[-1] = 0, 0
    got, want = run(patches, tokens, offsets, None, dscore, 5.0), twin(patches, tokens, offsets, None, dscore, 5.0)
    for g, w in zip(got, want, strict=True):
        assert np.isfinite(g).all() and np.abs(g - w).max() < 1e-4
    assert not got[2][0].any() and not got[3][-1].any()
    assert got[0][0, 0] == pytest.approx(np.log(offsets[1]), abs=1e-6)  # that many cosines of 0


def test_same_bits_for_any_number_of_threads(level):
    data, seen = make(9, 4, 49, 64), set()
    for threads in (1, 2, 4):
        vn.set_num_threads(threads)
        seen.add(b"".join(x.tobytes() for x in run(*data, 100.0)))
    vn.set_num_threads(0)
    assert len(seen) == 1


def test_wrong_arguments():
    patches, tokens, offsets, live, dscore = make(2, 2, 3, 4)
    with pytest.raises(ValueError, match="offsets must be 5 numbers"):
        run(patches, tokens, offsets[:-1].copy(), live, dscore, 1.0)
    falling = offsets.copy()
    falling[1] = falling[-1] + 1
    with pytest.raises(ValueError, match="offsets must not fall"):
        run(patches, tokens, falling, live, dscore, 1.0)
    with pytest.raises(ValueError, match="scale must be in"):
        run(patches, tokens, offsets, live, dscore, 0.0)
    with pytest.raises(ValueError, match="tokens must have shape"):
        run(patches, tokens[:, :3].copy(), offsets, live, dscore, 1.0)
