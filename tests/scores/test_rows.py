"""Durations in .csv and .json files."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toy_duration_predictor.errors import InputError
from toy_duration_predictor.scores.rows import open_csv, open_json, to_durations, to_score
from toy_duration_predictor.scores.score import LAST_TICK, fit

HEADER = "\ufeffticks_per_beat,lyric,duration,pitch\r\n"
CSV = (HEADER + "480,사,240,60\r\n480,,240,62\r\n480,,60,0\r\n480,x,480,64\r\n").encode()
SONG = {"title": "사랑", "ticks_per_beat": 480, "durations": [240, 240, 60, 480], "pitch": [60, 62, 0, 64]}


def test_csv_there_and_back():
    scores, write, _ = open_csv(CSV)
    assert scores[0].times.tolist() == [0, 240, 240, 480, 540, 1020]
    # The rest of 20 ticks that comes between the first two notes belongs to the first.
    assert write([np.array([0, 220, 240, 500, 530, 1000])]).decode().splitlines() == [
        "ticks_per_beat,lyric,duration,pitch",
        "480,사,240,60",
        "480,,260,62",
        "480,,30,0",
        "480,x,470,64",
    ]


def test_json_there_and_back():
    scores, write, _ = open_json(json.dumps(SONG).encode())
    assert scores[0].ticks_per_beat == 480
    assert scores[0].pitch.tolist() == [60, 62, 64]
    written = json.loads(write([np.array([0, 220, 230, 500, 530, 1000])]))
    assert written == SONG | {"durations": [230, 270, 30, 470]}


@st.composite
def rows(draw):
    rest = np.array(draw(st.lists(st.booleans(), min_size=1, max_size=12)))
    rest[draw(st.integers(0, len(rest) - 1))] = False
    durations = np.array([draw(st.integers(1 - silent, 300)) for silent in rest.tolist()])
    return durations, rest


@given(rows(), st.data())
def test_rows_follow_their_notes(example, data):
    """Rows last from where they begin to where the next one does; with rests at the end, the whole lasts as long."""
    durations, rest = example
    least = np.array(
        [
            data.draw(st.integers(0 if silent else 1, max(ticks, not silent)))
            for ticks, silent in zip(*example, strict=True)
        ]
    )
    score = to_score(durations, rest, least, 480)
    assert (to_durations(score.times, score, durations, rest) == durations).all()
    assert (np.diff(score.times) >= score.least).all()

    places = np.array([data.draw(st.integers(-500, 4000)) for _ in score.times], dtype=float)
    times = fit(places, score)
    new = to_durations(times, score, durations, rest)
    assert (new >= 0).all()
    begins = np.cumsum(new) - new
    assert (begins[~rest] == times[::2]).all()
    assert (new[~rest] >= np.diff(times)[::2]).all()
    if rest[-1]:
        assert new.sum() == durations.sum()
        assert new[np.flatnonzero(~rest)[-1] + 1 :].sum() >= least[np.flatnonzero(~rest)[-1] + 1 :].sum()
    else:
        assert score.latest == LAST_TICK
        assert new.sum() == times[-1]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it has no column 'ticks_per_beat'"),
        (b"ticks_per_beat,duration\n480,1\n", "it has no column 'pitch'; it needs ticks_per_beat, duration, pitch"),
        (b"ticks_per_beat,duration,pitch\n", "it has no notes"),
        (b"ticks_per_beat,duration,pitch\n480,1\n", "not all of the same length"),
        (b"ticks_per_beat,duration,pitch\n480,1,60,5\n", "not all of the same length"),
        (b"ticks_per_beat,duration,pitch\n480,one,60\n", "its duration are not all numbers"),
        (b"ticks_per_beat,duration,pitch\n480,-1,60\n", "whole numbers from 0 to 16777216"),
        (b"ticks_per_beat,duration,pitch\n480,nan,60\n", "whole numbers from 0"),
        (b"ticks_per_beat,duration,pitch\n480,1.5,60\n", "whole numbers from 0"),
        (b"ticks_per_beat,duration,pitch\n480,1,60\n120,1,60\n", "not the same in all rows"),
        (b"ticks_per_beat,duration,pitch\n0,1,60\n", "its ticks_per_beat is 0"),
        (b"ticks_per_beat,duration,pitch\n480,60,0\n", "it has no notes"),
        (b"ticks_per_beat,duration,pitch\n480,60,60\n480,0,62\n", "row 1 is a note of no length"),
        (b'ticks_per_beat,duration,pitch\n480,"60,60\n', "it is no CSV file"),
        (b"\xff\xfe", "it is no CSV file in UTF-8"),
    ],
)
def test_csv_files_that_cannot_be_used(content, reason):
    with pytest.raises(InputError) as error:
        open_csv(content)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "it is no JSON"),
        (b"\xff", "it is no JSON"),
        (b"[" * 100_000, "it is no JSON"),
        (b"[60, 60]", "it is no object with ticks_per_beat, durations, pitch"),
        (b"{}", "it is no object with"),
        (json.dumps(SONG | {"pitch": [60]}).encode(), "it has 4 durations and 1 pitches"),
        (json.dumps(SONG | {"durations": "abc"}).encode(), "its durations are not all numbers"),
        (json.dumps(SONG | {"durations": 60}).encode(), "its durations are not all whole numbers"),
        (json.dumps(SONG | {"durations": [[60]] * 4}).encode(), "its durations are not all whole numbers"),
        (json.dumps(SONG | {"ticks_per_beat": None}).encode(), "its ticks_per_beat are not all"),
        (json.dumps(SONG | {"durations": [], "pitch": []}).encode(), "it has no notes"),
    ],
)
def test_json_files_that_cannot_be_used(content, reason):
    with pytest.raises(InputError) as error:
        open_json(content)
    assert reason in str(error.value)
