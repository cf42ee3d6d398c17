"""One training step of ViT-B/32 with hard-negative captions: forward, loss, backward, clipping, AdamW.

Ours against open_clip's model in PyTorch with fused AdamW: as shipped (captions padded to 77 tokens), and cut to the
batch's longest caption with an allocator that keeps freed memory. Same weights, pixels, captions and threads.
"""

import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.turns import Worker, interleave, ratios

DATA = Path(os.environ.get("VLMNEG_TEST_DATA", Path(__file__).parents[1].parent / "shared" / "data"))
TUNED = {"MALLOC_TRIM_THRESHOLD_": "100000000000", "MALLOC_MMAP_THRESHOLD_": "100000000000"}


def add_arguments(parser):
    parser.add_argument("--batch", type=int, default=32, help="pictures (default 32)")
    parser.add_argument("--negatives", type=int, default=1, help="negative captions a picture (default 1)")
    parser.add_argument("--pairs", type=int, default=7, help="rounds that count, after two that do not (default 7)")
    parser.add_argument("--threads", type=int, default=0, help="threads of every side (default: physical cores)")
    parser.add_argument("--json", metavar="FILE", help="also write the figures here")
    parser.set_defaults(run=run)


def captions(batch, negatives):
    """Real captions that have enough valid negatives, and those, as ids (B * (1 + K), 77): captions first."""
    import vlmneg as vn

    vocabulary = DATA / "clip" / "bpe_simple_vocab_16e6.txt.gz"
    tokenizer = vn.Tokenizer.from_file(vocabulary) if vocabulary.exists() else vn.Tokenizer.find()
    rows = json.loads((DATA / "coco" / "captions.json").read_text())["annotations"]
    texts = list({row["image_id"]: row["caption"] for row in rows}.values())
    half = (negatives + 1) // 2
    made = (vn.negatives.text.swap(k=half) + vn.negatives.text.replace(k=2 * half))(texts, seed=0)
    valid = [[t for t, v in zip(*row, strict=True) if v] for row in zip(made.text, made.valid, strict=True)]
    chosen = [i for i, row in enumerate(valid) if len(row) >= negatives][:batch]
    if len(chosen) < batch:
        raise SystemExit(f"only {len(chosen)} captions have {negatives} negatives; ask for a smaller batch")
    return tokenizer([texts[i] for i in chosen] + [t for i in chosen for t in valid[i][:negatives]])


def run(arguments):
    import vlmneg as vn

    threads = arguments.threads or vn.num_threads()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        ids = captions(arguments.batch, arguments.negatives)
        x = np.random.default_rng(0).standard_normal((arguments.batch, 3, 224, 224)).astype(np.float32)
        np.savez(folder / "batch.npz", x=x, ids=ids)
        vn.Clip(vn.ClipConfig.vit_b_32(), seed=0).save_pretrained(folder, layout="open_clip")
        workers = {
            "vlmneg": Worker("bench.step_ours"),
            "open_clip, cut to the longest caption": Worker("bench.step_open_clip", TUNED),
            "open_clip as shipped, 77 tokens": Worker("bench.step_open_clip"),
        }
        try:
            names = list(workers)
            kernels = {
                name: worker("start", str(folder), threads, cut)
                for (name, worker), cut in zip(workers.items(), (True, True, False), strict=True)
            }
            compare(workers, names)
            seconds = interleave(workers, "step", arguments.pairs)
        finally:
            for worker in workers.values():
                worker.close()
    report(arguments, ids, threads, kernels, seconds)


def compare(workers, names):
    """Loss within 1e-5 and gradients within 1e-4 of each other, else no time is printed."""
    loss, gradients = workers[names[0]]("outputs")
    for name in names[1:]:
        other, theirs = workers[name]("outputs")
        if not abs(loss - other) <= 1e-5 * abs(other):
            raise SystemExit(f"losses differ: {loss} here, {other} in {name}")
        for key, want in theirs.items():
            error = np.linalg.norm(gradients[key] - want) / max(np.linalg.norm(want), 1e-30)
            if not error < 1e-4:
                raise SystemExit(f"gradients of {key} differ by {error:.2g} from {name}")


def report(arguments, ids, threads, kernels, seconds):
    lengths = (ids == 49407).argmax(1) + 1
    ours, *peers = seconds
    print(f"ViT-B/32, batch {arguments.batch}, {arguments.negatives} negatives a picture, {threads} threads, "
          f"{arguments.pairs} rounds; captions {lengths.mean():.1f} tokens, longest {lengths.max()}")  # fmt: skip
    for name, kernel in kernels.items():
        print(f"  {name}: {kernel}")
    print("\n| | median s a step | over vlmneg: median (quartiles) |\n|---|---|---|")
    rows = {}
    for name, values in seconds.items():
        middle, low, high = ratios(seconds, ours, name)
        rows[name] = {"seconds": values, "ratio": middle, "quartiles": [low, high]}
        print(f"| {name} | {statistics.median(values):.2f} | {middle:.2f}x ({low:.2f} to {high:.2f}) |")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps({"kernels": kernels, "rows": rows}, indent=1))


def timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
