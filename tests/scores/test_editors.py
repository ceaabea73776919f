"""Projects of singing editors: notes move, and all that belongs to them goes with them."""

import base64
import io
import os
import re
import subprocess
import sys
import zipfile
from contextlib import nullcontext, suppress

import numpy as np
import pytest
from libresvip.model.base import InstrumentalTrack, SongTempo, TimeSignature
from libresvip.plugins.dspx.dspx_io import zstd
from pymediainfo import MediaInfo

from tests.conftest import LONGEST, ROOT
from tests.scores.editor_projects import (
    ENGLISH,
    a_project,
    cents_in,
    tempos_of,
    times_of,
    tracks_of,
)
from tests.scores.test_humanize import Wild
from toy_duration_predictor import cli
from toy_duration_predictor.data.midi import smf
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.scores import converters
from toy_duration_predictor.scores.converters import Converter
from toy_duration_predictor.scores.editors import AWAY, EDITORS, _lost, open_editor
from toy_duration_predictor.scores.humanize import FOLDER_SUFFIXES, SUFFIXES, humanize_bytes, humanize_with_remarks
from toy_duration_predictor.scores.in_place import IN_PLACE, open_in_place
from toy_duration_predictor.scores.perform import HumanizeSettings, Sings, perform

SEVEN = Sings(7)
ONE_TRACK = {".ust", ".tsmsln"}
# Some programs know lyrics of one language only; others may garble them.
JAPANESE = list("あかさたなはま")
LYRICS = {".svip": list("啦我你他好天地")} | dict.fromkeys((".vvproj", ".ust", ".ustx", ".vsqx"), JAPANESE)


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


def performed(content, suffix, predictor, settings=HumanizeSettings()):  # noqa: B008
    return humanize_bytes(content, predictor, SEVEN, settings, suffix, suffix)


def test_the_table_names_what_is_read():
    assert set(TABLE) == set(SUFFIXES)
    assert {suffix for suffix, row in TABLE.items() if row["in a folder"] == "yes"} == set(FOLDER_SUFFIXES)
    assert {suffix for suffix, row in TABLE.items() if row["needs"]} == {*EDITORS, converters.XML}


@pytest.mark.parametrize("suffix", [*IN_PLACE, *EDITORS, converters.XML])
def test_a_project_is_sung(wild, suffix):
    content = content_of(suffix)
    assert performed(content, suffix, wild, HumanizeSettings(strength=0)) == content
    sung, remarks = humanize_with_remarks(content, wild, SEVEN, HumanizeSettings(), suffix, suffix)
    assert not remarks
    before, after = (Converter(suffix).load(each)[0] for each in (content, sung))
    # libresvip reads what the model has sung of the notes of each track.
    opened = open_in_place(content, suffix, None) if suffix in IN_PLACE else open_editor(content, suffix, None)
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


CHORD = """<score-partwise version="4.0">
<part-list><score-part id="P1"><part-name>a</part-name></score-part></part-list>
<part id="P1"><measure number="1"><attributes><divisions>2</divisions></attributes>
<note><pitch><step>C</step><octave>4</octave></pitch><duration>2</duration></note>
<note>CHORD<pitch><step>E</step><octave>4</octave></pitch><duration>4</duration></note></measure></part></score-partwise>
"""


def test_notes_that_sound_at_once_are_refused(wild):
    assert performed(CHORD.replace("CHORD", "").encode(), ".musicxml", wild)
    with pytest.raises(InputError, match=r"in singing track 0 two notes sound at once at beat 0, and a voice has one"):
        performed(CHORD.replace("CHORD", "<chord/>").encode(), ".musicxml", wild)
    project = a_project(tracks=1)
    project.track_list[0].note_list[1].start_pos -= 120
    with pytest.raises(InputError, match=r"in track 0 two notes sound at once at beat 1\.75, and a voice has one"):
        performed(Converter(".ustx").dump(project)[0], ".ustx", wild)


def test_what_is_not_carried_is_said_and_no_file_is_read_that_a_project_names(wild, tmp_path, capsys, monkeypatch):
    project = a_project()
    project.track_list.append(InstrumentalTrack(audio_file_path=str(tmp_path / "band.wav")))
    (tmp_path / "song.dspx").write_bytes(Converter(".dspx").dump(project)[0])
    (tmp_path / "band.wav").write_bytes(b"RIFF")
    monkeypatch.setattr(MediaInfo, "parse", lambda *_, **__: pytest.fail("a file was read"))
    monkeypatch.setattr(Predictor, "load", lambda *_: wild)
    cli.main(["humanize", str(tmp_path / "song.dspx"), "-o", str(tmp_path / "sung.dspx"), "--singer", "7"])
    shown = capsys.readouterr()
    assert shown.err == f"{tmp_path / 'song.dspx'}: it is not carried: 1 audio track.\n"
    assert shown.out == f"{tmp_path / 'sung.dspx'}: with the timing of singer 7\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["band.wav", "song.dspx", "sung.dspx"]


def test_what_is_read_back_is_compared():
    wanted = a_project()

    def read(change):
        project = wanted.model_copy(deep=True)
        change(project)
        return _lost(wanted, project)

    def of_notes(**values):
        return lambda project: [setattr(project.track_list[1].note_list[2], *each) for each in values.items()]

    assert read(lambda project: None) == []
    assert read(of_notes(lyric="x", pronunciation="y")) == ["the lyric of 1 note", "the pronunciation of 1 note"]
    assert read(of_notes(key_number=1)) == ["the key number of 1 note"]
    assert read(lambda project: project.track_list[0].edited_params.pitch.points.root.clear()) == ["the curve of pitch"]
    assert read(lambda project: project.time_signature_list.append(TimeSignature(numerator=3))) == ["time signatures"]
    assert read(lambda project: setattr(project.track_list[0], "ai_singer_name", "Teto")) == ["the singer"]
    for change, message in (
        (of_notes(start_pos=1204), "notes up to 0.00833 beats away"),
        (lambda project: project.track_list.pop(), "another number of notes"),
        (lambda project: project.track_list[0].note_list.pop(), "another number of notes"),
        (lambda project: project.song_tempo_list.append(SongTempo(position=5, bpm=90)), "another tempo"),
    ):
        with pytest.raises(InputError, match=message):
            read(change)


def packed(size):
    """An archive that unpacks to as many bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("chart.json", b"0" * size)
    return out.getvalue()


ENTITIES = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><score-partwise>&b;</score-partwise>'


@pytest.mark.parametrize(
    ("suffix", "content", "message"),
    [
        (".musicxml", ENTITIES.encode(), "its XML defines entities"),
        (".ccs", ENTITIES.encode("utf-16"), "its XML defines entities"),
        (".vog", packed(2**17), "larger than 0 MiB"),
        (".dspx", zstd.compress(b"0" * 2**17), "larger than 0 MiB"),
        (".acep", b'{"content": "' + base64.b64encode(zstd.compress(b"0" * 2**17)) + b'"}', "larger than 0 MiB"),
        (".svip", b"no project", "libresvip cannot read it"),
        (".tlp", b"[" * 100_000, "libresvip cannot read it"),
        (".ufdata", b'{"formatVersion": 1}', "libresvip cannot read it"),
    ],
)
def test_a_file_of_another_kind_is_refused(suffix, content, message, monkeypatch):
    monkeypatch.setattr(converters, "LARGEST_FILE", 2**16)
    monkeypatch.setattr(smf, "LARGEST_FILE", 2**16)
    with pytest.raises(InputError, match=message):
        open_editor(content, suffix, None)


@pytest.mark.parametrize("suffix", [".acep", ".ccs", ".dspx", ".tssln", ".vsq"])
def test_damage_ends_in_a_sentence(suffix, rng):
    content = content_of(suffix, tracks=1)
    for at in rng.integers(0, len(content), size=6).tolist():
        with suppress(InputError):
            open_editor(content[:at] + bytes(rng.integers(0, 256, 3).tolist()) + content[at + 3 :], suffix, None)
        with suppress(InputError):
            open_editor(content[:at], suffix, None)


def test_without_the_extra_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "libresvip.extension.base", None)
    with pytest.raises(InputError, match=r"pip install 'toy-duration-predictor\[editors\]'"):
        open_editor(b"", ".ccs", None)


def test_libresvip_leaves_no_trace_and_is_loaded_only_where_it_is_needed(tmp_path):
    code = """
import json, os, sys
import yaml
from toy_duration_predictor.scores import editors, in_place
assert not [name for name in sys.modules if name.startswith(("libresvip", "xsdata", "loguru"))]
from toy_duration_predictor.scores.converters import Converter
Converter(".dspx")
assert json.dumps({"a": [1, 2]}) == '{"a": [1, 2]}', json.dumps({"a": [1, 2]})
assert sys.modules["yaml"] is yaml
"""
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=LONGEST)
    assert not [*tmp_path.rglob("*libresvip*")]
