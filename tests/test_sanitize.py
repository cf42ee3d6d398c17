"""A part of the suite that goes through every C function, on an extension built with Address- and UBSanitizer."""

import os
import platform
import shutil
import subprocess
import sys

import pytest

# Peers are many times slower under the sanitizers and find nothing there: they look as if they were not installed.
PARTS = ("binding", "ops", "local", "losses", "losses_own", "losses_block", "losses_local", "clip", "tokens", "text",
         "image", "objects", "image_negatives", "image_edits", "negatives", "text_generators", "annotations",
         "embed_negatives", "scenes", "philox")
LEFT_OUT = "not leaks"  # counted with malloc, which the sanitizers replace
WITHOUT = """
from importlib.machinery import PathFinder

class Without:
    find = PathFinder.find_spec

    def __call__(self, name, *rest):
        return None if name in ("torch", "transformers") else Without.find(name, *rest)

PathFinder.find_spec = Without()
"""


def runtime(name):
    """The sanitizer's library of the compiler that builds the extension."""
    asked = subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    path = asked.stdout.strip()
    if not os.path.isabs(path):
        pytest.skip(f"gcc has no {name}")
    return path


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(platform.system() != "Linux" or shutil.which("gcc") is None, reason="needs gcc on Linux")
def test_suite_under_sanitizers(tree, tmp_path):
    preload = f"{runtime('libasan.so')} {runtime('libubsan.so')}"
    source, site = tree("sanitize"), tmp_path / "site"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("VLMNEG_")}
    build = subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site), str(source)],
        env={**environment, "VLMNEG_SANITIZE": "address,undefined", "CC": "gcc"}, capture_output=True, text=True,
    )  # fmt: skip
    assert build.returncode == 0, build.stderr[-4000:]
    (extension,) = (site / "vlmneg").glob("_core.*.so")
    symbols = subprocess.run(["nm", "-D", str(extension)], capture_output=True, text=True).stdout
    assert "__asan_report" in symbols and "__ubsan_handle" in symbols, "the build did not take the sanitizers"

    shutil.copytree(site / "vlmneg", source / "vlmneg", dirs_exist_ok=True)
    (site / "sitecustomize.py").write_text(WITHOUT)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", LEFT_OUT,
         *(f"tests/test_{part}.py" for part in PARTS)],
        cwd=source, capture_output=True, text=True,
        env={
            **environment,
            "LD_PRELOAD": preload,
            "PYTHONPATH": os.pathsep.join([str(source), str(site)]),
            "PYTHONMALLOC": "malloc",  # every object a block that the sanitizer watches
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_WAIT_POLICY": "passive",
            "VLMNEG_TEST_DATA": str(tmp_path / "none"),
            "ASAN_OPTIONS": "detect_leaks=0:halt_on_error=1:allocator_may_return_null=1",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        },
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert "ERROR: AddressSanitizer" not in said and "runtime error:" not in said, said[-8000:]
    assert done.returncode == 0, said[-8000:]
    assert " passed" in done.stdout
