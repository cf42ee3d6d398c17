"""Calls every function of _core many times, rightly and wrongly, and counts what stays behind.

Counted exactly, not by resident size: Python's blocks, malloc's bytes in use, and the pages of the process. Needs
Linux and glibc. Prints a line for each leak and "done" at the end.
"""

import ctypes
import gc
import sys
from mmap import mmap
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

import core_calls  # noqa: E402

from vlmneg import _core  # noqa: E402

CALLS, TRIES = 40, 6


class Mallinfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks "
                "fordblks keepcost".split()]  # fmt: skip


libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Mallinfo


def in_use():
    gc.collect()
    info = libc.mallinfo2()
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return sys.getallocatedblocks(), info.uordblks + info.hblkhd, pages * 4096


def good(function, make):
    function(*make())


def wrong(function, make):
    """Each argument replaced by a stranger, so that every way out by an error is taken."""
    for i in range(len(make())):
        arguments = list(make())
        arguments[i] = object()
        try:
            function(*arguments)
        except (TypeError, ValueError):
            pass
    try:
        function(*make(), 0)
    except TypeError:
        pass


def growth(how, function, make):
    """What CALLS calls leave behind, the least of some tries: caches and pools grow once, leaks grow always."""
    least = None
    for _ in range(TRIES):
        before = in_use()
        for _ in range(CALLS):
            how(function, make)
        grown = [b - a for a, b in zip(before, in_use(), strict=True)]
        least = grown if least is None else [min(a, b) for a, b in zip(least, grown, strict=True)]
        if max(least) <= 0:
            break
    return least


def main():
    _core.set_threads(2)
    gc.freeze()  # what imports made is not looked through again
    kept = []
    leaks = lambda: kept.append(object()), lambda: libc.malloc(48), lambda: kept.append(mmap(-1, 4096))
    for i, leak in enumerate(leaks):
        assert growth(good, leak, tuple)[i] >= (CALLS - 2) * (1, 48, 4096)[i], "the scale does not weigh"
    for name, (function, make) in core_calls.calls().items():
        for how in (good, wrong):
            blocks, size, pages = growth(how, function, make)
            if blocks >= CALLS or size >= 16 * CALLS or pages >= 4096 * CALLS:
                print(f"{name}, {how.__name__} calls: {CALLS} leave {blocks} blocks, {size} bytes, {pages} of pages")
    print("done")


main()
