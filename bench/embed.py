"""Objectives on embedding negatives, loss and gradients: ours against PyTorch that makes every row and autograd.

Same rows, same threads. On un-normalised shifts `intra` of ours makes no row at all; other rows are made, but only
inside a tile.
"""

import json
import statistics
import time
from pathlib import Path

import numpy as np

from bench.turns import Worker, interleave, ratios

CASES = ("intra, shift", "intra, shift of length 1", "itc with shared images, shift of length 1",
         "negclip, interpolated captions")
NAMES = ("image", "text", "neg_text")
SCALE = 20.0


def add_arguments(parser):
    parser.add_argument("--batch", type=int, default=512, help="samples (default 512)")
    parser.add_argument("--negatives", type=int, default=5, help="negative captions a sample (default 5)")
    parser.add_argument("--width", type=int, default=512, help="of the embeddings (default 512)")
    parser.add_argument("--pairs", type=int, default=9, help="rounds that count, after two that do not (default 9)")
    parser.add_argument("--threads", type=int, default=0, help="threads of both sides (default: physical cores)")
    parser.add_argument("--json", metavar="FILE", help="also write the figures here")
    parser.set_defaults(run=run)


def rows(batch, negatives, width):
    """Unit rows near one direction, as CLIP's are; one slot in ten holds nothing."""
    rng = np.random.default_rng(0)
    shared = rng.standard_normal(width)
    shapes = {"image": (batch, width), "text": (batch, width), "neg_text": (batch, negatives, width)}
    made = {name: rng.standard_normal(shape) + shared for name, shape in shapes.items()}
    made = {name: (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32) for name, x in made.items()}
    return {**made, "valid": (rng.random((batch, negatives)) < 0.9).astype(np.uint8)}


def run(arguments):
    import vlmneg as vn

    threads = arguments.threads or vn.num_threads()
    data = rows(arguments.batch, arguments.negatives, arguments.width)
    kernels, workers = begin(data, threads)
    try:
        for case in CASES:
            compare(case, workers["vlmneg"]("outputs", case), workers["PyTorch"]("outputs", case))
        seconds = {case: interleave(workers, "seconds", arguments.pairs, case) for case in CASES}
    finally:
        end(workers)
    memory = {}
    for case in CASES:      # in processes that have done nothing else
        _, workers = begin(data, threads)
        memory[case] = {name: worker("memory", case) for name, worker in workers.items()}
        end(workers)
    report(arguments, threads, kernels, seconds, memory)


def begin(data, threads):
    workers = {"vlmneg": Worker("bench.embed_ours"), "PyTorch": Worker("bench.embed_torch")}
    kernels = {name: worker("start", data, threads) for name, worker in workers.items()}
    workers["PyTorch"]("take", workers["vlmneg"]("factors"))
    return kernels, workers


def end(workers):
    for worker in workers.values():
        worker.close()


def timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def growth(first, function):
    """Bytes by which the process grows at its largest while it runs function, after first has loaded what it needs."""
    first()
    Path("/proc/self/clear_refs").write_text("5")       # the peak is counted from here
    before = status("VmRSS")
    function()
    return status("VmHWM") - before


def status(name):
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith(name + ":"))
    return int(line.split()[1]) * 1024


def compare(case, ours, theirs):
    """Loss within 1e-5 and gradients within 1e-4 of each other, else no time is printed."""
    if not abs(ours["loss"] - theirs["loss"]) <= 1e-5 * max(abs(theirs["loss"]), 1e-2):
        raise SystemExit(f"{case}: losses differ: {ours['loss']} here, {theirs['loss']} in PyTorch")
    for name, want in theirs["gradients"].items():
        error = np.linalg.norm(ours["gradients"][name] - want) / max(np.linalg.norm(want), 1e-30)
        if not error < 1e-4:
            raise SystemExit(f"{case}: gradients of {name} differ by {error:.2g}")


def report(arguments, threads, kernels, seconds, memory):
    print(f"{arguments.batch} samples, {arguments.negatives} negative captions each, width {arguments.width}, "
          f"{threads} threads, {arguments.pairs} rounds")
    for name, kernel in kernels.items():
        print(f"  {name}: {kernel}")
    print("\n| loss and gradients of | vlmneg, ms | PyTorch's time over ours: median (quartiles) "
          "| growth of the process, MB: vlmneg, PyTorch |\n|---|---|---|---|")
    found = {}
    for case, times in seconds.items():
        middle, low, high = ratios(times, "vlmneg", "PyTorch")
        room = [f"{memory[case][name] / 2**20:.1f}" for name in ("vlmneg", "PyTorch")]
        found[case] = {"seconds": times, "ratio": middle, "quartiles": [low, high], "memory": memory[case]}
        print(f"| {case} | {1e3 * statistics.median(times['vlmneg']):.2f} | {middle:.2f}x ({low:.2f} to {high:.2f}) "
              f"| {room[0]}, {room[1]} |")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps({"kernels": kernels, "cases": found}, indent=1))
