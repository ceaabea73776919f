import os
import re

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import LONGEST, ROOT

NOTEBOOK = ROOT / "notebooks" / "experiment.ipynb"


@pytest.fixture(scope="module")
def notebook() -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


def run(notebook, folder):
    """Runs all cells of a notebook in a folder."""
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=LONGEST, startup_timeout=LONGEST, resources=resources).execute()


def test_it_is_stored_clean(notebook):
    nbformat.validate(notebook)
    assert sorted(notebook.metadata) == ["kernelspec", "language_info"]
    for cell in notebook.cells:
        assert cell.cell_type == "markdown" or (cell.execution_count, cell.outputs) == (None, [])


def test_it_opens_in_colab_and_begins_with_what_it_needs(notebook, tmp_path, monkeypatch):
    """Away from the repository, the first cell gets it, goes there and installs it; here it does nothing."""
    address = NOTEBOOK.relative_to(ROOT).as_posix()
    assert f"(https://colab.research.google.com/github/ccss17/toy-duration-predictor/blob/main/{address})" in (
        notebook.cells[0].source
    )
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    # Stand-ins for git, which makes the folder, and pip, which says what it is asked for.
    (tmp_path / "bin").mkdir()
    git = tmp_path / "bin" / "git"
    git.write_text('#!/bin/sh\nfor name; do :; done\nmkdir -p "$(basename "$name")/conf"\n')
    git.chmod(0o755)
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__init__.py").touch()
    (tmp_path / "pip" / "__main__.py").write_text("import os, sys\nprint('pip', *sys.argv[1:], 'in', os.getcwd())\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "content").mkdir()
    for folder, expected in (
        (tmp_path / "content", f"pip install --quiet . in {tmp_path}/content/toy-duration-predictor"),
        (NOTEBOOK.parent, ""),
    ):
        alone = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(first.source)])
        NotebookClient(
            alone, timeout=LONGEST, startup_timeout=LONGEST, resources={"metadata": {"path": str(folder)}}
        ).execute()
        said = "".join(output.get("text", "") for output in alone.cells[0].outputs)
        assert said.startswith(expected)
        assert bool(said) == bool(expected)


def test_nothing_is_hidden(notebook):
    source = "\n".join(cell.source for cell in notebook.cells)
    assert "filterwarnings" not in source
    assert "simplefilter" not in source


@pytest.mark.slow
def test_it_runs_and_ends_in_sound(notebook, tmp_path):
    [parameters] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    small = {"songs": 36, "seeds": 1, "epochs": 1, "logs": repr(str(tmp_path))}
    for name, value in small.items():
        parameters.source, changed = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", parameters.source)
        assert changed == 1
    NotebookClient(
        notebook, timeout=LONGEST, startup_timeout=LONGEST, resources={"metadata": {"path": str(NOTEBOOK.parent)}}
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output for output in outputs if output.output_type == "stream"] == []  # neither logs nor warnings
    shown = [output.get("data", {}) for output in outputs]
    assert len([data for data in shown if "image/png" in data]) == 2
    markdown = "".join(data.get("text/markdown", "") for data in shown)
    for part in ("singers", "copy baseline", "not enough to tell"):
        assert part in markdown
    assert len([data for data in shown if "<audio" in data.get("text/html", "")]) == 4
