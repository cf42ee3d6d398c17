"""A run of the pipeline with plug-ins that count their calls in a file, killed in the middle if asked to.

    python gnm_run.py OUT COUNTS [STAGE N]      stage to die in, at its N-th call in this process
"""

import os
import signal
import sys

import numpy as np

import vlmneg as vn
from vlmneg.gnm import Tags, pipeline, rewriting, standins, windows

STAGES = ("tags", "grounding", "portrayals", "mask", "inpaint", "paste", "captions", "score", "filter")


def photographs(n=3):
    """Small pictures with two coloured things each, and captions."""
    made = []
    for i in range(n):
        rng = np.random.default_rng(i)
        picture = rng.integers(90, 110, (70, 100, 3)).astype(np.uint8)
        picture[20:50, 30 + i:60] = 205, 35, 35
        picture[55:65, 10:30] = 240, 240, 240
        made.append((picture, [f"A red thing and a white thing, number {i}", "Some thing"]))
    return made


class Counted:
    """A callable that notes each answer in a file, and dies before its n-th."""

    def __init__(self, plugin, stage, counts, die):
        self.plugin, self.stage, self.counts, self.calls = plugin, stage, counts, 0
        self.die = int(die[1]) if die and die[0] == stage else None
        self.name, self.version = f"counted-{stage}", "1"

    def __call__(self, *given, **named):
        self.calls += 1
        if self.calls == self.die:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = self.plugin(*given, **named)
        with open(self.counts, "a", encoding="utf-8") as file:
            file.write(f"{self.stage} {pipeline.digest(repr([_plain(g) for g in given]).encode())}\n")
        return answer


def _plain(x):
    if hasattr(x, "tobytes"):
        return pipeline.digest(np.ascontiguousarray(np.asarray(x)).tobytes())
    return x


class TwoThings(standins.Tagger):
    """A tagger that sees two things."""

    def __call__(self, picture):
        return Tags(("red thing", "white thing"), "a red thing and a white thing")


def run(out, counts, die=(), **changes):
    """A run over the photographs."""
    plugins = standins.plugins()
    plugins["tagger"] = TwoThings()
    stage_of = dict(zip(pipeline.PLUGINS, ("tags", "grounding", "portrayals", "mask", "inpaint", "score"), strict=True))
    plugins = {name: Counted(plugin, stage_of[name], counts, die) for name, plugin in plugins.items()}
    before = windows.paste, rewriting.captions_of, os.link
    windows.paste = Counted(windows.paste, "paste", counts, die)
    rewriting.captions_of = Counted(rewriting.captions_of, "captions", counts, die)
    if die and die[0] == "filter":
        os.link = Counted(os.link, "filter", counts, die)
    try:
        settings = vn.gnm.Settings(**{"size": 64, "min_area": 1, **changes})
        return vn.gnm.run(photographs(), out, **plugins, settings=settings, seed=3, progress=False)
    finally:
        windows.paste, rewriting.captions_of, os.link = before


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], sys.argv[3:])
