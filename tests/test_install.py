"""Building and installing from a copy of the tree into new environments, as a stranger would."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]

# What a small model gives: the builds differ in how they multiply, not in what.
PROBE = """
import json, sys
import numpy as np
import vlmneg as vn
model = vn.Clip(vn.ClipConfig.tiny(), seed=0)
c = model.config
x = np.random.default_rng(0).standard_normal((3, 3, c.image_size, c.image_size)).astype(np.float32)
ids = np.zeros((2, c.context), np.int32)
ids[:, :4] = [[c.start, 1, 2, c.end], [c.start, 3, c.end, 0]]
rows = np.concatenate([model.encode_image(x, normalize=True), model.encode_text(ids, normalize=True)])
json.dump({"file": vn.__file__, "rows": rows.tolist(), **vn.build_info()}, sys.stdout)
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler: nothing can be built"),
]


def run(*command, cwd, **environment):
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("VLMNEG_", "PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env={**keep, "OMP_WAIT_POLICY": "passive", **environment},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-6000:]}"
    return done.stdout + done.stderr if "-v" in command else done.stdout


def python(folder):
    """Python of a new virtual environment that holds nothing but pip."""
    run(sys.executable, "-m", "venv", folder, cwd=folder.parent)
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def probe(python, cwd):
    """What the installed package says and computes, asked from another directory, and through its command."""
    info = run(python.with_name("vlmneg"), "info", cwd=cwd)
    got = json.loads(run(python, "-c", PROBE, cwd=cwd))
    assert got["version"] in info and got["level"] in info
    return got


@pytest.fixture(scope="module")
def built(tree, tmp_path_factory):
    """The sdist of a tree in which earlier builds left things, the wheel made from the sdist, a Python to do it."""
    source, out = tree("sdist"), tmp_path_factory.mktemp("dist")
    (source / "vlmneg" / "lib").mkdir()
    (source / "vlmneg" / "lib" / "libvlmneg_blas.so").write_bytes(b"left by an earlier build")
    (source / "vlmneg" / "_core.so").write_bytes(b"left by an earlier build")
    builder = python(tmp_path_factory.mktemp("builder") / "env")
    run(builder, "-m", "pip", "install", "-q", "build", cwd=out)
    run(builder, "-m", "build", "-o", out, source, cwd=out, VLMNEG_DEV="1")
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel, builder


@pytest.fixture(scope="module")
def usual(built, tmp_path_factory):
    """What the wheel gives in an environment of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    interpreter = python(folder / "env")
    run(interpreter, "-m", "pip", "install", "-q", built[1], cwd=folder)
    got = probe(interpreter, folder)
    assert str(folder) in got["file"]
    return got


def test_sdist_holds_the_sources(built):
    with tarfile.open(built[0]) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    for pattern in ("csrc/**/*.[ch]", "csrc/**/*.def", "vlmneg/**/*.py", "vlmneg/*.pyi", "tests/**/*.py", "tests/c/*",
                    "docs/**/*.md", "bench/*.py", "notebooks/*.ipynb"):  # fmt: skip
        missing = {str(p.relative_to(ROOT)) for p in ROOT.glob(pattern) if p.is_file()} - names
        assert not missing, f"MANIFEST.in leaves out {sorted(missing)}"
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "vlmneg/py.typed"):
        assert name in names
    assert not [n for n in names if n.endswith((".so", ".o", ".pyc")) or "vlmneg/lib" in n]


def test_wheel_holds_what_runs(built):
    names = zipfile.ZipFile(built[1]).namelist()
    ours = {n.removeprefix("vlmneg/") for n in names if n.startswith("vlmneg/")}
    assert {"lib/libvlmneg_blas.so", "lib/LICENSE.openblas", "py.typed", "_core.pyi", "__init__.py"} <= ours
    assert sum(n.startswith("_core.") and n.endswith((".so", ".pyd")) for n in ours) == 1
    modules = {str(p.relative_to(ROOT / "vlmneg")) for p in (ROOT / "vlmneg").rglob("*.py")}
    assert not modules - ours
    assert all(n.startswith(("vlmneg/", "vlmneg-")) for n in names), "the wheel installs more than the package"
    assert not [n for n in names if n.endswith((".c", ".h", ".def", ".o"))]
    with zipfile.ZipFile(built[1]) as archive:
        licence = archive.read("vlmneg/lib/LICENSE.openblas").decode()
        assert len(archive.read("vlmneg/lib/libvlmneg_blas.so")) > 1_000_000
    assert "OpenBLAS" in licence and "GCC RUNTIME LIBRARY EXCEPTION" in licence.upper()


def test_wheel_runs_from_another_directory(usual):
    assert usual["blas"].startswith("OpenBLAS")


def test_editable_install_finds_blas(tree, tmp_path, usual):
    source = tree("editable")
    interpreter = python(tmp_path / "env")
    run(interpreter, "-m", "pip", "install", "-q", "-e", source, cwd=tmp_path)
    got = probe(interpreter, tmp_path)
    assert str(source) in got["file"] and got["blas"].startswith("OpenBLAS")
    assert got["rows"] == usual["rows"]
    assert (source / "vlmneg" / "lib" / "LICENSE.openblas").exists()


def test_builtin_gemm_one_thread(tree, tmp_path, usual):
    """The build without OpenBLAS and OpenMP, over the remains of a build that had both, computes the same."""
    source = tree("builtin")
    (source / "vlmneg" / "lib").mkdir()
    (source / "vlmneg" / "lib" / "libvlmneg_blas.so").write_bytes(b"left by an editable install")
    interpreter = python(tmp_path / "env")
    stale = source / "build" / f"lib.{build_platform()}" / "vlmneg"
    stale.mkdir(parents=True)
    (stale / "gone.py").write_text("1 / 0\n")
    (stale / "lib").mkdir()
    (stale / "lib" / "libvlmneg_blas.so").write_bytes(b"left by an earlier build")
    log = run(interpreter, "-m", "pip", "install", "-v", source, cwd=tmp_path, VLMNEG_BLAS="builtin", VLMNEG_OPENMP="0")
    assert "no OpenMP: one thread" in log and "the built-in GEMM is used" in log
    assert not re.search(r"csrc/\S+:\d+.*warning:", log)
    installed = Path(run(interpreter, "-c", "import vlmneg; print(vlmneg.__path__[0])", cwd=tmp_path).strip())
    assert not (installed / "gone.py").exists() and not (installed / "lib").exists()
    got = probe(interpreter, tmp_path)
    assert got["blas"] == "builtin" and got["threads"] == 1
    np.testing.assert_allclose(got["rows"], usual["rows"], rtol=0, atol=2e-6)


def build_platform():
    import sysconfig

    return f"{sysconfig.get_platform()}-{sys.implementation.cache_tag}"


def test_oldest_numpy(built, tmp_path, usual):
    """The wheel, built with NumPy 2, runs on the oldest NumPy that the metadata allows."""
    if sys.version_info >= (3, 13):
        pytest.skip("the oldest NumPy has no wheel for this Python")
    interpreter = python(tmp_path / "env")
    run(interpreter, "-m", "pip", "install", "-q", built[1], "numpy==1.26.*", cwd=tmp_path)
    got = probe(interpreter, tmp_path)
    assert got["numpy"].startswith("1.26.")
    np.testing.assert_allclose(got["rows"], usual["rows"], rtol=0, atol=2e-6)


@pytest.mark.parametrize("setting, sentence", [("openbals", "must be openblas or builtin"), ("openblas", "needs")])
def test_wrong_blas_is_refused(tree, setting, sentence):
    source = tree("refused")
    done = subprocess.run(
        [sys.executable, "-c", "import runpy, importlib.metadata as m, sys\n"
         "def files(name): raise m.PackageNotFoundError(name)\n"
         "m.files = files\n"
         "sys.argv = ['setup.py', '-q', 'build_blas']\n"
         "runpy.run_path('setup.py', run_name='__main__')"],
        cwd=source, env={**os.environ, "VLMNEG_BLAS": setting}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0 and sentence in done.stderr and "Traceback" not in done.stderr
