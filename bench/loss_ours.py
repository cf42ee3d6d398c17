"""Our side of `python -m bench loss`."""

import numpy as np

import vlmneg as vn
from bench.embed import growth, timed
from bench.loss import rows
from vlmneg import losses

state = {}


def start(case, threads):
    vn.set_num_threads(threads)
    state["data"] = rows(case)
    state["objective"] = losses.Objective.from_dict(case["terms"])
    state["more"] = case["numbers"]
    info = vn.build_info()
    return f"vlmneg {info['version']}, {info['level']}, {info['blas']} {info['blas_kernel']}"


def step(data=None, out=None):
    return state["objective"].on(**(data or state["data"]), **state["more"], out=out)


def outputs():
    """Loss, gradients, bytes beyond inputs and gradients in a process that has done nothing else."""
    small = {name: np.ascontiguousarray(x[:8]) for name, x in state["data"].items()}
    state["out"] = {f"d{name}": np.zeros_like(x) for name, x in state["data"].items()
                    if x.dtype == np.float32 and not name.startswith("teacher")}
    for x in state["out"].values():
        x.fill(1.0)     # its pages are there before the memory is measured
    found = {}
    extra = growth(lambda: step(small), lambda: found.update(r=step(out=state["out"])))
    r = found["r"]
    return {"loss": r.loss, "gradients": {name: getattr(r, name) for name in state["out"]}, "extra": extra}


def seconds():
    return timed(lambda: step(out=state["out"]))
