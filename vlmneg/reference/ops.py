"""Twins of csrc/ops: each operation in plain NumPy, float64, forward beside backward.

Names and argument meanings are those of ``csrc/vn_backend.h``; outputs are returned instead of written.
"""

import math

import numpy as np

_erf = np.vectorize(math.erf, otypes=[float])


def act(x, kind):
    """quick_gelu: x s(1.702 x); gelu: x Phi(x)."""
    if kind == "quick_gelu":
        return x / (1 + np.exp(-1.702 * x))
    return x * 0.5 * (1 + _erf(x / math.sqrt(2))) if kind == "gelu" else x


def act_slope(x, kind):
    """Derivative of ``act``."""
    if kind == "quick_gelu":
        s = 1 / (1 + np.exp(-1.702 * x))
        return s + 1.702 * x * s * (1 - s)
    if kind == "gelu":
        return 0.5 * (1 + _erf(x / math.sqrt(2))) + x * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return np.ones_like(x)


def linear_forward(x, residual, weight, bias, kind="none"):
    """out (N,O), pre (N,O): pre = x weight^T + bias; out = act(pre) + residual."""
    pre = x @ weight.T + (0 if bias is None else bias)
    return act(pre, kind) + (0 if residual is None else residual), pre


def linear_backward(through, dout, x, weight, kind="none"):
    """dx (N,I), dweight (O,I), dbias (O)."""
    dx = dout @ weight
    if through is not None:
        dx = dx * act_slope(through, kind)
    return dx, dout.T @ x, dout.sum(0)


def project_forward(x, weight):
    """out (N,O) = x (N,I) weight (I,O)."""
    return x @ weight


def project_backward(dout, x, weight):
    """dx (N,I), dweight (I,O)."""
    return dout @ weight.T, x.T @ dout


def layernorm_forward(x, weight, bias):
    """out (N,C), mean (N), rstd (N); biased variance, eps 1e-5 inside the root."""
    mean = x.mean(1)
    rstd = 1 / np.sqrt(x.var(1) + 1e-5)
    return (x - mean[:, None]) * rstd[:, None] * weight + bias, mean, rstd


def layernorm_backward(mean, rstd, dout, x, weight):
    """dx (N,C), dweight (C), dbias (C)."""
    xhat, t = (x - mean[:, None]) * rstd[:, None], weight * dout
    dx = (t - t.mean(1, keepdims=True) - xhat * (t * xhat).mean(1, keepdims=True)) * rstd[:, None]
    return dx, (dout * xhat).sum(0), dout.sum(0)


def _heads(x, heads):
    return x.reshape(len(x), heads, -1).transpose(1, 0, 2)


def _join(x):
    return x.transpose(1, 0, 2).reshape(x.shape[1], -1)


def _softmax(s):
    top = s.max(-1, keepdims=True)
    lse = top + np.log(np.exp(s - top).sum(-1, keepdims=True))
    return np.exp(s - lse), lse[..., 0]


def attention_forward(qkv, begin, heads, causal):
    """out (N,C), lse (N,H); qkv (N,3,C), runs begin (R+1)."""
    out, lse = np.zeros((len(qkv), qkv.shape[2])), np.zeros((len(qkv), heads))
    for a, z in zip(begin[:-1], begin[1:], strict=True):
        q, k, v = (_heads(qkv[a:z, i], heads) for i in range(3))
        s = q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[2])
        if causal:
            s = np.where(np.tri(z - a, dtype=bool), s, -np.inf)
        p, rows = _softmax(s)
        out[a:z], lse[a:z] = _join(p @ v), rows.T
    return out, lse


def attention_backward(dout, qkv, begin, heads, causal):
    """dqkv (N,3,C)."""
    dqkv = np.zeros_like(qkv)
    for a, z in zip(begin[:-1], begin[1:], strict=True):
        q, k, v, do = (_heads(x, heads) for x in (qkv[a:z, 0], qkv[a:z, 1], qkv[a:z, 2], dout[a:z]))
        scale = 1 / math.sqrt(q.shape[2])
        s = q @ k.transpose(0, 2, 1) * scale
        if causal:
            s = np.where(np.tri(z - a, dtype=bool), s, -np.inf)
        p, _ = _softmax(s)
        dp = do @ v.transpose(0, 2, 1)
        ds = p * (dp - (dp * p).sum(-1, keepdims=True)) * scale
        for i, d in enumerate((ds @ k, ds.transpose(0, 2, 1) @ q, p.transpose(0, 2, 1) @ do)):
            dqkv[a:z, i] = _join(d)
    return dqkv


def pool_forward(q, kv, begin, heads):
    """out (R,C), lse (R,H): one query a run, which sees the whole run."""
    out, lse = np.zeros_like(q), np.zeros((len(q), heads))
    for r, (a, z) in enumerate(zip(begin[:-1], begin[1:], strict=True)):
        k, v = _heads(kv[a:z, 0], heads), _heads(kv[a:z, 1], heads)
        p, rows = _softmax(_heads(q[r : r + 1], heads) @ k.transpose(0, 2, 1) / math.sqrt(k.shape[2]))
        out[r], lse[r] = _join(p @ v)[0], rows[:, 0]
    return out, lse


def pool_backward(dout, q, kv, begin, heads):
    """dq (R,C), dkv (N,2,C)."""
    dq, dkv = np.zeros_like(q), np.zeros_like(kv)
    for r, (a, z) in enumerate(zip(begin[:-1], begin[1:], strict=True)):
        q_r, do = _heads(q[r : r + 1], heads), _heads(dout[r : r + 1], heads)
        k, v = _heads(kv[a:z, 0], heads), _heads(kv[a:z, 1], heads)
        scale = 1 / math.sqrt(k.shape[2])
        p, _ = _softmax(q_r @ k.transpose(0, 2, 1) * scale)
        dp = do @ v.transpose(0, 2, 1)
        ds = p * (dp - (dp * p).sum(-1, keepdims=True)) * scale
        dq[r] = _join(ds @ k)[0]
        dkv[a:z, 0], dkv[a:z, 1] = _join(ds.transpose(0, 2, 1) @ q_r), _join(p.transpose(0, 2, 1) @ do)
    return dq, dkv


def embed_forward(ids, place, token, position):
    """out (N,C) = token[ids] + position[place]."""
    return token[ids] + position[place]


def embed_backward(dout, ids, place, token, position):
    """dtoken (V,C), dposition (P,C)."""
    dtoken, dposition = np.zeros_like(token), np.zeros_like(position)
    np.add.at(dtoken, ids, dout)
    np.add.at(dposition, place, dout)
    return dtoken, dposition


def patchify_forward(x, patch):
    """out (B*G*G, 3*P*P) from x (B,3,G*P,G*P): channel, row, column inside a patch."""
    b, _, s, _ = x.shape
    g = s // patch
    return x.reshape(b, 3, g, patch, g, patch).transpose(0, 2, 4, 1, 3, 5).reshape(b * g * g, -1)


def tokens_forward(patch, head, position, images):
    """out (B,T,C): the class token, then the patches, plus positions."""
    patch = patch.reshape(images, -1, patch.shape[1])
    return np.concatenate([np.broadcast_to(head, (images, 1, len(head))), patch], 1) + position


def tokens_backward(dout):
    """dpatch (B*(T-1),C), dhead (C), dposition (T,C)."""
    return dout[:, 1:].reshape(-1, dout.shape[2]), dout[:, 0].sum(0), dout.sum(0)


def rows_gather(x, row):
    """out (S,C) = x[row]."""
    return x[row]


def rows_scatter(x, dout, row):
    """x with dout added at row."""
    out = x.copy()
    out[row] += dout
    return out


def l2norm_forward(x):
    """out (N,E) = x / max(|x|, 1e-12), norm (N)."""
    norm = np.linalg.norm(x, axis=1)
    return x / np.maximum(norm, 1e-12)[:, None], norm


def l2norm_backward(norm, out, dout):
    """dx (N,E); 0 where the norm is below 1e-12."""
    dx = dout - out * (out * dout).sum(1, keepdims=True)
    return np.divide(dx, norm[:, None], out=np.zeros_like(dx), where=norm[:, None] >= 1e-12)
