"""Notes fitted to times that they are wanted at, and put back into their tracks."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toy_duration_predictor.data.midi import voices
from toy_duration_predictor.data.midi.smf import LAST_TICK, LYRIC, META, TEXT, TIME_SIGNATURE, Tracks, parse, unparse
from toy_duration_predictor.data.midi.voice import read_voice
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.scores.midi import Reading, open_midi, read_score
from toy_duration_predictor.scores.score import Score, fit, warp


def on(tick, pitch=60, channel=0):
    return (tick, 0x90 | channel, pitch, b"\x64")


def off(tick, pitch=60, channel=0):
    return (tick, 0x80 | channel, pitch, b"\x40")


def meta(tick, kind, data=b"x"):
    return (tick, META, kind, data)


END = 0x2F


def read(*events, ticks_per_beat=480, **reading):
    tracks = Tracks(0, ticks_per_beat, [sorted(events, key=lambda event: event[0])])
    return read_score(tracks, Reading(**reading))[0]


def move_notes(events, before, after):
    """A file of one track, and what it is when the notes have moved."""
    opened = open_midi(unparse(Tracks(0, 480, [events])))
    assert opened.score.times.tolist() == before.tolist()
    return parse(opened.write(after)).tracks[0]


def score(times, latest=LAST_TICK, least=None):
    times = np.array(times)
    least = np.arange(len(times) - 1) % 2 ^ 1 if least is None else np.array(least)
    return Score(times, least, latest, 480)


def test_notes_and_the_rests_between_them():
    found = read(on(100), off(200), on(200, 62), off(290, 62), on(300), off(400))
    assert found.times.tolist() == [100, 200, 200, 290, 300, 400]
    assert found.least.tolist() == [1, 0, 1, 0, 1]
    assert (found.latest, found.ticks_per_beat) == (LAST_TICK, 480)
    assert found.pitch.tolist() == [60, 62, 60]


def test_only_the_sung_part_and_where_it_must_end():
    j, h = meta(0, LYRIC, b"J"), meta(900, LYRIC, b"H")
    events = [j, on(0), off(100), on(200), off(300), h, on(900), off(1000)]
    assert read(*events).times.tolist() == [0, 100, 200, 300, 900, 1000]
    found = read(*events, begin="J", end="H")
    assert found.times.tolist() == [200, 300]
    assert found.latest == 900


@st.composite
def wanted(draw):
    """A score, and times that may lie anywhere."""
    steps = draw(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50)), min_size=1, max_size=12))
    durations = [ticks for pair in steps for ticks in pair][:-1]
    made = score(np.concatenate([[10], 10 + np.cumsum(durations)]))
    least = [draw(st.integers(i % 2 == 0, ticks)) for i, ticks in enumerate(durations)]
    made = made._replace(least=np.array(least), latest=int(made.times[-1]) + draw(st.integers(0, 60)))
    places = np.array(draw(st.lists(st.integers(-300, 900), min_size=len(made.times), max_size=len(made.times))))
    return made, places.astype(float)


@given(wanted())
def test_fitted_times_keep_every_rule(example):
    made, places = example
    times = fit(places, made)
    assert (np.diff(times) >= made.least).all()
    assert times[0] == made.times[0]
    assert times[-1] <= made.latest


@given(wanted())
def test_times_that_keep_the_rules_are_not_moved(example):
    made, _ = example
    assert (fit(made.times + 0.4, made) == made.times).all()


def test_a_note_that_would_vanish_pushes_what_is_after_it():
    made = score([0, 100, 100, 200, 250, 300])
    assert fit(np.array([0, 50, 40, 30, 30, 400.0]), made).tolist() == [0, 50, 50, 51, 51, 400]
    assert fit(np.array([90, 50, 80, 130, 130, 400.0]), made).tolist() == [0, 50, 80, 130, 130, 400]
    ends = made._replace(latest=300)
    assert fit(np.array([0, 50, 60, 320, 330, 400.0]), ends).tolist() == [0, 50, 60, 299, 299, 300]


def test_what_stands_between_notes_goes_with_them():
    before, after = np.array([100, 200, 200, 300]), np.array([100, 180, 220, 400])
    ticks = np.array([0, 99, 100, 150, 199, 200, 250, 299, 300, 350, 500])
    assert warp(ticks, before, after).tolist() == [0, 99, 100, 140, 179, 220, 310, 398, 400, 400, 500]


@given(wanted(), st.lists(st.integers(0, 900), max_size=20))
def test_order_is_kept(example, ticks):
    made, places = example
    ticks = np.array(sorted([*ticks, *made.times[::2]]))
    moved = warp(ticks, made.times, fit(places, made))
    assert (np.diff(moved) >= 0).all()


def test_lyrics_go_with_their_notes_and_nothing_else_does():
    events = [
        meta(0, TIME_SIGNATURE, b"\x04\x02\x18\x08"),
        meta(90, LYRIC, b"\xbb\xe7"),
        on(100),
        off(200),
        on(200, 62),
        meta(200, LYRIC, b"\xb6\xfb"),
        (250, 0xB0, 7, b"\x50"),
        off(300, 62),
        meta(300, END, b""),
    ]
    moved = move_notes(events, np.array([100, 200, 200, 300]), np.array([100, 180, 260, 400]))
    assert moved == [
        events[0],
        events[1],
        on(100),
        off(180),
        (250, 0xB0, 7, b"\x50"),
        on(260, 62),
        meta(260, LYRIC, b"\xb6\xfb"),
        off(400, 62),
        meta(400, END, b""),
    ]


@pytest.mark.parametrize(("lyrics", "moves_to"), [([], 260), ([meta(90, LYRIC)], 200)])
def test_text_at_an_onset_is_a_lyric_where_there_are_none(lyrics, moves_to):
    events = [*lyrics, on(100), meta(150, TEXT), off(200), on(200, 62), meta(200, TEXT), off(300, 62)]
    moved = move_notes(events, np.array([100, 200, 200, 300]), np.array([100, 180, 260, 400]))
    assert [tick for tick, status, kind, _ in moved if (status, kind) == (META, TEXT)] == [150, moves_to]


def heard(events):
    """Notes as an instrument plays them: (pitch, onset, end), an end stops the note of its pitch."""
    sounding, notes = {}, []
    for tick, status, pitch, data in events:
        if status & 0xF0 == 0x90 and data != b"\0":
            sounding[pitch] = tick
        elif status & 0xF0 in (0x80, 0x90) and pitch in sounding:
            notes.append((pitch, sounding.pop(pitch), tick))
    return sorted(notes, key=lambda note: note[1:])


UNTIDY = {
    "touching notes of one pitch, the end after the beginning": [on(0), on(100), off(100), off(200)],
    "overlapping notes": [on(0), on(100, 62), off(130), off(200, 62)],
    "overlapping notes of one pitch": [on(0), on(100), off(130), off(200)],
    "a note of no length before one of its pitch": [on(0), off(50), on(70), off(70), on(70), off(100)],
    "a chord": [on(0), on(0, 67), off(60), off(100, 67), on(100), off(200)],
    "a note within another": [on(0), on(100, 62), off(150, 62), off(200)],
    "a note of no length": [on(0), off(50), on(70, 62), off(70, 62), on(100), off(200)],
    "an end without a note": [off(0, 50), on(0), off(100), off(100, 62), on(100, 62), off(200, 62)],
}


@pytest.mark.parametrize("events", UNTIDY.values(), ids=UNTIDY)
def test_untidy_notes_move_and_do_not_overlap(events, monkeypatch):
    monkeypatch.setattr(voices, "MOST_OVERLAP", 1)  # of two or three notes, one is much
    before = read(*events)
    after = fit(before.times * 1.5 + 7, before)
    moved = move_notes(events, before.times, after)
    assert (read(*moved).times == after).all()
    assert sorted(event[1:] for event in moved) == sorted(event[1:] for event in events)
    notes = heard(moved)
    assert set(zip(after[::2].tolist(), after[1::2].tolist(), strict=True)) <= {
        (start, stop) for _, start, stop in notes
    }
    for (_, start, stop), (_, later, _) in pairwise(notes):
        assert stop <= later or start == later


def test_a_hanging_note_keeps_hanging():
    events = [on(0), on(100), off(200)]
    before = read(*events)
    moved = move_notes(events, before.times, np.array([0, 120, 120, 300]))
    assert moved == [on(0), on(120), off(300)]


def test_a_track_that_is_not_there():
    with pytest.raises(
        InputError, match=r"none of its voices is number 1; its voices are: track 0 \(channel 1, 1 note\)"
    ):
        read_score(Tracks(0, 480, [[on(0), off(1)]]), Reading(1))
    assert read_voice(Tracks(0, 480, [[on(0), off(1)]])).duration.tolist() == [1]


@pytest.mark.parametrize(("stray", "expected"), [(99, 39), (101, 41)])
def test_a_lyric_beside_an_onset_stays_on_its_side(stray, expected):
    lyrics = [(stray, META, LYRIC, b"stray"), (100, META, LYRIC, b"own")]
    notes = [(10, 0x90, 60, b"@"), (20, 0x80, 60, b"\0"), (100, 0x90, 60, b"@"), (200, 0x80, 60, b"\0")]
    events = sorted([*lyrics, *notes], key=lambda event: event[0])
    moved = move_notes(events, np.array([10, 20, 100, 200]), np.array([10, 20, 40, 42]))
    assert {data: tick for tick, status, _, data in moved if status == META} == {b"own": 40, b"stray": expected}
