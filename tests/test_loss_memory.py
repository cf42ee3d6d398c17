"""Memory of an objective: beyond inputs and gradients it needs a few megabytes, however large the batch."""

import subprocess
import sys

import pytest

# Grows by what a call needs beside its inputs and outputs, whose pages are all there before; a small call comes first.
GROWTH = """
import sys
from pathlib import Path
import numpy as np
import vlmneg as vn

def status(name):
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith(name + ":"))
    return int(line.split()[1]) * 1024

name, batch, width, threads = sys.argv[1], *map(int, sys.argv[2:])
vn.set_num_threads(threads)
objective = vn.losses.get(name)
rng = np.random.default_rng(0)

def unit(*shape):
    x = rng.standard_normal((*shape, width), np.float32)
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    return x

def given(size):
    data = {"image": unit(size), "text": unit(size), "group": np.arange(size) // 2}
    if "neg_text" in objective.needs:
        data["neg_text"] = unit(size, 1)
        data["valid"] = (rng.random((size, 1)) < 0.9).astype(np.uint8)
    out = {"d" + key: np.full_like(x, 1.0) for key, x in data.items() if x.dtype == np.float32}
    return data, out

def call(data, out):
    return objective.on(**data, scale=20.0, bias=-5.0, out=out)

call(*given(8))
data, out = given(batch)
Path("/proc/self/clear_refs").write_text("5")
before = status("VmRSS")
r = call(data, out)
after = status("VmHWM")
assert np.isfinite(r.loss) and all(np.isfinite(x).all() for x in out.values())
print(after - before, after)
"""


def growth(name, batch, width, threads=2):
    """(MB beyond inputs and gradients, peak of the whole process) of one call in a process of its own."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the peak of a call is read from /proc/self, which only Linux has")
    command = [sys.executable, "-c", GROWTH, name, str(batch), str(width), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    extra, peak = map(int, done.stdout.split())
    return extra / 2**20, peak / 2**20


@pytest.mark.parametrize("name", ["clip", "siglip", "negclip", "ahnpl"])
def test_a_call_needs_four_megabytes(name):
    extra, _ = growth(name, 4096, 64)
    assert extra <= 4, f"{extra:.1f} MB"


def test_and_no_more_at_a_larger_batch():
    extra, _ = growth("clip", 16384, 64)
    assert extra <= 4, f"{extra:.1f} MB"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_a_batch_of_32768_fits_in_a_gigabyte(name):
    """Statistics and what is known of a sample take about 25 bytes: 1 MB here, beside the tiles of two threads."""
    extra, peak = growth(name, 32768, 512)
    assert extra <= 4, f"{extra:.1f} MB"
    assert peak <= 1024, f"{peak:.0f} MB"
