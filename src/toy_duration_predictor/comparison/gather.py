"""From finished runs to everything that a report says: computed once, in the order in which the report says it."""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pyarrow as pa
from datasets import Dataset

from toy_duration_predictor.comparison.ablation import ablations
from toy_duration_predictor.comparison.arms import MODEL, runs_by_arm
from toy_duration_predictor.comparison.baselines import BASELINES, TARGET, TARGETS, best_baselines, fitted_baselines
from toy_duration_predictor.comparison.between_singers import RUN, between_singers
from toy_duration_predictor.comparison.by_resolution import by_resolution
from toy_duration_predictor.comparison.calibration import LEAST, calibrated
from toy_duration_predictor.comparison.corrections import song_arrays
from toy_duration_predictor.comparison.evidence import (
    Errors,
    SongErrors,
    ablation_summaries,
    all_averaged,
    deciding,
    measured,
    summaries,
)
from toy_duration_predictor.comparison.facts import Comparison
from toy_duration_predictor.comparison.gaps import gap_free_view
from toy_duration_predictor.comparison.learning_curves import learning_curve
from toy_duration_predictor.comparison.provenance import provenance
from toy_duration_predictor.comparison.published_metric import published_metric
from toy_duration_predictor.comparison.questions import (
    COPY,
    JUST_NOTICEABLE_MS,
    JUST_NOTICEABLE_SHARE,
    NO_DIFFERENCE,
    SUPPORTED,
    Answers,
    judge,
    within,
)
from toy_duration_predictor.comparison.recognition import SEGMENT, recognition
from toy_duration_predictor.comparison.references import references
from toy_duration_predictor.comparison.sensitivity import Sensitivity, Train, sensitivity
from toy_duration_predictor.comparison.timing import PHRASE_REST, timings
from toy_duration_predictor.data.songs import fingerprint
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.data.split import split_rows
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.training.config import DataSettings
from toy_duration_predictor.training.run_folder import FinishedRun, load_run
from toy_duration_predictor.training.timing_errors import MEASURES

log = logging.getLogger(__name__)

# Test songs that the report draws, and how many notes and rests of each.
EXAMPLES, EXAMPLE_NOTES = 2, 24


def gather(runs: list[FinishedRun], resamples: int, train_planted: Train | None = None) -> Comparison:
    """Compares runs with each other, with the baselines and with ablations.

    Args:
        runs: Finished runs; the arms must have the same repetitions, and the same songs.
        resamples: Of the bootstrap.
        train_planted: Trains on songs with a planted effect, where *no practical difference* is at stake. If None, that
            is never the verdict.

    Raises:
        InputError: The runs do not belong together, or Model B is not among them.
    """
    by_arm = runs_by_arm(runs)
    own = by_arm[MODEL]
    first = own[0]
    table = _songs(first)
    own_tables = [run.predictions for run in own]
    carried = any(any(predictions["carried"].to_pylist()) for predictions in own_tables)

    log.info("Baselines and ablations of %d runs of %s", len(own), MODEL)
    splits = [split_rows(table, run.split, run.split_seed) for run in own]
    # Baselines have no seed: repetitions on the same split share them.
    of_split = {run.repetition[1:]: split for run, split in zip(own, splits, strict=True)}
    baselines = {key: fitted_baselines(table, split, carried) for key, split in of_split.items()}

    # By target and name, a table a repetition.
    predictions = {
        target: {arm: [run.predictions for run in of_arm] for arm, of_arm in by_arm.items()}
        | {name: [baselines[run.repetition[1:]][name].predictions[target] for run in own] for name in BASELINES}
        for target in TARGETS[carried:]
    }
    errors = _errors(predictions)
    unit = deciding(errors[COPY])
    measures = [measure for measure in MEASURES if measure in errors[COPY][unit]]
    best = {measure: best_baselines(list(baselines.values()), measure) for measure in measures}
    of_runs = zip(own, splits, strict=True)
    found = [ablations(load_run(run.folder), table, split.test, run.seed) for run, split in of_runs]
    ablated = {name: all_averaged([each[name] for each in found]) for name in found[0]}
    rivals = {measure: (COPY, *best[measure], MODEL) for measure in measures}
    of_rivals = {
        measure: {name: predictions[TARGET[measure]][name] for name in names} for measure, names in rivals.items()
    }

    def planted(measure: str, size: float) -> Sensitivity | None:
        # It takes as much training as the comparison, so it is looked for by the first measure alone.
        if train_planted is None or carried or measure != measures[0]:
            return None
        log.info("Would a known effect on %s have been found? It is planted in the same songs.", measure)
        return sensitivity(table, first.predictions, measure, unit, size, train_planted, resamples)

    questions, found_planted = {}, {}
    for measure in measures:
        compared = {name: each[unit][measure] for name, each in (errors | ablated).items() if measure in each[unit]}
        questions[measure], found_planted[measure] = _judged(
            compared, by_arm, best[measure].lookup, resamples, partial(planted, measure)
        )

    # What follows is about the first repetition: figures of single notes have no use for an average over runs.
    train, _, test = splits[0]
    models = {arm: load_run(of_arm[0].folder) for arm, of_arm in by_arm.items()}
    firsts = {name: tables[0] for name, tables in predictions["duration"].items()}
    calibration, sample = calibrated(models[MODEL], table, test, first.seed, resamples)
    samples = {} if sample is None else {f"{MODEL}, sampled": sample}
    return Comparison(
        unit=unit,
        carried=carried,
        questions=questions,
        sensitivity={measure: each for measure, each in found_planted.items() if each is not None},
        errors=summaries(errors, COPY, resamples),
        best=best,
        by_resolution={
            measure: by_resolution({name: errors[name]["ticks"][measure] for name in names}, COPY, own_tables)
            for measure, names in rivals.items()
        },
        gaps=gap_free_view(of_rivals, COPY),
        learning_curves={arm: [learning_curve(run.folder) for run in of_arm] for arm, of_arm in by_arm.items()},
        ablations={
            measure: ablation_summaries(
                {name: each[unit][measure] for name, each in ablated.items() if measure in each[unit]},
                errors[MODEL][unit][measure],
                errors[COPY][unit][measure],
                resamples,
            )
            for measure in measures
        },
        published_metric={arm: published_metric(task, table, test) for arm, task in models.items()},
        timing=timings(samples | firsts, firsts[MODEL], firsts[best["duration"].lookup], table),
        recognition=recognition(song_arrays(table, train), firsts, resamples),
        between_singers=between_singers(table, first.predictions, resamples),
        references=references(models[MODEL], table, test, first.seed),
        calibration=calibration,
        examples=_examples(first),
        method={
            "resamples": resamples,
            "no_difference": NO_DIFFERENCE,
            "just_noticeable_ms": JUST_NOTICEABLE_MS,
            "just_noticeable_share": JUST_NOTICEABLE_SHARE,
            "phrase_rest": PHRASE_REST,
            "segment": SEGMENT,
            "matching_run": RUN,
            "least_probability": LEAST,
        },
        provenance=provenance(by_arm, len(table), errors[MODEL][unit]["duration"].singer),
    )


def _errors(predictions: dict[str, dict[str, list[pa.Table]]]) -> dict[str, Errors]:
    """Returns the errors of each arm and baseline, averaged; each measure from the predictions of its target."""
    found: dict[str, Errors] = {}
    for target, of_target in predictions.items():
        for name, repetitions in of_target.items():
            for unit, every in all_averaged([measured(table) for table in repetitions]).items():
                own = {measure: each for measure, each in every.items() if TARGET[measure] == target}
                found.setdefault(name, {}).setdefault(unit, {}).update(own)
    return found


def _judged(
    errors: dict[str, SongErrors],
    arms: Iterable[str],
    best_lookup: str,
    resamples: int,
    planted: Callable[[float], Sensitivity | None],
) -> tuple[Answers, Sensitivity | None]:
    """Returns the answers by one measure; and what became of a planted effect, where they turn on it."""
    answers = judge(errors, arms, best_lookup, resamples)
    small = any(within(part.difference, answers.no_difference) for part in answers.parts)
    # With too few repetitions nothing can be found, and where copying is perfect nothing is small.
    possible = answers.smallest_p <= answers.level and answers.no_difference > 0
    found = planted(answers.no_difference) if small and possible else None
    if found is not None and found.verdict == SUPPORTED:
        answers = judge(errors, arms, best_lookup, resamples, sensitive=True)
    return answers, found


def _songs(run: FinishedRun) -> Dataset:
    """Loads the songs that a run was trained on."""
    data = DataSettings.model_validate(run.config["data"])
    table = load_songs(data.source, data.durations, **data.options)
    if fingerprint(table) != run.metrics["data/fingerprint"]:
        raise InputError(f"{run.folder} was trained on other songs than data.source={data.source} gives now.")
    return table


def _examples(run: FinishedRun) -> list[dict[str, Any]]:
    def cut(value: Any) -> Any:
        return value[:EXAMPLE_NOTES] if isinstance(value, list) else value

    songs = run.predictions.slice(0, EXAMPLES).to_pylist()
    return [{name: cut(value) for name, value in song.items()} for song in songs]
