"""From finished runs to everything that a report says: computed once, in the order in which the report says it."""

import logging
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from datasets import Dataset
from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator

from toy_duration_predictor.comparison.ablation import ablations
from toy_duration_predictor.comparison.arms import MODEL, runs_by_arm
from toy_duration_predictor.comparison.baselines import BASELINES, LOOKUPS, song_arrays, tested_baselines
from toy_duration_predictor.comparison.between_singers import RUN, BetweenSingers, between_singers
from toy_duration_predictor.comparison.calibration import LEAST, Calibration, calibrated
from toy_duration_predictor.comparison.evidence import (
    AblationErrors,
    ArmErrors,
    averaged,
    summaries,
    tested,
)
from toy_duration_predictor.comparison.published_metric import Metric, published_metric
from toy_duration_predictor.comparison.questions import COPY, Answers, judge
from toy_duration_predictor.comparison.recognition import SEGMENT, Recognition, recognition
from toy_duration_predictor.comparison.timing import PHRASE_REST, Timings, timings
from toy_duration_predictor.data.songs import fingerprint
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.data.split import split_rows
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.training.config import DataSettings
from toy_duration_predictor.training.run_folder import FinishedRun, load_run

log = logging.getLogger(__name__)

# Test songs that the report draws, and how many notes and rests of each.
EXAMPLES, EXAMPLE_NOTES = 2, 24


class Curve(NamedTuple):
    """A learning curve: the numbers of the epochs, from 1, and the skill on the validation songs after each of them."""

    epochs: list[int]
    skill: list[float]


class Provenance(NamedTuple):
    """Which songs and runs the numbers are of; network and training are Model B's.

    Attributes:
        songs: Rows of the songs table.
        repetitions: Seed, split seed and fold of each, the last one empty where there are no folds.
        seconds: Each arm's median training time.
        runs: The run folders of each arm, in the order of the repetitions.
    """

    source: str
    fingerprint: str
    songs: int
    test_songs: int
    test_singers: int
    repetitions: list[tuple[int, int, str]]
    network: dict[str, Any]
    training: dict[str, Any]
    commit: str
    versions: dict[str, str]
    seconds: dict[str, float]
    runs: dict[str, list[str]]


class Comparison(NamedTuple):
    """Everything that a report says. Plain values, nested: `report.json` holds them as they are.

    Attributes:
        errors: Of each arm and baseline.
        best_lookup: The lookup with the least error on the validation songs.
        learning_curves: Of each arm, one a repetition.
        published_metric: Of each arm in the first repetition, counted in four ways.
        timing: Of each arm and baseline in the first repetition, and of Model B's samples if it has distributions.
        recognition: None where there are fewer than two singers to tell apart.
        between_singers: None where no song is known to have several singers.
        calibration: None where Model B predicts no distributions.
        examples: The first notes of some test songs: the columns of `predictions.parquet`.
        method: Numbers that were decided before any result was known; the modules that use them explain them.
    """

    questions: Answers
    errors: dict[str, ArmErrors]
    best_lookup: str
    learning_curves: dict[str, list[Curve]]
    ablations: dict[str, AblationErrors]
    published_metric: dict[str, list[Metric]]
    timing: Timings
    recognition: Recognition | None
    between_singers: BetweenSingers | None
    calibration: Calibration | None
    examples: list[dict[str, Any]]
    method: dict[str, float]
    provenance: Provenance


def gather(runs: list[FinishedRun], resamples: int) -> Comparison:
    """Compares runs with each other, with the baselines and with ablations.

    Args:
        runs: Finished runs; the arms must have the same repetitions, and the same songs.
        resamples: Of the bootstrap.

    Raises:
        InputError: The runs do not belong together, or Model B is not among them.
    """
    by_arm = runs_by_arm(runs)
    own = by_arm[MODEL]
    first = own[0]
    table = _songs(first)

    log.info("Baselines and ablations of %d runs of %s", len(own), MODEL)
    splits = [split_rows(table, run.split, run.split_seed) for run in own]
    # Baselines have no seed: repetitions on the same split share them.
    of_split = {run.repetition[1:]: split for run, split in zip(own, splits, strict=True)}
    baselines = {key: tested_baselines(table, split) for key, split in of_split.items()}
    # Chosen by validation songs, so that test songs do not choose Model B's rival.
    validation = {name: np.mean([each[name].validation for each in baselines.values()]) for name in LOOKUPS}
    best_lookup = min(LOOKUPS, key=validation.__getitem__)

    predictions = {arm: [run.predictions for run in of_arm] for arm, of_arm in by_arm.items()}
    predictions |= {name: [baselines[run.repetition[1:]][name].predictions for run in own] for name in BASELINES}
    errors = {name: tested(tables) for name, tables in predictions.items()}
    of_runs = zip(own, splits, strict=True)
    found = [ablations(load_run(run.folder), table, split.test, run.seed) for run, split in of_runs]
    ablated = {name: averaged([each[name] for each in found]) for name in found[0]}

    arms, of_ablations = summaries(errors, ablated, MODEL, COPY, resamples)

    # What follows is about the first repetition: figures of single notes have no use for an average over runs.
    train, _, test = splits[0]
    models = {arm: load_run(of_arm[0].folder) for arm, of_arm in by_arm.items()}
    firsts = {name: tables[0] for name, tables in predictions.items()}
    calibration, sample = calibrated(models[MODEL], table, test, first.seed, resamples)
    samples = {} if sample is None else {f"{MODEL}, sampled": sample}
    return Comparison(
        questions=judge(errors | ablated, by_arm, best_lookup, resamples),
        errors=arms,
        best_lookup=best_lookup,
        learning_curves={arm: [learning_curve(run.folder) for run in of_arm] for arm, of_arm in by_arm.items()},
        ablations=of_ablations,
        published_metric={arm: published_metric(task, table, test) for arm, task in models.items()},
        timing=timings(samples | firsts, firsts[MODEL], firsts[best_lookup], table),
        recognition=recognition(song_arrays(table, train), firsts, resamples),
        between_singers=between_singers(table, first.predictions, resamples),
        calibration=calibration,
        examples=_examples(first),
        method={
            "resamples": resamples,
            "phrase_rest": PHRASE_REST,
            "segment": SEGMENT,
            "matching_run": RUN,
            "least_probability": LEAST,
        },
        provenance=_provenance(by_arm, len(table), errors[MODEL].singer),
    )


def learning_curve(run: Path) -> Curve:
    """Returns a run's learning curve, from the event files in its folder.

    It is empty for arms trained on sung durations: the copy baseline is perfect there, and skill has no value. A run
    that was interrupted and went on has several event files, which are read as one.
    """
    events = EventAccumulator(str(run), size_guidance={SCALARS: 0}).Reload()  # 0: all of them, not a sample
    if not {"val/skill", "epoch"} <= set(events.Tags()[SCALARS]):
        return Curve([], [])
    # A value is logged at an optimizer's update; the epoch, which counts from 0, is logged at the same one.
    epoch_of_update = {event.step: round(event.value) + 1 for event in events.Scalars("epoch")}
    skill = {epoch_of_update[event.step]: event.value for event in events.Scalars("val/skill")}
    return Curve(list(skill), list(skill.values()))


def _songs(run: FinishedRun) -> Dataset:
    """Loads the songs that a run was trained on."""
    data = DataSettings.model_validate(run.config["data"])
    table = load_songs(data.source, **data.options)
    if fingerprint(table) != run.metrics["data/fingerprint"]:
        raise InputError(f"{run.folder} was trained on other songs than data.source={data.source} gives now.")
    return table


def _examples(run: FinishedRun) -> list[dict[str, Any]]:
    def cut(value: Any) -> Any:
        return value[:EXAMPLE_NOTES] if isinstance(value, list) else value

    songs = run.predictions.slice(0, EXAMPLES).to_pylist()
    return [{name: cut(value) for name, value in song.items()} for song in songs]


def _provenance(by_arm: dict[str, list[FinishedRun]], songs: int, singers: np.ndarray) -> Provenance:
    """Says where numbers come from that are of so many songs, and of test songs by `singers`, `(S,)`."""
    first = by_arm[MODEL][0]
    metrics = first.metrics
    return Provenance(
        source=str(metrics["data/source"]),
        fingerprint=str(metrics["data/fingerprint"]),
        songs=songs,
        test_songs=len(singers),
        test_singers=len(np.unique(singers)),
        repetitions=[run.repetition for run in by_arm[MODEL]],
        network=first.config["model"],
        training=first.config["training"],
        commit=str(metrics["git/commit"]),
        versions={key[8:]: str(value) for key, value in metrics.items() if key.startswith("version/")},
        seconds={arm: median(float(run.metrics["train/seconds"]) for run in of_arm) for arm, of_arm in by_arm.items()},
        runs={arm: [str(run.folder) for run in of_arm] for arm, of_arm in by_arm.items()},
    )
