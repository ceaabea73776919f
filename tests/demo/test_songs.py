import pytest

from tests.conftest import cpu_seconds
from tests.demo.midi_files import midi, voice, zipped
from toy_duration_predictor.data.midi.pairs import channels
from toy_duration_predictor.data.midi.smf import Tracks, parse, unparse
from toy_duration_predictor.demo.built_in_songs import write_songs
from toy_duration_predictor.demo.songs import read_heard, read_song
from toy_duration_predictor.errors import InputError


def test_the_built_in_songs_are_whole(tmp_path):
    songs = {name: voice(place.read_bytes()) for name, place in write_songs(tmp_path).items()}
    for song in songs.values():
        assert not song.mended
        assert (song.onset % 60 == 0).all()
        assert all(song.lyric)
    assert "".join(songs["Ode to Joy"].lyric[:8]) == "Freude,schönerGötterfunken,"
    assert (songs["Hänschen klein"].onset[-1] + songs["Hänschen klein"].duration[-1]) % (4 * 480) == 0


HOSTILE = {
    "not MIDI": (b"a" * 100, "is not a Standard MIDI File"),
    "empty": (b"", "is not a Standard MIDI File"),
    "a zip bomb": (zipped(), "is not a Standard MIDI File"),
    "cut": (midi()[:-20], "is cut"),
    "too many events": (midi(notes=8_000), "24,001 events"),
    "too large": (midi(lyric=b"l" * 200_000), "1,600,"),
    "no notes": (midi(notes=0), "has no notes"),
}


@pytest.mark.parametrize("read", [read_song, read_heard])
@pytest.mark.parametrize(("content", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_uploads_are_refused_by_name(content, reason, read):
    """In no more time than a long song takes to be read."""

    def refused():
        with pytest.raises(InputError, match=reason):
            read(content)

    long = midi(notes=6_000)
    assert cpu_seconds(refused) < 10 * cpu_seconds(lambda: read_song(long))


def test_the_voice_is_found_and_another_can_be_chosen():
    content = midi(notes=8, others=3)
    song = read_song(content)
    assert [each.number for each in song.voices] == ["0", "1"]
    assert song.midi.voice.taken.number == "0"
    assert song.said == ["The voice is track 0 (channel 1, 8 notes, 8 lyrics): lyrics."]
    assert len(read_song(content, "1").midi.voice.onset) == 3
    with pytest.raises(InputError, match="is number 7"):
        read_song(content, "7")
    assert read_song(midi()).said == []  # there is no choice


def test_drums_are_no_voice():
    drums = [(i * 60, 0x99, 36, b"\1") for i in range(40)]
    song = read_song(unparse(Tracks(1, 480, [drums, *parse(midi()).tracks])))
    assert [each.number for each in song.voices] == ["1"]


def test_what_is_hardly_a_voice_is_said():
    events = [each for i in range(9) for each in ((i * 240, 0x90, 60 + i, b"\1"), (i * 240 + 600, 0x80, 60 + i, b"\0"))]
    chords = unparse(Tracks(0, 480, [sorted(events)]))
    song = read_song(chords)
    assert "of these notes overlap, so they are hardly a voice" in song.said[0]
    assert "Mended in this file: a note begins before the last one ended (8 times)." in song.said
    later = song.midi.score.times.copy()
    later[2:] += 5
    notes = channels(parse(song.sung(later)).tracks[0])[0]
    assert (notes.end - notes.onset == 600).all()
