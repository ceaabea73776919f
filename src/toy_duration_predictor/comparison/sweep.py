"""A sweep: a record of each trial, and a report of all of them at the end.

Hydra's launchers run trials in this process, in others, or on other machines. So a trial leaves a record in the sweep's
folder, `trials/N.json`. A trial that fails is recorded with its reason, and the others go on.
"""

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from toy_duration_predictor.errors import InputError, first_line, reason_of
from toy_duration_predictor.files import write_text
from toy_duration_predictor.training.commands import Interrupted, ending_in_a_sentence
from toy_duration_predictor.training.config import read_config

log = logging.getLogger(__name__)

Metrics = dict[str, float | int | str]


class Trial(NamedTuple):
    """A trial, read from its record and its run folder.

    Attributes:
        number: From 0, in the order in which trials were started.
        given: Its overrides, by key.
        state: `finished`, `failed`, or `interrupted`.
        reason: Why it failed, a sentence; or "".
        folder: Its run folder, if it is finished; or "".
        optimize: The metric that the sweep compares runs by.
        config: Its settings, nested; empty unless it is finished.
        metrics: Its `metrics.json`; empty unless it is finished.
    """

    number: int
    given: dict[str, str]
    state: str
    reason: str
    folder: str
    optimize: str
    config: dict[str, Any]
    metrics: Metrics


def recorded(run: Callable[[], Metrics], optimize: str) -> Metrics | None:
    """Calls a function that trains and returns its metrics. In a sweep it is a trial, and leaves a record.

    Returns:
        The metrics; or None for a trial that failed.
    """
    hydra = HydraConfig.get()
    if hydra.mode != RunMode.MULTIRUN:
        return run()
    path = Path(hydra.sweep.dir, "trials", f"{hydra.job.num}.json")
    given = dict(override.partition("=")[::2] for override in hydra.overrides.task)

    def record(state: str, reason: str = "", folder: str = "") -> None:
        trial = {"given": given, "state": state, "reason": reason, "folder": folder, "optimize": optimize}
        write_text(path, json.dumps(trial, indent=2) + "\n")

    record("interrupted")  # unless the trial lives to say something else
    try:
        metrics = run()
    except Interrupted:
        raise
    except Exception as error:
        reason = reason_of(error)
        log.error("Trial %s failed: %s", hydra.job.num, reason, exc_info=not isinstance(error, InputError))
        record("failed", reason)
        return None
    record("finished", folder=str(metrics["run/folder"]))
    return metrics


def read_trials(folder: Path) -> list[Trial]:
    """Returns the trials of a sweep.

    Raises:
        InputError: A record, or a file of a run, cannot be read.
    """
    trials = []
    for path in sorted(folder.glob("trials/*.json"), key=lambda path: int(path.stem)):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            run, config, metrics = record["folder"], cast(dict[str, Any], {}), {}
            if run:
                config = read_config(Path(run, "config.yaml"))
                metrics = json.loads(Path(run, "metrics.json").read_text(encoding="utf-8"))
            trials.append(Trial(int(path.stem), **record, config=config, metrics=metrics))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: this trial, or its run, cannot be read ({first_line(error)}).") from error
    return trials


class ReportAtEnd(Callback):
    """Hydra's callback that ends a sweep in a table; with status 1 if a trial has failed."""

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Shows and writes the report."""
        from toy_duration_predictor.comparison.reports.sweep import write_sweep

        with ending_in_a_sentence():
            folder = Path(config.hydra.sweep.dir)
            trials = read_trials(folder)
            if not trials:
                raise InputError("This sweep has no trial; give each setting a value or more, such as seed=range(6).")
            write_sweep(folder, trials)
        if any(trial.state != "finished" for trial in trials):
            sys.exit(1)
