import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import midii
import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.data.midi.test_voices import named, notes, words
from toy_duration_predictor import cli
from toy_duration_predictor.data.midi.smf import META, Tracks, parse, unparse
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.scores.midi import read_score
from toy_duration_predictor.training.commands import ending_in_a_sentence
from toy_duration_predictor.training.train import train


def test_four_real_songs_through_prepare_audit_and_training(folder, tmp_path, capsys, config, monkeypatch):
    table = tmp_path / "songs.parquet"
    cli.main(["prepare", str(folder), "-o", str(table)])
    assert "4 songs of 4 files, 3,145 notes and rests" in capsys.readouterr().out
    cli.main(["audit", str(table), "--html", str(tmp_path / "audit.html")])
    assert "It is not found." in capsys.readouterr().out
    assert "<h1>Audit of " in (tmp_path / "audit.html").read_text()

    # The published split needs six songs: these four, and two of them again.
    monkeypatch.setenv("TDP_CACHE_DIR", str(tmp_path / "cache"))
    for path in midii.sample.dataset[2:]:
        shutil.copy(path, folder / f"again_{path.name.split('_')[1]}_s9{path.name[-5]}_x.mid")
    small = ("model.width=8", "training.max_epochs=1", "trainer.threads=1", "data.split=published")
    metrics = train(config("experiment=model_b", "data=midi", f"data.path={folder}", *small))
    assert metrics["data/songs"] == 6
    assert metrics["test/mae"] > 0


def test_the_published_fault_made_found_and_repaired(folder, tmp_path, capsys):
    """What the recipe spoils, the audit sees, and the repair mostly undoes."""
    for name, options in (("sung", []), ("published", ["--published"])):
        cli.main(["prepare", str(folder), "-o", str(tmp_path / f"{name}.parquet"), *options])
    repaired = tmp_path / "repaired.parquet"
    cli.main(["audit", str(tmp_path / "published.parquet"), "--repair", str(repaired)])
    out = capsys.readouterr().out
    assert "It is found in 4 of 4 rows" in " ".join(out.split())
    assert "4 of 4 rows repaired" in out
    sung, back = (
        np.concatenate(load_songs("parquet", path=p)["durations"]) for p in (tmp_path / "sung.parquet", repaired)
    )
    undecided = np.concatenate(pq.read_table(repaired)["undecided"].to_pylist())
    assert (sung == back)[~undecided].all()
    assert (sung == back).mean() > 0.9


def test_what_is_right_is_not_accused(folder, tmp_path, capsys):
    naive = str(tmp_path / "naive.parquet")
    cli.main(["prepare", str(folder), "-o", naive, "--no-error-forwarding"])
    for remark in ("They are said to be sung. It is not found.", "It is not found."):
        cli.main(["audit", naive])
        assert remark in " ".join(capsys.readouterr().out.split())
        with pytest.raises(SystemExit, match="nothing to repair"):
            cli.main(["audit", naive, "--repair", str(tmp_path / "repaired.parquet")])
        capsys.readouterr()
        # The second time without the recipe.
        Path(f"{naive}.json").unlink(missing_ok=True)


def test_what_was_left_out_is_shown(folder, tmp_path, capsys):
    for i in range(12):
        (folder / f"ba_{i:05d}_s01_x.mid").write_bytes(b"")
    cli.main(["prepare", str(folder), "-o", str(tmp_path / "songs.parquet")])
    err = capsys.readouterr().err
    assert err.count("it is not a Standard MIDI File") == 10
    assert "Left out 2 more" in err
    assert "Mended 5 times: a note begins before the last one ended." in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prepare", "nowhere", "-o", "x.parquet"], "nowhere is no folder"),
        (["prepare", ".", "-o", "x.parquet", "--jobs", "0"], "--jobs 0: give at least 1."),
        (["prepare", ".", "-o", "x.parquet", "--shortest-rest", "0.3"], "give a number with its unit"),
        (["humanize", "a.mid", "-o", "b.mid", "--model", "x", "--singer", "2"], "a.mid does not exist; give a score"),
        (["humanize", "a.mid", "-o", "b.mid"], "Whose timing? Give --singer, --like or --began."),
        (["humanize", "a.mid", "-o", "b.mid", "--like", "b.mid"], "a.mid does not exist; give a score"),
        (["prepare", ".", "-o", "x.parquet", "--singer", "Kim"], ". has no .mid, .midi, .kar, .rmi files"),
        (["audit", "nowhere.parquet"], "nowhere.parquet does not exist; give a songs table"),
        (["audit", "simulated", "--repair", "x.parquet"], "nothing to repair"),
    ],
)
def test_mistakes_end_with_one_sentence(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as error:
        cli.main(arguments)
    assert message in str(error.value.code)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_is_no_traceback(monkeypatch, capsys, number):
    def interrupted(_):
        os.kill(os.getpid(), number)
        time.sleep(1)

    monkeypatch.setattr(cli.tables, "_audit", interrupted)
    monkeypatch.setattr(cli.tables, "_prepare", interrupted)
    for command, said in ((["audit", "simulated"], ""), (["prepare", ".", "-o", "x"], "; the same command goes on")):
        with pytest.raises(SystemExit) as error:
            cli.main(command)
        assert error.value.code == 130
        assert capsys.readouterr().err.startswith(f"Interrupted{said}")


@pytest.mark.parametrize(
    ("track", "reason"), [("0", "none of its voices is number 0"), ("1", "number 1; its voices are")]
)
def test_the_voice_may_be_named(folder, tmp_path, capsys, track, reason):
    """Two of these files have their voice in track 1, and nothing in track 0; the others have one track."""
    cli.main(["prepare", str(folder), "-o", str(tmp_path / "songs.parquet"), "--track", track])
    said = capsys.readouterr()
    assert "2 songs of 4 files" in said.out
    assert said.err.count(reason) == 2


def test_a_score_and_a_folder_of_scores_are_humanized(shared_run, folder, tmp_path, capsys):
    run, singer = str(shared_run), str(_singers(shared_run)[0])
    score, out = folder / "ba_05688_-4_a_s02_m_02.mid", tmp_path / "sung.mid"
    options = ["--model", run, "--singer", singer, "--quantize", "1/32"]
    cli.main(["humanize", str(score), "-o", str(out), *options])
    said = capsys.readouterr()
    assert said.out == f"{out}: with the timing of singer {singer}\n"
    assert said.err == f"{score}: the voice is track 1 'Melody' (channel 1, 296 notes, 296 lyrics): the only one.\n"
    before, after = (read_score(parse(path.read_bytes()))[0].times for path in (score, out))
    assert len(before) == len(after)
    assert (before != after).any()

    recordings = sorted(map(str, folder.iterdir()))[1:3]
    (folder / "broken.mid").write_bytes(b"")
    (folder / "notes.txt").write_text("do re mi")
    cli.main(["humanize", str(folder), "-o", str(tmp_path / "all"), *options, "--seed", "3", "--temperature", "0.5"])
    said = capsys.readouterr()
    assert said.out == f"{tmp_path / 'all'}: 4 files with the timing of singer {singer}\n"
    left_out, passed_over, *taken = said.err.splitlines()
    assert left_out == f"Left out {folder / 'broken.mid'}: it is not a Standard MIDI File."
    assert passed_over == "Passed over files of other kinds: .txt 1."
    assert len(taken) == 4
    assert all(": the voice is track " in line for line in taken)
    assert len(list((tmp_path / "all").iterdir())) == 4

    both = f"mix:{singer}=0.5,{_singers(run)[1]}=0.5"
    cli.main(["humanize", str(score), "-o", str(out), "--model", run, "--singer", both, "--strength", "0"])
    assert out.read_bytes() == score.read_bytes()

    sung = tmp_path / "again.mid"
    cli.main(["humanize", str(score), "-o", str(sung), "--model", run, "--quantize", "1/32", "--like", *recordings])
    assert capsys.readouterr().out.endswith(f"{sung}: with the timing of {', '.join(recordings)}\n")
    assert sung.read_bytes() != score.read_bytes()
    # The whole song as a beginning: all of it stays as it was sung.
    cli.main(["humanize", str(score), "-o", str(sung), "--model", run, "--quantize", "1/32", "--began", str(score)])
    assert capsys.readouterr().out == f"{sung}: with the timing of {score}\n"
    assert (read_score(parse(sung.read_bytes()))[0].times == before).all()

    for wrong, message in (
        ({"--singer": "99"}, "Singer 99 is not known"),
        ({"--device": "tpu9"}, "--device tpu9: no such device"),
    ):
        given = {"--singer": singer, **wrong}
        with pytest.raises(SystemExit) as error:
            cli.main(
                [
                    "humanize",
                    str(score),
                    "-o",
                    "x.mid",
                    "--model",
                    run,
                    *(part for pair in given.items() for part in pair),
                ]
            )
        assert message in str(error.value.code)


def voices_file(folder):
    tracks = [
        named("", [(0, META, 0x51, b"\7\xa1\x20")]),
        named("Vocal", notes(16), words(16)),
        named("Bass", notes(40)),
    ]
    path = folder / "song.mid"
    path.write_bytes(unparse(Tracks(1, 480, tracks)) + b"after the end")
    return path


def test_the_voices_of_a_file_are_listed(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    path = voices_file(tmp_path)
    cli.main(["tracks", str(path)])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["*", "1", "Vocal", "1", "16", "16", "0%", "lyrics"] in lines
    assert ["2", "Bass", "1", "40", "16", "0%", "lyrics"] not in lines
    assert ["2", "Bass", "1", "40", "0", "0%", "one", "note", "at", "a", "time"] in lines
    assert "bytes follow the last track" in " ".join(word for line in lines for word in line)
    # What is said to be another voice is one.
    drums = named("", notes(8, channel=10))
    for tracks, others in (
        ([notes(9), drums], ""),
        ([drums, notes(9), notes(3), drums], "; --track takes another, such as --track 2"),
    ):
        path.write_bytes(unparse(Tracks(1, 480, tracks)))
        cli.main(["tracks", str(path)])
        assert f"* is the voice{others}" in capsys.readouterr().out.splitlines()
    path.write_bytes(b"MThd")
    with pytest.raises(SystemExit, match=r"song.mid: it is not a Standard MIDI File\.$"):
        cli.main(["tracks", str(path)])


def test_what_was_taken_is_counted(folder, tmp_path, capsys):
    voices_file(folder).rename(folder / "ba_1_s01_x.KAR")
    chords = unparse(Tracks(0, 480, [named("Vocal", notes(16, chord=(0, 4, 7)))]))
    (folder / "ba_2_s01_x.mid").write_bytes(chords)
    (folder / "readme.txt").write_text("")
    (folder / "take.wav").write_bytes(b"")
    (folder / ".hidden").write_text("")
    cli.main(["prepare", str(folder), "-o", str(tmp_path / "songs.parquet")])
    said = capsys.readouterr()
    assert "5 songs of 6 files" in said.out
    lines = said.err.splitlines()
    assert "Left out ba_2_s01_x.mid: track 0 'Vocal' (channel 1, 48 notes) is no voice: 67% of its notes" in lines[0]
    assert lines[-3:] == [
        "Read 1 file though bytes follow the last track that its header counts.",
        "The voices were taken as: the only one 4, lyrics 1.",
        "Passed over files of other kinds: .txt 1, .wav 1.",
    ]
    done = json.loads((tmp_path / "songs.parquet.json").read_text())
    assert done["voices"] == {"the only one": 4, "lyrics": 1}
    assert done["passed_over"] == {".txt": 1, ".wav": 1}


def _singers(run):
    from toy_duration_predictor.inference.predictor import Predictor

    return Predictor.load(run).singers


@pytest.mark.parametrize("singer", ["mix:", "mix:2", "mix:2=a", "mix:2=0.5=3", "mix:Kim=0.5,Kim=0.5", "mix:=1", ""])
def test_singers_that_cannot_be_read(singer, tmp_path):
    with pytest.raises(SystemExit) as error:
        cli.main(["humanize", "a.mid", "-o", str(tmp_path / "b.mid"), "--model", "x", f"--singer={singer}"])
    assert f"--singer {singer}: " in str(error.value.code)


def test_help_is_quick():
    code = "import sys; from toy_duration_predictor import cli; cli.make_parser(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "datasets"} & set(done.stdout.split())


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({"PYTHONIOENCODING": "ascii"}, r"\uc0c8.mid: with the timing of singer 1"),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, r".mid: with the timing of singer 1"),
    ],
)
def test_names_that_the_terminal_cannot_show(folder, tmp_path, environment, shown):
    """In a process of its own: it is the interpreter that decides of its output."""
    song = tmp_path / "노래.mid"
    song.write_bytes(next(folder.rglob("*.mid")).read_bytes())
    command = [sys.executable, "-m", "toy_duration_predictor.cli", "humanize", song, "-o", tmp_path / "새.mid"]
    done = subprocess.run(
        [*command, "--singer", "1"], env={**os.environ, **environment}, capture_output=True, text=True, encoding="ascii"
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert shown in done.stdout
    assert (tmp_path / "새.mid").is_file()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "x.mid"),
            "x.mid cannot be written or read: No space left on",
        ),
        (PermissionError(errno.EACCES, "Permission denied"), "A file cannot be written or read: Permission denied."),
        (UnicodeEncodeError("utf-8", "a\udce9", 1, 2, "surrogates not allowed"), r"'a\\udce9' is not in UTF-8; rename"),
    ],
)
def test_what_the_system_refuses_is_a_sentence(monkeypatch, error, message):
    monkeypatch.setattr(cli.tables, "_audit", lambda _: (_ for _ in ()).throw(error))
    with pytest.raises(SystemExit, match=message):
        cli.main(["audit", "songs.parquet"])
    with pytest.raises(SystemExit) as ended, ending_in_a_sentence():
        raise error
    assert ended.value.code == 1


def test_other_errors_of_the_system_keep_their_traceback(monkeypatch):
    monkeypatch.setattr(cli.tables, "_audit", lambda _: Path("nowhere").read_text())
    with pytest.raises(FileNotFoundError):
        cli.main(["audit", "songs.parquet"])


@pytest.mark.parametrize("write", ["print('line')", "__import__('rich').print('line')"])
def test_who_reads_enough_ends_the_output(write):
    """As in `tdp audit hub | head`, where the rest has no reader."""
    code = f"from toy_duration_predictor import cli; cli.runs._runs = lambda _: {write}; cli.main(['runs'])"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        said = process.stderr.read().decode()
    assert (process.returncode, said) == (1, "")


def test_the_version_is_said(capsys):
    with pytest.raises(SystemExit) as error:
        cli.main(["--version"])
    assert error.value.code == 0
    assert capsys.readouterr().out == f"tdp {version('toy-duration-predictor')}\n"
