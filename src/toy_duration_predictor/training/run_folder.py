"""The run folder: its name, and the writing and reading of its files.

    config.yaml  sources.json  metrics.json  predictions.parquet  checkpoints/best.ckpt  checkpoints/last.ckpt
    train.log  events.*

`metrics.json` is written last, so a folder that has it belongs to a finished run.
"""

import glob
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from datasets import Dataset
from omegaconf import OmegaConf
from torch import Tensor

from toy_duration_predictor.errors import InputError, first_line
from toy_duration_predictor.files import write, write_text
from toy_duration_predictor.training.commands import Interrupted
from toy_duration_predictor.training.config import TrainConfig
from toy_duration_predictor.training.predictions import predictions_table
from toy_duration_predictor.training.provenance import SOURCES, changed_sources, code_digest
from toy_duration_predictor.training.task import DurationTask

Metrics = dict[str, float | int | str]


def run_folder(config: TrainConfig, fingerprint: str) -> Path:
    """Returns the folder of a run: `LOGS/NAME-NETWORK-SOURCE-seedSEED-SETTINGS-CODE`.

    `SETTINGS` is a digest of all settings that can change a number, and of the songs table. `CODE` is a digest of the
    package's own sources: other code is another run.
    """
    settings = config.decisive()
    # The table's contents count, not its place: a moved table gives the same numbers.
    for option in ("source", *config.data.options):
        del settings["data"][option]
    settings["fingerprint"] = fingerprint
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
    name = f"{config.name}-{config.model.name}-{config.data.source}-seed{config.seed}-{digest}"
    return config.logs / f"{name}-{code_digest()}"


def same_run_by_other_code(folder: Path) -> Path | None:
    """Returns the newest run with the same settings on the same songs by other code, or None if there is none."""
    stem = folder.name.rpartition("-")[0]
    others = (path for path in folder.parent.glob(f"{glob.escape(stem)}-*") if path != folder and path.is_dir())
    return max(others, key=lambda path: path.stat().st_mtime, default=None)


def write_config(folder: Path, config: TrainConfig) -> None:
    """Writes `config.yaml`."""
    write_text(folder / "config.yaml", OmegaConf.to_yaml(config.model_dump(mode="json")))


def write_metrics(folder: Path, metrics: Metrics) -> None:
    """Writes `metrics.json`: flat, sorted by key."""
    text = json.dumps(metrics, indent=2, sort_keys=True, allow_nan=False) + "\n"
    write_text(folder / "metrics.json", text)


def read_metrics(folder: Path) -> Metrics | None:
    """Returns the metrics of a finished run, or None if it is not finished.

    Raises:
        InputError: The file is there and cannot be read.
    """
    path = folder / "metrics.json"
    if not path.is_file():
        return None
    try:
        metrics: Metrics = json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}); delete it to run again.") from error
    if not isinstance(metrics, dict) or "name" not in metrics:
        raise InputError(f"{path} does not hold a run's metrics; delete it to run again.")
    return metrics


@contextmanager
def saying_why(folder: Path) -> Iterator[None]:
    """Leaves `failed.txt` in the folder of a run that ends by an error: so nobody takes it for an interrupted one."""
    with suppress(OSError):  # it is not there, as a rule; who cannot write will hear of it later
        (folder / "failed.txt").unlink()
    try:
        yield
    except Interrupted:
        raise
    except Exception as error:
        if folder.is_dir():
            write_text(folder / "failed.txt", f"{first_line(error)}\n")
        raise


def best_checkpoint(run: str | Path) -> Path:
    """Returns the checkpoint of a run folder's best weights; a checkpoint itself is returned as it is."""
    return Path(run, "checkpoints", "best.ckpt") if Path(run).is_dir() else Path(run)


def load_run(run: str | Path) -> DurationTask:
    """Loads the best weights of a run folder, or the weights of a checkpoint.

    Raises:
        InputError: There is no such run, or its checkpoint cannot be read.
    """
    best = best_checkpoint(run)
    if not best.is_file():
        raise InputError(f"run={run} has no checkpoints/best.ckpt; give the folder of a trained run.")
    try:
        # Not by `load_from_checkpoint`, which would call whatever function the checkpoint names under `_instantiator`.
        # Here such a checkpoint ends in an error, as the task has no such argument.
        checkpoint = torch.load(best, map_location="cpu", weights_only=True)
        task = DurationTask(**checkpoint["hyper_parameters"])
        task.load_state_dict(checkpoint["state_dict"])
        return task
    except InputError:
        raise
    except Exception as error:
        changed = changed_sources(Path(run)) if Path(run, SOURCES).is_file() else ""
        since = f"; the code has changed since: {changed}" if changed else ""
        name = type(error).__name__
        raise InputError(f"{best} cannot be read as a checkpoint of this project ({name}{since}).") from error


def write_predictions(folder: Path, table: Dataset, rows: list[int], predicted: Tensor) -> pa.Table:
    """Writes `predictions.parquet`; see `predictions` for its format.

    Args:
        folder: The run's.
        table: The songs table.
        rows: The test rows, in the order in which they were tested.
        predicted: float `(notes,)`, ticks; the notes of all these rows, one after the other.

    Returns:
        What was written.
    """
    predictions = predictions_table(table, rows, predicted.float().numpy())
    write(folder / "predictions.parquet", lambda path: pq.write_table(predictions, path))
    return predictions


class FinishedRun(NamedTuple):
    """A finished run, read from its folder.

    Attributes:
        folder: Its folder.
        arm: The experiment's name.
        seed: Of weights and batches.
        split: The scheme by which the songs are split.
        split_seed: Decides the split.
        config: Its settings, nested.
        metrics: Its `metrics.json`.
        predictions: Its `predictions.parquet`; see `predictions`.
    """

    folder: Path
    arm: str
    seed: int
    split: str
    split_seed: int
    config: dict[str, Any]
    metrics: Metrics
    predictions: pa.Table

    @property
    def repetition(self) -> tuple[int, int, str]:
        """Seed, split seed and fold: what runs of different arms must share to be compared."""
        return self.seed, self.split_seed, self.split if self.split.startswith("fold") else ""


def read_run(folder: Path) -> FinishedRun:
    """Reads a finished run.

    Raises:
        InputError: It is not finished, or a file of it cannot be read.
    """
    metrics = read_metrics(folder)
    if metrics is None:
        raise InputError(f"{folder} is no finished run; the command that began it goes on.")
    try:
        config: Any = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"))
        predictions = pq.read_table(folder / "predictions.parquet")
        data = config["data"]
        return FinishedRun(
            folder, config["name"], config["seed"], data["split"], data["split_seed"], config, metrics, predictions
        )
    except (OSError, KeyError, pa.ArrowException) as error:
        raise InputError(
            f"{folder} cannot be read ({type(error).__name__}: {error}); run it again with force=true."
        ) from error
