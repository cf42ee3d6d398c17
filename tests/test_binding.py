"""The border between Python and C: what is exported, wrong calls, leaks, sub-interpreters, the stub in step."""

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import core_calls
import pytest

from vlmneg import _core, build

ROOT = Path(__file__).parents[1]
ISOLATED = ROOT / "tests" / "isolated"


def isolated(script, *arguments, **environment):
    """Run a script of tests/isolated in a process of its own; its output."""
    done = subprocess.run(
        [sys.executable, str(ISOLATED / script), *arguments], capture_output=True, text=True, timeout=300,
        env={**os.environ, "OMP_WAIT_POLICY": "passive", **environment},
    )  # fmt: skip
    last = done.stdout.splitlines()[-1:] or ["no output"]
    assert done.returncode == 0, f"exit {done.returncode} after {last[0]}\n{done.stderr[-4000:]}"
    assert last == ["done"]
    return done.stdout.splitlines()[:-1]


def test_exports():
    """Nothing but the initialisation leaves the extension, so no other library can meet its symbols."""
    nm = shutil.which("nm")
    if nm is None or platform.system() != "Linux":
        pytest.skip("needs nm of binutils")
    listed = subprocess.run([nm, "-D", "--defined-only", _core.__file__], capture_output=True, text=True, check=True)
    names = {line.split()[-1] for line in listed.stdout.splitlines()}
    assert names - {"_init", "_fini", "__bss_start", "_edata", "_end"} == {"PyInit__core"}


def test_every_function_has_a_call():
    """The table behind the two tests below covers all of _core, and its calls are good."""
    calls = core_calls.calls()
    assert set(calls) == set(core_calls.names())
    level, threads = _core.level(), _core.threads()
    for function, make in calls.values():
        function(*make())
    assert _core.level() == level
    _core.set_threads(threads)
    if build._BLAS.exists():
        _core.open_blas(str(build._BLAS))


@pytest.mark.skipif(platform.system() != "Linux", reason="bounds its memory as Linux does")
def test_wrong_calls():
    """Every argument of every function replaced by what it should not be: exceptions, no crash, nothing changed."""
    assert set(isolated("wrong_calls.py")) == set(core_calls.names())


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="counts with glibc's mallinfo2")
def test_leaks():
    assert isolated("leaks.py") == []


def test_subinterpreter(tmp_path):
    """The core keeps one set of threads and one BLAS a process: another interpreter is refused, not corrupted."""
    said = tmp_path / "said"
    isolated("subinterpreter.py", VLMNEG_TEST_OUT=str(said))
    assert "main interpreter only" in said.read_text()


def test_types_are_closed():
    """Types of the core are final and made by their constructors alone; attributes cannot be set."""
    for name in ("Model", "Tokenizer", "Loss"):
        kind = getattr(_core, name)
        with pytest.raises(TypeError):
            type("Sub", (kind,), {})
        with pytest.raises(TypeError):
            kind.strange = 1


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")
def test_stub():
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "--mypy-config-file", "pyproject.toml", "vlmneg._core"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
