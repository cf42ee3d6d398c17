"""Builds the .ipynb files from the scripts beside it: `python notebooks/build.py`.

A script is in jupytext's percent format: `# %%` begins a cell of code, `# %% [markdown]` one of text. Notebooks are kept
without outputs.
"""

import json
import re
from pathlib import Path

HERE = Path(__file__).parent


def cells(script):
    """The cells of a script: (kind, source), kind "code" or "markdown"."""
    found = []
    for part in re.split(r"(?m)^(?=# %%)", script)[1:]:
        head, _, body = part.partition("\n")
        if head not in ("# %%", "# %% [markdown]"):
            raise ValueError(f"a cell must begin with '# %%' or '# %% [markdown]', got {head!r}")
        body = body.strip("\n")
        if head.endswith("]"):
            found.append(("markdown", "\n".join(line.removeprefix("#").removeprefix(" ") for line in body.split("\n"))))
        else:
            found.append(("code", body))
    return found


def notebook(script):
    """The notebook of a script as the text of its file."""
    made = []
    for n, (kind, source) in enumerate(cells(script)):
        cell = {"cell_type": kind, "id": f"cell-{n:02d}", "metadata": {}, "source": source.splitlines(keepends=True)}
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        made.append(cell)
    metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
                "language_info": {"name": "python"}}
    document = {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    for path in sorted(HERE.glob("[0-9]*.py")):
        path.with_suffix(".ipynb").write_text(notebook(path.read_text(encoding="utf-8")), encoding="utf-8")
