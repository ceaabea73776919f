"""The first line of every command comes before the libraries that take seconds, and mistakes are refused before them.

In place of seconds, which depend on the machine, libraries are counted: here those that are slow end the process when
they are imported.
"""

import os
import shutil
import subprocess
import sys

import midii
import pytest

from tests.conftest import LONGEST, ROOT
from toy_duration_predictor.loading import SLOW

STOPPED = 77
# Of extras, which may not be installed here.
OF_EXTRAS = ("gradio", "onnx", "onnxruntime", "onnxscript", "optuna", "optuna_integration")


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Starts a command in a folder with `song.mid`, the folders `songs` and `run`, and `table.parquet`."""
    libraries, here = tmp_path_factory.mktemp("libraries"), tmp_path_factory.mktemp("here")
    for name in {*SLOW, *OF_EXTRAS}:
        (libraries / name).mkdir()
        (libraries / name / "__init__.py").write_text(f"raise SystemExit({STOPPED})\n")
    (here / "songs").mkdir()
    (here / "run" / "checkpoints").mkdir(parents=True)
    (here / "run" / "metrics.json").write_text("{}")
    shutil.copy(midii.sample.dataset[0], here / "song.mid")
    shutil.copy(midii.sample.dataset[0], here / "songs")
    (here / "table.parquet").write_bytes(b"none")
    (here / "notes.txt").write_text("none")

    def run(*command):
        name, *arguments = command
        script = ["-m", "toy_duration_predictor.cli"] if name == "tdp" else [str(ROOT / "scripts" / name)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(libraries), *sys.path[1:]])}
        done = subprocess.run(
            [sys.executable, *script, *arguments],
            cwd=here,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LONGEST,
        )
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.mark.parametrize(
    "command",
    [
        "tdp prepare songs -o songs.parquet",
        "tdp audit simulated",
        "tdp audit table.parquet",
        "tdp humanize song.mid -o sung.mid --singer 2",
        "tdp humanize song.mid -o sung.mid --model run --like songs",
        "tdp push run owner/name",
        "tdp push table.parquet owner/name",
        "tdp pull owner/name",
        "tdp export demo -o demo.onnx",
        "tdp demo",
        "train.py",
        "train.py seed=1 -m experiment=model_a,model_b",
        "compare.py",
        "evaluate.py run=run",
        "search.py",
        "power.py",
        "quantizers.py",
    ],
)
def test_the_first_line_comes_before_slow_libraries(start, command):
    status, out, err = start(*command.split())
    assert (status, out) == (STOPPED, "")
    what = " ".join(command.split()[:2]) if command.startswith("tdp") else command.split()[0]
    assert err == f"{what}: loading libraries, which takes some seconds ...\n"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("tdp prepare nowhere -o x.parquet", "nowhere is no folder"),
        ("tdp prepare songs -o .", "is that of a folder"),
        ("tdp prepare songs -o x.parquet --grid 33", "There is no grid of 1/33"),
        ("tdp prepare songs -o x.parquet --track -1", "--track -1: give a track's number, from 0, or"),
        ("tdp prepare songs -o x.parquet --names (", "is no regular expression"),
        ("tdp prepare songs -o x.parquet --shortest-rest 3", "give a number with its unit"),
        ("tdp prepare songs -o x.parquet --jobs 0", "--jobs 0: give at least 1."),
        ("tdp audit nowhere.parquet", "nowhere.parquet does not exist; give a songs table"),
        ("tdp audit simulatd", "did you mean 'simulated'?"),
        ("tdp audit songs", "songs is a folder; make a songs table of its MIDI files with tdp prepare."),
        ("tdp humanize no.mid -o x.mid --singer 2", "no.mid does not exist; give a score"),
        ("tdp humanize song.mid -o x.mid", "Whose timing?"),
        ("tdp humanize song.mid -o x.mid --singer mix:two", "--singer mix:two: give a singer's name or number"),
        ("tdp prepare songs -o x.csv", "x.csv would be a .parquet file; name it so, such as x.parquet."),
        ("tdp tracks no.mid", "no.mid does not exist; give a MIDI file."),
        ("tdp audit simulated --repair x.csv", "x.csv would be a .parquet file"),
        ("tdp humanize song.mid -o x.mid --singer 99", "Singer 99 is not known; known are 1, 2, 3"),
        ("tdp humanize song.mid -o x.mid --singer mix:2=1,Kim=1", "Singer 'Kim' is not known; known are 1, 2, 3"),
        ("tdp humanize song.mid -o x.mid --singer mix:2=0,3=0", "at least one of them above 0"),
        ("tdp humanize song.mid -o x.mid --singer 2 --like songs", "--singer and --like exclude each other"),
        ("tdp humanize song.mid -o x.txt --singer 2", "song.mid: a .mid file can become a .mid or .midi"),
        ("tdp humanize song.mid -o x --singer 2", "and no file whose name has no ending."),
        ("tdp humanize notes.txt -o x.mid --singer 2", "notes.txt: no scores are read from '.txt' files"),
        (
            "tdp humanize song.mid -o run --singer 2",
            "run is a folder; name the file to write in it, such as",
        ),
        ("tdp humanize songs -o notes.txt --singer 2", "notes.txt is a file, and songs is a folder; name a folder"),
        ("tdp humanize song.mid -o x.mid --singer 2 --model songs", "songs is no model: give a run's folder"),
        ("tdp humanize song.mid -o x.mid --singer 2 --model song.mid", "song.mid is no model: give a run's folder"),
        ("tdp humanize song.mid -o x.mid --like no.mid", "no.mid does not exist; give a recording."),
        ("tdp humanize song.mid -o x.mid --began no.mid", "no.mid does not exist; give a recording."),
        ("tdp humanize song.mid -o x.mid --singer 2 --model no", "no is no model: give a run's folder"),
        ("tdp humanize song.mid -o x.mid --singer 2 --strength 2", "--strength 2.0: give a number from 0"),
        ("tdp humanize song.mid -o x.mid --singer 2 --strength nan", "--strength nan: give a number from 0"),
        ("tdp humanize song.mid -o x.mid --singer 2 --temperature 0", "--temperature 0.0: give a number above 0."),
        ("tdp humanize song.mid -o x.mid --singer 2 --seed -1", "--seed -1: give a whole number from 0"),
        ("tdp humanize song.mid -o x.mid --singer 2 --track -1", "--track -1: give a track's number, from 0, or"),
        ("tdp humanize song.mid -o x.mid --singer 2 --tempo 0", "--tempo 0: give beats a minute, from 10 to 1000."),
        ("tdp humanize song.mid -o x.mid --singer 2 --quantize 1/33", "There is no grid of 1/33"),
        ("tdp humanize song.mid -o song.mid --singer 2", "write the performance elsewhere"),
        ("tdp runs nowhere", "nowhere is no folder"),
        ("tdp runs . --sort no", "--sort no: no run here has this metric"),
        ("tdp runs . --clean", "--clean deletes what is listed"),
        ("tdp push nowhere owner/name", "nowhere does not exist; give a finished run's folder"),
        ("tdp push songs owner/name", "songs is neither a finished run's folder nor a .parquet songs table"),
        ("tdp push run name", "The model 'name' cannot be put on the Hub: give it an owner"),
        ("tdp pull name", "name is no model"),
        ("tdp pull owner/name -o songs", "songs is there already"),
        ("tdp export nowhere -o x.onnx", "nowhere is no model"),
        ("tdp export demo -o x.pt", "x.pt would be a .onnx file"),
        ("tdp demo --model nowhere", "nowhere is no model"),
        ("tdp demo --host a..b", "The page cannot listen on a..b; choose another --host or --port."),
        ("tdp demo --port 0", "--port 0: give a number from 1 to 65535."),
        ("train.py seed=-1", "seed=-1 cannot be used"),
        ("compare.py seeds=0", "seeds=0 cannot be used"),
        ("evaluate.py", "'run' is needed"),
        ("search.py trials=0", "trials=0 cannot be used"),
        ("power.py repetitions=0", "repetitions=0 cannot be used"),
        ("quantizers.py resamples=1", "resamples=1 cannot be used"),
        (
            "train.py data=parquet data.path=노래.parquet",
            "노래.parquet does not exist; give the path of songs",
        ),
        ("train.py data=midi data.path=no", "no does not exist; give the path of songs as data.path=PATH."),
        ("evaluate.py run=no", "run=no does not exist; give the folder of a trained run."),
        ("train.py data.path=F", "'data.path' is a setting of data=midi and of data=parquet; give one of them, too."),
        ("evaluate.py data.path=F", "'data.path' is a setting of data=midi and of data=parquet; give one of them"),
        ("train.py model.heads=2", "'model.heads' is a setting of model=phase_transformer; give that, too."),
    ],
)
def test_mistakes_are_refused_before_slow_libraries(start, command, message):
    status, out, err = start(*command.split())
    assert status == 1, err
    assert message in err
    assert err.count("\n") == 1
    assert out == "" or command.startswith("tdp runs")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("tdp humanise", "tdp: COMMAND: invalid choice: 'humanise'"),
        ("tdp humanize song.mid", "tdp humanize: the following arguments are required: -o/--out"),
        (
            "tdp humanize song.mid -o x.mid --singr 2",
            "tdp humanize: there is no option --singr (did you mean '--sing",
        ),
        ("tdp humanize song.mid -o x.mid --singer", "tdp humanize: --singer: expected one argument"),
        ("tdp humanize song.mid -o x.mid --strength=abc", "tdp humanize: --strength: give a number, not 'abc'"),
        ("tdp humanize song.mid -o x.mid --seed 1.5", "tdp humanize: --seed: give a whole number, not '1.5'"),
        ("tdp humanize my song.mid -o x.mid", "tdp humanize: 'song.mid' is one argument too many; put a name with"),
    ],
)
def test_a_command_that_cannot_be_read_is_answered_in_one_line(start, command, message):
    status, out, err = start(*command.split())
    assert (status, out) == (2, "")
    assert err.startswith(message)
    assert err.endswith(" --help says more.\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize("option", ["--experiment", "-x", "--hlp=1"])
def test_options_of_scripts_that_are_none(start, option):
    status, out, err = start("train.py", option, "model_b")
    assert (status, out) == (2, "")
    assert err == f"There is no option {option}; settings are given as NAME=VALUE, such as seed=1. See --help.\n"


def test_without_a_command_all_are_listed(start):
    status, out, err = start("tdp")
    assert (status, out) == (2, "")
    assert "put a singer's own timing into a score" in err


@pytest.mark.parametrize("command", ["tdp --version", "tdp --help", "tdp runs .", "train.py --help"])
def test_what_needs_no_slow_library_is_without_a_word_of_them(start, command):
    status, out, err = start(*command.split())
    assert (status, err) == (0, "")
    assert out
