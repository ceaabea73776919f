"""Files of singing editors that are changed in place: only the times of notes and curves are others."""

import io
import json
import re
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scores.test_humanize import SEVEN, Wild
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.scores.humanize import humanize_bytes
from toy_duration_predictor.scores.in_place import IN_PLACE, open_in_place
from toy_duration_predictor.scores.perform import HumanizeSettings
from toy_duration_predictor.scores.projects import BLICKS

# Each file has two notes, at ticks 480 to 960 and 960 to 1440, and where they move to here.
BEFORE, AFTER = [480, 960, 960, 1440], [480, 900, 1000, 1500]

USTX = """\
\ufeffname: "no: yes"   # a comment
resolution: 480
tempos: [{position: 0, bpm: 90}]
tracks: [{singer: 重音テト, phonemizer: OpenUtau.X}, {singer: b}]
voice_parts:
- {name: empty, track_no: 0, position: 0, notes: []}
- name: 'a'
  track_no: 1
  position: 960
  duration: 1510
  notes:
  - {position: START2, duration: LENGTH2, tone: 62, lyric: no, vibrato: {length: 50}}
  - position: START1
    duration: LENGTH1
    tone: 60
    lyric: か
    pitch: {data: [{x: -40, y: 0, shape: io}]}
  curves:
  - xs: [0, 480, MIDDLE1, MIDDLE2, 9000]
    ys: [1, 2, 3, 4, 5]
    abbr: dyn
wave_parts: [{relative_path: band.wav, position: 0}]
"""
UST = """\
[#VERSION]\r
UST Version1.2\r
[#SETTING]\r
Tempo=120.00\r
[#0000]\r
Length=START1\r
Lyric=R\r
NoteNum=60\r
[#0001]\r
Length=LENGTH1\r
Lyric=か\r
NoteNum=60\r
PBS=-40\r
[#0002]\r
Tempo=90\r
Length=LENGTH2\r
Lyric=[#k\r
NoteNum=62\r
[#TRACKEND]\r
"""
VSQX = """\
<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<!-- a comment --><vsq4 xmlns="http://www.yamaha.co.jp/vocaloid/schema/vsq4/">
<masterTrack><resolution>480</resolution><tempo><t>0</t><v>12000</v></tempo></masterTrack>
<vsTrack><tNo>0</tNo><vsPart><t>0</t><playTime>10</playTime></vsPart></vsTrack>
<vsTrack><tNo>1</tNo><vsPart>
  <t>7680</t><playTime>1510</playTime><name><![CDATA[é<t>1</t>]]></name>
  <singer><t>0</t><bs>4</bs></singer>
  <cc><t>480</t><v id="D">3</v></cc><cc><t>MIDDLE1</t><v id="P">-3</v></cc><cc><t>MIDDLE2</t><v id="D">4</v></cc>
  <note><t>START1</t><dur>LENGTH1</dur><n>60</n><v>64</v><y><![CDATA[か]]></y><p lock="1">k a</p>
    <nStyle><v id="vibLen">50</v><seq id="vibDep"><cc><p>100</p><v>7</v></cc></seq></nStyle></note>
  <note><t>START2</t><dur>LENGTH2</dur><n>62</n><v>64</v></note>
</vsPart></vsTrack></vsq4>
"""
VSQ3 = """\
<vsq3><vsTrack><vsTrackNo>0</vsTrackNo></vsTrack><vsTrack><musicalPart><posTick>7680</posTick><playTime>1510</playTime>
<singer><posTick>0</posTick></singer><mCtrl><posTick>MIDDLE1</posTick><attr id="DYN">3</attr></mCtrl>
<note><posTick>START1</posTick><durTick>LENGTH1</durTick><noteNum>60</noteNum><lyric><![CDATA[か]]></lyric></note>
<note><posTick>START2</posTick><durTick>LENGTH2</durTick><noteNum>62</noteNum></note></musicalPart></vsTrack></vsq3>
"""


def filled(text, times, unit=1):
    """A file whose notes have these times, and the middle of each note a point of a curve."""
    start1, end1, start2, end2 = times
    values = {"START1": start1, "LENGTH1": end1 - start1, "START2": start2, "LENGTH2": end2 - start2}
    values |= {"MIDDLE1": (start1 + end1) // 2, "MIDDLE2": (start2 + end2) // 2}
    return re.sub("|".join(values), lambda match: str(values[match[0]] * unit), text)


def an_svp(times):
    notes = [{"onset": "START2", "duration": "LENGTH2", "pitch": 62, "lyrics": "か", "attributes": {"tF0Left": 0.1}}]
    notes.append({"onset": "START1", "duration": "LENGTH1", "pitch": 60, "phonemes": "k a"})
    delta = {"mode": "cubic", "points": ["MIDDLE1", -1.5, "MIDDLE2", 30.25]}
    group = {"name": "chorus", "uuid": "u", "parameters": {"pitchDelta": delta}, "notes": notes}
    empty = {"name": "main", "uuid": "m", "parameters": {"pitchDelta": {"points": []}}, "notes": []}
    tracks = [
        {"mainGroup": empty, "mainRef": {"groupID": "m", "database": {"name": "Saki"}}, "groups": []},
        {"mainGroup": empty, "groups": [{"groupID": "u", "blickOffset": 5}, {"groupID": "u", "blickOffset": 7}]},
    ]
    time = {"meter": [{"index": 0}], "tempo": [{"position": 0, "bpm": 93.5}]}
    project = {"version": 113, "time": time, "library": [group], "tracks": tracks}
    text = json.dumps(project, ensure_ascii=False, separators=(",", ":"))
    return (
        re.sub(r'"((?:START|LENGTH|MIDDLE)\d)"', lambda match: filled(match[1], times, BLICKS), text) + "\0"
    ).encode()


def a_vpr(times):
    at, middle = [times[0], times[2]], [(times[0] + times[1]) // 2, (times[2] + times[3]) // 2]
    length = [times[1] - times[0], times[3] - times[2]]
    # Vibrato lasts half a note, and its depth changes after a quarter.
    notes = [
        {
            "lyric": "か",
            "pos": at[i],
            "duration": length[i],
            "number": 60 + 2 * i,
            "vibrato": {"type": 1, "duration": length[i] // 2, "depths": [{"pos": length[i] // 4, "value": 64}]},
        }
        for i in (1, 0)
    ]
    events = [{"pos": each, "value": 3} for each in (480, *middle)]
    part = {"pos": 7680, "duration": 1510, "notes": notes, "controllers": [{"name": "dynamics", "events": events}]}
    tracks = [{"name": "audio", "parts": [{"pos": 0, "wav": {"name": "a.wav"}}]}, {"name": "voice", "parts": [part]}]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("Project/Audio/a.wav"), b"RIFF")
        song = {"voices": [{"compID": "BL8C"}], "tracks": tracks}
        text = json.dumps(song, ensure_ascii=False, separators=(",", ":"))
        archive.writestr(zipfile.ZipInfo("Project\\sequence.json"), text)
    return out.getvalue()


FILES = {
    ".ustx": lambda times: filled(USTX, times).encode(),
    ".svp": an_svp,
    ".vpr": a_vpr,
    ".vsqx": lambda times: filled(VSQX, times).encode(),
    "vsq3": lambda times: filled(VSQ3, times).encode(),
    ".ust": lambda times: filled(UST, times).encode("shift_jis"),
}


def opened(name, content, track=None):
    return open_in_place(content, ".vsqx" if name == "vsq3" else name, track)


@pytest.fixture(scope="module")
def wild():
    return Predictor(Wild(), [2, 7])


@pytest.mark.parametrize("name", FILES)
def test_nothing_changes_but_the_times_of_notes_and_curves(name):
    """Only the file's numbers at notes and curves are others, to the byte."""
    of = opened(name, FILES[name](BEFORE))
    (score,) = of.scores
    assert score.times.tolist() == BEFORE
    assert score.pitch.tolist() == [60, 62]
    assert score.latest == (2**31 - 1 if name in (".ust", ".svp") else 1510)
    # In a UST file the rest after a note that touched the next one is the note's.
    after = [480, 1000, 1000, 1500] if name == ".ust" else AFTER
    assert of.write([np.array(AFTER)]) == FILES[name](after)


@pytest.mark.parametrize("name", FILES)
def test_a_file_whose_notes_stay_stays(name):
    content = FILES[name](BEFORE)
    assert opened(name, content).write([np.array(BEFORE)]) == content


@pytest.mark.parametrize("suffix", IN_PLACE)
def test_a_file_is_sung(wild, suffix):
    content = FILES[suffix](BEFORE)
    sung = humanize_bytes(content, wild, SEVEN, suffix=suffix, out_suffix=suffix)
    times = opened(suffix, sung).scores[0].times
    assert (times != BEFORE).any()
    assert times[0] == 480
    still = humanize_bytes(content, wild, SEVEN, HumanizeSettings(strength=0), suffix, suffix)
    assert still == content


@given(st.data())
@pytest.mark.parametrize("name", FILES)
def test_any_times_come_back(name, data):
    """Whatever times notes have, they are read; and whatever times they move to, these are what is read then."""

    def some_times():
        lengths = [data.draw(st.integers(1, 700)) for _ in range(3)]
        # Rests between notes are notes' in UST files.
        lengths[1] *= name != ".ust"
        return np.cumsum([480, *lengths])

    before, after = some_times(), some_times()
    file = opened(name, FILES[name](before.tolist()))
    assert file.scores[0].times.tolist() == before.tolist()
    assert opened(name, file.write([after])).scores[0].times.tolist() == after.tolist()


@pytest.mark.parametrize("name", sorted(set(FILES) - {".ust"}))
def test_a_track_can_be_chosen(name):
    content = FILES[name](BEFORE)
    assert len(opened(name, content, track=1).scores) == 1
    for track in (0, 2, -1):
        with pytest.raises(InputError, match=f"it has no notes in track {track}"):
            opened(name, content, track)


@pytest.mark.parametrize("name", sorted(set(FILES) - {".ust"}))
@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([480, 961, 960, 1440], "in track 1 two notes sound at once at beat 2, and a voice has one note at a time"),
        ([480, 480, 960, 1440], "track 1 has a note of no length at beat 1"),
        ([-480, 480, 960, 1440], "track 1 has a note before its beginning"),
        ([480, 960, 2**31, 2**31 + 1], "track 1 has a note before its beginning, or after tick 2,147,483,647"),
    ],
)
def test_notes_that_no_voice_has_are_refused(name, times, message):
    with pytest.raises(InputError, match=message):
        opened(name, FILES[name](times))


def deflated(name, size=10):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, b" " * size)
    return out.getvalue()


LONE_HEAD = "[#0000]\nLyric=a\n"


@pytest.mark.parametrize(
    ("suffix", "content", "message"),
    [
        (".ustx", b"[" * 10**6, "nested deeper than OpenUtau's files are"),  # libyaml itself would crash
        (".ustx", b"a: &a [1]\nb: *a", "aliases"),
        (".ustx", b"\xff\xfe", "no .ustx file as its editor writes it"),
        (".ustx", b"", "no .ustx file as its editor writes it"),
        (".ustx", b"resolution: 960", "its resolution is 960, and OpenUtau's is 480"),
        (".ustx", b"resolution: 480\nvoice_parts: []", "it has no notes"),
        (".ustx", b"resolution: 480\nvoice_parts:\n- {notes: [{position: x}]}", "no .ustx file as its editor"),
        (".svp", b"[" * 10**6, "no .svp file as its editor writes it"),
        (".svp", b'{"tracks": 3}', "no .svp file as its editor writes it"),
        (".vpr", b"PK", "no .vpr file as its editor writes it"),
        (".vpr", deflated("other.json"), "no .vpr file as its editor writes it"),
        (".vpr", deflated("Project/sequence.json", 2**26 + 1), "larger than 64 MiB"),
        (".vsqx", b"<vsq4>", "no .vsqx file as its editor writes it"),
        (".vsqx", b'<!DOCTYPE a [<!ENTITY b "c">]><vsq4/>', "its XML defines entities"),
        (".ust", b"", "it has no notes"),
        (".ust", LONE_HEAD.encode(), r"its section \[#0000\] lacks a NoteNum or a Length"),
    ],
)
def test_a_file_of_another_kind_is_refused(suffix, content, message):
    with pytest.raises(InputError, match=message):
        open_in_place(content, suffix, None)
