"""Twin of csrc/model: CLIP in NumPy float64, the specification of the forward and the backward pass.

The last block is computed for all rows here, so that the core's reduction to the pooled row is tested against it.
"""

import numpy as np

from vlmneg.reference import ops


def encode_image(state, x, *, heads, act):
    """Unit embeddings of pictures, and their patches in the joint space.

    Parameters
    ----------
    state : dict of str to ndarray, OpenAI's names
    x : ndarray of shape (B, 3, S, S)
    heads : int
    act : {"quick_gelu", "gelu"}

    Returns
    -------
    unit : ndarray of shape (B, E)
    patches : ndarray of shape (B, G * G, E), not normalised
    backward : function from dunit (B, E), and perhaps dpatches, to a dict of gradients by name
    """
    conv = state["visual.conv1.weight"]
    images, width = len(x), len(conv)
    patches = ops.patchify_forward(x, conv.shape[2])
    patch = patches @ conv.reshape(width, -1).T
    tokens = ops.tokens_forward(patch, state["visual.class_embedding"], state["visual.positional_embedding"], images)
    t = tokens.shape[1]
    rows = tokens.reshape(-1, width)
    begin = np.arange(images + 1) * t
    stream, back_pre = _layernorm(state, "visual.ln_pre", rows)
    stream, back_blocks = _blocks(state, "visual.transformer.resblocks", stream, begin, heads, False, act)
    unit, joint, back_head = _head(state, "visual.ln_post", "visual.proj", stream, begin[:-1])

    def backward(dunit, dpatches=None):
        grads = {}
        djoint = np.zeros((images, t, joint.shape[1]))
        if dpatches is not None:
            djoint[:, 1:] = dpatches
        d = back_pre(back_blocks(back_head(dunit, djoint.reshape(joint.shape), grads), grads), grads)
        dpatch, grads["visual.class_embedding"], grads["visual.positional_embedding"] = ops.tokens_backward(
            d.reshape(images, t, width)
        )
        grads["visual.conv1.weight"] = (dpatch.T @ patches).reshape(conv.shape)
        return grads

    return unit, joint.reshape(images, t, -1)[:, 1:], backward


def encode_text(state, captions, *, heads, act):
    """Unit embeddings of captions, and their tokens in the joint space.

    Parameters
    ----------
    state : dict of str to ndarray, OpenAI's names
    captions : list of lists of int
        Each from its start to its end token; nothing is padded.
    heads : int
    act : {"quick_gelu", "gelu"}

    Returns
    -------
    unit : ndarray of shape (S, E)
    tokens : ndarray of shape (T, E), all tokens of all captions, not normalised
    backward : function from dunit (S, E), and perhaps dtokens, to a dict of gradients by name
    """
    begin = np.cumsum([0] + [len(c) for c in captions])
    ids = np.concatenate([np.asarray(c) for c in captions])
    place = np.concatenate([np.arange(len(c)) for c in captions])
    token, position = state["token_embedding.weight"], state["positional_embedding"]
    stream = ops.embed_forward(ids, place, token, position)
    stream, back_blocks = _blocks(state, "transformer.resblocks", stream, begin, heads, True, act)
    unit, joint, back_head = _head(state, "ln_final", "text_projection", stream, begin[1:] - 1)

    def backward(dunit, dtokens=None):
        grads = {}
        d = back_blocks(back_head(dunit, np.zeros_like(joint) if dtokens is None else dtokens, grads), grads)
        grads["token_embedding.weight"], grads["positional_embedding"] = ops.embed_backward(
            d, ids, place, token, position
        )
        return grads

    return unit, joint, backward


def _layernorm(state, name, x):
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    out, mean, rstd = ops.layernorm_forward(x, weight, bias)

    def backward(dout, grads):
        dx, grads[f"{name}.weight"], grads[f"{name}.bias"] = ops.layernorm_backward(mean, rstd, dout, x, weight)
        return dx

    return out, backward


def _linear(state, weight_name, bias_name, x, act="none"):
    weight = state[weight_name]
    out, pre = ops.linear_forward(x, None, weight, state[bias_name], act)

    def backward(dout, grads):
        dpre = dout * ops.act_slope(pre, act)
        dx, grads[weight_name], grads[bias_name] = ops.linear_backward(None, dpre, x, weight)
        return dx

    return out, backward


def _block(state, name, x, begin, heads, causal, act):
    """z = x + attention(LN1 x); out = z + MLP(LN2 z)."""
    y, back_1 = _layernorm(state, f"{name}.ln_1", x)
    qkv, back_in = _linear(state, f"{name}.attn.in_proj_weight", f"{name}.attn.in_proj_bias", y)
    qkv = qkv.reshape(len(x), 3, -1)
    o, _ = ops.attention_forward(qkv, begin, heads, causal)
    a, back_out = _linear(state, f"{name}.attn.out_proj.weight", f"{name}.attn.out_proj.bias", o)
    z = x + a
    y, back_2 = _layernorm(state, f"{name}.ln_2", z)
    h, back_fc = _linear(state, f"{name}.mlp.c_fc.weight", f"{name}.mlp.c_fc.bias", y, act)
    m, back_proj = _linear(state, f"{name}.mlp.c_proj.weight", f"{name}.mlp.c_proj.bias", h)

    def backward(dout, grads):
        dz = dout + back_2(back_fc(back_proj(dout, grads), grads), grads)
        dqkv = ops.attention_backward(back_out(dz, grads), qkv, begin, heads, causal)
        return dz + back_1(back_in(dqkv.reshape(len(x), -1), grads), grads)

    return z + m, backward


def _blocks(state, prefix, x, begin, heads, causal, act):
    backs = []
    while f"{prefix}.{len(backs)}.ln_1.weight" in state:
        x, back = _block(state, f"{prefix}.{len(backs)}", x, begin, heads, causal, act)
        backs.append(back)

    def backward(dout, grads):
        for back in reversed(backs):
            dout = back(dout, grads)
        return dout

    return x, backward


def _head(state, norm_name, projection_name, stream, rows):
    normed, back_norm = _layernorm(state, norm_name, stream)
    joint = ops.project_forward(normed, state[projection_name])
    unit, norm = ops.l2norm_forward(joint[rows])

    def backward(dunit, djoint, grads):
        djoint = ops.rows_scatter(djoint, ops.l2norm_backward(norm, unit, dunit), rows)
        d, grads[projection_name] = ops.project_backward(djoint, normed, state[projection_name])
        return back_norm(d, grads)

    return unit, joint, backward
