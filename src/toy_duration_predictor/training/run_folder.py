"""The run folder: its name, and the writing and reading of its files.

    config.yaml  sources.json  metrics.json  predictions.parquet  checkpoints/best.ckpt  checkpoints/last.ckpt
    train.log  events.*

`metrics.json` is written last, so a folder that has it belongs to a finished run. It has checksums of itself, of
`config.yaml` and of `predictions.parquet`; a checkpoint has its own.
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
import yaml
from datasets import Dataset
from omegaconf import OmegaConf
from pydantic import BaseModel, TypeAdapter, ValidationError
from torch import Tensor

from toy_duration_predictor.errors import InputError, first_line
from toy_duration_predictor.files import damaged, sealed, unsealed, write, write_text
from toy_duration_predictor.training.checkpoints import BEST, read_checkpoint
from toy_duration_predictor.training.commands import Interrupted
from toy_duration_predictor.training.config import DataSettings, TrainConfig
from toy_duration_predictor.training.predictions import SCHEMA, predictions_table
from toy_duration_predictor.training.provenance import SOURCES, changed_sources, code_digest
from toy_duration_predictor.training.task import DurationTask

Metrics = dict[str, float | int | str]

CONFIG, METRICS, PREDICTIONS = "config.yaml", "metrics.json", "predictions.parquet"


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
    write_text(folder / CONFIG, OmegaConf.to_yaml(config.model_dump(mode="json")))


def write_metrics(folder: Path, metrics: Metrics) -> None:
    """Writes `metrics.json`: flat, sorted by key, with checksums of the files that it belongs to."""
    files = (path for name in (CONFIG, PREDICTIONS) if (path := folder / name).is_file())
    text = json.dumps(sealed(metrics, *files), indent=2, sort_keys=True, allow_nan=False) + "\n"
    write_text(folder / METRICS, text)


def read_metrics(folder: Path) -> Metrics | None:
    """Returns the metrics of a finished run, or None if it is not finished.

    Raises:
        InputError: The file is there and cannot be read.
    """
    metrics = _sealed_metrics(folder)
    return None if metrics is None else unsealed(metrics)


def _sealed_metrics(folder: Path, *files: Path) -> Metrics | None:
    """Returns what is in `metrics.json`, checksums included, or None; the files are checked, too."""
    path = folder / METRICS
    try:
        metrics = TypeAdapter(Metrics).validate_python(json.loads(path.read_text(encoding="utf-8")), strict=True)
        wrong = damaged(path, metrics, *files)
    except (FileNotFoundError, NotADirectoryError):
        if path.is_file():  # then it is one of the others
            raise
        return None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}).") from error
    except ValidationError as error:
        raise InputError(f"{path} does not hold a run's metrics; delete it to run again.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON ({first_line(error)}); delete it to run again.") from error
    if wrong:
        raise InputError(f"{wrong} is damaged or was changed after the run; run it again with force=true.")
    if "name" not in metrics:
        raise InputError(f"{path} does not hold a run's metrics; delete it to run again.")
    return metrics


class Occupied(Exception):  # noqa: N818
    """Another process has this run under way."""


@contextmanager
def saying_why(folder: Path) -> Iterator[None]:
    """Leaves `failed.txt` in the folder of a run that ends by an error: so nobody takes it for an interrupted one."""
    with suppress(OSError):  # it is not there, as a rule; who cannot write will hear of it later
        (folder / "failed.txt").unlink()
    try:
        yield
    except (Interrupted, Occupied):
        raise
    except Exception as error:
        if folder.is_dir():
            write_text(folder / "failed.txt", f"{first_line(error)}\n")
        raise


def best_checkpoint(run: str | Path) -> Path:
    """Returns the checkpoint of a run folder's best weights; a checkpoint itself is returned as it is."""
    return Path(run, "checkpoints", BEST) if Path(run).is_dir() else Path(run)


def load_run(run: str | Path) -> DurationTask:
    """Loads the best weights of a run folder, or the weights of a checkpoint.

    Raises:
        InputError: There is no such run, or its checkpoint cannot be read.
    """
    best = best_checkpoint(run)
    try:
        if not best.is_file():
            raise InputError(f"run={run} has no checkpoints/best.ckpt; give the folder of a trained run.")
        checkpoint = read_checkpoint(best)
        task = DurationTask(**checkpoint["hyper_parameters"])
        task.load_state_dict(checkpoint["state_dict"])
        return task
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{best} cannot be read ({error.strerror or error}).") from error
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
    write(folder / PREDICTIONS, lambda path: pq.write_table(predictions, path))
    return predictions


class RunConfig(BaseModel):
    """What is needed of a run's `config.yaml`; other code may have written further settings."""

    name: str
    seed: int
    data: DataSettings
    model: dict[str, Any]
    training: dict[str, Any]


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
    try:
        metrics = _sealed_metrics(folder, folder / CONFIG, folder / PREDICTIONS)
        if metrics is None:
            raise InputError(f"{folder} is no finished run; the command that began it goes on.")
        config = _read_config(folder / CONFIG)
        predictions = pq.read_table(folder / PREDICTIONS)
        predictions.select(SCHEMA.names).cast(SCHEMA)
        said = RunConfig.model_validate(config, strict=True)
    except InputError:
        raise
    except Exception as error:  # a damaged file can raise anything
        raise InputError(
            f"{folder} cannot be read ({type(error).__name__}: {first_line(error)}); run it again with force=true."
        ) from error
    split = said.data.split, said.data.split_seed
    return FinishedRun(folder, said.name, said.seed, *split, config, unsealed(metrics), predictions)


def _read_config(path: Path) -> dict[str, Any]:
    """Reads `config.yaml`."""
    text = path.read_text(encoding="utf-8")
    # An alias stands for as much as its writer likes, and a run writes none.
    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
        raise ValueError(f"{path.name} has aliases")
    config: Any = OmegaConf.to_container(OmegaConf.create(text))
    return dict(config)
