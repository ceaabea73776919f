"""The runs of a study: on its hardware, in its folder of run folders, and trained where they are missing.

The same study may be started several times, on one machine or on many that share the folder. Its processes share out
the work: a run that another process has under way is left for later.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pyarrow.parquet as pq
from datasets import Dataset
from omegaconf import DictConfig, open_dict

from toy_duration_predictor.comparison.config import CompareConfig, PowerConfig, QuantizersConfig, SearchConfig
from toy_duration_predictor.data.songs import ROWS_AT_ONCE
from toy_duration_predictor.files import write
from toy_duration_predictor.training.failure import Occupied
from toy_duration_predictor.training.run_folder import FinishedRun, read_run
from toy_duration_predictor.training.train import train

log = logging.getLogger(__name__)

Task = TypeVar("Task")
Result = TypeVar("Result")


def of_study(
    run: DictConfig, settings: CompareConfig | PowerConfig | QuantizersConfig | SearchConfig, seed: int | None = None
) -> DictConfig:
    """Gives a run's settings the study's hardware and folder, and a seed if one is named; returns them."""
    with open_dict(run):
        run.trainer = settings.trainer.model_dump()
        run.logs = str(settings.logs)
        if seed is not None:
            run.seed = seed
    return run


def finished(run: DictConfig, wait: bool) -> FinishedRun:
    """Trains a run unless it is finished already.

    Args:
        run: Its settings.
        wait: Whether to wait where another process has it under way.

    Raises:
        InputError: Its settings or its songs cannot be used.
        Occupied: Another process has it under way, and this one is not to wait.
    """
    return read_run(Path(str(train(run, wait=wait)["run/folder"])))


def write_songs(path: Path, table: Dataset) -> None:
    """Writes songs that runs of a study are to be trained on: a Parquet file, as `data=parquet` reads it."""

    def rows(part: Path) -> None:
        with pq.ParquetWriter(part, table.features.arrow_schema) as writer:
            for batch in table.with_format("arrow").iter(ROWS_AT_ONCE):
                writer.write_table(batch)

    write(path, rows)


def share_out(tasks: Sequence[Task], do: Callable[[Task, bool], Result]) -> list[Result]:
    """Does tasks that other processes do, too; returns their results in the order of the tasks.

    Args:
        tasks: What is to be done.
        do: Does a task. It is told whether to wait for other processes, and otherwise may raise `Occupied`.
    """
    results: dict[int, Result] = {}
    # Only when nothing else is left to do. Whoever waits takes over from a process that is killed.
    for wait in (False, True):
        for number, task in enumerate(tasks):
            if number not in results:
                try:
                    results[number] = do(task, wait)
                except Occupied:
                    log.info("Under way in another process; left for later.")
    return [results[number] for number in range(len(tasks))]
