import numpy as np
import pytest

from toy_duration_predictor.data.midi.recipe import Limit, Recipe, song, sung_part, with_rests
from toy_duration_predictor.data.midi.voice import Voice
from toy_duration_predictor.errors import InputError


def voice(notes, lyric=None, ticks_per_beat=120, tempos=((0, 500_000),)):
    """A voice of (onset, end) pairs."""
    onset, end = np.array(notes).T
    return Voice(
        onset,
        end - onset,
        60 + np.arange(len(onset)),
        lyric or [""] * len(onset),
        ticks_per_beat,
        np.array(tempos),
        np.array([[0, 4, 4]]),
        {},
    )


NOTES = [(10, 100), (104, 200), (200, 290), (350, 400)]


def parts(v):
    return list(zip(v.onset.tolist(), v.duration.tolist(), v.pitch.tolist(), strict=True))


def test_rests_are_what_lies_between_notes():
    v = with_rests(voice(NOTES), Limit(0.3, "ticks"))
    assert parts(v) == [(10, 90, 60), (100, 4, 0), (104, 96, 61), (200, 90, 62), (290, 60, 0), (350, 50, 63)]


@pytest.mark.parametrize("limit", ["5ticks", "0.04beats", "0.02s"])
def test_shorter_rests_go_to_the_next_note(limit):
    """4 ticks are 1/30 of a beat, and 1/60 of a second."""
    v = with_rests(voice(NOTES), Limit.parse(limit))
    assert parts(v) == [(10, 90, 60), (100, 100, 61), (200, 90, 62), (290, 60, 0), (350, 50, 63)]


@pytest.mark.parametrize("limit", ["4ticks", "0.03beats", "0.016s"])
def test_a_limit_is_the_shortest_rest_that_stays(limit):
    assert len(with_rests(voice(NOTES), Limit.parse(limit)).onset) == 6


def test_seconds_follow_the_tempo():
    slow = voice(NOTES, tempos=((0, 500_000), (100, 2_000_000)))
    assert len(with_rests(slow, Limit.parse("0.02s")).onset) == 6


def test_time_is_kept():
    for limit in ("0ticks", "0.3ticks", "50ticks", "9beats"):
        v = with_rests(voice(NOTES), Limit.parse(limit))
        assert v.duration.sum() == 400 - 10
        assert (v.onset[1:] == v.onset[:-1] + v.duration[:-1]).all()
        assert v.pitch[v.pitch > 0].tolist() == [60, 61, 62, 63]


@pytest.mark.parametrize("text", ["0.3", "5 bars", "-1ticks", "fast", ""])
def test_a_limit_needs_its_unit(text):
    with pytest.raises(InputError, match="give a number with its unit"):
        Limit.parse(text)


def test_limits_come_back():
    for text in ("10ticks", "0.1beats", "0.05s"):
        assert str(Limit.parse(text)) == text


@pytest.mark.parametrize(
    ("lyric", "kept"),
    [
        ("aJbc", "bc"),
        ("JbcH", "bc"),
        ("HJbHcH", "b"),
        ("abcd", "abcd"),
        ("abHd", "abHd"),  # without its beginning there is no part
        ("JabJcH", "abJc"),
    ],
)
def test_the_part_between_the_markers(lyric, kept):
    v = voice([(10 * i, 10 * i + 5) for i in range(len(lyric))], list(lyric))
    assert "".join(sung_part(v, Recipe()).lyric) == kept


def test_an_empty_part_is_refused():
    for lyric in ("JHa", "abJ"):
        v = voice([(0, 5), (10, 15), (20, 25)], list(lyric))
        with pytest.raises(InputError, match="no note lies between the lyrics 'J' and 'H'"):
            sung_part(v, Recipe())


def test_a_song_by_hand():
    """In steps of 15: 90 is 90; 4 becomes 0 and carries 4; 96 + 4 is 105 - 5; 90 - 5 is 90 - 5; 60 - 5 is 60 - 5 ..."""
    row = song(voice(NOTES, tempos=((0, 600_000),)), Recipe())
    assert row["durations"].tolist() == [90, 4, 96, 90, 60, 50]
    assert row["quantized_durations"].tolist() == [90, 0, 105, 90, 60, 45]
    assert row["pitch"].tolist() == [60, 0, 61, 62, 0, 63]
    assert (row["ticks_per_beat"], row["tempo"]) == (120, 600_000)
    published = song(voice(NOTES), Recipe(published=True))
    assert published["durations"].tolist() == [90, 4, 100, 85, 55, 45]
    assert published["quantized_durations"].tolist() == row["quantized_durations"].tolist()
    by_itself = song(voice(NOTES), Recipe(forward_error=False))
    assert by_itself["quantized_durations"].tolist() == [90, 0, 90, 90, 60, 45]


def test_the_tempo_is_that_of_the_first_note():
    assert song(voice(NOTES, tempos=((0, 1), (5, 700_000), (50, 2))), Recipe())["tempo"] == 700_000


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="1/32 does not divide 100"):
        song(voice(NOTES, ticks_per_beat=100), Recipe())
