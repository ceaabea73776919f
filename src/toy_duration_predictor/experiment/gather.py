"""From runs to what a report is made of: baselines, ablations and figures on the songs that the runs were tested on."""

import logging
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from datasets import Dataset

from toy_duration_predictor.data.songs import fingerprint
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.data.split import Split, split_rows
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.experiment.ablation import Metric, ablations, published_metric
from toy_duration_predictor.experiment.baselines import LADDER, performances
from toy_duration_predictor.experiment.calibration import Calibration, calibration, predicts_distributions, sampled
from toy_duration_predictor.experiment.ceiling import Matches, matches
from toy_duration_predictor.experiment.config import Data
from toy_duration_predictor.experiment.evidence import Run, SongErrors, mean_over_repetitions, song_errors
from toy_duration_predictor.experiment.questions import Part, judge
from toy_duration_predictor.experiment.recognition import Recognition, recognition
from toy_duration_predictor.experiment.run_folder import load_run

log = logging.getLogger(__name__)

MODEL, CONTROL, ANONYMOUS = "model_b", "model_a", "model_b_anonymous"
LOOKUPS = ("value", "value_singer", "neighbours", "neighbours_singer")


class Comparison(NamedTuple):
    """Everything that a report is made of.

    Attributes:
        table: The songs.
        runs: The finished runs of each arm, one a repetition, in the same order of repetitions.
        errors: Test errors of each arm and baseline, one a repetition.
        baselines: Predictions of each baseline in the first repetition, like `predictions.parquet`.
        ablations: Test errors of Model B under each ablation, one a repetition.
        best_lookup: The lookup with the least error on the validation songs.
        metrics: Each arm's error as the published metric counts it and otherwise, in the first repetition.
        recognition: Whether the singers are told from what the arms and baselines predict, in the first repetition.
        matches: Notes that several singers sang.
        calibration: Of Model B in the first repetition, if it predicts distributions.
        sampled: Like `predictions.parquet`, drawn from these distributions.
        parts: The comparisons that answer the questions.
        resamples: Of the bootstrap.
    """

    table: Dataset
    runs: dict[str, list[Run]]
    errors: dict[str, list[SongErrors]]
    baselines: dict[str, pa.Table]
    ablations: dict[str, list[SongErrors]]
    best_lookup: str
    metrics: dict[str, list[Metric]]
    recognition: Recognition | None
    matches: Matches | None
    calibration: Calibration | None
    sampled: pa.Table | None
    parts: list[Part]
    resamples: int


def gather(runs: list[Run], resamples: int) -> Comparison:
    """Brings runs together with the baselines and ablations on their songs.

    Args:
        runs: Finished runs; the arms must have the same repetitions, and the same songs.
        resamples: Of the bootstrap.

    Raises:
        InputError: The runs do not belong together, or Model B is not among them.
    """
    by_arm = _by_arm(runs)
    first = by_arm[MODEL][0]
    data = Data.model_validate(first.config["data"])
    table = load_songs(data.source, **data.options)
    if fingerprint(table) != first.metrics["data/fingerprint"]:
        raise InputError(f"{first.folder} was trained on other songs than data.source={data.source} gives now.")

    log.info("Baselines and ablations of %d runs of %s", len(by_arm[MODEL]), MODEL)
    splits = [split_rows(table, run.split, run.split_seed) for run in by_arm[MODEL]]
    errors = {arm: [song_errors(run.predictions) for run in of_arm] for arm, of_arm in by_arm.items()}
    baselines, on_validation = {}, {}
    # Of the baselines' splits, each once: seeds of the network change nothing there.
    of_split = {run.repetition[1:]: split for run, split in zip(by_arm[MODEL], splits, strict=True)}
    for name in LADDER:
        made = {key: _baseline(name, table, split) for key, split in of_split.items()}
        errors[name] = [song_errors(made[run.repetition[1:]][0]) for run in by_arm[MODEL]]
        baselines[name] = made[first.repetition[1:]][0]
        on_validation[name] = float(np.mean([validation for _, validation in made.values()]))
    best_lookup = min(LOOKUPS, key=on_validation.__getitem__)

    ablated = [
        ablations(load_run(run.folder), table, split.test, run.seed)
        for run, split in zip(by_arm[MODEL], splits, strict=True)
    ]
    of_model = {name: [each[name] for each in ablated] for name in ablated[0]}
    rivals = [
        ("Q1", CONTROL, errors.get(CONTROL)),
        ("Q2", "copy", errors["copy"]),
        ("Q2", best_lookup, errors[best_lookup]),
    ]
    rivals += [("Q3", ANONYMOUS, errors.get(ANONYMOUS)), ("Q3", "another singer", of_model.get("another singer"))]
    known = [(question, rival, of_rival) for question, rival, of_rival in rivals if of_rival is not None]
    parts = judge(errors[MODEL], known, mean_over_repetitions(errors["copy"]), resamples)

    models = {arm: load_run(of_arm[0].folder) for arm, of_arm in by_arm.items()}
    predictions = {arm: of_arm[0].predictions for arm, of_arm in by_arm.items()} | baselines
    known_singers = recognition(performances(table, splits[0].train), predictions, resamples)
    calibrated = drawn = None
    if predicts_distributions(models[MODEL]):
        calibrated = calibration(models[MODEL], table, splits[0].test, resamples)
        drawn = sampled(models[MODEL], table, splits[0].test, first.seed)
    return Comparison(
        table=table,
        runs=by_arm,
        errors=errors,
        baselines=baselines,
        ablations=of_model,
        best_lookup=best_lookup,
        metrics={arm: published_metric(model, table, splits[0].test) for arm, model in models.items()},
        recognition=known_singers,
        matches=matches(table),
        calibration=calibrated,
        sampled=drawn,
        parts=parts,
        resamples=resamples,
    )


def _by_arm(runs: list[Run]) -> dict[str, list[Run]]:
    """Returns the runs of each arm in the order of their repetitions."""
    if MODEL not in {run.arm for run in runs}:
        raise InputError(f"No run of {MODEL} is among these; the questions are about it.")
    for key in ("data/fingerprint", "data/source"):
        if len(values := {str(run.metrics[key]) for run in runs}) > 1:
            raise InputError(
                f"These runs are on different songs ({key}: {', '.join(sorted(values))}); compare those of one table."
            )
    by_arm: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.repetition):
        by_arm.setdefault(run.arm, []).append(run)
    wanted = [run.repetition for run in by_arm[MODEL]]
    if len(set(wanted)) < len(wanted):
        raise InputError(
            f"Several runs of {MODEL} have the same seed and split, with other settings; choose with runs=PATTERN."
        )
    for arm, of_arm in by_arm.items():
        if [run.repetition for run in of_arm] != wanted:
            raise InputError(
                f"{arm} and {MODEL} have not been run with the same seeds and splits; choose with runs=PATTERN."
            )
        for run, other in zip(of_arm, by_arm[MODEL], strict=True):
            if set(run.predictions["row"].to_pylist()) != set(other.predictions["row"].to_pylist()):
                raise InputError(
                    f"{run.folder} and {other.folder} were not tested on the same songs; give both the same data.split."
                )
    return by_arm


def _baseline(name: str, table: Dataset, split: Split) -> tuple[pa.Table, float]:
    """Returns a baseline's predictions for the test songs, and its MAE on the validation songs."""
    fitted = LADDER[name]().fit(performances(table, split.train))
    validation = performances(table, split.val)
    error = np.concatenate([np.abs(p - s) for p, s in zip(fitted.predict(validation), validation.sung, strict=True)])
    test = performances(table, split.test)
    columns = {
        "row": split.test,
        "singer_id": test.singer,
        "quantized": test.quantized,
        "original": test.sung,
        "predicted": fitted.predict(test),
    }
    return pa.table(columns), float(error.mean())
