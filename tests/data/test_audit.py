import re

import numpy as np
import pytest
from datasets import Dataset

from toy_duration_predictor.data.audit import audit
from toy_duration_predictor.data.origin import MEANING, Origin, declare, origins
from toy_duration_predictor.data.quantize import carried, quantize
from toy_duration_predictor.data.repair import repair_table
from toy_duration_predictor.data.simulate import simulate_songs
from toy_duration_predictor.data.songs import validate_songs
from toy_duration_predictor.errors import InputError


def spoil(row):
    """The published fault."""
    return {"durations": carried(np.array(row["durations"]), row["ticks_per_beat"] // 8)}


@pytest.fixture(scope="module")
def sung():
    return validate_songs(simulate_songs(36))


@pytest.fixture(scope="module")
def published(sung):
    return validate_songs(sung.map(spoil))


def section(table, title):
    return next(section for section in audit(table) if section.title == title)


def cells(table, title):
    return {row[0]: row[1:] for row in section(table, title).rows}


def test_the_finding_comes_first_with_a_picture(sung, published):
    of_sung, of_published = audit(sung)[0], audit(published)[0]
    assert of_sung.remark.startswith("The published fault is not found in any of 36 rows.")
    assert of_published.remark.startswith("36 of 36 rows have the published fault")
    error = np.abs(np.concatenate(sung["durations"]) - np.concatenate(sung["quantized_durations"])).mean()
    assert f", {error:.2f} ticks) from its quantized one" in of_sung.remark
    assert "Here 100.0% lie within." in of_published.remark
    for found in (of_sung, of_published):
        [picture] = found.pictures
        [axes] = picture.axes
        shares = [bar.get_height() for bar in axes.patches if bar.get_label() != "within half a step"]
        assert sum(shares) == pytest.approx(1)  # all notes, those far off too
    assert of_sung.pictures is not of_published.pictures


def test_what_is_not_known_is_not_said(sung):
    bare = validate_songs(sung.remove_columns(["tempo", "ticks_per_beat"]))
    assert re.search(r"On average a duration is [\d.]+ ticks from its quantized one", audit(bare)[0].remark)


def test_contents(sung):
    found = cells(sung, "Contents")
    assert found["rows"] == ("36",)
    assert found["notes and rests"] == (f"{sum(map(len, sung['durations'])):,}",)
    assert found["singers"] == ("18, with 2 to 2 rows each",)
    assert found["songs"][0].startswith("18, 18 of them by several singers")


def test_lengths_by_numpy(sung):
    found = cells(sung, "Lengths")
    beats = [np.divide(row["durations"], row["ticks_per_beat"]) for row in sung]
    notes = np.concatenate([values[::2] for values in beats])
    assert found["notes, beats"] == tuple(f"{p:,.3f}" for p in np.percentile(notes, (1, 25, 50, 75, 99)))
    rests = np.concatenate([row["quantized_durations"][1::2] for row in sung])
    assert found["rests quantized to 0"][0] == f"{(rests == 0).mean():.1%}"
    assert "notes and rests, beats" in cells(sung.remove_columns("pitch"), "Lengths")


def test_resolutions(sung):
    rows = section(sung, "Resolutions").rows
    assert [row[:3] for row in rows] == [("15", "120", "120"), ("60", "480", "480"), ("120", "960", "960")]
    assert sum(int(row[3]) for row in rows) == 36
    unknown = section(sung.remove_columns("ticks_per_beat"), "Resolutions").rows
    assert {row[2] for row in unknown} == {"not known"}


def test_copy_error_in_three_units(sung):
    found = cells(sung, "Error of the copy baseline")
    error = [np.abs(np.subtract(row["durations"], row["quantized_durations"])) for row in sung]
    beats = np.concatenate([each / ticks for each, ticks in zip(error, sung["ticks_per_beat"], strict=True)])
    assert found["ticks"][0] == f"{np.concatenate(error).mean():.3f}"
    assert found["beats"][0] == f"{beats.mean():.4f}"
    assert found["ms"][0] == f"{500 * beats.mean():.1f}"
    assert cells(sung.remove_columns("tempo"), "Error of the copy baseline")["ms"][0] == "not known"


def test_outliers():
    table = Dataset.from_dict(
        {
            "singer_id": [1, 1],
            "ticks_per_beat": [120, 120],
            "durations": [[15, 5000, 30], [0, 15, 2000]],
            "quantized_durations": [[15, 5010, 30], [0, 15, 2100]],
        }
    )
    found = section(validate_songs(table), "Outliers")
    assert found.rows == [("0", "1", "", "5,000"), ("1", "2", "", "2,000")]
    assert found.remark.startswith("2 durations are longer than 16 beats, and 1 are more than two grid steps from")
    assert found.remark.endswith("1 are 0.")


def test_duplicates(sung):
    twice = Dataset.from_dict({name: [*sung[name], sung[name][3]] for name in sung.column_names})
    assert cells(validate_songs(twice), "Duplicates")["the same durations"] == ("1", "3 = 36")
    assert cells(sung, "Duplicates")["the same durations"][0] == "0"


def test_rows_shared_between_splits(sung):
    found = cells(sung, "Test rows that training has seen")
    assert found["grouped"][1] == "0"
    assert int(found["published"][1]) > 0
    small = sung.select(range(3))
    assert section(small, "Test rows that training has seen").remark == "The table is too small to be split."


@pytest.fixture(scope="module")
def rounded(sung):
    """Durations as sung, each quantized by itself."""

    def round_each(row):
        step = row["ticks_per_beat"] // 8
        return {"quantized_durations": quantize(np.array(row["durations"]), step, forward_error=False)}

    return validate_songs(sung.map(round_each))


def first_rows(table, others, rows=30):
    """The first rows of a table, and the other rows of another one."""
    columns = {name: [*table[name][:rows], *others[name][rows:]] for name in table.column_names}
    return validate_songs(Dataset.from_dict(columns))


def test_the_fault_is_found_where_it_is(sung, published):
    assert set(origins(sung)) == {Origin.SINGER}
    assert set(origins(published)) == {Origin.QUANTIZER}
    assert section(sung, "The published fault").remark == "It is not found."
    assert section(published, "The published fault").remark.startswith("It is found in 36 of 36 rows")


def test_rows_are_counted_by_what_they_hold(sung, rounded, published):
    table = first_rows(first_rows(sung, rounded, 10), published)
    assert origins(table) == [Origin.SINGER] * 10 + [Origin.ROUNDED] * 20 + [Origin.QUANTIZER] * 6
    counts = {MEANING[Origin.SINGER]: "10", MEANING[Origin.ROUNDED]: "20", MEANING[Origin.QUANTIZER]: "6"}
    rows = section(table, "The published fault").rows
    assert {meaning: count for meaning, count in rows if count != "0"} == counts
    assert section(table, "The published fault").remark.startswith("It is found in 6 of 36 rows")


def test_short_rows_are_undecided_until_it_is_said(published):
    def cut(row):
        return {name: row[name][:8] for name in ("durations", "quantized_durations", "pitch")}

    short = validate_songs(published.map(cut))
    assert Origin.QUANTIZER not in origins(short)
    assert "rows have too few short rests to tell" in section(short, "The published fault").remark
    declare(short, "carried")
    assert set(origins(short)) == {Origin.QUANTIZER}
    remark = section(short, "The published fault").remark
    assert remark.startswith("They are said to be carried values. It is found in")


def test_its_bounds_are_right(sung, published):
    """The notes said to be touched at most are no fewer than those that are."""
    changed = sum(int(np.not_equal(a, b).sum()) for a, b in zip(sung["durations"], published["durations"], strict=True))
    remark = section(published, "The published fault").remark
    touched = int(remark.partition("It touches at most ")[2].partition(" ")[0].replace(",", ""))
    assert changed <= touched <= sum(map(len, sung["durations"]))


def carried_rows(table):
    return [row for row, found in enumerate(origins(table)) if found == Origin.QUANTIZER]


def test_repair_touches_the_spoilt_rows_alone(sung, rounded, published):
    mixed = first_rows(sung, published)
    repaired = repair_table(mixed, carried_rows(mixed))
    assert repaired["durations"][:30] == sung["durations"][:30]
    assert not any(map(any, repaired["undecided"][:30]))
    assert any(map(any, repaired["undecided"][30:]))
    for row in repaired.select(range(30, 36)):
        step = row["ticks_per_beat"] // 8
        assert quantize(np.array(row["durations"]), step).tolist() == row["quantized_durations"]
    for innocent in (sung, rounded):
        with pytest.raises(InputError, match="nothing to repair"):
            repair_table(innocent, carried_rows(innocent))


def test_a_row_that_cannot_be_repaired_is_left(published):
    columns = {name: list(published[name]) for name in published.column_names}
    columns["durations"][0] = [0, *columns["durations"][0][1:]]
    columns["quantized_durations"][0] = [0, *columns["quantized_durations"][0][1:]]
    odd = validate_songs(Dataset.from_dict(columns))
    rows = carried_rows(odd)
    assert rows == list(range(1, 36))
    assert repair_table(odd, rows)["durations"][0] == odd["durations"][0]
