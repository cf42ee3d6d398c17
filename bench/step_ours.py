"""Worker: vlmneg's side of the step."""

import numpy as np

import vlmneg as vn
from bench.step import timed

state = {}


def start(folder, threads, _cut):
    vn.set_num_threads(threads)
    data = np.load(f"{folder}/batch.npz")
    model = vn.Clip.from_pretrained(folder)
    b = len(data["x"])
    negatives = data["ids"][b:].reshape(b, -1, 77) if len(data["ids"]) > b else None
    state.update(
        model=model, x=data["x"], ids=data["ids"][:b], negatives=negatives,
        objective=vn.losses.get("negclip" if negatives is not None else "infonce"),
        optimizer=vn.optim.AdamW(lr=1e-5, weight_decay=0.1, clip_norm=1.0),
    )  # fmt: skip
    info = vn.build_info()
    return f"{info['version']}, {info['level']}, {info['blas']} {info['blas_kernel']}"


def _loss():
    return state["model"].loss(
        state["x"], state["ids"], negatives=state["negatives"], objective=state["objective"], backward=True
    )


def outputs():
    out = _loss()
    return out.loss, {name: g.copy() for name, g in state["model"].gradients().items()}


def step():
    def run():
        _loss()
        state["optimizer"].update(state["model"])

    return timed(run)
