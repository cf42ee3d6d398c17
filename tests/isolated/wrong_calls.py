"""Calls every function of _core wrongly, in a process of its own: a crash must be seen, not survived.

Each argument in turn is replaced by things that it should not be; what is refused must leave its arguments as they
were. Prints the name of the function before its calls and "done" at the end.
"""

import faulthandler
import itertools
import os
import resource
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

import core_calls  # noqa: E402
import numpy as np  # noqa: E402

from vlmneg import _core  # noqa: E402

ROOM = 3 << 30  # huge sizes end as MemoryError instead of filling the machine
INTEGERS = (0, 1, -1, 7, 2**31 - 1, 2**31, 2**63 - 1, 2**64, 2**70, -(2**70))
STRANGERS = (None, object(), "text", "\ud800", b"bytes", 1.5, float("nan"), float("inf"), 1e300, True, len,
             [], (), {}, [None], (None,), np.float64(2), np.zeros((), np.float32), np.zeros((2, 2), object),
             np.zeros(0, np.float32))  # fmt: skip
TAKES_ANYTHING = {("Tokenizer", 8)}  # a truth value


def arrays(x):
    """Arrays beside x that differ in type, layout, shape or content."""
    yield x.astype(np.float64 if x.dtype != np.float64 else np.float32)
    yield x.astype(x.dtype.newbyteorder())
    yield x[..., None]
    yield x.ravel()[:-1]
    yield np.asfortranarray(x) if x.ndim > 1 else np.repeat(x, 2)[::2]
    yield x[::-1]
    odd = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype) if x.itemsize > 1 else x
    yield odd.reshape(x.shape)
    frozen = x.copy()
    frozen.flags.writeable = False
    yield frozen
    for axis in range(x.ndim):
        yield np.delete(x, 0, axis)
        yield np.concatenate([x, x], axis)
        yield np.take(x, [], axis).astype(x.dtype)
    ends = (np.iinfo(x.dtype).min, np.iinfo(x.dtype).max) if x.dtype.kind in "iu" else (np.nan, np.inf, 3e38, -1)
    for value in (0, 1, *ends, *((-1,) if x.dtype.kind == "i" else ())):
        y = x.copy()
        y.flat[-1:] = value
        yield y
        yield np.full_like(x, value)


def instead(x):
    """What can stand where x should."""
    yield from STRANGERS
    if isinstance(x, np.ndarray):
        yield from arrays(x)
    elif isinstance(x, tuple | list):
        yield x[:-1]
        yield x * 2
        for i, item in enumerate(x):
            for other in itertools.islice(instead(item), 60):
                yield type(x)([*x[:i], other, *x[i + 1 :]])
    else:
        yield from INTEGERS


def copies(x):
    if isinstance(x, np.ndarray):
        return x.tobytes()
    return [copies(y) for y in x] if isinstance(x, tuple | list) else None


def call(name, function, arguments):
    before = copies(arguments)
    try:
        function(*arguments)
    except SystemError as error:
        raise AssertionError(f"{name}: {error}") from error
    except Exception as error:
        text = str(error)
        assert text, f"{name}: an exception without a sentence"
        assert copies(arguments) == before, f"{name} changed its arguments, then refused them: {text}"
        return text
    return None


def main():
    faulthandler.enable()
    if os.environ.get("LD_PRELOAD") is None:  # sanitizers reserve more room than any machine has
        resource.setrlimit(resource.RLIMIT_AS, (ROOM, ROOM))
    level, chosen = _core.level(), sys.argv[1:]
    for name, (function, make) in core_calls.calls().items():
        if chosen and name not in chosen:
            continue
        print(name, flush=True)
        arguments = make()
        for n in range(len(arguments) + 3):
            if n != len(arguments):
                assert call(name, function, (*arguments, None, None)[:n]), f"{name} took {n} arguments"
        for i in range(len(arguments)):
            if (name, i) in TAKES_ANYTHING:
                continue
            assert call(name, function, (*make()[:i], object(), *make()[i + 1 :])), f"{name} took an object as {i}"
            for k in range(sum(1 for _ in instead(arguments[i]))):
                fresh = make()
                other = next(itertools.islice(instead(fresh[i]), k, None))
                call(name, function, (*fresh[:i], other, *fresh[i + 1 :]))
        _core.set_level(level)
        _core.set_threads(1)
    print("done")


main()
