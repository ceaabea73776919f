import time

import pytest

from tests.demo.midi_files import midi, voice, zipped
from toy_duration_predictor.demo.built_in_songs import write_songs
from toy_duration_predictor.demo.songs import read_heard, read_song, tracks_of
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
    began = time.process_time()
    with pytest.raises(InputError, match=reason):
        read(content)
    assert time.process_time() - began < 3


def test_each_track_with_notes_can_be_sung():
    content = midi(notes=8, others=3)
    assert [number for _, number in tracks_of(content)] == [0, 1]
    assert len(read_song(content).voice.onset) == 8
    assert len(read_song(content, 1).voice.onset) == 3
    with pytest.raises(InputError, match="none is number 7"):
        read_song(content, 7)
