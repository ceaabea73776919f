import json

import numpy as np
import pytest

from toy_duration_predictor.data.midi.recipe import Limit, Recipe
from toy_duration_predictor.data.origin import MEANING, Origin, are_carried, declare, declared, origin, origins
from toy_duration_predictor.data.quantize import carried, quantize
from toy_duration_predictor.data.simulate import simulate_songs
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError


@pytest.fixture(scope="module")
def both():
    """Simulated songs as carried values, and each rounded by itself: two lists of durations and quantized durations."""
    table = simulate_songs(400, seed=1)
    songs = [
        (np.array(sung), ticks // 8) for sung, ticks in zip(table["durations"], table["ticks_per_beat"], strict=True)
    ]
    spoilt = [(carried(sung, step), quantize(sung, step)) for sung, step in songs]
    return spoilt, [(sung, quantize(sung, step, forward_error=False)) for sung, step in songs]


def found(songs, notes=None):
    """Where the first notes of songs come from, and how often."""
    every = [origin(durations[:notes], quantized[:notes]) for durations, quantized in songs]
    return {each: every.count(each) / len(every) for each in Origin}


@pytest.mark.parametrize(
    ("stored", "quantized", "said", "expected"),
    [
        ([20, 20, 20], [15, 30, 15], "auto", Origin.SINGER),
        ([22, 22], [15, 15], "auto", Origin.UNDECIDED),
        ([22, 22], [15, 15], "carried", Origin.QUANTIZER),
        ([22, 22], [15, 15], "sung", Origin.ROUNDED),
        # 7 ticks would be carried into the second note, which has only 3.
        ([22, 3], [15, 0], "auto", Origin.ROUNDED),
        ([22, 3], [15, 0], "carried", Origin.ROUNDED),
        ([15, 30], [15, 30], "auto", Origin.EITHER),
        ([15, 30], [15, 30], "carried", Origin.QUANTIZER),
        ([15, 30], [15, 30], "sung", Origin.SINGER),
        ([1, 2], [0, 0], "auto", Origin.EITHER),
        # No note has 0 ticks, so this is no carried value.
        ([0, 2], [0, 0], "auto", Origin.SINGER),
        ([15, 30, 7], [30, 15, 15], "sung", Origin.NEITHER),
    ],
)
def test_where_durations_come_from(stored, quantized, said, expected):
    assert origin(np.array(stored), np.array(quantized), said) == expected


def test_whole_songs_are_told_apart(both):
    spoilt, innocent = map(found, both)
    assert spoilt[Origin.QUANTIZER] >= 0.95
    assert spoilt[Origin.QUANTIZER] + spoilt[Origin.UNDECIDED] == 1
    assert innocent[Origin.ROUNDED] >= 0.99
    assert innocent[Origin.QUANTIZER] == 0


@pytest.mark.parametrize("notes", [10, 20, 50, 100])
def test_beginnings_of_songs_are_not_accused(both, notes):
    spoilt, innocent = (found(songs, notes) for songs in both)
    assert innocent[Origin.QUANTIZER] <= 0.01
    assert spoilt[Origin.ROUNDED] == 0
    # With few short rests nothing can be told.
    assert notes > 10 or spoilt[Origin.UNDECIDED] + spoilt[Origin.EITHER] > 0.95


@pytest.mark.parametrize("shortest", [1, 5])
def test_songs_without_short_rests_are_not_accused(shortest):
    """Rests shorter than some steps go to the note after them."""
    table = simulate_songs(200, seed=2)
    songs = []
    for sung, ticks in zip(table["durations"], table["ticks_per_beat"], strict=True):
        times = np.cumsum([0, *sung])
        short = np.append(np.array(sung[1::2]) < shortest * ticks // 8, False)
        ends = np.delete(times, 2 * np.flatnonzero(short) + 2)
        songs.append((np.diff(ends), ticks // 8))
    innocent = found([(sung, quantize(sung, step, forward_error=False)) for sung, step in songs])
    spoilt = found([(carried(sung, step), quantize(sung, step)) for sung, step in songs])
    assert innocent[Origin.QUANTIZER] <= 0.01
    assert spoilt[Origin.ROUNDED] == 0


def test_chance_pairs_rests_with_errors_in_any_way(rng):
    """Songs whose rests are longer than most errors, so that the arithmetic clears few of them."""
    songs = []
    for _ in range(1000):
        sung = np.ravel([[60 + rng.integers(-7, 8), rng.integers(5, 8)] for _ in range(30)])
        songs.append((sung, quantize(sung, 15, forward_error=False)))
    assert found(songs)[Origin.QUANTIZER] <= 0.01


def test_a_table_is_taken_as_carried_where_no_row_is_sung():
    kinds = [Origin.QUANTIZER, Origin.EITHER, Origin.UNDECIDED]
    assert are_carried(kinds)
    assert not are_carried([Origin.EITHER, Origin.UNDECIDED])
    assert not any(are_carried([*kinds, other]) for other in (Origin.SINGER, Origin.ROUNDED, Origin.NEITHER))
    assert set(MEANING) == set(Origin)


def test_what_is_said_of_a_table_is_said_of_its_rows():
    table = load_songs("simulated", "sung", songs=4)
    assert declared(table.select([2, 0]).remove_columns("pitch")) == "sung"
    declare(table, "auto")
    assert declared(table) == "sung"
    assert declared(load_songs("simulated", songs=4)) == "auto"
    with pytest.raises(InputError, match="durations=sang: give auto, sung, carried"):
        load_songs("simulated", "sang")


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [({}, Origin.ROUNDED), ({"forward_error": False}, Origin.ROUNDED), ({"published": True}, Origin.QUANTIZER)],
)
def test_the_recipe_beside_a_table_decides(tmp_path, recipe, expected):
    """Of two notes that no statistic could tell."""
    table = simulate_songs(1).remove_columns(["pitch", "durations", "quantized_durations"])
    table = table.add_column("durations", [[22, 22]]).add_column("quantized_durations", [[15, 15]])
    path = tmp_path / "songs.parquet"
    table.to_parquet(path)
    assert origins(load_songs("parquet", path=path)) == [Origin.UNDECIDED]
    written = {**Recipe(**recipe)._asdict(), "shortest_rest": str(Limit(0.3, "ticks"))}
    sidecar = tmp_path / "songs.parquet.json"
    sidecar.write_text(json.dumps({"recipe": written, "songs": 1}))
    assert origins(load_songs("parquet", path=path)) == [expected]
    # The key is worth more than the recipe.
    assert origins(load_songs("parquet", "sung", path=path)) == [Origin.ROUNDED]
    for other in (json.dumps({"recipe": written, "songs": 2}), "{}", "[]"):
        sidecar.write_text(other)
        assert origins(load_songs("parquet", path=path)) == [Origin.UNDECIDED]
    sidecar.write_text("no recipe")
    with pytest.raises(
        InputError, match=r"songs\.parquet\.json cannot be read .*; prepare the table again, or delete it"
    ):
        load_songs("parquet", path=path)


def test_what_cannot_be_carried_values_is_refused():
    table = load_songs("simulated", "carried", songs=4)
    with pytest.raises(InputError, match=r"said to be carried values.* 4 of 4 rows cannot be, the first of them row 0"):
        origins(table)
