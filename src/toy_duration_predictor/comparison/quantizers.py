"""Q0: does the regularization do what it is for, better than other quantizers?

The same sung durations are quantized in several ways (`data.quantizers`), and Model B is trained on each outcome. What
Model B cannot put back, a way has lost. So the ways are compared by Model B's errors on the same test songs, against
the same sung durations. Beside them stand the quantizers' own figures (`quantizer_figures`), and how well a model that
was trained on one way's table restores another's.
"""

import itertools
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from datasets import Dataset
from omegaconf import DictConfig

from toy_duration_predictor.comparison.arms import MODEL
from toy_duration_predictor.comparison.config import QuantizersConfig
from toy_duration_predictor.comparison.intervals import Interval
from toy_duration_predictor.comparison.quantizer_figures import FIGURES, Speed, figures, notes_per_second, over_songs
from toy_duration_predictor.comparison.quantizer_questions import Judged, judge_ways
from toy_duration_predictor.comparison.reports.comparison import plain
from toy_duration_predictor.comparison.reports.quantizers import TITLE, sections
from toy_duration_predictor.comparison.study_runs import finished, of_study, share_out, write_songs
from toy_duration_predictor.data.notes import Notes
from toy_duration_predictor.data.origin import are_carried, origins
from toy_duration_predictor.data.quantizers import REFERENCE, WAYS, check_ways, quantized_by, songs_of
from toy_duration_predictor.data.songs import fingerprint
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.sections import write_report
from toy_duration_predictor.training.config import validated
from toy_duration_predictor.training.run_folder import FinishedRun
from toy_duration_predictor.training.terminal import console_log
from toy_duration_predictor.training.trainer import use_threads

log = logging.getLogger(__name__)

Compose = Callable[[list[str]], DictConfig]


class Study(NamedTuple):
    """All that the report says.

    Attributes:
        songs: How many songs were quantized.
        same: Ways whose table is another way's to the tick, and that way.
        left_out: Ways that were not tried, and what has to be installed for them.
        figures: By way and figure, the mean over songs.
        speed: By way.
        judged: None where nothing was trained.
    """

    songs: int
    same: dict[str, str]
    left_out: dict[str, str]
    figures: dict[str, dict[str, Interval]]
    speed: dict[str, Speed]
    judged: Judged | None = None


def quantizers(config: DictConfig | dict[str, Any], compose: Compose) -> Study:
    """Runs the study that `conf/quantizers.yaml` describes, and writes its report and its tables.

    Args:
        config: `conf/quantizers.yaml`, composed.
        compose: Composes `conf/train.yaml` with overrides.

    Raises:
        InputError: The configuration or the songs cannot be used.
        Interrupted: SIGINT or SIGTERM; the same call goes on.
    """
    settings = validated(config, QuantizersConfig)
    console_log()
    check_ways(settings.ways)
    table = load_songs(settings.data.source, **settings.data.options)
    if are_carried(origins(table)):
        raise InputError("These durations are carried values, not sung; recover them: tdp audit TABLE --repair OUT.")
    out = settings.out or settings.logs / "quantizers" / f"{settings.data.source}-{fingerprint(table)}"
    study, tables = _quantized(table, settings)
    if settings.seeds:
        runs = _trained(tables, settings, compose, out)
        use_threads(settings.trainer)  # where nothing had to be trained, nothing has set them
        study = study._replace(judged=judge_ways(runs, tables, table, settings.resamples))
    write_report(out, TITLE, sections(study), plain(study))
    log.info("Report: %s", out / "report.html")
    return study


def _quantized(table: Dataset, settings: QuantizersConfig) -> tuple[Study, dict[str, Dataset]]:
    """Returns the quantizers' own figures, and the tables that differ."""
    songs, singers = songs_of(table), np.array(table["singer_id"])
    study = Study(len(table), {}, {}, {}, {})
    tables: dict[str, Dataset] = {}
    first: dict[str, str] = {}
    # The reference first, so that another way is the same as it, and not the other way round.
    for name in sorted(settings.ways, key=REFERENCE.__ne__):
        way = WAYS[name]
        if not way.installed:
            hint = "pip install 'toy-duration-predictor[quantizers]'"
            log.warning("%s is left out, as %s is not installed: %s", name, way.package, hint)
            study.left_out[name] = str(way.package)
            continue
        log.info("Quantizing: %s", way.about)
        other = quantized_by(way, table)
        found = zip(songs, songs_of(other), Notes.of(other, "quantized").songs(np.arange(len(other))), strict=True)
        values = [
            figures(way.steps(finer.ticks_per_beat), finer, quantized, finer.ticks_per_beat // song.ticks_per_beat)
            for song, finer, quantized in found
        ]
        study.figures[name] = {
            figure: over_songs(each, singers, settings.resamples)
            for figure, each in zip(FIGURES, np.array(values).T, strict=True)
        }
        speed = notes_per_second(way, songs)
        study.speed[name] = Speed(speed, speed / study.speed[REFERENCE].notes_per_second if study.speed else 1.0)
        known = first.setdefault(fingerprint(other), name)
        if known == name:
            tables[name] = other
        else:
            study.same[name] = known
    return study, tables


def _trained(
    tables: Mapping[str, Dataset], settings: QuantizersConfig, compose: Compose, out: Path
) -> dict[str, list[FinishedRun]]:
    """Trains Model B on each table with each seed; a finished run is recognised."""
    paths = {name: out.absolute() / "tables" / f"{name}.parquet" for name in tables}
    for name, table in tables.items():
        write_songs(paths[name], table)

    def train_one(named: tuple[str, int], wait: bool) -> FinishedRun:
        name, seed = named
        run = compose([f"experiment={MODEL}", "data=parquet", "data.durations=sung", *settings.each])
        run.data.path = str(paths[name])  # not in the words of an override, which gives some characters a meaning
        log.info("%s, seed %d of %d", name, seed, settings.seeds)
        return finished(of_study(run, settings, seed), wait)

    plan = list(itertools.product(tables, range(settings.seeds)))
    runs: dict[str, list[FinishedRun]] = {name: [] for name in tables}
    for (name, _), run in zip(plan, share_out(plan, train_one), strict=True):
        runs[name].append(run)
    return runs
