"""Files that are not quite as the format has them, and that other programs play."""

import io

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.midi.test_smf import header, track
from tests.data.midi.test_voices import notes
from toy_duration_predictor.data.midi.events import track_bytes
from toy_duration_predictor.data.midi.smf import END_OF_TRACK, META, Tracks, parse, replace_tracks, unparse
from toy_duration_predictor.data.midi.voice import read_voice
from toy_duration_predictor.errors import InputError

SONG = [*notes(16), (16 * 240, META, END_OF_TRACK, b"")]
BODY = track_bytes(SONG)
FILE = header() + track(BODY)
FOLLOWS = "bytes follow the last track that its header counts"
LENGTH = "a track has not the length that it says"


def chunk(name, body, length=None):
    return name + (len(body) if length is None else length).to_bytes(4) + body


def in_riff(content, before=b"", after=b""):
    body = b"RMID" + before + b"data" + len(content).to_bytes(4, "little") + content + bytes(len(content) % 2) + after
    return b"RIFF" + len(body).to_bytes(4, "little") + body


CONDUCTOR = b"\0\xff\x51\3\7\xa1\x20\0\xff\x2f\0"
# Each with what is said of it, and the number of its tracks.
FILES = {
    "text after the last track": (FILE + b"Sequenced by someone, 1997, all rights r.", FOLLOWS, 1),
    "a chunk too long after it": (FILE + chunk(b"XFIH", b"abcd", 500), FOLLOWS, 1),
    "a track that is not counted": (FILE + track(BODY), FOLLOWS, 1),
    "zeros at the end": (FILE + bytes(3), FOLLOWS, 1),
    "the last track's length too long": (header() + chunk(b"MTrk", BODY, len(BODY) + 5), LENGTH, 1),
    "the last track's length too short": (header() + chunk(b"MTrk", BODY, len(BODY) - 7), LENGTH, 1),
    "no length at all": (header(1, 2) + chunk(b"MTrk", BODY, 0) + track(CONDUCTOR), LENGTH, 2),
    "a length too long by the next track": (
        header(1, 2) + chunk(b"MTrk", CONDUCTOR, len(CONDUCTOR) + 9) + track(BODY),
        LENGTH,
        2,
    ),
    "a length too long with text after the track": (
        header() + chunk(b"MTrk", BODY, 999) + b"text",
        (LENGTH, FOLLOWS),
        1,
    ),
    "fewer tracks than are counted": (header(1, 3) + track(BODY), "it has fewer tracks than its header counts", 1),
    "format 2 with one track": (header(form=2) + track(BODY), "it is of format 2, with one track", 1),
    "a volume of 255": (
        header() + track(b"\0\xb0\7\xff" + BODY),
        "a message that is no note has a value above 127",
        1,
    ),
    "a RIFF file": (in_riff(FILE), None, 1),
    "a RIFF file with other chunks": (in_riff(FILE, chunk(b"LIST", b"")[:4] + bytes(4), b"DISP\4\0\0\0abcd"), None, 1),
    "realtime messages": (header() + track(b"\0\xf8\0\xfe\5\xfa" + BODY + b""), None, 1),
    "a song position": (header() + track(b"\0\xf2\1\2\0\xf3\1\0\xf6" + BODY), None, 1),
    "bytes after a track's end": (header() + track(BODY + b"left"), None, 1),
}


@pytest.mark.parametrize(("content", "remark", "number"), FILES.values(), ids=FILES)
def test_what_is_no_doubt_is_read_and_said(content, remark, number):
    tracks = parse(content)
    assert tracks.remarks == (remark if isinstance(remark, tuple) else (remark,) if remark else ())
    assert len(tracks.tracks) == number
    assert read_voice(tracks).duration.tolist() == [240] * 16
    # All that is not a track's comes back.
    assert replace_tracks(content, {}) == content
    same = replace_tracks(content, dict(enumerate(tracks.tracks)))
    assert parse(same).tracks == tracks.tracks
    if LENGTH not in tracks.remarks:
        assert same == content


def test_a_realtime_message_does_not_end_running_status():
    body = bytes([0, 0x90, 60, 100, 10, 0xF8, 0, 60, 0])
    assert parse(header() + track(body)).tracks == [
        [(0, 0x90, 60, b"\x64"), (10, 0xF8, 0, b""), (10, 0x90, 60, b"\0")],
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        # Its end is missing, so some of its notes may be.
        (header() + chunk(b"MTrk", BODY[:-4], len(BODY)), "is cut: it has"),
        # A message may have lost a byte, where values are above 127 and the track's end is not where it should be.
        (header() + chunk(b"MTrk", b"\0\xb0\7\xff" + BODY, len(BODY)), "it has values above 127"),
        (header() + track(b"\0\xb0\7\xff" + BODY[:-4]), "damaged"),
        (header() + track(b"\0\x90\x40\xff" + BODY), "the event at byte 24 is damaged"),
        (header(2, 2) + track(BODY) + track(BODY), "it is of format 2, with 2 tracks"),
        (in_riff(b"MThd"), "it is not a Standard MIDI File"),
        (b"RIFF\0\0\0\0RMIDLIST\xff\xff\xff\xff", "it is not a Standard MIDI File"),
        (header() + chunk(b"XFIH", b"abcd", 500) + track(BODY), "it has no tracks"),
    ],
)
def test_what_is_in_doubt_is_refused(content, reason):
    with pytest.raises(InputError) as error:
        parse(content)
    assert reason in str(error.value)


def test_a_performance_in_a_riff_file_is_one():
    """The lengths of both chunks follow, and an even number of bytes stays one."""
    after = b"DISP\4\0\0\0abcd"
    for more in (b"", b"\0\xff\1\1x"):
        content = in_riff(header() + track(more + BODY), after=after)
        longer = [(0, META, 1, b"ab"), *parse(content).tracks[0]]
        changed = replace_tracks(content, {0: longer})
        assert parse(changed).tracks == [longer]
        assert changed == in_riff(unparse(Tracks(0, 480, [longer])), after=after)
    at_960 = replace_tracks(in_riff(FILE), {}, 960)
    assert parse(at_960).ticks_per_beat == 960


@given(st.binary(max_size=60), st.integers(0, 3))
def test_whatever_follows_the_last_track_is_kept(tail, bytes_more):
    content = header(1, 2) + track(CONDUCTOR) + chunk(b"MTrk", BODY, len(BODY) + bytes_more) + bytes(bytes_more) + tail
    tracks = parse(content)
    assert tracks.tracks == parse(header(1, 2) + track(CONDUCTOR) + track(BODY)).tracks
    moved = [(tick + 5, *event) for tick, *event in tracks.tracks[1]]
    changed = replace_tracks(content, {1: moved})
    assert changed.endswith(bytes(bytes_more) + tail)
    assert parse(changed).tracks == [tracks.tracks[0], moved]
    by_mido = mido.MidiFile(file=io.BytesIO(replace_tracks(header() + track(BODY) + tail, {0: moved[:-1]})))
    assert len(by_mido.tracks) == 1
