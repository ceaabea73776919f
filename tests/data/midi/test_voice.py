import io
from itertools import pairwise
from unittest.mock import patch

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toy_duration_predictor.data.midi.pairs import Notes
from toy_duration_predictor.data.midi.smf import parse
from toy_duration_predictor.data.midi.voice import read_voice
from toy_duration_predictor.errors import InputError


def voice(*messages, ticks_per_beat=480, other=(), **options):
    """A voice from (tick, message) pairs; the file is written by mido."""
    file = mido.MidiFile(type=1 if other else 0, ticks_per_beat=ticks_per_beat, charset="latin-1")
    for pairs in filter(None, (other, messages)):
        track = mido.MidiTrack()
        file.tracks.append(track)
        ticks = [0, *(tick for tick, _ in pairs)]
        for (before, after), (_, message) in zip(pairwise(ticks), pairs, strict=True):
            track.append(message.copy(time=after - before))
    buffer = io.BytesIO()
    file.save(file=buffer)
    return read_voice(parse(buffer.getvalue()), **options)


def on(pitch, velocity=100):
    return mido.Message("note_on", note=pitch, velocity=velocity)


def off(pitch):
    return mido.Message("note_off", note=pitch)


def meta(kind, **values):
    return mido.MetaMessage(kind, **values)


def notes(v):
    return list(zip(v.onset.tolist(), v.duration.tolist(), v.pitch.tolist(), strict=True))


def test_notes_of_either_kind_of_end():
    v = voice((0, on(60)), (100, off(60)), (120, on(62)), (240, on(62, velocity=0)))
    assert notes(v) == [(0, 100, 60), (120, 120, 62)]
    assert v.mended == {}


def test_overlapping_notes_end_where_the_next_begins():
    v = voice((0, on(60)), (100, on(62)), (120, off(60)), (200, off(62)))
    assert notes(v) == [(0, 100, 60), (100, 100, 62)]
    assert v.mended == {"a note begins before the last one ended": 1, "an end without a note": 1}


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(60, 62)), min_size=1, max_size=9),
    st.none() | st.tuples(st.integers(0, 9), st.booleans(), st.integers(60, 62)),
)
def test_tidy_notes_are_those_that_need_no_mending(steps, more):
    """The short way for tidy notes against the rules for all others."""
    messages, tick = [], 0
    for rest, length, pitch in steps:
        messages += [(tick + rest, on(pitch)), (tick := tick + rest + length, off(pitch))]
    if more is not None:
        messages = sorted([*messages, (more[0], (on if more[1] else off)(more[2]))], key=lambda pair: pair[0])
    found = []
    for shortened in (Notes.is_tidy, False):
        with patch.object(Notes, "is_tidy", shortened):
            try:
                v = voice(*messages)
            except InputError:
                found.append(None)
            else:
                found.append((notes(v), v.mended, v.taken))
    assert found[0] == found[1]
    assert more or not all(length for _, length, _ in steps) or found[0][1] == {}


def test_touching_notes_of_one_pitch_are_two():
    """Whichever of end and beginning stands first in the file."""
    v = voice((0, on(60)), (480, on(60)), (480, off(60)), (960, off(60)))
    assert notes(v) == [(0, 480, 60), (480, 480, 60)]
    assert notes(voice((0, on(60)), (480, off(60)), (480, on(60)), (960, off(60)))) == notes(v)


def test_of_a_chord_the_highest_note_is_sung():
    v = voice((0, on(60)), (0, on(67)), (0, on(64)), (100, off(64)), (110, off(67)), (120, off(60)))
    assert notes(v) == [(0, 110, 67)]
    assert v.mended == {"several notes begin at once": 2, "an end without a note": 2}


def test_a_hanging_note_ends_with_its_track():
    v = voice((0, on(60)), (480, meta("text", text="x")))
    assert notes(v) == [(0, 480, 60)]
    assert v.mended == {"a note is never ended": 1}


def test_a_note_of_no_length_is_none():
    v = voice((0, on(60)), (0, off(60)), (10, on(62)), (20, off(62)))
    assert notes(v) == [(10, 10, 62)]
    assert v.mended == {"a note ends where it begins": 1}


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([(0, meta("text", text="x"))], "it has no notes"),
        ([(0, on(60)), (0, off(60))], "none of its notes lasts a tick"),
    ],
)
def test_a_voice_without_notes_is_refused(messages, reason):
    with pytest.raises(InputError, match=reason):
        voice(*messages)


def test_the_track_with_the_most_notes_or_the_given_one():
    other = [(0, on(40)), (960, off(40))]
    messages = [(0, on(60)), (100, off(60)), (120, on(62)), (240, off(62))]
    assert len(voice(*messages, other=other).onset) == 2
    assert notes(voice(*messages, other=other, track=0)) == [(0, 960, 40)]
    listed = r"its voices are: track 0 \(channel 1, 1 note\); track 1 \(channel 1, 2 notes\)"
    with pytest.raises(InputError, match=f"none of its voices is number 2; {listed}"):
        voice(*messages, other=other, track=2)
    with pytest.raises(InputError, match="none of its voices is number 0; its voices are: track 1"):
        voice(*messages, other=[(0, meta("text", text="x"))], track=0)


@pytest.mark.parametrize("encoding", ["utf-8", "cp949"])
@pytest.mark.parametrize("kind", ["lyrics", "text"])
def test_lyrics_in_their_encodings(encoding, kind):
    def text(words):
        return meta(kind, text=words.encode(encoding).decode("latin-1"))

    v = voice((0, on(60)), (0, text("사 ")), (100, off(60)), (100, on(62)), (100, text("랑")), (200, off(62)))
    assert v.lyric == ["사", "랑"]


def test_lyrics_that_are_neither_are_latin_1():
    v = voice((0, on(60)), (0, meta("lyrics", text="é\xff")), (100, off(60)))
    assert v.lyric == ["é\xff"]


def test_text_is_no_lyric_where_there_are_lyrics():
    v = voice((0, on(60)), (0, meta("text", text="verse")), (0, meta("lyrics", text="la")), (100, off(60)))
    assert v.lyric == ["la"]


def test_lyrics_on_another_track():
    v = voice((0, on(60)), (100, off(60)), (100, on(62)), (200, off(62)), other=[(100, meta("lyrics", text="la"))])
    assert v.lyric == ["", "la"]


def test_tempo_and_metre_changes():
    v = voice(
        (0, on(60)),
        (0, meta("time_signature", numerator=3, denominator=4)),
        (480, off(60)),
        (480, meta("set_tempo", tempo=1_000_000)),
        (960, on(62)),
        (960, meta("time_signature", numerator=6, denominator=8)),
        (1440, off(62)),
    )
    assert v.tempos.tolist() == [[0, 500_000], [480, 1_000_000]]
    assert v.metres.tolist() == [[0, 3, 4], [960, 6, 8]]
    assert v.seconds(np.array([0, 240, 480, 960, 1440])).tolist() == pytest.approx([0, 0.25, 0.5, 1.5, 2.5])


@given(st.lists(st.tuples(st.integers(1, 2000), st.integers(60_000, 2_000_000)), max_size=8), st.integers(0, 20_000))
def test_seconds_against_mido(changes, tick):
    ticks = np.cumsum([0, *(gap for gap, _ in changes)])
    pairs = [(int(at), meta("set_tempo", tempo=tempo)) for at, (_, tempo) in zip(ticks[1:], changes, strict=True)]
    v = voice(*sorted([(0, on(60)), (20_000, off(60)), *pairs], key=lambda pair: pair[0]))
    expected, before, tempo = 0.0, 0, 500_000
    for at, message in pairs:
        if at >= tick:
            break
        expected += mido.tick2second(at - before, 480, tempo)
        before, tempo = at, message.tempo
    expected += mido.tick2second(tick - before, 480, tempo)
    assert v.seconds(np.array([tick]))[0] == pytest.approx(expected)
