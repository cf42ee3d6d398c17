"""Image edits on photographs with their masks, one core: ours against the same edit written with OpenCV.

Ours include what makes them negatives: the draw of object and colour, soft edges, the measured region, the rules. An
edit in OpenCV gets the objects and colours that ours drew and does the edit alone.
"""

import json
import os
import statistics
from pathlib import Path

from bench.turns import Worker, interleave, ratios

DATA = Path(os.environ.get("VLMNEG_TEST_DATA", Path(__file__).parents[1].parent / "shared" / "data"))
ONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def add_arguments(parser):
    parser.add_argument("--pairs", type=int, default=7, help="rounds that count, after two that do not (default 7)")
    parser.add_argument("--json", metavar="FILE", help="also write the figures here")
    parser.set_defaults(run=run)


def photographs():
    """Photographs with objects: arrays (H, W, 3), and masks (M, H, W) of each."""
    import numpy as np
    from PIL import Image

    import vlmneg as vn

    coco = DATA / "coco"
    samples = vn.data.coco(coco / "captions.json", coco / "images", coco / "instances.json")
    found = [s for s in (samples[i] for i in range(len(samples))) if len(s.objects)]
    return [np.asarray(Image.open(s.image).convert("RGB")) for s in found], [s.objects.masks for s in found]


def run(arguments):
    ours, theirs = (Worker(f"bench.image_{side}", ONE) for side in ("ours", "opencv"))
    both = {"vlmneg": ours, "OpenCV": theirs}
    try:
        kernels = {name: worker("start") for name, worker in both.items()}
        count, compared, alone = ours("names")
        apart = {name: theirs("take", name, *ours("variants", name)) for name in compared}
        seconds = {name: interleave(both, "seconds", arguments.pairs, name) for name in compared}
        seconds |= {name: interleave({"vlmneg": ours}, "seconds", arguments.pairs, name) for name in alone}
    finally:
        for worker in both.values():
            worker.close()
    report(arguments, count, kernels, seconds, apart)


def report(arguments, count, kernels, seconds, apart):
    print(f"image edits, {count} photographs of about 640 x 480 with their masks, one thread, {arguments.pairs} rounds")
    for name, kernel in kernels.items():
        print(f"  {name}: {kernel}")
    print("\n| edit | a second | OpenCV, a second | OpenCV's time over ours: median (quartiles) | difference, levels |")
    print("|---|---|---|---|---|")
    rows = {}
    for name, times in seconds.items():
        rows[name] = {"seconds": times}
        rates = [f"{count / statistics.median(values):.0f}" for values in times.values()]
        cells = ["", "", ""]
        if name in apart:
            middle, low, high = ratios(times, "vlmneg", "OpenCV")
            rows[name] |= {"ratio": middle, "quartiles": [low, high], "difference": apart[name]}
            cells = [rates[1], f"{middle:.2f}x ({low:.2f} to {high:.2f})", f"{apart[name]:.1f}"]
        print(f"| {' | '.join([name, rates[0], *cells])} |")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps({"kernels": kernels, "rows": rows}, indent=1))
