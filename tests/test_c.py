"""C programs against the core, without Python: under the address and undefined-behaviour sanitizers, and Valgrind."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# program: folders of csrc that it needs
PROGRAMS = {"test_text": ("core", "text"), "test_negatives": ("core", "text", "negatives"),
            "test_scores": ("core", "scores")}
FLAGS = "-std=c11 -g -O1 -Wall -Wextra -Wshadow -Wpedantic -Wmissing-prototypes -Wstrict-prototypes -Werror".split()

pytestmark = pytest.mark.slow


def build(name, folder, flags):
    """Compile a program with the core's folders; its path."""
    compiler = os.environ.get("CC", "gcc")
    if shutil.which(compiler) is None:
        pytest.skip(f"no C compiler {compiler}")
    sources = [s for part in PROGRAMS[name] for s in sorted((ROOT / "csrc" / part).rglob("*.c"))]
    program = folder / name
    subprocess.run([compiler, *FLAGS, *flags, ROOT / "tests" / "c" / f"{name}.c", *sources, "-pthread", "-lm", "-ldl",
                    "-o", program], check=True)
    return program


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", PROGRAMS)
def test_sanitizers(name, tmp_path):
    run(build(name, tmp_path, ["-fopenmp", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]))


@pytest.mark.parametrize("name", PROGRAMS)
def test_valgrind(name, tmp_path):
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    run("valgrind", "-q", "--error-exitcode=9", "--leak-check=full", build(name, tmp_path, []))
