"""Can the verdict on the singer be trusted? The rule, tried on simulated corpora whose singer effect is known.

A fast model, a baseline with and without the singer, stands for Model B and its anonymous arm. It has no seed, so the
test over repetitions falls away, and what is tried is the rest of the rule: the interval, the test over songs, and the
region of no practical difference. Songs are split by song, each corpus by a seed of its own.
"""

import logging
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from omegaconf import DictConfig
from rich.progress import track
from scipy.stats import binomtest

from toy_duration_predictor.data.simulate import simulate_songs
from toy_duration_predictor.data.songs import validate_songs
from toy_duration_predictor.data.split import split_rows
from toy_duration_predictor.experiment.baselines import LADDER, performances
from toy_duration_predictor.experiment.config import PowerConfig, validated
from toy_duration_predictor.experiment.questions import INCONCLUSIVE, LEVEL, NO_DIFFERENCE, REFUTED, SUPPORTED
from toy_duration_predictor.experiment.statistics import difference_interval, song_sign_flip, verdict
from toy_duration_predictor.experiment.terminal import console_log
from toy_duration_predictor.page import Section, write_report

log = logging.getLogger(__name__)


class Cell(NamedTuple):
    """What became of the corpora of one kind.

    Attributes:
        effect: Their `singer_effect`.
        songs: Their rows.
        words: How many had each verdict.
        share: The mean of what the singer took off the error, as a share of the error of copying.
    """

    effect: float
    songs: int
    words: dict[str, int]
    share: float


def power(config: DictConfig | dict[str, Any]) -> list[Cell]:
    """Runs the study, and writes `report.html`, `report.md` and `report.json`.

    Args:
        config: `conf/power.yaml`, composed.

    Raises:
        InputError: The configuration cannot be used.
    """
    settings = validated(config, PowerConfig)
    console_log()
    kinds = [(effect, songs) for songs in settings.songs for effect in settings.effects]
    trials = [(kind, repetition) for kind in kinds for repetition in range(settings.repetitions)]
    outcomes: dict[tuple[float, int], list[tuple[str, float]]] = {kind: [] for kind in kinds}
    for (effect, songs), repetition in track(trials, "Corpora"):
        outcomes[effect, songs].append(trial(effect, songs, repetition, settings.baseline, settings.resamples))
    cells = [
        Cell(*kind, dict(Counter(word for word, _ in found)), float(np.mean([share for _, share in found])))
        for kind, found in outcomes.items()
    ]
    title = "Can the verdict on the singer be trusted?"
    write_report(settings.out, title, _sections(cells, settings), [cell._asdict() for cell in cells])
    log.info("Report: %s", settings.out / "report.html")
    return cells


def trial(effect: float, songs: int, seed: int, baseline: str, resamples: int) -> tuple[str, float]:
    """Makes a corpus, fits the model with and without the singer, and returns the verdict and the share gained."""
    table = validate_songs(simulate_songs(songs, seed, effect))
    split = split_rows(table, "grouped", seed)
    train, test = performances(table, split.train), performances(table, split.test)
    notes = np.array([len(song) for song in test.sung])

    def errors(predicted: list[np.ndarray]) -> np.ndarray:
        return np.array([np.abs(p - s).sum() for p, s in zip(predicted, test.sung, strict=True)])

    with_singer, without = (
        errors(LADDER[name]().fit(train).predict(test)) for name in (f"{baseline}_singer", baseline)
    )
    copying = errors(test.quantized).sum() / notes.sum()
    difference = difference_interval(without, with_singer, notes, test.singer, resamples=resamples)
    p = song_sign_flip(without, with_singer, notes)
    return verdict(difference, p, NO_DIFFERENCE * copying, LEVEL).word, difference.estimate / copying


def _sections(cells: list[Cell], settings: PowerConfig) -> list[Section]:
    rows = []
    for cell in cells:
        supported = cell.words.get(SUPPORTED, 0)
        low, high = binomtest(supported, settings.repetitions).proportion_ci(method="wilson")
        counts = (f"{cell.words.get(word, 0)}" for word in (SUPPORTED, INCONCLUSIVE, REFUTED))
        rows.append((f"{cell.effect:g}", str(cell.songs), *counts, f"{low:.0%} to {high:.0%}", f"{cell.share:+.1%}"))
    heads = ("singer effect", "songs", SUPPORTED, INCONCLUSIVE, REFUTED, "supported, 95 % interval", "gain, of copying")
    remark = (
        f"{settings.repetitions} corpora of each kind; the model is {settings.baseline}, with and without the singer. "
        f"With an effect of 0 all singers are the same person, and *supported* is wrong. A tenth are test songs."
    )
    return [Section("Verdicts on Q3", heads, rows, remark, [_curve(cells, settings.repetitions)])]


def _curve(cells: list[Cell], repetitions: int) -> Figure:
    """Draws the share of corpora with the verdict *supported* against their effect, a line a number of songs."""
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for songs in dict.fromkeys(cell.songs for cell in cells):
        of_size = sorted(
            (cell.effect, cell.words.get(SUPPORTED, 0) / repetitions) for cell in cells if cell.songs == songs
        )
        axes.plot(*zip(*of_size, strict=True), "o-", label=f"{songs} songs")
    axes.axhline(LEVEL, color="#888888", linewidth=1, linestyle="--")
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("singer effect")
    axes.set_ylabel("supported")
    axes.legend(frameon=False)
    return figure
