"""Shared fixtures. Real data is read where it exists; a test that needs it skips with a sentence where it does not."""

import os
import shutil
import signal
from pathlib import Path

import pytest

import vlmneg as vn
from vlmneg import _core

# a job in the background starts with Ctrl-C ignored, and tests send it
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("VLMNEG_TEST_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def shared():
    """Folder with real photographs, captions, benchmark rows and golden figures."""
    if not SHARED.is_dir():
        pytest.skip(f"no real data: {SHARED} is missing (VLMNEG_TEST_DATA names another folder)")
    return SHARED


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """A function that copies what belongs to the project, without what builds left, into a new folder."""

    def copy(name):
        folder = tmp_path_factory.mktemp(name) / "source tree"  # with a space: people have those
        made = shutil.ignore_patterns("__pycache__", "*.so", "lib", ".*_cache")
        for part in ("csrc", "vlmneg", "tests", "docs", "bench", "notebooks"):
            if (ROOT / part).exists():
                shutil.copytree(ROOT / part, folder / part, ignore=made)
        for file in ROOT.iterdir():
            if file.is_file() and file.suffix != ".so":
                shutil.copy(file, folder)
        return folder

    return copy


@pytest.fixture(params=_core.levels())
def level(request):
    """Each instruction level that this machine runs."""
    before = _core.level()
    _core.set_level(request.param)
    yield request.param
    _core.set_level(before)


@pytest.fixture
def threads():
    """Sets the number of threads, until the test ends."""
    yield vn.set_num_threads
    vn.set_num_threads(0)
