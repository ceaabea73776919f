import re

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT

NOTEBOOK = ROOT / "notebooks" / "experiment.ipynb"


@pytest.fixture(scope="module")
def notebook() -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


def test_it_is_stored_clean(notebook):
    nbformat.validate(notebook)
    assert sorted(notebook.metadata) == ["kernelspec", "language_info"]
    for cell in notebook.cells:
        assert cell.cell_type == "markdown" or (cell.execution_count, cell.outputs) == (None, [])


@pytest.mark.slow
def test_it_runs_and_ends_in_sound(notebook, tmp_path):
    [parameters] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    small = {"songs": 36, "seeds": 1, "epochs": 1, "logs": repr(str(tmp_path))}
    for name, value in small.items():
        parameters.source, changed = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", parameters.source)
        assert changed == 1
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    shown = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    assert len([data for data in shown if "image/png" in data]) == 2
    markdown = "".join(data.get("text/markdown", "") for data in shown)
    for part in ("singers", "copy baseline", "not enough to tell"):
        assert part in markdown
    assert len([data for data in shown if "<audio" in data.get("text/html", "")]) == 4
