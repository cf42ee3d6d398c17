"""A sub-interpreter that imports vlmneg._core is refused with a sentence, and the main one goes on."""

import importlib
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

for name in ("_interpreters", "_xxsubinterpreters"):
    try:
        interpreters = importlib.import_module(name)
        break
    except ImportError:
        continue

import vlmneg  # noqa: E402
import vlmneg._core  # noqa: E402

out = os.environ["VLMNEG_TEST_OUT"]
script = f"""
import importlib.util
spec = importlib.util.spec_from_file_location("vlmneg._core", {vlmneg._core.__file__!r})
try:
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    text = "imported"
except ImportError as error:
    text = str(error)
open({out!r}, "w").write(text)
"""
try:
    if name == "_interpreters":
        interpreter = interpreters.create("legacy")
        error = interpreters.exec(interpreter, script)
    else:
        interpreter = interpreters.create(isolated=False)
        error = interpreters.run_string(interpreter, script)
except Exception as failed:
    error = failed
assert error is None, error
assert vlmneg.set_num_threads(1) == 1
print("done")
