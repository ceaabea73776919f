"""The same command, twice at once."""

import os
import shutil

import midii
import pytest

from tests.conftest import SHORT
from tests.faults.processes import check, finish, said, start, start_work
from toy_duration_predictor.cli import main
from toy_duration_predictor.data.songs import fingerprint
from toy_duration_predictor.data.sources import load_songs

pytestmark = pytest.mark.faults

PAIRS = 20


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    logs = tmp_path_factory.mktemp("undisturbed") / "logs"
    finish(logs, *SHORT)
    (folder,) = (path for path in logs.iterdir() if path.is_dir())
    return folder


@pytest.mark.parametrize("force", [False, True])
def test_one_of_two_runs_waits(undisturbed, tmp_path, force):
    """The second one finds the run finished, or with `force=true` runs it again; it does not end the first."""
    for pair in range(PAIRS):
        logs = tmp_path / str(pair)
        processes = [start(logs, *SHORT), start(logs, *SHORT, f"force={str(force).lower()}")]
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0, 0], said(logs)
        assert said(logs).count("epoch 1/1") == 1 or force
        check(logs, undisturbed)


@pytest.fixture(scope="module")
def midi(tmp_path_factory):
    """A folder of 80 files, the real songs of the midii package twenty times."""
    folder = tmp_path_factory.mktemp("midi")
    for number in range(20):
        for path in midii.sample.dataset:
            name = (
                path.name.replace("ba_", f"ba_{number}") if path.name.startswith("ba_") else f"{path.stem}{number}.mid"
            )
            shutil.copy(path, folder / name)
    return folder


def test_one_of_two_preparations_waits(midi, tmp_path):
    out = tmp_path / "songs.parquet"
    main(["prepare", str(midi), "-o", str(out), "--jobs", "1"])
    expected = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    waited = 0
    for pair in range(PAIRS):
        folder = tmp_path / str(pair)
        command = ["prepare", str(midi), "-o", str(folder / "songs.parquet"), "--jobs", "1"]
        processes = [start_work(folder, main, command) for _ in range(2)]
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0, 0], said(folder)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == expected
        waited += "waiting for its end" in said(folder)
    assert waited  # so that some of them did meet


def _use_cache(midi, cache, expected):
    os.environ["TDP_CACHE_DIR"] = str(cache)
    assert fingerprint(load_songs("midi", path=midi)) == expected


def test_one_of_two_that_make_the_same_cache_waits(midi, tmp_path, monkeypatch):
    monkeypatch.setenv("TDP_CACHE_DIR", str(tmp_path / "cache"))
    expected = fingerprint(load_songs("midi", path=midi))
    for pair in range(PAIRS):
        cache = tmp_path / str(pair)
        processes = [start_work(cache, _use_cache, midi, cache, expected) for _ in range(2)]
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0, 0], said(cache)
