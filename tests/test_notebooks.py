"""The notebooks are what their scripts say, import vlmneg, NumPy and what comes with Python, and run as a whole."""

import ast
import importlib.util
import json
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
SCRIPTS = sorted(FOLDER.glob("[0-9]*.py"))
SCREEN = 30     # lines
BUILDS = {"06_your_own_term"}       # the core, which takes its time


def _build():
    spec = importlib.util.spec_from_file_location("build_notebooks", FOLDER / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build = _build()
each = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)


@each
def test_notebook_is_built_from_its_script(script):
    kept = script.with_suffix(".ipynb")
    assert kept.exists(), f"{kept.name} is missing: python notebooks/build.py"
    wanted = build.notebook(script.read_text(encoding="utf-8"))
    assert kept.read_text(encoding="utf-8") == wanted, f"{kept.name} differs from its script: python notebooks/build.py"


@each
def test_cells_are_short_and_import_little(script):
    for kind, source in build.cells(script.read_text(encoding="utf-8")):
        assert source and len(source.splitlines()) <= SCREEN
        if kind == "code":
            for node in ast.walk(ast.parse(source)):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else (
                    [node.module] if isinstance(node, ast.ImportFrom) else [])
                assert {n.split(".")[0] for n in names} <= {"vlmneg", "numpy", *sys.stdlib_module_names}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("script", [pytest.param(path, marks=pytest.mark.slow if path.stem in BUILDS else (),
                                                 id=path.stem) for path in SCRIPTS])
def test_notebook_runs(script, tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    read = nbformat.reads(script.with_suffix(".ipynb").read_text(encoding="utf-8"), as_version=4)
    nbformat.validate(read)
    nbclient.NotebookClient(read, timeout=580, kernel_name="python3",
                            resources={"metadata": {"path": str(tmp_path)}}).execute()
    made = [output for cell in read.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any({"image/png", "text/html"} & set(output.get("data", {})) for output in made)
    assert not [output for output in made if output.output_type == "error" or output.get("name") == "stderr"]
    json.dumps(read)
