"""The notebook runs, from the first cell to the last, and is kept free of output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tb.lib.paths import ROOT

NOTEBOOK = ROOT / "docs" / "guide" / "notebook.ipynb"
RUNNER = """
import json, sys
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
plt.show = lambda: None
cells = json.load(open(sys.argv[1], encoding="utf-8"))["cells"]
space = {"__name__": "notebook"}
for number, cell in enumerate(cells):
    if cell["cell_type"] == "code":
        exec(compile("".join(cell["source"]), f"cell {number}", "exec"), space)
for name in ("slice_figure", "issue_figure", "skip_figure"):
    space[name].savefig(f"{sys.argv[2]}/{name}.png")
"""


def cells() -> list[dict[str, Any]]:
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]


def test_the_notebook_is_free_of_output() -> None:
    mine = cells()
    assert {cell["cell_type"] for cell in mine} == {"code", "markdown"}
    kept = [cell["id"] for cell in mine if cell.get("outputs") or cell.get("execution_count") is not None]
    assert kept == [], "clear all outputs before you commit the notebook"
    assert [cell["metadata"] for cell in mine if cell["metadata"]] == []


def test_every_cell_runs_and_the_fault_is_caught(tmp_path: Path) -> None:
    """In plain Python, so always."""
    command = [sys.executable, "-c", RUNNER, str(NOTEBOOK), str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": ""}
    done = subprocess.run(
        command, cwd=NOTEBOOK.parent, env=environment, capture_output=True, check=False, encoding="utf-8", timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert "times" in done.stdout
    assert ", 0 mismatches" in done.stdout
    assert "with the fault: product at cycle" in done.stdout
    assert "job 5 member 0 product 2" in done.stdout
    assert all((tmp_path / f"{name}_figure.png").stat().st_size > 5000 for name in ("slice", "issue", "skip"))


def test_a_cell_that_fails_is_found(tmp_path: Path) -> None:
    broken = tmp_path / "broken.ipynb"
    broken.write_text(
        NOTEBOOK.read_text(encoding="utf-8").replace("assert (y == x @ w).all()", "assert (y != x @ w).all()"),
        encoding="utf-8",
    )
    command = [sys.executable, "-c", RUNNER, str(broken), str(tmp_path)]
    done = subprocess.run(command, cwd=NOTEBOOK.parent, capture_output=True, check=False, encoding="utf-8", timeout=600)
    assert done.returncode != 0
    assert "AssertionError" in done.stderr


def test_jupyter_runs_it_too() -> None:
    """Where nbclient and a kernel are installed, which is no requirement; said aloud where they are not."""
    missing = [name for name in ("nbformat", "nbclient", "ipykernel") if find_spec(name) is None]
    if missing:
        message = (
            f"the notebook was NOT run by Jupyter ({', '.join(missing)} not installed): its cells ran in plain Python"
        )
        warnings.warn(message, stacklevel=1)  # pytest shows it at the end of every run
        return
    import nbclient
    import nbformat

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    said = [output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("with the fault: product at cycle" in text for text in said)
