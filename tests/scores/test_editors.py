"""Projects of singing editors: notes move, and all that belongs to them goes with them."""

import re
from contextlib import nullcontext

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.scores.editor_projects import (
    ENGLISH,
    a_project,
    cents_in,
    tempos_of,
    times_of,
    tracks_of,
)
from tests.scores.test_humanize import Wild
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.scores import converters
from toy_duration_predictor.scores.converters import Converter
from toy_duration_predictor.scores.editors import AWAY, EDITORS, open_editor
from toy_duration_predictor.scores.humanize import FOLDER_SUFFIXES, SUFFIXES, humanize_bytes
from toy_duration_predictor.scores.in_place import IN_PLACE, open_in_place
from toy_duration_predictor.scores.perform import HumanizeSettings, Sings, perform

SEVEN = Sings(7)
ONE_TRACK = {".ust", ".tsmsln"}
# Some programs know lyrics of one language only; others may garble them.
LYRICS = {".svip": list("啦我你他好天地")} | dict.fromkeys(
    (".vvproj", ".ust", ".ustx", ".vsqx"), list("あかさたなはま")
)


def table():
    """The rows of the table of formats in the documents: the cells by the head of their column, for each suffix."""
    text = (ROOT / "docs" / "scores.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    head = next(i for i, row in enumerate(rows) if row[0] == "suffix")
    body = [row for row in rows[head + 2 :] if row[0].startswith("`.")]
    cells = [(re.findall(r"`(\..*?)`", row[0]), dict(zip(rows[head], row, strict=True))) for row in body]
    return {suffix: row for suffixes, row in cells for suffix in suffixes}


TABLE = table()


@pytest.fixture(scope="module")
def wild():
    return Predictor(Wild(), [2, 7])


def content_of(suffix, tracks=2, **arguments):
    lyrics = LYRICS.get(suffix, ENGLISH)
    return Converter(suffix).dump(a_project(lyrics, 1 if suffix in ONE_TRACK else tracks, **arguments))[0]


def performed(content, suffix, predictor, settings=HumanizeSettings(), say=lambda message: None):  # noqa: B008
    return humanize_bytes(content, predictor, SEVEN, settings, suffix, suffix, say)


def test_the_table_names_what_is_read():
    assert set(TABLE) == set(SUFFIXES)
    assert {suffix for suffix, row in TABLE.items() if row["in a folder"] == "yes"} == set(FOLDER_SUFFIXES)
    assert {suffix for suffix, row in TABLE.items() if row["needs"]} == {*EDITORS, converters.XML}


@pytest.mark.parametrize("suffix", [*IN_PLACE, *EDITORS, converters.XML])
def test_a_project_is_sung(wild, suffix):
    content, said = content_of(suffix), []
    assert performed(content, suffix, wild, HumanizeSettings(strength=0)) == content
    sung = performed(content, suffix, wild, say=said.append)
    assert said == []
    before, after = (Converter(suffix).load(each)[0] for each in (content, sung))
    # libresvip reads what the model has sung of the notes of each track.
    opened = open_in_place(content, suffix, None) if suffix in IN_PLACE else open_editor(content, suffix, None, print)
    for score, times in zip(opened.scores, times_of(after), strict=True):
        wanted = perform(score, wild, SEVEN, HumanizeSettings())
        assert np.abs(wanted - score.times).max() > 60  # ticks
        step = 2 if suffix == ".ust" else 1  # a note has the rest after it where both were one
        assert np.abs(times - (wanted - wanted[0]))[::step].max() <= AWAY
    lyrics = [[note.lyric for note in track.note_list] for track in tracks_of(after)]
    assert lyrics == [[note.lyric for note in track.note_list] for track in tracks_of(before)]
    assert lyrics[0] == (LYRICS.get(suffix, ENGLISH))
    assert [track.note_list[0].key_number for track in tracks_of(after)] == [60, 63][: len(lyrics)]
    assert tempos_of(before) == tempos_of(after)
    # The pitch curve has gone with the notes.
    has_pitch = any(cents_in(track) for track in tracks_of(before))
    assert has_pitch == (TABLE[suffix]["pitch curve"] == "yes")
    for track, old in zip(tracks_of(after), tracks_of(before), strict=True):
        assert len(cents_in(track)) >= len(cents_in(old)) / 2
        assert np.mean(np.array([0, *cents_in(track)]) > 50) < 0.02


@pytest.mark.parametrize("suffix", [*EDITORS, converters.XML])
def test_changes_of_tempo_are_carried_or_refused(wild, suffix):
    told = TABLE[suffix]["tempo changes"]
    assert told in ("yes", "refused", "none")
    with pytest.raises(InputError, match="libresvip") if told == "refused" else nullcontext():
        content = content_of(suffix, tracks=1, tempos=((0, 110.0), (2880, 90.0)))
        before = tempos_of(Converter(suffix).load(content)[0])
        assert len(before) == (1 if told == "none" else 2)
        assert tempos_of(Converter(suffix).load(performed(content, suffix, wild))[0]) == before


@pytest.mark.parametrize("suffix", [".ustx", ".ufdata"])
def test_one_track_or_all_are_sung(wild, suffix):
    content = content_of(suffix)
    before = times_of(Converter(suffix).load(content)[0])
    for track, moves in ((None, [True, True]), (0, [True, False]), (1, [False, True])):
        sung = performed(content, suffix, wild, HumanizeSettings(track=track))
        after = times_of(Converter(suffix).load(sung)[0])
        assert [(one != other).any() for one, other in zip(before, after, strict=True)] == moves
    with pytest.raises(InputError, match="track 2"):
        performed(content, suffix, wild, HumanizeSettings(track=2))


@pytest.mark.parametrize("suffix", [".ustx", ".musicxml"])
def test_notes_that_sound_at_once_are_refused(wild, suffix):
    project = a_project(tracks=1)
    project.track_list[0].note_list[1].start_pos -= 120
    if suffix == ".musicxml":  # libresvip writes one note at a time
        content = Converter(suffix).dump(a_project(tracks=1))[0].replace(b"<duration>960</duration>", b"", 1)
        content = re.sub(rb"(?<=</pitch>)", b"<chord/>", content, count=1)
        with pytest.raises(InputError, match="libresvip"):
            performed(content, suffix, wild)
        return
    with pytest.raises(InputError, match=r"in track 0 two notes sound at once at beat 1\.75, and a voice has one"):
        performed(Converter(suffix).dump(project)[0], suffix, wild)


def test_what_is_not_carried_is_said(wild, tmp_path, capsys):
    project, said = a_project(), []
    project.track_list.append(InstrumentalTrack(audio_file_path=str(tmp_path / "band.wav")))
    (tmp_path / "band.wav").write_bytes(b"RIFF")
    json_of = Converter(".ufdata").dump(project)[0]
    assert performed(json_of, ".ufdata", wild, say=said.append)
    assert said == []  # the format has no audio tracks
