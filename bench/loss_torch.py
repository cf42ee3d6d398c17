"""PyTorch's sides of `python -m bench loss`: open_clip's losses, two passes over strips, or a sum of plain terms."""

import sys
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy, logsigmoid, softplus

from bench.embed import growth, timed
from bench.loss import rows

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
STRIP = 512     # rows of the tiled forms
state = {}


def start(case, threads, form):
    torch.set_num_threads(threads)
    state["data"] = {name: torch.from_numpy(x) for name, x in rows(case).items()}
    for name, x in state["data"].items():
        if x.is_floating_point() and not name.startswith("teacher"):
            x.requires_grad_()
    state["case"], state["form"] = case, form
    version = f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}"
    if form not in ("open_clip", "tuned"):
        return version
    import peers

    package = peers.open_clip()
    sigmoid = case["terms"][0]["name"] == "sigmoid"
    state["module"] = package.loss.SigLipLoss() if sigmoid else package.loss.ClipLoss()
    return f"open_clip {package.__version__}, {version}"


def step(count=None):
    x = {name: a if count is None else a.detach()[:count].requires_grad_(a.requires_grad)
         for name, a in state["data"].items()}
    for a in x.values():
        a.grad = None
    numbers = state["case"]["numbers"]
    if state["form"] == "tiled":
        return FORMS[state["case"]["terms"][0]["name"]](x, **numbers, term=state["case"]["terms"][0])
    if state["form"] == "terms":
        loss = sum(t["weight"] * TERMS[t["name"]](Rows(x, **numbers), t) for t in state["case"]["terms"])
    else:
        scale = torch.tensor(numbers["scale"], requires_grad=True)
        bias = [torch.tensor(numbers["bias"], requires_grad=True)] if "bias" in numbers else []
        loss = state["module"](x["image"], x["text"], scale, *bias)
    loss.backward()
    return loss.item()


def outputs():
    """As ours; {"missing": why} where a term has no form here."""
    found = {}
    try:
        extra = growth(lambda: step(8), lambda: found.update(loss=step()))
    except (KeyError, NotImplementedError) as error:
        return {"missing": f"no PyTorch form of {error} was written"}
    grads = {f"d{name}": x.grad for name, x in state["data"].items() if x.grad is not None}
    made = sum(g.numel() * g.element_size() for g in grads.values())
    return {"loss": found["loss"], "gradients": {n: g.numpy() for n, g in grads.items()}, "extra": extra - made}


def seconds():
    return timed(step)


# ---- two passes over strips of rows, gradients written by hand: no matrix of B x B ----


@torch.no_grad()
def strips_of_softmax(x, scale, term):
    """InfoNCE, perhaps with negative captions as further columns of the image's softmax."""
    v, t = x["image"], x["text"]
    n, u, w = len(v), term["image_to_text"], term["text_to_image"]
    kind = term["negatives"]
    more, dmore = None, None
    if kind != "none":
        more, valid = x["neg_text"].flatten(0, 1), x["valid"].bool()
        dmore = torch.zeros_like(more)
    col, row = torch.full((n,), -torch.inf), torch.empty(n)

    def negatives(i):
        """Values of further columns: all of the batch's, or a row's own."""
        if kind == "shared":
            return (scale * v[i] @ more.T).masked_fill_(~valid.flatten(), -torch.inf)
        return (scale * (x["neg_text"][i] @ v[i, :, None]).squeeze(2)).masked_fill_(~valid[i], -torch.inf)

    parts = [slice(a, min(a + STRIP, n)) for a in range(0, n, STRIP)]
    pair = scale * (v * t).sum(1)
    for i in parts:
        z = (v[i] @ t.T).mul_(scale)
        torch.logaddexp(col, z.logsumexp(0), out=col)
        row[i] = z.logsumexp(1)
        if more is not None:
            row[i] = torch.logaddexp(row[i], negatives(i).logsumexp(1))
    dv, dt = torch.empty_like(v), torch.zeros_like(t)
    for i in parts:
        z = (v[i] @ t.T).mul_(scale)
        g = (z - row[i, None]).exp_().mul_(u)
        g += z.sub_(col).exp_().mul_(w)
        g[:, i].diagonal().sub_(u + w)
        g *= scale / n
        dv[i] = g @ t
        dt.addmm_(g.T, v[i])
        if kind == "shared":
            g = negatives(i).sub_(row[i, None]).exp_().mul_(u * scale / n)
            dv[i] += g @ more
            dmore.addmm_(g.T, v[i])
        elif kind == "own":
            g = negatives(i).sub_(row[i, None]).exp_().mul_(u * scale / n)
            dv[i] += (g[:, None] @ x["neg_text"][i]).squeeze(1)
            dmore.view_as(x["neg_text"])[i] = g[:, :, None] * v[i, None]
    v.grad, t.grad = dv, dt
    if more is not None:
        x["neg_text"].grad = dmore.view_as(x["neg_text"])
    return (u * (row - pair).mean() + w * (col - pair).mean()).item()


@torch.no_grad()
def strips_of_sigmoid(x, scale, bias, term):
    """One pass: no statistic has to be known first."""
    v, t = x["image"], x["text"]
    n, total = len(v), 0.0
    dv, dt = torch.empty_like(v), torch.zeros_like(t)
    for a in range(0, n, STRIP):
        i = slice(a, min(a + STRIP, n))
        z = (v[i] @ t.T).mul_(scale).add_(bias)
        own = z[:, i].diagonal()
        total += (softplus(z).sum() - own.sum()).item()     # softplus(-z) = softplus(z) - z
        g = z.sigmoid_()
        g[:, i].diagonal().sub_(1)
        g *= scale / n
        dv[i] = g @ t
        dt.addmm_(g.T, v[i])
    v.grad, t.grad = dv, dt
    return total / n


FORMS = {"itc": strips_of_softmax, "sigmoid": strips_of_sigmoid}

# ---- every term alone, as one writes it: it takes its own cosines ----


class Rows:
    """Rows by name, and cosines between them."""

    def __init__(self, x, scale, bias=0.0):
        self.image, self.text = x["image"], x["text"]
        self.neg_text, self.neg_image = x.get("neg_text"), x.get("neg_image")
        self.scale, self.bias = scale, bias
        self.valid = x["valid"].bool() if "valid" in x else None
        if self.valid is None and self.neg_text is not None:
            self.valid = torch.ones(self.neg_text.shape[:2], dtype=torch.bool)

    def own(self, anchor, rows):
        return torch.einsum("be,bke->bk", anchor, rows)


def refuse(term, **allowed):
    for name, values in allowed.items():
        if name in term and term[name] not in values:
            raise NotImplementedError(f"{term['name']}({name}={term[name]!r})")


def itc(x, term):
    refuse(term, images=("none",))
    z, label = x.scale * x.image @ x.text.T, torch.arange(len(x.image))
    wide = z
    if x.neg_text is not None and term["negatives"] == "shared":
        more = x.scale * x.image @ x.neg_text.flatten(0, 1).T
        wide = torch.cat([z, more.masked_fill(~x.valid.flatten(), -torch.inf)], 1)
    elif x.neg_text is not None and term["negatives"] == "own":
        more = x.scale * x.own(x.image, x.neg_text)
        wide = torch.cat([z, more.masked_fill(~x.valid, -torch.inf)], 1)
    return term["image_to_text"] * cross_entropy(wide, label) + term["text_to_image"] * cross_entropy(z.T, label)


def mirror(x, term):
    """The negative images and captions as pairs, the true captions as their negatives."""
    w, n = x.neg_image[:, 0], x.neg_text[:, 0]
    z, label = x.scale * w @ n.T, torch.arange(len(w))
    wide = torch.cat([z, x.scale * w @ x.text.T], 1)
    return 0.5 * (cross_entropy(wide, label) + cross_entropy(z.T, label))


def choice(x, scale):
    """Logits (B,1+K) of an image's caption and its own negatives, of the samples that have one."""
    z = scale * torch.cat([(x.image * x.text).sum(1, keepdim=True), x.own(x.image, x.neg_text)], 1)
    some = x.valid.any(1)
    z = z.masked_fill(~torch.cat([torch.ones_like(some)[:, None], x.valid], 1), -torch.inf)
    return z[some], x.valid[some]


def own(x, term):
    refuse(term, anchor=("image",), positive=("pair",), invalid=("drop",))
    z, _ = choice(x, term.get("scale") or x.scale)
    return cross_entropy(z, torch.zeros(len(z), dtype=torch.long))


def focal(x, term):
    refuse(term, invalid=("drop",))
    z, valid = choice(x, term.get("scale") or x.scale)
    count, beta = valid.sum(1, keepdim=True), term["smoothing"]
    y = beta * torch.cat([torch.ones_like(count), valid], 1) / (1 + count)
    y[:, 0] += 1 - beta
    log = z.log_softmax(1)
    log = torch.where(torch.isinf(log), torch.zeros_like(log), log)
    return (y * (-torch.expm1(log)) ** term["gamma"] * -log).sum(1).mean()


def rank(x, term):
    refuse(term, units=("logit",), rule=("paired",), margin=("mean", "max", "fixed"))
    margin = term["fixed"] if term["margin"] == "fixed" else 0.0    # margins that adapt start at 0
    z = x.scale * (x.own(x.image, x.neg_text) - (x.image * x.text).sum(1, keepdim=True))
    z = torch.relu(margin + z)[x.valid]
    return z.sum() / (x.valid.numel() if term["reduce"] == "all" else x.valid.sum())


def intra(x, term):
    refuse(term, positive=("self", "none", "cross"))
    scale = term.get("scale") or x.scale
    valid = x.valid
    if term["modality"] == "text":
        z = x.own(x.text, x.neg_text)
    elif term["modality"] == "shifted":     # an image with itself is 1
        z = 1 + term.get("factor", 1.0) * x.own(x.image, (x.neg_text - x.text[:, None]).detach())
    else:
        z = x.own(x.image, x.neg_image)
        valid = torch.ones(z.shape, dtype=torch.bool)
    some = valid.any(1)
    z = (scale * z).masked_fill(~valid, -torch.inf)[some]
    if term.get("positive") == "none":
        return z.logsumexp(1).mean()
    first = x.scale * (x.image * x.text).sum(1) if term.get("positive") == "cross" else torch.full((len(some),), scale)
    first = first[some, None]
    return (torch.cat([first, z], 1).logsumexp(1) - first[:, 0]).mean()


def sigmoid(x, term):
    n = len(x.image)
    z = x.scale * x.image @ x.text.T + x.bias
    loss = -logsigmoid(z * (2 * torch.eye(n) - 1)).sum()
    if x.neg_text is not None and term["negatives"] == "shared":
        z = x.scale * x.image @ x.neg_text.flatten(0, 1).T + x.bias
        loss = loss - (logsigmoid(-z) * x.valid.flatten()).sum()
    elif x.neg_text is not None and term["negatives"] == "own":
        z = x.scale * x.own(x.image, x.neg_text) + x.bias
        loss = loss - (logsigmoid(-z) * x.valid).sum()
    return loss / n


TERMS = {f.__name__: f for f in (itc, mirror, own, focal, rank, intra, sigmoid)}
