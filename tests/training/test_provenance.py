"""A run knows its code."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import SHORT
from toy_duration_predictor.comparison.compare import _finished_runs
from toy_duration_predictor.training import provenance
from toy_duration_predictor.training.task import DurationTask
from toy_duration_predictor.training.train import train


@pytest.fixture
def new_process():
    """A function after which the code is read as a new process reads it."""

    def forget():
        provenance.source_digests.cache_clear()
        provenance.provenance.cache_clear()

    yield forget
    forget()


def test_other_code_is_another_run(config, monkeypatch, new_process, tmp_path, capsys):
    """A bug mended in a network is never answered with the numbers of before."""
    package = tmp_path / "package"
    shutil.copytree(provenance.PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "PACKAGE", package)
    new_process()
    first = train(config(*SHORT))
    network = package / "models" / "phase.py"
    network.write_text(network.read_text() + "# mended\n")
    (package / "models" / "mine.py").write_text("")
    (package / "models" / ".#mine.py").symlink_to("nothing")  # an editor's lock
    assert train(config(*SHORT)) == first  # this process has imported the code of before
    new_process()
    capsys.readouterr()
    second = train(config(*SHORT))
    assert "The code has changed since" in (said := capsys.readouterr().err)
    assert "models/mine.py, models/phase.py. That run stays; a new one is made beside it." in said
    assert Path(first["run/folder"], "metrics.json").is_file()
    assert first["run/folder"].rpartition("-")[0] == second["run/folder"].rpartition("-")[0]
    assert first["code/digest"] != second["code/digest"]
    assert len(_finished_runs(str(tmp_path / "logs" / "*"))) == 2
    assert (
        "by other code than today's are among these: models/mine.py, models/phase.py differ." in capsys.readouterr().err
    )
    # What only uses finished runs changes none of their numbers; and code that is as it was is known again.
    (package / "cli" / "runs.py").write_text("")
    new_process()
    monkeypatch.setattr(DurationTask, "training_step", lambda *_: 1 / 0)
    assert train(config(*SHORT)) == second
    network.write_text(network.read_text().removesuffix("# mended\n"))
    (package / "models" / "mine.py").unlink()
    new_process()
    assert train(config(*SHORT)) == first


def test_a_commit_with_anything_new_beside_it_is_dirty(monkeypatch, new_process, tmp_path):
    def git(*arguments):
        identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    def commit():
        new_process()
        return str(provenance.provenance()["git/commit"])

    package = tmp_path / "package"
    package.mkdir()
    (package / "provenance.py").write_text("")
    monkeypatch.setattr(provenance, "PACKAGE", package)
    monkeypatch.setattr(provenance, "__file__", str(package / "provenance.py"))
    assert commit() == "unknown"
    git("init")
    assert commit() == "unknown"  # the checkout of somebody else
    git("add", ".")
    git("commit", "-m", "first")
    assert re.fullmatch("[0-9a-f]{40}", commit())
    (tmp_path / "new.py").write_text("")
    assert commit().endswith("-dirty")
