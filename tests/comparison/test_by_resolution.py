import numpy as np

from tests.comparison.test_evidence import table
from toy_duration_predictor.comparison.by_resolution import by_resolution
from toy_duration_predictor.comparison.evidence import SongErrors


def errors(*sums):
    return SongErrors(np.array([1, 4, 9, 12]), np.ones(4), np.array([2, 3, 1, 5]), np.array(sums, dtype=float))


def test_shares_by_hand():
    """Rows 1 and 9 have 480 ticks per beat, row 4 has 120, and row 12 is not known."""
    more = table(row=[1, 12], ticks_per_beat=[480, None])
    found = by_resolution({"copy": errors(10, 4, 2, 7), "b": errors(6, 1, 3, 9)}, "copy", [table(), more])
    assert found == [(120, 1, 4 / 3, {"b": 1 / 4}), (480, 2, 4.0, {"b": 9 / 12})]
    assert (
        by_resolution(
            {"copy": errors(1, 1, 1, 1)},
            "copy",
            [table(row=[1, 4], ticks_per_beat=[None] * 2), table(row=[9, 12], ticks_per_beat=[None] * 2)],
        )
        == []
    )
