"""The progress bar: on a terminal only, with and without tqdm."""

import builtins
import sys

import pytest

from vlmneg.progress import Progress


def test_silent_without_a_terminal(capsys):
    with Progress(2, "steps") as bar:
        bar.add(loss=0.5)
    assert bar.done == 1 and capsys.readouterr().err == ""


def test_own_line(capsys, monkeypatch):
    load = builtins.__import__

    def without_tqdm(name, *args, **kwargs):
        if name == "tqdm":
            raise ImportError(name)
        return load(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_tqdm)
    with Progress(4, "steps", start=1, show=True) as bar:
        bar.add(2, loss=0.123456, name="x")
        assert bar.line().startswith("steps 3/4 steps, 0:00 left  loss=0.1235, name=x")
        bar.add()
    error = capsys.readouterr().err
    assert "steps 4/4" in error and error.endswith("\n")


def test_tqdm(capsys):
    pytest.importorskip("tqdm")
    with Progress(2, "steps", show=True) as bar:
        bar.add(loss=0.5)
        bar.add(loss=0.25)
    assert "2/2" in capsys.readouterr().err and "tqdm" in sys.modules
