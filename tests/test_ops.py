"""Every operation on every instruction level against its float64 twin, and twins' gradients by central differences.

Tolerance rule: at most twice the error of NumPy float32 on the same input, plus a few ULP of the largest value.
"""

import itertools

import numpy as np
import pytest

import vlmneg as vn
from vlmneg import _core
from vlmneg.reference import ops, optim

ACTS = {"none": 0, "quick_gelu": 1, "gelu": 2}
SIZES = [1, 2, 3, 7, 17, 33, 65]


def f32(*arrays):
    return [np.ascontiguousarray(a, np.float32) for a in arrays]


def close(got, twin64, twin32, name="", scale=0.0):
    scale = max(np.abs(twin64).max(initial=1e-30), scale)
    allowed = 2 * np.abs(twin32 - twin64).max(initial=0) + 32 * np.finfo(np.float32).eps * scale
    error = np.abs(got - twin64).max(initial=0)
    assert error <= allowed, f"{name}: error {error:.3g}, allowed {allowed:.3g}"


def both(function, arrays, *rest):
    """The twin in float64 and in float32 on the same inputs."""
    wide = function(*[None if a is None else a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays], *rest)
    narrow = function(*arrays, *rest)
    return (wide if isinstance(wide, tuple) else (wide,)), (narrow if isinstance(narrow, tuple) else (narrow,))


def check(got, twins):
    for g, wide, narrow in zip(got, *twins, strict=True):
        close(g, wide, narrow)


@pytest.mark.parametrize("m, n, k", [(1, 1, 1), (3, 5, 7), (17, 33, 65), (130, 70, 300), (12, 32, 257), (600, 5, 3)])
@pytest.mark.parametrize("ta, tb, builtin", list(itertools.product((0, 1), repeat=3)))
def test_gemm(level, m, n, k, ta, tb, builtin):
    rng = np.random.default_rng(m * n * k)
    a, b = f32(rng.standard_normal((k, m) if ta else (m, k)), rng.standard_normal((n, k) if tb else (k, n)))
    wide = (a.T if ta else a).astype(float) @ (b.T if tb else b).astype(float)
    close(_core.gemm(a, b, ta, tb, builtin), wide, (a.T if ta else a) @ (b.T if tb else b))


@pytest.mark.parametrize("n, i, o", [(1, 1, 1), (3, 7, 5), (17, 33, 65), (2, 65, 3)])
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("residual", [False, True])
def test_linear(level, n, i, o, act, residual):
    rng = np.random.default_rng(0)
    x, w, b, dout, through = f32(
        rng.standard_normal((n, i)), rng.standard_normal((o, i)), rng.standard_normal(o),
        rng.standard_normal((n, o)), rng.standard_normal((n, i)),
    )  # fmt: skip
    r = f32(rng.standard_normal((n, o)))[0] if residual else None
    out, pre = np.empty((n, o), np.float32), np.empty((n, o), np.float32)
    _core.linear_forward(out, pre, x, r, w, b, ACTS[act])
    check((out, pre), both(ops.linear_forward, (x, r, w, b), act))
    dx, dw, db = np.empty((n, i), np.float32), np.ones((o, i), np.float32), np.ones(o, np.float32)
    _core.linear_backward(dx, dw, db, through, dout, x, w, ACTS[act])
    check((dx, dw - 1, db - 1), both(ops.linear_backward, (through, dout, x, w), act))


@pytest.mark.parametrize("act", ["quick_gelu", "gelu"])
def test_act_values(level, act):
    """Values of the two activations, and their error over the whole range."""
    x = np.concatenate([np.linspace(-30, 30, 20011), [-1.0, 3.0, 0.0, -0.0, 88.0, -100.0]]).astype(np.float32)
    out = np.empty_like(x)
    _core.act_forward(out, x, ACTS[act])
    known = {"quick_gelu": (-0.15420423, 2.98192869), "gelu": (-0.15865525, 2.99595030)}[act]
    assert np.allclose(out[20011:20013], known, rtol=0, atol=6e-7)
    assert np.abs(out - ops.act(x.astype(float), act)).max() < 2e-6
    special = np.array([np.nan, np.inf, -np.inf], np.float32)
    got = np.empty_like(special)
    _core.act_forward(got, special, ACTS[act])
    assert np.isnan(got[0]) and got[1] == np.inf


@pytest.mark.parametrize("n, i, o", [(1, 1, 1), (3, 7, 5), (17, 33, 20)])
def test_project(level, n, i, o):
    rng = np.random.default_rng(1)
    x, w, dout = f32(rng.standard_normal((n, i)), rng.standard_normal((i, o)), rng.standard_normal((n, o)))
    out, dx, dw = np.empty((n, o), np.float32), np.empty((n, i), np.float32), np.ones((i, o), np.float32)
    _core.project_forward(out, x, w)
    check((out,), both(ops.project_forward, (x, w)))
    _core.project_backward(dx, dw, dout, x, w)
    check((dx, dw - 1), both(ops.project_backward, (dout, x, w)))


@pytest.mark.parametrize("n", [1, 3, 17])
@pytest.mark.parametrize("c", SIZES)
def test_layernorm(level, n, c):
    rng = np.random.default_rng(c)
    x, w, b, dout = f32(
        5 * rng.standard_normal((n, c)) + 3, rng.standard_normal(c), rng.standard_normal(c), rng.standard_normal((n, c))
    )
    out, mean, rstd = np.empty((n, c), np.float32), np.empty(n, np.float32), np.empty(n, np.float32)
    _core.layernorm_forward(out, mean, rstd, x, w, b)
    check((out, mean, rstd), both(ops.layernorm_forward, (x, w, b)))
    dx, dw, db = np.ones((n, c), np.float32), np.ones(c, np.float32), np.ones(c, np.float32)
    _core.layernorm_backward(dx, dw, db, mean, rstd, dout, x, w)
    wide, narrow = both(ops.layernorm_backward, (mean, rstd, dout, x, w))
    terms = float(np.abs(w * dout).max() * rstd.max())  # what dx cancels: nearly all of it where C is 1 or 2
    for got, a, b in zip((dx - 1, dw - 1, db - 1), wide, narrow, strict=True):
        close(got, a, b, scale=terms)


RUNS = {"one": [0, 1], "odd": [0, 3, 4, 11, 28], "long": [0, 65, 67]}


@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.parametrize("heads, d", [(1, 1), (3, 12), (2, 64), (1, 17)])
@pytest.mark.parametrize("causal", [0, 1])
def test_attention(level, runs, heads, d, causal):
    begin = np.array(RUNS[runs], np.int32)
    n, c, rng = begin[-1], heads * d, np.random.default_rng(d)
    qkv, dout = f32(2 * rng.standard_normal((n, 3, c)), rng.standard_normal((n, c)))
    out, lse, dqkv = np.empty((n, c), np.float32), np.empty((n, heads), np.float32), np.empty((n, 3, c), np.float32)
    _core.attention_forward(out, lse, qkv, begin, heads, causal)
    check((out, lse), both(ops.attention_forward, (qkv, begin), heads, causal))
    _core.attention_backward(dqkv, lse, out, dout, qkv, begin, heads, causal)
    check((dqkv,), both(ops.attention_backward, (dout, qkv, begin), heads, causal))


@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.parametrize("heads, d", [(1, 1), (3, 12), (2, 64)])
def test_pool(level, runs, heads, d):
    begin = np.array(RUNS[runs], np.int32)
    n, r, c, rng = begin[-1], len(begin) - 1, heads * d, np.random.default_rng(d)
    q, kv, dout = f32(rng.standard_normal((r, c)), rng.standard_normal((n, 2, c)), rng.standard_normal((r, c)))
    out, lse = np.empty((r, c), np.float32), np.empty((r, heads), np.float32)
    dq, dkv = np.empty((r, c), np.float32), np.empty((n, 2, c), np.float32)
    _core.pool_forward(out, lse, q, kv, begin, heads, 0)
    check((out, lse), both(ops.pool_forward, (q, kv, begin), heads))
    _core.pool_backward(dq, dkv, lse, out, dout, q, kv, begin, heads, 0)
    check((dq, dkv), both(ops.pool_backward, (dout, q, kv, begin), heads))


def test_pool_is_the_last_row_of_causal_attention():
    rng, begin, heads, c = np.random.default_rng(5), np.array([0, 4, 5, 12]), 2, 6
    qkv = rng.standard_normal((12, 3, c))
    rows = begin[1:] - 1
    full, _ = ops.attention_forward(qkv, begin, heads, True)
    pooled, _ = ops.pool_forward(qkv[rows, 0], qkv[:, 1:], begin, heads)
    assert np.allclose(full[rows], pooled, rtol=0, atol=1e-14)


@pytest.mark.parametrize("n, c", [(1, 1), (7, 17), (40, 65)])
def test_embed(level, n, c):
    rng = np.random.default_rng(n)
    ids, place = rng.integers(0, 5, n).astype(np.int32), rng.integers(0, 3, n).astype(np.int32)
    token, position, dout = f32(rng.standard_normal((5, c)), rng.standard_normal((3, c)), rng.standard_normal((n, c)))
    out = np.empty((n, c), np.float32)
    _core.embed_forward(out, ids, place, token, position)
    assert (out == token[ids] + position[place]).all()
    dtoken, dposition = np.ones_like(token), np.ones_like(position)
    _core.embed_backward(dtoken, dposition, dout, ids, place)
    check((dtoken - 1, dposition - 1), both(ops.embed_backward, (dout, ids, place, token, position)))
    with pytest.raises(ValueError, match=r"id must be in \[0, 5\)"):
        _core.embed_forward(out, ids + 5, place, token, position)


@pytest.mark.parametrize("b, g, p", [(1, 1, 1), (2, 3, 5), (3, 2, 7)])
def test_patchify(level, b, g, p):
    x = np.random.default_rng(0).standard_normal((b, 3, g * p, g * p)).astype(np.float32)
    out = np.empty((b * g * g, 3 * p * p), np.float32)
    _core.patchify_forward(out, x, p)
    assert (out == ops.patchify_forward(x, p)).all()
    with pytest.raises(ValueError):
        _core.patchify_forward(out[:-1], x, p)


@pytest.mark.parametrize("b, t, c", [(1, 2, 1), (3, 5, 17), (2, 10, 65)])
def test_tokens(level, b, t, c):
    rng = np.random.default_rng(0)
    patch, head, position, dout = f32(
        rng.standard_normal((b * (t - 1), c)), rng.standard_normal(c), rng.standard_normal((t, c)),
        rng.standard_normal((b, t, c)),
    )  # fmt: skip
    out = np.empty((b, t, c), np.float32)
    _core.tokens_forward(out, patch, head, position)
    assert (out == ops.tokens_forward(patch, head, position, b)).all()
    dpatch, dhead, dposition = np.empty_like(patch), np.ones_like(head), np.ones_like(position)
    _core.tokens_backward(dpatch, dhead, dposition, dout)
    check((dpatch, dhead - 1, dposition - 1), both(ops.tokens_backward, (dout,)))


def test_rows(level):
    rng = np.random.default_rng(0)
    x, d = f32(rng.standard_normal((9, 17)), rng.standard_normal((4, 17)))
    row = np.array([8, 0, 3, 5], np.int32)
    out = np.empty((4, 17), np.float32)
    _core.rows_gather(out, x, row)
    assert (out == ops.rows_gather(x, row)).all()
    want = ops.rows_scatter(x, d, row)
    _core.rows_scatter(x, d, row)
    assert (x == want).all()
    flat = np.ones(1_000_003, np.float32)
    _core.rows_zero(flat)
    assert not flat.any()


@pytest.mark.parametrize("n, e", [(1, 1), (3, 20), (7, 65)])
def test_l2norm(level, n, e):
    rng = np.random.default_rng(e)
    x, dout = f32(rng.standard_normal((n, e)), rng.standard_normal((n, e)))
    if n > 1:
        x[1] = 0
    out, norm, dx = np.empty_like(x), np.empty(n, np.float32), np.empty_like(x)
    _core.l2norm_forward(out, norm, x)
    check((out, norm), both(ops.l2norm_forward, (x,)))
    _core.l2norm_backward(dx, norm, out, dout)
    check((dx,), both(ops.l2norm_backward, (norm, out, dout)))
    if n > 1:
        assert not out[1].any() and not dx[1].any()


@pytest.mark.parametrize("l2", [False, True])
def test_adamw(level, l2):
    rng = np.random.default_rng(0)
    n = 70_001
    w, g = f32(rng.standard_normal(n), rng.standard_normal(n))
    m, v = np.zeros(n, np.float32), np.zeros(n, np.float32)
    spans = np.array([[0, 40_000], [40_000, n - 40_001]], np.int64)  # the last weight is in none
    rates = np.array([[1e-2, 0.2], [3e-3, 0.0]], np.float32)
    last = w[-1]
    twin = [x.astype(float) for x in (w, m, v)]
    for t in range(1, 6):
        _core.adamw(w, m, v, g, spans, rates, 0.9, 0.98, 1e-6, 0.5, t, int(l2))
        parts = [
            optim.adamw(*(x[a:z] for x in twin), g[a:z].astype(float), lr=lr, betas=(0.9, 0.98), eps=1e-6,
                        decay=decay, t=t, gain=0.5, l2=l2)
            for a, z, lr, decay in ((0, 40_000, 1e-2, 0.2), (40_000, n, 3e-3, 0.0))
        ]  # fmt: skip
        twin = [np.concatenate(x) for x in zip(*parts, strict=True)]
    for got, want in zip((w, m, v), twin, strict=True):
        assert np.abs(got - want)[:-1].max() < 2e-6
    assert w[-1] == last and m[-1] == v[-1] == 0
    assert np.isclose(_core.square_sum(g), (g.astype(float) ** 2).sum(), rtol=1e-12)
    assert _core.square_sum(np.zeros(0, np.float32)) == 0.0


def numeric(f, x, h=1e-6):
    grad = np.empty_like(x)
    for i in np.ndindex(x.shape):
        keep = x[i]
        x[i] = keep + h
        up = f()
        x[i] = keep - h
        grad[i] = (up - f()) / (2 * h)
        x[i] = keep
    return grad


def test_twin_gradients():
    """Central differences of each twin's forward against its backward."""
    rng = np.random.default_rng(3)
    x, w, b, r = (rng.standard_normal(s) for s in ((3, 4), (5, 4), 5, (3, 5)))
    for kind in ("quick_gelu", "gelu"):
        h = rng.standard_normal((3, 4))
        dx, dw, db = ops.linear_backward(h, r, ops.act(h, kind), w, kind)
        f = lambda: (ops.linear_forward(ops.act(h, kind), None, w, b)[0] * r).sum()  # noqa: B023, E731
        assert np.allclose(dx, numeric(f, h), atol=1e-7)
        assert np.allclose(dw, numeric(f, w), atol=1e-7) and np.allclose(db, numeric(f, b), atol=1e-7)
    g, c, d = rng.standard_normal(4), rng.standard_normal(4), rng.standard_normal((3, 4))
    f = lambda: (ops.layernorm_forward(x, g, c)[0] * d).sum()  # noqa: E731
    _, mean, rstd = ops.layernorm_forward(x, g, c)
    for got, at in zip(ops.layernorm_backward(mean, rstd, d, x, g), (x, g, c), strict=True):
        assert np.allclose(got, numeric(f, at), atol=1e-6)
    begin, qkv, do = np.array([0, 3, 4, 6]), rng.standard_normal((6, 3, 4)), rng.standard_normal((6, 4))
    for causal in (False, True):
        f = lambda: (ops.attention_forward(qkv, begin, 2, causal)[0] * do).sum()  # noqa: B023, E731
        assert np.allclose(ops.attention_backward(do, qkv, begin, 2, causal), numeric(f, qkv), atol=1e-7)
    q, kv, dp = rng.standard_normal((3, 4)), rng.standard_normal((6, 2, 4)), rng.standard_normal((3, 4))
    f = lambda: (ops.pool_forward(q, kv, begin, 2)[0] * dp).sum()  # noqa: E731
    dq, dkv = ops.pool_backward(dp, q, kv, begin, 2)
    assert np.allclose(dq, numeric(f, q), atol=1e-7) and np.allclose(dkv, numeric(f, kv), atol=1e-7)
    f = lambda: (ops.l2norm_forward(x)[0] * d).sum()  # noqa: E731
    out, norm = ops.l2norm_forward(x)
    assert np.allclose(ops.l2norm_backward(norm, out, d), numeric(f, x), atol=1e-7)


def test_same_bits_for_any_number_of_threads(level):
    rng = np.random.default_rng(0)
    a, b = f32(rng.standard_normal((500, 300)), rng.standard_normal((700, 300)))
    qkv, begin = f32(rng.standard_normal((60, 3, 64)))[0], np.array([0, 17, 18, 60], np.int32)
    seen = []
    for threads in (1, 2, 3, 4, 7):
        vn.set_num_threads(threads)
        out, lse = np.empty((60, 64), np.float32), np.empty((60, 2), np.float32)
        _core.attention_forward(out, lse, qkv, begin, 2, 1)
        dw = np.zeros((700, 300), np.float32)
        _core.linear_backward(None, dw, None, None, _core.gemm(a, b, 0, 1, 0), a, b, 0)
        seen.append((out.tobytes(), lse.tobytes(), dw.tobytes(), _core.square_sum(dw.reshape(-1))))
    vn.set_num_threads(0)
    assert len(set(seen)) == 1


def test_wrong_arguments():
    x, w = np.zeros((3, 4), np.float32), np.zeros(4, np.float32)
    args = [np.empty((3, 4), np.float32), np.empty(3, np.float32), np.empty(3, np.float32), x, w, w]
    with pytest.raises(TypeError, match=r"x must be float32, got float64; convert it with x.astype\('float32'\)"):
        _core.layernorm_forward(*args[:3], x.astype(float), w, w)
    with pytest.raises(ValueError, match=r"weight must have shape \(C\) with C = 4 as in out, got \(5\)"):
        _core.layernorm_forward(*args[:4], np.zeros(5, np.float32), w)
    with pytest.raises(ValueError, match="C-contiguous"):
        _core.layernorm_forward(*args[:3], np.zeros((3, 8), np.float32)[:, ::2], w, w)
    with pytest.raises(TypeError, match="takes 6 positional arguments, got 5"):
        _core.layernorm_forward(*args[:5])
    frozen = np.empty((3, 4), np.float32)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        _core.layernorm_forward(frozen, *args[1:])
    with pytest.raises(TypeError, match="must be a NumPy array"):
        _core.square_sum([1.0])
