"""How fast the machine is just now: fused multiply-adds a second on all threads, beside every round of a benchmark.

A round counts if the probe before and after it reached 95% of the run's best and no more than 5% of the time was
stolen by other guests of the machine.
"""

import ctypes
import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

FEWEST = 3      # rounds that must be left, else all are used and the table says that the machine was loaded


class Probe:
    """GF/s of the probe on some threads; None where no C compiler is found.

    Parameters
    ----------
    threads : int
    """

    def __init__(self, threads):
        self.threads, self.best, self.function = threads, 0.0, None
        compiler = next((c for c in (os.environ.get("CC"), "cc", "gcc", "clang") if c and shutil.which(c)), None)
        if compiler is None:
            return
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder) / "probe.so"
            source = Path(__file__).with_name("probe.c")
            subprocess.run([compiler, "-O3", "-march=native", "-shared", "-fPIC", "-o", library, source], check=True)
            self.function = ctypes.CDLL(str(library)).probe
        self.function.restype, self.function.argtypes = ctypes.c_double, [ctypes.c_long, ctypes.c_void_p]
        self()

    def __call__(self, rounds=4_000_000):
        if self.function is None:
            return 0.0
        done = [0.0] * self.threads

        def work(i):
            done[i] = self.function(rounds, ctypes.byref(ctypes.c_float()))

        crew = [threading.Thread(target=work, args=(i,)) for i in range(self.threads)]
        start = time.perf_counter()
        for t in crew:
            t.start()
        for t in crew:
            t.join()
        speed = sum(done) / (time.perf_counter() - start) / 1e9
        self.best = max(self.best, speed)
        return speed

    def keep(self, rounds):
        """The rounds that count, and whether the machine was quiet enough for three of them.

        Parameters
        ----------
        rounds : list of (figures, GF/s before, GF/s after, share of stolen time)
        """
        quiet = [x for x, before, after, stolen in rounds
                 if min(before, after) >= 0.95 * self.best and stolen <= 0.05]
        return (quiet, True) if len(quiet) >= min(FEWEST, len(rounds)) else ([x for x, *_ in rounds], False)


def cpu_times():
    """(all, stolen) ticks of all cores since the machine started; zeros where the system does not say."""
    try:
        ticks = [int(x) for x in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    except OSError:
        return 0, 0
    return sum(ticks), ticks[7]
