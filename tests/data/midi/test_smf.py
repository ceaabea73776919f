"""Reading and writing MIDI files, against mido, and against damage."""

import io
import tracemalloc
from pathlib import Path

import midii
import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toy_duration_predictor.data.midi.recipe import NAMES, Recipe, read_row, song
from toy_duration_predictor.data.midi.smf import LARGEST_FILE, META, SYSEX, Tracks, parse, replace_tracks, unparse
from toy_duration_predictor.data.midi.voice import read_voice
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.scores.humanize import humanize

REAL = [path.read_bytes() for path in midii.sample.dataset]


def by_mido(content):
    """Each track's events as (tick, bytes), as mido reads them. End-of-track events are left out."""
    tracks = []
    for track in mido.MidiFile(file=io.BytesIO(content), charset="latin-1").tracks:
        tick, events = 0, []
        for message in track:
            tick += message.time
            if message.type != "end_of_track":
                events.append((tick, bytes(message.bytes())))
        tracks.append(events)
    return tracks


def by_us(content):
    def whole(status, kind, data):
        if status == META:
            return bytes([META, kind]) + variable_length(len(data)) + data
        return bytes([status]) + data if status == SYSEX else bytes([status, kind]) + data

    return [
        [(tick, whole(*rest)) for tick, *rest in track if rest[:2] != [META, 0x2F]] for track in parse(content).tracks
    ]


def variable_length(n):
    return bytes([n]) if n < 128 else bytes([n >> 7 | 0x80, n & 0x7F])


@pytest.mark.parametrize("content", REAL)
def test_real_files_are_read_as_mido_reads_them(content):
    assert by_us(content) == by_mido(content)


@pytest.mark.parametrize("content", [path.read_bytes() for path in midii.sample.simple])
def test_simple_files_are_read_as_mido_reads_them(content):
    assert by_us(content) == by_mido(content)


@pytest.mark.parametrize("content", REAL)
def test_writing_loses_nothing(content):
    tracks = parse(content)
    assert parse(unparse(tracks)) == tracks
    assert by_mido(unparse(tracks)) == by_mido(content)


def test_a_track_is_replaced_and_every_other_byte_stays():
    odd = b"XFIH\0\0\0\2ab"
    first, second = track(b"\0\x90\x40\x40\x60\x40\0\0\xff\x2f\0"), track(b"\0\xff\x2f\0")
    content = header(form=1, tracks=2) + odd + first + odd + second + b"tail"
    other = [(0, 0x90, 64, b"\x40"), (200, 0x80, 64, b"\0"), (200, META, 0x2F, b"")]
    changed = replace_tracks(content, {1: other})
    assert changed.startswith(header(form=1, tracks=2) + odd + first + odd)
    assert changed.endswith(b"tail")
    assert parse(changed).tracks == [parse(content).tracks[0], other]
    assert replace_tracks(content, {0: other}).endswith(odd + second + b"tail")


deltas = st.integers(0, 2**28 - 1)
data = st.integers(0, 127)
channel = st.builds(
    lambda status, kind, second: (0, status, kind, b"" if 0xC0 <= status < 0xE0 else bytes([second])),
    st.integers(0x80, 0xEF),
    data,
    data,
)
meta = st.builds(lambda kind, text: (0, META, kind, text), st.integers(0, 0x2E), st.binary(max_size=200))
sysex = st.builds(lambda text: (0, SYSEX, 0, text), st.binary(max_size=20))


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 10**6), channel | meta | sysex), max_size=20), min_size=1, max_size=3)
)
def test_every_kind_of_event_comes_back(tracks):
    made = []
    for events in tracks:
        tick, track = 0, []
        for delta, event in events:
            tick += delta
            track.append((tick, *event[1:]))
        made.append(track)
    whole = Tracks(1, 480, made)
    assert parse(unparse(whole)) == whole


def header(form=0, tracks=1, division=480):
    return b"MThd" + (6).to_bytes(4) + form.to_bytes(2) + tracks.to_bytes(2) + division.to_bytes(2)


def track(body):
    return b"MTrk" + len(body).to_bytes(4) + body


def test_running_status_and_alien_chunks():
    body = bytes([0, 0x90, 60, 100, 10, 60, 0, 0, 62, 100, 10, 62, 0])
    content = header() + b"XFIH" + (3).to_bytes(4) + b"abc" + track(body)
    assert parse(content).tracks == [
        [
            (0, 0x90, 60, b"\x64"),
            (10, 0x90, 60, b"\0"),
            (10, 0x90, 62, b"\x64"),
            (20, 0x90, 62, b"\0"),
        ]
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a Standard MIDI File"),
        (b"RIFF1234RMIDdata", "not a Standard MIDI File"),
        (header(form=2, tracks=2) + track(b""), "of format 2"),
        (header(form=3) + track(b""), "of format 3"),
        (header(division=0xE250) + track(b""), "ticks per beat"),
        (header(division=0) + track(b""), "ticks per beat"),
        (header(), "no tracks"),
        (header() + track(b"\0\x90\x40\x40")[:-1], "is cut"),
        (header() + track(b"\0\x90\x40"), "damaged"),
        (header() + track(b"\0\x90\x40\x80"), "damaged"),
        (header() + track(b"\0\x40\x40"), "neither an event"),
        (header() + track(b"\0\xf4"), "0xf4, which no track can have"),
        (header() + track(b"\xff\xff\xff\xff\x7f\x90\x40\x40"), "the number at byte"),
        (header() + track(b"\0\xff\x05\x7fabc"), "it has 127 bytes, and its track fewer"),
        (header() + track(b"\0"), "is cut"),
        (header() + track(b"\xff\xff\xff\x7f\x90\x40\x40" * 9), "ticks from the beginning"),
    ],
)
def test_damage_is_refused_by_name(content, reason):
    with pytest.raises(InputError) as error:
        parse(content)
    assert reason in str(error.value)


@given(st.sampled_from(REAL), st.data())
def test_a_damaged_file_ends_in_a_row_or_a_refusal(content, data):
    """A few hundred each time; `scripts/bench.py fuzz` makes ten thousand."""
    spoilt = bytearray(content)
    for _ in range(data.draw(st.integers(1, 8))):
        where = data.draw(st.integers(0, len(spoilt) - 1))
        spoilt[where] = data.draw(st.sampled_from([0, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    spoilt = spoilt[: data.draw(st.integers(0, len(spoilt)) | st.just(len(spoilt)))]
    try:
        row = song(read_voice(parse(bytes(spoilt))), Recipe())
    except InputError:
        return
    assert len(row["durations"]) == len(row["quantized_durations"]) == len(row["pitch"])
    assert row["durations"].min() >= 1


def test_huge_lengths_take_no_memory():
    content = header() + track(b"\0\xff\x05\xff\xff\xff\x7f" + b"a" * 100)
    tracemalloc.start()
    with pytest.raises(InputError):
        parse(content)
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


def test_large_files_are_refused_before_they_are_read(tmp_path, monkeypatch):
    file = tmp_path / "ba_05688_-4_a_s02_m_02.mid"
    with file.open("wb") as sparse:
        sparse.truncate(LARGEST_FILE + 1)
    predictor = Predictor.load("demo")
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} was read"))
    with pytest.raises(InputError, match="larger than 64 MiB"):
        read_row(file, Recipe(), NAMES)
    with pytest.raises(InputError, match="larger than 64 MiB"):
        humanize(file, tmp_path / "performance.mid", predictor, singer=2)


def test_large_contents_are_refused():
    with pytest.raises(InputError, match="larger than 64 MiB"):
        parse(b"MThd" + bytes(LARGEST_FILE))
