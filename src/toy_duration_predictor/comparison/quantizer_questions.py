"""What Model B says of ways to quantize: what it leaves of the timing, the answers to Q0, and how well it transfers."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset

from toy_duration_predictor.comparison.evidence import (
    Errors,
    all_averaged,
    deciding,
    measured,
    notes_by_song,
    share,
    tests_against,
)
from toy_duration_predictor.comparison.intervals import Interval
from toy_duration_predictor.comparison.questions import NO_DIFFERENCE, verdict
from toy_duration_predictor.data.quantizers import REFERENCE
from toy_duration_predictor.training.predictions import predict_songs, predictions_table
from toy_duration_predictor.training.run_folder import FinishedRun, load_run
from toy_duration_predictor.training.timing_errors import MEASURES


class Restored(NamedTuple):
    """Errors on the test songs of a way's table, by one measure: of copying it, and of Model B trained on it.

    Attributes:
        copy: Mean absolute error by unit.
        model: The same, averaged over the repetitions.
        share: Model B's over copying's, in the unit that decides.
    """

    copy: dict[str, float]
    model: dict[str, float]
    share: float


class Compared(NamedTuple):
    """What Model B leaves of another way's table, minus what it leaves of the reference's; see `questions.Part`."""

    rival: str
    difference: Interval
    p_songs: float
    p_repetitions: float
    p: float
    smallest_effect: float
    verdict: str


class Judged(NamedTuple):
    """What Model B says of the ways that differ.

    Attributes:
        seeds: Trainings on each table.
        test_songs: How many songs the errors are of.
        unit: The unit that decides.
        no_difference: By measure, up to where a difference means nothing in practice.
        restored: By measure and way.
        compared: By measure.
        matrix: By measure, way of the training and way of the test: Model B's error as a share of copying the test's
            table; first repetition.
    """

    seeds: int
    test_songs: int
    unit: str
    no_difference: dict[str, float]
    restored: dict[str, dict[str, Restored]]
    compared: dict[str, list[Compared]]
    matrix: dict[str, dict[str, dict[str, float]]]


def as_sung(predictions: pa.Table, table: Dataset) -> pa.Table:
    """Returns a predictions table in the ticks in which the songs were sung, whatever a way's grid needed.

    Args:
        predictions: Of a way's table; see `training.predictions`.
        table: The songs table before it was quantized by a way.
    """
    ticks_per_beat = np.array(table["ticks_per_beat"])[predictions["row"].to_numpy()]
    factors = predictions["ticks_per_beat"].to_numpy() / ticks_per_beat
    columns = {
        name: pa.array([song / factor for song, factor in zip(notes_by_song(predictions, name), factors, strict=True)])
        for name in ("quantized", "sung", "predicted")
    }
    columns["ticks_per_beat"] = pa.array(ticks_per_beat)
    for name, column in columns.items():
        predictions = predictions.set_column(predictions.column_names.index(name), name, column)
    return predictions


def judge_ways(
    runs: Mapping[str, list[FinishedRun]], tables: Mapping[str, Dataset], table: Dataset, resamples: int
) -> Judged:
    """Returns what Model B leaves of each way's table, and the answers to Q0.

    Args:
        runs: Of Model B, by way: a run a repetition.
        tables: By way.
        table: The songs table before it was quantized by a way.
        resamples: Of the bootstrap.
    """
    own = {name: [as_sung(run.predictions, table) for run in of_way] for name, of_way in runs.items()}
    errors: dict[str, Errors] = {name: all_averaged([measured(each) for each in of]) for name, of in own.items()}
    copied = {name: measured(of[0], "quantized") for name, of in own.items()}
    unit = deciding(errors[REFERENCE])
    restored: dict[str, dict[str, Restored]] = {}
    compared: dict[str, list[Compared]] = {}
    regions = {measure: NO_DIFFERENCE * copied[REFERENCE][unit][measure].mae for measure in MEASURES}
    for measure, region in regions.items():
        restored[measure] = {
            name: Restored(
                copy={each: of[measure].mae for each, of in copied[name].items()},
                model={each: of[measure].mae for each, of in errors[name].items()},
                share=share(errors[name][unit][measure].mae, copied[name][unit][measure].mae),
            )
            for name in errors
        }
        tests = tests_against(REFERENCE, {name: of[unit][measure] for name, of in errors.items()}, resamples)
        compared[measure] = [
            Compared(rival=rival, verdict=verdict(test.difference, test.p, region), **test._asdict())
            for rival, test in tests.items()
        ]
    return Judged(
        seeds=len(runs[REFERENCE]),
        test_songs=len(own[REFERENCE][0]),
        unit=unit,
        no_difference=regions,
        restored=restored,
        compared=compared,
        matrix=_matrix(runs, tables, table),
    )


def _matrix(
    runs: Mapping[str, list[FinishedRun]], tables: Mapping[str, Dataset], table: Dataset
) -> dict[str, dict[str, dict[str, float]]]:
    """Returns `Judged.matrix`."""
    found: dict[str, dict[str, dict[str, float]]] = {"onset": {}, "duration": {}}
    for trained, of_way in runs.items():
        task = load_run(of_way[0].folder)
        rows = of_way[0].predictions["row"].to_numpy()
        for tested, other in tables.items():
            predicted = [predicted[batch.mask] for batch, predicted in predict_songs(task, other, rows)]
            predictions = as_sung(predictions_table(other, rows, torch.cat(predicted).numpy()), table)
            of_model, of_copy = (measured(predictions, column) for column in ("predicted", "quantized"))
            unit = deciding(of_copy)
            for measure, shares in found.items():
                errors = of_model[unit][measure].mae, of_copy[unit][measure].mae
                shares.setdefault(trained, {})[tested] = share(*errors)
    return found
