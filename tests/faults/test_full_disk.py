"""A disk that is full: a sentence that names the file, nothing half-written, and the same command goes on with room."""

import os
import subprocess
import sys

import midii
import pytest

from tests.conftest import ROOT, SHORT, composed
from tests.faults.processes import finish, result, said, same, start_work
from toy_duration_predictor.cli import main
from toy_duration_predictor.training.commands import ending_in_a_sentence
from toy_duration_predictor.training.train import train

pytestmark = pytest.mark.faults

# Sizes of the disk, kB, between nothing and all that a run writes.
DISKS_OF_A_RUN = (4, 8, 12, 20, 40, 120, 240, 300, 340)
SONG = next(path for path in midii.sample.dataset if path.name.startswith("ba_"))


@pytest.fixture
def disk(tmp_path):
    """Makes a small disk in memory, and gives it room."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options):
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True, capture_output=True)
        return place

    try:
        mount("size=4k")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a disk in memory")
    subprocess.run(["umount", place], check=True)
    mounted = []

    def make(size):
        while mounted:
            subprocess.run(["umount", mounted.pop()], check=True)
        mounted.append(mount(f"size={size}k"))
        return place

    make.give_room = lambda: mount("remount,size=64m")
    yield make
    for each in mounted:
        subprocess.run(["umount", each], check=True)


def _train(logs):
    with ending_in_a_sentence():
        train(composed(*SHORT, f"logs={logs}"))


def last_line(log, process):
    """Returns the last line of what a process has said, which is the only one of an error's."""
    process.join()
    lines = said(log).splitlines()
    assert process.exitcode == 1
    assert not any(line.startswith(("Traceback", "  File", "---")) for line in lines), said(log)
    return lines[-1]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    logs = tmp_path_factory.mktemp("undisturbed") / "logs"
    finish(logs, *SHORT)
    (folder,) = (path for path in logs.iterdir() if path.is_dir())
    return result(folder)


def test_a_training(undisturbed, disk, tmp_path):
    named = set()
    for size in DISKS_OF_A_RUN:
        place, log = disk(size), tmp_path / str(size)
        line = last_line(log, start_work(log, _train, place / "logs"))
        assert line.endswith("No space left on device.")
        named.add(line.split(" cannot be written")[0].rpartition("/")[2])
        disk.give_room()
        again = start_work(log, _train, place / "logs")
        again.join()
        assert again.exitcode == 0, said(log)
        (folder,) = (path for path in (place / "logs").iterdir() if path.is_dir())
        assert same(result(folder), undisturbed)
        assert not list(folder.rglob(".*"))
        assert not (folder / "failed.json").exists()
    assert named >= {"train.log", "sources.json", "last.ckpt", "best.ckpt", "TensorBoard's event file"}


# What each command is given beside its place on the disk, and how much it writes there at least, kB.
COMMANDS = {
    "prepare": (["prepare", "{midi}", "--jobs", "1", "-o", "{disk}/songs.parquet"], 24),
    "humanize": (["humanize", "{song}", "--singer", "1", "-o", "{disk}/song.mid"], 8),
    "humanize a folder": (["humanize", "{midi}", "--singer", "1", "-o", "{disk}/songs"], 8),
    "audit": (["audit", "simulated", "--html", "{disk}/audit.html"], 8),
}


def _main(arguments, temporary):
    os.environ["TMPDIR"] = str(temporary)
    main(arguments)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command(command, disk, tmp_path):
    arguments, least = COMMANDS[command]
    midi = tmp_path / "midi"
    midi.mkdir()
    (midi / SONG.name).write_bytes(SONG.read_bytes())
    for size in range(4, least, 4):
        place, log = disk(size), tmp_path / f"{size}"
        places = {"midi": midi, "song": SONG, "disk": place}
        given = [each.format(**places) for each in arguments]
        line = last_line(log, start_work(log, _main, given, tmp_path))
        assert "No space left on device" in line
        assert str(place) in line
        assert "another" not in line.lower()
        assert not [path for path in place.rglob("*") if path.suffix in (".mid", ".html") and path.is_file()]
        disk.give_room()
        again = start_work(log, _main, given, tmp_path)
        again.join()
        assert again.exitcode == 0, said(log)
        assert not list(place.rglob(".*"))


@pytest.mark.parametrize("size", [4, 16])
def test_a_saved_model(shared_run, disk, tmp_path, size):
    place = disk(size)
    code = (
        "from toy_duration_predictor.sharing.hub import save_model\n"
        "from toy_duration_predictor.training.commands import ending_in_a_sentence\n"
        f"with ending_in_a_sentence(): save_model({str(shared_run)!r}, {str(place / 'saved')!r})"
    )

    def save():
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)

    done = save()
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"{place / 'saved'} cannot be written: ")
    assert "No space left on device" in line
    assert not list(place.iterdir())
    disk.give_room()
    assert save().returncode == 0
