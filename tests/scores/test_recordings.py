"""Scores sung like a recording, and as they began."""

import midii
import numpy as np
import pytest

from tests.inference.test_predictor import network
from tests.scores.test_ds import FIRST, content
from tests.scores.test_humanize import END, META, RESTS, ROWS, SCORE, SEVEN, TWO, a_score, times
from toy_duration_predictor.data.midi.prepare import prepare
from toy_duration_predictor.data.midi.smf import Tracks, parse, unparse
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.scores.humanize import humanize, humanize_bytes
from toy_duration_predictor.scores.midi import read_score
from toy_duration_predictor.scores.perform import HumanizeSettings, Sings
from toy_duration_predictor.scores.recordings import read_references


@pytest.fixture(scope="module")
def phase():
    return Predictor(network(), [2, 7, 16])


def test_recordings_are_read_as_tables_are_prepared(folder, tmp_path):
    prepare(folder, tmp_path / "songs.parquet")
    rows = read_references([folder])
    table = load_songs("parquet", path=tmp_path / "songs.parquet")
    assert len(rows) == len(table) == 4
    for row, of_table in zip(rows, table, strict=True):
        for name in ("durations", "quantized_durations", "pitch"):
            assert list(row[name]) == of_table[name]
    assert len(read_references([*sorted(folder.iterdir())[:2], tmp_path / "songs.parquet"])) == 6


def test_a_score_is_sung_like_a_recording(phase, tmp_path):
    (tmp_path / "score.mid").write_bytes(SCORE)
    recordings = [str(path) for path in midii.sample.dataset]
    performed = {}
    for name, like in (("one", recordings[0]), ("other", recordings[2:3]), ("rows", read_references(recordings[:1]))):
        humanize(tmp_path / "score.mid", tmp_path / "sung.mid", phase, like=like)
        performed[name] = times((tmp_path / "sung.mid").read_bytes())
    assert (performed["one"] == performed["rows"]).all()
    assert (performed["one"] != performed["other"]).any()
    predicted = phase.predict(np.diff(times(SCORE)), step=60, rest=RESTS, like=read_references(recordings[:1]))
    assert np.diff(performed["one"]) == pytest.approx(predicted, abs=1.5)


def a_take(sung, pitch=None, ticks_per_beat=480, begin=1000):
    """A recording of notes and rests in turn, of these lengths."""
    ends = begin + np.cumsum([0, *sung])
    pitch = [60 + i % 5 for i in range(len(ends) // 2)] if pitch is None else pitch
    events = []
    for number, start, stop in zip(pitch, ends[::2].tolist(), ends[1::2].tolist(), strict=True):
        events += [(start, 0x90, number, b"\x64"), (stop, 0x80, number, b"\0")]
    return unparse(Tracks(0, ticks_per_beat, [[*events, (int(ends[-1]), META, END, b"")]]))


def beginning(take):
    return read_score(parse(take))[0]


SUNG = [231, 20, 70, 33, 471]


@pytest.mark.parametrize("ticks_per_beat", [480, 960])
def test_a_score_goes_on_as_it_began(phase, ticks_per_beat):
    take = a_take(np.array(SUNG) * ticks_per_beat // 480, ticks_per_beat=ticks_per_beat)
    for sings, known in ((Sings(), {}), (TWO, {"singer": 2})):
        performed = times(humanize_bytes(SCORE, phase, sings._replace(began=beginning(take))))
        assert np.diff(performed)[:5].tolist() == SUNG
        predicted = phase.predict(np.diff(times(SCORE)), step=60, rest=RESTS, began=SUNG, **known)
        assert np.diff(performed) == pytest.approx(predicted, abs=1.5)


def test_what_was_sung_has_its_own_strength(phase):
    as_sung = Sings(began=beginning(a_take(SUNG)))
    still = times(humanize_bytes(SCORE, phase, as_sung, HumanizeSettings(strength=0)))
    assert np.diff(still)[:5].tolist() == SUNG
    assert (still[6:] == times(SCORE)[6:]).all()


def test_all_of_a_song_was_sung(phase):
    sung = np.maximum(np.diff(times(SCORE)) + np.arange(13) % 5 - 2, 0)
    performed = humanize_bytes(SCORE, phase, Sings(began=beginning(a_take(sung))))
    assert np.diff(times(performed)).tolist() == sung.tolist()


def test_other_formats_go_on_as_they_began(phase):
    rows = "ticks_per_beat,duration,pitch\n480,240,60\n480,60,61\n480,60,0\n480,480,62\n"
    began = Sings(began=beginning(a_take([231])))
    performed = humanize_bytes(rows.encode(), phase, began, suffix=".csv", out_suffix=".csv").decode().splitlines()
    of_midi = times(humanize_bytes(a_score((240, 0), (60, 60), (480, 0)), phase, began))
    assert int(performed[1].split(",")[1]) == of_midi[2]
    with pytest.raises(InputError, match=r"pitches, which \.ds files lack"):
        humanize_bytes(content(FIRST), phase, began, HumanizeSettings(tempo=120), ".ds", ".ds")


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"like": "nowhere.mid"}, "nowhere.mid: it cannot be read: No such file or directory."),
        ({"like": ["a.mid", "broken.mid"]}, "broken.mid: it is not a Standard MIDI File."),
        ({"like": "empty"}, "empty has no .mid, .midi, .kar, .rmi files."),
        ({"like": "fine.mid"}, "fine.mid: A grid of 1/32 does not divide 100 ticks per beat"),
        ({"like": "nowhere.parquet"}, "nowhere.parquet does not exist"),
        ({"like": []}, "like: has no songs"),
        ({"like": "a.mid", "singer": 2}, "singer and like exclude each other"),
        ({"began": "nowhere.mid"}, "nowhere.mid: it cannot be read"),
        ({"began": "broken.mid"}, "broken.mid: it is not a Standard MIDI File."),
        ({"began": "other.mid"}, "note 1 has pitch 61, and in the recording of the beginning 72; give a recording of"),
        ({"began": "long.mid"}, "it has 7 notes, and the recording of its beginning 8; give a recording of the"),
    ],
)
def test_recordings_that_cannot_be_used(phase, tmp_path, monkeypatch, known, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    files = {
        "a.mid": SCORE,
        "broken.mid": b"MThd",
        "fine.mid": a_score((20, 0), ticks_per_beat=100),
        "other.mid": a_take([240, 0, 60], pitch=[60, 72]),
        "long.mid": a_score(*ROWS, (60, 0)),
    }
    for name, file in files.items():
        (tmp_path / name).write_bytes(file)
    with pytest.raises(InputError) as error:
        humanize("a.mid", "out.mid", phase, **known)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out.mid").exists()


def test_a_folder_has_no_one_beginning(phase, tmp_path):
    (tmp_path / "scores").mkdir()
    for place in (tmp_path / "scores" / "a.mid", tmp_path / "take.mid"):
        place.write_bytes(SCORE)
    with pytest.raises(InputError, match=r"take.mid is the beginning of one score, and .* is a folder"):
        humanize(tmp_path / "scores", tmp_path / "out", phase, began=tmp_path / "take.mid")


def test_singers_of_a_performance_differ(phase):
    like = Sings(like=read_references(midii.sample.dataset[:1]))
    assert len({humanize_bytes(SCORE, phase, sings) for sings in (TWO, SEVEN, Sings(), like)}) == 4
