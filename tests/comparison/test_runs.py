"""`tdp runs`: what it lists, and what it deletes."""

import os
import subprocess
import sys

import pytest

from tests.training.test_run_folder import ALIASES
from toy_duration_predictor import cli
from toy_duration_predictor.comparison import runs as listing
from toy_duration_predictor.files import alone


@pytest.fixture
def logs(tmp_path):
    """Finished, interrupted, failed and pruned runs, a sweep, a search and a comparison; all of an hour ago."""
    files = {
        "a/config.yaml": "name: model_a\ndata: {source: hub}\n",
        "a/metrics.json": '{"name": "model_a", "test/mae": 3.5, "test/skill": 0.1}',
        "b/config.yaml": "name: model_b\ndata: {source: parquet}\n",
        "b/metrics.json": '{"name": "model_b", "test/mae": 2.5, "test/skill": 0.4}',
        "cut/config.yaml": "name: model_b\ndata: {source: parquet}\n",
        "cut/sources.json": "{}",
        "ill/config.yaml": "name: model_b\ndata: {source: parquet}\n",
        "ill/sources.json": "{}",
        "ill/failed.json": '{"kind": "DivergedError", "reason": "the training diverged."}',
        "worse/config.yaml": "name: model_b\ndata: {source: parquet}\n",
        "worse/sources.json": "{}",
        "worse/failed.json": '{"kind": "TrialPruned", "reason": "TrialPruned: TrialPruned"}',
        "sweeps/today/multirun.yaml": "",
        "searches/one/study.db": "x" * 2_000_000,
        "comparisons/c/report.json": "{}",
        "elsewhere/notes.txt": "",
    }
    folder = tmp_path / "logs"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        os.utime(folder / name, (1e9, 1e9))
    return folder


def test_what_is_there(logs):
    entries, refused = listing.find_entries(logs)
    found = {entry.folder.relative_to(logs).as_posix(): (entry.kind, entry.state) for entry in entries}
    assert found == {
        "a": ("run", "finished"),
        "b": ("run", "finished"),
        "cut": ("run", "interrupted"),
        "ill": ("run", "failed"),
        "worse": ("run", "pruned"),
        "sweeps/today": ("sweep", "interrupted"),
        "searches/one": ("search", "interrupted"),
        "comparisons/c": ("comparison", "finished"),
    }
    assert not refused
    assert listing.table(entries, logs, None).remark.endswith("2.0 MB")


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (["--sort", "test/mae", "--state", "finished"], ["b", "a", "comparisons/c"]),
        (["--sort", "test/skill", "--state", "finished"], ["b", "a", "comparisons/c"]),
        (["--arm", "model_a"], ["a"]),
        (["--data", "parquet", "--state", "failed"], ["ill"]),
        (["--state", "pruned"], ["worse"]),
    ],
)
def test_what_is_shown(logs, capsys, options, shown):
    cli.main(["runs", str(logs), *options])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [words[0] for words in lines if words and words[-1].count(":") == 1 and len(words) > 4] == shown


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("b/metrics.json", "{"),
        ("b/metrics.json", "[1]"),
        ("b/config.yaml", "a: [\x00"),
        ("b/config.yaml", "- 1"),
        ("b/config.yaml", ALIASES),
    ],
)
def test_what_cannot_be_read_is_named(logs, capsys, file, text):
    (logs / file).write_text(text)
    cli.main(["runs", str(logs)])
    said = capsys.readouterr()
    assert said.err.startswith(f"Left out {logs / 'b'}: ")


def test_cleaning(logs, capsys, monkeypatch):
    with pytest.raises(SystemExit, match="say what, by --state"):
        cli.main(["runs", str(logs), "--clean", "--yes"])
    with pytest.raises(SystemExit, match="give --yes where nobody can be asked"):
        cli.main(["runs", str(logs), "--clean", "--state", "failed"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: "")
    with pytest.raises(SystemExit, match="Nothing was deleted"):
        cli.main(["runs", str(logs), "--clean", "--state", "failed"])
    assert (logs / "ill").is_dir()
    monkeypatch.setattr("builtins.input", lambda _: "y")
    cli.main(["runs", str(logs), "--clean", "--state", "failed"])
    assert capsys.readouterr().out.endswith(f"{logs / 'ill'}: deleted\n")
    assert not (logs / "ill").exists()

    (logs / "cut" / "train.log").write_text("epoch 1")  # now
    cli.main(["runs", str(logs), "--clean", "--arm", "model_b", "--yes"])
    assert "it has changed within ten minutes" in capsys.readouterr().err
    with alone(logs / "a", lambda: None):
        cli.main(["runs", str(logs), "--clean", "--arm", "model_a", "--yes"])
    assert f"Left {logs / 'a'}" in capsys.readouterr().err
    assert {path.name for path in logs.iterdir()} == {"a", "cut", "sweeps", "searches", "comparisons", "elsewhere"}


def test_runs_below_a_comparison_are_entries_of_their_own(logs, capsys):
    """As of a study of power, or of planted effects. A run that may be at work stays when its comparison goes."""
    below = logs / "comparisons" / "c" / "planted"
    below.mkdir()
    (logs / "comparisons" / "c" / "planted-onset.parquet").write_text("x" * 1_000_000)
    (logs / "a").rename(below / "a")
    (logs / "cut").rename(below / "cut")
    (below / "cut" / "train.log").write_text("x" * 3_000_000)  # now
    entries, _ = listing.find_entries(logs)
    sizes = {entry.folder.relative_to(logs).as_posix(): entry.size for entry in entries}
    assert round(sizes["comparisons/c"], -5) == 1_000_000
    assert round(sizes["comparisons/c/planted/cut"], -5) == 3_000_000
    assert sum(sizes.values()) < 7_000_000
    cli.main(["runs", str(logs), "--state", "finished", "--clean", "--yes"])
    gone = [logs / "b", logs / "comparisons" / "c", below / "a"]
    assert sorted(capsys.readouterr().out.splitlines()[-3:]) == sorted(f"{folder}: deleted" for folder in gone)
    assert [path.name for path in below.iterdir()] == ["cut"]
    assert [path.name for path in below.parent.iterdir()] == ["planted"]


def test_mistakes(tmp_path, logs):
    with pytest.raises(SystemExit, match="is no folder; give the folder of run folders"):
        cli.main(["runs", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit, match="--sort test/mea: no run here has this metric"):
        cli.main(["runs", str(logs), "--sort", "test/mea"])


def test_every_state_can_be_asked_for(logs):
    for state in listing.STATES:
        cli.main(["runs", str(logs), "--state", state])


def test_it_is_quick(logs):
    code = f"import sys; from toy_duration_predictor import cli; cli.main(['runs', {str(logs)!r}]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "lightning", "datasets"} & set(done.stdout.split())


def test_a_run_of_this_project(shared_run):
    (entry,) = listing.chosen(listing.find_entries(shared_run.parent)[0], arm="model_b", data="simulated")
    assert (entry.folder, entry.kind, entry.state) == (shared_run, "run", "finished")
    assert entry.metrics["test/mae"] > 0
