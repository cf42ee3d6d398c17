"""Worker: open_clip's model and loss in PyTorch, with fused AdamW."""

import sys
from pathlib import Path

import numpy as np

from bench.step import timed

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
state = {}


def start(folder, threads, cut):
    import peers
    import torch
    from safetensors.torch import load_file

    from vlmneg.config import ClipConfig

    torch.set_num_threads(threads)
    data = np.load(f"{folder}/batch.npz")
    model = peers.open_clip_model(ClipConfig.vit_b_32()).train()
    model.load_state_dict(load_file(f"{folder}/open_clip_model.safetensors"), strict=True)
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    rest = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    ids = torch.tensor(data["ids"].astype(np.int64))
    if cut:
        ids = ids[:, : int((ids == 49407).int().argmax(1).max()) + 1]
    state.update(
        torch=torch, model=model, x=torch.tensor(data["x"]), ids=ids, b=len(data["x"]), cut=cut,
        optimizer=torch.optim.AdamW(groups, lr=1e-5, betas=(0.9, 0.98), eps=1e-6, fused=True),
    )  # fmt: skip
    version = peers.open_clip().__version__
    return f"open_clip {version}, torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}"


def encode_text(model, ids):
    """open_clip's text tower; its classic CLIP refuses rows shorter than 77, so the cut form slices its tables."""
    if not state["cut"]:
        return model.encode_text(ids, normalize=True)
    n = ids.shape[1]
    x = model.token_embedding(ids) + model.positional_embedding[:n]
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:n, :n]))
    x = x[state["torch"].arange(len(ids)), ids.argmax(-1)] @ model.text_projection
    return state["torch"].nn.functional.normalize(x, dim=-1)


def _loss():
    cross_entropy = state["torch"].nn.functional.cross_entropy
    model, b = state["model"], state["b"]
    state["optimizer"].zero_grad(set_to_none=True)
    image = model.encode_image(state["x"], normalize=True)
    logits = model.logit_scale.exp() * image @ encode_text(model, state["ids"]).T
    own = state["torch"].arange(b)
    loss = (cross_entropy(logits, own) + cross_entropy(logits[:, :b].T, own)) / 2
    loss.backward()
    return loss


def outputs():
    loss = _loss().item()
    return loss, {name: p.grad.numpy().copy() for name, p in state["model"].named_parameters()}


def step():
    def run():
        _loss()
        state["torch"].nn.utils.clip_grad_norm_(state["model"].parameters(), 1.0)
        state["optimizer"].step()

    return timed(run)
