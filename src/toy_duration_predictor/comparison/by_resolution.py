"""The share of copying by resolution: ticks weigh files of 960 ticks per beat eight times as much as those of 120."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from toy_duration_predictor.comparison.evidence import SongErrors, share


class Resolution(NamedTuple):
    """Test songs of one resolution.

    Attributes:
        songs: How many they are.
        copy: Error of the copy baseline, ticks.
        shares: By name, the error over that of the copy baseline.
    """

    ticks_per_beat: int
    songs: int
    copy: float
    shares: dict[str, float]


def by_resolution(errors: Mapping[str, SongErrors], copy: str, predictions: list[pa.Table]) -> list[Resolution]:
    """Returns the errors of songs of each resolution that is known.

    Args:
        errors: By name, of one measure, in ticks.
        copy: Name of the copy baseline.
        predictions: Tables that together have all these songs.
    """
    known = dict(
        pair
        for table in predictions
        for pair in zip(table["row"].to_pylist(), table["ticks_per_beat"].to_pylist(), strict=True)
    )
    of_song = np.array([known[row] or 0 for row in errors[copy].row.tolist()])
    found = []
    for resolution in np.unique(of_song[of_song > 0]).tolist():
        some = of_song == resolution
        sums = {name: float(each.error[some].sum()) for name, each in errors.items()}
        shares = {name: share(total, sums[copy]) for name, total in sums.items() if name != copy}
        found.append(Resolution(resolution, int(some.sum()), sums[copy] / int(errors[copy].notes[some].sum()), shares))
    return found
