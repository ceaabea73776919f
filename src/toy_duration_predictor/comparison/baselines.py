"""The baselines that a network is compared with: the copy baseline, median lookups and boosted trees.

All of them predict from quantized durations, rests and the singer, in ticks. What they learn is a correction, sung
minus quantized. Each is fitted twice, as running totals of durations that are predicted one by one drift:

| target | the correction of | measures |
| --- | --- | --- |
| `onset` | each onset: how far behind its grid line it was sung | onsets and inter-onset intervals |
| `duration` | each duration | durations |

The onset of a rest is the end of the note before it. Songs begin on the grid, so that their first onset is known.

| baseline | predicts |
| --- | --- |
| `copy` | the quantized duration |
| `value` | plus the median correction of all notes of that quantized value |
| `value_singer` | the same by the same singer |
| `neighbours` | plus the median correction between those two neighbours |
| `neighbours_singer` | the same by the same singer |
| `boosting` | plus a correction by gradient-boosted trees that see `REACH` notes on either side |
| `boosting_singer` | the same, and the trees see the singer |

Notes and rests never share a median.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, Self

import numpy as np
import pyarrow as pa
from datasets import Dataset

from toy_duration_predictor.comparison.boosting import Boosting
from toy_duration_predictor.comparison.corrections import SongArrays
from toy_duration_predictor.comparison.evidence import deciding, measured
from toy_duration_predictor.comparison.lookup import Lookup
from toy_duration_predictor.data.split import Split
from toy_duration_predictor.training.predictions import tested_songs, with_predictions

TARGETS = ("onset", "duration")
# Which target's predictions a measure is of.
TARGET = {"onset": "onset", "ioi": "onset", "duration": "duration", "notes": "duration", "rests": "duration"}


class Baseline(Protocol):
    """What every baseline can do."""

    def fit(self, songs: SongArrays, target: str = "duration") -> Self:
        """Learns from these songs, forgets all earlier ones, and returns itself. Nothing else reads what was sung."""
        ...

    def predict(self, songs: SongArrays) -> list[np.ndarray]:
        """Returns the predicted durations, a float array `(notes,)` a song, ticks.

        With the target `duration` they are never below 0; with `onset` their running totals are the predicted onsets.
        Values, neighbours and singers that training did not have are no error.
        """
        ...


BASELINES: dict[str, Callable[[], Baseline]] = {
    "copy": Lookup,
    "value": lambda: Lookup(("this",)),
    "value_singer": lambda: Lookup(("this", "singer"), ("this",)),
    "neighbours": lambda: Lookup(("previous", "this", "next"), ("this",)),
    "neighbours_singer": lambda: Lookup(
        ("previous", "this", "next", "singer"), ("previous", "this", "next"), ("this", "singer"), ("this",)
    ),
    "boosting": lambda: Boosting(use_singer=False),
    "boosting_singer": lambda: Boosting(use_singer=True),
}
LOOKUPS = ("value", "value_singer", "neighbours", "neighbours_singer")
TREES = ("boosting", "boosting_singer")


class Tested(NamedTuple):
    """A fitted baseline: its predictions of the test songs by target, and its errors on validation songs by measure."""

    predictions: dict[str, pa.Table]
    validation: dict[str, float]


class Best(NamedTuple):
    """The lookup and the trees with the least error on the validation songs, by one measure."""

    lookup: str
    trees: str


def fitted_baselines(table: Dataset, split: Split, carried: bool) -> dict[str, Tested]:
    """Fits every baseline on the training songs, and lets it predict the others.

    Args:
        table: The songs table.
        split: Its rows.
        carried: Whether its durations are carried values, which have no onsets.
    """
    _, validation, test = songs = [tested_songs(table, rows) for rows in split]
    to_learn, to_validate, to_test = map(SongArrays.of, songs)
    tested = {}
    for name, baseline in BASELINES.items():
        predictions: dict[str, pa.Table] = {}
        errors: dict[str, float] = {}
        for target in TARGETS[carried:]:
            fitted = baseline().fit(to_learn, target)
            by_unit = measured(with_predictions(validation, np.concatenate(fitted.predict(to_validate))))
            found = by_unit[deciding(by_unit)].items()
            errors |= {measure: each.mae for measure, each in found if TARGET[measure] == target}
            predictions[target] = with_predictions(test, np.concatenate(fitted.predict(to_test)))
        tested[name] = Tested(predictions, errors)
    return tested


def best_baselines(repetitions: Sequence[dict[str, Tested]], measure: str) -> Best:
    """Returns the best lookup and the best trees. Validation songs choose, so that test songs choose no rival.

    Args:
        repetitions: The baselines by name, on each split.
        measure: By which they are compared.
    """
    validation = {name: np.mean([each[name].validation[measure] for each in repetitions]) for name in LOOKUPS + TREES}
    return Best(*(min(names, key=validation.__getitem__) for names in (LOOKUPS, TREES)))
