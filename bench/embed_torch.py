"""PyTorch's side of `python -m bench embed`: every made row is a row of a tensor, and autograd goes back through it."""

import torch
from torch.nn.functional import cross_entropy, normalize

from bench.embed import CASES, NAMES, SCALE, growth, timed

state = {}


def start(data, threads):
    torch.set_num_threads(threads)
    state.update({name: torch.from_numpy(data[name]).requires_grad_() for name in NAMES})
    state["valid"] = torch.from_numpy(data["valid"]).bool()
    return torch.__version__


def take(mu):
    state["mu"] = torch.from_numpy(mu)


def own(x, rows, valid):
    """A row among itself and its own negatives, mean over samples that have one."""
    z = SCALE * torch.einsum("be,bke->bk", x, rows)
    z = torch.cat([torch.full_like(z[:, :1], SCALE), z.masked_fill(~valid, -torch.inf)], 1)
    some = valid.any(1)
    return cross_entropy(z[some], torch.zeros(int(some.sum()), dtype=torch.long))


def both(v, t, rows, valid, anchor):
    """Symmetric softmax over the batch, with further columns for the anchors."""
    z, label = SCALE * v @ t.T, torch.arange(len(v))
    more = (SCALE * anchor @ rows.flatten(0, 1).T).masked_fill(~valid.flatten(), -torch.inf)
    a, b = (z, z.T) if anchor is v else (z.T, z)
    return 0.5 * (cross_entropy(torch.cat([a, more], 1), label) + cross_entropy(b, label))


def loss(case, count=None):
    v, t, n = (state[name][:count] for name in NAMES)
    valid = state["valid"][:count]
    if case == CASES[3]:
        mu = state["mu"][:count, :, None]
        rows = normalize(mu * n + (1 - mu) * t[:, None], dim=2)
        return both(v, t, torch.cat([n, rows], 1), torch.cat([valid, valid], 1), v)
    rows = v[:, None] + (n - t[:, None]).detach()
    if case == CASES[0]:
        return own(v, rows, valid)
    rows = normalize(rows, dim=2)
    return own(v, rows, valid) if case == CASES[1] else both(v, t, rows, valid, t)


def step(case, count=None):
    for name in NAMES:
        state[name].grad = None
    value = loss(case, count)
    value.backward()
    return value.item()


def outputs(case):
    value = step(case)
    grads = {name: state[name].grad for name in NAMES}
    return {"loss": value, "gradients": {name: g.numpy() for name, g in grads.items() if g is not None}}


def seconds(case):
    return timed(lambda: step(case))


def memory(case):
    return growth(lambda: step(case, 8), lambda: step(case))
