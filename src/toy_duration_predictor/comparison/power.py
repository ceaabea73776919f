"""Can the verdict on the singer be trusted? The rule, tried on simulated songs whose singer effect is known.

A fast model, a baseline with and without the singer, stands for Model B and its anonymous arm. It has no seed, so there
is no test over repetitions, as in `questions.judge`. What is tried is the rest of the rule: the interval, the test over
songs, and the region of no practical difference. Each corpus is split by song, with a seed of its own.
"""

import logging
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from omegaconf import DictConfig
from rich.progress import track
from scipy.stats import binomtest

from toy_duration_predictor.comparison.baselines import BASELINES, song_arrays
from toy_duration_predictor.comparison.config import PowerConfig
from toy_duration_predictor.comparison.evidence import SongErrors
from toy_duration_predictor.comparison.questions import (
    INCONCLUSIVE,
    LEVEL,
    NO_DIFFERENCE,
    REFUTED,
    SUPPORTED,
    verdict,
)
from toy_duration_predictor.comparison.report import plain
from toy_duration_predictor.comparison.statistics import Interval, song_sign_flip
from toy_duration_predictor.data.simulate import simulate_songs
from toy_duration_predictor.data.songs import validate_songs
from toy_duration_predictor.data.split import split_rows
from toy_duration_predictor.sections import Section, write_report
from toy_duration_predictor.training.config import validated
from toy_duration_predictor.training.terminal import console_log

log = logging.getLogger(__name__)

TITLE = "Can the verdict on the singer be trusted?"


class Cell(NamedTuple):
    """What became of the corpora with so many `songs` and this `singer_effect`.

    Attributes:
        words: How many had each verdict.
        supported: The share with the verdict *supported*, with its 95 % interval by Wilson's method.
        share: The mean of what the singer took off the error, as a share of the copy baseline's error.
    """

    effect: float
    songs: int
    words: dict[str, int]
    supported: Interval
    share: float


def power(config: DictConfig | dict[str, Any]) -> list[Cell]:
    """Runs the study that `conf/power.yaml` describes, and writes its report.

    Raises:
        InputError: The configuration cannot be used.
    """
    settings = validated(config, PowerConfig)
    console_log()
    sizes = [(effect, songs) for songs in settings.songs for effect in settings.effects]
    trials = [(size, repetition) for size in sizes for repetition in range(settings.repetitions)]
    outcomes: dict[tuple[float, int], list[tuple[str, float]]] = {size: [] for size in sizes}
    for (effect, songs), repetition in track(trials, "Corpora"):
        outcomes[effect, songs].append(trial(effect, songs, repetition, settings.baseline, settings.resamples))
    cells = [_cell(effect, songs, found) for (effect, songs), found in outcomes.items()]
    write_report(settings.out, TITLE, [_section(cells, settings)], plain(cells))
    log.info("Report: %s", settings.out / "report.html")
    return cells


def trial(effect: float, songs: int, seed: int, baseline: str, resamples: int) -> tuple[str, float]:
    """Makes a corpus, fits the model with and without the singer, and returns the verdict and the share gained."""
    table = validate_songs(simulate_songs(songs, seed, effect))
    split = split_rows(table, "grouped", seed)
    train, test = song_arrays(table, split.train), song_arrays(table, split.test)
    notes = np.array([len(song) for song in test.sung])

    def errors(name: str) -> SongErrors:
        predicted = BASELINES[name]().fit(train).predict(test)
        error = np.array([np.abs(p - s).sum() for p, s in zip(predicted, test.sung, strict=True)])
        return SongErrors(split.test, test.singer, notes, error)

    with_singer, without, copied = map(errors, (f"{baseline}_singer", baseline, "copy"))
    difference = without.minus(with_singer, resamples)
    p = song_sign_flip(without.error, with_singer.error, notes)
    return verdict(difference, p, NO_DIFFERENCE * copied.mae), difference.estimate / copied.mae


def _cell(effect: float, songs: int, outcomes: list[tuple[str, float]]) -> Cell:
    """Counts the outcomes of `trial` for the corpora of one size and singer effect."""
    words = Counter(word for word, _ in outcomes)
    low, high = binomtest(words[SUPPORTED], len(outcomes)).proportion_ci(method="wilson")
    supported = Interval(words[SUPPORTED] / len(outcomes), float(low), float(high))
    return Cell(effect, songs, dict(words), supported, float(np.mean([share for _, share in outcomes])))


def _section(cells: list[Cell], settings: PowerConfig) -> Section:
    words = (SUPPORTED, INCONCLUSIVE, REFUTED)
    rows = []
    for cell in cells:
        counts = (str(cell.words.get(word, 0)) for word in words)
        interval = f"{cell.supported.low:.0%} to {cell.supported.high:.0%}"
        rows.append((f"{cell.effect:g}", str(cell.songs), *counts, interval, f"{cell.share:+.1%}"))
    heads = ("singer effect", "songs", *words, "supported, 95 % interval", "gain, of copy")
    remark = (
        f"There are {settings.repetitions} corpora of each size and effect; a tenth of the songs are test songs. The "
        f"model is {settings.baseline}, with and without the singer. With an effect of 0 all singers are the same "
        f"person. There the verdict *supported* is wrong."
    )
    return Section("Verdicts on Q3", heads, rows, remark, [_curve(cells)])


def _curve(cells: list[Cell]) -> Figure:
    """Draws the share of corpora with the verdict *supported* against their effect, a line a number of songs."""
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for songs in dict.fromkeys(cell.songs for cell in cells):
        of_size = sorted((cell.effect, cell.supported.estimate) for cell in cells if cell.songs == songs)
        axes.plot(*zip(*of_size, strict=True), "o-", label=f"{songs} songs")
    axes.axhline(LEVEL, color="#888888", linewidth=1, linestyle="--")
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("singer effect")
    axes.set_ylabel("supported")
    axes.legend(frameon=False)
    return figure
