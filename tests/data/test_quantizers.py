import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from toy_duration_predictor.data.quantizers import SHORTEST_REST, WAYS, Song, Way, check_ways, quantized_by, songs_of
from toy_duration_predictor.data.songs import fingerprint, validate_songs
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError

RESOLUTIONS = st.sampled_from([96, 100, 120, 480, 960])
DURATIONS = st.lists(st.tuples(st.integers(0, 700), st.booleans()), min_size=1, max_size=30)


@st.composite
def performances(draw):
    sung, rest = map(np.array, zip(*draw(DURATIONS), strict=True))
    rest[0] = False
    return Song(sung, rest, draw(RESOLUTIONS), draw(st.integers(200_000, 1_200_000)))


def quantized(name, song):
    finer, factor = WAYS[name].finer(song)
    assert finer.ticks_per_beat == factor * song.ticks_per_beat
    found = WAYS[name](finer)
    assert found.shape == song.sung.shape
    assert (found >= 0).all()
    return finer, found, WAYS[name].steps(finer.ticks_per_beat)[0]


@pytest.mark.parametrize("name", [name for name, way in WAYS.items() if len(way.grids) == 1])
@given(performances())
def test_every_way_puts_durations_on_its_grid(name, song):
    _, found, step = quantized(name, song)
    assert not (found % step).any()


@pytest.mark.parametrize("name", [name for name in WAYS if name.startswith("forwarded")])
@given(performances())
def test_carried_errors_keep_ends_within_half_a_step(name, song):
    finer, found, step = quantized(name, song)
    assert (2 * np.abs(np.cumsum(found - finer.sung)) <= step).all()


@given(performances())
def test_rounding_times_is_carrying_errors_forward(song):
    """So a loop over notes is not needed, and the comparison has one way less to train."""
    assert np.array_equal(quantized("timeline", song)[1], quantized("forwarded", song)[1])


@given(performances())
def test_rounding_each_duration_keeps_each_within_half_a_step(song):
    finer, found, step = quantized("rounded", song)
    assert (2 * np.abs(found - finer.sung) <= step).all()


@given(performances())
def test_absorbed_rests_are_gone_and_time_is_kept(song):
    finer, found, step = quantized("absorbed", song)
    seconds = finer.sung * finer.tempo / finer.ticks_per_beat / 1e6
    assert not found[finer.rest & (seconds < SHORTEST_REST - 1e-9)].any()
    # The song's end is where carrying errors alone puts it, and so is each end after which no rest is absorbed.
    assert found.sum() == WAYS["forwarded"](finer).sum()
    absorbed = finer.rest & (seconds < SHORTEST_REST)
    ends = ~np.append(absorbed[1:], False)
    assert (2 * np.abs(np.cumsum(found - finer.sung))[ends] <= step).all()


@pytest.mark.parametrize(
    ("name", "expected"),
    [("forwarded", [15, 15, 30, 0, 15]), ("rounded", [15, 0, 30, 0, 15]), ("absorbed", [30, 0, 30, 0, 15])],
)
def test_a_small_song_by_hand(name, expected):
    # Times are 21, 28, 59, 60 and 77, so that the nearest lines are 15, 30, 60, 60 and 75.
    song = Song(np.array([21, 7, 31, 1, 17]), np.array([False, True, False, True, False]), 120, 500_000)
    assert WAYS[name](song).tolist() == expected


def test_a_grid_that_does_not_divide_gets_more_ticks_and_nothing_is_rounded():
    song = Song(np.array([8, 3, 12]), np.array([False, True, False]), 120, 500_000)
    finer, factor = WAYS["forwarded_64"].finer(song)
    assert (factor, finer.ticks_per_beat, finer.sung.tolist()) == (2, 240, [16, 6, 24])
    assert WAYS["forwarded_64"](finer).tolist() == [15, 0, 30]
    assert [way.finer(song)[1] for name, way in WAYS.items() if name != "forwarded_64"] == [1] * (len(WAYS) - 1)


@given(performances())
def test_music21_puts_onsets_on_its_grids_and_leaves_no_time_out(song):
    pytest.importorskip("music21")
    finer, found, _ = quantized("music21", song)
    onsets = (np.cumsum(found) - found)[~song.rest]
    sixteenth, triplet = WAYS["music21"].steps(finer.ticks_per_beat)
    assert ((onsets % sixteenth == 0) | (onsets % triplet == 0)).all()
    # No onset is moved by more than half a sixteenth note.
    assert (2 * np.abs(onsets - (np.cumsum(finer.sung) - finer.sung)[~song.rest]) <= sixteenth).all()


def test_music21_as_its_documentation_has_it():
    """The examples of `Stream.quantize`: of the default grids, and of a gap that is closed."""
    pytest.importorskip("music21")

    def sounding(sung, rest):
        song = Song(np.round(np.array(sung) * 1200).astype(int), np.array(rest), 1200, 500_000)
        return (WAYS["music21"](song) / 1200).tolist()

    # Onsets at 0.1, 0.49, 0.9, 1.49 and 1.76 become 0, 0.5, 1, 1.5 and 1.75; the last length, 0.26, becomes 0.25.
    assert sounding([0.1, 0.39, 0.41, 0.59, 0.27, 0.26], [True, *5 * [False]]) == [0, 0.5, 0.5, 0.5, 0.25, 0.25]
    # Lengths of 0.385 half a beat apart: gaps are closed, and rests are gone, but for the last one.
    rests = sounding([0.385, 0.115] * 4, [False, True] * 4)
    assert rests[:6] == [0.5, 0] * 3


def test_the_reference_gives_the_table_back():
    """So that its runs are those of the main comparison."""
    table = load_songs("simulated", songs=6)
    assert fingerprint(quantized_by(WAYS["forwarded"], table)) == fingerprint(table)
    finer = quantized_by(WAYS["forwarded_64"], table)
    assert finer.column_names == table.column_names
    for before, after in zip(table, finer, strict=True):
        factor = after["ticks_per_beat"] // before["ticks_per_beat"]
        assert factor == (2 if before["ticks_per_beat"] == 120 else 1)
        assert after["durations"] == [factor * duration for duration in before["durations"]]


def test_bad_names_and_tables_are_refused(songs):
    with pytest.raises(InputError, match="there is no way 'forward'; did you mean 'forwarded'"):
        check_ways(["forwarded", "forward"])
    with pytest.raises(InputError, match="forwarded is not among ways="):
        check_ways(["rounded"])
    with pytest.raises(InputError, match="does not know the tempo of all songs"):
        songs_of(validate_songs(songs))
    row = {"singer_id": 1, "durations": [9], "quantized_durations": [15], "tempo": 5, "pitch": [60]}
    with pytest.raises(InputError, match="does not know the ticks_per_beat"):
        songs_of(validate_songs(Dataset.from_list([row | {"ticks_per_beat": each} for each in (120, None)])))


def test_what_is_not_installed_is_known():
    assert WAYS["forwarded"].installed
    assert not Way("", WAYS["forwarded"].quantize, package="no_such_package").installed
