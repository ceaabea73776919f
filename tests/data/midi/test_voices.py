"""Which notes of a file are the voice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toy_duration_predictor.data.midi.pairs import channels
from toy_duration_predictor.data.midi.smf import LYRIC, META, TEXT, TRACK_NAME, Tracks
from toy_duration_predictor.data.midi.voice import read_voice
from toy_duration_predictor.data.midi.voices import checked_number, choose, refuse_overlap, voices
from toy_duration_predictor.errors import InputError


def notes(number, channel=1, pitch=60, length=240, every=240, chord=(0,)):
    """Notes one after the other, or chords."""
    events = []
    for i in range(number):
        for above in chord:
            events.append((i * every, 0x90 | channel - 1, pitch + above, b"\x64"))
            events.append((i * every + length, 0x80 | channel - 1, pitch + above, b"\0"))
    return events


def words(number, kind=LYRIC, every=240):
    return [(i * every, META, kind, b"la") for i in range(number)]


def named(name, *parts):
    events = [(0, META, TRACK_NAME, name.encode())] if name else []
    # At a tick lyrics come before notes, and ends before beginnings.
    order = {META: 0, 0x80: 1, 0x90: 2}
    return sorted(
        [*events, *(event for part in parts for event in part)],
        key=lambda event: (event[0], order[META if event[1] == META else event[1] & 0xF0]),
    )


def file(*tracks):
    return Tracks(1, 480, list(tracks))


def taken(*tracks, wanted=None):
    voice = choose(voices(file(*tracks)), wanted)
    return voice.number, voice.why


DRUMS = named("Drums", notes(64, channel=10, length=20, every=120))
VOCAL = named("Vocal", notes(16))
PIANO = named("Piano", notes(40, channel=3, chord=(0, 4, 7)))
BASS = named("Bass", notes(80, channel=2, pitch=36, length=100, every=120))


def test_percussion_is_never_the_voice():
    assert taken([], DRUMS, VOCAL) == ("2", "the only one")
    for wanted in (1, "1", "1:10"):
        with pytest.raises(
            InputError, match=rf"none of its voices is number {wanted}; its voices are: track 2 'Vocal'"
        ):
            taken([], DRUMS, VOCAL, wanted=wanted)
    with pytest.raises(InputError, match="it has no notes but percussion"):
        taken(DRUMS)
    with pytest.raises(InputError, match="it has no notes"):
        taken([(0, META, TEXT, b"x")])


def test_lyrics_come_first():
    sung = named("Strings", notes(16), words(16))
    assert taken(named("Lead Vocal", notes(20)), sung, BASS) == ("1", "lyrics")
    # Two stray texts, or one lyric, do not make a voice of a track.
    stray = named("Organ", notes(40), words(1))
    assert taken(VOCAL, stray, BASS) == ("0", "name")
    # The voice with more of them, though it sings some notes without one.
    backing = named("Backing", notes(8), words(8))
    assert taken(backing, named("Main", notes(40), words(30))) == ("1", "lyrics")


@pytest.mark.parametrize("kind", [LYRIC, TEXT])
def test_lyrics_on_a_track_of_words_belong_to_the_notes_that_begin_with_them(kind):
    arpeggio = named("Arp", notes(64, channel=3, length=60, every=60))
    tune = named("", notes(16))
    assert taken(named("Words", words(16, kind)), arpeggio, tune, BASS) == ("2", "lyrics")
    # What a karaoke file says of itself is no lyric.
    facts = [(0, META, TEXT, b"@KMIDI KARAOKE FILE"), (0, META, TEXT, b"@LENGL")]
    assert not any(voice.lyrics for voice in voices(file(facts, tune)))


@pytest.mark.parametrize("name", ["VOCAL", "Vox 1", "the singer", "Melody", "lead", "ボーカル", "멜로디", "主旋律"])
def test_names_come_next(name):
    assert taken(BASS, named(name, notes(10)), PIANO) == ("1", "name")


def test_some_names_are_better_than_others():
    assert taken(named("Lead Guitar", notes(50)), named("Melody", notes(9))) == ("1", "name")
    assert taken(named("Backing Vocals", notes(50)), named("Vocals", notes(9))) == ("1", "name")
    assert taken(named("Using samples", notes(9)), named("Leader", notes(9)), named("Pad", notes(50))) == ("1", "name")


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp", "utf-8", "utf-16"])
def test_names_in_their_encodings(encoding):
    tracks = file(BASS, [(0, META, TRACK_NAME, "ボーカル".encode(encoding)), *notes(9)])
    assert [voice.name for voice in voices(tracks)] == ["Bass", "ボーカル"]
    assert voices(tracks, "latin-1")[1].name != "ボーカル"


def test_a_name_is_no_command_to_the_terminal():
    [voice] = voices(file(named("A\x1b[2Jvoice\r\n\0of \u202emine", notes(4))))
    assert voice.name == "A [2Jvoice of mine"


def test_then_the_nearest_to_one_note_at_a_time():
    assert taken(named("", PIANO), named("", notes(10, channel=4))) == ("1", "one note at a time")
    # Of several such, the one with the most notes.
    assert taken(named("Flute", notes(10)), BASS, PIANO) == ("1", "one note at a time")
    thirds = named("", notes(30, chord=(0, 4)))
    assert taken(named("", PIANO), thirds) == ("1", "fewest overlaps")


def test_a_voice_is_one_channel_of_a_track():
    melody, chords = notes(16), notes(4, channel=2, length=950, every=960, chord=(0, 4, 7))
    one_track = named("", melody, chords, DRUMS)
    found = voices(Tracks(0, 480, [one_track]))
    assert [(voice.number, voice.channel, voice.notes) for voice in found] == [
        ("0:1", 1, 16),
        ("0:2", 2, 12),
        ("0:10", 10, 64),
    ]
    assert taken(one_track) == ("0:1", "one note at a time")
    voice = read_voice(Tracks(0, 480, [one_track]))
    assert voice.duration.tolist() == [240] * 16
    assert voice.mended == {}
    # A track's number alone leaves it to the rule which of its channels is the voice.
    assert taken(one_track, wanted=0) == ("0:1", "asked for")
    assert taken(one_track, wanted="0:2") == ("0:2", "asked for")
    assert read_voice(Tracks(0, 480, [one_track]), "0:2").mended == {
        "several notes begin at once": 8,
        "an end without a note": 8,
    }


def test_a_wrong_number_lists_the_voices():
    with pytest.raises(InputError) as error:
        taken(VOCAL, BASS, PIANO, wanted="2:1")
    assert str(error.value) == (
        "none of its voices is number 2:1; its voices are: track 0 'Vocal' (channel 1, 16 notes); "
        "track 1 'Bass' (channel 2, 80 notes); track 2 'Piano' (channel 3, 120 notes)"
    )
    many = [named(f"T{i}", notes(2)) for i in range(40)]
    with pytest.raises(InputError, match=r"track 15 'T15' \(channel 1, 2 notes\); and 24 more$"):
        taken(*many, wanted=99)


@pytest.mark.parametrize("wanted", [-1, "one", "1:", "1:17", "1:0", ""])
def test_numbers_that_are_none(wanted):
    with pytest.raises(InputError, match="give a track's number, from 0, or a track and its channel, such as 1:4"):
        checked_number(wanted)


@pytest.mark.parametrize("wanted", [None, 0, "3", "1:16", " 2:4 "])
def test_numbers_that_are_some(wanted):
    assert checked_number(wanted) == (None if wanted is None else str(wanted).strip())


def overlap(*intervals):
    events = [
        (tick, 0x90 if begins else 0x80, pitch, b"\x40")
        for on, off, pitch in intervals
        for tick, begins in ((on, 1), (off, 0))
    ]
    return channels(sorted(events, key=lambda event: event[:2]))[0].overlap()


def test_overlapping_notes_are_those_that_a_voice_would_lose_or_halve():
    assert overlap((0, 100, 60), (100, 200, 62), (210, 300, 64)) == 0
    # Sung into one another, as singers' transcriptions have it.
    assert overlap((0, 140, 60), (100, 240, 62), (200, 300, 64)) == 0
    assert overlap((0, 210, 60), (100, 200, 62), (200, 300, 64)) == pytest.approx(1 / 3)
    assert overlap((0, 100, 60), (0, 100, 64), (0, 100, 67)) == pytest.approx(2 / 3)
    # One pitch twice at a tick, and notes without length, take nothing from anybody.
    assert overlap((0, 100, 60), (0, 100, 60), (100, 200, 62)) == 0
    assert channels([(0, 0x90, 60, b"@"), (0, 0x80, 60, b"@")])[0].overlap() == 0


def test_too_many_of_them_are_no_voice():
    mostly = [(100 * i, 100 * i + 100, 60) for i in range(18)]
    fine, too_many = [*mostly, (0, 100, 50), (100, 200, 50)], [*mostly, (0, 100, 50), (100, 200, 50), (200, 300, 50)]
    assert overlap(*fine) == 0.1
    candidate = voices(file(VOCAL))[0]
    refuse_overlap(candidate._replace(overlap=overlap(*fine)))
    with pytest.raises(InputError, match=r"is no voice: 14% of its notes overlap, of a voice's at most 10%"):
        refuse_overlap(candidate._replace(overlap=overlap(*too_many)))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30), st.integers(60, 63)), min_size=1, max_size=12))
def test_overlaps_against_one_by_one(intervals):
    """The definition in a loop over all pairs of notes, of notes whose pitches never sound twice at a time."""
    kept = []
    for on, length, pitch in sorted(intervals):
        if not any(p == pitch and on <= b for a, b, p in kept):
            kept.append((on, on + length, pitch))
    lost = 0
    for a, b, p in kept:
        higher = any(c == a and q > p for c, _, q in kept)
        halved = any(a < c and 2 * (c - a) < b - a for c, _, _ in kept)
        lost += higher or halved
    assert overlap(*kept) == pytest.approx(lost / len(kept))


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.integers(60, 62), st.integers(0, 1)), max_size=40))
def test_ends_go_to_the_first_note_of_their_pitch(steps):
    """Against a list for each channel and pitch."""
    tick, events = 0, []
    for delta, begins, pitch, channel in steps:
        tick += delta
        events.append((tick, (0x90 if begins else 0x80) | channel, pitch, b"\x40"))
    sounding, expected, stray = {}, {}, {0: [], 1: []}
    for i, (_, status, pitch, _) in enumerate(events):
        waiting = sounding.setdefault((status & 1, pitch), [])
        if status & 0xF0 == 0x90:
            waiting.append(i)
            expected[i] = -1
        elif waiting:
            expected[waiting.pop(0)] = i
        else:
            stray[status & 1].append(i)
    found = channels(events)
    pairs = {int(on): int(off) for each in found.values() for on, off in zip(each.on, each.off, strict=True)}
    assert pairs == expected
    for channel, each in found.items():
        assert each.stray.tolist() == stray[channel]
        assert (np.diff(each.onset) >= 0).all()
