"""Terms over a batch against the same formulas in PyTorch's autograd, in float32."""

import numpy as np
import pytest
from loss_data import every_set

from vlmneg import losses

torch = pytest.importorskip("torch", reason="torch is not installed: no parity with PyTorch can be tested")
F = torch.nn.functional


def columns(x, how, scale):
    """Logits of images with negative captions: the batch's, or each its own."""
    if how == "shared":
        return scale * x["image"] @ x["neg_text"].flatten(0, 1).T
    return scale * torch.einsum("be,bke->bk", x["image"], x["neg_text"])


def both_ways(z, further=None):
    label = torch.arange(len(z))
    wide = z if further is None else torch.cat([z, further], 1)
    return (F.cross_entropy(wide, label) + F.cross_entropy(z.T, label)) / 2


def itc(x, s, b, false_negatives):
    z = s * x["image"] @ x["text"].T
    own = z.diagonal().detach()
    most = torch.minimum(own[:, None], own) + s.detach() * false_negatives
    z = z.masked_fill((z > most) & ~torch.eye(len(z), dtype=torch.bool), -torch.inf)
    return both_ways(z, columns(x, "shared", s))


def sigmoid(x, s, b, negatives="shared"):
    z = s * x["image"] @ x["text"].T + b
    loss = F.softplus(z * (1 - 2 * torch.eye(len(z)))).sum()
    return (loss if negatives == "none" else loss + F.softplus(columns(x, negatives, s) + b).sum()) / len(z)


def mil(x, s, b, own_bag="once"):
    n, k = x["pos_text"].shape[:2]
    z = s * torch.einsum("ie,jke->ijk", x["image"], x["pos_text"])
    bag = z.diagonal().T  # (i, k)
    back = z.transpose(0, 1)
    if own_bag == "once":
        back = back.masked_fill(torch.eye(n, dtype=torch.bool)[:, :, None], -torch.inf)
    return (torch.cat([z.flatten(1), back.flatten(1)], 1).logsumexp(1) - bag.logsumexp(1)).mean()


def hinge(x, s, b, margin=0.2, reduce="sum", negatives="none"):
    c = x["image"] @ x["text"].T
    own, gone = c.diagonal(), torch.eye(len(c), dtype=torch.bool)
    rows, cols = (m.masked_fill(gone, -torch.inf) for m in (c, c.T))
    if negatives != "none":
        rows = torch.cat([rows, columns(x, negatives, 1.0)], 1)
    costs = [F.relu(margin - own[:, None] + m) for m in (rows, cols)]
    return sum((m.sum(1) if reduce == "sum" else m.max(1).values).mean() for m in costs)


def distil(x, s, b, teacher_scale=0.0):
    z, t = s * x["image"] @ x["text"].T, (teacher_scale or s.detach()) * x["teacher_image"] @ x["teacher_text"].T
    return sum(F.kl_div(F.log_softmax(a, 1), F.log_softmax(q, 1), reduction="batchmean", log_target=True)
               for a, q in ((z, t), (z.T, t.T))) / 2


def uniform(x, s, b, modality="text", t=2.0):
    return (2 * t * (x[modality] @ x[modality].T - 1))[~torch.eye(len(x["text"]), dtype=torch.bool)].exp().mean().log()


def mirror(x, s, b):
    w, n = x["neg_image"].flatten(0, 1), x["neg_text"].flatten(0, 1)
    return both_ways(s * w @ n.T, s * w @ x["text"].T)


def column(x, s, b, modality="text", target="row"):
    n = x["neg_text"].flatten(0, 1)
    if modality == "image":
        shift = (x["neg_text"] - x["text"][:, None]).detach()
        z = s * x["image"] @ (x["image"][:, None] + shift).flatten(0, 1).T
    else:
        z = s * x["text"] @ n.T
    return F.cross_entropy(z, torch.arange(len(z)) * (target == "row"))


FORMS = [
    (itc, {"false_negatives": 0.05}), (sigmoid, {}), (sigmoid, {"negatives": "own"}), (sigmoid, {"negatives": "none"}),
    (mil, {}), (mil, {"own_bag": "twice"}), (hinge, {}), (hinge, {"reduce": "max", "negatives": "shared"}),
    (hinge, {"negatives": "own"}), (distil, {}), (distil, {"teacher_scale": 10.0}), (uniform, {}),
    (uniform, {"modality": "image", "t": 4.0}), (mirror, {}), (column, {}), (column, {"target": "first"}),
    (column, {"modality": "image"}), (column, {"modality": "image", "target": "first"}),
]  # fmt: skip


@pytest.mark.parametrize("form, params", FORMS, ids=lambda x: x.__name__ if callable(x) else str(x))
def test_pytorch(form, params):
    """Loss to 1e-5, gradients to 1e-4, relative."""
    objective = losses.get(form.__name__, **params)
    for b, scale in ((2, 1.0), (7, 100.0), (64, 20.0), (257, 100.0)):
        data = {key: x for key, x in every_set(b, 2, 32, plain=True).items()
                if key in ("image", "text") or key in objective.needs}
        x = {key: torch.from_numpy(rows.copy()).requires_grad_() for key, rows in data.items()}
        log_scale, bias = (torch.tensor(v, dtype=torch.float32).requires_grad_() for v in (np.log(scale), -scale / 3))
        loss = form(x, log_scale.exp(), bias, **params)
        loss.backward()
        r = objective.on(**data, scale=float(log_scale.exp().detach()), bias=bias.item())
        assert r.loss == pytest.approx(loss.item(), rel=1e-5, abs=1e-6), b
        for key, rows in x.items():
            if not key.startswith("teacher"):
                got = getattr(r, f"d{key}")
                want = np.zeros_like(got) if rows.grad is None else rows.grad.numpy()
                assert np.linalg.norm(got - want) <= 1e-4 * np.linalg.norm(want) + 1e-6, (b, key)
        for got, want in ((r.dlog_scale, log_scale.grad), (r.dbias, bias.grad)):
            want = 0.0 if want is None else want.item()
            assert got == pytest.approx(want, rel=1e-4, abs=1e-4), b
