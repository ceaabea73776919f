"""Scores in MIDI files as others write them: what moves, what stays, and what is said."""

import json

import midii
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.conftest import cpu_seconds
from tests.data.midi.test_voices import named, notes, words
from tests.inference.test_predictor import network
from toy_duration_predictor.data.midi.smf import LYRIC, META, TEXT, Tracks, parse, unparse
from toy_duration_predictor.data.midi.voice import read_voice
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.scores.humanize import humanize_bytes
from toy_duration_predictor.scores.midi import Reading, open_midi
from toy_duration_predictor.scores.perform import HumanizeSettings, Sings

TWO = Sings(2)


@pytest.fixture(scope="module")
def phase():
    return Predictor(network(), [2, 7, 16])


def sung(predictor, content, **settings):
    """The tracks of a performance."""
    return parse(humanize_bytes(content, predictor, TWO, HumanizeSettings(**settings))).tracks


def a_file(*tracks, ticks_per_beat=480):
    return unparse(Tracks(len(tracks) > 1, ticks_per_beat, list(tracks)))


def begins(track, channel=1):
    return [tick for tick, status, _, data in track if status == 0x90 | channel - 1 and data != b"\0"]


def test_only_the_channel_of_the_voice_moves(phase):
    chords = notes(4, channel=2, length=950, every=960, chord=(0, 4, 7))
    drums = notes(64, channel=10, length=20, every=60)
    before = named("", notes(16), chords, drums)
    [after] = sung(phase, a_file(before))
    assert begins(after) != begins(before)
    others = [[event for event in track if event[1] & 0x0F] for track in (before, after)]
    assert others[0] == others[1]


@pytest.mark.parametrize(("lyric", "touches"), [("+", True), ("-", True), ("_", True), ("", True), ("li", False)])
def test_notes_touch_where_a_lyric_goes_on(phase, lyric, touches):
    """And nowhere else, because a singer leaves rests between words; without them, wherever it is asked for."""
    lyrics = [(240 * i, META, LYRIC, text.encode()) for i, text in enumerate(("la", lyric) * 8) if text]
    score = a_file(named("", notes(16), lyrics))
    times = open_midi(a_file(*sung(phase, score))).score.times
    rests = times[2::2] - times[1:-1:2]
    assert (rests[::2] == 0).all() == touches
    assert rests[1::2].max() > 0
    assert (times[::2] != 240 * np.arange(16)).any()
    times = open_midi(a_file(*sung(phase, score, legato=True))).score.times
    assert (times[2::2] == times[1:-1:2]).all()


def test_without_lyrics_nothing_says_where_one_goes_on(phase):
    times = open_midi(a_file(*sung(phase, a_file(notes(16))))).score.times
    assert (times[2::2] > times[1:-1:2]).any()


def test_legato_leaves_the_rests_of_the_score(phase):
    score = a_file(notes(16, length=180))
    assert humanize_bytes(score, phase, TWO) == humanize_bytes(score, phase, TWO, HumanizeSettings(legato=True))


@pytest.mark.parametrize("pitch", [60, 72])
def test_a_note_without_length_moves_with_its_beginning(phase, pitch):
    """It stays before the note that follows, and changes no other note."""
    none = [(1920, 0x90, pitch, b"\x3c"), (1920, 0x80, pitch, b"\x40")]
    plain = notes(16, pitch=60)
    at = next(i for i, event in enumerate(plain) if event[0] == 1920 and event[1] == 0x90)
    score = [*plain[:at], *none, *plain[at:]]
    moved_plain, [moved] = sung(phase, a_file(plain))[0], sung(phase, a_file(score))
    onset = begins(moved_plain)[8]
    assert moved == [*moved_plain[:at], *[(onset, *event[1:]) for event in none], *moved_plain[at:]]
    assert read_voice(Tracks(0, 480, [score])).mended == {"a note ends where it begins": 1}


def test_a_note_without_length_within_another_changes_nothing(phase):
    plain = notes(16)
    score = sorted([*plain, (100, 0x90, 72, b"\x3c"), (100, 0x80, 72, b"\0")], key=lambda event: event[0])
    [moved] = sung(phase, a_file(score))
    assert [event for event in moved if event[2] == 60] == sung(phase, a_file(plain))[0]
    assert len({tick for tick, _, pitch, _ in moved if pitch == 72}) == 1


@pytest.mark.parametrize("kind", [LYRIC, TEXT])
def test_lyrics_of_another_track_go_with_their_notes(phase, kind):
    facts = [(0, META, TEXT, b"@KMIDI KARAOKE FILE"), (0, META, TEXT, b"@LENGL")] if kind == TEXT else []
    texts = [(240 * i, META, kind, b"%d" % i) for i in range(16)]
    between = [(240 * 7 + 120, META, kind, b"-")]
    bass = named("Bass", notes(8, channel=2, pitch=30, length=100, every=480))
    score = a_file(named("Words", facts, texts, between), named("Melody", notes(16)), bass)
    after = sung(phase, score)
    onsets = begins(after[1])
    assert onsets != begins(parse(score).tracks[1])
    assert after[2] == bass
    moved = [event for event in after[0] if event[3].isdigit()]
    assert moved == [(onset, META, kind, b"%d" % i) for i, onset in enumerate(onsets)]
    [dash] = [tick for tick, _, _, text in after[0] if text == b"-"]
    assert onsets[7] < dash < onsets[8]
    assert after[0][: 1 + len(facts)] == parse(score).tracks[0][: 1 + len(facts)]
    assert read_voice(Tracks(1, 480, after)).lyric == [str(i) for i in range(16)]


def test_lyrics_of_another_voice_stay_with_it(phase):
    other = named("Second", notes(9, channel=2, every=480), words(9, every=480))
    after = sung(phase, a_file(named("First", notes(16), words(16)), other))
    assert after[1] == other


def test_two_lyrics_at_a_tick_are_joined(phase):
    lyrics = [(240 * i, META, LYRIC, text) for i in range(16) for text in (b"la", b"\r")]
    score = a_file(named("", notes(16), lyrics))
    song = json.loads(humanize_bytes(score, phase, TWO, out_suffix=".json"))
    assert [lyric for lyric, pitch in zip(song["lyric"], song["pitch"], strict=True) if pitch] == ["la"] * 16
    cut = [(240 * i, META, LYRIC, part) for i in range(4) for part in ("사".encode()[:1], "사".encode()[1:])]
    assert read_voice(Tracks(0, 480, [named("", notes(4), cut)])).lyric == ["사"] * 4
    lines = [(240 * i, META, TEXT, text) for i, text in enumerate((b"\\La ", b"la ", b"/li", b"la"))]
    assert read_voice(Tracks(0, 480, [named("", notes(4), lines)])).lyric == ["La", "la", "li", "la"]


def test_the_encoding_may_be_said(phase):
    lyrics = [(240 * i, META, LYRIC, text.encode("utf-16-be")) for i, text in enumerate("月亮代表")]
    score = a_file(named("", notes(4), lyrics))
    song = humanize_bytes(score, phase, TWO, HumanizeSettings(encoding="utf-16-be"), out_suffix=".json")
    assert [lyric for lyric in json.loads(song)["lyric"] if lyric] == list("月亮代表")
    # The file keeps its bytes.
    assert [event[3] for event in sung(phase, score)[0] if event[1] == META] == [event[3] for event in lyrics]
    with pytest.raises(InputError, match="There is no encoding 'klingon'"):
        humanize_bytes(score, phase, TWO, HumanizeSettings(encoding="klingon"))


def test_the_whole_song_moves_whatever_its_lyrics_are(phase):
    texts = ("la", "li", "J", "lo") * 4
    score = a_file(named("", notes(16), [(240 * i, META, LYRIC, t.encode()) for i, t in enumerate(texts)]))
    [track] = sung(phase, score, seed=1)
    moved = np.array(begins(track)) - 240 * np.arange(16)
    assert (moved[1:8] != 0).any()
    assert (moved[8:] != 0).any()

    [part] = sung(phase, score, begin="J", end="la", seed=1)
    moved = np.array(begins(part)) - 240 * np.arange(16)
    assert moved[:4].tolist() == [0] * 4
    assert moved[4:].tolist() == [0] * 12  # one note, whose onset is the song's
    assert open_midi(score, Reading(end="J")).score.times.tolist() == [0, 240, 240, 480]
    assert len(open_midi(score, Reading(begin="lo", end="x")).score.times) == 2 * 12
    assert len(open_midi(score, Reading(begin="x", end="J")).score.times) == 2 * 16


@pytest.mark.parametrize("ticks_per_beat", [24, 36, 48, 95])
def test_low_resolutions_are_written_finer(phase, ticks_per_beat):
    beat = ticks_per_beat
    tempo = (5, META, 0x51, b"\x07\xa1\x20")
    track = [*notes(8, length=beat, every=beat)]
    score = a_file([tempo, (beat, META, TEXT, b"x")], track, ticks_per_beat=beat)
    opened = open_midi(score)
    finer = opened.score.ticks_per_beat
    assert finer % beat == 0
    assert 480 <= finer < 480 + beat
    assert f"its {beat} ticks per beat become {finer}" in opened.remarks
    performed = parse(humanize_bytes(score, phase, TWO))
    assert performed.ticks_per_beat == finer
    assert performed.tracks[0] == [(tick * finer // beat, *rest) for tick, *rest in parse(score).tracks[0]]
    at_480 = open_midi(humanize_bytes(a_file(notes(8, length=480, every=480)), phase, TWO)).score.times
    assert open_midi(humanize_bytes(score, phase, TWO)).score.times / finer == pytest.approx(at_480 / 480, abs=3e-3)
    # Where nothing moves, the file stays as it is; and so does a resolution of 96.
    assert humanize_bytes(score, phase, TWO, HumanizeSettings(strength=0)) == score
    assert open_midi(a_file(track, ticks_per_beat=96)).score.ticks_per_beat == 96


def test_a_file_that_is_too_long_for_that_keeps_its_resolution():
    late = [(2**27, META, TEXT, b""), *((tick + 2**27, *rest) for tick, *rest in notes(2, length=1, every=1))]
    assert open_midi(a_file(late, ticks_per_beat=1)).score.ticks_per_beat == 1


def test_notes_that_overlap_need_a_word(phase):
    chords = named("Piano", notes(20, chord=(0, 4, 7), length=300))
    with pytest.raises(
        InputError, match=r"track 0 'Piano' .* is no voice: 67% .*; --polyphonic moves them all the same"
    ):
        sung(phase, a_file(chords))
    [moved] = sung(phase, a_file(chords), polyphonic=True)
    assert len(set(begins(moved))) == 20
    assert sorted(set(begins(moved))) != sorted(set(begins(chords)))


@st.composite
def polyphony(draw):
    """Notes of any lengths, each pitch one at a time, and other events between them."""
    free, events = dict.fromkeys(range(60, 66), 0), []
    for _ in range(draw(st.integers(1, 20))):
        pitch = draw(st.sampled_from(sorted(free)))
        on = free[pitch] + draw(st.integers(0, 700))
        free[pitch] = on + draw(st.integers(0, 900))
        events += [(on, 1, 0x90, pitch, b"\x40"), (free[pitch], 1 if free[pitch] == on else 0, 0x80, pitch, b"\x21")]
        if draw(st.booleans()):
            events.append((on, 2, 0xB0, 7, b"%c" % draw(st.integers(0, 127))))
    return [(tick, *event) for tick, _, *event in sorted(events, key=lambda event: event[:2])]


@given(polyphony(), st.booleans())
def test_notes_that_overlap_keep_their_lengths_and_order(phase, events, legato):
    assume(any(events[i][1] == 0x80 and events[i - 1][0] < events[i][0] for i in range(1, len(events))))
    [moved] = sung(phase, a_file(events), polyphonic=True, legato=legato, strength=1.5)
    assert [event[0] for event in moved] == sorted(event[0] for event in moved)
    assert sorted(event[1:] for event in moved) == sorted(event[1:] for event in events)
    assert [event for event in moved if event[1] == 0xB0] == [event for event in events if event[1] == 0xB0]
    before, after = both = [], []
    for track, found in zip((events, moved), both, strict=True):
        sounding = {}
        for tick, status, pitch, _ in track:
            if status == 0x90:
                assert pitch not in sounding, "a pitch begins before it has ended"
                sounding[pitch] = tick
            elif status == 0x80:
                found.append((pitch, sounding[pitch], tick - sounding.pop(pitch)))
        assert not sounding
        found.sort()
    assert len(before) == len(after)
    for (pitch, on, length), (_, new_on, new_length) in zip(before, after, strict=True):
        # Only the next beginning of its pitch ends a note early.
        following = [later for p, later, _ in after if p == pitch and later > new_on]
        assert new_length == length or new_on + new_length == min(following, default=-1)
        assert (length == 0) == (new_length == 0)
        # Notes that begin together still do, and others in their order. Only notes without length, which the voice has
        # not, may be overtaken by its end, all to the same tick.
        for (_, other, other_length), (_, new_other, _) in zip(before, after, strict=True):
            order, new_order = np.sign(other - on), np.sign(new_other - new_on)
            assert new_order == order or (new_order == 0 and 0 in (length, other_length))


def test_time_goes_with_the_number_of_notes():
    """Of notes that all sound together, and all of one pitch: 8 times as many take less than 4 times as long each."""

    def seconds(number):
        together = [
            *((i, 0x90, 60, b"\x40") for i in range(number)),
            *((number + i, 0x80, 60, b"\0") for i in range(number)),
        ]
        opened = open_midi(a_file(together), Reading(polyphonic=True))
        return cpu_seconds(lambda: opened.write(opened.score.times + 1))

    assert seconds(16_000) < 8 * 4 * seconds(2_000)


def test_real_songs_keep_all_their_bytes_but_the_notes_and_lyrics(phase):
    for path in midii.sample.dataset:
        content = path.read_bytes()
        opened, after = open_midi(content), sung(phase, content)
        for number, (old, new) in enumerate(zip(parse(content).tracks, after, strict=True)):
            assert sorted(event[1:] for event in old) == sorted(event[1:] for event in new)
            if number != opened.voice.taken.track:
                assert old == new
