"""Our side of `python -m bench embed`."""

import numpy as np

import vlmneg as vn
from bench.embed import CASES, NAMES, SCALE, growth, timed
from vlmneg import losses
from vlmneg.negatives import embed

USES = dict(zip(CASES, [
    (losses.intra(), embed.shift()), (losses.intra(), embed.shift(unit=True)),
    (losses.itc(negatives="none", images="shared"), embed.shift(unit=True)), (losses.negclip(), embed.interpolate()),
], strict=True))  # fmt: skip
state = {}


def start(data, threads):
    vn.set_num_threads(threads)
    state["data"] = data
    state["out"] = {f"d{name}": np.empty_like(data[name]) for name in NAMES}
    info = vn.build_info()
    return f"{info['version']}, {info['level']}, {info['blas']} {info['blas_kernel']}"


def factors():
    """What `interpolate` draws, for the other side."""
    return embed.interpolate()(**state["data"]).mu


def step(case, data=None, out=None):
    objective, made = USES[case]
    return objective.on(**(data or state["data"]), made=made, scale=SCALE, out=out)


def outputs(case):
    r = step(case)
    return {"loss": r.loss, "gradients": {name: getattr(r, f"d{name}") for name in NAMES}}


def seconds(case):
    return timed(lambda: step(case, out=state["out"]))


def memory(case):
    small = {name: np.ascontiguousarray(x[:8]) for name, x in state["data"].items()}
    return growth(lambda: step(case, small), lambda: step(case, out=state["out"]))
