"""Can the verdict on the singer be trusted? The experiment is tried on simulated songs whose singer effect is known.

Model B is trained with and without the singer on each corpus. A corpus has a seed of its own, of its songs, its split
and the weights. Counted are both errors: the verdict *supported* where there is no effect, and *no practical
difference* or *worse* where there is one.

With one repetition a corpus there is no test over repetitions, as in `questions.judge`, neither of the corpus nor of a
planted effect (see `sensitivity`). What is tried is the rest of the rule, which by itself is less strict.
"""

import logging
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from datasets import Dataset
from omegaconf import DictConfig
from scipy.stats import binomtest

from toy_duration_predictor.comparison.arms import ANONYMOUS, MODEL
from toy_duration_predictor.comparison.config import PowerConfig
from toy_duration_predictor.comparison.evidence import deciding, measured, share
from toy_duration_predictor.comparison.intervals import Interval
from toy_duration_predictor.comparison.questions import NO_DIFFERENCE, SAME, SUPPORTED, WORSE, verdict, within
from toy_duration_predictor.comparison.reports.comparison import plain
from toy_duration_predictor.comparison.reports.power import TITLE, sections
from toy_duration_predictor.comparison.sensitivity import sensitivity
from toy_duration_predictor.comparison.significance import song_sign_flip
from toy_duration_predictor.comparison.study_runs import finished, of_study, share_out, write_songs
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.sections import write_report
from toy_duration_predictor.training.config import validated
from toy_duration_predictor.training.run_folder import FinishedRun
from toy_duration_predictor.training.terminal import console_log
from toy_duration_predictor.training.timing_errors import MEASURES

log = logging.getLogger(__name__)

Compose = Callable[[list[str]], DictConfig]


class Outcome(NamedTuple):
    """The verdict on a corpus by one measure, and what the singer took off the error: a share of copying's, and ms."""

    verdict: str
    share: float
    ms: float


class Cell(NamedTuple):
    """What became of the corpora with so many `songs` and this singer `effect`, by one measure.

    Attributes:
        words: How many had each verdict.
        wrong: The share of wrong verdicts, with its 95 % interval by Wilson's method.
        supported: The share with the verdict *supported*.
        share: The mean of what the singer took off the error, as a share of the copy baseline's error.
        ms: The same in ms.
    """

    measure: str
    effect: float
    songs: int
    words: dict[str, int]
    wrong: Interval
    supported: float
    share: float
    ms: float


def power(config: DictConfig | dict[str, Any], compose: Compose) -> list[Cell]:
    """Runs the study that `conf/power.yaml` describes, and writes its report.

    Args:
        config: `conf/power.yaml`, composed.
        compose: Composes `conf/train.yaml` with overrides.

    Raises:
        InputError: The configuration cannot be used.
        Interrupted: SIGINT or SIGTERM; the same call goes on.
    """
    settings = validated(config, PowerConfig)
    console_log()
    sizes = [(effect, songs) for songs in settings.songs for effect in settings.effects]
    # All sizes of a seed before the next one, so that a study that is stopped has something of each.
    trials = [(*size, seed) for seed in range(settings.repetitions) for size in sizes]

    def try_one(numbered: tuple[int, tuple[float, int, int]], wait: bool) -> dict[str, Outcome]:
        number, (effect, songs, seed) = numbered
        log.info("Corpus %d/%d: %d songs, singer effect %g, seed %d", number, len(trials), songs, effect, seed)
        return trial(effect, songs, seed, settings, compose, wait)

    outcomes: dict[tuple[float, int], list[dict[str, Outcome]]] = {size: [] for size in sizes}
    for (effect, songs, _), found in zip(trials, share_out(list(enumerate(trials, 1)), try_one), strict=True):
        outcomes[effect, songs].append(found)
    cells = [
        cell(measure, *size, [outcome[measure] for outcome in of_size])
        for measure in MEASURES
        for size, of_size in outcomes.items()
    ]
    write_report(settings.out, TITLE, sections(cells, settings.repetitions), plain(cells))
    log.info("Report: %s", settings.out / "report.html")
    return cells


def trial(
    effect: float, songs: int, seed: int, settings: PowerConfig, compose: Compose, wait: bool = True
) -> dict[str, Outcome]:
    """Makes a corpus, trains Model B with and without the singer, and returns the outcome by measure.

    Raises:
        Occupied: Another process has one of the runs under way, and this one is not to wait.
    """

    def trained(source: str, **options: Any) -> dict[str, FinishedRun]:
        runs = {}
        for arm in (MODEL, ANONYMOUS):
            split = ("data.split=grouped", f"data.split_seed={seed}")
            run = compose([f"experiment={arm}", f"data={source}", *split, *settings.each])
            run.data.update(options)
            runs[arm] = finished(of_study(run, settings, seed), wait)
        return runs

    def train_planted(table: Dataset, measure: str) -> list[FinishedRun]:
        path = settings.logs.absolute() / "planted" / f"{measure}-{effect:g}-{songs}-{seed}.parquet"
        write_songs(path, table)
        return [*trained("parquet", path=str(path)).values()]

    options: dict[str, Any] = {"songs": songs, "seed": seed, "singer_effect": effect}
    runs = trained("simulated", **options)
    tables = [runs[arm].predictions for arm in (MODEL, ANONYMOUS)]
    found = [measured(tables[0]), measured(tables[1]), measured(tables[0], "quantized")]
    unit = deciding(found[0])
    outcomes = {}
    for measure in MEASURES:
        own, without, copied = (each[unit][measure] for each in found)
        difference, region = without.minus(own, settings.resamples), NO_DIFFERENCE * copied.mae
        sensitive = False
        if within(difference, region):
            table = load_songs("simulated", **options)
            planted = sensitivity(table, tables[0], measure, unit, region, train_planted, settings.resamples)
            if planted is not None:
                sensitive = verdict(planted.difference, planted.p_songs, region) == SUPPORTED
        p = song_sign_flip(without.error, own.error, own.notes)
        of_copy = share(difference.estimate, copied.mae)
        outcomes[measure] = Outcome(
            verdict(difference, p, region, sensitive), of_copy, of_copy * found[2]["ms"][measure].mae
        )
    return outcomes


def cell(measure: str, effect: float, songs: int, outcomes: list[Outcome]) -> Cell:
    """Counts the outcomes of the corpora of one size and singer effect."""
    words = Counter(outcome.verdict for outcome in outcomes)
    count = words[SAME] + words[WORSE] if effect else words[SUPPORTED]
    low, high = binomtest(count, len(outcomes)).proportion_ci(method="wilson")
    wrong = Interval(count / len(outcomes), float(low), float(high))
    gained = (float(np.mean(gains)) for gains in zip(*(outcome[1:] for outcome in outcomes), strict=True))
    return Cell(measure, effect, songs, dict(words), wrong, words[SUPPORTED] / len(outcomes), *gained)
