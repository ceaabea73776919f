"""Scores in, performances out: nothing but the voice's notes moves, and none of them breaks a rule."""

import io
import json
from itertools import pairwise
from pathlib import Path

import midii
import mido
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.inference.test_predictor import network
from tests.scores.test_ds import FIRST, SECOND, content
from toy_duration_predictor.data.midi.smf import LYRIC, META, SET_TEMPO, TIME_SIGNATURE, Tracks, parse, unparse
from toy_duration_predictor.data.midi.voice import read_voice
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.scores.humanize import humanize, humanize_bytes, humanize_with_remarks
from toy_duration_predictor.scores.midi import Reading, read_score
from toy_duration_predictor.scores.perform import HumanizeSettings, Sings
from toy_duration_predictor.scores.rows import open_csv, open_json

REAL = [path.read_bytes() for path in midii.sample.dataset]
END = 0x2F


class Wild(torch.nn.Module):
    """Durations up to three grid steps and a fifth away, which follow from the song."""

    def forward(self, inputs):
        generator = torch.Generator().manual_seed(int(inputs.quantized.sum()) + int(inputs.singer))
        noise = torch.rand(inputs.quantized.shape, generator=generator) * 2 - 1
        return (inputs.quantized * (1 + noise / 5) + 3 * inputs.step[:, None] * noise).clamp(min=0)


@pytest.fixture(scope="module")
def wild():
    return Predictor(Wild(), [2, 7])


@pytest.fixture(scope="module")
def phase():
    """A network that knows nothing, and says something else of every note and singer."""
    return Predictor(network(), [2, 7, 16])


TWO, SEVEN = Sings(2), Sings(7)
LYRICS = st.binary(max_size=4) | st.sampled_from([b"J", b"H", b"+", b"-"])


@st.composite
def made_scores(draw):
    """A file of two tracks: a voice with lyrics and much else, and another instrument."""
    ticks_per_beat = draw(st.sampled_from([96, 120, 480, 960, 1000]))
    tick, voice = draw(st.integers(0, 2000)), [(0, META, 3, b"voice"), (0, 0xC0, 5, b"")]
    for _ in range(draw(st.integers(1, 15))):
        pitch, end_status = draw(st.integers(1, 127)), draw(st.sampled_from([0x80, 0x90]))
        length = draw(st.integers(1, 4 * ticks_per_beat))
        lyric = [(tick, META, LYRIC, draw(LYRICS))] if draw(st.booleans()) else []
        after = [(tick, 0xB0, 7, b"\x40")] if draw(st.booleans()) else []
        end = (tick + length, end_status, pitch, b"\0" if end_status == 0x90 else b"\x33")
        voice += [*lyric, (tick, 0x90, pitch, bytes([draw(st.integers(1, 127))])), *after, end]
        tick += length + draw(st.just(0) | st.integers(0, 2 * ticks_per_beat))
    voice.append((tick + draw(st.integers(0, 99)), META, END, b""))
    conductor = [
        (0, META, SET_TEMPO, b"\x07\xa1\x20"),
        (0, META, TIME_SIGNATURE, draw(st.sampled_from([b"\3\2\x18\x08", b"\6\3\x18\x08"]))),
    ]
    other = [(5, 0x91, 40, b"\x64"), (tick + 7, 0x81, 40, b"\0"), (tick + 7, META, END, b"")]
    # The other instrument has a note fewer than the voice, or is a track of no notes.
    others = [conductor, other] if len(voice) > 8 else [conductor]
    number = draw(st.integers(0, len(others)))
    return unparse(Tracks(1, ticks_per_beat, [*others[:number], voice, *others[number:]])), number


strengths = st.sampled_from([0.3, 1.0, 1.5]).map(HumanizeSettings)


def by_mido(track):
    """Each note of a track as (pitch, velocity, onset, end), and everything else as (tick, bytes)."""
    tick, sounding, notes, others = 0, {}, [], []
    for message in track:
        tick += message.time
        if message.type == "note_on" and message.velocity:
            assert not sounding, "notes overlap"
            sounding[message.note] = (message.velocity, tick)
        elif message.type in ("note_on", "note_off"):
            velocity, onset = sounding.pop(message.note)
            notes.append((message.note, velocity, onset, tick, message.type, message.velocity))
        else:
            others.append((tick, bytes(message.bytes())))
    assert not sounding, "a note never ends"
    return notes, others


def tracks_of(content):
    return mido.MidiFile(file=io.BytesIO(content), charset="latin-1").tracks


@given(made_scores(), strengths)
def test_only_the_notes_of_the_voice_move(wild, made, settings):
    file, number = made
    performed = humanize_bytes(file, wild, SEVEN, settings._replace(track=number))
    before, after = tracks_of(file), tracks_of(performed)
    assert len(before) == len(after)
    for i, (old, new) in enumerate(zip(before, after, strict=True)):
        if i != number:
            assert old == new
    notes, others = by_mido(before[number])
    new_notes, new_others = by_mido(after[number])

    def kept(note):
        return note[:2], note[4:]

    assert list(map(kept, new_notes)) == list(map(kept, notes))
    assert new_notes[0][2] == notes[0][2]
    assert all(end > onset for _, _, onset, end, *_ in new_notes)
    assert all(a[3] <= b[2] for a, b in pairwise(new_notes))

    def stays(event):
        return event[1][:2] not in (bytes([META, LYRIC]), bytes([META, END]))

    assert list(filter(stays, new_others)) == list(filter(stays, others))
    onset_of = {note[2]: new[2] for note, new in zip(notes, new_notes, strict=True)}
    lyrics = [(onset_of[tick], text) for tick, text in others if text[:2] == bytes([META, LYRIC])]
    assert [event for event in new_others if event[1][:2] == bytes([META, LYRIC])] == lyrics
    assert after[number][-1].type == "end_of_track"
    assert read_voice(parse(performed), number).lyric == read_voice(parse(file), number).lyric


@given(made_scores(), st.sampled_from([0.4, 1.0]), st.sampled_from([None, 3]))
def test_no_note_is_further_than_half_a_step_from_the_scores(phase, made, strength, seed):
    file, number = made
    settings = HumanizeSettings(strength, seed=seed, track=number)
    before = read_score(parse(file), Reading(number))[0]
    after = read_score(parse(humanize_bytes(file, phase, SEVEN, settings)), Reading(number))[0]
    # Onsets and ends are whole ticks, and a note keeps one tick at least, which pushes the next one.
    room = np.arange(len(before.times)) % 2 + 0.5
    assert (np.abs(after.times - before.times) <= strength * before.ticks_per_beat / 16 + room).all()


def test_a_long_song_does_not_drift(phase, rng):
    rows = zip(60 * rng.integers(1, 9, size=1500), 60 * rng.integers(0, 3, size=1500), strict=True)
    file = a_score(*((int(length), int(rest)) for length, rest in rows))
    away = np.abs(times(humanize_bytes(file, phase, SEVEN)) - times(file))
    assert away.max() <= 31
    assert away[-1000:].mean() > 1


@given(made_scores())
def test_strength_0_gives_the_score(phase, made):
    file, number = made
    assert humanize_bytes(file, phase, TWO, HumanizeSettings(strength=0, track=number)) == file


def test_strength_0_gives_real_songs_too(phase):
    for file in REAL:
        assert humanize_bytes(file, phase, TWO, HumanizeSettings(strength=0, temperature=1)) == file


def a_score(*rows, ticks_per_beat=480):
    """A file of notes of these lengths, with rests of those after them."""
    tick, events = 0, []
    for i, (length, rest) in enumerate(rows):
        events += [(tick, 0x90, 60 + i % 5, b"\x64"), (tick + length, 0x80, 60 + i % 5, b"\0")]
        tick += length + rest
    return unparse(Tracks(0, ticks_per_beat, [[*events, (tick, META, END, b"")]]))


ROWS = ((240, 0), (60, 60), (480, 0), (120, 480), (240, 0), (240, 0), (960, 0))
RESTS = np.arange(2 * len(ROWS) - 1) % 2 == 1
SCORE = a_score(*ROWS)


def times(file):
    return read_score(parse(file))[0].times


def test_the_model_is_given_the_song_with_its_zero_rests_on_a_grid_of_32nds(phase):
    performed = np.diff(times(humanize_bytes(SCORE, phase, SEVEN)))
    on_grid = [240, 0, 60, 60, 480, 0, 120, 480, 240, 0, 240, 0, 960]
    assert performed == pytest.approx(phase.predict(on_grid, 7, step=60, rest=RESTS), abs=1.5)
    assert performed != pytest.approx(np.diff(times(SCORE)), abs=1.5)
    # Rests that were none, and are now.
    assert (performed[1::2] > 0).sum() > 2


def test_a_model_of_another_grid_is_given_its_own_step():
    on_16ths = Predictor(network(), [2, 7, 16], step_beats=1 / 4)
    performed = np.diff(times(humanize_bytes(SCORE, on_16ths, SEVEN)))
    on_grid = [240, 0, 60, 60, 480, 0, 120, 480, 240, 0, 240, 0, 960]
    assert performed == pytest.approx(on_16ths.predict(on_grid, 7, step=120, rest=RESTS), abs=1.5)
    assert performed != pytest.approx(on_16ths.predict(on_grid, 7, step=60, rest=RESTS), abs=5)


def test_other_resolutions_are_shown_at_480(phase):
    of_480 = times(humanize_bytes(SCORE, phase, SEVEN)) / 480
    rows = [(50 * length, 50 * rest) for length, rest in ROWS]
    of_24000 = times(humanize_bytes(a_score(*rows, ticks_per_beat=24000), phase, SEVEN)) / 24000
    assert of_24000 == pytest.approx(of_480, abs=2e-3)


def test_strength_is_a_scale(phase):
    def away(strength):
        return times(humanize_bytes(SCORE, phase, SEVEN, HumanizeSettings(strength))) - times(SCORE)

    assert away(0.5) == pytest.approx(away(1) / 2, abs=1)
    assert away(1.5) == pytest.approx(away(1) * 1.5, abs=2)
    assert np.abs(away(1)).max() > 10


def test_samples_follow_from_their_seed(phase):
    def of(**settings):
        return humanize_bytes(SCORE, phase, TWO, HumanizeSettings(**settings))

    assert of(seed=1) == of(seed=1, temperature=1.0)
    assert of(temperature=0.7) == of(temperature=0.7, seed=0)
    assert len({of(), of(seed=1), of(seed=2), of(seed=2, temperature=20)}) == 4


def test_singers_and_mixtures(phase):
    assert len({humanize_bytes(SCORE, phase, Sings(singer)) for singer in (2, 7, {2: 0.5, 7: 0.5}, None)}) == 4


def test_a_score_is_quantized_first(phase):
    rough = a_score((233, 4), (66, 61), (470, 7), (120, 480), (7, 3), (240, 1), (955, 0))
    on_grid = times(humanize_bytes(rough, phase, TWO, HumanizeSettings(strength=0, quantize="1/32")))
    # The short note goes to 0 on this grid, and keeps a tick.
    assert on_grid.tolist() == [0, 240, 240, 300, 360, 840, 840, 960, 1440, 1441, 1441, 1680, 1680, 2640]
    performed = np.diff(times(humanize_bytes(rough, phase, TWO, HumanizeSettings(quantize="1/32"))))
    predicted = phase.predict([240, 0, 60, 60, 480, 0, 120, 480, 0, 0, 240, 0, 960], 2, step=60, rest=RESTS)
    assert performed == pytest.approx(predicted, abs=1.5)


@pytest.mark.parametrize(("grid", "length"), [("1/8", 240), ("1/16", 120), ("1/8t", 160), ("1/4t", 320)])
def test_a_grid_only_quantizes(phase, grid, length):
    """A score that lies on the grid already is performed as without it; the model's step stays 1/32."""
    score = a_score(*[(length, 0)] * 3, (2 * length, length), *[(length, 0)] * 4)
    assert humanize_bytes(score, phase, TWO, HumanizeSettings(quantize=grid)) == humanize_bytes(score, phase, TWO)


def test_a_coarse_grid_moves_notes_onto_its_lines_first(phase):
    performed = np.diff(times(humanize_bytes(SCORE, phase, TWO, HumanizeSettings(quantize="1/16"))))
    on_grid = [240, 0, 120, 0, 480, 0, 120, 480, 240, 0, 240, 0, 960]
    assert performed == pytest.approx(phase.predict(on_grid, 2, step=60, rest=RESTS), abs=1.5)
    assert performed != pytest.approx(phase.predict(on_grid, 2, step=120, rest=RESTS), abs=1.5)


@pytest.mark.parametrize("file", REAL)
def test_real_songs_there_and_back(phase, file):
    """Quantized and performed by a model: the notes are where the model puts the table's row."""
    score, voice = read_score(parse(file))
    performed = humanize_bytes(file, phase, TWO, HumanizeSettings(quantize="1/32"))
    after = read_score(parse(performed))[0]
    assert len(after.times) == len(score.times)
    assert read_score(parse(performed))[1].lyric == voice.lyric
    before = parse(file).tracks, parse(performed).tracks
    assert [sorted(event[1:] for event in track) for track in before[0]] == [
        sorted(event[1:] for event in track) for track in before[1]
    ]
    assert np.abs(after.times - score.times).mean() > 1


def test_the_round_trip_agrees_with_the_table(mssv, config):
    """All real songs quantized and put back by a model: ticks of error of the files beside those of the table."""
    from toy_duration_predictor.training.train import train

    path = f"data.path={mssv / 'corrected.parquet'}"
    short = ("model.width=16", "model.layers=2", "training.max_epochs=1", "trainer.threads=1")
    predictor = Predictor.load(train(config("experiment=model_b", "data=parquet", path, *short))["run/folder"])
    songs = load_songs("parquet", path=mssv / "corrected.parquet")
    files = sorted((mssv / "midi").glob("*.mid"))
    assert len(files) == len(songs)
    of_files, of_table, copied = [], [], []
    for i in range(0, len(files), 5):
        file, row = files[i].read_bytes(), songs[i]
        settings = HumanizeSettings(quantize="1/32", begin="J", end="H")
        performed = humanize_bytes(file, predictor, Sings(row["singer_id"]), settings)
        sung, performed = (
            np.diff(read_score(parse(each), Reading(begin="J", end="H"))[0].times) for each in (file, performed)
        )
        assert sung[sung > 0].tolist() == row["durations"]
        of_files.append(np.abs(performed - sung)[sung > 0])
        of_table.append(np.abs(predictor.predict(row["quantized_durations"], row["singer_id"]) - row["durations"]))
        copied.append(np.abs(np.subtract(row["quantized_durations"], row["durations"])))
    mae_files, mae_table, mae_copied = (np.concatenate(errors).mean() for errors in (of_files, of_table, copied))
    assert mae_files == pytest.approx(mae_table, rel=0.01)
    assert mae_table < 0.9 * mae_copied


def test_the_other_formats(phase):
    rows = "ticks_per_beat,duration,pitch\n480,240,60\n480,60,62\n480,60,0\n480,480,64\n"
    performed = humanize_bytes(rows.encode(), phase, TWO, suffix=".csv", out_suffix=".csv")
    of_midi = times(humanize_bytes(a_score((240, 0), (60, 60), (480, 0)), phase, TWO))
    onsets = open_csv(performed)[0][0].times[::2]
    assert onsets.tolist() == of_midi[::2].tolist()
    song = {"ticks_per_beat": 480, "durations": [240, 60, 60, 480], "pitch": [60, 62, 0, 64]}
    performed = humanize_bytes(json.dumps(song).encode(), phase, TWO, suffix=".json", out_suffix=".json")
    assert open_json(performed)[0][0].times[::2].tolist() == onsets.tolist()

    at_120 = HumanizeSettings(tempo=120)
    performed = json.loads(humanize_bytes(content(FIRST, SECOND), phase, TWO, at_120, ".ds", ".ds"))
    seconds = np.array(performed[0]["note_dur"].split(), dtype=float)
    assert seconds != pytest.approx([0.5, 0.5, 0.5, 0.3, 0.2], abs=1e-3)
    assert seconds.sum() == pytest.approx(2)
    # Of three notes after a rest, which is no part of the song that the model is given.
    ticks = times(humanize_bytes(a_score((480, 0), (480, 0), (288, 0)), phase, TWO))
    assert np.cumsum(seconds)[:3] == pytest.approx(0.5 + np.array([0, *ticks[2::2]]) / 960, abs=2e-3)


def test_options_without_a_use_are_named(phase):
    rows = b"ticks_per_beat,duration,pitch\n480,240,60\n480,240,62\n"
    settings = HumanizeSettings(tempo=120, track=0, begin="J")

    def unused(score, suffix):
        remarks = humanize_with_remarks(score, phase, TWO, settings, suffix, suffix)[1]
        return [remark.split()[0] for remark in remarks if f"has no use for a {suffix} file" in remark]

    assert unused(rows, ".csv") == ["tempo", "track", "begin"]
    assert unused(SCORE, ".mid") == ["tempo"]
    assert unused(content(FIRST, SECOND), ".ds") == ["track", "begin"]


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_durations_of_a_midi_file(phase, suffix):
    """Rows of the performance, with its lyrics, which can be read again."""
    file = REAL[2]
    performed = times(humanize_bytes(file, phase, TWO))
    rows = humanize_bytes(file, phase, TWO, out_suffix=suffix)
    read = (open_csv if suffix == ".csv" else open_json)(rows)[0][0]
    assert (read.times == performed - performed[0]).all()
    assert "랑" in rows.decode()
    # Also where no note moves.
    still = humanize_bytes(file, phase, TWO, HumanizeSettings(strength=0), out_suffix=suffix)
    assert ((open_csv if suffix == ".csv" else open_json)(still)[0][0].times == times(file) - times(file)[0]).all()


def test_files_and_folders(phase, tmp_path):
    folder, out = tmp_path / "scores", tmp_path / "performances"
    (folder / "more").mkdir(parents=True)
    (folder / "a.mid").write_bytes(SCORE)
    (folder / "more" / "B.MIDI").write_bytes(SCORE)
    (folder / "broken.mid").write_bytes(b"MThd")
    (folder / "c.ds").write_bytes(content(FIRST))
    (folder / "other.json").write_text("[]")
    seen = []

    def progress(files, number):
        assert number == 4
        for file in files:
            seen.append(file.name)
            yield file

    done = humanize(folder, out, phase, 7, progress=progress)
    assert done.files == 2
    assert {Path(file).name: reason for file, reason in done.refused.items()} == {
        "broken.mid": "it is not a Standard MIDI File",
        "c.ds": "its tempo does not follow from its notes; give it by --tempo, in beats a minute",
    }
    assert sorted(seen) == ["B.MIDI", "a.mid", "broken.mid", "c.ds"]
    written = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    expected = humanize_bytes(SCORE, phase, SEVEN)
    assert written == {"a.mid": expected, "more/B.MIDI": expected}
    humanize(folder / "a.mid", tmp_path / "new" / "one.mid", phase, 7)
    assert (tmp_path / "new" / "one.mid").read_bytes() == expected


@pytest.mark.parametrize(
    ("source", "out", "settings", "message"),
    [
        ("nowhere.mid", "out.mid", {}, "nowhere.mid does not exist"),
        ("a.mid", "a.mid", {}, "is a.mid itself, or lies in it"),
        (".", "out", {}, "out is . itself, or lies in it"),
        ("empty", "out", {}, "empty has no scores; these are read: .mid, .midi, .kar, .rmi, .ds, .ustx,"),
        ("broken", "out", {}, "it is not a Standard MIDI File."),
        (
            "a.mid",
            "out.wav",
            {},
            "or .kar or .rmi or .csv or .json file, and no '.wav' file",
        ),
        ("a.mid", "out", {}, "and no file whose name has no ending"),
        (
            "notes.txt",
            "out.txt",
            {},
            "from '.txt' files, but from .mid, .midi, .kar, .rmi, .ds, .ustx,",
        ),
        ("a.mid", "out.mid", {"strength": 2}, "strength=2: give a number from 0"),
        ("a.mid", "out.mid", {"strength": float("nan")}, "strength=nan"),
        ("a.mid", "out.mid", {"quantize": "1/33"}, "There is no grid of 1/33"),
        ("a.mid", "out.mid", {"temperature": 0}, "temperature=0: give a number above 0"),
        ("a.mid", "out.mid", {"seed": -1}, "seed=-1: give a whole number"),
        (
            "a.mid",
            "out.mid",
            {"track": 3},
            "number 3; its voices are: track 0 (channel 1, 7 notes)",
        ),
        ("long.mid", "out.mid", {}, "and must be from 0 to 16777216 ticks"),
        ("a.mid", "a.mid/x.mid", {}, "a.mid/x.mid is a.mid itself, or lies in it"),
        ("a.mid", "notes.txt/x.mid", {}, "notes.txt/x.mid cannot be written"),
    ],
)
def test_mistakes_end_in_one_sentence(phase, tmp_path, monkeypatch, source, out, settings, message):
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "broken"):
        (tmp_path / name).mkdir()
    (tmp_path / "a.mid").write_bytes(SCORE)
    (tmp_path / "long.mid").write_bytes(a_score((2**27, 0)))
    (tmp_path / "broken" / "a.mid").write_bytes(b"MThd")
    (tmp_path / "notes.txt").write_text("do re mi")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError) as error:
        humanize(source, out, phase, 2, HumanizeSettings(**settings))
    assert message in str(error.value)
    assert str(error.value).count("\n") == 0
    assert sorted(tmp_path.rglob("*")) == before


def test_a_model_without_a_distribution_cannot_sample(wild, tmp_path):
    (tmp_path / "a.mid").write_bytes(SCORE)
    with pytest.raises(InputError, match="sample: network Wild has no distribution"):
        humanize(tmp_path / "a.mid", tmp_path / "b.mid", wild, 2, HumanizeSettings(seed=1))
    with pytest.raises(InputError, match="Singer 3 is not known"):
        humanize(tmp_path / "a.mid", tmp_path / "b.mid", wild, 3)
