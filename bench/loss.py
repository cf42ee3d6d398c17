"""Objectives, loss and gradients, against open_clip's losses and PyTorch: time, and memory beyond rows and gradients.

Contrastive softmax and sigmoid at growing batches; negative captions as further columns; every named objective
against the sum of its terms, each written alone. Same rows, same threads, outputs compared first.
"""

import json
import statistics
import time
from pathlib import Path

import numpy as np

from bench.embed import compare
from bench.probe import Probe
from bench.turns import Worker, interleave_probed, ratios

TUNED = {"MALLOC_TRIM_THRESHOLD_": "100000000000", "MALLOC_MMAP_THRESHOLD_": "100000000000"}
COMPOSITE = ("negclip", "tsvlc", "ce_clip", "ahnpl", "tripletclip", "fsc", "siglip")


def add_arguments(parser):
    parser.add_argument("--batch", type=int, nargs="+", default=[2048, 8192, 32768], help="sizes without negatives")
    parser.add_argument("--negatives-batch", type=int, default=2048, help="size with negative captions (default 2048)")
    parser.add_argument("--composite-batch", type=int, default=1024, help="size of named objectives (default 1024)")
    parser.add_argument("--negatives", type=int, default=4, help="negative captions a sample (default 4)")
    parser.add_argument("--width", type=int, default=512, help="of the embeddings (default 512)")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="only cases whose name has one of these words")
    parser.add_argument("--pairs", type=int, default=7, help="rounds (default 7); at least 3 where they are long")
    parser.add_argument("--limit", type=float, default=180, help="seconds that a case's rounds may take (default 180)")
    parser.add_argument("--threads", type=int, default=0, help="threads of every side (default: physical cores)")
    parser.add_argument("--json", metavar="FILE", help="also write the figures here")
    parser.set_defaults(run=run)


def rows(case):
    """Unit rows near one direction, as CLIP's are; one negative slot in ten holds nothing."""
    rng = np.random.default_rng(0)
    batch, width = case["batch"], case["width"]
    shared = rng.standard_normal(width, np.float32)
    made = {}
    for name, slots in case["sets"].items():
        x = rng.standard_normal((batch, slots, width) if slots else (batch, width), np.float32)
        x += shared
        x /= np.linalg.norm(x, axis=-1, keepdims=True)
        made[name] = x
    if case["holes"]:
        made["valid"] = (rng.random((batch, case["sets"]["neg_text"])) < 0.9).astype(np.uint8)
    return made


def case_of(arguments, batch, terms, peers, sets=None, holes=False, **numbers):
    """What a worker needs to know; sets: slots a sample of every set that is given beside images and captions."""
    return {"batch": batch, "width": arguments.width, "terms": terms, "peers": peers, "holes": holes,
            "sets": {"image": 0, "text": 0, **(sets or {})}, "numbers": {"scale": 100.0, **numbers}}


def cases(arguments):
    from vlmneg import losses

    found, k = {}, arguments.negatives
    for batch in arguments.batch:
        found[f"softmax, B={batch}"] = case_of(
            arguments, batch, losses.itc(negatives="none").to_dict()["terms"], ["open_clip", "tuned", "tiled"])
        if "sigmoid" in losses.names():
            found[f"sigmoid, B={batch}"] = case_of(
                arguments, batch, losses.get("siglip").to_dict()["terms"], ["open_clip", "tuned", "tiled"],
                scale=10.0, bias=-10.0)
    for kind in ("own", "shared"):
        found[f"softmax, {k} {kind} negatives, B={arguments.negatives_batch}"] = case_of(
            arguments, arguments.negatives_batch, losses.itc(negatives=kind).to_dict()["terms"], ["terms", "tiled"],
            {"neg_text": k}, holes=True)
    for name in COMPOSITE:
        if name not in losses.names():
            continue
        sets = {"neg_text": 1, "neg_image": 1} if name == "tripletclip" else {"neg_text": k}
        terms = losses.get(name, **({"negatives": "shared"} if name == "siglip" else {})).to_dict()["terms"]
        terms = [t for t in terms if t["name"] != "local"]      # reads token maps, which are no rows
        found[f"{name}, B={arguments.composite_batch}"] = case_of(
            arguments, arguments.composite_batch, terms, ["terms"], sets, holes=name != "tripletclip",
            **({"scale": 10.0, "bias": -10.0} if name == "siglip" else {}))
    return {name: case for name, case in found.items() if not arguments.only or any(w in name for w in arguments.only)}


NAMES = {"open_clip": "open_clip", "tuned": "open_clip, allocator tuned", "tiled": "PyTorch, two passes over strips",
         "terms": "PyTorch, term by term"}


def run(arguments):
    import vlmneg as vn

    threads = arguments.threads or vn.num_threads()
    probe, found, kernels = Probe(threads), {}, {}
    print(f"width {arguments.width}, {threads} threads, FMA probe {probe():.0f} GF/s\n\n| loss and gradients of "
          "| side | median s | its time over ours: median (quartiles) | useful GF/s | extra memory, MB |\n"
          "|---|---|---|---|---|---|", flush=True)
    for name, case in cases(arguments).items():
        found[name] = measure(arguments, name, case, threads, probe, kernels)
        for line in lines(name, case, found[name]):
            print(line, flush=True)
    print(f"\nprobe's best {probe.best:.0f} GF/s; " + "; ".join(sorted(set(kernels.values()))))
    if not all(x["quiet"] for x in found.values()):
        print("(loaded): the probe fell below 95% of its best, or time was stolen, in nearly all rounds of this case")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(
            {"kernels": kernels, "threads": threads, "probe": probe.best, "cases": found}, indent=1))


def fits(case, peer):
    """Whether a peer that keeps B x B matrices has room for seven of them in half of the memory that is free."""
    line = next(x for x in Path("/proc/meminfo").read_text().splitlines() if x.startswith("MemAvailable"))
    columns = case["batch"] * (1 + case["sets"].get("neg_text", 0))
    return peer == "tiled" or 28 * case["batch"] * columns < 512 * int(line.split()[1])


def measure(arguments, name, case, threads, probe, kernels):
    """Compares outputs, then times; a peer that has no room or no form of a term is named with the reason."""
    workers, extra, left_out, first = {"vlmneg": Worker("bench.loss_ours")}, {}, {}, 0.0
    try:
        ours = None
        for peer in ("vlmneg", *case["peers"]):
            label = NAMES.get(peer, peer)
            if peer != "vlmneg" and not fits(case, peer):
                left_out[label] = "its matrices do not fit"
                continue
            if peer != "vlmneg":
                workers[label] = Worker("bench.loss_torch", TUNED if peer != "open_clip" else None)
            arrays = {key: case[key] for key in ("batch", "width", "terms", "sets", "holes", "numbers")}
            kernels[label] = workers[label]("start", arrays, threads, *([] if peer == "vlmneg" else [peer]))
            start = time.perf_counter()
            theirs = workers[label]("outputs")
            took = time.perf_counter() - start
            if "missing" in theirs:
                left_out[label] = theirs["missing"]
            elif peer != "vlmneg" and took * (1 + 3) > arguments.limit:
                left_out[label] = f"a call takes {took:.0f} s"
            if label in left_out:
                workers.pop(label).close()
                continue
            first, extra[label], ours = first + took, theirs["extra"], ours or theirs
            compare(name, ours, theirs)
        pairs = max(3, min(arguments.pairs, int(arguments.limit / first) - 1))
        seconds, quiet = interleave_probed(workers, "seconds", pairs, probe)
    finally:
        for worker in workers.values():
            worker.close()
    sides = {label: {"seconds": seconds[label], "extra": extra[label]} for label in seconds}
    for label in sides:
        sides[label]["ratio"] = ratios(seconds, "vlmneg", label)
    return {"sides": sides, "left_out": left_out, "quiet": quiet, "terms": case["terms"]}


def useful(case):
    """FLOP of the products that an exact loss in two passes needs, or in one for sigmoids alone."""
    alone = all(t["name"] == "sigmoid" for t in case["terms"])
    shared = any(t.get("negatives") == "shared" for t in case["terms"])
    columns = case["batch"] * (1 + (case["sets"].get("neg_text", 0) if shared else 0))
    return (3 if alone else 4) * 2.0 * case["batch"] * columns * case["width"]


def lines(name, case, found):
    for label, side in found["sides"].items():
        middle, low, high = side["ratio"]
        time_taken = statistics.median(side["seconds"])
        ratio = "" if label == "vlmneg" else f"{middle:.2f}x ({low:.2f} to {high:.2f})"
        yield (f"| {name}{'' if found['quiet'] else ' (loaded)'} | {label} | {time_taken:.4f} | {ratio} "
               f"| {useful(case) / time_taken / 1e9:.0f} | {side['extra'] / 2**20:.1f} |")
    for label, reason in found["left_out"].items():
        yield f"| {name} | {label} | {reason} | | | |"
