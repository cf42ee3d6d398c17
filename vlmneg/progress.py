"""A progress bar on the terminal: tqdm's where it is installed, else one line of our own; silent without a terminal."""

from __future__ import annotations

import sys
import time
from typing import Any


class Progress:
    """Shows how far a loop has come, on the standard error stream and only where that is a terminal.

    Parameters
    ----------
    total : int
        Rounds of the whole loop, at least 0.
    label : str
        What the loop does.
    unit : str
        What a round is.
    start : int
        Rounds done before, as after a resume.
    show : bool, optional
        Force the bar on or off; by default it shows where the standard error stream is a terminal.

    Examples
    --------
    >>> with Progress(3, "steps", show=False) as bar:
    ...     for loss in (0.3, 0.2, 0.1):
    ...         bar.add(loss=loss)
    >>> bar.done
    3
    """

    def __init__(self, total: int, label: str = "", *, unit: str = "step", start: int = 0,
                 show: bool | None = None) -> None:
        self.total, self.label, self.unit, self.start, self.done = total, label, unit, start, start
        self.show = sys.stderr.isatty() if show is None else show
        self.began = time.monotonic()
        self.drawn = 0.0
        self.facts: dict[str, Any] = {}
        self.bar: Any = None
        if self.show:
            try:
                from tqdm import tqdm
            except ImportError:
                return
            self.bar = tqdm(total=total, initial=start, desc=label, unit=unit, file=sys.stderr, dynamic_ncols=True)

    def add(self, n: int = 1, **facts: Any) -> None:
        """Move on by n rounds; facts are shown behind the bar."""
        self.done += n
        self.facts = facts
        if self.bar is not None:
            self.bar.set_postfix({k: _short(v) for k, v in facts.items()}, refresh=False)
            self.bar.update(n)
        elif self.show and (time.monotonic() - self.drawn > 0.1 or self.done >= self.total):
            self.drawn = time.monotonic()
            sys.stderr.write("\r\x1b[K" + self.line())
            sys.stderr.flush()

    def line(self) -> str:
        """The own line: label, rounds, time left, facts."""
        rounds = self.done - self.start
        left = (time.monotonic() - self.began) / rounds * (self.total - self.done) if rounds else 0.0
        facts = ", ".join(f"{k}={_short(v)}" for k, v in self.facts.items())
        minutes, seconds = divmod(int(left), 60)
        return f"{self.label} {self.done}/{self.total} {self.unit}s, {minutes}:{seconds:02d} left  {facts}".strip()

    def close(self) -> None:
        """Leave the bar as it stands and go to the next line."""
        if self.bar is not None:
            self.bar.close()
        elif self.show and self.drawn:
            sys.stderr.write("\n")
        self.show, self.bar = False, None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
