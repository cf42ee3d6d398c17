"""Shared fixtures. Real data is read where it exists; a test that needs it skips with a sentence where it does not."""

import os
import signal
from pathlib import Path

import pytest

# a job in the background starts with Ctrl-C ignored, and tests send it
signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(os.environ.get("VLMNEG_TEST_DATA", Path(__file__).parents[1].parent / "shared" / "data"))


@pytest.fixture(scope="session")
def shared():
    """Folder with real photographs, captions, benchmark rows and golden figures."""
    if not SHARED.is_dir():
        pytest.skip(f"no real data: {SHARED} is missing (VLMNEG_TEST_DATA names another folder)")
    return SHARED
