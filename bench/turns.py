"""Workers that take turns: each in a process of its own, one computing while the others sleep.

Timings on shared machines drift, so a ratio is taken inside each pair and the median of the ratios is the result.
"""

import os
import pickle
import statistics
import subprocess
import sys
import time

PAUSE = 0.2  # seconds between turns: threads of the last one must stop spinning

# OPENBLAS_CORETYPE may be set for repeatable numbers; it halves AVX-512 speed, so all sides run without it.
HELD_BACK = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


class Worker:
    """A Python process that answers pickled calls ``(function name, arguments)`` from ``module``."""

    def __init__(self, module, environment=None):
        env = {k: v for k, v in os.environ.items() if k not in HELD_BACK} | (environment or {})
        command = [sys.executable, "-c", f"from bench.turns import serve; import {module} as m; serve(m)"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)

    def __call__(self, name, *arguments):
        pickle.dump((name, arguments), self.process.stdin)
        self.process.stdin.flush()
        ok, result = pickle.load(self.process.stdout)
        if not ok:
            raise RuntimeError(f"{name} failed in its worker: {result}")
        return result

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)


def serve(module):
    """Answer calls until standard input ends; everything else that is printed goes to standard error."""
    answers, sys.stdout = sys.stdout.buffer, sys.stderr
    while True:
        try:
            name, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            result = True, getattr(module, name)(*arguments)
        except Exception as error:
            result = False, f"{type(error).__name__}: {error}"
        pickle.dump(result, answers)
        answers.flush()


def interleave(workers, call, pairs, *arguments, warmup=2):
    """Seconds of each worker in each round, in turn: A B C A B C ..."""
    seconds = {name: [] for name in workers}
    for turn in range(warmup + pairs):
        for name, worker in workers.items():
            time.sleep(PAUSE)
            elapsed = worker(call, *arguments)
            if turn >= warmup:
                seconds[name].append(elapsed)
    return seconds


def interleave_probed(workers, call, pairs, probe, *arguments):
    """The same with a probe around every round: seconds of the rounds that count, how many, was the machine quiet."""
    from bench.probe import cpu_times

    rounds = []
    for turn in range(1 + pairs):
        before, (ticks, stolen) = probe(), cpu_times()
        figures = {}
        for name, worker in workers.items():
            time.sleep(PAUSE)
            figures[name] = worker(call, *arguments)
        now, taken = cpu_times()
        if turn > 0:
            rounds.append((figures, before, probe(), (taken - stolen) / max(now - ticks, 1)))
    kept, quiet = probe.keep(rounds)
    return {name: [figures[name] for figures in kept] for name in workers}, quiet


def ratios(seconds, ours, peer):
    """Median and quartiles of peer / ours over the pairs."""
    values = [b / a for a, b in zip(seconds[ours], seconds[peer], strict=True)]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return middle, low, high
